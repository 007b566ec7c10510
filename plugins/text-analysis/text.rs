//! A text taken apart: words, sentences, paragraphs.

/// Maximal runs of letters and digits; an apostrophe between two of them joins.
pub fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let joins = matches!(c, '\'' | '’') && start.is_some() && next.is_some_and(char::is_alphanumeric);
        match start {
            None if c.is_alphanumeric() => start = Some(at),
            Some(from) if !c.is_alphanumeric() && !joins => {
                words.push(&text[from..at]);
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|from| &text[from..]));
    words
}

/// The words in lower case, with straight apostrophes: the same word in each of its spellings.
pub fn folded_words(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.to_lowercase().replace('’', "'")).collect()
}

/// Stretches that end with `.`, `!`, `?`, `…` (or a full-width one) before white space, or with a
/// blank line; only those with a word in them. Trimmed.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    for paragraph in paragraphs(text) {
        let mut from = 0;
        let mut ended = false;
        for (at, c) in paragraph.char_indices() {
            if ended && c.is_whitespace() {
                sentences.push(&paragraph[from..at]);
                from = at;
            }
            // Closing quotes and brackets belong to the sentence that they close.
            let closes = matches!(c, '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '*' | '_');
            ended = matches!(c, '.' | '!' | '?' | '…') || (ended && closes);
            if matches!(c, '。' | '！' | '？') {
                let end = at + c.len_utf8();
                sentences.push(&paragraph[from..end]);
                from = end;
            }
        }
        sentences.push(&paragraph[from..]);
    }
    sentences.retain(|s| s.contains(char::is_alphanumeric));
    sentences.into_iter().map(str::trim).collect()
}

/// Stretches between lines that are empty or blank.
pub fn paragraphs(text: &str) -> Vec<&str> {
    let mut paragraphs = Vec::new();
    let mut from = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            paragraphs.extend(from.take().map(|from| &text[from..at]));
        } else {
            from.get_or_insert(at);
        }
        at += line.len();
    }
    paragraphs.extend(from.map(|from: usize| &text[from..]));
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(
            words("Don't 'stop' it's 3.5—naïve_x 東京’"),
            ["Don't", "stop", "it's", "3", "5", "naïve", "x", "東京"]
        );
        assert!(words(" -' ").is_empty());
        assert_eq!(folded_words("Don’t don't"), ["don't", "don't"]);
    }

    #[test]
    fn sentences_end_before_white_space() {
        let text = "Version 1.2 is out! \"Really?\" she asked.\nYes…\n\nA heading\n\n* * *\n\n一。二。";
        let expected = ["Version 1.2 is out!", "\"Really?\"", "she asked.", "Yes…", "A heading", "一。", "二。"];
        assert_eq!(sentences(text), expected);
    }

    #[test]
    fn paragraphs_are_parted_by_blank_lines() {
        assert_eq!(paragraphs("\na\nb\n \t\n\nc"), ["a\nb\n", "c"]);
        assert!(paragraphs(" \n\n").is_empty());
    }
}

//! A goal cut into tokens: words, quoted texts, file names, URLs, signs.

use super::FileInfo;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Word,
    /// Between quotation marks; the token's text is what stands between them.
    Quoted,
    /// A word with an ending such as `.csv`, or the exact path of a given file.
    File,
    Url,
    /// `>`, `>=`, `<`, `<=`, `=`, `!=`.
    Sign,
    /// `,` or `:`.
    Comma,
    /// `;`, `.`, `?`, `!` or a line break: a clause ends here.
    Stop,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    /// Where it stands in the goal, in bytes.
    pub start: usize,
    pub end: usize,
}

/// Opening quotation marks and what closes them.
const QUOTES: [(char, char); 7] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('«', '»'), ('„', '“')];

/// Cuts a goal into tokens.
///
/// # Errors
/// The place (bytes) of a quotation mark that is never closed.
pub fn tokens(goal: &str, files: &[FileInfo]) -> Result<Vec<Token>, usize> {
    let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).filter(|path| names_itself(path)).collect();
    // The longest first: of `a.csv` and `a.csv.bak` the goal means the one it spells out.
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    let mut out: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(first) = goal[at..].chars().next() {
        let rest = &goal[at..];
        if first.is_whitespace() {
            if first == '\n' && out.last().is_some_and(|token| !matches!(token.kind, Kind::Stop | Kind::Comma)) {
                out.push(Token { kind: Kind::Stop, text: "\n".into(), start: at, end: at + 1 });
            }
            at += first.len_utf8();
            continue;
        }
        let (kind, text, length) = if let Some(path) = paths.iter().find(|path| spelled(rest, path)) {
            (Kind::File, (*path).to_string(), path.len())
        } else if let Some((open, close)) = QUOTES.iter().find(|(open, _)| *open == first) {
            let body = &rest[open.len_utf8()..];
            let end = closing(body, *close).ok_or(at)?;
            (Kind::Quoted, body[..end].to_string(), open.len_utf8() + end + close.len_utf8())
        } else if rest.starts_with("http://") || rest.starts_with("https://") {
            let end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '"' | '“' | '”' | '<' | '>'))
                .unwrap_or(rest.len());
            let url = rest[..end].trim_end_matches(['.', ',', ';', ')', '!', '?', '\'']);
            (Kind::Url, url.to_string(), url.len())
        } else if matches!(first, '>' | '<' | '=' | '!' | '≥' | '≤' | '≠') && !bare_exclamation(rest) {
            let length =
                if rest[first.len_utf8()..].starts_with('=') { first.len_utf8() + 1 } else { first.len_utf8() };
            (Kind::Sign, sign(&rest[..length]), length)
        } else if matches!(first, ',' | ':') {
            (Kind::Comma, first.to_string(), 1)
        } else if matches!(first, ';' | '.' | '?' | '!') {
            (Kind::Stop, first.to_string(), 1)
        } else {
            let word = word(rest);
            (if has_ending(word) { Kind::File } else { Kind::Word }, word.to_string(), word.len())
        };
        out.push(Token { kind, text, start: at, end: at + length });
        at += length;
    }
    Ok(out)
}

/// May this path stand in a goal without quotation marks? A file that is called like a word of
/// the language must be quoted.
fn names_itself(path: &str) -> bool {
    path.chars().any(|c| !c.is_lowercase())
}

/// Does the goal go on with exactly this path?
fn spelled(rest: &str, path: &str) -> bool {
    rest.strip_prefix(path).is_some_and(|after| {
        let mut following = after.chars();
        match following.next() {
            None => true,
            Some('.') => following.next().is_none_or(char::is_whitespace),
            Some(c) => c.is_whitespace() || matches!(c, ',' | ';' | ':' | '?' | '!'),
        }
    })
}

/// Where the quoted text ends. An apostrophe between two letters closes nothing.
fn closing(body: &str, close: char) -> Option<usize> {
    body.char_indices().filter(|(_, c)| *c == close).map(|(end, _)| end).find(|end| {
        !matches!(close, '\'' | '’')
            || !body[end + close.len_utf8()..].chars().next().is_some_and(char::is_alphanumeric)
    })
}

fn bare_exclamation(rest: &str) -> bool {
    rest.starts_with('!') && !rest.starts_with("!=")
}

fn sign(text: &str) -> String {
    match text {
        "≥" => ">=",
        "≤" => "<=",
        "≠" => "!=",
        "==" => "=",
        other => other,
    }
    .into()
}

/// Up to the next blank, sign or punctuation; full stops at its end end the sentence instead.
fn word(rest: &str) -> &str {
    let end = rest
        .find(|c: char| {
            c.is_whitespace()
                || matches!(
                    c,
                    ',' | ';'
                        | ':'
                        | '?'
                        | '!'
                        | '>'
                        | '<'
                        | '='
                        | '≥'
                        | '≤'
                        | '≠'
                        | '"'
                        | '“'
                        | '”'
                        | '„'
                        | '«'
                        | '»'
                        | '`'
                )
        })
        .unwrap_or(rest.len());
    // A sign that nothing starts with, such as a lone `»`, is a word of its own.
    let end = if end == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { end };
    let trimmed = rest[..end].trim_end_matches('.');
    if trimmed.is_empty() { &rest[..end] } else { trimmed }
}

/// `name.ext`: an ending of up to ten letters and digits that starts with a letter.
pub fn has_ending(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(name, ending)| {
        !name.is_empty()
            && ending.len() <= 10
            && ending.starts_with(|c: char| c.is_ascii_alphabetic())
            && ending.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(goal: &str, files: &[&str]) -> Vec<(Kind, String)> {
        let files: Vec<_> =
            files.iter().map(|path| FileInfo { path: (*path).into(), size: 1, media_type: String::new() }).collect();
        tokens(goal, &files).expect("closed quotes").into_iter().map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn a_full_stop_ends_a_sentence_and_not_a_file_name() {
        let got = kinds("Read a.csv. price>=3.5, it’s 'don't', https://x.org/a?b=1.", &[]);
        let want = [
            (Kind::Word, "Read"),
            (Kind::File, "a.csv"),
            (Kind::Stop, "."),
            (Kind::Word, "price"),
            (Kind::Sign, ">="),
            (Kind::Word, "3.5"),
            (Kind::Comma, ","),
            (Kind::Word, "it’s"),
            (Kind::Quoted, "don't"),
            (Kind::Comma, ","),
            (Kind::Url, "https://x.org/a?b=1"),
            (Kind::Stop, "."),
        ];
        assert_eq!(got, want.map(|(kind, text)| (kind, text.to_string())));
    }

    #[test]
    fn a_given_path_may_hold_blanks_and_lack_an_ending() {
        let got = kinds("read my data (1).csv and LICENSE.", &["my data (1).csv", "LICENSE"]);
        assert_eq!(got[1], (Kind::File, "my data (1).csv".into()));
        assert_eq!(got[3], (Kind::File, "LICENSE".into()));
        assert!(tokens("say \"hello", &[]).is_err());
        assert_eq!(kinds("a » ”b", &[]).len(), 4);
    }
}

//! Random texts, and what is counted in them.

use super::random::Random;

const WORDS: &[&str] = &[
    "bees",
    "Honey",
    "it's",
    "don’t",
    "naïve",
    "Straße",
    "東京",
    "42",
    "3.14",
    "well-known",
    "x_y",
    "error",
    "Error",
    "—",
    "'quoted'",
    "émile",
    "{brace}",
    "a\\b",
    "tab\there",
    "warn:",
    "(see",
    "below)",
    "\"said\"",
];

/// A text of a few lines, with blank ones, in either kind of line ending.
pub fn text(random: &mut Random) -> String {
    let end = *random.pick(&["\n", "\n", "\r\n"]);
    let lines: Vec<String> = (0..random.below(9))
        .map(|_| {
            (0..random.below(7))
                .map(|_| *random.pick(WORDS))
                .collect::<Vec<_>>()
                .join(*random.pick(&[" ", " ", "  ", ". "]))
        })
        .collect();
    let last = if random.once_in(3) { "" } else { end };
    if lines.is_empty() { String::new() } else { lines.join(end) + last }
}

/// A short text for quotation marks: one line, no double quotes.
pub fn phrase(random: &mut Random) -> String {
    let words: Vec<&str> =
        (0..1 + random.below(5)).map(|_| *random.pick(WORDS)).filter(|word| !word.contains('"')).collect();
    if words.is_empty() { "plain words".into() } else { words.join(" ") }
}

/// The number of TEXT_ANALYSIS that this unit means.
pub fn count(unit: &str, text: &str) -> usize {
    match unit {
        "words" => words(text).len(),
        "unique words" => {
            let mut unique: Vec<String> =
                words(text).iter().map(|word| word.to_lowercase().replace('’', "'")).collect();
            unique.sort();
            unique.dedup();
            unique.len()
        }
        "lines" => text.lines().count(),
        "characters" => text.chars().count(),
        "characters without spaces" => text.chars().filter(|c| !c.is_whitespace()).count(),
        "paragraphs" => {
            let blank: Vec<bool> = text.lines().map(|line| line.trim().is_empty()).collect();
            (0..blank.len()).filter(|&at| !blank[at] && (at == 0 || blank[at - 1])).count()
        }
        other => panic!("no unit is called {other}"),
    }
}

/// Runs of letters and digits; an apostrophe with one of them on either side joins.
fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let letter = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric());
    let mut words = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let joins = matches!(c, '\'' | '’') && at > 0 && letter(at - 1) && letter(at + 1);
        if letter(at) || joins {
            words.last_mut().expect("never empty").push(*c);
        } else if !words.last().expect("never empty").is_empty() {
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Lines as they are handed over: each with a line feed.
pub fn unlines(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

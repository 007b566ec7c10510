//! TEXT_ANALYSIS: what can be said of a text by counting. The same text gives the same answer.

mod language;
mod text;

use crate::{Done, Failure, Run};
use language::Language;
use serde_json::{Value, json};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Sentences of a summary.
const SUMMARY: usize = 3;

pub fn run(run: &Run) -> Result<Done, Failure> {
    let text = run.text("text")?;
    let wanted = match run.inputs.get("keywords") {
        None | Some(Value::Null) => 10,
        Some(value) => value
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| Failure::input("`keywords` must be a whole number, how many are wanted"))?,
    };
    let words = text::folded_words(text);
    let sentences = text::sentences(text);
    let language = language::detect(&words);
    let lists = language.unwrap_or_else(language::english);
    let counts = meaningful(&words, lists);
    let score = round(lists.sentiment(&words), 2);
    Ok(Done::with([
        ("statistics", statistics(text, &words, sentences.len())),
        ("keywords", keywords(&counts, wanted)),
        ("sentiment", json!({"score": score, "label": label(score)})),
        ("language", language.map_or("und", |language| language.code).into()),
        ("readability", json!({"flesch": flesch(&words, sentences.len())})),
        ("summary", summary(&sentences, &counts).into()),
    ]))
}

fn statistics(text: &str, words: &[String], sentences: usize) -> Value {
    let letters: usize = words.iter().map(|word| word.chars().count()).sum();
    json!({
        "characters": text.chars().count(),
        "characters_no_spaces": text.chars().filter(|c| !c.is_whitespace()).count(),
        "words": words.len(),
        "lines": text.lines().count(),
        "sentences": sentences,
        "paragraphs": text::paragraphs(text).len(),
        "unique_words": words.iter().collect::<BTreeSet<_>>().len(),
        "average_word_length": round(letters as f64 / words.len().max(1) as f64, 2),
    })
}

/// How often each word occurs that says something: no stop words, single letters or numbers.
fn meaningful<'w>(words: &'w [String], lists: &Language) -> BTreeMap<&'w str, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        let says = word.chars().nth(1).is_some() && word.contains(char::is_alphabetic);
        if says && !lists.is_stop(word) {
            *counts.entry(word.as_str()).or_default() += 1;
        }
    }
    counts
}

fn keywords(counts: &BTreeMap<&str, usize>, wanted: usize) -> Value {
    let mut ranked: Vec<_> = counts.iter().collect();
    // The map is in alphabetical order, and the sort is stable.
    ranked.sort_by_key(|(_, count)| Reverse(**count));
    ranked.into_iter().take(wanted).map(|(word, count)| json!({"word": word, "count": count})).collect()
}

fn label(score: f64) -> &'static str {
    match score {
        s if s > 0.1 => "positive",
        s if s < -0.1 => "negative",
        _ => "neutral",
    }
}

/// Flesch reading ease after its English formula; a syllable is a run of vowels.
fn flesch(words: &[String], sentences: usize) -> Option<f64> {
    if words.is_empty() {
        return None;
    }
    let (count, sentences) = (words.len() as f64, sentences.max(1) as f64);
    let syllables: usize = words.iter().map(|word| syllables(word)).sum();
    Some(round(206.835 - 1.015 * count / sentences - 84.6 * syllables as f64 / count, 1))
}

fn syllables(word: &str) -> usize {
    let vowel = |c| "aeiouyäöüáàâãéèêëíìîïóòôõúùûœæ".contains(c);
    let mut count = 0;
    let mut before = false;
    for c in word.chars() {
        count += usize::from(vowel(c) && !before);
        before = vowel(c);
    }
    // The final e of an English word is mute.
    if count > 1 && word.ends_with('e') && !word.ends_with("le") {
        count -= 1;
    }
    count.max(1)
}

/// The sentences whose meaningful words are the text's most frequent ones, in the text's order.
fn summary(sentences: &[&str], counts: &BTreeMap<&str, usize>) -> String {
    let weight = |sentence: &str| {
        let words = text::folded_words(sentence);
        let sum: usize = words.iter().filter_map(|word| counts.get(word.as_str())).sum();
        sum as f64 / words.len().max(1) as f64
    };
    let mut ranked: Vec<(usize, f64)> = sentences.iter().map(|sentence| weight(sentence)).enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(SUMMARY);
    ranked.sort_by_key(|(at, _)| *at);
    let tidy = |at: usize| sentences[at].split_whitespace().collect::<Vec<_>>().join(" ");
    ranked.into_iter().map(|(at, _)| tidy(at)).collect::<Vec<_>>().join(" ")
}

fn round(number: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (number * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    fn analyse(inputs: Value) -> BTreeMap<String, Value> {
        let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
        run(&Run { inputs, ..Run::default() }).expect("any text can be analysed").outputs
    }

    #[test]
    fn counts_are_exact() {
        let out = analyse(json!({"text": "Grüße, Welt!\r\nIt's 5 o'clock.\n\n\nEnd"}));
        let expected = json!({
            "characters": 35, "characters_no_spaces": 27, "words": 6, "lines": 5, "sentences": 3,
            "paragraphs": 2, "unique_words": 6, "average_word_length": 4.0,
        });
        assert_eq!(out["statistics"], expected);
    }

    #[test]
    fn keywords_leave_out_what_says_nothing() {
        let out = analyse(json!({"text": "The cat and the dog, the Cat; 42 x dogs 42 bird", "keywords": 3}));
        assert_eq!(
            out["keywords"],
            json!([{"word": "cat", "count": 2}, {"word": "bird", "count": 1}, {"word": "dog", "count": 1}])
        );
        assert_eq!(analyse(json!({"text": "cat", "keywords": 0}))["keywords"], json!([]));
    }

    #[test]
    fn an_empty_text_is_a_text() {
        let out = analyse(json!({"text": ""}));
        assert_eq!(out["statistics"]["words"], 0);
        assert_eq!(out["statistics"]["average_word_length"], 0.0);
        assert_eq!(
            (&out["language"], &out["readability"], &out["summary"]),
            (&json!("und"), &json!({"flesch": null}), &json!(""))
        );
        assert_eq!(out["sentiment"], json!({"score": 0.0, "label": "neutral"}));
    }

    #[test]
    fn blame_is_told_from_praise() {
        let sentiment = |text: &str| analyse(json!({"text": text}))["sentiment"]["label"].clone();
        assert_eq!(sentiment("The service was terrible and the food was not good."), "negative");
        assert_eq!(sentiment("Das Essen war hervorragend und die Leute waren sehr freundlich."), "positive");
        assert_eq!(sentiment("The table has four legs."), "neutral");
    }

    #[test]
    fn a_summary_keeps_the_order_of_the_text() {
        let text = "Bees make honey. It rained. Honey bees fly far. We slept. Bees love flowers and bees\nlove honey.";
        let out = analyse(json!({"text": text}));
        assert_eq!(out["summary"], "Bees make honey. Honey bees fly far. Bees love flowers and bees love honey.");
    }

    #[test]
    fn simple_words_read_easier() {
        let flesch = |text: &str| analyse(json!({"text": text}))["readability"]["flesch"].as_f64().expect("a number");
        assert!(flesch("The cat sat on the mat.") > 100.0);
        assert!(flesch("Organisational interoperability necessitates comprehensive documentation.") < 0.0);
    }

    #[test]
    fn wrong_inputs_are_named() {
        for (inputs, message) in [
            (json!({}), "`text` is missing"),
            (json!({"text": 5}), "`text` must be a string"),
            (json!({"text": "", "keywords": -1}), "`keywords` must be a whole number, how many are wanted"),
        ] {
            let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
            let failure = run(&Run { inputs, ..Run::default() }).expect_err(message);
            assert_eq!((failure.class, failure.message.as_str()), (Class::InvalidInput, message));
        }
    }
}

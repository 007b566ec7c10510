//! What a language's short word lists tell: which language it is, which words carry no meaning of
//! their own, which are praise or blame.

use std::{collections::BTreeSet, sync::LazyLock};

/// The word lists of one language.
pub struct Language {
    /// ISO 639 code.
    pub code: &'static str,
    stop: BTreeSet<&'static str>,
    positive: BTreeSet<&'static str>,
    negative: BTreeSet<&'static str>,
    negation: BTreeSet<&'static str>,
}

static LANGUAGES: LazyLock<[Language; 7]> = LazyLock::new(|| {
    [
        Language::read("de", include_str!("words/de.txt")),
        Language::read("en", include_str!("words/en.txt")),
        Language::read("es", include_str!("words/es.txt")),
        Language::read("fr", include_str!("words/fr.txt")),
        Language::read("it", include_str!("words/it.txt")),
        Language::read("nl", include_str!("words/nl.txt")),
        Language::read("pt", include_str!("words/pt.txt")),
    ]
});

/// The language whose stop words stand out most among lower-case words; none when fewer than two
/// of them occur, fewer than one word in twelve, or two languages are level.
pub fn detect(words: &[String]) -> Option<&'static Language> {
    let mut found = [(0usize, 0.0f64); 7];
    for word in words {
        let knows: Vec<usize> = (0..found.len()).filter(|at| LANGUAGES[*at].is_stop(word)).collect();
        for at in &knows {
            found[*at].0 += 1;
            // A word that several languages share says less about each of them.
            found[*at].1 += 1.0 / knows.len() as f64;
        }
    }
    let mut ranked: Vec<_> = found.into_iter().zip(LANGUAGES.iter()).collect();
    ranked.sort_by(|((_, a), _), ((_, b), _)| b.total_cmp(a));
    let (((hits, best), language), ((_, second), _)) = (ranked[0], ranked[1]);
    (hits >= 2 && hits * 12 >= words.len() && best > second).then_some(language)
}

impl Language {
    fn read(code: &'static str, lists: &'static str) -> Self {
        let list = |name: &str| {
            let line = lists.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace().collect()
        };
        Self {
            code,
            stop: list("stop"),
            positive: list("positive"),
            negative: list("negative"),
            negation: list("negation"),
        }
    }

    pub fn is_stop(&self, word: &str) -> bool {
        self.stop.contains(word)
    }

    /// From −1 (all blame) to 1 (all praise), 0 without either. A negation turns the next three
    /// words around.
    pub fn sentiment(&self, words: &[String]) -> f64 {
        let (mut balance, mut found) = (0i64, 0i64);
        let mut negated_until = 0;
        for (at, word) in words.iter().enumerate() {
            let word = word.as_str();
            if self.negation.contains(word) {
                negated_until = at + 4;
                continue;
            }
            let weight = i64::from(self.positive.contains(word)) - i64::from(self.negative.contains(word));
            if weight != 0 {
                balance += if at < negated_until { -weight } else { weight };
                found += 1;
            }
        }
        if found == 0 { 0.0 } else { balance as f64 / found as f64 }
    }
}

/// English, whose lists stand in where the language can't be told.
pub fn english() -> &'static Language {
    LANGUAGES.iter().find(|language| language.code == "en").expect("it is in the table")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        super::super::text::folded_words(text)
    }

    #[test]
    fn each_language_is_told() {
        for (code, text) in [
            ("en", "The quick brown fox jumps over the lazy dog and runs into the woods."),
            ("de", "Der schnelle braune Fuchs springt über den faulen Hund und läuft in den Wald."),
            ("fr", "Le renard brun saute par-dessus le chien paresseux et court dans la forêt."),
            ("es", "El zorro marrón salta sobre el perro perezoso y corre hacia el bosque."),
            ("it", "La volpe marrone salta sopra il cane pigro e corre nel bosco con gli amici."),
            ("pt", "A raposa marrom salta sobre o cão preguiçoso e corre para a floresta."),
            ("nl", "De snelle bruine vos springt over de luie hond en rent naar het bos."),
        ] {
            assert_eq!(detect(&words(text)).map(|l| l.code), Some(code), "{text}");
        }
        for text in ["", "Hello world", "東京 大阪", "x1 y2 z3"] {
            assert!(detect(&words(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn lists_are_lower_case_and_no_word_is_praise_and_blame() {
        for language in LANGUAGES.iter() {
            for list in [&language.stop, &language.positive, &language.negative, &language.negation] {
                assert!(list.len() >= 4, "{}", language.code);
                assert!(list.iter().all(|word| word.to_lowercase() == **word), "{}", language.code);
            }
            assert!(language.positive.is_disjoint(&language.negative), "{}", language.code);
        }
    }

    #[test]
    fn negation_turns_praise_into_blame() {
        assert_eq!(english().sentiment(&words("good")), 1.0);
        assert_eq!(english().sentiment(&words("this is not a good idea")), -1.0);
        assert_eq!(english().sentiment(&words("not now, but tomorrow it will be good")), 1.0);
        assert_eq!(english().sentiment(&words("good, bad")), 0.0);
        assert_eq!(english().sentiment(&words("a table")), 0.0);
    }
}

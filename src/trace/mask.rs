//! Secrets are masked wherever they may come from: the values that this process knows, and whatever
//! has the form of a secret.

use std::fmt;

const MASK: &str = "[secret]";
/// Shorter values (bytes) would mask half of a text.
const SHORTEST: usize = 6;
/// Beginnings of the keys that providers give.
const KEYS: [&str; 5] = ["sk-", "sk_", "hf_", "AIza", "xai-"];
/// What names a variable whose value is a secret.
const NAMES: [&str; 5] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "SEED"];

/// Values that must not be told. Shown as how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// Those that are long enough, as they are and as JSON has them; the longest first, so that one
    /// that holds another goes whole.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let long = values.into_iter().map(|value| value.trim().to_string()).filter(|value| value.len() >= SHORTEST);
        // A text with quotes that is shown as Rust has it, in a line of JSON.
        let mut all: Vec<String> = long.flat_map(|value| [escaped(&escaped(&value)), escaped(&value), value]).collect();
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Self(all)
    }

    /// Does a variable of that name hold a secret?
    pub fn is_named(name: &str) -> bool {
        let last = name.rsplit('_').next().unwrap_or_default().to_ascii_uppercase();
        NAMES.contains(&last.as_str())
    }

    /// The text without them.
    pub fn mask(&self, text: String) -> String {
        let known = self.0.iter().fold(text, |text, secret| match text.contains(secret.as_str()) {
            true => text.replace(secret.as_str(), MASK),
            false => text,
        });
        by_form(&known)
    }
}

fn escaped(value: &str) -> String {
    let json = serde_json::to_string(value).expect("a text serialises");
    json[1..json.len() - 1].to_string()
}

/// Masks NKey seeds, keys of providers, what follows `Bearer` or `Basic`, passwords in addresses.
fn by_form(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut after_scheme) = (text, false);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        let token = &rest[..rest.find(|c: char| !is_word(c) && !is_token(c)).unwrap_or(rest.len())];
        if after_scheme && is_credential(token) {
            masked.push_str(MASK);
            rest = &rest[token.len()..];
        } else if is_seed(word) || (word.len() >= 16 && KEYS.iter().any(|key| word.starts_with(key))) {
            masked.push_str(MASK);
            rest = tail;
        } else {
            masked.push_str(word);
            rest = tail;
        }
        after_scheme = false;
        if let Some(authority) = rest.strip_prefix("://") {
            let end = authority.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\\' | '\''));
            masked.push_str("://");
            rest = authority;
            if let Some(at) = authority[..end.unwrap_or(authority.len())].rfind('@') {
                masked.push('…');
                rest = &authority[at..];
            }
        } else if let Some(c) = rest.chars().next() {
            after_scheme = c == ' ' && ["bearer", "basic"].contains(&word.to_ascii_lowercase().as_str());
            masked.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    masked
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// What credentials hold besides words.
fn is_token(c: char) -> bool {
    matches!(c, '.' | '/' | '+' | '=' | '~')
}

/// Not just a word of a sentence about bearers or basics.
fn is_credential(token: &str) -> bool {
    token.len() >= 8 && !token.bytes().all(|b| b.is_ascii_lowercase() || b == b'.')
}

fn is_seed(word: &str) -> bool {
    word.len() == 58
        && word.starts_with('S')
        && word.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_masked_whole_and_as_json_has_them() {
        let secrets = Secrets::new(["hunter2-hunter2".into(), "hunter2".into(), "with\"quote".into(), "tea".into()]);
        let masked = secrets.mask("a hunter2-hunter2, hunter2x, {\"k\": \"with\\\"quote\"}, tea".into());
        assert_eq!(masked, "a [secret], [secret]x, {\"k\": \"[secret]\"}, tea");
        assert_eq!(format!("{secrets:?}"), "5 secrets");
    }

    #[test]
    fn what_has_the_form_of_a_secret_is_masked() {
        let seed = nats::key::Seed::new();
        for (text, masked) in [
            (format!("seed {}.", seed.reveal()), "seed [secret]."),
            ("key=sk-proj-0123456789abcdef refused".into(), "key=[secret] refused"),
            ("\"Authorization: Bearer abc.def/ghi+jkl==\"".into(), "\"Authorization: Bearer [secret]\""),
            ("Authorization: basic dXNlcjpwYXNz".into(), "Authorization: basic [secret]"),
            ("nats://me:pass@host:4222/x and http://h/a@b".into(), "nats://…@host:4222/x and http://h/a@b"),
        ] {
            assert_eq!(Secrets::default().mask(text), masked);
        }
        for plain in [
            "the bearer is on the basic planning.",
            &seed.public(),
            "5f1b7c3a005f1b7c3a005f1b7c3a0000",
            "ünï ⏎ sk-8 ://",
        ] {
            assert_eq!(Secrets::default().mask(plain.to_string()), plain);
        }
    }

    #[test]
    fn variables_are_known_by_their_names() {
        assert!(["OPENAI_API_KEY", "GITHUB_TOKEN", "X_SECRET", "MONGO_PASSWORD"].into_iter().all(Secrets::is_named));
        assert!(!["PATH", "KEYBOARD", "STAGE7_DATA", "TOKENS_MAX"].into_iter().any(Secrets::is_named));
    }
}

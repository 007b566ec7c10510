//! The providers there are.

/// How a provider wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    /// llama.cpp's own `/completion`.
    LlamaCpp,
    /// Text Generation Inference's own `/generate`.
    Tgi,
}

/// A provider that this version can ask.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// In settings and in the log.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    pub dialect: Dialect,
    /// Its own address; where it has none, one must be set.
    pub url: Option<&'static str>,
    /// Where the dialect lies on a server that is named by its host alone.
    pub path: &'static str,
    /// Has a key in the environment: `{PREFIX}_API_KEY`. Its address is `{PREFIX}_API_URL`, else `{PREFIX}_URL`.
    pub has_key: bool,
}

const fn known(
    name: &'static str,
    title: &'static str,
    dialect: Dialect,
    url: Option<&'static str>,
    path: &'static str,
) -> Known {
    Known { name, title, dialect, url, path, has_key: true }
}

/// In the order in which they are asked where nothing else tells them apart.
pub static KNOWN: [Known; 8] = [
    known("openai", "OpenAI", Dialect::OpenAi, Some("https://api.openai.com/v1/"), "v1/"),
    known("anthropic", "Anthropic", Dialect::Anthropic, Some("https://api.anthropic.com/v1/"), "v1/"),
    known("gemini", "Gemini", Dialect::Gemini, Some("https://generativelanguage.googleapis.com/v1beta/"), "v1beta/"),
    known("huggingface", "Hugging Face", Dialect::OpenAi, Some("https://router.huggingface.co/v1/"), "v1/"),
    known("openrouter", "OpenRouter", Dialect::OpenAi, Some("https://openrouter.ai/api/v1/"), "api/v1/"),
    known("openwebui", "Open WebUI", Dialect::OpenAi, None, "api/"),
    Known { has_key: false, ..known("llamacpp", "llama.cpp", Dialect::LlamaCpp, None, "") },
    Known { has_key: false, ..known("tgi", "Text Generation Inference", Dialect::Tgi, None, "") },
];

impl Known {
    /// The provider of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }

    /// Is it asked there where its makers are?
    pub fn is_own(&self, base: &str) -> bool {
        self.url.is_some_and(|own| own == base)
    }

    /// The variable that turns it on.
    pub fn variable(&self) -> String {
        let prefix = self.name.to_uppercase();
        if self.has_key { format!("{prefix}_API_KEY") } else { format!("{prefix}_URL") }
    }

    /// A base URL as this dialect wants it: up to and including its path, with a slash at the end.
    pub fn base(&self, url: &str) -> String {
        let mut base = url.trim_end_matches('/').to_string();
        base.push('/');
        if base.matches('/').count() == 3 {
            base.push_str(self.path);
        }
        base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_gets_the_dialects() {
        for (name, url, base) in [
            ("openai", "http://host:8080", "http://host:8080/v1/"),
            ("openai", "http://host:8080/", "http://host:8080/v1/"),
            ("openai", "http://host/v1", "http://host/v1/"),
            ("openai", "http://host/other/v1/", "http://host/other/v1/"),
            ("gemini", "http://host", "http://host/v1beta/"),
            ("openwebui", "http://host:3000", "http://host:3000/api/"),
            ("llamacpp", "http://host:8080", "http://host:8080/"),
            ("tgi", "http://host/tgi", "http://host/tgi/"),
        ] {
            assert_eq!(Known::find(name).expect("known").base(url), base, "{name} {url}");
        }
    }
}

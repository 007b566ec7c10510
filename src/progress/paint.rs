//! Colours, where a person sees them.

use std::io::{self, IsTerminal};

/// Colours a text for a terminal; elsewhere, and where `NO_COLOR` is set, it stays as it is.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// For standard output.
    #[expect(clippy::disallowed_methods, reason = "NO_COLOR is the terminal's own setting, not ours")]
    pub fn stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        Self { on: !refused && io::stdout().is_terminal() }
    }

    pub fn good(&self, text: &str) -> String {
        self.with("32", text)
    }
    pub fn bad(&self, text: &str) -> String {
        self.with("31", text)
    }
    pub fn strong(&self, text: &str) -> String {
        self.with("1", text)
    }
    /// What was.
    pub fn before(&self, text: &str) -> String {
        self.with("33", text)
    }
    /// What is now.
    pub fn after(&self, text: &str) -> String {
        self.with("36", text)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.into() }
    }
}

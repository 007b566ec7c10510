//! Service logs. Whoever hosts workers writes a line of JSON for each event into the data directory,
//! and to standard error too unless a person reads its own lines there: as text on a terminal, as
//! JSON otherwise. Secrets are masked in every line.

mod file;
mod layer;
mod line;
mod mask;

pub use file::{dir, files, now};
pub use line::{Level, Line};
pub use mask::Secrets;

use crate::{config::Config, exit};
use std::io::{self, IsTerminal};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged when nobody says otherwise.
pub const DEFAULT: &str = "info,async_nats=warn";

/// Where lines go besides the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Standard error, for a person.
    Text,
    /// Standard error, for a program.
    Json,
    /// A command prints lines of its own there.
    None,
}

impl Screen {
    /// As standard error is.
    pub fn stderr() -> Self {
        if io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// From now on everything of this process is logged; once a process. `process` stands as the worker
/// where a line belongs to none.
///
/// # Errors
/// The filter is none.
pub fn begin(config: &Config, process: &str, screen: Screen) -> Result<(), exit::Error> {
    let filter = filter(config)?;
    let (file, trouble) = match file::Log::open(&dir(&config.data)) {
        Ok(file) => (Some(file), None),
        Err(error) => (None, Some(error)),
    };
    let lines = layer::Lines::new(process, screen, file, config.secrets.clone());
    // Whoever hosts again goes on as before.
    let begun = tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok();
    if begun {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // The command itself: whoever called it must see that, wherever lines go.
            if std::thread::current().name() == Some("main") {
                usual(panic);
            }
            let text = panic.payload_as_str().unwrap_or("without words");
            let at = panic.location().map(ToString::to_string);
            tracing::error!(at, "panicked: {text}");
        }));
        if let Some(error) = trouble {
            tracing::warn!(dir = %dir(&config.data).display(), %error, "no log is kept in the data directory");
        }
    }
    Ok(())
}

fn filter(config: &Config) -> Result<EnvFilter, exit::Error> {
    let wanted = &config.log;
    let filter = EnvFilter::builder()
        .parse(wanted)
        .map_err(|error| exit::Error::usage(format!("the log filter `{wanted}` (STAGE7_LOG): {error}")))?;
    // It logs what a provider answered, word for word, and some answer with the key that they refuse.
    Ok(filter.add_directive("genai=off".parse().expect("a directive")))
}

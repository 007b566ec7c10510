//! A new plugin: a folder that passes its own test.

use schemas::manifest::{Runtime, is_verb};
use std::{fs, io, path::Path};

/// Stands in the templates for the verb.
const NAME: &str = "@NAME@";

macro_rules! template {
    ($language:literal, $($file:literal),+) => {
        &[$(($file, include_str!(concat!("../template/", $language, "/", $file)))),+]
    };
}

const PYTHON: &[(&str, &str)] = template!("python", "plugin.toml", "main.py", "test_main.py", "README.md");
const JAVASCRIPT: &[(&str, &str)] = template!("javascript", "plugin.toml", "main.mjs", "main.test.mjs", "README.md");

/// Why there is no new plugin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`{0}` is no name of a verb: it is of capital letters, digits and `_`, as COUNT_WORDS, and at most 64 long"
    )]
    Name(String),
    #[error("a new plugin is of runtime python or javascript")]
    Runtime,
    #[error("{0} is there already")]
    Exists(String),
    #[error("{0} can't be written")]
    Io(String, #[source] io::Error),
}

/// Writes a plugin for the verb `name` into `folder`, which it makes.
///
/// # Errors
/// Nothing was overwritten.
pub fn write(name: &str, runtime: Runtime, folder: &Path) -> Result<(), Error> {
    if !is_verb(name) {
        return Err(Error::Name(name.into()));
    }
    let files = match runtime {
        Runtime::Python => PYTHON,
        Runtime::Javascript => JAVASCRIPT,
        _ => return Err(Error::Runtime),
    };
    let shown = || folder.display().to_string();
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(shown()),
        _ => Error::Io(shown(), error),
    })?;
    for (path, text) in files {
        let path = folder.join(path);
        fs::write(&path, text.replace(NAME, name)).map_err(|error| Error::Io(path.display().to_string(), error))?;
    }
    Ok(())
}

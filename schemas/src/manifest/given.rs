//! What a run is given beside its inputs: variables, secrets, settings.

use super::{ANY, Permissions, Runtime, Setting, is_verb};
use crate::fault::Fault;

/// What programs find set in any case.
const TAKEN: [&str; 5] = ["HOME", "LANG", "PATH", "PYTHONPATH", "SETTINGS"];
/// All of them fit into one variable.
const MOST_SETTINGS: usize = 30;

/// Is this a name for a secret: `UPPER_SNAKE`, as `API_KEY`?
pub fn is_secret(name: &str) -> bool {
    is_verb(name)
}

fn is_variable(name: &str) -> bool {
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    rest && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

pub(super) fn check(permissions: &Permissions, settings: &[Setting], runtime: Runtime) -> Vec<Fault> {
    let Permissions { env, secrets, .. } = permissions;
    let mut found = Vec::new();
    let mut wrong = |at: String, name: &str, why: &str| found.push(Fault::new(at, format!("`{name}` {why}")));
    for (i, name) in env.iter().enumerate() {
        let at = format!("/permissions/env/{i}");
        match name.as_str() {
            name if !is_variable(name) => wrong(at, name, "is no name of a variable: letters, digits and `_`"),
            name if TAKEN.contains(&name) => wrong(at, name, "is set already"),
            name if secrets.iter().any(|secret| secret == name) => wrong(at, name, "is a secret, too"),
            _ => {}
        }
    }
    for (i, name) in secrets.iter().enumerate() {
        let at = format!("/permissions/secrets/{i}");
        match name.as_str() {
            ANY if runtime == Runtime::Native => {}
            ANY => wrong(at, ANY, "is for runtime `native` only: name each secret"),
            name if !is_secret(name) => {
                wrong(at, name, "is no name of a secret: capital letters, digits and `_`, as API_KEY");
            }
            name if TAKEN.contains(&name) => wrong(at, name, "is set already, to what the sandbox makes of it"),
            _ => {}
        }
    }
    let mut names: Vec<_> = settings.iter().map(|setting| setting.name.as_str()).collect();
    names.sort_unstable();
    for twice in names.windows(2).filter(|two| two[0] == two[1]) {
        wrong("/settings".into(), twice[0], "is there twice");
    }
    if settings.len() > MOST_SETTINGS {
        found.push(Fault::new("/settings", format!("{MOST_SETTINGS} are the most")));
    }
    let each = settings.iter().enumerate();
    found.extend(each.flat_map(|(i, setting)| setting.check(&format!("/settings/{i}"))));
    found
}

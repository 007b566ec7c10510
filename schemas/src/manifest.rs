//! The plugin manifest (`plugin.toml`): a verb's interface, how its code runs, and what it may do.

use crate::{
    catalogue::{self, Runner, Verb},
    fault::Fault,
    value::{Value, is_safe_path},
};
use jsonschema::{Validator, error::ValidationErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::LazyLock};

mod given;
mod setting;

pub use given::is_secret;
pub use setting::{Setting, SettingKind, is_setting};

/// One version of one plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The verb: `UPPER_SNAKE`.
    #[schemars(regex(pattern = r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$"), length(max = 64))]
    pub name: String,
    /// Semantic version.
    #[schemars(regex(
        pattern = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
    ))]
    pub version: String,
    /// What the verb does, for people and planners.
    #[schemars(length(min = 1, max = 2000))]
    pub description: String,
    /// Who made it.
    #[schemars(length(min = 1, max = 200))]
    pub publisher: String,
    pub runtime: Runtime,
    /// The file that a code runtime starts, relative to the plugin's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Native only: it runs what a person or a model wrote (queries), so each run gets a process
    /// of its own in which `limits` can be enforced.
    #[serde(default)]
    pub own_process: bool,
    /// JSON Schema (an object schema) of the inputs.
    pub input: Value,
    /// JSON Schema (an object schema) of the outputs.
    pub output: Value,
    /// Inputs whose braces are never replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub literal: Vec<String>,
    /// Roles that fit, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Runs have no side effects.
    #[serde(default)]
    pub pure: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
    /// What a tenant may choose once for all runs, in the order of a form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
    #[serde(default)]
    pub permissions: Permissions,
    #[serde(default)]
    pub limits: Limits,
}

/// How a plugin's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Runtime {
    /// Compiled into the binary.
    Native,
    /// A Python program in the sandbox.
    Python,
    /// A program for Node in the sandbox.
    Javascript,
    /// The agent itself; the manifest is the interface only.
    Agent,
}

/// Is this a name for a verb: `UPPER_SNAKE`, at most 64 long?
pub fn is_verb(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.split('_').all(part)
}

impl Runtime {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Python => "python",
            Self::Javascript => "javascript",
            Self::Agent => "agent",
        }
    }
}

/// One run: what goes in and what comes out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    pub description: String,
    /// Text files in the mission's folder, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    pub inputs: Value,
    pub outputs: Value,
}

/// What a run may touch beyond its inputs; nothing when absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// Hosts it may talk to, over TCP: `api.example.org` (ports 443 and 80), `db.example.org:5432`. A name that
    /// leads to an address of the machine or its network is refused, but for `localhost:PORT`. `*`, for runtime
    /// `native` only: any public host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<String>,
    /// Environment variables it may see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Secrets it is given, by name. `*`, for runtime `native` only: all that it was granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    pub files: Files,
}

/// What a run does with the mission's folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Inputs that hold the path of a file it reads.
    pub read: Vec<String>,
    /// It may read every file.
    pub read_all: bool,
    /// It may write and remove files.
    pub write: bool,
    /// Outputs that hold the paths of files it wrote (a string, or a list of strings or of objects
    /// with `path`); other files that it leaves behind are thrown away.
    pub written: Vec<String>,
}

/// Where a run is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Wall-clock seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub seconds: u32,
    /// Address space of each process, MiB.
    #[schemars(range(min = 32, max = 65_536))]
    pub memory_mb: u32,
    /// Processes and threads.
    #[schemars(range(min = 1, max = 1024))]
    pub processes: u32,
    /// Its answer and each file it writes, KiB.
    #[schemars(range(min = 1, max = 262_144))]
    pub output_kb: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { seconds: 60, memory_mb: 512, processes: 16, output_kb: 16_384 }
    }
}

/// The manifest's own JSON Schema, and the same compiled.
static SCHEMA: LazyLock<(Value, Validator)> = LazyLock::new(|| {
    let schema = schemars::schema_for!(Manifest).to_value();
    let compiled = jsonschema::validator_for(&schema).expect("a derived schema is a schema");
    (schema, compiled)
});

impl Manifest {
    /// Reads a manifest that was parsed to JSON.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Fault>> {
        let (schema, compiled) = &*SCHEMA;
        let mut shape = faults(compiled, value, "");
        if !shape.is_empty() {
            for fault in &mut shape {
                let parent = fault.at.rsplit_once('/').map_or("", |(parent, _)| parent);
                let wrong = value.pointer(&fault.at).filter(|value| value.is_string());
                match (FORMS.iter().find(|(at, _)| *at == fault.at), wrong) {
                    (Some((_, form)), Some(wrong)) => fault.message = format!("{wrong} is no {form}"),
                    _ if fault.message == UNKNOWN => {
                        fault.message = format!("{UNKNOWN}; known are {}", fields(schema, parent).join(", "));
                    }
                    _ => {}
                }
            }
            return Err(shape);
        }
        let manifest: Self = serde_json::from_value(value.clone()).map_err(|e| vec![Fault::new("", e.to_string())])?;
        let faults = manifest.check();
        if faults.is_empty() { Ok(manifest) } else { Err(faults) }
    }

    /// The interface half, as planners and agents see it.
    pub fn verb(&self) -> Verb {
        let files = &self.permissions.files;
        let touches = *files != Files::default();
        Verb {
            name: self.name.clone(),
            version: self.version.clone(),
            description: self.description.clone(),
            input: self.input.clone(),
            output: self.output.clone(),
            runner: if self.runtime == Runtime::Agent { Runner::Agent } else { Runner::Capability },
            runtime: self.runtime.as_str().into(),
            literal: self.literal.clone(),
            files: touches.then(|| catalogue::Files {
                read: files.read.clone(),
                read_all: files.read_all,
                write: files.write,
            }),
            roles: self.roles.clone(),
            pure: self.pure,
        }
    }

    /// What no schema can say.
    fn check(&self) -> Vec<Fault> {
        let mut found = Vec::new();
        let input = interface(&self.input, "/input", &mut found);
        let output = interface(&self.output, "/output", &mut found);
        for (at, names, schema) in [
            ("/literal", &self.literal, &self.input),
            ("/permissions/files/read", &self.permissions.files.read, &self.input),
            ("/permissions/files/written", &self.permissions.files.written, &self.output),
        ] {
            for (i, name) in names.iter().enumerate() {
                if schema.pointer("/properties").and_then(|p| p.get(name)).is_none() {
                    let side = if at.ends_with("written") { "output" } else { "input" };
                    found.push(Fault::new(
                        format!("{at}/{i}"),
                        format!("`{name}` is not among the properties of `{side}`"),
                    ));
                }
            }
        }
        let network = &self.permissions.network;
        let is_any = |name: &String| name == ANY && self.runtime == Runtime::Native;
        for (i, host) in network.iter().enumerate().filter(|(_, host)| !is_host(host) && !is_any(host)) {
            let right = "name it in full and in lower case, as api.example.org or db.example.org:5432; of the machine itself only localhost:PORT can be granted";
            found.push(Fault::new(format!("/permissions/network/{i}"), format!("`{host}` is no host: {right}")));
        }
        if network.len() > MOST_HOSTS {
            found.push(Fault::new("/permissions/network", format!("{MOST_HOSTS} hosts are the most")));
        }
        if !self.permissions.files.written.is_empty() && !self.permissions.files.write {
            found.push(Fault::new("/permissions/files/written", "needs `write = true`"));
        }
        match (&self.entry, self.runtime) {
            (None, Runtime::Python | Runtime::Javascript) => {
                found.push(Fault::new("/entry", "the file to start is missing"))
            }
            (Some(_), Runtime::Native | Runtime::Agent) => {
                found.push(Fault::new("/entry", format!("runtime `{}` starts no file", self.runtime.as_str())));
            }
            (Some(entry), _) if !is_safe_path(entry) => {
                found
                    .push(Fault::new("/entry", format!("`{entry}` is not a relative path inside the plugin's folder")));
            }
            _ => {}
        }
        found.extend(given::check(&self.permissions, &self.settings, self.runtime));
        if self.own_process && self.runtime != Runtime::Native {
            found.push(Fault::new("/own_process", "is for runtime `native` only: others always have their own"));
        }
        if self.own_process && self.permissions != Permissions::default() {
            found.push(Fault::new("/own_process", "such a run is granted no permissions"));
        }
        for (i, example) in self.examples.iter().enumerate() {
            for (side, schema, value) in [("inputs", &input, &example.inputs), ("outputs", &output, &example.outputs)] {
                if let Some(schema) = schema {
                    found.extend(faults(schema, value, &format!("/examples/{i}/{side}")));
                }
            }
        }
        found
    }
}

/// What texts must look like, in words rather than as an expression.
const FORMS: [(&str, &str); 2] = [
    ("/name", "name of a verb: capital letters, digits and `_`, as COUNT_WORDS, at most 64 long"),
    ("/version", "semantic version, as 1.0.0"),
];

/// What is said of a field that a schema does not have.
const UNKNOWN: &str = "there is no such field";

/// Everything in which a value differs from a schema; places are prefixed with `at`.
pub fn faults(schema: &Validator, value: &Value, at: &str) -> Vec<Fault> {
    let of = |error: jsonschema::ValidationError| {
        let at = format!("{at}{}", error.instance_path());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                unexpected.iter().map(|name| Fault::new(format!("{at}/{}", escaped(name)), UNKNOWN)).collect()
            }
            _ => vec![Fault::new(at, error.to_string())],
        }
    };
    schema.iter_errors(value).flat_map(of).collect()
}

/// A name as part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The fields that a derived schema knows at a place of what it describes.
fn fields<'s>(schema: &'s Value, at: &str) -> Vec<&'s str> {
    let resolved = |mut part: &'s Value| {
        while let Some(to) = part.get("$ref").and_then(Value::as_str) {
            part = schema.pointer(to.trim_start_matches('#')).unwrap_or(&Value::Null);
        }
        part
    };
    let mut part = schema;
    for token in at.split('/').skip(1) {
        let next = part.get("properties").and_then(|all| all.get(token)).or_else(|| part.get("items"));
        part = resolved(next.unwrap_or(&Value::Null));
    }
    let known = part.get("properties").and_then(Value::as_object);
    let mut known: Vec<_> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    known.sort_unstable();
    known
}

/// In permissions of native plugins: any host, all secrets that it was granted.
pub const ANY: &str = "*";

/// Hosts that one plugin may talk to.
const MOST_HOSTS: usize = 200;

/// `host` or `host:port`; addresses and wildcards are none.
pub fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|n| n > 0) && !port.starts_with(['0', '+']);
    let is_label = |label: &str| {
        let inner = label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = host.len() <= 253 && host.contains('.') && host.split('.').all(is_label);
    let is_address = host.split('.').next_back().is_some_and(|label| label.chars().all(|c| c.is_ascii_digit()));
    port.is_none_or(is_port) && (host == "localhost" && port.is_some() || is_name && !is_address)
}

/// Compiles one side of the interface, or says what is wrong with it.
fn interface(schema: &Value, at: &str, found: &mut Vec<Fault>) -> Option<Validator> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        found.push(Fault::new(format!("{at}/type"), "must be \"object\""));
    }
    if let Err(e) = jsonschema::meta::validate(schema) {
        found.push(Fault::new(format!("{at}{}", e.instance_path()), format!("is not JSON Schema: {e}")));
        return None;
    }
    // Compiling finds what the meta-schema can't: references that lead nowhere, or outside.
    jsonschema::validator_for(schema).map_err(|e| found.push(Fault::new(at, e.to_string()))).ok()
}

#[cfg(test)]
mod tests;

//! The plugin manifest (`plugin.toml`): a verb's interface, how its code runs, and what it may do.

use crate::{
    catalogue::{self, Runner, Verb},
    fault::Fault,
    value::{Value, is_safe_path},
};
use jsonschema::Validator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::LazyLock};

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
    /// The agent itself; the manifest is the interface only.
    Agent,
}

impl Runtime {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Python => "python",
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
    /// Hosts it may talk to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<String>,
    /// Environment variables it may see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Secrets it is given, by name.
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

/// The manifest's own JSON Schema, compiled once.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::validator_for(schemars::schema_for!(Manifest).as_value()).expect("a derived schema is a schema")
});

impl Manifest {
    /// Reads a manifest that was parsed to JSON.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Fault>> {
        let shape = faults(&SCHEMA, value, "");
        if !shape.is_empty() {
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
        if !self.permissions.files.written.is_empty() && !self.permissions.files.write {
            found.push(Fault::new("/permissions/files/written", "needs `write = true`"));
        }
        match (&self.entry, self.runtime) {
            (None, Runtime::Python) => found.push(Fault::new("/entry", "the file to start is missing")),
            (Some(_), Runtime::Native | Runtime::Agent) => {
                found.push(Fault::new("/entry", format!("runtime `{}` starts no file", self.runtime.as_str())));
            }
            (Some(entry), _) if !is_safe_path(entry) => {
                found
                    .push(Fault::new("/entry", format!("`{entry}` is not a relative path inside the plugin's folder")));
            }
            _ => {}
        }
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

/// Everything in which a value differs from a schema; places are prefixed with `at`.
pub fn faults(schema: &Validator, value: &Value, at: &str) -> Vec<Fault> {
    schema.iter_errors(value).map(|e| Fault::new(format!("{at}{}", e.instance_path()), e.to_string())).collect()
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
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "name": "COUNT_WORDS", "version": "1.0.0", "description": "Counts.", "publisher": "stage7",
            "runtime": "python", "entry": "main.py", "literal": ["text"],
            "input": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
            "output": {"type": "object", "properties": {"words": {"type": "integer"}}},
            "examples": [{"description": "one", "inputs": {"text": "a"}, "outputs": {"words": 1}}],
        })
    }

    #[test]
    fn a_manifest_becomes_a_verb() {
        let manifest = Manifest::from_value(&good()).expect("nothing is wrong with it");
        assert_eq!(manifest.limits, Limits::default());
        let verb = manifest.verb();
        assert_eq!((verb.runner, verb.runtime.as_str(), verb.files), (Runner::Capability, "python", None));
        let agent = Manifest { runtime: Runtime::Agent, ..manifest };
        assert_eq!(agent.verb().runner, Runner::Agent);
    }

    #[test]
    fn every_fault_has_its_place() {
        let cases: &[(&str, Value, &str)] = &[
            ("/name", json!("count words"), "/name"),
            ("/version", json!("1.0"), "/version"),
            ("/version", json!("01.0.0"), "/version"),
            ("/description", json!(7), "/description"),
            ("/runtime", json!("perl"), "/runtime"),
            ("/surprise", json!(1), ""),
            ("/entry", Value::Null, "/entry"),
            ("/entry", json!("../main.py"), "/entry"),
            ("/runtime", json!("native"), "/entry"),
            ("/own_process", json!(true), "/own_process"),
            ("/literal", json!(["txt"]), "/literal/0"),
            ("/limits", json!({"seconds": 0}), "/limits/seconds"),
            ("/permissions", json!({"files": {"read": ["path"]}}), "/permissions/files/read/0"),
            ("/permissions", json!({"files": {"written": ["words"]}}), "/permissions/files/written"),
            ("/input", json!({"type": "string"}), "/input/type"),
            ("/input/properties/text/type", json!("strin"), "/input/properties/text/type"),
            ("/output", json!({"type": "object", "$ref": "http://example.org/x.json"}), "/output"),
            ("/examples/0/outputs", json!({"words": "one"}), "/examples/0/outputs/words"),
        ];
        for (set, to, at) in cases {
            let mut value = good();
            let (parent, key) = set.rsplit_once('/').expect("a pointer");
            value
                .pointer_mut(parent)
                .expect("it is there")
                .as_object_mut()
                .expect("an object")
                .insert(key.into(), to.clone());
            let found = Manifest::from_value(&value).expect_err(set);
            assert!(found.iter().any(|f| f.at == *at), "{set} = {to}: {found:?}");
        }
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let mut value = good();
        value["name"] = json!("x");
        value["version"] = json!("y");
        value["runtime"] = json!("z");
        let found = Manifest::from_value(&value).expect_err("three things are wrong");
        let mut at: Vec<_> = found.iter().map(|f| f.at.as_str()).collect();
        at.sort_unstable();
        assert_eq!(at, ["/name", "/runtime", "/version"]);
    }
}

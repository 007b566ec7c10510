//! A plugin that was found and understood: manifest, compiled schemas, code.

use crate::{
    environment,
    manifest::{self, Located, Source},
};
use jsonschema::Validator;
use plugins::Shipped;
use schemas::{
    Fault,
    catalogue::{default, defaults},
    manifest::{Manifest, Runtime},
    value::{Value, Values, sha256},
};

/// One version of one plugin, ready to be run.
#[derive(Debug)]
pub struct Plugin {
    pub manifest: Manifest,
    /// Compiled `manifest.input` and `manifest.output`.
    pub(crate) input: Validator,
    pub(crate) output: Validator,
    pub(crate) code: Code,
    /// SHA-256 of the text of its `plugin.toml`.
    text: String,
}

/// Files by path inside the plugin's folder.
pub type Files = Vec<(String, Vec<u8>)>;

/// What there is to run.
#[derive(Debug, Clone)]
pub(crate) enum Code {
    Native(plugins::Native),
    Files(Files),
    /// The agent does it.
    Interface,
}

impl Plugin {
    /// Makes a plugin of its `plugin.toml` and the other files of its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn new(manifest: &str, files: Files) -> Result<Self, Vec<Located>> {
        let source = Source::new(manifest)?;
        Self::of(source.manifest()?, sha256(manifest.as_bytes()), files).map_err(|faults| source.locate(faults))
    }

    fn of(manifest: Manifest, text: String, files: Files) -> Result<Self, Vec<Fault>> {
        let code = match manifest.runtime {
            Runtime::Agent => Code::Interface,
            Runtime::Native => plugins::native(&manifest.name).map(Code::Native).ok_or_else(|| {
                vec![Fault::new("/runtime", format!("this binary holds no code for `{}`", manifest.name))]
            })?,
            _ => {
                let entry = manifest.entry.as_deref().unwrap_or_default();
                let mut faults = Vec::new();
                if !files.iter().any(|(path, _)| path == entry) {
                    faults.push(Fault::new("/entry", format!("there is no file `{entry}`")));
                }
                if manifest.runtime == Runtime::Python {
                    faults.extend(environment::faults(&files));
                }
                if !faults.is_empty() {
                    return Err(faults);
                }
                Code::Files(files)
            }
        };
        let compile =
            |schema, at: &str| jsonschema::validator_for(schema).map_err(|e| vec![Fault::new(at, e.to_string())]);
        let (input, output) = (compile(&manifest.input, "/input")?, compile(&manifest.output, "/output")?);
        Ok(Self { manifest, input, output, code, text })
    }

    /// Does it run in the binary, without a sandbox?
    pub fn is_native(&self) -> bool {
        matches!(self.code, Code::Native(_))
    }

    /// Does the agent do it, rather than this worker?
    pub fn is_agents(&self) -> bool {
        matches!(self.code, Code::Interface)
    }

    /// What it is, to the byte, as text: its manifest in canonical form, and every file, each by its
    /// SHA-256. This is what is signed.
    pub fn statement(&self) -> String {
        let manifest = serde_json::to_value(&self.manifest).expect("a manifest is plain data");
        let mut all = format!("stage7 plugin 1\nmanifest {}\n", sha256(canonical(&manifest).as_bytes()));
        let mut files = vec![(manifest::FILE, self.text.clone())];
        if let Code::Files(code) = &self.code {
            files.extend(code.iter().map(|(path, bytes)| (path.as_str(), sha256(bytes))));
        }
        files.sort_unstable();
        files.iter().for_each(|(path, hash)| all.push_str(&format!("file {hash} {path}\n")));
        all
    }

    /// SHA-256 of its statement, lower-case hex: one name for one plugin, to the byte.
    pub fn digest(&self) -> String {
        sha256(self.statement().as_bytes())
    }

    /// May a run with these inputs read this file?
    pub fn may_read(&self, inputs: &Values, path: &str) -> bool {
        let files = &self.manifest.permissions.files;
        let given = |name: &String| inputs.get(name).or_else(|| default(&self.manifest.input, name));
        files.read_all || files.read.iter().any(|name| given(name).and_then(Value::as_str) == Some(path))
    }

    /// Puts defaults where inputs are absent.
    pub(crate) fn fill(&self, inputs: &mut Values) {
        for (name, value) in defaults(&self.manifest.input) {
            inputs.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// JSON with the names of every object in order, and no spaces.
fn canonical(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| name.as_str());
            let field =
                |(name, value): &(&String, &Value)| format!("{}:{}", Value::from(name.as_str()), canonical(value));
            format!("{{{}}}", joined(fields.iter().map(field).collect()))
        }
        Value::Array(items) => format!("[{}]", joined(items.iter().map(canonical).collect())),
        _ => value.to_string(),
    }
}

/// The plugins in the binary.
pub fn shipped() -> Vec<Plugin> {
    let plugin = |shipped: &Shipped| {
        let files = shipped.files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        Plugin::new(shipped.manifest, files)
    };
    let all: Result<Vec<Plugin>, _> = plugins::SHIPPED.iter().map(plugin).collect();
    all.expect("a test reads every shipped manifest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_manifest_is_without_fault() {
        assert_eq!(super::shipped().len(), plugins::SHIPPED.len());
    }

    #[test]
    fn the_order_of_properties_is_kept() {
        let file_ops = super::shipped().into_iter().find(|p| p.manifest.name == "FILE_OPS").expect("it is shipped");
        let properties = file_ops.manifest.input["properties"].as_object().expect("an object");
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["operation", "path", "content", "to"]);
    }

    #[test]
    fn code_that_is_missing_is_named() {
        let python = plugins::SHIPPED.iter().find(|s| s.folder == "word-frequency").expect("it is shipped");
        let faults = Plugin::new(python.manifest, Vec::new()).expect_err("no code");
        assert_eq!(faults[0].to_string(), "plugin.toml:6:1: /entry: there is no file `main.py`");
        let native = python.manifest.replace("\"python\"", "\"native\"").replace("entry = \"main.py\"", "");
        let faults = Plugin::new(&native, Vec::new()).expect_err("no code");
        assert_eq!(faults[0].fault.at, "/runtime");
    }
}

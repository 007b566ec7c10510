//! The table of what is in the binary.

/// A shipped plugin's folder.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// The folder's name.
    pub folder: &'static str,
    /// `plugin.toml`.
    pub manifest: &'static str,
    /// Every other file a run or a reader needs, by path inside the folder.
    pub files: &'static [(&'static str, &'static [u8])],
}

macro_rules! shipped {
    ($folder:literal: $($file:literal),*) => {
        Shipped {
            folder: $folder,
            manifest: include_str!(concat!($folder, "/plugin.toml")),
            files: &[$(($file, include_bytes!(concat!($folder, "/", $file)))),*],
        }
    };
}

/// All of them, by folder name.
pub const SHIPPED: &[Shipped] = &[
    shipped!("accomplish": "README.md"),
    shipped!("api-client": "README.md"),
    shipped!("ask-user-question": "README.md"),
    shipped!("chat": "README.md"),
    shipped!("code-executor": "README.md", "main.py"),
    shipped!("data-toolkit": "README.md"),
    shipped!("file-ops": "README.md"),
    shipped!("generate": "README.md"),
    shipped!("get-user-input": "README.md"),
    shipped!("scrape": "README.md"),
    shipped!("search": "README.md"),
    shipped!("task-manager": "README.md"),
    shipped!("text-analysis": "README.md"),
    shipped!("think": "README.md"),
    shipped!("transform": "README.md"),
    shipped!("weather": "README.md"),
    shipped!("word-frequency": "README.md", "main.py"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, Native, Run, native};
    use serde_json::Value;
    use std::collections::BTreeMap;

    fn manifest(plugin: &Shipped) -> Value {
        toml::from_str(plugin.manifest).unwrap_or_else(|e| panic!("{}: {e}", plugin.folder))
    }

    fn fits(schema: &Value, value: &Value, what: &str) {
        if let Err(e) = jsonschema::validate(schema, value) {
            panic!("{what}: {}: {e}", e.instance_path());
        }
    }

    #[test]
    fn the_table_holds_every_folder() {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders: Vec<String> = here
            .read_dir()
            .expect("the crate's folder")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.join("plugin.toml").exists())
            .map(|path| path.file_name().expect("named").to_string_lossy().into_owned())
            .collect();
        folders.sort();
        assert_eq!(folders, SHIPPED.iter().map(|s| s.folder).collect::<Vec<_>>());
    }

    #[test]
    fn a_folder_is_named_as_its_verb() {
        for plugin in SHIPPED {
            assert_eq!(manifest(plugin)["name"], plugin.folder.replace('-', "_").to_uppercase());
        }
    }

    #[test]
    fn native_manifests_have_code_and_nobody_else_has() {
        for plugin in SHIPPED {
            let manifest = manifest(plugin);
            let verb = manifest["name"].as_str().expect("a name");
            assert_eq!(native(verb).is_some(), manifest["runtime"] == "native", "{verb}");
        }
    }

    #[test]
    fn what_asks_the_internet_is_not_pure_and_says_whom() {
        for plugin in SHIPPED {
            let manifest = manifest(plugin);
            let is_online = matches!(native(manifest["name"].as_str().expect("a name")), Some(Native::Online(_)));
            let hosts = manifest.pointer("/permissions/network").and_then(Value::as_array).map_or(0, Vec::len);
            assert_eq!(is_online, hosts > 0, "{}", plugin.folder);
            assert!(!is_online || manifest.get("pure").is_none(), "{}", plugin.folder);
        }
    }

    #[test]
    fn code_and_manifest_know_the_same_defaults() {
        for (folder, defaults) in [("search", crate::search::DEFAULTS), ("weather", crate::weather::DEFAULTS)] {
            let plugin = SHIPPED.iter().find(|plugin| plugin.folder == folder).expect("it is shipped");
            let manifest = manifest(plugin);
            let settings = manifest["settings"].as_array().expect("settings").iter();
            let mut stated: Vec<_> =
                settings.filter_map(|one| Some((one["name"].as_str()?, one.get("default")?.as_str()?))).collect();
            let mut known = defaults.to_vec();
            stated.sort_unstable();
            known.sort_unstable();
            assert_eq!(stated, known, "{folder}");
        }
    }

    #[test]
    fn examples_fit_their_schemas_and_those_of_code_that_computes_come_true() {
        for plugin in SHIPPED {
            let manifest = manifest(plugin);
            let verb = manifest["name"].as_str().expect("a name");
            let examples = manifest["examples"].as_array().expect("every plugin has examples");
            for example in examples {
                let what = format!("{verb}: {}", example["description"]);
                fits(&manifest["input"], &example["inputs"], &what);
                fits(&manifest["output"], &example["outputs"], &what);
                // What asks the internet is tried against servers of its own: tests/it.
                if let Some(code) = native(verb).and_then(Native::plain) {
                    let done = code(&run_of(example)).unwrap_or_else(|e| panic!("{what}: {e}"));
                    let outputs: Value = done.outputs.into_iter().collect::<serde_json::Map<_, _>>().into();
                    assert_eq!(outputs, example["outputs"], "{what}");
                }
            }
        }
    }

    fn run_of(example: &Value) -> Run {
        let object = |value: &Value| value.as_object().cloned().unwrap_or_default().into_iter();
        let file = |text: &str, path: &str| File {
            size: text.len() as u64,
            media_type: if path.ends_with(".csv") { "text/csv; charset=utf-8" } else { "text/plain; charset=utf-8" }
                .into(),
            bytes: Some(text.into()),
            ..File::default()
        };
        Run {
            inputs: object(&example["inputs"]).collect(),
            files: object(&example["files"])
                .map(|(path, text)| {
                    let file = file(text.as_str().expect("text"), &path);
                    (path, file)
                })
                .collect::<BTreeMap<_, _>>(),
            ..Run::default()
        }
    }

    #[test]
    fn python_plugins_pass_their_own_tests() {
        for plugin in SHIPPED.iter().filter(|p| manifest(p)["runtime"] == "python") {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(plugin.folder);
            let out = std::process::Command::new("python3")
                .args(["-B", "-m", "unittest", "-q"])
                .current_dir(folder)
                .output()
                .expect("python3 is there");
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success() && said.contains("Ran ") && !said.contains("Ran 0 "), "{said}");
        }
    }
}

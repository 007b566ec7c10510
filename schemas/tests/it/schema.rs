//! `json/`: one JSON Schema per word, and those of plans, goals, catalogues and manifests.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use schemas::{
    Value, catalogue::Catalogue, fact::WORDS, goal::Goal, manifest::Manifest, plan::Plan, value::json_bytes,
};
use serde_json::{Map, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("json")
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// A derived schema under its public name: `$schema`, `$id` and `title` first.
fn named(name: &str, schema: &Schema) -> Value {
    let Value::Object(derived) = schema.as_value() else { panic!("the schema of {name} is an object") };
    let mut all: Map<String, Value> = Map::new();
    all.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    all.insert("$id".into(), json!(format!("urn:stage7:schema:{name}")));
    all.insert("title".into(), json!(name));
    for (key, value) in derived.iter().filter(|(key, _)| !matches!(key.as_str(), "$schema" | "title")) {
        all.insert(key.clone(), value.clone());
    }
    Value::Object(all)
}

/// Every generated schema by its name, which is its file's without `.json`.
pub fn documents() -> BTreeMap<String, Value> {
    let words = WORDS.iter().map(|word| (format!("{}.v1", word.kind), (word.schema)()));
    let others = [
        ("plan", of::<Plan>()),
        ("goal", of::<Goal>()),
        ("catalogue", of::<Catalogue>()),
        ("manifest", of::<Manifest>()),
    ];
    let all = words.chain(others.map(|(name, schema)| (name.to_string(), schema)));
    all.map(|(name, schema)| {
        let document = named(&name, &schema);
        (name, document)
    })
    .collect()
}

#[test]
fn the_checked_in_schemas_are_those_of_the_types() {
    let documents = documents();
    for (name, document) in &documents {
        let path = folder().join(format!("{name}.json"));
        let bytes = json_bytes(document);
        if crate::regenerate() {
            fs::write(&path, bytes).unwrap();
        } else {
            let found = fs::read(&path).unwrap_or_default();
            assert!(found == bytes, "{} is stale: run `STAGE7_REGENERATE=1 cargo test -p schemas`", path.display());
        }
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name.strip_suffix(".json").is_some_and(|name| documents.contains_key(name)),
            "{} belongs to no word: old words keep their row in the table",
            path.display(),
        );
    }
}

#[test]
fn every_schema_is_a_schema_and_takes_no_bare_text() {
    for (name, document) in documents() {
        jsonschema::meta::validate(&document).unwrap_or_else(|why| panic!("{name}: {why}"));
        let validator = jsonschema::validator_for(&document).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(!validator.is_valid(&json!("text")), "{name}");
    }
}

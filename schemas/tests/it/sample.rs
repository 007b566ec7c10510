//! `samples/{noun}.{verb}.v1[.{variant}].json`: the data of events as they lie in somebody's log.
//!
//! Append-only: a sample that a new version can't read is an event that it can't read. A field added
//! later is absent in them, so it must be skipped when it is absent.

use crate::schema::documents;
use schemas::{
    Event, EventId, Fact, MissionId, Time, Value,
    event::Part,
    fact::{Ending, Tail, WORDS},
    value::sha256,
};
use serde_json::json;
use std::{collections::BTreeMap, fs, path::PathBuf};

/// One sample file.
pub struct Sample {
    /// The file's name without `.json`.
    pub name: String,
    /// `noun.verb`
    pub kind: String,
    pub bytes: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// All samples, in the order of their names.
pub fn samples() -> Vec<Sample> {
    let mut all: Vec<Sample> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            let kind =
                name.split_once(".v1").unwrap_or_else(|| panic!("{name} is not called noun.verb.v1")).0.to_string();
            Sample { name, kind, bytes: fs::read(path).unwrap() }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

impl Sample {
    fn value(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|why| panic!("{}: {why}", self.name))
    }

    fn fact(&self) -> Fact {
        let read = Fact::from_bytes(&self.kind, &self.bytes).unwrap_or_else(|| panic!("{} is no word", self.kind));
        read.unwrap_or_else(|why| panic!("{} can't be read any more: {why}", self.name))
    }

    /// The sample in a full envelope: every optional field is there.
    pub fn event(&self) -> Event {
        let fact = self.fact();
        let word = fact.word();
        Event {
            seq: 4_711,
            id: id("event"),
            time: Time(1_772_442_904_250),
            tenant: "acme-1".parse().unwrap(),
            mission: "0af7651916cd43dd8448eb211c80319c".parse::<MissionId>().unwrap(),
            writer: word.writers[0],
            tail: match word.ending {
                Ending::Bare => Tail::Bare,
                Ending::Step => Tail::Step("total_north".into()),
                Ending::Answer => Tail::Answer { requester: schemas::Writer::Agent, request: id("request") },
            },
            fact,
            causation: Some(id("cause")),
            basis: Some(4_709),
            part: Some(Part { k: 2, n: 3 }),
            worker_version: "0a1b2c3d".into(),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            authid: Some("Zoë \"Z\" 100%".into()),
        }
    }
}

fn id(name: &str) -> EventId {
    sha256(name.as_bytes())[..32].parse().unwrap()
}

#[test]
fn every_word_has_a_sample() {
    let samples = samples();
    for word in WORDS {
        let name = format!("{}.v1", word.kind);
        assert!(samples.iter().any(|sample| sample.name == name), "samples/{name}.json is missing");
    }
}

#[test]
fn every_sample_is_read_and_nothing_of_it_is_lost() {
    for sample in samples() {
        assert_eq!(sample.fact().to_value(), sample.value(), "{}", sample.name);
    }
}

#[test]
fn every_sample_fits_its_schema() {
    let documents = documents();
    for sample in samples() {
        let document = &documents[&format!("{}.v1", sample.kind)];
        let validator = jsonschema::options().should_validate_formats(true).build(document).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&sample.value()).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert_eq!(faults, Vec::<String>::new(), "{}", sample.name);
    }
}

#[test]
fn every_field_of_a_word_is_in_one_of_its_samples() {
    let samples = samples();
    for (name, document) in documents().iter().filter(|(name, _)| name.ends_with(".v1")) {
        let Some(Value::Object(fields)) = document.get("properties") else { continue };
        for field in fields.keys() {
            let there = samples
                .iter()
                .any(|sample| format!("{}.v1", sample.kind) == *name && sample.value().get(field).is_some());
            assert!(there, "no sample of {name} has `{field}`");
        }
    }
}

#[test]
fn a_sample_of_a_wrong_shape_is_refused_by_type_and_schema_alike() {
    let document = &documents()["step.assigned.v1"];
    let validator = jsonschema::validator_for(document).unwrap();
    let good = json!({"step": "a", "attempt": 1, "agent": "analyst-1", "verb": "THINK"});
    assert!(validator.is_valid(&good));
    for (field, wrong) in
        [("attempt", json!(-1)), ("attempt", json!("1")), ("step", json!(null)), ("verb", json!(["THINK"]))]
    {
        let mut bad = good.clone();
        bad[field] = wrong;
        assert!(!validator.is_valid(&bad), "{bad}");
        assert!(
            Fact::from_bytes("step.assigned", bad.to_string().as_bytes()).is_some_and(|read| read.is_err()),
            "{bad}"
        );
    }
}

#[test]
fn samples_are_append_only() {
    let path = folder().join("SHA256SUMS");
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    let mut sums: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        let (sum, file) = line.split_once("  ").unwrap_or_else(|| panic!("`{line}` is not `sum  file`"));
        assert_eq!(sums.insert(file.into(), sum.into()), None, "{file} has two lines");
    }
    for sample in samples() {
        let (file, sum) = (format!("{}.json", sample.name), sha256(&sample.bytes));
        match sums.remove(&file) {
            Some(before) => {
                assert_eq!(before, sum, "{file} has changed: events like it are in logs, add a sample instead")
            }
            None if crate::regenerate() => text.push_str(&format!("{sum}  {file}\n")),
            None => panic!("{file} has no line in SHA256SUMS: run `STAGE7_REGENERATE=1 cargo test -p schemas`"),
        }
    }
    assert!(sums.is_empty(), "samples are gone: {:?}", sums.keys());
    if crate::regenerate() {
        fs::write(&path, text).unwrap();
    }
}

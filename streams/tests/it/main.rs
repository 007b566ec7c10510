//! The hand-written binary codec of the log held against the CloudEvents SDK, word by word; and the
//! documents that are generated from the tables.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod document;
mod yaml;

use schemas::{
    Event, EventId, Fact, MissionId, Time, Writer, cloudevent,
    event::Part,
    fact::{Ending, Tail, WORDS, ce_type},
};
use std::{collections::BTreeSet, fs, path::Path};
use streams::record::{Decoded, Record};

const MISSION: &str = "0af7651916cd43dd8448eb211c80319c";
const CAUSE: &str = "b7ad6b7169203331b7ad6b7169203331";

/// Every sample of every word, by its file's name.
fn samples() -> Vec<(String, Fact)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/samples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            let kind = name.split_once(".v1").unwrap().0.to_string();
            let fact = Fact::from_bytes(&kind, &fs::read(path).unwrap()).unwrap().unwrap();
            (name, fact)
        })
        .collect()
}

/// A word said by `writer`; `full` with everything that an envelope can hold.
fn event(fact: Fact, writer: Writer, full: bool) -> Event {
    let request: EventId = "00f067aa0ba902b700f067aa0ba902b7".parse().unwrap();
    Event {
        seq: 12,
        id: EventId::of_word(MISSION.parse::<MissionId>().unwrap(), writer, fact.kind(), "x", 0),
        time: Time(1_772_442_904_250),
        tenant: "acme-1".parse().unwrap(),
        mission: MISSION.parse().unwrap(),
        writer,
        tail: match fact.word().ending {
            Ending::Bare => Tail::Bare,
            Ending::Step => Tail::Step("total_north".into()),
            Ending::Answer => Tail::Answer { requester: Writer::Agent, request },
        },
        fact,
        causation: full.then(|| CAUSE.parse().unwrap()),
        basis: full.then_some(11),
        part: full.then_some(Part { k: 2, n: 3 }),
        worker_version: if full { "0a1b2c3d".into() } else { String::new() },
        traceparent: full.then(|| "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        authid: full.then(|| "Zoë \"Z\" 100% 🙂".into()),
    }
}

#[test]
fn every_record_is_the_cloud_event_that_the_sdk_reads() {
    let mut seen = BTreeSet::new();
    for (name, fact) in samples() {
        seen.insert(fact.kind());
        let writers = fact.word().writers;
        for (writer, full) in writers.iter().flat_map(|writer| [(*writer, true), (*writer, false)]) {
            let event = event(fact.clone(), writer, full);
            let record = Record::encode(&event);
            assert_eq!(record.decode(), Ok(Decoded::Event(event.clone())), "{name}");

            let read =
                cloudevent::parse(&record.headers, &record.payload).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(read.id, event.id.to_string(), "{name}");
            assert_eq!(read.source, format!("/stage7/acme-1/{writer}"), "{name}");
            assert_eq!(read.ty, ce_type(fact.kind()), "{name}");
            assert_eq!(read.data, fact.to_value(), "{name}");
            let extensions: Vec<_> =
                read.extensions.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let expected: &[(&str, &str)] = if full {
                &[
                    ("authid", "Zoë \"Z\" 100% 🙂"),
                    ("basis", "11"),
                    ("causationid", CAUSE),
                    ("correlationid", MISSION),
                    ("part", "2/3"),
                    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                    ("workerversion", "0a1b2c3d"),
                ]
            } else {
                &[("correlationid", MISSION)]
            };
            assert_eq!(extensions, expected, "{name}");
        }
    }
    assert_eq!(seen.len(), WORDS.len(), "every word has a sample");
}

#[test]
fn headers_are_printable_ascii_as_the_nats_binding_wants_them() {
    for (name, fact) in samples() {
        let record = Record::encode(&event(fact.clone(), fact.word().writers[0], true));
        for (key, value) in &record.headers {
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'), "{name}: {key}: {value}");
        }
    }
}

//! `components/messages`: one for each word, with its samples, and those that are no words.

use super::schema::sentence;
use crate::{event, samples};
use schemas::{
    Fault, Tenant, Time, Value, Writer,
    cloudevent::goal,
    control::GoalEvent,
    fact::{WORDS, ce_type},
    goal::TYPE,
    value::{Form, Ref, sha256},
};
use serde_json::{Map, json};
use streams::{
    archive::{self, Archived},
    record::Record,
    registry::{
        self, LISTED, Listed, REGISTERED,
        health::{self, Failed},
        market::{self, Added, Pinned, Trusted},
        merit,
        setting::{CHOSEN, Chosen},
    },
    secret::{ANNOUNCED, Announced, KEPT, Seal, Secret},
    submission::{REFUSED, Refusal, Refused},
};

/// The attributes of an event, in its headers.
pub const EXTENSIONS: [(&str, &str); 13] = [
    ("specversion", "Always 1.0."),
    (
        "id",
        "UUIDv5 of mission, writer, word, entity and count, as 32 hexadecimal digits: the same decision made twice is the same event.",
    ),
    ("type", "io.stage7.{noun}.{verb}.v1"),
    ("source", "/stage7/{tenant}/{writer}"),
    ("time", "When it was appended."),
    ("correlationid", "The mission."),
    ("causationid", "The event that led to this one."),
    ("basis", "The log sequence that the decision rests on."),
    ("part", "Which word of the decision, k/n."),
    ("workerversion", "The first 8 characters of the version of the worker that said it."),
    ("traceparent", "W3C trace context."),
    ("authid", "The person, where one acted; percent-encoded."),
    ("dataref", "Where data over 64 KiB lies: urn:stage7:artifact:{sha256}:{bytes}."),
];

/// The samples of a word, as `(variant, data)`.
pub fn examples(kind: &str) -> Vec<(String, Value)> {
    let mut all: Vec<_> = samples()
        .into_iter()
        .filter(|(_, fact)| fact.kind() == kind)
        .map(|(name, fact)| {
            let variant = name.split_once(".v1").unwrap().1.trim_start_matches('.').to_string();
            (if variant.is_empty() { "full".into() } else { variant }, fact.to_value())
        })
        .collect();
    all.sort_by_key(|(variant, _)| (variant != "full", variant.clone()));
    all
}

pub fn all() -> Map<String, Value> {
    let mut all = Map::new();
    for word in WORDS {
        let (_, fact) = samples().into_iter().find(|(_, fact)| fact.kind() == word.kind).unwrap();
        let record = Record::encode(&event(fact, word.writers[0], true));
        let headers: Map<String, Value> =
            record.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        let examples: Vec<_> = examples(word.kind)
            .into_iter()
            .map(|(name, payload)| json!({"name": name, "headers": headers, "payload": payload}))
            .collect();
        all.insert(
            word.kind.into(),
            json!({
                "name": word.ce_type(),
                "title": word.kind,
                "summary": sentence(word.kind),
                "contentType": "application/json",
                "headers": envelope(&word.ce_type()),
                "payload": reference(word.kind),
                "examples": examples,
            }),
        );
    }
    for (name, message) in others() {
        all.insert(name.into(), message);
    }
    all
}

fn envelope(ce_type: &str) -> Value {
    json!({"allOf": [
        {"$ref": "#/components/schemas/Envelope"},
        {"type": "object", "properties": {"ce-type": {"const": ce_type}}},
    ]})
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn others() -> Vec<(&'static str, Value)> {
    let event = |title: &str, ce_type: &str, summary: &str, payload: &str, example: &Value| {
        json!({"name": ce_type, "title": title, "summary": summary, "contentType": "application/json",
            "headers": envelope(ce_type), "payload": reference(payload), "examples": [{"name": "full", "payload": example}]})
    };
    let plain = |title: &str, summary: &str, payload: &str, example: Value| {
        json!({"name": title, "title": title, "summary": summary, "contentType": "application/json",
            "payload": reference(payload), "examples": [{"name": "full", "payload": example}]})
    };
    let bytes = |title: &str, summary: &str| {
        json!({"name": title, "title": title, "summary": summary, "contentType": "application/octet-stream",
            "payload": {"type": "string", "format": "binary"}})
    };
    let tenant = Tenant::default();
    let asked = json!({"goal": "Count the words in README.md", "files": [{"name": "README.md", "data_base64": "dG8gYmUgb3Igbm90IHRvIGJl"}]});
    let submitted = goal("/me", "1", &asked);
    let refusal =
        Refusal::of_faults("invalid_goal", vec![Fault::new("/goal", "must be a text that says what is wanted")]);
    let refused = Refused::new(refusal.clone(), &[], submitted.to_string().as_bytes());
    let refused = refused.record(&tenant, 7, Time(1_772_442_904_250)).payload;
    let refused: Value = serde_json::from_slice(&refused).unwrap();
    let verb = json!({"name": "WORD_FREQUENCY", "version": "1.0.0", "description": "Counts words.", "input": {"type": "object"},
        "output": {"type": "object"}, "runner": "capability", "runtime": "python"});
    let plugin: registry::Plugin =
        serde_json::from_value(json!({"verb": verb, "digest": sha256(b"plugin"), "state": "enabled"})).unwrap();
    let listed = Listed { verbs: ["WORD_FREQUENCY".to_string()].into() };
    let mission = "0af7651916cd43dd8448eb211c80319c";
    let archived = Archived {
        tenant: Tenant::default(),
        mission: mission.parse().unwrap(),
        archive: Ref { sha256: "ab".repeat(32), form: Form::File, size: 4_096, media_type: "application/gzip".into() },
        events: 44,
        last: 1_234,
        at: Time(1_772_442_904_250),
        imported: false,
        goal_event: GoalEvent { source: "/me".into(), id: "1".into() },
        fence: 1_240,
    };
    let added = Added {
        verb: "COUNT_WORDS".into(),
        version: "1.0.0".into(),
        publisher: "local".into(),
        digest: sha256(b"statement"),
        sha256: sha256(b"package"),
        size: 2_048,
        tenant: "default".into(),
    };
    let kept = Secret {
        grants: vec!["API_CLIENT@api.example.org".parse().unwrap()],
        since: Time(1_772_442_904_250),
        seal: Some(Seal { to: "XA…".into(), from: "XB…".into(), sealed: "eGt2MQ…".into() }),
    };
    let about = |kind: &str, summary: &str| event(kind, &ce_type(kind), summary, "Nothing", &json!({}));
    let timer = json!({"tenant": "default", "mission": mission, "requester": Writer::Agent.as_str(), "timer": mission,
        "at": Time(1_772_442_904_250).to_string(), "traceparent": null});
    vec![
        ("goal.submitted", event("goal.submitted", TYPE, "A goal, from a person or a program.", "goal", &asked)),
        (
            "goal.refused",
            event("goal.refused", REFUSED, "A goal that was refused, with the reason.", "Refused", &refused),
        ),
        (
            REGISTERED,
            event(
                REGISTERED,
                &ce_type(REGISTERED),
                "A verb, and whether it can be used.",
                "Registered",
                &json!(plugin),
            ),
        ),
        (
            LISTED,
            event(
                LISTED,
                &ce_type(LISTED),
                "All verbs of one writer; only what is on its last list counts.",
                "Listed",
                &json!(listed),
            ),
        ),
        (
            market::TRUSTED,
            event(
                market::TRUSTED,
                &ce_type(market::TRUSTED),
                "Plugins that are signed with this key are taken.",
                "Trusted",
                &json!(Trusted { publisher: "local".into(), key: "-----BEGIN PUBLIC KEY-----\n…".into() }),
            ),
        ),
        (market::REVOKED, about(market::REVOKED, "What this key has signed is not run any more, for good.")),
        (
            market::ADDED,
            event(
                market::ADDED,
                &ce_type(market::ADDED),
                "A version of a plugin; its package lies among the files.",
                "Added",
                &json!(added),
            ),
        ),
        (market::REMOVED, about(market::REMOVED, "This version is gone: missions that would run it fail.")),
        (market::ENABLED, about(market::ENABLED, "The verb may be planned and run again.")),
        (market::DISABLED, about(market::DISABLED, "The verb is neither planned nor run.")),
        (
            market::PINNED,
            event(
                market::PINNED,
                &ce_type(market::PINNED),
                "New missions get this version; without one, the newest.",
                "Pinned",
                &json!(Pinned { version: Some("1.0.0".into()) }),
            ),
        ),
        (
            CHOSEN,
            event(
                CHOSEN,
                &ce_type(CHOSEN),
                "A plugin's setting, for all runs of a tenant; without a value, its default counts.",
                "Chosen",
                &json!(Chosen { value: Some("searxng".into()) }),
            ),
        ),
        (
            ANNOUNCED,
            event(
                ANNOUNCED,
                &ce_type(ANNOUNCED),
                "What secrets are sealed to, as NKeys seal (`xkv1`).",
                "Announced",
                &json!(Announced { key: "XA…".into() }),
            ),
        ),
        (
            health::FAILED,
            event(
                health::FAILED,
                &ce_type(health::FAILED),
                "A model failed: why, how often, and until when it is left alone.",
                "Failed",
                &json!(Failed { reason: "overloaded".into(), times: 1, until: Some(Time(1_772_442_964_250)) }),
            ),
        ),
        (
            merit::MEASURED,
            event(
                merit::MEASURED,
                &ce_type(merit::MEASURED),
                "How a model did lately; said where that has changed, once a minute at the most.",
                "Measured",
                &json!(merit::Measured { success: 0.9, pace: Some(12.5) }),
            ),
        ),
        (
            merit::RATED,
            event(
                merit::RATED,
                &ce_type(merit::RATED),
                "What a person thinks of an answer; the last word on it counts.",
                "Rated",
                &json!({"tenant": "default", "mission": mission, "call": mission, "good": false,
                    "note": "Not what the file says."}),
            ),
        ),
        (health::RECOVERED, about(health::RECOVERED, "A model answers again.")),
        (health::RESET, about(health::RESET, "What is said of a model's failures counts no more.")),
        (
            KEPT,
            event(
                KEPT,
                &ce_type(KEPT),
                "A secret and who may have it; without a seal, it was removed.",
                "Secret",
                &json!(kept),
            ),
        ),
        (
            archive::KIND,
            event(
                archive::KIND,
                &ce_type(archive::KIND),
                "A mission that lies in the archive: where, and of which goal it was made.",
                "Archived",
                &json!(archived),
            ),
        ),
        ("timer", plain("timer", "A timer, as it lies in its schedule and as it comes due.", "Timer", timer)),
        ("chunk", bytes("chunk", "At most 128 KiB of a file.")),
        (
            "line",
            json!({"name": "line", "title": "line", "summary": "A model's tokens or a plugin's log line, as they come; stored nowhere.",
            "contentType": "text/plain", "payload": {"type": "string"}, "examples": [{"name": "token", "payload": "to be or"}]}),
        ),
        (
            "measurement",
            json!({"name": "measurement", "title": "measurement", "summary": "A measurement of a worker.", "payload": {}}),
        ),
        (
            "stored",
            plain(
                "stored",
                "JetStream's acknowledgement: it is safe.",
                "Acknowledged",
                json!({"stream": "GOALS", "seq": 7}),
            ),
        ),
        (
            "submitted",
            plain(
                "submitted",
                "The mission that the goal will be.",
                "Submitted",
                json!({"mission": mission, "subject": format!("stage7.view.default.{mission}.>")}),
            ),
        ),
        ("said", plain("said", "The word is in the log.", "Said", json!({"seq": 12, "id": mission}))),
        ("kept", plain("kept", "The stored bytes are the ones that were sent.", "Kept", json!({"ok": true}))),
        (
            "question",
            plain("question", "What a person wants to know.", "Question", json!({"mission": mission, "after": 0})),
        ),
        ("answer", plain("answer", "What was asked for.", "Answer", json!({"events": [], "last": 12}))),
        (
            "empty",
            json!({"name": "empty", "title": "empty", "summary": "Nothing: the subject says it all.", "payload": {}}),
        ),
        (
            "order",
            plain(
                "order",
                "The mission to archive, the export to import; the verb, version or key that it is about.",
                "Order",
                json!({"mission": mission}),
            ),
        ),
        ("done", plain("done", "What it came to.", "Done", json!({"mission": mission, "already": false}))),
        (
            "refusal",
            json!({"name": "refusal", "title": "refusal", "summary": "A request that was not granted; the header Stage7-Error holds its code.",
            "contentType": "application/json", "payload": reference("Refusal"),
            "headers": {"type": "object", "properties": {"Stage7-Error": {"type": "string"}}, "required": ["Stage7-Error"]},
            "examples": [{"name": "full", "headers": {"Stage7-Error": "invalid_goal"}, "payload": refusal}]}),
        ),
    ]
}

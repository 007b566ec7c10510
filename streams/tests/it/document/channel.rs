//! `channels`: one for each word of each writer, each stream, and all that people may ask and hear.

use super::{message::examples, reader::speaker, schema::sentence};
use schemas::{
    Value, Writer,
    fact::{Ending, WORDS, Word},
};
use serde_json::{Map, json};
use streams::{
    registry::market,
    topology::{
        STREAMS,
        access::{TENANT_REQUESTS, TENANT_STREAMS},
    },
};

/// Every word that a worker of today may say, writer by writer.
pub fn words() -> impl Iterator<Item = (Writer, &'static Word)> {
    let of = |writer: Writer| {
        WORDS.iter().filter(move |word| word.writers.contains(&writer)).map(move |word| (writer, word))
    };
    Writer::ALL.into_iter().filter(|writer| speaker(*writer).is_some()).flat_map(of)
}

/// The subject of a word.
pub fn address(writer: Writer, word: &Word) -> String {
    let ending = match word.ending {
        Ending::Bare => "",
        Ending::Step => ".{step}",
        Ending::Answer => ".{requester}.{request}",
    };
    format!("stage7.mission.{{tenant}}.{{shard}}.{{mission}}.{writer}.{}{ending}", word.kind)
}

/// A channel that carries no single word.
pub struct Other {
    pub name: &'static str,
    pub address: &'static str,
    pub about: &'static str,
    pub messages: Vec<&'static str>,
    /// What a request on it is answered with.
    pub answers: &'static [&'static str],
    pub tag: &'static str,
}

pub fn others() -> Vec<Other> {
    let other = |name, address, about, messages: &[&'static str], answers, tag| Other {
        name,
        address,
        about,
        messages: messages.to_vec(),
        answers,
        tag,
    };
    let kinds: Vec<&'static str> = WORDS.iter().map(|word| word.kind).collect();
    let user: Vec<&'static str> =
        WORDS.iter().filter(|word| word.writers.contains(&Writer::User)).map(|word| word.kind).collect();
    vec![
        other(
            "goal",
            "stage7.goal.{tenant}",
            "A goal, kept until the intake has taken it up: JetStream's acknowledgement means that it is safe, workers running or not.",
            &["goal.submitted"],
            &["stored"],
            "stream",
        ),
        other(
            "refused",
            "stage7.refused.{tenant}",
            "Goals that were refused, each with the reason; kept for 30 days.",
            &["goal.refused"],
            &[],
            "stream",
        ),
        other(
            "registry.registered",
            "stage7.registry.{writer}.plugin.registered.{verb}",
            "What a writer brings: one verb.",
            &["plugin.registered"],
            &[],
            "stream",
        ),
        other(
            "registry.archived",
            "stage7.registry.librarian.mission.archived.{tenant}.{mission}",
            "A mission that lies in the archive and not in the log.",
            &["mission.archived"],
            &[],
            "stream",
        ),
        other(
            "registry.listed",
            "stage7.registry.{writer}.plugin.listed",
            "What a writer brings: all its verbs.",
            &["plugin.listed"],
            &[],
            "stream",
        ),
        other(
            "registry.market",
            "stage7.registry.user.{noun}.{verb}.{key}",
            "What people say about plugins and their publishers: of a key by its fingerprint, of a version by its digest, of a verb by its name.",
            &market::KINDS,
            &[],
            "stream",
        ),
        other(
            "registry.setting",
            "stage7.registry.user.setting.chosen.{tenant}.{verb}.{setting}",
            "What a tenant has chosen for a plugin.",
            &["setting.chosen"],
            &[],
            "stream",
        ),
        other(
            "registry.model",
            "stage7.registry.brain.model.{verb}.{key}",
            "What the brains tell each other of models: that fail, that recovered, and how they do.",
            &["model.failed", "model.recovered", "model.measured"],
            &[],
            "stream",
        ),
        other(
            "registry.judged",
            "stage7.registry.user.model.{verb}.{key}",
            "A person has a model asked again that failed, or says what an answer was worth.",
            &["model.reset", "model.rated"],
            &[],
            "stream",
        ),
        other(
            "registry.sealing",
            "stage7.registry.{writer}.sealing.announced",
            "The public key that a worker opens secrets with.",
            &["sealing.announced"],
            &[],
            "stream",
        ),
        other(
            "secret",
            "stage7.secret.{tenant}.{name}",
            "A secret, sealed; the next word on it takes its place. `NAME`, or `VERB.setting` of a plugin's setting.",
            &["secret.kept"],
            &[],
            "stream",
        ),
        other(
            "artifact",
            "stage7.artifact.{tenant}.{sha256}.{chunk}",
            "Files and long values in write-once chunks of 128 KiB.",
            &["chunk"],
            &[],
            "stream",
        ),
        other(
            "timer.set",
            "stage7.timer.set.{tenant}.{shard}.{mission}.{requester}.{timer}",
            "A schedule: the server publishes it as due at its time.",
            &["timer"],
            &[],
            "stream",
        ),
        other(
            "timer.due",
            "stage7.timer.due.{tenant}.{shard}.{mission}.{requester}.{timer}",
            "A timer that has come due.",
            &["timer"],
            &[],
            "stream",
        ),
        other(
            "telemetry",
            "stage7.telemetry.{writer}.{measure}",
            "Measurements, kept for ten minutes.",
            &["measurement"],
            &[],
            "stream",
        ),
        other(
            "submit",
            "stage7.submit.{tenant}",
            "A goal, checked first and answered with its mission.",
            &["goal.submitted"],
            &["submitted", "refusal"],
            "request",
        ),
        other(
            "user",
            "stage7.user.{tenant}.{mission}.{noun}.{verb}",
            "What a person says about a mission: the data alone, or a CloudEvent in either mode. The door checks it and appends the user's word.",
            &user,
            &["said", "refusal"],
            "request",
        ),
        other(
            "command",
            "stage7.command.{tenant}.{noun}.{verb}",
            "Where a mission lies: `mission.archive`, `mission.import`. Which plugins there are: `plugin.add`, `.remove`, `.enable`, `.disable`, `.pin`, `.rollback`. Whose signature counts: `key.trust`, `key.revoke`.",
            &["order"],
            &["done", "refusal"],
            "request",
        ),
        other(
            "read",
            "stage7.read.{tenant}",
            "A mission's events, its state, lists, searches, verbs, refusals.",
            &["question"],
            &["answer", "refusal"],
            "request",
        ),
        other(
            "put",
            "stage7.put.{tenant}.{sha256}.{chunk}",
            "A chunk of a file, in.",
            &["chunk"],
            &["kept", "refusal"],
            "request",
        ),
        other(
            "get",
            "stage7.get.{tenant}.{sha256}.{chunk}",
            "A chunk of a file, out.",
            &["empty"],
            &["chunk", "refusal"],
            "request",
        ),
        other(
            "query",
            "stage7.query.{tenant}",
            "Lists and searches, as the door passes them on.",
            &["question"],
            &["answer", "refusal"],
            "request",
        ),
        other(
            "view",
            "stage7.view.{tenant}.{mission}.{word}",
            "The log of a mission as it grows, for its tenant: writer, noun, verb and ending, headers kept, with Nats-Sequence.",
            &kinds,
            &[],
            "live",
        ),
        other(
            "live",
            "stage7.live.{tenant}.{mission}.{topic}",
            "Tokens of models and log lines of plugins; stored nowhere.",
            &["line"],
            &[],
            "live",
        ),
    ]
}

fn messages(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| ((*name).to_string(), json!({"$ref": format!("#/components/messages/{name}")}))).collect()
}

/// The stream that keeps what has this address.
pub fn stream(address: &str) -> Option<&'static str> {
    const TABLE: &[streams::topology::Stream] = &STREAMS;
    TABLE.iter().find(|s| s.subjects.iter().any(|pattern| super::reader::matches(pattern, address))).map(|s| s.name)
}

fn channel(address: &str, title: &str, about: &str, names: &[&str], tag: &str) -> Value {
    let holes = address.split(['{', '}']).skip(1).step_by(2);
    let parameters: Map<String, Value> =
        holes.map(|hole| (hole.to_string(), json!({"$ref": format!("#/components/parameters/{hole}")}))).collect();
    let mut channel = json!({
        "address": address, "title": title, "description": about, "messages": messages(names),
        "parameters": parameters, "tags": [{"name": tag}],
    });
    if let Some(stream) = stream(address) {
        channel["x-stream"] = stream.into();
    }
    channel
}

pub fn all() -> Map<String, Value> {
    let of_word = |(writer, word): (Writer, &'static Word)| {
        let name = format!("{writer}.{}", word.kind);
        let made = channel(&address(writer, word), &name, &sentence(word.kind), &[word.kind], "log");
        (name, made)
    };
    let of_other = |other: Other| {
        (other.name.to_string(), channel(other.address, other.name, other.about, &other.messages, other.tag))
    };
    let mut all: Map<String, Value> = words().map(of_word).chain(others().into_iter().map(of_other)).collect();
    let answers = ["stored", "submitted", "said", "kept", "done", "answer", "chunk", "refusal"];
    all.insert(
        "inbox".into(),
        json!({"address": null, "title": "inbox", "messages": messages(&answers),
            "description": "Where an answer goes: the reply subject of the request, below the user's own inbox."}),
    );
    all
}

/// What stands in the holes of addresses.
pub fn parameters() -> Value {
    json!({
        "tenant": {"description": "Whose it is: [a-z0-9][a-z0-9-]{0,62}", "examples": ["default"]},
        "shard": {"description": "The last hexadecimal digit of the mission", "examples": ["c"]},
        "mission": {"description": "UUIDv5 of the tenant and the goal event's source and id, as 32 hexadecimal digits"},
        "step": {"description": "The step's id in the plan"},
        "requester": {"description": "Who asked", "enum": ["control", "agent"]},
        "request": {"description": "The id of the event that asked, as 32 hexadecimal digits"},
        "timer": {"description": "The id of timer.set, as 32 hexadecimal digits"},
        "writer": {"description": "Who says so", "enum": Writer::ALL.map(Writer::as_str)},
        "verb": {"description": "A verb: of a word, or one that plans may use"},
        "noun": {"description": "What a word is about"},
        "sha256": {"description": "Hash of the whole file, lower-case hexadecimal"},
        "chunk": {"description": "Which 128 KiB of it, from 0"},
        "key": {"description": "What it is about: a key's fingerprint, a version's digest, a verb, or a model as provider%2Fname"},
        "setting": {"description": "A plugin's setting, as its manifest names it"},
        "name": {"description": "NAME, or VERB.setting of a plugin's setting"},
        "measure": {"description": "What was measured; may have several tokens"},
        "word": {"description": "writer.noun.verb, with the ending that an answer or a step has"},
        "topic": {"description": "llm.{call} or plugin.{run}"},
    })
}

#[test]
fn every_stream_and_every_subject_of_users_has_its_channel() {
    let channels = all();
    let addresses: Vec<&str> = channels.values().filter_map(|channel| channel["address"].as_str()).collect();
    for pattern in STREAMS.iter().flat_map(|s| s.subjects) {
        assert!(addresses.iter().any(|a| super::reader::matches(pattern, a)), "{pattern}");
    }
    for (verb, rest, _) in TENANT_REQUESTS {
        let pattern = format!("stage7.{verb}.*{rest}");
        assert!(addresses.iter().any(|a| super::reader::matches(&pattern, a)), "{pattern}");
    }
    for (_, family, rest) in TENANT_STREAMS {
        let pattern = format!("stage7.{family}.*{rest}");
        assert!(addresses.iter().any(|a| super::reader::matches(&pattern, a)), "{pattern}");
    }
    for (writer, word) in words() {
        assert!(channels.contains_key(&format!("{writer}.{}", word.kind)));
        assert!(!examples(word.kind).is_empty(), "{}", word.kind);
    }
}

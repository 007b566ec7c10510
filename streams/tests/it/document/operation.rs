//! `operations`: who sends and who receives on each channel.

use super::{
    channel::{self, Other, words},
    reader::{Reader, matches, readers, speaker},
};
use schemas::Writer;
use serde_json::{Map, Value, json};
use streams::topology::{
    CONSUMERS, STREAMS,
    access::{USERS, User, Way, crossings},
};

/// Who uses a channel that carries no single word: senders, then receivers.
fn users(channel: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match channel {
        "goal" => (&["person", "door"], &["control"]),
        "refused" => (&["control"], &["person", "door"]),
        "registry.registered" | "registry.listed" => (&["agent", "capability"], &["control", "door"]),
        "registry.market" => (&["door"], &["capability", "door"]),
        "registry.setting" => (&["door"], &["capability", "door"]),
        "registry.model" => (&["brain"], &["brain", "door"]),
        "registry.judged" => (&["door"], &["brain", "door"]),
        "registry.sealing" => (&["capability"], &["door"]),
        "secret" => (&["door"], &["capability", "door"]),
        "registry.archived" => (&["librarian"], &["librarian", "control", "door"]),
        "artifact" => (
            &["control", "agent", "brain", "capability", "librarian", "door"],
            &["control", "agent", "brain", "capability", "librarian", "door"],
        ),
        "timer.set" => (&["timekeeper"], &[]),
        "timer.due" => (&[], &["timekeeper"]),
        "telemetry" => {
            (&["control", "agent", "timekeeper", "librarian", "door", "brain", "capability"], &["librarian", "door"])
        }
        "submit" | "user" | "command" | "read" | "put" | "get" => (&["person"], &["door"]),
        "query" => (&["door"], &["librarian"]),
        "view" => (&[], &["person", "door"]),
        "live" => (&["brain", "capability"], &["person", "door"]),
        other => panic!("who uses {other}?"),
    }
}

pub fn all() -> Map<String, Value> {
    let mut all = Map::new();
    for (writer, word) in words() {
        let name = format!("{writer}.{}", word.kind);
        let speaker = speaker(writer).expect("words() leaves out who has no worker");
        all.insert(format!("{speaker}.sends.{name}"), operation("send", speaker, &name, &[]));
        for Reader { user, consumer } in readers(writer, word) {
            let mut received = operation("receive", user, &name, &[]);
            if let Some(consumer) = consumer {
                received["x-consumer"] = consumer.into();
            }
            all.insert(format!("{user}.receives.{name}"), received);
        }
    }
    for Other { name, answers, .. } in channel::others() {
        let (senders, receivers) = users(name);
        for user in senders {
            all.insert(format!("{user}.sends.{name}"), operation("send", user, name, answers));
        }
        for user in receivers {
            let answers = if name == "goal" { &[] } else { answers };
            all.insert(format!("{user}.receives.{name}"), operation("receive", user, name, answers));
        }
    }
    all
}

fn operation(action: &str, user: &str, channel: &str, answers: &[&str]) -> Value {
    let mut all = json!({
        "action": action,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "tags": [{"name": user}],
    });
    if !answers.is_empty() {
        let messages: Vec<_> =
            answers.iter().map(|name| json!({"$ref": format!("#/channels/inbox/messages/{name}")})).collect();
        all["reply"] = json!({"channel": {"$ref": "#/channels/inbox"}, "messages": messages});
    }
    all
}

/// Nobody is said to use a channel who has no right to.
#[test]
fn who_is_said_to_send_and_to_receive_may() {
    for Other { name, address, .. } in channel::others() {
        let (senders, receivers) = users(name);
        let of = |user: &str| USERS.iter().find(|u| u.name == user).unwrap();
        let lent = |user: &User, streams: bool| {
            let all = crossings().into_iter().filter(|c| c.zones.contains(&user.zone));
            all.filter(|c| (c.way == Way::Stream) == streams).map(|c| c.subject).collect::<Vec<_>>()
        };
        for user in senders.iter().filter(|user| **user != "person").map(|user| of(user)) {
            let rights = user.may_publish().unwrap_or_else(|| lent(user, false));
            let token = Writer::ALL.into_iter().find(|writer| speaker(*writer) == Some(user.name));
            let address = token.map_or(address.to_string(), |token| address.replace("{writer}", token.as_str()));
            assert!(rights.iter().any(|right| matches(right, &address)), "{} sends {address}", user.name);
        }
        for user in receivers.iter().filter(|user| **user != "person").map(|user| of(user)) {
            let taken = CONSUMERS.iter().filter(|c| user.consumers.contains(&c.name)).map(|c| c.filter.to_string());
            let read = user.may_publish().unwrap_or_else(|| lent(user, false)).into_iter();
            let read = read.filter_map(|s| match s.strip_prefix("$JS.API.DIRECT.GET.")?.split_once('.') {
                Some((_, subject)) => Some(subject.to_string()),
                // The right to read a stream as a whole.
                None => Some(STREAMS.iter().find(|stream| s.ends_with(stream.name))?.subjects[0].to_string()),
            });
            let heard = user.may_subscribe().unwrap_or_else(|| lent(user, true));
            let mut rights = taken.chain(read).chain(heard);
            assert!(rights.any(|right| matches(&right, address)), "{} receives {address}", user.name);
        }
    }
}

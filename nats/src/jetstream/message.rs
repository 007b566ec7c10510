//! What the server sends, told apart: a stored event may carry forged headers of the server's
//! names, which come before the server's own.

use async_nats::{HeaderMap, Message};
use streams::record::Record;

/// Headers that a direct get adds behind the stored ones.
const ADDED: [&str; 7] = [
    "Nats-Stream",
    "Nats-Subject",
    "Nats-Sequence",
    "Nats-Time-Stamp",
    "Nats-Num-Pending",
    "Nats-Last-Sequence",
    "Nats-UpTo-Sequence",
];

/// An answer to a direct get.
pub enum Direct {
    Record(Record),
    /// The end of a batch, and how many messages of the filter come after it.
    End {
        pending: u64,
    },
    /// No such message.
    None,
    Error(String),
}

/// Only a message with the server's `Nats-Subject` is a stored one; a status has none.
pub fn of_direct_get(message: Message) -> Direct {
    let headers = message.headers.unwrap_or_default();
    let last = |name: &str| headers.get_last(name).map(|value| value.as_str());
    let Some(subject) = last("Nats-Subject") else {
        return match message.status.map(|status| status.as_u16()) {
            Some(204) => Direct::End { pending: last("Nats-Num-Pending").and_then(|n| n.parse().ok()).unwrap_or(0) },
            Some(404) => Direct::None,
            Some(code) => Direct::Error(format!("{code} {}", message.description.unwrap_or_default())),
            None => Direct::Error("an answer without a subject".into()),
        };
    };
    let Some(seq) = last("Nats-Sequence").and_then(|n| n.parse().ok()) else {
        return Direct::Error("an answer without a sequence".into());
    };
    let subject = subject.to_string();
    Direct::Record(Record { seq, subject, headers: stored(&headers, &ADDED), payload: message.payload })
}

/// The headers that were stored: all, less one of each that the server added, less the guards
/// under which the message came in.
pub fn stored(headers: &HeaderMap, added: &[&str]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        if name.starts_with("Nats-Expected-") {
            continue;
        }
        let servers = usize::from(added.contains(&name));
        for value in &values[..values.len().saturating_sub(servers)] {
            all.push((name.to_string(), value.as_str().to_string()));
        }
    }
    all
}

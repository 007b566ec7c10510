//! What the server sends, told apart: a stored event may carry forged headers of the server's
//! names, which come before the server's own.

use async_nats::{HeaderMap, HeaderName, Message, header::IntoHeaderName};
use streams::record::Record;

/// Headers that a direct get adds behind the stored ones: no more than these, or a forged header
/// would pass for the server's, and the event for sound, on this way of reading and on no other.
const ADDED: [&str; 4] = ["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"];
/// The same of one with many answers.
const ADDED_IN_A_BATCH: [&str; 6] =
    ["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence"];

/// The names of our own headers, made once.
static NAMES: [HeaderName; 11] = [
    HeaderName::from_static("ce-id"),
    HeaderName::from_static("ce-type"),
    HeaderName::from_static("ce-time"),
    HeaderName::from_static("ce-source"),
    HeaderName::from_static("ce-specversion"),
    HeaderName::from_static("ce-correlationid"),
    HeaderName::from_static("ce-causationid"),
    HeaderName::from_static("ce-basis"),
    HeaderName::from_static("ce-part"),
    HeaderName::from_static("ce-workerversion"),
    HeaderName::from_static("ce-traceparent"),
];

/// A header's name for the wire.
pub fn name(name: &str) -> HeaderName {
    let known = NAMES.iter().find(|known| AsRef::<str>::as_ref(*known) == name);
    known.cloned().unwrap_or_else(|| name.into_header_name())
}

/// An answer to a direct get.
pub enum Direct {
    /// A stored message, and the sequence of the one before it in this answer (0 for the first).
    Record {
        record: Record,
        before: u64,
    },
    /// The end of a batch: how many messages of the filter come after it, and its last sequence.
    End {
        pending: u64,
        before: u64,
    },
    /// No such message.
    None,
    Error(String),
}

/// Only a message with the server's `Nats-Subject` is a stored one; a status has none.
pub fn of_direct_get(message: Message) -> Direct {
    read(message, &ADDED)
}

/// The same, of a get that asked for many.
pub fn of_batch(message: Message) -> Direct {
    read(message, &ADDED_IN_A_BATCH)
}

fn read(message: Message, added: &[&str]) -> Direct {
    let headers = message.headers.unwrap_or_default();
    let last = |name: &str| headers.get_last(name).map(|value| value.as_str());
    let number = |name: &str| last(name).and_then(|n| n.parse().ok()).unwrap_or(0);
    let Some(subject) = last("Nats-Subject") else {
        return match message.status.map(|status| status.as_u16()) {
            Some(204) => Direct::End { pending: number("Nats-Num-Pending"), before: number("Nats-Last-Sequence") },
            Some(404) => Direct::None,
            Some(code) => Direct::Error(format!("{code} {}", message.description.unwrap_or_default())),
            None => Direct::Error("an answer without a subject".into()),
        };
    };
    let Some(seq) = last("Nats-Sequence").and_then(|n| n.parse().ok()) else {
        return Direct::Error("an answer without a sequence".into());
    };
    let subject = subject.to_string();
    let record = Record { seq, subject, headers: stored(&headers, added), payload: message.payload };
    Direct::Record { record, before: number("Nats-Last-Sequence") }
}

/// The messages of one batched answer, each of which names the one before it: a connection that was
/// cut in the middle goes on with what is left, and the answer has a hole.
#[derive(Debug, Default)]
pub struct Chain {
    last: u64,
}

impl Chain {
    /// Takes the next link; `seq` is `None` at the end.
    ///
    /// # Errors
    /// A sentence, when something before it was lost.
    pub fn link(&mut self, before: u64, seq: Option<u64>) -> Result<(), String> {
        if before != self.last {
            return Err(format!("part of an answer was lost: after {} comes what follows {before}", self.last));
        }
        self.last = seq.unwrap_or(self.last);
        Ok(())
    }
}

/// The headers that were stored: all, less one of each that the server added, less the guards
/// and the batch with which the message came in.
pub fn stored(headers: &HeaderMap, added: &[&str]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        if name.starts_with("Nats-Expected-") || name.starts_with("Nats-Batch-") {
            continue;
        }
        let servers = usize::from(added.contains(&name));
        for value in &values[..values.len().saturating_sub(servers)] {
            all.push((name.to_string(), value.as_str().to_string()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_hole_is_noticed() {
        let links = |links: &[(u64, Option<u64>)]| {
            let mut chain = Chain::default();
            links.iter().try_for_each(|(before, seq)| chain.link(*before, *seq))
        };
        assert!(links(&[(0, Some(3)), (3, Some(8)), (8, None)]).is_ok());
        assert!(links(&[(0, None)]).is_ok());
        assert!(links(&[(3, Some(8)), (8, None)]).is_err(), "the beginning is missing");
        assert!(links(&[(0, Some(3)), (5, Some(8)), (8, None)]).is_err(), "the middle is missing");
        assert!(links(&[(0, Some(3)), (8, None)]).is_err(), "the end is missing");
    }
}

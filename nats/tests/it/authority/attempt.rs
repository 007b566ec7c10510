//! Something that a user tries, and what the server did.

use super::wire::{Message, Said, Wire};
use std::{
    collections::BTreeMap,
    fmt,
    io::Write,
    time::{Duration, Instant},
};

/// Nothing heard for so long: whoever has not answered by now won't.
const QUIET: Duration = Duration::from_millis(600);

/// One message to be sent.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    pub subject: String,
    /// Where the answer is to go; a fresh inbox when it is empty.
    pub reply: String,
    /// Header lines, each after a line break; or a status, then lines.
    pub headers: String,
    pub payload: Vec<u8>,
}

impl Attempt {
    pub fn on(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), payload: b"x".to_vec(), ..Self::default() }
    }
    pub fn with(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }
    pub fn replying(mut self, reply: impl Into<String>) -> Self {
        self.reply = reply.into();
        self
    }
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("\r\n{name}: {value}"));
        self
    }
    pub fn status(mut self, line: &str) -> Self {
        self.headers = format!(" {line}{}", self.headers);
        self
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PUB {}", self.subject)?;
        if !self.reply.is_empty() {
            write!(f, " → {}", self.reply)?;
        }
        if !self.headers.is_empty() {
            write!(f, " [{}]", self.headers.trim().replace("\r\n", ", "))?;
        }
        Ok(())
    }
}

/// What the server did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A permission is missing.
    Denied,
    /// Nobody listens on that subject in the user's account.
    NobodyThere,
    /// JetStream's own error, by its code.
    Error(u64),
    /// A status without a message: 404, 408, …
    Status(String),
    /// In the log, at that sequence.
    Stored(u64),
    Answered(String),
    /// Taken, and nothing came back to whoever asked.
    Silent,
}

impl Outcome {
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Stored(_) | Self::Answered(_))
    }

    /// Did it get no further than the user's own account? Another error, or a status, would be the
    /// log's own word. Silence is what JetStream has for an account that it doesn't serve.
    pub fn is_kept_out(&self) -> bool {
        const NO_JETSTREAM_IN_THIS_ACCOUNT: u64 = 10039;
        const NO_CLUSTER: u64 = 10010;
        let elsewhere = Self::Error(NO_JETSTREAM_IN_THIS_ACCOUNT);
        [Self::Denied, Self::NobodyThere, Self::Silent, elsewhere, Self::Error(NO_CLUSTER)].contains(self)
    }

    /// What it is, without the particulars.
    fn kind(&self) -> String {
        match self {
            Self::Denied => "no permission".into(),
            Self::NobodyThere => "nobody there".into(),
            Self::Error(code) => format!("JetStream error {code}"),
            Self::Status(code) => format!("status {code}"),
            Self::Stored(_) => "stored".into(),
            Self::Answered(_) => "answered".into(),
            Self::Silent => "no answer".into(),
        }
    }

    fn of(message: &Message) -> Self {
        let json = message.json();
        if let Some(code) = json["error"]["err_code"].as_u64() {
            return Self::Error(code);
        }
        match (json["seq"].as_u64(), message.status()) {
            (Some(seq), _) if json["stream"].is_string() => Self::Stored(seq),
            // A stored message comes with the server's subject, a status without.
            (_, Some("503")) => Self::NobodyThere,
            (_, Some(code)) if !message.headers.contains("Nats-Subject:") => Self::Status(code.into()),
            _ => Self::Answered(String::from_utf8_lossy(&message.payload).into_owned()),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(seq) => write!(f, "stored at {seq}"),
            Self::Answered(text) => write!(f, "answered {}", text.chars().take(120).collect::<String>()),
            other => f.write_str(&other.kind()),
        }
    }
}

/// Sends all of them, one after another, and waits until the server is done with them. Refusals come
/// in the order of what they refuse: a PING behind each attempt tells which.
pub fn attempt(wire: &mut Wire, inbox: &str, all: &[Attempt]) -> Vec<Outcome> {
    let inbox = format!("{inbox}.attempt-{}", all.len());
    let mine = wire.subscribe(&format!("{inbox}.*"), None);
    let mut outcomes = vec![Outcome::Silent; all.len()];
    let mut open: usize = 0;
    // In portions, lest both sides wait for the other to read.
    for (portion, attempts) in all.chunks(64).enumerate() {
        for (n, attempt) in attempts.iter().enumerate() {
            let reply = if attempt.reply.is_empty() {
                open += 1;
                format!("{inbox}.{}", portion * 64 + n)
            } else {
                attempt.reply.clone()
            };
            wire.publish(&attempt.subject, &reply, &attempt.headers, &attempt.payload);
            wire.send(b"PING\r\n");
        }
        let (mut pongs, mut heard) = (0, Instant::now());
        while pongs < attempts.len() || (open > 0 && heard.elapsed() < QUIET) {
            let said = wire.next(if pongs < attempts.len() { Duration::from_secs(60) } else { QUIET });
            let settled = match said {
                None if pongs < attempts.len() => panic!("the server says nothing any more"),
                None => continue,
                Some(Said::Pong) => {
                    pongs += 1;
                    continue;
                }
                Some(Said::Error(error)) => {
                    assert!(error.contains("Permissions Violation for Publish"), "{error}");
                    Some((portion * 64 + pongs, Outcome::Denied))
                }
                Some(Said::Message(message)) if message.of == mine => {
                    let n = message.subject.rsplit('.').next().and_then(|n| n.parse().ok());
                    n.map(|n: usize| (n, Outcome::of(&message)))
                }
                Some(Said::Message(_)) => None,
            };
            heard = Instant::now();
            if let Some((n, outcome)) = settled.filter(|(n, _)| outcomes[*n] == Outcome::Silent) {
                open -= usize::from(all[n].reply.is_empty());
                outcomes[n] = outcome;
            }
        }
    }
    wire.send(format!("UNSUB {mine}\r\n").as_bytes());
    outcomes
}

/// What was tried, counted by what the server did.
#[derive(Default)]
pub struct Tally(BTreeMap<String, usize>, usize);

impl Tally {
    /// Shows it (a test run with `--nocapture` prints all) and counts it.
    pub fn note(&mut self, who: &str, what: &dyn fmt::Display, did: &str) {
        println!("{who}: {what}: {did}");
        *self.0.entry(did.to_string()).or_default() += 1;
        self.1 += 1;
    }

    pub fn outcome(&mut self, who: &str, what: &Attempt, outcome: &Outcome) {
        println!("{who}: {what}: {outcome}");
        *self.0.entry(outcome.kind()).or_default() += 1;
        self.1 += 1;
    }

    /// Prints the count whether the test passes or not, and holds it against what is expected at
    /// least: a table that lost its rows is noticed.
    pub fn print(self, test: &str, least: usize) {
        let by_kind: Vec<_> = self.0.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        // Not `eprintln`, which a passing test keeps to itself.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "authority, {test}: {} attempts: {}", self.1, by_kind.join(", ")).unwrap();
        assert!(self.1 >= least, "{test}: only {} attempts, {least} were expected", self.1);
    }
}

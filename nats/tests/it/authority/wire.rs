//! A connection that speaks the bare protocol: nothing that a hijacked worker could send is too
//! odd for it, and every refusal is known to belong to what was sent just before.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nats::key::Seed;
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

pub struct Wire {
    socket: TcpStream,
    unread: Vec<u8>,
    subscriptions: u64,
    inbox: String,
    closed: bool,
    pub server_id: String,
}

/// What the server says.
#[derive(Debug, Clone)]
pub enum Said {
    Message(Message),
    /// `-ERR`
    Error(String),
    Pong,
}

#[derive(Debug, Clone)]
pub struct Message {
    /// Which subscription it is for.
    pub of: u64,
    pub subject: String,
    pub reply: Option<String>,
    /// The header block as it came, status line and all; empty when there is none.
    pub headers: String,
    pub payload: Vec<u8>,
}

impl Message {
    /// The number in the status line.
    pub fn status(&self) -> Option<&str> {
        self.headers.lines().next()?.strip_prefix("NATS/1.0 ")?.split(' ').next().filter(|s| !s.is_empty())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).unwrap_or_default()
    }
}

impl Wire {
    pub fn connect(url: &str, seed: &Seed, inbox: String) -> Self {
        let socket = TcpStream::connect(url.strip_prefix("nats://").unwrap()).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut wire =
            Self { socket, unread: Vec::new(), subscriptions: 0, inbox, closed: false, server_id: String::new() };
        let greeting = wire.line(Instant::now() + Duration::from_secs(30)).expect("the server greets");
        let info: serde_json::Value = serde_json::from_str(greeting.strip_prefix("INFO ").unwrap()).unwrap();
        wire.server_id = info["server_id"].as_str().unwrap().into();
        let pair = nkeys::KeyPair::from_seed(seed.reveal()).unwrap();
        let signature = pair.sign(info["nonce"].as_str().unwrap().as_bytes()).unwrap();
        let connect = serde_json::json!({
            "nkey": seed.public(), "sig": URL_SAFE_NO_PAD.encode(signature), "verbose": false, "pedantic": false,
            "headers": true, "no_responders": true, "echo": true, "protocol": 1, "lang": "test", "version": "0",
        });
        wire.send(format!("CONNECT {connect}\r\n").as_bytes());
        let (said, errors) = wire.fence();
        assert!(said.is_empty() && errors.is_empty(), "{errors:?}");
        wire
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Subscribes, as one of `queue` if it is given; the number tells its messages apart.
    pub fn subscribe(&mut self, subject: &str, queue: Option<&str>) -> u64 {
        self.subscriptions += 1;
        let queue = queue.map(|q| format!("{q} ")).unwrap_or_default();
        self.send(format!("SUB {subject} {queue}{}\r\n", self.subscriptions).as_bytes());
        self.subscriptions
    }

    /// Publishes; `headers` are lines, the first of which may be a status.
    pub fn publish(&mut self, subject: &str, reply: &str, headers: &str, payload: &[u8]) {
        let mut frame = if headers.is_empty() {
            format!("PUB {subject} {reply} {}\r\n", payload.len())
        } else {
            let block = format!("NATS/1.0{headers}\r\n\r\n");
            format!("HPUB {subject} {reply} {} {}\r\n{block}", block.len(), block.len() + payload.len())
        }
        .into_bytes();
        frame.extend_from_slice(payload);
        frame.extend_from_slice(b"\r\n");
        self.send(&frame);
    }

    /// Waits until the server has done all that was sent; gives what it said meanwhile.
    pub fn fence(&mut self) -> (Vec<Message>, Vec<String>) {
        self.send(b"PING\r\n");
        let (mut messages, mut errors) = (Vec::new(), Vec::new());
        loop {
            match self.next(Duration::from_secs(60)).expect("the server is there") {
                Said::Message(message) => messages.push(message),
                Said::Error(error) => errors.push(error),
                Said::Pong => return (messages, errors),
            }
        }
    }

    /// Asks and waits for one answer.
    pub fn ask(&mut self, subject: &str, payload: &str) -> Message {
        self.subscriptions += 1;
        let inbox = format!("{}.{}", self.inbox, self.subscriptions);
        let of = self.subscribe(&inbox, None);
        self.publish(subject, &inbox, "", payload.as_bytes());
        loop {
            match self.next(Duration::from_secs(60)).unwrap_or_else(|| panic!("no answer on {subject}")) {
                Said::Message(message) if message.of == of => return message,
                Said::Error(error) => panic!("{subject}: {error}"),
                _ => {}
            }
        }
    }

    /// Whatever comes next, within `patience`.
    pub fn next(&mut self, patience: Duration) -> Option<Said> {
        let until = Instant::now() + patience;
        loop {
            let line = self.line(until)?;
            let mut words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "PING" => self.send(b"PONG\r\n"),
                "PONG" => return Some(Said::Pong),
                "-ERR" => return Some(Said::Error(line[5..].to_string())),
                "MSG" | "HMSG" => {
                    let total: usize = words.pop().unwrap().parse().unwrap();
                    let head: usize = if words[0] == "HMSG" { words.pop().unwrap().parse().unwrap() } else { 0 };
                    let (subject, of) = (words[1].to_string(), words[2].parse().unwrap());
                    let reply = words.get(3).map(ToString::to_string);
                    let body =
                        self.bytes(total + 2, Instant::now() + Duration::from_secs(60)).expect("a whole message");
                    let headers = String::from_utf8_lossy(&body[..head]).into_owned();
                    let payload = body[head..total].to_vec();
                    return Some(Said::Message(Message { of, subject, reply, headers, payload }));
                }
                _ => {}
            }
        }
    }

    /// Has the server hung up, or does it within a few seconds?
    pub fn is_closed(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        while !self.closed && Instant::now() < until {
            self.next(Duration::from_millis(200));
        }
        self.closed
    }

    fn line(&mut self, until: Instant) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let rest = self.unread.split_off(end + 2);
                let line = std::mem::replace(&mut self.unread, rest);
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill(until)?;
        }
    }

    fn bytes(&mut self, count: usize, until: Instant) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            self.fill(until)?;
        }
        let rest = self.unread.split_off(count);
        Some(std::mem::replace(&mut self.unread, rest))
    }

    /// Reads what is there; `None` when nothing came in time.
    fn fill(&mut self, until: Instant) -> Option<()> {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(left)).unwrap();
        let mut some = [0; 16 * 1024];
        match self.socket.read(&mut some) {
            Ok(0) => self.closed = true,
            Ok(count) => self.unread.extend_from_slice(&some[..count]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
            Err(_) => self.closed = true,
        }
        (!self.closed).then_some(())
    }
}

//! A server that speaks OpenAI's dialect: `/v1/models`, and chat completions as a stream of events.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// The only model that it offers.
pub const MODEL: &str = "test-model-1";
/// Tokens that it says each answer took.
pub const TOKENS: (u64, u64) = (100, 10);

/// What it answers to a chat.
pub enum Reply {
    /// In pieces of a few characters.
    Text(String),
    /// A status, headers (with their line ends) and an error's message.
    Error(u16, &'static str, String),
}

/// A chat that was asked for.
#[derive(Clone)]
pub struct Chat {
    /// The header that holds the key.
    pub authorization: String,
    pub body: Value,
}

impl Chat {
    /// All that was said to the model, in one text.
    pub fn text(&self) -> String {
        self.body["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|message| message["content"].as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

pub struct Server {
    /// Its address, up to and including `/v1`.
    pub url: String,
    /// Every chat, in the order in which they came.
    pub chats: Arc<Mutex<Vec<Chat>>>,
}

impl Server {
    /// Answers as `reply` says, until the test program ends.
    pub fn start(reply: impl Fn(&Chat) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (chats, reply) = (Arc::new(Mutex::new(Vec::new())), Arc::new(reply));
        let kept = chats.clone();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (kept, reply) = (kept.clone(), reply.clone());
                // A client that goes away is its own affair.
                thread::spawn(move || drop(answer(connection, &kept, reply.as_ref())));
            }
        });
        Self { url, chats }
    }
}

fn answer(mut connection: TcpStream, kept: &Mutex<Vec<Chat>>, reply: &dyn Fn(&Chat) -> Reply) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let asked: Vec<String> = line.split(' ').take(2).map(String::from).collect();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => authorization = value.trim().into(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    match (asked.first().map(String::as_str), asked.get(1).map(String::as_str)) {
        (Some("GET"), Some("/v1/models")) => {
            let models = json!({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "tests"}]});
            whole(&mut connection, "200 OK", "", &models)
        }
        (Some("POST"), Some("/v1/chat/completions")) => {
            let chat = Chat { authorization, body: serde_json::from_slice(&body).unwrap_or_default() };
            kept.lock().unwrap().push(chat.clone());
            match reply(&chat) {
                Reply::Text(text) => stream(&mut connection, &text),
                Reply::Error(status, headers, message) => {
                    let error = json!({"error": {"message": message, "type": "error", "param": null, "code": null}});
                    whole(&mut connection, &format!("{status} No"), headers, &error)
                }
            }
        }
        _ => whole(&mut connection, "404 Not Found", "", &json!({"error": {"message": "no such address"}})),
    }
}

fn whole(connection: &mut TcpStream, status: &str, headers: &str, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The answer piece by piece, then what it took.
fn stream(connection: &mut TcpStream, text: &str) -> std::io::Result<()> {
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")?;
    let mut event = |data: &str| {
        let line = format!("data: {data}\n\n");
        write!(connection, "{:x}\r\n{line}\r\n", line.len()).and_then(|()| connection.flush())
    };
    let piece = |delta: Value, end: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
        .to_string()
    };
    event(&piece(json!({"role": "assistant", "content": ""}), Value::Null))?;
    let characters: Vec<char> = text.chars().collect();
    for some in characters.chunks(7) {
        event(&piece(json!({"content": some.iter().collect::<String>()}), Value::Null))?;
    }
    event(&piece(json!({}), json!("stop")))?;
    event(
        &json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [],
        "usage": {"prompt_tokens": TOKENS.0, "completion_tokens": TOKENS.1, "total_tokens": TOKENS.0 + TOKENS.1}})
        .to_string(),
    )?;
    event("[DONE]")?;
    connection.write_all(b"0\r\n\r\n")
}

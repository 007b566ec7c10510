//! The libraries of the providers, each in a Python of its own that all tests share.

use model_servers::{Dialect, Server};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

struct Python {
    child: Child,
    told: BufReader<ChildStdout>,
}

static PYTHONS: LazyLock<HashMap<&str, Mutex<Option<Python>>>> =
    LazyLock::new(|| Dialect::ALL.map(|dialect| (script(dialect), Mutex::new(None))).into());

fn script(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "openai_client.py",
        Dialect::Anthropic => "anthropic_client.py",
        Dialect::Gemini => "gemini_client.py",
        Dialect::HuggingFace => "hugging_face_client.py",
        Dialect::LlamaCpp => "llama_cpp_client.py",
        Dialect::Tgi => "tgi_client.py",
    }
}

impl Python {
    fn start(script: &str) -> Self {
        let python = std::env::var_os("STAGE7_TEST_PYTHON")
            .expect("STAGE7_TEST_PYTHON names a Python with the libraries of the providers: `make test` prepares one");
        let mut child = Command::new(python)
            .arg(format!("{}/sdk/{script}", env!("CARGO_MANIFEST_DIR")))
            // The libraries look for keys, addresses, proxies and a home on their own.
            .env_clear()
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap());
        Self { child, told }
    }

    fn ask(&mut self, asked: &Value) -> Value {
        writeln!(self.child.stdin.as_mut().unwrap(), "{asked}").unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {asked}"))
    }
}

/// What the provider's library tells of an answer of that server. It has each other test wait meanwhile.
pub fn ask(dialect: Dialect, server: &Server, function: &str, asked: &Value) -> Value {
    ask_then(dialect, server, function, asked, |told, _| told)
}

/// The same, with a chance to ask more before any other test does.
pub fn ask_then<T>(
    dialect: Dialect,
    server: &Server,
    function: &str,
    asked: &Value,
    then: impl FnOnce(Value, &mut dyn FnMut(&Value) -> Value) -> T,
) -> T {
    let mut python = PYTHONS[script(dialect)].lock().unwrap_or_else(PoisonError::into_inner);
    let python = python.get_or_insert_with(|| Python::start(script(dialect)));
    let mut asked = asked.clone();
    asked["do"] = function.into();
    asked["url"] = server.url.clone().into();
    let told = python.ask(&asked);
    then(told, &mut |more| python.ask(more))
}

/// A chat that went well.
pub fn chat(dialect: Dialect, server: &Server, stream: bool, asked: &Value) -> Value {
    let mut asked = asked.clone();
    asked["stream"] = stream.into();
    let told = ask(dialect, server, "chat", &asked);
    assert_eq!(told["raised"], Value::Null, "{told}");
    assert_eq!(told["pieces"].is_array(), stream, "{told}");
    told
}

/// A tool as the tests have it.
pub fn tool() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"name": "weather", "description": "The weather of a city.", "parameters": schema})
}

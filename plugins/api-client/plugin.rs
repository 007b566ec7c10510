//! Asks any HTTP API, and gives what it answers.

mod auth;

use crate::{
    run::{Done, Failure, Run},
    web::{
        self, Answer, Method, Request, Web,
        header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use serde_json::{Map, Value};

/// What the client says by itself, or what would make one request two.
const OWN: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "accept-encoding"];

pub fn run<'a>(run: &'a Run, web: &'a Web) -> BoxFuture<'a, Result<Done, Failure>> {
    Box::pin(async move {
        let answer = web.fetch(request(run, web)?).await?;
        let read = tokio::task::spawn_blocking(move || read(&answer)).await;
        read.map_err(|e| Failure::permanent(format!("the answer can't be read: {e}")))
    })
}

fn read(answer: &Answer) -> Done {
    let (body, encoding) = body(answer);
    let mut done =
        Done::with([("status", answer.status.into()), ("headers", told(&answer.headers).into()), ("body", body)]);
    done.outputs.extend(encoding.map(|encoding| ("encoding".to_string(), encoding.into())));
    done
}

fn request(run: &Run, web: &Web) -> Result<Request, Failure> {
    let method = run.text("method")?.to_ascii_uppercase();
    let method: Method = method.parse().map_err(|_| Failure::input(format!("`{method}` is no HTTP method")))?;
    let mut request = Request::new(method, web::parse(run.text("url")?)?);
    for (name, value) in object(run, "query")? {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for value in values {
            request.url.query_pairs_mut().append_pair(&name, &scalar(&format!("query.{name}"), &value)?);
        }
    }
    for (name, value) in object(run, "headers")? {
        let at = format!("headers.{name}");
        let wrong = |why: &str| Failure::input(format!("`{at}` {why}"));
        let header: HeaderName = name.parse().map_err(|_| wrong("is no name of a header"))?;
        if OWN.contains(&header.as_str()) {
            return Err(wrong("is set by the client itself: leave it out"));
        }
        let value: HeaderValue =
            scalar(&at, &value)?.parse().map_err(|_| wrong("has a value that no header may have"))?;
        request.headers.append(header, value);
    }
    let (body, media_type) = match run.inputs.get("body") {
        None | Some(Value::Null) => (None, None),
        Some(Value::String(text)) => (Some(text.clone().into_bytes()), Some("text/plain; charset=utf-8")),
        Some(value) => (Some(value.to_string().into_bytes()), Some("application/json")),
    };
    request.body = body;
    if let Some(media_type) = media_type {
        request.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(media_type));
    }
    if let Some(auth) = run.inputs.get("auth").filter(|auth| !auth.is_null()) {
        auth::add(&mut request, auth, run, web)?;
    }
    Ok(request)
}

fn object(run: &Run, name: &str) -> Result<Map<String, Value>, Failure> {
    match run.inputs.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(_) => Err(Failure::input(format!("`{name}` must be an object"))),
    }
}

fn scalar(at: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(Failure::input(format!("`{at}` must be a text, a number or a boolean"))),
    }
}

/// Headers by name; what is there several times is joined by commas.
fn told(headers: &HeaderMap) -> Map<String, Value> {
    let all = headers.keys().map(|name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (name.to_string(), values.join(", ").into())
    });
    all.collect()
}

/// The body as a value, and `base64` where it had to be written so.
fn body(answer: &Answer) -> (Value, Option<&'static str>) {
    let media_type = answer.media_type();
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    if answer.body.is_empty() {
        return (Value::Null, None);
    }
    if is_json && let Ok(value) = answer.json() {
        return (value, None);
    }
    let is_text = is_json
        || media_type.starts_with("text/")
        || media_type.ends_with("xml")
        || media_type.ends_with("javascript")
        || media_type.ends_with("form-urlencoded")
        || media_type.is_empty() && std::str::from_utf8(&answer.body).is_ok();
    if is_text { (answer.text().into(), None) } else { (STANDARD.encode(&answer.body).into(), Some("base64")) }
}

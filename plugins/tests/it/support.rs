//! Runs verbs against local servers.

use plugins::{
    Done, Failure, Native, Run, Secret,
    web::{Hosts, Web},
};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, sync::Arc};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

/// A client that may talk to these servers, and to nothing else of this machine.
pub fn web(servers: &[&MockServer]) -> Web {
    let hosts: Vec<_> = servers.iter().map(|server| server.address().to_string()).collect();
    Web::new(hosts.join(",").parse().expect("hosts"))
}

/// A client for which every name leads to this machine; it may talk to the names, at one port.
pub fn named(names: &[&str], port: u16) -> Web {
    let hosts: Vec<_> = names.iter().map(|name| format!("{name}:{port}")).collect();
    let hosts: Hosts = hosts.join(",").parse().expect("hosts");
    Web::with_lookup(hosts, Arc::new(|_| Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })))
}

pub fn object(value: Value) -> Run {
    let inputs = value.as_object().expect("an object").clone().into_iter().collect();
    Run { inputs, ..Run::default() }
}

pub fn with_settings(run: Run, settings: Value) -> Run {
    Run { settings: settings.as_object().expect("an object").clone().into_iter().collect(), ..run }
}

pub async fn run(verb: &str, run: &Run, web: &Web) -> Result<Done, Failure> {
    match plugins::native(verb) {
        Some(Native::Online(code)) => code(run, web).await,
        _ => panic!("{verb} asks nobody"),
    }
}

/// What came out, as one value.
pub fn outputs(done: Done) -> Value {
    done.outputs.into_iter().collect::<serde_json::Map<_, _>>().into()
}

/// Whatever is asked at a path gets this answer.
pub async fn answers(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(path(at)).respond_with(answer).mount(server).await;
}

pub async fn page(server: &MockServer, at: &str, html: &str) {
    let answer = ResponseTemplate::new(200).set_body_raw(html, "text/html; charset=utf-8");
    Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(server).await;
}

pub fn redirect(status: u16, to: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("location", to)
}

/// The secret `KEY`, granted for a server.
pub fn granted(host: &str) -> Vec<Secret> {
    vec![Secret { name: "KEY".into(), host: Some(host.into()), value: "s3cret".into() }]
}

/// The examples of a manifest, with a local server where they name one of the internet.
pub fn examples(verb: &str, replaced: &[(&str, &str)]) -> Vec<(Value, Value)> {
    let folder = verb.to_lowercase().replace('_', "-");
    let shipped = plugins::SHIPPED.iter().find(|shipped| shipped.folder == folder).expect("it is shipped");
    let manifest: Value = toml::from_str(shipped.manifest).expect("a manifest");
    let mut text = manifest["examples"].to_string();
    replaced.iter().for_each(|(from, to)| text = text.replace(from, to));
    let all: Value = serde_json::from_str(&text).expect("still JSON");
    let all = all.as_array().expect("examples").iter();
    let all: Vec<_> = all.map(|example| (example["inputs"].clone(), example["outputs"].clone())).collect();
    assert!(!all.is_empty());
    all
}

/// All defaults of a manifest's settings, as the host would fill them in.
pub fn defaults(verb: &str) -> Value {
    let folder = verb.to_lowercase();
    let shipped = plugins::SHIPPED.iter().find(|shipped| shipped.folder == folder).expect("it is shipped");
    let manifest: Value = toml::from_str(shipped.manifest).expect("a manifest");
    let settings = manifest["settings"].as_array().into_iter().flatten();
    let with_default =
        settings.filter_map(|one| Some((one["name"].as_str()?.to_string(), one.get("default")?.clone())));
    json!(with_default.collect::<serde_json::Map<_, _>>())
}

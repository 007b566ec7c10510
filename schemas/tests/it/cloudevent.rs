//! CloudEvents as any client sends them, and our own events as files hold them.

use crate::sample::samples;
use proptest::prelude::*;
use schemas::{
    Value,
    cloudevent::{CloudEvent, Unreadable, from_structured, goal, parse, to_structured},
};
use serde_json::json;

type Headers = Vec<(String, String)>;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

const BINARY: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/test"), ("ce-type", "io.stage7.goal.submitted.v1")];

fn structured() -> Value {
    goal("/test", "1", &json!({"goal": "count"}))
}

/// Binary mode with one header put in place of its like, or (`None`) taken away; a fault as its place.
fn binary(change: Option<(&str, Option<&str>)>, body: &[u8]) -> Result<CloudEvent, String> {
    let mut all = headers(&BINARY);
    if let Some((name, value)) = change {
        all.retain(|(key, _)| key != name);
        all.extend(value.map(|value| (name.to_string(), value.to_string())));
    }
    parse(&all, body).map_err(|fault| fault.at)
}

#[test]
fn binary_mode_is_read_whatever_the_case_of_its_headers() {
    for [specversion, id, source, ty, extension] in [
        ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-correlationid"],
        ["Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type", "Ce-Correlationid"],
        ["CE-SPECVERSION", "CE-ID", "CE-SOURCE", "CE-TYPE", "CE-CORRELATIONID"],
        ["ce-specVersion", "cE-iD", "Ce-sOURCE", "ce-Type", "ce-correlationId"],
    ] {
        let headers = headers(&[
            (specversion, "1.0"),
            (id, "7"),
            (source, "/caf%C3%A9%20%22x%22"),
            (ty, "a.b"),
            (extension, "50%25%zz%+1%"),
            ("Content-Type", "application/json; charset=UTF-8"),
            ("ce-time", "2026-03-02T09:15:04.25+01:00"),
            ("Nats-Msg-Id", "7"),
        ]);
        let event = parse(&headers, "{\"n\": [1, \"ä\"]}".as_bytes()).expect("a good event");
        assert_eq!((event.id.as_str(), event.source.as_str(), event.ty.as_str()), ("7", "/café \"x\"", "a.b"));
        assert_eq!(event.data, json!({"n": [1, "ä"]}));
        assert_eq!(event.extension("correlationid"), Some("50%%zz%+1%"), "what is no code stays");
        assert_eq!(event.extensions.len(), 1, "{:?}", event.extensions);
    }
}

#[test]
fn a_header_given_twice_counts_once_and_as_checked() {
    let mut all = headers(&BINARY);
    all.extend(headers(&[("CE-ID", ""), ("Ce-Type", "other")]));
    let event = parse(&all, b"{}").expect("the first of each is good");
    assert_eq!((event.id.as_str(), event.ty.as_str()), ("1", BINARY[3].1));
}

#[test]
fn structured_mode_is_read_with_and_without_its_content_type() {
    let mut value = structured();
    value["traceparent"] = json!("00-ab-cd-01");
    value["retries"] = json!(3);
    value["urgent"] = json!(true);
    value["comexampleother"] = Value::Null;
    let body = value.to_string();
    let with = headers(&[("content-TYPE", "application/CloudEvents+json; charset=utf-8")]);
    for headers in [vec![], with, headers(&[("Nats-Msg-Id", "1")]), headers(&[("content-type", "application/json")])] {
        let event = parse(&headers, body.as_bytes()).expect("a good event");
        assert_eq!((event.id.as_str(), event.source.as_str(), event.ty.as_str()), ("1", "/test", schemas::goal::TYPE));
        assert_eq!(event.data, json!({"goal": "count"}));
        let extensions: Vec<_> = event.extensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(extensions, [("retries", "3"), ("traceparent", "00-ab-cd-01"), ("urgent", "true")]);
    }
}

#[test]
fn data_may_be_any_json_absent_or_base64() {
    for data in [json!(null), json!(1.5), json!("text"), json!([{}])] {
        let mut value = structured();
        value["data"] = data.clone();
        assert_eq!(parse(&[], value.to_string().as_bytes()).map(|event| event.data), Ok(data.clone()));
        assert_eq!(binary(None, data.to_string().as_bytes()).map(|event| event.data), Ok(data));
    }
    assert_eq!(binary(None, b"").map(|event| event.data), Ok(Value::Null));
    let mut value = structured();
    let object = value.as_object_mut().expect("an object");
    object.remove("data");
    assert_eq!(parse(&[], json!(object).to_string().as_bytes()).map(|event| event.data), Ok(Value::Null));
    for content_type in ["application/json", "application/octet-stream"] {
        object.insert("data_base64".into(), json!("eyJnb2FsIjoiY291bnQifQ=="));
        object.insert("datacontenttype".into(), json!(content_type));
        assert_eq!(
            parse(&[], json!(object).to_string().as_bytes()).map(|event| event.data),
            Ok(json!({"goal": "count"}))
        );
    }
}

#[test]
fn faults_of_structured_mode_have_their_place() {
    for (body, at) in [
        ("", ""),
        ("goal: count", ""),
        ("{\"specversion\": \"1.0\"", ""),
        ("[]", ""),
        ("\"x\"", ""),
        ("null", ""),
        ("{}", "/specversion"),
    ] {
        assert_eq!(parse(&[], body.as_bytes()).map_err(|fault| fault.at), Err(at.into()), "{body}");
    }
    assert_eq!(parse(&[], b"\xff\xfe").map_err(|fault| fault.at), Err(String::new()));
    for (set, to, at) in [
        ("specversion", None, "/specversion"),
        ("specversion", Some(json!("0.3")), "/specversion"),
        ("specversion", Some(json!("1.1")), "/specversion"),
        ("specversion", Some(json!(1.0)), "/specversion"),
        ("id", None, "/id"),
        ("id", Some(json!("")), "/id"),
        ("id", Some(json!(" ")), "/id"),
        ("id", Some(json!(7)), "/id"),
        ("id", Some(json!(null)), "/id"),
        ("source", None, "/source"),
        ("source", Some(json!({})), "/source"),
        ("type", None, "/type"),
        ("type", Some(json!("")), "/type"),
        ("time", Some(json!("yesterday")), "/time"),
        ("time", Some(json!(1_772_442_904)), "/time"),
        ("shade", Some(json!(0.5)), "/shade"),
        ("shade", Some(json!({"of": "grey"})), "/shade"),
        ("data_base64", Some(json!("e30=")), "/data_base64"),
    ] {
        let mut value = structured();
        let object = value.as_object_mut().expect("an object");
        match to {
            Some(to) => object.insert(set.into(), to),
            None => object.remove(set),
        };
        assert_eq!(parse(&[], value.to_string().as_bytes()).map_err(|fault| fault.at), Err(at.into()), "{value}");
    }
    for (field, data, content_type, at) in [
        ("data_base64", json!("not base64!"), "application/json", "/data_base64"),
        ("data_base64", json!(7), "application/json", "/data_base64"),
        ("data_base64", json!("//4="), "application/octet-stream", "/data"),
        ("data", json!("count it"), "text/plain", "/data"),
    ] {
        let mut value = structured();
        let object = value.as_object_mut().expect("an object");
        object.remove("data");
        object.insert(field.into(), data);
        object.insert("datacontenttype".into(), json!(content_type));
        assert_eq!(parse(&[], value.to_string().as_bytes()).map_err(|fault| fault.at), Err(at.into()), "{value}");
    }
}

#[test]
fn faults_of_binary_mode_have_their_place() {
    for (name, value, at) in [
        ("ce-specversion", None, "/specversion"),
        ("ce-specversion", Some("0.3"), "/specversion"),
        ("ce-specversion", Some("1.1"), "/specversion"),
        ("ce-id", None, "/id"),
        ("ce-id", Some(""), "/id"),
        ("ce-id", Some("%20"), "/id"),
        ("ce-source", None, "/source"),
        ("ce-type", Some(" "), "/type"),
        ("ce-time", Some("yesterday"), "/time"),
        ("content-type", Some("application/cloudevents-batch+json"), ""),
    ] {
        assert_eq!(binary(Some((name, value)), b"{}"), Err(at.into()), "{name}: {value:?}");
    }
    for body in [b"{".as_slice(), b"goal: count", b"{} {}", b"\xff\xfe"] {
        assert_eq!(binary(None, body), Err("/data".into()), "{body:?}");
    }
}

#[test]
fn a_batch_is_refused() {
    let batch = json!([structured()]).to_string();
    let fault = parse(&headers(&[("Content-Type", "application/cloudevents-batch+json")]), batch.as_bytes())
        .expect_err("a batch");
    assert!(fault.at.is_empty() && fault.message.contains("one by one"), "{fault}");
}

#[test]
fn our_own_events_survive_structured_mode() {
    for sample in samples() {
        let event = sample.event();
        let line = to_structured(&event);
        assert_eq!(from_structured(&line), Ok(event.clone()), "{}", sample.name);
        let read = parse(&headers(&[("content-type", "application/cloudevents+json")]), line.to_string().as_bytes())
            .expect("a CloudEvent");
        assert_eq!((read.id, read.data), (event.id.to_string(), event.fact.to_value()), "{}", sample.name);
        assert_eq!(read.extensions["correlationid"], event.mission.to_string(), "{}", sample.name);
    }
}

#[test]
fn what_an_event_may_lack_it_may_lack() {
    let mut event = samples().first().expect("samples").event();
    (event.causation, event.basis, event.part, event.traceparent, event.authid) = (None, None, None, None, None);
    event.worker_version.clear();
    assert_eq!(from_structured(&to_structured(&event)), Ok(event));
}

#[test]
fn unknown_lines_are_told_from_malformed_ones() {
    let all = samples();
    let of = |name: &str| to_structured(&all.iter().find(|sample| sample.name == name).expect("a sample").event());
    for ty in
        ["io.stage7.step.failed.v2", "io.stage7.moon.landed.v1", "com.example.else", "io.stage7.goal.submitted.v1"]
    {
        let mut line = of("step.failed.v1");
        line["type"] = json!(ty);
        line["data"] = json!(["of", "another", "shape"]);
        assert_eq!(from_structured(&line), Err(Unreadable::Unknown(ty.into())));
    }
    for (name, set, to, at) in [
        ("step.failed.v1", "data", json!({"step": "a"}), "/data"),
        ("step.failed.v1", "data", json!(null), "/data"),
        ("step.failed.v1", "id", json!("x"), "/id"),
        ("step.failed.v1", "time", json!(null), "/time"),
        ("step.failed.v1", "time", json!("noon"), "/time"),
        ("step.failed.v1", "source", json!("/stage7/acme-1"), "/source"),
        ("step.failed.v1", "source", json!("/stage7/acme-1/control/x"), "/source"),
        ("step.failed.v1", "source", json!("/stage7/ACME/control"), "/source"),
        ("step.failed.v1", "source", json!("/stage7/acme-1/nobody"), "/source"),
        ("step.failed.v1", "source", json!("/stage7/acme-1/brain"), "/source"),
        ("step.failed.v1", "correlationid", json!(null), "/correlationid"),
        ("step.failed.v1", "correlationid", json!("1"), "/correlationid"),
        ("step.failed.v1", "causationid", json!("1"), "/causationid"),
        ("step.failed.v1", "sequence", json!("-1"), "/sequence"),
        ("step.failed.v1", "basis", json!("x"), "/basis"),
        ("step.failed.v1", "part", json!("2"), "/part"),
        ("step.failed.v1", "part", json!("3/2"), "/part"),
        ("step.failed.v1", "part", json!("0/2"), "/part"),
        ("step.cancelled.v1", "step", json!(null), "/step"),
        ("llm.failed.v1", "requester", json!("nobody"), "/requester"),
        ("llm.failed.v1", "request", json!(null), "/request"),
        ("llm.failed.v1", "specversion", json!("0.3"), "/specversion"),
    ] {
        let mut line = of(name);
        line[set] = to;
        match from_structured(&line) {
            Err(Unreadable::Malformed(fault)) => assert_eq!(fault.at, at, "{line}"),
            other => panic!("{set} of {line}: {other:?}"),
        }
    }
    assert!(matches!(from_structured(&json!([])), Err(Unreadable::Malformed(_))));
}

/// Header names and values close to what is read, so that chance gets beyond the first check.
fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        "(?i)ce-(specversion|id|source|type|time|dataschema|subject|datacontenttype|x)",
        Just("Content-Type".to_string()),
        ".{0,12}",
    ];
    let value = prop_oneof![
        Just("1.0".to_string()),
        "(%[0-9a-f+]{0,2}|ä|x){0,6}",
        "application/(json|cloudevents(-batch)?(\\+json)?)",
        ".{0,20}"
    ];
    (name, value)
}

proptest! {
    #[test]
    fn parsing_never_panics(headers in proptest::collection::vec(header(), 0..9), body in proptest::collection::vec(any::<u8>(), 0..64), good: bool) {
        let mut all = headers;
        if good {
            all.splice(0..0, self::headers(&BINARY));
        }
        let _ = parse(&all, &body);
    }

    #[test]
    fn parsing_a_damaged_line_never_panics(row in 0..1000_usize, at: usize, with: char) {
        let all = samples();
        let mut line: Vec<char> = to_structured(&all[row % all.len()].event()).to_string().chars().collect();
        let at = at % line.len();
        line[at] = with;
        let line: String = line.into_iter().collect();
        let _ = parse(&[], line.as_bytes());
        if let Ok(value) = serde_json::from_str(&line) {
            let _ = from_structured(&value);
        }
    }

    #[test]
    fn any_text_in_a_header_is_read_as_it_was_written(text in "\\PC{1,20}") {
        let coded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let event = binary(Some(("ce-x", Some(&coded))), b"{}").expect("a good event");
        prop_assert_eq!(event.extension("x"), Some(text.as_str()));
    }
}

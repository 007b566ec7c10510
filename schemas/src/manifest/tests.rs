use super::*;
use serde_json::json;

fn good() -> Value {
    json!({
        "name": "COUNT_WORDS", "version": "1.0.0", "description": "Counts.", "publisher": "stage7",
        "runtime": "python", "entry": "main.py", "literal": ["text"],
        "input": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
        "output": {"type": "object", "properties": {"words": {"type": "integer"}}},
        "examples": [{"description": "one", "inputs": {"text": "a"}, "outputs": {"words": 1}}],
    })
}

#[test]
fn a_manifest_becomes_a_verb() {
    let manifest = Manifest::from_value(&good()).expect("nothing is wrong with it");
    assert_eq!(manifest.limits, Limits::default());
    let verb = manifest.verb();
    assert_eq!((verb.runner, verb.runtime.as_str(), verb.files), (Runner::Capability, "python", None));
    let agent = Manifest { runtime: Runtime::Agent, ..manifest };
    assert_eq!(agent.verb().runner, Runner::Agent);
}

#[test]
fn every_fault_has_its_place() {
    let cases: &[(&str, Value, &str)] = &[
        ("/name", json!("count words"), "/name"),
        ("/version", json!("1.0"), "/version"),
        ("/version", json!("01.0.0"), "/version"),
        ("/description", json!(7), "/description"),
        ("/runtime", json!("perl"), "/runtime"),
        ("/surprise", json!(1), "/surprise"),
        ("/limits", json!({"secnds": 1}), "/limits/secnds"),
        ("/entry", Value::Null, "/entry"),
        ("/entry", json!("../main.py"), "/entry"),
        ("/runtime", json!("native"), "/entry"),
        ("/own_process", json!(true), "/own_process"),
        ("/literal", json!(["txt"]), "/literal/0"),
        ("/limits", json!({"seconds": 0}), "/limits/seconds"),
        ("/permissions", json!({"files": {"read": ["path"]}}), "/permissions/files/read/0"),
        ("/permissions", json!({"files": {"written": ["words"]}}), "/permissions/files/written"),
        ("/permissions", json!({"network": ["*.example.org"]}), "/permissions/network/0"),
        ("/permissions", json!({"network": ["*"]}), "/permissions/network/0"),
        ("/permissions", json!({"secrets": ["KEY", "*"]}), "/permissions/secrets/1"),
        ("/permissions", json!({"network": ["a.example", "10.0.0.1"]}), "/permissions/network/1"),
        ("/permissions", json!({"network": ["localhost"]}), "/permissions/network/0"),
        ("/permissions", json!({"network": ["https://a.example"]}), "/permissions/network/0"),
        ("/permissions", json!({"network": ["a.example:0"]}), "/permissions/network/0"),
        ("/permissions", json!({"env": ["A-B"]}), "/permissions/env/0"),
        ("/permissions", json!({"env": ["PATH"]}), "/permissions/env/0"),
        ("/permissions", json!({"env": ["KEY"], "secrets": ["KEY"]}), "/permissions/env/0"),
        ("/permissions", json!({"secrets": ["GOOD", "api_key"]}), "/permissions/secrets/1"),
        ("/permissions", json!({"secrets": ["HOME"]}), "/permissions/secrets/0"),
        ("/settings", json!([{"name": "API key", "type": "string"}]), "/settings/0/name"),
        ("/settings", json!([{"name": "a", "type": "text"}]), "/settings/0/type"),
        ("/settings", json!([{"name": "a", "type": "choice"}]), "/settings/0/choices"),
        ("/settings", json!([{"name": "a", "type": "string", "choices": ["x"]}]), "/settings/0/choices"),
        ("/settings", json!([{"name": "a", "type": "secret", "default": "x"}]), "/settings/0/default"),
        (
            "/settings",
            json!([{"name": "a", "type": "choice", "choices": ["x"], "default": "y"}]),
            "/settings/0/default",
        ),
        ("/settings", json!([{"name": "a", "type": "number", "default": "1"}]), "/settings/0/default"),
        ("/settings", json!([{"name": "a", "type": "string"}, {"name": "a", "type": "number"}]), "/settings"),
        ("/input", json!({"type": "string"}), "/input/type"),
        ("/input/properties/text/type", json!("strin"), "/input/properties/text/type"),
        ("/output", json!({"type": "object", "$ref": "http://example.org/x.json"}), "/output"),
        ("/examples/0/outputs", json!({"words": "one"}), "/examples/0/outputs/words"),
    ];
    for (set, to, at) in cases {
        let mut value = good();
        let (parent, key) = set.rsplit_once('/').expect("a pointer");
        value
            .pointer_mut(parent)
            .expect("it is there")
            .as_object_mut()
            .expect("an object")
            .insert(key.into(), to.clone());
        let found = Manifest::from_value(&value).expect_err(set);
        assert!(found.iter().any(|f| f.at == *at), "{set} = {to}: {found:?}");
    }
}

#[test]
fn native_code_may_ask_for_any_host_and_what_it_was_granted() {
    let mut value = good();
    value["runtime"] = json!("native");
    value.as_object_mut().expect("an object").remove("entry");
    value["permissions"] = json!({"network": ["*"], "secrets": ["*"]});
    assert!(Manifest::from_value(&value).is_ok());
    value["permissions"] = json!({"network": ["*.example.org"]});
    assert_eq!(Manifest::from_value(&value).expect_err("not a wildcard")[0].at, "/permissions/network/0");
}

#[test]
fn a_field_that_is_unknown_is_told_what_is_known() {
    let mut value = good();
    value["examples"][0]["output"] = json!({});
    value["permissions"] = json!({"files": {"wirte": true}});
    let found = Manifest::from_value(&value).expect_err("two fields are unknown");
    let found: BTreeMap<_, _> = found.iter().map(|fault| (fault.at.as_str(), fault.message.as_str())).collect();
    assert_eq!(found["/examples/0/output"], "there is no such field; known are description, files, inputs, outputs");
    assert_eq!(found["/permissions/files/wirte"], "there is no such field; known are read, read_all, write, written");
}

#[test]
fn all_faults_are_reported_at_once() {
    let mut value = good();
    value["name"] = json!("x");
    value["version"] = json!("y");
    value["runtime"] = json!("z");
    let found = Manifest::from_value(&value).expect_err("three things are wrong");
    let mut at: Vec<_> = found.iter().map(|f| f.at.as_str()).collect();
    at.sort_unstable();
    assert_eq!(at, ["/name", "/runtime", "/version"]);
}

//! Tools: offered, called, alone and several at once, beside a schema, and their results.

use crate::speak::{DIALECTS, OK, Talk, every, provider, server};
use brain::provider::{Kind, Tool};
use model_servers::{Call, Dialect, Reply};
use schemas::{Value, agent::ToolCall};
use serde_json::json;

fn tool(name: &str) -> Tool {
    let input = json!({"type": "object", "required": ["query"], "oneOf": [{"required": ["query"]}],
        "properties": {"query": {"type": "string", "pattern": "\\S"}, "deep": {"type": "boolean", "default": false}}});
    Tool { name: name.into(), description: "Finds pages of the web.".into(), input }
}

fn talk() -> Talk {
    Talk { tools: vec![tool("SEARCH"), tool("SCRAPE_2")], ..Talk::new("Where is the cow?") }
}

fn knows_tools(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::LlamaCpp | Dialect::Tgi)
}

/// Calls as a model of that dialect makes them: where there are none, the first, as the grammar wants it.
fn calls(dialect: Dialect, text: &str, queries: &[&str]) -> Reply {
    let input = |query: &str| json!({"query": query});
    if knows_tools(dialect) {
        let tools = queries.iter().map(|query| model_servers::Tool::new("SEARCH", input(query)));
        return Reply::tools(text, tools.collect());
    }
    Reply::text(json!({"tool": "SEARCH", "input": input(queries[0])}).to_string())
}

/// An answer, where there could have been a call.
fn answer(dialect: Dialect, text: &Value) -> String {
    if knows_tools(dialect) {
        return text.as_str().map_or_else(|| text.to_string(), String::from);
    }
    json!({"answer": text}).to_string()
}

/// Would the grammar that was asked for let the model say that?
fn held(call: &Call, said: &str) -> bool {
    let schema = call.schema.as_ref().unwrap_or_else(|| panic!("no grammar: {}", call.body));
    jsonschema::validator_for(schema).unwrap().is_valid(&serde_json::from_str(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_and_its_result_is_read() {
    every("tools, their results", async |dialect, name| {
        let server = server(dialect, move |call| match call.text.contains("behind the barn") {
            true => Reply::text(answer(dialect, &json!("Behind the barn: ünïcödé."))),
            false => calls(dialect, "", &["cow"]),
        });
        let (provider, mut talk) = (provider(name, &server), talk());
        let (reply, pieces) = talk.with(&provider).await;
        let reply = reply.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let [ToolCall { id, name: called, input, .. }] = &reply.calls[..] else { panic!("{name}: {reply:?}") };
        assert_eq!((called.as_str(), input, id.is_empty()), ("SEARCH", &json!({"query": "cow"}), false), "{name}");
        assert_eq!((reply.text.as_str(), pieces.concat().as_str()), ("", ""), "{name}: no call is heard as text");
        let asked = server.calls().pop().unwrap();
        if knows_tools(dialect) {
            assert_eq!(asked.tools, ["SEARCH", "SCRAPE_2"], "{name}");
        } else {
            assert!(asked.text.contains("SCRAPE_2: Finds pages of the web."), "{name}: {}", asked.text);
            assert!(held(&asked, r#"{"tool": "SCRAPE_2", "input": {"query": "cow"}}"#), "{name}");
            assert!(held(&asked, r#"{"answer": "no"}"#) && !held(&asked, r#"{"tool": "NONE", "input": {}}"#), "{name}");
        }
        talk.told(&reply, &[(0, "It is behind the barn.")]);
        let (reply, pieces) = talk.with(&provider).await;
        let reply = reply.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!((reply.text.as_str(), reply.calls.len()), ("Behind the barn: ünïcödé.", 0), "{name}");
        assert_eq!(pieces.concat(), reply.text, "{name}");
        let told = server.calls().pop().unwrap();
        assert_eq!(told.results, usize::from(knows_tools(dialect)), "{name}: {}", told.body);
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_come_with_text_and_all_at_once_each_with_an_id_of_its_own() {
    every("parallel calls, text", async |dialect, name| {
        let server = server(dialect, move |call| match call.text.contains("third") {
            true => Reply::text(answer(dialect, &json!("Found."))),
            false => calls(dialect, "I look.", &["cow", "cow"]),
        });
        let (provider, mut talk) = (provider(name, &server), talk());
        if !knows_tools(dialect) {
            assert_eq!(talk.well(name, &provider).await.calls.len(), 1, "{name}");
            return "has none: its grammar lets it make one call at a time".into();
        }
        let mut ids = Vec::new();
        for (first, second) in [("one", "two"), ("the third", "four")] {
            let reply = talk.well(name, &provider).await;
            assert_eq!((reply.text.as_str(), reply.calls.len()), ("I look.", 2), "{name}: {reply:?}");
            ids.extend(reply.calls.iter().map(|call| call.id.clone()));
            // Whoever is done first is told first.
            talk.told(&reply, &[(1, second), (0, first)]);
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4, "{name}: {ids:?}");
        assert_eq!(talk.well(name, &provider).await.text, "Found.", "{name}");
        let told = server.calls().pop().unwrap().text;
        assert!(told.find("one") < told.find("two"), "{name}: results come in the order of the calls: {told}");
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_thought_comes_back_to_it_with_its_calls() {
    every("thoughts sent back", async |dialect, name| {
        let model = match dialect {
            Dialect::Gemini => "gemini-3-flash",
            Dialect::Anthropic => "claude-that-thinks",
            _ => return "has none: the server keeps its thoughts to itself".into(),
        };
        let server = server(dialect, move |call| match call.results {
            0..=3 => calls(dialect, "I look.", &["cow", "bell"]),
            _ => Reply::text("Found."),
        });
        let (provider, mut talk) = (provider(name, &server), Talk { model, ..talk() });
        for _ in 0..2 {
            let reply = talk.well(name, &provider).await;
            assert!(reply.calls[0].signature.is_some() && reply.calls[1].signature.is_none(), "{name}: {reply:?}");
            talk.told(&reply, &[(0, "one"), (1, "two")]);
        }
        assert_eq!(talk.well(name, &provider).await.text, "Found.", "{name}");
        OK.into()
    })
    .await;
}

/// Where one fails, the next goes on with what was said so far: its ids and signatures are another's.
#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_on_with_any_other_model() {
    let model = |dialect| match dialect {
        Dialect::Gemini => "gemini-4-argon",
        Dialect::Anthropic => "claude-that-thinks",
        _ => "test-model-1",
    };
    let mut begun = Vec::new();
    for (dialect, name) in DIALECTS {
        let server = server(dialect, move |_| calls(dialect, "I look.", &["cow", "bell"]));
        let mut talk = Talk { model: model(dialect), ..talk() };
        let reply = talk.well(name, &provider(name, &server)).await;
        let results: Vec<_> = (0..reply.calls.len()).map(|which| (which, "found")).collect();
        talk.told(&reply, &results);
        begun.push((name, talk));
    }
    for (dialect, name) in DIALECTS {
        let server = server(dialect, move |_| Reply::text(answer(dialect, &json!("Found."))));
        let provider = provider(name, &server);
        for (before, talk) in &begun {
            // One that thinks wants thoughts of its own only.
            let model = if dialect == Dialect::Anthropic { "claude" } else { model(dialect) };
            let talk = Talk { model, ..talk.clone() };
            assert_eq!(talk.well(&format!("{before}, then {name}"), &provider).await.text, "Found.");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_fits_its_schema_where_tools_might_be_called() {
    let closed = json!({"type": "object", "additionalProperties": false, "required": ["n"], "properties": {"n": {"type": "integer"}}});
    let open = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    let list = json!({"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "integer"}}});
    every("tools and a schema", async |dialect, name| {
        for (schema, value) in [(&closed, json!({"n": 7})), (&open, json!({"n": 7})), (&list, json!([7]))] {
            let given = value.clone();
            let server = server(dialect, move |call| {
                // The tool for the answer is called otherwise than the one of the test.
                let own = call.tools.iter().find(|tool| tool.starts_with("answer") && *tool != "answer");
                match own {
                    Some(own) if given.is_array() => Reply::tool(own, json!({"answer": given})),
                    Some(own) => Reply::tool(own, given.clone()),
                    None => Reply::text(answer(dialect, &given)),
                }
            });
            let tools = vec![tool("SEARCH"), tool("answer")];
            let talk = Talk { schema: Some(schema.clone()), tools, ..talk() };
            let reply = talk.well(name, &provider(name, &server)).await;
            assert_eq!(
                (serde_json::from_str::<Value>(&reply.text).ok(), reply.calls.len()),
                (Some(value.clone()), 0),
                "{name}"
            );
            let asked = server.calls().pop().unwrap();
            match (knows_tools(dialect), dialect) {
                (false, _) => {
                    assert!(held(&asked, &answer(dialect, &value)) && !held(&asked, r#"{"answer": "x"}"#), "{name}");
                }
                (true, Dialect::Anthropic) if schema == &closed => {
                    assert_eq!((asked.tools.len(), &asked.schema), (2, &Some(closed.clone())), "{name}");
                }
                (true, _) => assert_eq!((asked.tools.len(), &asked.schema), (3, &None), "{name}"),
            }
            let calls_first = self::server(dialect, move |_| calls(dialect, "", &["cow"]));
            assert_eq!(talk.well(name, &provider(name, &calls_first)).await.calls.len(), 1, "{name}");
        }
        OK.into()
    })
    .await;
}

/// The model is shown what it wrote, and nobody takes it for inputs that it did not write.
#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_no_json_stay_what_they_are() {
    const WRITTEN: &str = "{\"query\": cow}";
    for (dialect, name) in DIALECTS {
        let garbled = || Reply::tools("", vec![model_servers::Tool::garbled("SEARCH", WRITTEN)]);
        let server = server(dialect, move |call| if call.results > 0 { Reply::text("Sorry.") } else { garbled() });
        let (provider, mut talk) = (provider(name, &server), talk());
        let reply = match talk.with(&provider).await.0 {
            Ok(reply) => reply,
            Err(failure) => {
                // Gemini ends such an answer itself; a grammar would not have let it through.
                assert!(dialect == Dialect::Gemini || !knows_tools(dialect), "{name}: {failure:?}");
                assert_eq!(failure.kind, Kind::Garbled, "{name}");
                continue;
            }
        };
        assert_eq!(reply.calls[0].input, json!(WRITTEN), "{name}");
        talk.told(&reply, &[(0, "The inputs are no JSON.")]);
        assert_eq!(talk.well(name, &provider).await.text, "Sorry.", "{name}");
        assert!(server.calls().pop().unwrap().body.to_string().contains("unreadable"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_without_its_call_is_refused_before_anybody_is_asked() {
    for (dialect, name) in DIALECTS {
        let server = server(dialect, |_| Reply::text("x"));
        let mut talk = talk();
        let call = ToolCall { id: "a".into(), name: "SEARCH".into(), input: json!({}), signature: None };
        let reply = brain::provider::Reply { text: String::new(), calls: vec![call], usage: Default::default() };
        talk.told(&reply, &[(0, "found"), (0, "found")]);
        let failure = talk.with(&provider(name, &server)).await.0.unwrap_err();
        assert!(
            failure.kind == Kind::Rejected && failure.message.contains("message 5: the result of `a`"),
            "{failure:?}"
        );
        assert!(server.calls().iter().all(|call| call.purpose == model_servers::Purpose::Listing), "{name}");
    }
}

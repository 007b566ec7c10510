//! What people say about a mission.

use crate::fixture::{World, code};
use schemas::{
    Writer,
    control::{MissionAborted, MissionCompleted, MissionFailed, MissionPaused, MissionRetried, StepCancelled},
    decider::Stuck,
    fault::Class,
    value::sha256,
};
use serde_json::{Value, json};

async fn said(world: &World, mission: &str, kind: &str) -> Vec<Value> {
    let events = world.read(json!({"mission": mission})).await;
    let events = events["events"].as_array().unwrap_or_else(|| panic!("{events}"));
    let its =
        |event: &&Value| event["type"] == format!("io.stage7.{kind}.v1") && event["source"] == "/stage7/default/user";
    events.iter().filter(its).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_answered_with_what_is_wrong() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "x"})).await;
    for (word, body, wanted, at) in [
        ("pause.wished", json!({}), "unknown_command", ""),
        ("mission.completed", json!({}), "unknown_command", ""),
        ("pause.requested", json!([]), "invalid_data", ""),
        ("pause.requested", json!({"reason": 1}), "invalid_data", "/reason"),
        ("pause.requested", json!({"reason": " "}), "invalid_data", "/reason"),
        ("pause.requested", json!({"why": "x"}), "invalid_data", ""),
        ("message.said", json!({}), "invalid_data", ""),
        ("message.said", json!({"text": "a\u{1}"}), "invalid_data", "/text"),
        ("message.said", json!({"text": "x", "agent": "coder-1"}), "invalid_data", ""),
        ("question.answered", json!({"question": "x", "answer": 1}), "invalid_data", "/question"),
        ("question.answered", json!({"question": "0".repeat(32), "answer": 1}), "unknown_question", "/question"),
        ("question.dismissed", json!({"question": "0".repeat(32)}), "unknown_question", "/question"),
        ("budget.raised", json!({}), "invalid_data", ""),
        ("budget.raised", json!({"max_cost_usd": -1}), "invalid_data", "/max_cost_usd"),
        ("budget.raised", json!({"max_calls": 1.5}), "invalid_data", "/max_calls"),
        ("file.added", json!({"path": "a"}), "invalid_data", ""),
        ("file.removed", json!({"path": "../a"}), "invalid_data", "/path"),
        ("decider.retried", json!({"decider": "nobody"}), "invalid_data", "/decider"),
        ("decider.retried", json!({"decider": "control"}), "not_stuck", ""),
        ("retry.requested", json!({}), "not_failed", ""),
        ("resume.requested", json!({}), "not_paused", ""),
        (
            "pause.requested",
            json!({"specversion": "1.0", "id": "1", "source": "/t", "type": "io.stage7.abort.requested.v1"}),
            "invalid_event",
            "/type",
        ),
        (
            "pause.requested",
            json!({"specversion": "0.3", "id": "1", "source": "/t", "type": "x"}),
            "invalid_event",
            "/specversion",
        ),
    ] {
        let answer = world.say(&mission, word, body.clone()).await;
        assert_eq!((code(&answer), &answer["error"]["at"]), (wanted, &json!(at)), "{word} {body}: {answer}");
    }
    let subject = format!("stage7.user.default.{mission}.pause.requested");
    assert_eq!(code(&world.ask_raw(&subject, "{").await), "invalid_json");
    assert_eq!(code(&world.say(&"0".repeat(32), "pause.requested", json!({})).await), "unknown_mission");
    assert_eq!(code(&world.say("nonsense", "pause.requested", json!({})).await), "unknown_mission");
    let events = world.read(json!({"mission": mission})).await;
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "nothing of it is in the log: {events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_is_said_once_and_another_is_another() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "x"})).await;
    let event = |id: &str| json!({"specversion": "1.0", "id": id, "source": "/t", "type": "io.stage7.message.said.v1", "data": {"text": "hello"}});
    let first = world.say(&mission, "message.said", event("1")).await;
    assert!(first["seq"].is_u64() && first["id"].is_string(), "{first}");
    assert_eq!(world.say(&mission, "message.said", event("1")).await, first);
    assert_ne!(world.say(&mission, "message.said", event("2")).await["id"], first["id"]);
    for _ in 0..2 {
        assert!(world.say(&mission, "message.said", json!({"text": "hello"})).await["seq"].is_u64());
    }
    // Many at once: each finds its place.
    let all = (0..20).map(|n| world.say(&mission, "message.said", event(&format!("many {}", n % 10))));
    let answers = futures::future::join_all(all).await;
    assert!(answers.iter().all(|answer| answer["seq"].is_u64()), "{answers:?}");
    let said = said(&world, &mission, "message.said").await;
    assert_eq!(said.len(), 14);
    let who = said[0]["authid"].as_str().unwrap();
    assert!(who.starts_with('U') && who.len() == 56, "the server tells whose key asked: {who}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_makes_sense_once_and_resuming_after_it() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "x"})).await;
    let ask = |word: &'static str| world.say(&mission, word, json!({}));
    assert!(ask("pause.requested").await["seq"].is_u64());
    assert_eq!(code(&ask("pause.requested").await), "already_paused");
    world.word(&mission, Writer::Control, MissionPaused {}).await;
    assert_eq!(code(&ask("pause.requested").await), "already_paused");
    assert!(ask("resume.requested").await["seq"].is_u64());
    assert_eq!(code(&ask("resume.requested").await), "not_paused");
    assert!(ask("pause.requested").await["seq"].is_u64());

    world
        .word(
            &mission,
            Writer::Control,
            MissionFailed { class: Class::Permanent, message: "no".into(), steps: vec!["a".into()], faults: vec![] },
        )
        .await;
    assert_eq!(code(&ask("pause.requested").await), "ended");
    let retry = |data: Value| world.say(&mission, "retry.requested", data);
    assert_eq!(code(&retry(json!({"step": "b"})).await), "unknown_step");
    assert!(retry(json!({"step": "a"})).await["seq"].is_u64());
    assert!(world.say(&mission, "budget.raised", json!({"max_calls": 5})).await["seq"].is_u64());
    world.word(&mission, Writer::Control, MissionRetried { steps: vec!["a".into()] }).await;
    assert!(ask("pause.requested").await["seq"].is_u64());
    assert!(ask("abort.requested").await["seq"].is_u64());
    world.word(&mission, Writer::Control, MissionAborted { reason: None }).await;
    for word in ["pause.requested", "resume.requested", "abort.requested", "retry.requested"] {
        assert_eq!(code(&ask(word).await), "ended", "{word}");
    }
    assert_eq!(code(&world.say(&mission, "message.said", json!({"text": "hello?"})).await), "ended");
    world.word(&mission, Writer::Agent, Stuck { message: "x".into(), at: 1 }).await;
    assert!(world.say(&mission, "decider.retried", json!({"decider": "agent"})).await["seq"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_takes_one_answer_that_fits() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "x"})).await;
    let answer = |question, answer: Value| {
        world.say(&mission, "question.answered", json!({"question": question, "answer": answer}))
    };
    let choice = world.question(&mission, json!({"type": "choice", "choices": ["tea", "coffee"]})).await;
    let wrong = answer(choice, json!("milk")).await;
    assert_eq!((code(&wrong), &wrong["error"]["at"]), ("invalid_answer", &json!("/answer")), "{wrong}");
    assert!(answer(choice, json!("TEA")).await["seq"].is_u64());
    assert_eq!(code(&answer(choice, json!("coffee")).await), "closed_question");
    assert_eq!(code(&world.say(&mission, "question.dismissed", json!({"question": choice})).await), "closed_question");
    assert_eq!(said(&world, &mission, "question.answered").await[0]["data"]["answer"], "tea");

    let number = world.question(&mission, json!({"type": "number"})).await;
    assert!(answer(number, json!("12")).await["seq"].is_u64());
    let boolean = world.question(&mission, json!({"type": "boolean"})).await;
    assert!(answer(boolean, json!("yes")).await["seq"].is_u64());
    let given = said(&world, &mission, "question.answered").await;
    assert_eq!((&given[1]["data"]["answer"], &given[2]["data"]["answer"]), (&json!(12), &json!(true)));

    // What mission-control asks is about the budget: to raise it takes figures.
    let budget = world.question(&mission, json!({"agent": null, "type": "choice", "choices": ["raise", "stop"]})).await;
    let refused = answer(budget, json!("raise")).await;
    assert!(refused["error"]["message"].as_str().is_some_and(|why| why.contains("stage7 mission raise")), "{refused}");
    assert!(answer(budget, json!("stop")).await["seq"].is_u64());

    let expired = world.question(&mission, json!({"expires": "2020-01-01T00:00:00.000Z"})).await;
    assert_eq!(code(&answer(expired, json!("late")).await), "closed_question");
    let dismissed = world.question(&mission, json!({"text": "Well?"})).await;
    assert!(world.say(&mission, "question.dismissed", json!({"question": dismissed})).await["seq"].is_u64());
    assert_eq!(code(&answer(dismissed, json!("x")).await), "closed_question");
    let called_off = world.question(&mission, json!({"text": "Now?"})).await;
    world
        .word(
            &mission,
            Writer::Control,
            StepCancelled { step: "ask".into(), attempt: 1, class: Class::Transient, reason: "too long".into() },
        )
        .await;
    assert_eq!(code(&answer(called_off, json!("x")).await), "closed_question");
    let last = world.question(&mission, json!({"text": "Still?"})).await;
    world.word(&mission, Writer::Control, MissionCompleted { answer: None }).await;
    assert_eq!(code(&answer(last, json!("x")).await), "ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_takes_what_fits_and_stays_open_for_what_does_not() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "x"})).await;
    let schema = json!({
        "type": "object", "required": ["street", "floor"], "additionalProperties": false,
        "properties": {"street": {"type": "string", "minLength": 3}, "floor": {"type": "integer", "default": 0}},
    });
    let form = world.question(&mission, json!({"type": "values", "schema": schema})).await;
    let answer = |answer: Value| world.say(&mission, "question.answered", json!({"question": form, "answer": answer}));
    for (given, at, why) in [
        (json!({}), "/answer", "\"street\" is a required property"),
        (json!({"street": 7}), "/answer/street", "is not of type \"string\""),
        (json!({"street": "abc", "floor": "two"}), "/answer/floor", "is not of type \"integer\""),
        (json!({"street": "abc", "door": 1}), "/answer/door", "there is no such field"),
        (json!("1 Mill Lane"), "/answer", "the text of one in JSON"),
        (json!("{\"street\": "), "/answer", "the text of one in JSON"),
        (json!(["abc"]), "/answer", "is not of type \"object\""),
        (json!(null), "/answer", "is not of type \"object\""),
        (json!({"street": "x".repeat(70_000)}), "/answer", "65536 are allowed"),
        (json!({"street": "abc", "floor": {"stage7:ref": "x"}}), "/answer", "reserved"),
    ] {
        let wrong = answer(given.clone()).await;
        assert_eq!((code(&wrong), &wrong["error"]["at"]), ("invalid_answer", &json!(at)), "{given}: {wrong}");
        assert!(wrong["error"]["message"].as_str().unwrap().contains(why), "{wrong}");
    }
    assert!(said(&world, &mission, "question.answered").await.is_empty());
    assert!(answer(json!("{\"street\": \"1 Mill Lane\"}")).await["seq"].is_u64());
    assert_eq!(code(&answer(json!({"street": "another"})).await), "closed_question");
    let given = said(&world, &mission, "question.answered").await;
    assert_eq!(given[0]["data"]["answer"], json!({"street": "1 Mill Lane", "floor": 0}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_added_when_its_bytes_are_there() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "x"})).await;
    let sha = sha256(b"a,b\n");
    let file = |sha: &str, size: u64| json!({"path": "in/a.csv", "file": {"stage7:ref": sha, "type": "text", "size": size, "media_type": ""}});
    let add = |data: Value| world.say(&mission, "file.added", data);
    assert_eq!(code(&add(file(&sha, 4)).await), "missing_file");
    assert_eq!(code(&add(file("abc", 4)).await), "invalid_data");
    assert_eq!(code(&add(file(&sha, 65 << 20)).await), "too_large");
    world.ask_raw(&format!("stage7.put.default.{sha}.0"), "a,b\n").await;
    assert_eq!(code(&add(file(&sha, 5)).await), "missing_file");
    assert!(add(file(&sha, 4)).await["seq"].is_u64());
    let added = &said(&world, &mission, "file.added").await[0]["data"]["file"];
    assert_eq!((&added["type"], &added["media_type"]), (&json!("file"), &json!("text/csv; charset=utf-8")));
    assert!(world.say(&mission, "file.removed", json!({"path": "in/a.csv"})).await["seq"].is_u64());
}

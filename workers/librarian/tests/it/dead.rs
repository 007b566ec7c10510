//! What could not be processed is found, with its reason, by whose it is.

use crate::fixture::Server;
use nats::log::Log;
use schemas::{
    Fact, Tenant, Value, Writer,
    control::{MissionCompleted, MissionPausing},
    decider::{Retried, Stuck},
    value::sha256,
};
use serde_json::json;
use streams::record::{Dataref, Record};

fn with(like: &Record, name: &str, value: &str) -> Record {
    let mut record = like.clone();
    record.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
    record.headers.push((name.into(), value.into()));
    record
}

fn dead(answer: &Value) -> &[Value] {
    answer["dead"].as_array().unwrap_or_else(|| panic!("{answer}"))
}

/// Data of a plan of one step, as bytes.
fn plan() -> Vec<u8> {
    let plan = json!({"step": "_plan", "plan": {"steps": [{"id": "a", "verb": "THINK"}]}});
    Fact::from_bytes("plan.accepted", plan.to_string().as_bytes()).unwrap().unwrap().to_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_judged_and_what_is_dead_is_its_tenants_only() {
    let server = Server::start().await;
    let librarian = server.librarian("a").await;
    let mission = server.mission("default", 1, "x").await;
    server.say("default", mission, MissionPausing {}.into()).await;
    let filter = format!("{}.control.mission.pausing", streams::subject::mission_prefix(&Tenant::default(), mission));
    let like = server.control.last(&filter).await.unwrap().unwrap();
    let other = |ending: &str| Record { subject: like.subject.replace("mission.pausing", ending), ..like.clone() };
    let gone = Dataref { sha256: sha256(b"gone"), size: 4 };
    let forged = [
        (with(&like, "ce-source", "/stage7/default/agent"), "disagreement", "ce-source"),
        (Record { payload: "{".into(), ..like.clone() }, "undecodable", "mission.pausing"),
        (with(&like, "Nats-Sequence", "1"), "forged", "Nats-Sequence"),
        (with(&like, "ce-id", "x"), "undecodable", "ce-id"),
        (other("mission.pausing.x"), "undecodable", "does not end like this"),
        (
            with(&with(&other("plan.accepted"), "ce-type", "io.stage7.plan.accepted.v1"), "ce-dataref", &gone.to_urn()),
            "missing_data",
            &gone.sha256,
        ),
        // Changes no row, and is judged all the same.
        (
            with(&Record { payload: "7".into(), ..other("agent.spawned") }, "ce-type", "io.stage7.agent.spawned.v1"),
            "undecodable",
            "agent.spawned",
        ),
    ];
    let mut seqs = Vec::new();
    for (record, ..) in &forged {
        seqs.push(server.forge(mission, record).await);
    }
    for _ in 0..2 {
        server.forge(mission, &with(&like, "ce-type", "io.stage7.mission.pausing.v2")).await;
    }
    server.forge(mission, &with(&other("gadget.spun"), "ce-type", "io.stage7.gadget.spun.v1")).await;

    let list =
        server.until(json!({"dead": {}}), |list| list["newer"].as_array().is_some_and(|newer| newer.len() == 2)).await;
    assert_eq!(dead(&list).len(), forged.len(), "{list:#}");
    for ((record, trouble, reason), seq) in forged.iter().zip(&seqs) {
        let row = dead(&list).iter().find(|row| row["seq"] == json!(seq)).unwrap();
        assert_eq!((&row["trouble"], &row["mission"]), (&json!(trouble), &json!(mission.to_string())), "{row}");
        assert!(row["reason"].as_str().unwrap().contains(reason), "{row}");
        assert!(row["remedy"].as_str().unwrap().len() > 50, "{row}");
        let shown = server.ask("default", json!({"record": {"seq": seq}})).await;
        assert_eq!(
            (&shown["record"]["subject"], &shown["today"]["reads"]),
            (&json!(record.subject), &json!(false)),
            "{shown:#}"
        );
        assert_eq!(shown["dead"]["reason"], row["reason"]);
        assert_eq!(server.ask("other", json!({"record": {"seq": seq}})).await["error"]["code"], "unknown_record");
    }
    assert_eq!(
        list["newer"],
        json!([
            {"type": "io.stage7.gadget.spun.v1", "events": 1, "first": seqs[6] + 3, "last": seqs[6] + 3},
            {"type": "io.stage7.mission.pausing.v2", "events": 2, "first": seqs[6] + 1, "last": seqs[6] + 2},
        ])
    );
    assert_eq!(server.ask("other", json!({"dead": {}})).await, json!({"dead": []}));
    let first = server.ask("default", json!({"dead": {"limit": 3, "mission": mission}})).await;
    let second = server.ask("default", json!({"dead": {"limit": 100, "after": first["next"]}})).await;
    assert_eq!((dead(&first).len(), dead(&second).len(), second.get("next")), (3, 4, None));
    assert_eq!(server.ask("default", json!({"record": {"seq": 0}})).await["error"]["code"], "unknown_record");
    assert_eq!(server.ask("default", json!({"record": {"seq": "x"}})).await["error"]["code"], "invalid_request");
    // The mission's row is none the worse.
    assert_eq!(server.ask("default", json!({"list": {}})).await["missions"][0]["status"], "pausing");

    // Its bytes are back: it is an event again, and counts.
    let bytes = plan();
    let dataref = Dataref { sha256: sha256(&bytes), size: bytes.len() as u64 };
    let accepted =
        with(&with(&other("plan.accepted"), "ce-type", "io.stage7.plan.accepted.v1"), "ce-dataref", &dataref.to_urn());
    let seq = server.forge(mission, &Record { payload: Default::default(), ..accepted }).await;
    server.until(json!({"dead": {}}), |list| dead(list)[0]["seq"] == json!(seq)).await;
    let again = json!({"record": {"seq": seq, "again": true}});
    assert_eq!(server.ask("default", again.clone()).await["today"]["trouble"], "missing_data");
    server.control.put(&Tenant::default(), &dataref.sha256, &bytes).await.unwrap();
    assert_eq!(server.ask("default", again).await["today"], json!({"reads": true}));
    assert_eq!(dead(&server.ask("default", json!({"dead": {}})).await).len(), forged.len());
    assert_eq!(server.ask("default", json!({"list": {}})).await["missions"][0]["progress"]["total"], 1);
    librarian.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_mission_leaves_the_list_when_it_goes_on() {
    let server = Server::start().await;
    let librarian = server.librarian("a").await;
    let mission = server.mission("default", 1, "x").await;
    let stuck = |message: &str| Fact::from(Stuck { message: message.into(), at: 7 });
    let listed = async |count: usize| {
        server.until(json!({"dead": {"mission": mission}}), |list| dead(list).len() == count).await["dead"].take()
    };
    let ways: [(Writer, Fact); 3] = [
        (Writer::User, Retried { decider: Writer::Control }.into()),
        (Writer::Control, MissionPausing {}.into()),
        (Writer::Control, MissionCompleted { answer: None }.into()),
    ];
    for (n, (writer, on)) in ways.into_iter().enumerate() {
        server.say("default", mission, stuck("first")).await;
        server.say("default", mission, stuck(&format!("again {n}"))).await;
        server.until(json!({"dead": {}}), |list| list["dead"][0]["reason"] == format!("again {n}")).await;
        let rows = listed(1).await;
        assert_eq!(
            (&rows[0]["trouble"], &rows[0]["decider"], &rows[0]["version"], &rows[0]["at"]),
            (&json!("stuck"), &json!("control"), &json!("test0001"), &json!(7))
        );
        server
            .say_as(
                Writer::User,
                "default",
                mission,
                Fact::from_bytes("message.said", br#"{"text": "hi"}"#).unwrap().unwrap(),
            )
            .await;
        server.say_as(writer, "default", mission, on).await;
        listed(0).await;
    }
    librarian.stop().await;
}

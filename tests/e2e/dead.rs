//! What can't be processed: found with its reason, while everything else goes on.

use crate::{
    key::{Key, with},
    plan::{after, ask, goal, slow, turns},
    stage7::{Layout, Stage7, shared},
    user::User,
    wait::eventually,
};
use schemas::Writer;
use serde_json::{Value, json};
use streams::record::Record;

/// What is dead in a mission, once it is so much.
fn dead(stage7: &Stage7, mission: &str, count: usize) -> Vec<Value> {
    eventually(
        "what is dead is listed",
        || stage7.logs(),
        || {
            let listed = stage7.cli(&["dead", "list", "--mission", mission, "--json"]).code(0).lines();
            assert!(listed.len() <= count, "{listed:#?}");
            (listed.len() == count).then_some(listed)
        },
    )
}

fn forged_records_are_found_and_nothing_hangs(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let steps = vec![slow("a"), after(slow("b"), &["a"]), after(slow("c"), &["b"])];
    let (mission, other) = (user.submit(&goal(steps.clone())), user.submit(&goal(steps)));
    let agent = Key::of(&stage7, "agent");
    let like = agent.last(&mission, "agent.plugin.requested");
    let said = Record {
        subject: like.subject.replace("plugin.requested", "message.said"),
        payload: "{\"text\": \"hello\"}".into(),
        ..with(&like, "ce-type", "io.stage7.message.said.v1")
    };
    let of = |kind: &str| Record { subject: said.subject.replace("message.said", kind), ..said.clone() };
    let forged = [
        (with(&said, "ce-source", "/stage7/default/control"), "disagreement", "ce-source"),
        (with(&said, "ce-correlationid", &"0".repeat(32)), "disagreement", "ce-correlationid"),
        (Record { payload: vec![0xff, 0x00].into(), ..said.clone() }, "undecodable", "message.said"),
        (with(&said, "Nats-Sequence", "1"), "forged", "Nats-Sequence"),
        (of("message.said.odd"), "undecodable", "does not end like this"),
        (
            Record {
                payload: "{}".into(),
                ..with(&of("plugin.requested"), "ce-type", "io.stage7.plugin.requested.v1")
            },
            "undecodable",
            "plugin.requested",
        ),
    ];
    let seqs: Vec<u64> = forged.iter().map(|(record, ..)| agent.append(&mission, Writer::Agent, record)).collect();
    // Not dead, only to come.
    let newer = agent.append(&mission, Writer::Agent, &with(&said, "ce-type", "io.stage7.message.said.v2"));
    let gadget =
        agent.append(&mission, Writer::Agent, &with(&of("gadget.spun"), "ce-type", "io.stage7.gadget.spun.v1"));

    for mission in [&mission, &other] {
        stage7.until_is(&user, mission, "completed");
        stage7.export(mission).has_nothing_twice();
    }
    let listed = dead(&stage7, &mission, forged.len());
    for ((record, trouble, reason), seq) in forged.iter().zip(&seqs) {
        let row = listed.iter().find(|row| row["seq"] == *seq).unwrap_or_else(|| panic!("{seq}: {listed:#?}"));
        assert_eq!((&row["trouble"], &row["mission"]), (&json!(trouble), &json!(mission)), "{row}");
        assert!(row["reason"].as_str().unwrap().contains(reason), "{row}");
        let shown = stage7.cli(&["dead", "show", &seq.to_string(), "--json"]).code(0).line();
        assert_eq!(shown["record"]["subject"], record.subject.as_str());
        assert_eq!(shown["record"]["headers"].as_array().unwrap().len(), record.headers.len(), "{shown:#}");
    }
    dead(&stage7, &other, 0);
    let all = stage7.cli(&["dead", "list"]).code(0).stdout;
    for word in ["message.said.v2, skipped by this version", "1 event of io.stage7.gadget.spun.v1", "Nats-Sequence"] {
        assert!(all.contains(word), "{word}:\n{all}");
    }
    let text = stage7.cli(&["dead", "show", &mission]).code(0).stdout;
    for word in
        ["payload  2 bytes, as hexadecimal\n  ff00", "header   Nats-Sequence: 1", "\"text\": \"hello\"", "remedy"]
    {
        assert!(text.contains(word), "{word}:\n{text}");
    }
    assert!(stage7.cli(&["dead", "show", &newer.to_string()]).code(0).stdout.contains("newer than this version"));
    assert_eq!(stage7.cli(&["dead", "retry", &gadget.to_string(), "--json"]).code(1).line()["outcome"], "dead");
    assert!(stage7.cli(&["dead", "retry", &seqs[0].to_string()]).code(1).stdout.contains("still is no event"));
    let fine = like.seq.to_string();
    assert!(stage7.cli(&["dead", "show", &fine]).code(0).stdout.contains("an event as it should be"));
    assert!(stage7.cli(&["dead", "retry", &fine]).code(1).stderr.contains("is not dead"));
    assert!(stage7.cli(&["dead", "retry", &other]).code(1).stderr.contains("no worker is stuck"));
    assert_eq!(
        stage7.cli(&["dead", "show", "99999999999", "--json"]).code(2).line()["error"]["code"],
        "unknown_record"
    );
    stage7.cli(&["dead", "show", "nonsense"]).code(2);
    stage7.cli(&["dead", "show", &other]).code(1);
}

#[test]
fn forged_records_are_found_and_nothing_hangs_in_one_process() {
    forged_records_are_found_and_nothing_hangs(Layout::One);
}

#[test]
fn forged_records_are_found_and_nothing_hangs_in_a_process_each() {
    forged_records_are_found_and_nothing_hangs(Layout::Split);
}

/// Takes the bytes of a record's data away; gives them.
fn lose(stage7: &Stage7, user: &User, record: &Record) -> Vec<u8> {
    let data = record.dataref().expect("its data lies elsewhere");
    let bytes = user.get(&data.sha256, data.size);
    let setup = Key::of(stage7, "setup");
    let subject = streams::subject::artifact(&Default::default(), &data.sha256, 0);
    let chunk = setup.runtime.block_on(setup.log.last_from("ARTIFACTS", &subject)).unwrap().unwrap();
    let done = setup.request("$JS.API.STREAM.MSG.DELETE.ARTIFACTS".into(), json!({"seq": chunk.seq}).to_string());
    assert_eq!(done["success"], true, "{done}");
    bytes
}

#[test]
fn a_mission_whose_plan_is_lost_is_stuck_alone_and_goes_on_when_it_is_back() {
    let stage7 = Stage7::start(Layout::One);
    let user = stage7.user();
    let mut steps = vec![ask("wait", "Go on?", "boolean", &[]), after(turns("last", 10), &["wait"])];
    for n in 0..5 {
        let mut step = turns(&format!("more-{n}"), 10);
        step["description"] = json!("very long ".repeat(1_500));
        steps.push(step);
    }
    let mission = user.submit(&goal(steps));
    stage7.until_is(&user, &mission, "waiting");
    let bytes = lose(&stage7, &user, &Key::of(&stage7, "control").last(&mission, "control.plan.accepted"));
    // What is in memory is not missed: the mission is read anew after a restart.
    stage7.stop();
    stage7.run();
    stage7.ready();
    let user = stage7.user();
    let question = user.state(&mission)["questions"][0]["id"].clone();
    let said = user.say(&mission, "question.answered", &json!({"question": question, "answer": true}));
    assert!(said["seq"].is_u64(), "{said}");

    let listed = dead(&stage7, &mission, 2);
    for (row, decider) in listed.iter().zip(["agent", "control"]) {
        assert!(listed.iter().any(|row| row["decider"] == decider), "{listed:#?}");
        assert_eq!(row["trouble"], "stuck");
        assert!(row["reason"].as_str().unwrap().contains("artifact"), "{row}");
    }
    assert!(stage7.cli(&["dead", "show", &mission[..9]]).code(0).stdout.contains("stuck    control, version"));
    let other = user.submit(&goal(vec![turns("quick", 10)]));
    stage7.until_is(&user, &other, "completed");

    let again = stage7.cli(&["dead", "retry", &mission, "--json"]).code(1).lines();
    assert!(again.iter().all(|line| line["outcome"] == "stuck"), "{again:#?}");
    dead(&stage7, &mission, 2);
    user.put("plan.json", &bytes);
    let again = stage7.cli(&["dead", "retry", &mission]).code(0).stdout;
    assert!(again.contains("goes on"), "{again}");
    stage7.until_is(&user, &mission, "completed");
    dead(&stage7, &mission, 0);
    stage7.export(&mission).has_nothing_twice();
}

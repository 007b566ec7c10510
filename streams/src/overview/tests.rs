mod log;

use super::*;
use log::*;
use question::Status as Asked;
use schemas::{
    agent::{self, AnswerType, Halted, Purpose, QuestionAsked, StepCompleted, StepFaulted},
    brain::{LlmCompleted, Usage},
    control::{self, *},
    fact::Tail,
    limits::Limits,
    plan::{self, Input as Wanted, Plan},
    timer::TimerFired,
    user::{BudgetRaised, FileAdded, MessageSaid, QuestionAnswered},
    value::Form,
};
use serde_json::json;
use step::Status as S;
use uuid::Uuid;

#[test]
fn a_mission_goes_from_planning_to_completed() {
    let mut log = Log::created(None);
    assert_eq!((log.overview.status, log.statuses()), (Status::Created, vec![("_plan", S::Ready)]));
    log.say(Writer::Control, AgentSpawned { agent: "executor-1".into(), role: "coordinator".into() });
    log.assign("_plan", 1);
    assert_eq!(log.overview.status, Status::Planning);
    log.accept("_plan", chain());
    assert_eq!(log.overview.status, Status::Running);
    assert_eq!(log.statuses(), [("_plan", S::Completed), ("a", S::Ready), ("b", S::Pending), ("c", S::Pending)]);
    for step in ["a", "b", "c"] {
        log.assign(step, 1);
        assert_eq!(log.overview.agents[0].status, Activity::Working);
        log.complete(step, 1, json!({"out": format!("of {step}")}));
    }
    log.say(Writer::Control, MissionCompleted::default());
    let shown = &log.overview;
    assert_eq!((shown.status, shown.progress()), (Status::Completed, (3, 3)));
    assert_eq!(shown.steps[2].inputs["x"], Input::Value(Arc::new(json!("of a"))), "the source's exact value");
    assert_eq!((shown.agents[0].status, shown.agents[0].done), (Activity::Idle, 4));
    assert_eq!(shown.last_seq, log.events.len() as u64);
}

#[test]
fn folding_an_event_again_changes_nothing() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    log.ask("a");
    log.complete("a", 1, json!({"out": 1}));
    let mut again = log.overview.clone();
    log.events.iter().for_each(|event| again.evolve(event));
    assert_eq!(again, log.overview);
}

#[test]
fn what_needs_a_failed_step_is_cancelled_because_of_it_until_it_is_retried() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    log.fault("a", 1);
    assert_eq!(log.statuses()[0], ("a", S::Pending), "whether there is another attempt is not known yet");
    log.fail("a", 1);
    assert_eq!(log.statuses(), [("a", S::Failed), ("b", S::Cancelled), ("c", S::Cancelled)]);
    assert_eq!(
        log.overview.step("c").and_then(|c| c.error.clone()).as_deref(),
        Some("because of step `a`, which failed")
    );
    log.say(
        Writer::Control,
        MissionFailed { class: Class::Permanent, message: "a failed".into(), steps: vec!["a".into()], faults: vec![] },
    );
    assert_eq!((log.overview.status, log.overview.error.as_deref()), (Status::Failed, Some("a failed")));
    log.say(Writer::Control, MissionRetried { steps: vec!["a".into()] });
    assert_eq!((log.overview.status, log.overview.error.as_deref()), (Status::Running, None));
    assert_eq!(log.statuses(), [("a", S::Ready), ("b", S::Pending), ("c", S::Pending)]);
    assert_eq!(log.overview.steps[2].error, None);
    log.assign("a", 2);
    log.complete("a", 2, json!({"out": 1}));
    assert_eq!(log.statuses(), [("a", S::Completed), ("b", S::Ready), ("c", S::Pending)]);
    assert_eq!((&log.overview.steps[0].error, log.overview.steps[0].failures.len()), (&None, 1));
}

#[test]
fn late_words_about_an_attempt_that_was_called_off_do_not_count() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    log.put(
        Writer::Control,
        StepCancelled { step: "a".into(), attempt: 1, class: Class::Transient, reason: "took longer than 1 s".into() }
            .into(),
        Tail::Step("a".into()),
    );
    log.complete("a", 1, json!({"out": "late"}));
    assert_eq!(
        (log.statuses()[0].1, log.overview.steps[0].error.as_deref()),
        (S::Pending, Some("took longer than 1 s"))
    );
    log.say(Writer::Control, StepRetried { step: "a".into(), attempt: 2 });
    assert_eq!(log.statuses()[0].1, S::Ready);
    log.assign("a", 2);
    log.complete("a", 2, json!({"out": "in time"}));
    assert_eq!(log.overview.steps[0].outputs["out"].as_str(), Some("in time"));
}

#[test]
fn a_sub_plan_takes_the_place_of_its_step() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    log.accept("a", vec![step("a-1", &[]), step("a-2", &[("x", Wanted::from("a-1", "out"))])]);
    assert_eq!(log.statuses()[0], ("a", S::Replaced));
    assert_eq!(log.overview.step("a-2").and_then(|s| s.parent.as_deref()), Some("a"));
    for part in ["a-1", "a-2"] {
        assert_eq!(log.overview.step("b").map(|b| b.status), Some(S::Pending));
        log.assign(part, 1);
        log.complete(part, 1, json!({"out": part}));
    }
    log.assign("b", 1);
    assert_eq!(log.overview.step("b").map(|b| b.inputs["x"].clone()), Some(Input::Value(Arc::new(json!("a-2")))));
    assert_eq!(log.overview.progress(), (2, 4), "the parts count, what they replace doesn't");
}

#[test]
fn a_recovery_replaces_the_failed_step_and_a_failed_part_cancels_what_needs_the_whole() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    log.fault("a", 1);
    log.assign("_recover-a", 1);
    assert_eq!(log.overview.step("_recover-a").and_then(|s| s.parent.as_deref()), Some("a"));
    log.accept("_recover-a", vec![step("a-r", &[])]);
    assert_eq!(
        log.statuses(),
        [("a", S::Replaced), ("b", S::Pending), ("c", S::Pending), ("_recover-a", S::Completed), ("a-r", S::Ready)]
    );
    log.assign("a-r", 1);
    log.fail("a-r", 1);
    assert_eq!(log.statuses()[..3], [("a", S::Replaced), ("b", S::Cancelled), ("c", S::Cancelled)]);
    log.say(
        Writer::Control,
        MissionFailed {
            class: Class::Permanent,
            message: "a-r failed".into(),
            steps: vec!["a-r".into()],
            faults: vec![],
        },
    );
    log.say(Writer::Control, MissionRetried { steps: vec!["a-r".into()] });
    log.assign("a-r", 2);
    log.complete("a-r", 2, json!({"out": 1}));
    assert_eq!(log.overview.step("b").map(|b| b.status), Some(S::Ready));
}

#[test]
fn a_question_is_closed_once_and_its_step_goes_on() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    let question = log.ask("a");
    log.say(Writer::Control, MissionWaiting { questions: vec![question] });
    assert_eq!(
        (log.overview.status, log.statuses()[0].1, log.overview.agents[0].status),
        (Status::Waiting, S::Waiting, Activity::Waiting)
    );
    for answer in ["neither", "b", "a"] {
        log.say(Writer::User, QuestionAnswered { question, answer: json!(answer) });
    }
    log.say(Writer::Control, MissionResumed { from: Standstill::Waiting });
    let asked = &log.overview.questions[0];
    assert_eq!((asked.status, asked.answer.clone()), (Asked::Answered, Some(json!("b"))));
    assert_eq!((log.overview.status, log.statuses()[0].1), (Status::Running, S::Running));
}

#[test]
fn what_control_asks_about_the_budget_is_answered_by_raising_it() {
    let asked = || QuestionAsked {
        step: "a".into(),
        attempt: 1,
        agent: None,
        text: "Raise it?".into(),
        answer: AnswerType::Choice,
        choices: vec!["raise".into(), "stop".into()],
        schema: None,
        expires: None,
    };
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    let question = log.say(Writer::Control, asked());
    log.say(Writer::User, QuestionAnswered { question, answer: json!("raise") });
    assert_eq!(
        (log.overview.questions[0].status, log.statuses()[0].1),
        (Asked::Open, S::Waiting),
        "by how much is not said"
    );
    let basis = log.events.len() as u64;
    log.say(Writer::User, BudgetRaised { max_calls: Some(5), ..Default::default() });
    assert_eq!((log.overview.questions[0].status, log.statuses()[0].1), (Asked::Answered, S::Running));
    assert_eq!(log.overview.budget.max_calls, Some(5));
    log.say(Writer::User, BudgetRaised { max_calls: Some(4), ..Default::default() });
    assert_eq!(log.overview.budget.max_calls, Some(5), "a limit never goes down");
    // Asked while it was raised.
    log.basis = Some(basis);
    log.say(Writer::Control, asked());
    assert_eq!((log.overview.questions[1].status, log.statuses()[0].1), (Asked::Answered, S::Running));
}

#[test]
fn a_question_expires_by_its_timer() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    let question = log.ask("a");
    let timer = log.say(Writer::Agent, TimerSet { at: Time(0), purpose: control::Purpose::Expiry { question } });
    log.answer(Writer::Timer, timer, TimerFired { at: Time(0) });
    assert_eq!(log.overview.questions[0].status, Asked::Expired);
}

#[test]
fn pause_is_confirmed_and_abort_is_final() {
    let mut log = Log::planned(chain());
    log.say(Writer::Control, MissionPausing {});
    log.say(Writer::Agent, Halted {});
    assert_eq!(log.overview.status, Status::Pausing);
    log.say(Writer::Control, MissionPaused {});
    assert_eq!(log.overview.status, Status::Paused);
    log.say(Writer::Control, MissionResumed { from: Standstill::Paused });
    assert_eq!(log.overview.status, Status::Running);
    log.assign("a", 1);
    let question = log.ask("a");
    log.say(Writer::Control, MissionAborted { reason: None });
    log.complete("a", 1, json!({}));
    log.say(Writer::User, QuestionAnswered { question, answer: json!("a") });
    log.say(Writer::Control, MissionResumed { from: Standstill::Paused });
    assert_eq!(log.statuses(), [("a", S::Cancelled), ("b", S::Cancelled), ("c", S::Cancelled)]);
    assert_eq!((log.overview.status, log.overview.questions[0].status), (Status::Aborted, Asked::Dismissed));
    assert_eq!(log.overview.agents[0].status, Activity::Idle);
}

#[test]
fn runs_calls_and_people_leave_their_traces() {
    let mut log = Log::planned(chain());
    log.assign("a", 1);
    let call = log.say(
        Writer::Agent,
        agent::LlmRequested {
            purpose: Purpose::Repair,
            step: "a".into(),
            attempt: 1,
            agent: "executor-1".into(),
            model: None,
            optimize: None,
            task: agent::Task {
                goal: "g".into(),
                context: None,
                files: vec![],
                catalogue: None,
                outputs: vec![],
                format: None,
                faults: vec![],
            },
            messages: vec![],
            inputs: Default::default(),
            schema: None,
            tools: vec![],
            reserve: Default::default(),
        },
    );
    let answer = |cost_usd| LlmCompleted {
        step: "a".into(),
        attempt: 1,
        provider: "p".into(),
        model: "m".into(),
        answer: json!("x"),
        calls: vec![],
        usage: Usage { input: 10, output: 2, estimated: true },
        cost_usd,
        ms: 5,
        cached: false,
        routing: None,
    };
    log.answer(Writer::Brain, call, answer(0.5));
    log.answer(Writer::Brain, call, answer(9.0));
    let run = log.say(
        Writer::Agent,
        agent::PluginRequested {
            step: "a".into(),
            attempt: 1,
            agent: "executor-1".into(),
            verb: "X".into(),
            version: "1".into(),
            inputs: [("x".to_string(), json!(2))].into(),
            templates: vec![],
            files: Default::default(),
        },
    );
    log.answer(
        Writer::Capability,
        run,
        PluginCompleted {
            step: "a".into(),
            attempt: 1,
            outputs: [("out".to_string(), json!("o"))].into(),
            files: [("out.txt".to_string(), file("bb"))].into(),
            removed: vec!["in.txt".into()],
            ms: 1,
        },
    );
    assert!(log.overview.files.contains_key("in.txt"), "a run counts when its step is completed");
    for sha256 in ["bb", "dd"] {
        let deliverables = vec![agent::Deliverable { name: "out.txt".into(), file: file(sha256) }];
        log.say(
            Writer::Agent,
            StepCompleted {
                step: "a".into(),
                attempt: 1,
                agent: "executor-1".into(),
                run: Some(run),
                runs: vec![],
                outputs: Default::default(),
                deliverables,
            },
        );
    }
    log.say(Writer::User, MessageSaid { text: "thanks".into(), step: None, agent: None });
    log.say(Writer::User, FileAdded { path: "more.txt".into(), file: file("ee") });
    log.say(Writer::Agent, schemas::decider::Stuck { message: "oh".into(), at: 3 });
    let shown = serde_json::to_value(&log.overview).expect("it serialises");
    assert_eq!(shown["cost"], json!({"usd": 0.5, "tokens": {"input": 10, "output": 2}, "estimated": true}));
    assert_eq!((&shown["calls"][0]["status"], &shown["calls"][0]["model"]), (&json!("completed"), &json!("m")));
    assert_eq!((&shown["steps"][0]["inputs"], &shown["steps"][0]["outputs"]), (&json!({"x": 2}), &json!({"out": "o"})));
    assert_eq!(shown["steps"][1]["inputs"], json!({"x": {"from": "a", "output": "out"}}));
    assert_eq!(
        shown["deliverables"],
        json!([{"name": "out.txt", "size": 3, "sha256": "bb", "media_type": "text/plain", "step": "a"}])
    );
    assert_eq!(log.overview.files.keys().collect::<Vec<_>>(), ["more.txt", "out.txt"]);
    assert_eq!((&shown["messages"][0]["who"], &shown["stuck"]), (&json!("user"), &json!({"agent": "oh"})));
    assert!(serde_json::from_value::<Overview>(shown).is_ok(), "clients read it back");
}

#[test]
fn a_plan_rejected_for_good_is_the_failure_of_its_step() {
    let mut log = Log::created(None);
    log.assign("_plan", 1);
    log.say(
        Writer::Control,
        PlanRejected { step: "_plan".into(), round: 1, faults: vec![Fault::new("/steps", "no")], last: true },
    );
    log.say(
        Writer::Control,
        MissionFailed { class: Class::Permanent, message: "no plan holds".into(), steps: vec![], faults: vec![] },
    );
    assert_eq!((log.statuses(), log.overview.faults.len()), (vec![("_plan", S::Failed)], 1));
    log.say(Writer::Control, MissionRetried { steps: vec!["_plan".into()] });
    assert_eq!((log.statuses(), log.overview.status), (vec![("_plan", S::Ready)], Status::Planning));
}

#[test]
fn ten_thousand_steps_fold_in_no_time() {
    let steps = (0..10_000).map(|n| match n {
        0 => step("s0", &[]),
        n => step(&format!("s{n}"), &[("x", Wanted::from(format!("s{}", n - 1), "out"))]),
    });
    let mut log = Log::planned(steps.collect());
    for n in 0..10_000 {
        log.assign(&format!("s{n}"), 1);
        log.complete(&format!("s{n}"), 1, json!({"out": n}));
    }
    assert_eq!(log.overview.progress(), (10_000, 10_000));
    log.overview.unblock();
    assert_eq!(log.overview.progress(), (10_000, 10_000), "worked out anew, it is the same");
}

#[test]
fn an_input_is_read_back_as_it_was_written() {
    for (input, is_source) in [
        (json!({"from": "a", "output": "out"}), true),
        (json!(["red", "green"]), false),
        (json!({"from": "a"}), false),
        (json!("text"), false),
    ] {
        let read: Input = serde_json::from_value(input.clone()).unwrap();
        assert_eq!((matches!(read, Input::From(_)), json!(read)), (is_source, input));
    }
}

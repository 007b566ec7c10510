//! The services of a case: the shipped loops, each instance until a fault kills it, then anew.

use super::{
    case::{Case, Trouble},
    holds::{Ran, Runs},
};
use async_trait::async_trait;
use mission_control::Control;
use nats::{
    decider::{self, Options},
    effect::{self, Answer, Context, Effect},
    memory::Memory,
    rule::Rules,
};
use schemas::{
    Class, Event, Fact, Value, Writer,
    agent::{LlmRequested, PluginRequested, Purpose, Speaker, ToolCall},
    brain::{LlmCompleted, LlmFailed, Routing, Usage},
    capability::{PluginCompleted, PluginFailed},
};
use serde_json::json;
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};
use streams::decide::Decider;
use tokio_util::sync::CancellationToken;

/// A killed instance is started again after this.
const RESTART: Duration = Duration::from_millis(100);
const VERSION: &str = "test0001";

/// Starts every service of a case, with these agents.
pub fn start<A: Decider>(log: &Memory, case: &Arc<Case>, rules: Rules, runs: &Arc<Runs>) {
    log.filter(Plugins::NAME, "stage7.mission.*.*.*.*.plugin.requested");
    log.filter(Models::NAME, "stage7.mission.*.*.*.*.llm.requested");
    for _ in 0..case.instances {
        // Own words are read before what waits for them fills what may be pending.
        let patience = (case.max_ack_pending / 2).max(1) as usize;
        let options = Options { rules, patience, ..Options::new(VERSION) };
        let (control, agent) = (options.clone(), options);
        tokio::spawn(lives(log.clone(), "control", move |log| decides::<Control>(log, control.clone())));
        tokio::spawn(lives(log.clone(), "agent", move |log| decides::<A>(log, agent.clone())));
        let fake = Fake { case: Arc::clone(case), runs: Arc::clone(runs), rules };
        let (plugins, models) = (fake.clone(), fake);
        tokio::spawn(lives(log.clone(), "capability", move |log| performs(Plugins(plugins.hand(&log)), log)));
        tokio::spawn(lives(log.clone(), "brain", move |log| performs(Models(models.hand(&log)), log)));
    }
}

/// Runs instances of a service, one after the other's death.
async fn lives<F: Future<Output = ()>>(log: Memory, service: &str, run: impl Fn(Memory) -> F) {
    loop {
        let hand = log.instance(service);
        {
            let mut running = pin!(run(hand.clone()));
            let mut standing = pin!(None::<tokio::time::Sleep>);
            // Whoever stands still is not polled.
            let thawed = poll_fn(|context| {
                if let Some(until) = hand.frozen_until() {
                    standing.set(Some(tokio::time::sleep_until(until)));
                }
                if let Some(sleep) = standing.as_mut().as_pin_mut() {
                    if sleep.poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    standing.set(None);
                }
                running.as_mut().poll(context)
            });
            tokio::select! {
                biased;
                () = hand.dies() => {}
                () = thawed => panic!("a loop ends only when it is told to"),
            }
        }
        tokio::time::sleep(RESTART).await;
    }
}

async fn decides<D: Decider>(log: Memory, options: Options) {
    decider::run::<D>(Arc::new(log), options, CancellationToken::new()).await.expect("memory can be followed");
}

async fn performs<E: Effect>(effect: E, log: Memory) {
    let stop = CancellationToken::new();
    effect::run(Arc::new(log), Arc::new(effect), VERSION.into(), stop).await.expect("memory can be joined");
}

/// What the effects of a case need to know.
#[derive(Clone)]
struct Fake {
    case: Arc<Case>,
    runs: Arc<Runs>,
    rules: Rules,
}

impl Fake {
    /// That of one instance.
    fn hand(&self, log: &Memory) -> Hand {
        Hand { case: Arc::clone(&self.case), ran: self.runs.hand(log), rules: self.rules }
    }
}

struct Hand {
    case: Arc<Case>,
    ran: Ran,
    rules: Rules,
}

/// Plugins whose outcome is a function of the request and the case.
struct Plugins(Hand);

#[async_trait]
impl Effect for Plugins {
    const NAME: &'static str = "plugin-runs";
    const WRITER: Writer = Writer::Capability;
    const NOUN: &'static str = "plugin";

    fn capacity(&self) -> usize {
        4
    }
    fn rules(&self) -> Rules {
        self.0.rules
    }
    fn failed(&self, request: &Event, class: Class, message: String) -> Fact {
        let Fact::PluginRequested(asked) = &request.fact else { panic!("{request:?}") };
        PluginFailed { step: asked.step.clone(), attempt: asked.attempt, class, message, ms: 0 }.into()
    }
    async fn perform(&self, request: &Event, context: &Context) -> Answer {
        let Fact::PluginRequested(asked) = &request.fact else { panic!("{request:?}") };
        let _running = self.0.ran.begins(request);
        let trouble = self.0.case.step(&asked.step).and_then(|step| step.trouble);
        let ms = match trouble {
            Some(Trouble::Slow(attempts)) if asked.attempt <= attempts => 4_000,
            _ => 10 + 37 * u64::from(asked.step.as_bytes()[1]) % 90,
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => {}
            () = context.stop.cancelled() => return self.failed(request, Class::NotStarted, "stopped".into()).into(),
        }
        match self.outcome(asked, trouble) {
            Ok(text) => Fact::from(PluginCompleted {
                step: asked.step.clone(),
                attempt: asked.attempt,
                outputs: [("text".to_string(), text.into())].into(),
                files: Default::default(),
                removed: Vec::new(),
                ms: 1,
            })
            .into(),
            Err(class) => self.failed(request, class, "no".into()).into(),
        }
    }
}

impl Plugins {
    fn outcome(&self, asked: &PluginRequested, trouble: Option<Trouble>) -> Result<String, Class> {
        let text = asked.inputs["text"].as_str().expect("a text");
        match trouble {
            Some(Trouble::Transient(attempts)) if asked.attempt <= attempts => Err(Class::Transient),
            Some(Trouble::Hopeless) => Err(Class::Transient),
            Some(Trouble::Permanent) => Err(Class::Permanent),
            Some(Trouble::Tools(_)) if text == "for the model, 2" => Err(Class::Transient),
            Some(Trouble::Invalid) if text != "repaired" => Err(Class::InvalidInput),
            _ => Ok(format!("{}({text})", asked.step)),
        }
    }
}

/// Models that answer the same to the same question.
struct Models(Hand);

#[async_trait]
impl Effect for Models {
    const NAME: &'static str = "llm-calls";
    const WRITER: Writer = Writer::Brain;
    const NOUN: &'static str = "llm";

    fn capacity(&self) -> usize {
        if self.0.case.budget.is_some() { 128 } else { 4 }
    }
    fn rules(&self) -> Rules {
        self.0.rules
    }
    fn failed(&self, request: &Event, class: Class, message: String) -> Fact {
        let Fact::LlmRequested(asked) = &request.fact else { panic!("{request:?}") };
        LlmFailed { message, ..failed(asked, class) }.into()
    }
    async fn perform(&self, request: &Event, context: &Context) -> Answer {
        let Fact::LlmRequested(asked) = &request.fact else { panic!("{request:?}") };
        let _running = self.0.ran.begins(request);
        let step = self.0.case.step(&asked.step);
        let call = step.and_then(|step| step.call.clone()).unwrap_or_default();
        if !call.fits(&asked.reserve) {
            return Fact::from(LlmFailed { routing: Some(Routing::default()), ..failed(asked, Class::Budget) }).into();
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(call.ms)) => {}
            () = context.stop.cancelled() => return self.failed(request, Class::NotStarted, "stopped".into()).into(),
        }
        let usage = Usage { input: call.tokens, output: 0, estimated: false };
        let trouble = step.and_then(|step| step.trouble);
        if matches!(trouble, Some(Trouble::Transient(attempts)) if asked.attempt <= attempts) {
            let cost_usd = call.usd;
            return Fact::from(LlmFailed { usage, cost_usd, ..failed(asked, Class::Transient) }).into();
        }
        Fact::from(LlmCompleted {
            step: asked.step.clone(),
            attempt: asked.attempt,
            provider: "p".into(),
            model: "m".into(),
            answer: self.answer(asked),
            calls: self.calls(asked),
            usage,
            cost_usd: call.usd,
            ms: 1,
            cached: false,
            routing: None,
        })
        .into()
    }
}

fn failed(asked: &LlmRequested, class: Class) -> LlmFailed {
    let (step, attempt, message) = (asked.step.clone(), asked.attempt, "no".into());
    LlmFailed { step, attempt, class, message, usage: Usage::default(), cost_usd: 0.0, ms: 0, routing: None }
}

impl Models {
    /// The tools that it wants before it answers, and one that nobody has.
    fn calls(&self, asked: &LlmRequested) -> Vec<ToolCall> {
        let wanted = match self.0.case.step(&asked.step).and_then(|step| step.trouble) {
            Some(Trouble::Tools(wanted)) if !asked.tools.is_empty() => wanted,
            _ => 0,
        };
        let turn = 1 + asked.messages.iter().filter(|message| message.role == Speaker::Assistant).count() as u32;
        let input = json!({"text": format!("for the model, {turn}")});
        let call = |name: &str| ToolCall { id: name.into(), name: name.into(), input: input.clone(), signature: None };
        if turn <= wanted { vec![call("WORK"), call("NOBODY")] } else { Vec::new() }
    }

    fn answer(&self, asked: &LlmRequested) -> Value {
        match asked.purpose {
            Purpose::Plan => {
                let rounds = asked.messages.iter().filter(|message| message.role == Speaker::Assistant).count();
                let bad = self.0.case.planned.unwrap_or_default() as usize;
                if rounds < bad {
                    return json!({"steps": [{"id": "s0", "verb": "NOBODY_KNOWS"}]});
                }
                self.0.case.plan()
            }
            Purpose::Recover => json!({"answer": "a way around"}),
            Purpose::Repair => json!({"text": "repaired"}),
            Purpose::Think | Purpose::Generate => format!("thought for {}", asked.step).into(),
        }
    }
}

//! A mission's log for the tests, and the words it is made of.

use super::*;

pub fn id(n: u128) -> EventId {
    EventId(Uuid::from_u128(n))
}

pub fn file(sha256: &str) -> Ref {
    Ref { sha256: sha256.into(), form: Form::File, size: 3, media_type: "text/plain".into() }
}

/// A log under construction; an event's id is its sequence.
#[derive(Default)]
pub struct Log {
    pub events: Vec<Event>,
    pub overview: Overview,
    /// On what the next words were decided.
    pub basis: Option<u64>,
}

impl Log {
    pub fn say(&mut self, writer: Writer, fact: impl Into<Fact>) -> EventId {
        self.put(writer, fact.into(), Tail::Bare)
    }
    pub fn answer(&mut self, writer: Writer, request: EventId, fact: impl Into<Fact>) -> EventId {
        self.put(writer, fact.into(), Tail::Answer { requester: Writer::Agent, request })
    }
    pub fn put(&mut self, writer: Writer, fact: Fact, tail: Tail) -> EventId {
        let seq = self.events.len() as u64 + 1;
        let event = Event {
            seq,
            id: id(u128::from(seq)),
            time: Time(1_700_000_000_000 + seq as i64),
            tenant: Default::default(),
            mission: MissionId(Uuid::from_u128(7)),
            writer,
            tail,
            fact,
            causation: None,
            basis: self.basis,
            part: None,
            worker_version: String::new(),
            traceparent: None,
            authid: None,
        };
        self.overview.evolve(&event);
        self.events.push(event);
        id(u128::from(seq))
    }

    pub fn created(plan: Option<Plan>) -> Self {
        let mut log = Self::default();
        log.say(
            Writer::Control,
            MissionCreated {
                goal: "count".into(),
                kind: Kind::Mission,
                name: None,
                context: None,
                files: [("in.txt".to_string(), file("aa"))].into(),
                optimize: None,
                budget: Budget::default(),
                autonomy: Default::default(),
                model: Some("offline".into()),
                plan,
                limits: Limits::default(),
                catalogue: Attached { reference: file("cc"), content: None },
                goal_event: GoalEvent { source: "/me".into(), id: "1".into() },
            },
        );
        log
    }
    /// A running mission with this plan.
    pub fn planned(steps: Vec<plan::Step>) -> Self {
        let plan = Plan { steps, answer: None };
        let mut log = Self::created(Some(plan.clone()));
        log.accept(plan::PLAN_STEP, plan.steps);
        log.say(Writer::Control, AgentSpawned { agent: "executor-1".into(), role: "executor".into() });
        log
    }
    pub fn accept(&mut self, step: &str, steps: Vec<plan::Step>) {
        self.say(Writer::Control, PlanAccepted { step: step.into(), plan: Plan { steps, answer: None } });
    }
    pub fn assign(&mut self, step: &str, attempt: u32) {
        self.say(
            Writer::Control,
            StepAssigned { step: step.into(), attempt, agent: "executor-1".into(), verb: "X".into() },
        );
    }
    pub fn complete(&mut self, step: &str, attempt: u32, outputs: serde_json::Value) {
        let outputs = serde_json::from_value(outputs).expect("an object");
        self.say(
            Writer::Agent,
            StepCompleted {
                step: step.into(),
                attempt,
                agent: "executor-1".into(),
                run: None,
                runs: vec![],
                outputs,
                deliverables: vec![],
            },
        );
    }
    pub fn fault(&mut self, step: &str, attempt: u32) {
        self.say(
            Writer::Agent,
            StepFaulted { step: step.into(), attempt, class: Class::Permanent, message: "broken".into() },
        );
    }
    pub fn fail(&mut self, step: &str, attempt: u32) {
        self.say(
            Writer::Control,
            StepFailed { step: step.into(), attempt, class: Class::Permanent, message: "broken".into() },
        );
    }
    pub fn ask(&mut self, step: &str) -> EventId {
        self.say(
            Writer::Agent,
            QuestionAsked {
                step: step.into(),
                attempt: 1,
                agent: Some("executor-1".into()),
                text: "Which?".into(),
                answer: AnswerType::Choice,
                choices: vec!["a".into(), "b".into()],
                schema: None,
                expires: None,
            },
        )
    }
    pub fn statuses(&self) -> Vec<(&str, S)> {
        self.overview.steps.iter().map(|step| (step.id.as_str(), step.status)).collect()
    }
}

pub fn step(id: &str, inputs: &[(&str, Wanted)]) -> plan::Step {
    plan::Step {
        id: id.into(),
        verb: "X".into(),
        description: String::new(),
        inputs: inputs.iter().map(|(name, input)| ((*name).to_string(), input.clone())).collect(),
        outputs: [("out".to_string(), plan::Output::default())].into(),
        role: None,
        after: vec![],
        timeout: None,
        retries: None,
    }
}

pub fn chain() -> Vec<plan::Step> {
    vec![
        step("a", &[("x", Wanted::value(1))]),
        step("b", &[("x", Wanted::from("a", "out"))]),
        step("c", &[("x", Wanted::from("b", "out"))]),
    ]
}

//! The others in a mission: agents that do what luck says, a person, and the timekeeper. They know
//! what the log says, and nothing of control's state.

use crate::mission::{Mission, created};
use schemas::{
    Class, EventId, Fact, Value, Writer,
    agent::{AnswerType, BudgetShort, Halted, PlanProposed, QuestionAsked, StepCompleted, StepFaulted},
    control::Purpose,
    fact::Tail,
    goal::Budget,
    limits::Limits,
    plan::Plan,
    timer::TimerFired,
    user,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// An attempt that an agent is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub attempt: u32,
    pub plans: bool,
    /// For judgement of its plan.
    pub proposed: bool,
    pub question: Option<EventId>,
    pub short: bool,
}

impl Live {
    pub fn waits(&self) -> bool {
        self.question.is_some() || self.short
    }
}

/// What somebody who reads the log knows.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub live: BTreeMap<String, Live>,
    /// Steps done by themselves, by an answer, or by the plan in their place.
    pub completed: BTreeSet<String>,
    /// Step → those of the plan that took its place.
    pub parts: BTreeMap<String, Vec<String>>,
    pub needs: BTreeMap<String, Vec<String>>,
    pub budget_question: Option<EventId>,
    pub timers: BTreeMap<EventId, Purpose>,
    pub still: bool,
    pub ended: Option<&'static str>,
    /// Attempts that are over.
    pub over: Vec<(String, u32)>,
}

impl View {
    pub fn is_done(&self, step: &str) -> bool {
        self.completed.contains(step)
            || self.parts.get(step).is_some_and(|parts| parts.iter().all(|part| self.is_done(part)))
    }

    fn close(&mut self, step: &str) {
        if let Some(live) = self.live.remove(step) {
            self.over.push((step.to_string(), live.attempt));
        }
    }

    fn is_live(&self, step: &str, attempt: u32) -> bool {
        self.live.get(step).is_some_and(|live| live.attempt == attempt)
    }

    pub fn read(&mut self, id: EventId, writer: Writer, fact: &Fact, tail: &Tail) {
        match fact {
            Fact::PlanAccepted(said) => self.accepted(&said.step, &said.plan),
            Fact::PlanRejected(said) => match self.live.get_mut(&said.step) {
                Some(_) if said.last => self.close(&said.step),
                Some(live) => live.proposed = false,
                None => {}
            },
            Fact::StepAssigned(said) => {
                let plans = said.verb == "ACCOMPLISH";
                self.live.insert(
                    said.step.clone(),
                    Live { attempt: said.attempt, plans, proposed: false, question: None, short: false },
                );
            }
            Fact::StepCompleted(said) if self.is_live(&said.step, said.attempt) => {
                self.close(&said.step);
                self.completed.insert(said.step.clone());
            }
            Fact::StepFaulted(said) if self.is_live(&said.step, said.attempt) => self.close(&said.step),
            Fact::StepCancelled(said) => self.close(&said.step),
            Fact::StepFailed(said) => self.close(&said.step),
            Fact::PlanProposed(said) => {
                self.live
                    .get_mut(&said.step)
                    .filter(|live| live.attempt == said.attempt)
                    .into_iter()
                    .for_each(|live| live.proposed = true);
            }
            Fact::QuestionAsked(_) if writer == Writer::Control => self.budget_question = Some(id),
            Fact::QuestionAsked(said) => {
                self.live
                    .get_mut(&said.step)
                    .filter(|live| live.attempt == said.attempt)
                    .into_iter()
                    .for_each(|live| live.question = Some(id));
            }
            Fact::QuestionAnswered(user::QuestionAnswered { question, .. })
            | Fact::QuestionDismissed(user::QuestionDismissed { question }) => {
                self.live
                    .values_mut()
                    .filter(|live| live.question == Some(*question))
                    .for_each(|live| live.question = None);
            }
            Fact::BudgetShort(said) => {
                self.live
                    .get_mut(&said.step)
                    .filter(|live| live.attempt == said.attempt)
                    .into_iter()
                    .for_each(|live| live.short = true);
            }
            Fact::BudgetRaised(_) => {
                self.budget_question = None;
                self.live.values_mut().for_each(|live| live.short = false);
            }
            Fact::TimerSet(said) => {
                self.timers.insert(id, said.purpose.clone());
            }
            Fact::TimerCleared(said) => {
                self.timers.remove(&said.timer);
            }
            Fact::TimerFired(_) => {
                tail.request().map(|timer| self.timers.remove(&timer));
            }
            Fact::MissionPausing(_) => self.still = true,
            Fact::MissionResumed(_) => self.still = false,
            Fact::MissionRetried(said) => {
                (self.ended, self.still) = (None, false);
                self.budget_question = None;
                said.steps.iter().for_each(|step| self.close(step));
            }
            Fact::MissionCompleted(_) | Fact::MissionFailed(_) | Fact::MissionAborted(_) => {
                self.ended = Some(fact.kind())
            }
            _ => {}
        }
    }

    fn accepted(&mut self, planned: &str, plan: &Plan) {
        self.close(planned);
        let parent = planned.strip_prefix("_recover-").unwrap_or(planned);
        self.completed.insert(planned.to_string());
        if plan.answer.is_none() && parent != "_plan" {
            self.completed.remove(parent);
            self.parts.insert(parent.into(), plan.steps.iter().map(|step| step.id.clone()).collect());
        } else {
            self.completed.insert(parent.to_string());
        }
        for step in &plan.steps {
            self.needs.insert(step.id.clone(), step.needs().map(Into::into).collect());
        }
    }
}

/// A mission and the others in it.
pub struct World {
    pub mission: Mission,
    pub view: View,
    read: usize,
}

impl World {
    pub fn new(limits: Limits, budget: Budget) -> Self {
        Self { mission: Mission::new(created(None, limits, budget)), view: View::default(), read: 0 }
    }

    /// What the log says by now.
    pub fn look(&mut self) -> &View {
        for event in &self.mission.log[self.read..] {
            self.view.read(event.id, event.writer, &event.fact, &event.tail);
        }
        self.read = self.mission.log.len();
        &self.view
    }

    pub fn says(&mut self, writer: Writer, fact: impl Into<Fact>) {
        self.mission.say(writer, fact.into(), Tail::Bare);
        self.look();
    }

    pub fn completes(&mut self, step: &str, attempt: u32) {
        let done = StepCompleted {
            step: step.into(),
            attempt,
            agent: "x".into(),
            run: None,
            runs: vec![],
            outputs: BTreeMap::new(),
            deliverables: Vec::new(),
        };
        self.says(Writer::Agent, done);
    }

    pub fn faults(&mut self, step: &str, attempt: u32, luck: usize) {
        let class = [Class::Transient, Class::Permanent, Class::InvalidInput, Class::Lost, Class::Budget][luck % 5];
        self.says(Writer::Agent, StepFaulted { step: step.into(), attempt, class, message: "no".into() });
    }

    pub fn proposes(&mut self, step: &str, attempt: u32, plan: Value) {
        let call = self.mission.log.last().expect("the mission was created").id;
        self.says(Writer::Agent, PlanProposed { step: step.into(), attempt, call, plan });
    }

    pub fn fires(&mut self, timer: EventId) {
        self.mission.say(
            Writer::Timer,
            TimerFired { at: schemas::Time(0) }.into(),
            Tail::Answer { requester: Writer::Control, request: timer },
        );
        self.look();
    }

    pub fn answers(&mut self, question: EventId, answer: &str) {
        self.says(Writer::User, user::QuestionAnswered { question, answer: answer.into() });
    }

    pub fn raises(&mut self) {
        self.says(Writer::User, user::BudgetRaised { max_calls: Some(1000), ..Default::default() });
    }

    /// One thing happens to an attempt that somebody is at.
    pub fn works(&mut self, step: &str, luck: usize) {
        let live = self.view.live[step].clone();
        match (live.question, luck % 8) {
            (Some(question), 0) => self.says(Writer::User, user::QuestionDismissed { question }),
            (Some(question), 1..4) => self.answers(question, "yes"),
            (Some(_), _) => {}
            _ if live.proposed => {}
            // Once the mission is tried again, a shortage that is still there is told again.
            _ if live.short && self.view.budget_question.is_none() && !self.view.still => {
                self.lacks(step, live.attempt)
            }
            _ if live.short => {}
            (None, 0) => self.faults(step, live.attempt, luck / 8),
            (None, 1) if !self.view.still && !live.plans => self.asks(step, live.attempt),
            // One shortage is told for all.
            (None, 2) if !self.view.still && self.view.live.values().all(|live| !live.short) => {
                self.lacks(step, live.attempt);
            }
            (None, _) if live.plans => self.proposes(step, live.attempt, plan(step, luck / 8)),
            (None, _) => self.completes(step, live.attempt),
        }
    }

    fn lacks(&mut self, step: &str, attempt: u32) {
        self.says(Writer::Agent, BudgetShort { step: step.into(), attempt, message: "0 calls left".into() });
    }

    fn asks(&mut self, step: &str, attempt: u32) {
        let asked = QuestionAsked {
            step: step.into(),
            attempt,
            agent: Some("x".into()),
            text: "?".into(),
            answer: AnswerType::Text,
            choices: Vec::new(),
            schema: None,
            expires: None,
        };
        self.says(Writer::Agent, asked);
    }

    /// All goes well from here on, and the person helps wherever it is wanted. Gives how it ended.
    pub fn comes_to_its_end(&mut self) -> &'static str {
        for _ in 0..200 {
            self.mission.decide();
            if let Some(end) = self.look().ended {
                return end;
            }
            if self.view.budget_question.is_some() || self.view.live.values().any(|live| live.short) {
                self.raises();
            }
            for (step, live) in self.view.live.clone() {
                match live.question {
                    Some(question) => self.answers(question, "yes"),
                    None if live.proposed => {}
                    None if live.plans => self.proposes(&step, live.attempt, json!({"answer": "so"})),
                    None => self.completes(&step, live.attempt),
                }
            }
            let retries =
                self.view.timers.clone().into_iter().filter(|(_, purpose)| matches!(purpose, Purpose::Retry { .. }));
            retries.for_each(|(timer, _)| self.fires(timer));
            if self.view.still {
                self.says(Writer::Agent, Halted {});
                self.says(Writer::User, user::ResumeRequested {});
            }
        }
        panic!("it does not end: {:?}\n{:#?}", self.mission.state.status, self.view)
    }
}

/// A plan by luck: for the mission, for a step of it, or around a failure.
fn plan(step: &str, luck: usize) -> Value {
    if luck.is_multiple_of(5) {
        return json!({"steps": [{"id": "a", "verb": "NOBODY_KNOWS"}]});
    }
    if luck.is_multiple_of(7) {
        return json!({"answer": "so"});
    }
    let steps = (0..=luck % 6).map(|i| {
        let after: Vec<_> = (0..i).filter(|j| (luck >> (i + j)) & 3 == 0).map(|j| format!("s{j}")).collect();
        // Plans within plans end here.
        let verb = if step == "_plan" { ["WORK", "ACCOMPLISH", "THINK"][(luck >> i) % 3] } else { "WORK" };
        let mut planned = json!({"id": format!("s{i}"), "verb": verb, "after": after, "retries": luck % 3});
        if (luck >> i) & 6 == 2 {
            planned["timeout"] = json!(5);
        }
        planned
    });
    json!({"steps": steps.collect::<Vec<_>>()})
}

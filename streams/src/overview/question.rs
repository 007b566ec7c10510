//! Questions to the mission's owner.

use super::{Overview, step};
use crate::agent;
use schemas::{
    Event, EventId, Fact, Time, Value,
    agent::{AnswerType, QuestionAsked},
    control::{Purpose, TimerSet},
    user::{BudgetRaised, QuestionAnswered},
};
use serde::{Deserialize, Serialize};

/// A question to the mission's owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub id: EventId,
    pub step: String,
    pub attempt: u32,
    /// The agent that asks; mission-control when absent.
    pub agent: Option<String>,
    pub text: String,
    #[serde(rename = "type")]
    pub kind: AnswerType,
    pub choices: Vec<String>,
    /// What `values` must fit.
    pub schema: Option<Value>,
    pub expires: Option<Time>,
    pub status: Status,
    pub answer: Option<Value>,
    pub asked: Time,
    pub answered: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Open,
    Answered,
    /// By the person, or because nobody waits for the answer any more.
    Dismissed,
    Expired,
}

impl Question {
    /// Does `answer` have the type that was asked for?
    pub fn admits(&self, answer: &Value) -> bool {
        let asked = agent::Question {
            id: self.id,
            answer: self.kind,
            choices: self.choices.clone(),
            schema: self.schema.clone(),
            expires: self.expires,
            timer: None,
        };
        asked.admits(answer)
    }
}

impl Overview {
    pub(super) fn asked(&mut self, event: &Event, said: &QuestionAsked) {
        if self.index.questions.contains_key(&event.id) {
            return;
        }
        self.index.questions.insert(event.id, self.questions.len());
        self.questions.push(Question {
            id: event.id,
            step: said.step.clone(),
            attempt: said.attempt,
            agent: said.agent.clone(),
            text: said.text.clone(),
            kind: said.answer,
            choices: said.choices.clone(),
            schema: said.schema.clone(),
            expires: said.expires,
            status: Status::Open,
            answer: None,
            asked: event.time,
            answered: None,
        });
        // The budget was raised while control was asking about it.
        if said.agent.is_none() && event.basis.is_some_and(|basis| basis < self.index.raised) {
            self.close_question(event.id, Status::Answered);
            return;
        }
        if let Some(i) = self.open_step(&said.step, said.attempt) {
            self.set(i, step::Status::Waiting);
        }
    }

    pub(super) fn answered(&mut self, said: &QuestionAnswered, at: Time) {
        let Some(question) = self.index.questions.get(&said.question).map(|&i| &mut self.questions[i]) else { return };
        // Control's own is about the budget: to raise it takes figures.
        let closes = question.agent.is_some() || said.answer != "raise";
        if question.status == Status::Open && closes && question.admits(&said.answer) {
            question.answer = Some(said.answer.clone());
            question.answered = Some(at);
            self.close_question(said.question, Status::Answered);
        }
    }

    /// What control asked about the budget is answered by raising it.
    pub(super) fn raised(&mut self, raised: &BudgetRaised, event: &Event) {
        let at = event.time;
        self.index.raised = event.seq;
        self.budget.raise(raised);
        let open =
            self.questions.iter_mut().filter(|question| question.agent.is_none() && question.status == Status::Open);
        let closed: Vec<EventId> = open
            .map(|question| {
                (question.answer, question.answered) = (Some("raise".into()), Some(at));
                question.id
            })
            .collect();
        for question in closed {
            self.close_question(question, Status::Answered);
        }
    }

    /// The first word closes a question; the step goes on.
    pub(super) fn close_question(&mut self, id: EventId, status: Status) {
        let Some(question) = self.index.questions.get(&id).map(|&i| &mut self.questions[i]) else { return };
        if question.status != Status::Open {
            return;
        }
        question.status = status;
        let (step, attempt) = (question.step.clone(), question.attempt);
        if let Some(i) = self.open_step(&step, attempt).filter(|&i| self.steps[i].status == step::Status::Waiting) {
            self.set(i, step::Status::Running);
        }
    }

    /// Nobody waits for the answers any more.
    pub(super) fn close_questions_of(&mut self, step: &str, status: Status) {
        for question in
            self.questions.iter_mut().filter(|question| question.step == step && question.status == Status::Open)
        {
            question.status = status;
        }
    }

    pub(super) fn close_all_questions(&mut self, status: Status) {
        self.questions
            .iter_mut()
            .filter(|question| question.status == Status::Open)
            .for_each(|question| question.status = status);
    }

    pub(super) fn timer_set(&mut self, timer: EventId, said: &TimerSet) {
        if let Purpose::Expiry { question } = said.purpose {
            self.index.expiries.insert(timer, question);
        }
    }

    pub(super) fn evolve_timer(&mut self, event: &Event) {
        let Some(timer) = event.request().filter(|_| matches!(event.fact, Fact::TimerFired(_))) else { return };
        if let Some(question) = self.index.expiries.remove(&timer) {
            self.close_question(question, Status::Expired);
        }
    }
}

//! Moving an attempt from stage to stage, and keeping the indices true.

use super::{Cause, Stage, State, Talk, Task, request::Kind, task::Back};
use schemas::{Class, EventId, Value};
use std::sync::Arc;

impl State {
    /// Puts an attempt in its place: the only way in which one changes.
    pub(super) fn put(&mut self, task: Task) {
        let key = (task.order, task.step.clone());
        self.finish.remove_mut(&key);
        self.start.remove_mut(&key);
        self.tight.remove_mut(&key);
        if task.tight.is_some() && matches!(task.stage, Stage::Open | Stage::Back(_)) {
            self.tight.insert_mut(key.clone());
        }
        match task.stage {
            Stage::Open => self.start.insert_mut(key),
            Stage::Back(_) => self.finish.insert_mut(key),
            Stage::Waiting(_) | Stage::Proposed(_) | Stage::Closed => {}
        }
        self.tasks.insert_mut(task.step.clone(), Arc::new(task));
    }

    /// The open attempt that a word of the agents is about.
    pub(super) fn open(&self, step: &str, attempt: u32) -> Option<Task> {
        self.task(step).filter(|task| task.attempt == attempt && !task.is_closed()).cloned()
    }

    /// Ends the attempt of a step, the latest or no later than `upto`.
    pub(super) fn close(&mut self, step: &str, upto: Option<u32>, cause: Cause) {
        let Some(task) = self.task(step).filter(|task| !task.is_closed()) else { return };
        if upto.is_some_and(|upto| task.attempt > upto) {
            return;
        }
        let mut task = task.clone();
        self.end_question(&mut task, cause);
        self.end_writing(&task);
        task.stage = Stage::Closed;
        task.rounds = Vec::new();
        task.talk = Talk::default();
        task.repaired = None;
        if self.shortage.told.as_ref().is_some_and(|(step, attempt)| (step, *attempt) == (&task.step, task.attempt)) {
            self.shortage.told = None;
        }
        self.put(task);
    }

    /// Something came back for an attempt.
    pub(super) fn bring(&mut self, mut task: Task, back: Back, cause: Cause) {
        task.bring(back);
        task.cause = cause;
        self.put(task);
    }

    /// A person answered or, without an answer, dismissed a question.
    pub(super) fn replied(&mut self, question: EventId, answer: Option<&Value>, cause: Cause) {
        let back = match answer {
            Some(answer) => Back::Reply(Arc::new(answer.clone())),
            None => Back::Failure { class: Class::Permanent, message: "the question was dismissed".into() },
        };
        let asking = self.requests.get(&question).filter(|request| request.kind == Kind::Question);
        let Some(mut task) = asking.and_then(|request| self.open(&request.step, request.attempt)) else { return };
        let admits = |value| task.question.as_ref().is_some_and(|asked| asked.admits(value));
        if !task.awaits(question) || !answer.is_none_or(admits) {
            return;
        }
        self.end_question(&mut task, cause);
        self.bring(task, back, cause);
    }

    /// Nothing is waited for any more: the question's timer has no use.
    pub(super) fn end_question(&mut self, task: &mut Task, cause: Cause) {
        let Some(question) = task.question.take() else { return };
        self.requests.remove_mut(&question.id);
        self.expiries.remove_mut(&question.id);
        if let Some(timer) = question.timer {
            self.needless.insert_mut(timer, cause);
        }
    }

    /// An answered run of an ended attempt writes no more; one still running goes on to hold back
    /// others until it is answered.
    fn end_writing(&mut self, task: &Task) {
        for run in &task.asked {
            if !self.requests.contains_key(run) {
                self.writing.remove_mut(run);
            }
        }
    }
}

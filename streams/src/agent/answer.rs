//! Answers of effects to what the agents asked for.

use super::{
    Cause, Stage, State,
    request::{Kind, Request},
    task::{Back, Outputs, Tight},
};
use schemas::{
    Class, Event, EventId, Fact,
    agent::Reserve,
    brain::{LlmCompleted, LlmFailed},
    capability::PluginCompleted,
};
use std::sync::Arc;

impl State {
    pub(super) fn evolve_answer(&mut self, event: &Event) {
        let Some(id) = event.request().filter(|_| event.tail.is_for(schemas::Writer::Agent)) else { return };
        let cause = Cause::of(event);
        // What a call took counts, whoever still waits for its answer.
        let reserved = match &event.fact {
            _ if !self.budget.is_in_flight(id) => None,
            Fact::LlmCompleted(said) => self.budget.completed(id, said),
            Fact::LlmFailed(said) => self.budget.failed(id, said),
            _ => None,
        };
        if reserved.is_some() {
            self.freed = Some(cause);
        }
        let Some(request) = self.requests.get(&id).cloned() else { return };
        match (&event.fact, request.kind) {
            (Fact::LlmCompleted(said), Kind::Call { repair }) => {
                self.called(id, &request, repair, Ok(said), cause);
            }
            (Fact::LlmFailed(said), Kind::Call { repair }) => {
                self.called(id, &request, repair, Err((said, reserved.unwrap_or_default())), cause);
            }
            (Fact::PluginCompleted(said), Kind::Run) => self.ran(id, &request, Ok(said), cause),
            (Fact::PluginFailed(said), Kind::Run) => self.ran(id, &request, Err((said.class, &said.message)), cause),
            (Fact::TimerFired(_), Kind::Timer { question }) => self.expired(id, question, &request, cause),
            _ => {}
        }
    }

    fn called(
        &mut self,
        call: EventId,
        request: &Request,
        repair: bool,
        result: Result<&LlmCompleted, (&LlmFailed, Reserve)>,
        cause: Cause,
    ) {
        self.requests.remove_mut(&call);
        let Some(mut task) = self.open(&request.step, request.attempt).filter(|task| task.awaits(call)) else { return };
        let refused = |message: &Option<String>| Back::Failure {
            class: Class::InvalidInput,
            message: message.clone().unwrap_or_default(),
        };
        let not_made = |class: Class| class == Class::NotStarted;
        if result.as_ref().err().is_none_or(|(said, _)| !not_made(said.class)) {
            task.tight = None;
        }
        let back = match result {
            // It is asked again, with more.
            Err((said, had)) if said.did_not_fit() && had != Reserve::default() => {
                task.tight = Some(Tight { had, why: said.message.clone() });
                repair.then(|| refused(&task.refused))
            }
            Ok(said) if repair => {
                task.repaired = Some(Arc::new(said.answer.clone()));
                None
            }
            Ok(said) if !said.calls.is_empty() => {
                task.talk.ask(Arc::new(said.answer.clone()), &said.calls);
                None
            }
            Ok(said) => Some(Back::Answer { call, answer: Arc::new(said.answer.clone()) }),
            Err((said, _)) if repair => {
                task.beyond_repair = !not_made(said.class);
                Some(refused(&task.refused))
            }
            Err((said, _)) if not_made(said.class) => None,
            Err((said, _)) => Some(Back::Failure { class: said.class, message: said.message.clone() }),
        };
        task.stage = back.map_or(Stage::Open, Stage::Back);
        task.cause = cause;
        self.put(task);
    }

    fn ran(&mut self, run: EventId, request: &Request, result: Result<&PluginCompleted, (Class, &str)>, cause: Cause) {
        self.requests.remove_mut(&run);
        self.freed = Some(cause);
        let waiting = self.open(&request.step, request.attempt).filter(|task| task.awaits(run));
        // What a run wrote is in the folder once its step is completed: until then no other writes.
        if waiting.is_none() || result.is_err() {
            self.writing.remove_mut(&run);
        }
        let Some(mut task) = waiting else { return };
        match result {
            Ok(said) => task.bring(Back::Outputs(Arc::new(Outputs {
                run,
                outputs: Arc::new(said.outputs.clone()),
                files: said.files.clone(),
                removed: said.removed.clone(),
            }))),
            Err((Class::NotStarted, _)) => task.stage = Stage::Open,
            Err((class, message)) => task.bring(Back::Failure { class, message: message.into() }),
        }
        task.cause = cause;
        self.put(task);
    }

    fn expired(&mut self, timer: EventId, question: EventId, request: &Request, cause: Cause) {
        self.requests.remove_mut(&timer);
        self.needless.remove_mut(&timer);
        let waiting = self.open(&request.step, request.attempt).filter(|task| task.awaits(question));
        let Some(mut task) = waiting else { return };
        // It has fired: there is nothing to clear.
        task.question = None;
        self.requests.remove_mut(&question);
        self.bring(task, Back::Failure { class: Class::Permanent, message: "the question expired".into() }, cause);
    }
}

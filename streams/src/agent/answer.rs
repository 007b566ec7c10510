//! Answers of effects to what the agents asked for.

use super::{
    Cause, Stage, State,
    request::{Kind, Request},
    task::{Back, Outputs},
};
use schemas::{
    Class, Event, EventId, Fact,
    brain::{LlmCompleted, Usage},
    capability::PluginCompleted,
};
use std::sync::Arc;

impl State {
    pub(super) fn evolve_answer(&mut self, event: &Event) {
        let Some(id) = event.request().filter(|_| event.tail.is_for(schemas::Writer::Agent)) else { return };
        let Some(request) = self.requests.get(&id).cloned() else { return };
        let cause = Cause::of(event);
        match (&event.fact, request.kind) {
            (Fact::LlmCompleted(said), Kind::Call { repair }) => {
                self.settle(id, true, said.usage, said.cost_usd, cause);
                self.called(id, &request, repair, Ok(said), cause);
            }
            (Fact::LlmFailed(said), Kind::Call { repair }) => {
                self.settle(id, said.class != Class::NotStarted, said.usage, said.cost_usd, cause);
                self.called(id, &request, repair, Err((said.class, &said.message)), cause);
            }
            (Fact::PluginCompleted(said), Kind::Run) => self.ran(id, &request, Ok(said), cause),
            (Fact::PluginFailed(said), Kind::Run) => self.ran(id, &request, Err((said.class, &said.message)), cause),
            (Fact::TimerFired(_), Kind::Timer { question }) => self.expired(id, question, &request, cause),
            _ => {}
        }
    }

    fn settle(&mut self, call: EventId, started: bool, usage: Usage, cost_usd: f64, cause: Cause) {
        self.requests.remove_mut(&call);
        self.budget.settle(started, usage.input.saturating_add(usage.output), cost_usd);
        self.freed = Some(cause);
    }

    fn called(
        &mut self,
        call: EventId,
        request: &Request,
        repair: bool,
        result: Result<&LlmCompleted, (Class, &str)>,
        cause: Cause,
    ) {
        let Some(mut task) = self.open(&request.step, request.attempt).filter(|task| task.awaits(call)) else { return };
        let refused = |message: &Option<String>| Back::Failure {
            class: Class::InvalidInput,
            message: message.clone().unwrap_or_default(),
        };
        let back = match result {
            Ok(said) if repair => {
                task.repaired = Some(Arc::new(said.answer.clone()));
                None
            }
            Ok(said) if !said.calls.is_empty() => {
                task.talk.ask(Arc::new(said.answer.clone()), &said.calls);
                None
            }
            Ok(said) => Some(Back::Answer { call, answer: Arc::new(said.answer.clone()) }),
            Err((Class::NotStarted, _)) if !repair => None,
            Err((class, _)) if repair => {
                task.beyond_repair = class != Class::NotStarted;
                Some(refused(&task.refused))
            }
            Err((class, message)) => Some(Back::Failure { class, message: message.into() }),
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

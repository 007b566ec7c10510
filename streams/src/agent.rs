//! What agents know about a mission: which attempts of which steps are theirs, how far each has
//! come, and what may start.
//!
//! Attempts that need a word are kept in two indices, `finish` and `start`, so a decision looks at
//! those only. What the word is, the agents decide.

mod answer;
mod attempt;
pub mod folder;
mod mission;
pub mod plan;
mod request;
mod said;
pub mod talk;
pub mod task;

pub use folder::Folder;
pub use mission::Mission;
pub use plan::Plans;
pub use said::{FILE_OPS, may_write};
pub use talk::Talk;
pub use task::{Back, Cause, Question, Round, Stage, Task, Tight};

use crate::{budget::Budget, decide::About};
use request::Request;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync, RedBlackTreeSetSync, VectorSync};
use schemas::{Event, EventId, Time, Writer, catalogue::Role, fact::Tail};
use std::sync::Arc;

/// One mission as the agents see it.
#[derive(Debug, Clone, Default)]
pub struct State {
    about: Option<About>,
    last_seq: u64,
    mission: Option<Arc<Mission>>,
    ended: bool,
    pause: Pause,
    /// Agent → its role.
    agents: HashTrieMapSync<String, String>,
    /// What the person said, in order.
    messages: VectorSync<String>,
    plans: Plans,
    folder: Folder,
    budget: Budget,
    shortage: Shortage,
    /// Step → its latest attempt.
    tasks: HashTrieMapSync<String, Arc<Task>>,
    /// Attempts for which something came back, in plan order.
    finish: RedBlackTreeSetSync<(u32, String)>,
    /// Attempts that are to start something, in plan order.
    start: RedBlackTreeSetSync<(u32, String)>,
    /// Attempts of both whose call did not fit what was reserved for it.
    tight: RedBlackTreeSetSync<(u32, String)>,
    /// What is asked for and not answered.
    requests: HashTrieMapSync<EventId, Request>,
    /// Runs that may write and whose attempt has not ended with what they wrote.
    writing: RedBlackTreeSetSync<EventId>,
    /// Questions whose expiry is not set.
    expiries: RedBlackTreeMapSync<EventId, (Time, Cause)>,
    /// Timers nobody needs any more.
    needless: RedBlackTreeMapSync<EventId, Cause>,
    /// The last raise or answer: what calls and runs that were held back go on by.
    freed: Option<Cause>,
}

/// Does the mission stand still, and have the agents said so?
#[derive(Debug, Clone, Copy, Default)]
struct Pause {
    since: Option<Cause>,
    resumed: Option<Cause>,
    halted: bool,
    /// How often it was said.
    halts: u32,
}

/// What the agents have said about a budget that does not suffice.
#[derive(Debug, Clone, Default)]
struct Shortage {
    /// The attempt for which it was told, until the budget is raised.
    told: Option<(String, u32)>,
    /// How often it was told.
    times: u32,
    /// Where the last raise is in the log: what was said without knowing it counts no more.
    raised: u64,
}

impl State {
    /// Folds one event. Total and idempotent; the first word wins.
    pub fn evolve(&mut self, event: &Event) {
        // Folds go by the log's order; own words are folded before they have a place in it.
        if event.seq != 0 {
            if event.seq <= self.last_seq {
                return;
            }
            self.last_seq = event.seq;
        }
        match &mut self.about {
            Some(about) => about.time = about.time.max(event.time),
            None => {
                self.about = Some(About { tenant: event.tenant.clone(), mission: event.mission, time: event.time });
            }
        }
        match event.writer {
            Writer::Control => self.evolve_control(event),
            Writer::User => self.evolve_user(event),
            Writer::Agent => self.evolve_said(event),
            Writer::Brain | Writer::Capability | Writer::Timer => self.evolve_answer(event),
            _ => {}
        }
    }

    pub fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }
    /// What was asked for, once `mission.created` is folded.
    pub fn mission(&self) -> Option<&Mission> {
        self.mission.as_deref()
    }
    /// The mission completed, failed or was aborted; a failed one may be retried.
    pub fn ended(&self) -> bool {
        self.ended
    }
    /// Since when nothing may start.
    pub fn paused(&self) -> Option<Cause> {
        self.pause.since
    }
    /// The pause that is not confirmed yet, and how many were before it.
    pub fn halt_due(&self) -> Option<(Cause, u32)> {
        self.pause.since.filter(|_| !self.pause.halted).map(|since| (since, self.pause.halts))
    }
    pub fn plans(&self) -> &Plans {
        &self.plans
    }
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
    pub fn budget(&self) -> &Budget {
        &self.budget
    }
    /// Is it told that the budget does not suffice? Until it is raised no call starts.
    pub fn is_short(&self) -> bool {
        self.shortage.told.is_some()
    }
    /// Is a call to be made that did not fit what was reserved for it?
    pub fn is_tight(&self) -> bool {
        !self.tight.is_empty()
    }
    /// How often it was told that the budget does not suffice.
    pub fn shortages(&self) -> u32 {
        self.shortage.times
    }
    /// What the person said since the mission began, in order.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(String::as_str)
    }
    /// The latest attempt of a step.
    pub fn task(&self, step: &str) -> Option<&Task> {
        self.tasks.get(step).map(Arc::as_ref)
    }
    /// The role of an agent, when the catalogue has it.
    pub fn role(&self, agent: &str) -> Option<&Role> {
        self.mission.as_ref()?.catalogue()?.roles.get(self.agents.get(agent)?)
    }
    /// Attempts for which something came back, in plan order.
    pub fn finishing(&self) -> impl Iterator<Item = &Task> {
        self.finish.iter().filter_map(|(_, step)| self.task(step))
    }
    /// Attempts that are to start something, in plan order.
    pub fn starting(&self) -> impl Iterator<Item = &Task> {
        self.start.iter().filter_map(|(_, step)| self.task(step))
    }
    /// May a run that writes start in this attempt? Those of two attempts never overlap.
    pub fn may_write(&self, task: &Task) -> bool {
        self.writing.iter().all(|run| task.asked.contains(run))
    }
    /// The first question whose expiry is to be set.
    pub fn expiry_due(&self) -> Option<(EventId, Time, Cause)> {
        self.expiries.first().map(|(question, (at, cause))| (*question, *at, *cause))
    }
    /// The first timer to be cleared.
    pub fn needless_timer(&self) -> Option<(EventId, Cause)> {
        self.needless.first().map(|(timer, cause)| (*timer, *cause))
    }
    /// The end of the last pause.
    pub fn resumed(&self) -> Option<Cause> {
        self.pause.resumed
    }
    /// The last raise or answer: what calls and runs that were held back go on by.
    pub fn freed(&self) -> Option<Cause> {
        self.freed
    }
}

/// Which words are folded; all others are only counted.
pub fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool {
    match writer {
        Writer::Agent => true,
        Writer::Control => !kind.starts_with("timer."),
        Writer::User => matches!(
            kind,
            "question.answered"
                | "question.dismissed"
                | "message.said"
                | "budget.raised"
                | "file.added"
                | "file.removed"
                | "decider.retried"
        ),
        _ => tail.is_for(Writer::Agent),
    }
}

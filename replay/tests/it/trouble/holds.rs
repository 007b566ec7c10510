//! What must hold of every case.

use super::case::Case;
use agents::Agents;
use mission_control::Control;
use nats::memory::{Kind, Memory};
use replay::{Entry, History, check_all};
use schemas::{Event, EventId, Fact, Writer, agent::StepCompleted, value::Values};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};
use streams::{control::StepStatus, decide::Decider, record::Decoded};
use tokio::time::Instant;

/// How a mission ended: what must not depend on what went wrong on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub status: streams::control::Status,
    /// Step → how it ended, at which attempt (0 where its time limit decides that), with which
    /// outputs and deliverables.
    pub steps: BTreeMap<String, (StepStatus, u32, Option<Values>, Vec<String>)>,
    /// So many faults happened.
    pub met: u64,
}

impl Outcome {
    pub fn of(case: &Case, history: &History) -> Self {
        let (control, agent) = (fold::<Control>(history), fold::<Agents>(history));
        let mut deliverables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for said in completions(history) {
            let files = said.deliverables.iter().map(|given| format!("{given:?}"));
            deliverables.entry(said.step.clone()).or_default().extend(files);
        }
        let steps = control.steps.iter().map(|(id, step)| {
            let attempt = if case.is_timed(id) { 0 } else { step.attempt };
            let outputs = agent.plans().outputs(id).cloned();
            (id.clone(), (step.status, attempt, outputs, deliverables.remove(id).unwrap_or_default()))
        });
        Self { status: control.status, steps: steps.collect(), met: 0 }
    }
}

fn fold<D: Decider>(history: &History) -> D::State {
    let mut state = D::State::default();
    for entry in &history.entries {
        match entry {
            Entry::Event(event) if D::folds(event.writer, event.fact.kind(), &event.tail) => {
                D::evolve(&mut state, event);
            }
            _ => D::pass(&mut state),
        }
    }
    state
}

/// What agents said of attempts that control had not called off before: these words count.
fn completions(history: &History) -> Vec<&StepCompleted> {
    let (mut off, mut all) = (BTreeSet::new(), Vec::new());
    for event in history.events() {
        match &event.fact {
            Fact::StepCancelled(said) => {
                off.insert((&said.step, said.attempt));
            }
            Fact::StepCompleted(said) if !off.contains(&(&said.step, said.attempt)) => all.push(said),
            _ => {}
        }
    }
    all
}

/// Checks a log that has come to its end.
pub fn log(case: &Case, history: &History) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    let mut requests = BTreeSet::new();
    let (mut assigned, mut completed, mut planned) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in history.events() {
        let kind = event.fact.kind();
        if !ids.insert(event.id) {
            return Err(format!("`{kind}` is in the log twice: {}, again at {}", event.id, event.seq));
        }
        if let Some(request) = event.request()
            && !requests.insert(request)
        {
            return Err(format!("`{kind}` at {} answers a request that has an answer", event.seq));
        }
        let once = match &event.fact {
            Fact::StepAssigned(said) => assigned.insert((said.step.clone(), said.attempt)),
            Fact::PlanAccepted(said) => planned.insert(said.step.clone()),
            Fact::DeciderStuck(said) => return Err(format!("a mission is stuck: {}", said.message)),
            _ => true,
        };
        if !once {
            return Err(format!("`{kind}` at {} was said before", event.seq));
        }
    }
    if let Some(said) = completions(history).into_iter().find(|said| !completed.insert(said.step.clone())) {
        return Err(format!("step {} is completed twice, at last in attempt {}", said.step, said.attempt));
    }
    for report in check_all(history) {
        if let Some(difference) = report.differences.first() {
            return Err(format!("{} decides otherwise: {difference:?}", report.decider));
        }
    }
    if !case.aborts() && !fold::<Control>(history).status.is_final() {
        return Err("the mission has no end".into());
    }
    Ok(())
}

/// Compares with the run in which nothing went wrong.
pub fn same(case: &Case, calm: &Outcome, troubled: &Outcome) -> Result<(), String> {
    if !case.aborts() {
        let same = (calm.status, &calm.steps) == (troubled.status, &troubled.steps);
        return if same { Ok(()) } else { Err(format!("it ends as {troubled:?} instead of {calm:?}")) };
    }
    for (id, step) in troubled.steps.iter().filter(|(_, step)| step.0 == StepStatus::Completed) {
        if calm.steps.get(id) != Some(step) {
            return Err(format!("step {id} ends as {step:?} instead of {:?}", calm.steps.get(id)));
        }
    }
    Ok(())
}

/// What effects did, seen from outside the log.
pub struct Runs {
    log: Memory,
    case: Arc<Case>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    hands: usize,
    begun: HashMap<EventId, u32>,
    under_way: BTreeSet<(usize, EventId)>,
    answered: HashMap<EventId, Instant>,
    wrong: Option<String>,
}

impl Runs {
    pub fn new(log: &Memory, case: &Arc<Case>) -> Self {
        Self { log: log.clone(), case: Arc::clone(case), seen: Mutex::default() }
    }

    /// One instance of an effect.
    pub fn hand(self: &Arc<Self>, log: &Memory) -> Ran {
        let mut seen = self.seen.lock().unwrap();
        seen.hands += 1;
        Ran { runs: Arc::clone(self), hand: seen.hands, log: log.clone() }
    }

    /// An answer was read in the log.
    pub fn answered(&self, request: EventId) {
        self.seen.lock().unwrap().answered.entry(request).or_insert_with(Instant::now);
    }

    /// What an effect did that it may not.
    pub fn wrong(&self) -> Result<(), String> {
        self.seen.lock().unwrap().wrong.clone().map_or(Ok(()), Err)
    }

    /// So often may a request of this writer's effect be executed.
    fn allowed(&self, writer: Writer) -> u32 {
        let who = if writer == Writer::Brain { "brain" } else { "capability" };
        let faults = self.case.faults.iter().filter(|fault| fault.who == who);
        1 + faults.filter(|fault| !matches!(fault.kind, Kind::Lost | Kind::Unheard)).count() as u32
    }
}

pub struct Ran {
    runs: Arc<Runs>,
    hand: usize,
    log: Memory,
}

impl Ran {
    /// A request is executed until what this gives is dropped.
    pub fn begins(&self, request: &Event) -> Running {
        let writer = if matches!(request.fact, Fact::LlmRequested(_)) { Writer::Brain } else { Writer::Capability };
        let allowed = self.runs.allowed(writer);
        // Who stood still knows only what was so before.
        let knows = !self.runs.case.faults.iter().any(|f| matches!(f.kind, Kind::Freeze(_) | Kind::FreezeAfter(_)));
        let mut seen = self.runs.seen.lock().unwrap();
        let times = seen.begun.entry(request.id).or_default();
        *times += 1;
        let times = *times;
        let late = seen.answered.get(&request.id).is_some_and(|at| at.elapsed() > Duration::from_millis(100));
        let busy = !seen.under_way.insert((self.hand, request.id));
        let wrong = if busy {
            Some("an instance executes a request that it is at".to_string())
        } else if late && knows && self.log.frozen_until().is_none() {
            Some("a request is executed though it has an answer".into())
        } else {
            (times > allowed).then(|| format!("a request is executed {times} times, {allowed} are allowed"))
        };
        if seen.wrong.is_none() {
            seen.wrong = wrong.map(|wrong| format!("{wrong}: {}", request.fact.to_value()));
        }
        drop(seen);
        Running { runs: Arc::clone(&self.runs), hand: self.hand, request: request.id }
    }
}

pub struct Running {
    runs: Arc<Runs>,
    hand: usize,
    request: EventId,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.runs.seen.lock().unwrap().under_way.remove(&(self.hand, self.request));
    }
}

impl Runs {
    /// Takes note of what is new in the log.
    pub fn read(&self, from: usize) -> Vec<Event> {
        let events: Vec<Event> = self
            .log
            .records_from(from)
            .iter()
            .filter_map(|record| match record.decode() {
                Ok(Decoded::Event(event)) => Some(event),
                _ => None,
            })
            .collect();
        events.iter().filter_map(Event::request).for_each(|request| self.answered(request));
        events
    }
}

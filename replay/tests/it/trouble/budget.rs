//! Missions of many agents and a small budget: what their calls take, and what must hold.

use super::{
    case::{Case, Say, Step, Trouble, Verb, Word},
    dice::Dice,
};
use agents::Agents;
use replay::History;
use schemas::{
    Event, EventId, Fact, Writer,
    agent::Reserve,
    brain::Usage,
    fact::Tail,
    goal::{Budget, Limit},
    user::BudgetRaised,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use streams::decide::{About, Decider, Due};

/// The most agents of a mission.
pub const AGENTS: u32 = 100;
/// Sums of costs are not exact.
const NEARLY: f64 = 1e-6;

/// What a step's call takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Who makes it.
    pub agent: u32,
    pub usd: f64,
    pub tokens: u64,
    /// As the brain expects it.
    pub estimate: (f64, u64),
    pub ms: u64,
}

impl Default for Call {
    fn default() -> Self {
        Self { agent: 0, usd: 0.01, tokens: 2, estimate: (0.0, 0), ms: 35 }
    }
}

impl Call {
    pub fn fits(&self, reserve: &Reserve) -> bool {
        let (usd, tokens) = self.estimate;
        reserve.usd.is_none_or(|most| usd <= most + NEARLY) && reserve.tokens.is_none_or(|most| tokens <= most)
    }

    fn draw(dice: &mut Dice, agent: u32) -> Self {
        let mut cents = |most: u32| f64::from(dice.below(most)) / 1_000.0;
        let (usd, estimate) = (cents(30), cents(20));
        let (tokens, expected) = (u64::from(dice.below(300)), u64::from(dice.below(200)));
        Self { agent, usd, tokens, estimate: (estimate, expected), ms: u64::from(dice.below(300)) }
    }
}

pub fn draw(dice: &mut Dice) -> Case {
    let agents = 1 + dice.below(9);
    of_agents(dice, agents)
}

/// So many agents, most of which can begin at once.
pub fn of_agents(dice: &mut Dice, agents: u32) -> Case {
    let count = agents + dice.below(4);
    let step = |dice: &mut Dice, i: u32| {
        let needs = (i > 0 && dice.one_in(6)).then(|| dice.below(i) as usize).into_iter().collect();
        let trouble = dice.one_in(10).then_some(Trouble::Transient(1));
        Step { verb: Verb::Think, needs, trouble, call: Some(Call::draw(dice, i % agents)) }
    };
    let steps = (0..count).map(|i| step(dice, i)).collect();
    let mut budget = Budget::default();
    while budget == Budget::default() {
        budget.max_calls = dice.one_in(3).then(|| u64::from(dice.below(2 * count)));
        budget.max_tokens = dice.one_in(2).then(|| u64::from(dice.below(120 * count)));
        budget.max_cost_usd = dice.one_in(2).then(|| f64::from(dice.below(12 * count)) / 1_000.0);
    }
    let mut words = Vec::new();
    for say in [Say::Pause, Say::Raise, Say::Raise] {
        if dice.one_in(6) {
            words.push(Word { after: u64::from(1 + dice.below(40)), say });
        }
    }
    words.sort_by_key(|word| word.after);
    Case {
        steps,
        slots: if dice.one_in(3) { 1 + dice.below(4) } else { 2 * AGENTS },
        planned: None,
        words,
        budget: Some(budget),
        retried: false,
        instances: 1 + dice.below(2),
        max_ack_pending: 1_000,
        faults: Vec::new(),
    }
}

/// The budget after so many raises: as much again each time, and enough for the largest call.
pub fn raised(case: &Case, times: u32) -> BudgetRaised {
    let Budget { max_calls, max_tokens, max_cost_usd, .. } = case.budget.clone().unwrap_or_default();
    let calls = || case.steps.iter().filter_map(|step| step.call.as_ref());
    let tokens = calls().map(|call| call.estimate.1.max(call.tokens)).max().unwrap_or(0);
    let usd = calls().map(|call| call.estimate.0.max(call.usd)).fold(0.0, f64::max);
    let n = u64::from(times);
    BudgetRaised {
        max_calls: max_calls.map(|max| max * (n + 1) + n),
        max_tokens: max_tokens.map(|max| max * (n + 1) + n * tokens),
        max_cost_usd: max_cost_usd.map(|max| max * (f64::from(times) + 1.0) + f64::from(times) * usd),
    }
}

/// What the log says of the budget, counted by itself.
#[derive(Default)]
struct Account {
    limits: Budget,
    used: (u64, u64, f64),
    /// Calls in flight.
    calls: BTreeMap<EventId, (String, Reserve)>,
    /// Agent → by how much its last call went beyond what it had reserved.
    beyond: BTreeMap<String, (u64, f64)>,
}

impl Account {
    fn read(&mut self, event: &Event) {
        match &event.fact {
            Fact::MissionCreated(said) => self.limits = said.budget.clone(),
            Fact::BudgetRaised(said) => self.limits.raise(said),
            Fact::LlmRequested(said) => {
                self.calls.insert(event.id, (said.agent.clone(), said.reserve.clone()));
            }
            Fact::LlmCompleted(said) => self.answered(event, true, said.usage, said.cost_usd),
            Fact::LlmFailed(said) => {
                let started = !said.did_not_fit() && said.class != schemas::Class::NotStarted;
                self.answered(event, started, said.usage, said.cost_usd);
            }
            _ => {}
        }
    }

    fn answered(&mut self, event: &Event, started: bool, usage: Usage, usd: f64) {
        let call = event.request().expect("an answer");
        let (agent, reserve) = self.calls.remove(&call).expect("it was asked for");
        let tokens = usage.input + usage.output;
        self.used = (self.used.0 + u64::from(started), self.used.1 + tokens, self.used.2 + usd);
        let beyond = (tokens.saturating_sub(reserve.tokens.unwrap_or(0)), (usd - reserve.usd.unwrap_or(0.0)).max(0.0));
        self.beyond.insert(agent, beyond);
    }

    /// Each limit, with what is used and what is reserved.
    fn sums(&self) -> [(Limit, f64, f64, Option<f64>); 3] {
        let (calls, tokens, usd) = self.used;
        let reserves = || self.calls.values().map(|(_, reserve)| reserve);
        let reserved = reserves().filter_map(|reserve| reserve.tokens).sum::<u64>() as f64;
        let dollars = reserves().filter_map(|reserve| reserve.usd).sum();
        let Budget { max_calls, max_tokens, max_cost_usd, .. } = self.limits;
        [
            (Limit::MaxCalls, calls as f64, self.calls.len() as f64, max_calls.map(|max| max as f64)),
            (Limit::MaxTokens, tokens as f64, reserved, max_tokens.map(|max| max as f64)),
            (Limit::MaxCostUsd, usd, dollars, max_cost_usd),
        ]
    }

    /// How far it may be beyond a limit: by what each agent's last call took more than it had reserved.
    fn grace(&self, limit: Limit) -> f64 {
        match limit {
            Limit::MaxCalls => 0.0,
            Limit::MaxTokens => self.beyond.values().map(|(tokens, _)| *tokens as f64).sum(),
            Limit::MaxCostUsd => self.beyond.values().map(|(_, usd)| usd).sum(),
        }
    }
}

/// Checks the budget at every moment of a log.
///
/// # Errors
/// A sentence: what did not hold.
pub fn holds(case: &Case, history: &History) -> Result<(), String> {
    if case.budget.is_none() {
        return Ok(());
    }
    let events: Vec<&Event> = history.events().collect();
    let mut now = Account::default();
    // What the agents knew when they decided: all up to the basis, and the words of that decision.
    let (mut known, mut upto) = (Account::default(), 0);
    let (mut short, mut raised, mut open, mut waits) = (false, 0, 0, false);
    let mut told: BTreeSet<(Limit, u64)> = BTreeSet::new();
    // To a millionth: a number may lose its last digit in the log.
    let rounded = |of: f64| (of * 1e6).round() as u64;
    for event in &events {
        let at = event.seq;
        now.read(event);
        for (limit, used, _, max) in now.sums() {
            let most = max.map(|max| max + now.grace(limit) + NEARLY);
            if most.is_some_and(|most| used > most) {
                return Err(format!("overspent at {at}: {limit} {used} of {max:?}, {:?}", now.beyond));
            }
        }
        match &event.fact {
            Fact::LlmRequested(said) => {
                let basis = event.basis.expect("it was decided");
                while events[upto].seq <= basis {
                    known.read(events[upto]);
                    upto += 1;
                }
                known.read(event);
                for (limit, used, reserved, max) in known.sums() {
                    if max.is_some_and(|max| used + reserved > max + NEARLY) {
                        return Err(format!(
                            "at {at} {used} and {reserved} of {max:?} of {limit} are used and reserved"
                        ));
                    }
                }
                let shared = now.limits.max_tokens.is_some() || now.limits.max_cost_usd.is_some();
                let flying = now.calls.values().filter(|(agent, _)| *agent == said.agent).count();
                if shared && flying > 1 {
                    return Err(format!("{} has {flying} calls in flight at {at}", said.agent));
                }
                if short {
                    return Err(format!("a call is asked for at {at} though the budget is short"));
                }
            }
            Fact::BudgetShort(_) => short = event.basis.is_none_or(|basis| basis >= raised),
            Fact::BudgetRaised(_) => {
                // Nobody answers before the question, and somebody who was asked sees a mission that waits.
                let calm = case.faults.is_empty() && case.words.is_empty();
                if calm && !(open == 1 && waits) {
                    return Err(format!("it is raised at {at} with {open} open questions, waiting: {waits}"));
                }
                (short, raised, open, waits) = (false, at, 0, false);
            }
            // One that was asked while the budget was raised is no question any more.
            Fact::QuestionAsked(_) if event.writer == Writer::Control && event.basis >= Some(raised) => {
                open += 1;
                if open > 1 {
                    return Err(format!("a second question about the budget at {at}"));
                }
            }
            Fact::MissionWaiting(_) => waits = true,
            Fact::MissionResumed(_) => waits = false,
            Fact::BudgetWarned(said) if !told.insert((said.limit, rounded(said.of))) => {
                return Err(format!("{} of {} is told again at {at}", said.limit, said.of));
            }
            _ => {}
        }
    }
    // What comes when the end is decided is told to nobody.
    let end = events.iter().rev().find(|event| matches!(event.fact, Fact::MissionCompleted(_)));
    let heard = end.and_then(|end| end.basis).unwrap_or(u64::MAX);
    let mut last = Account::default();
    events.iter().take_while(|event| event.seq <= heard).for_each(|event| last.read(event));
    for (limit, used, _, max) in last.sums() {
        let nearly = max.filter(|max| used > 0.0 && used * 100.0 > max * 80.0 + NEARLY);
        if nearly.is_some_and(|max| !told.contains(&(limit, rounded(max)))) {
            return Err(format!("nobody is told that {used} of {max:?} of {limit} are used"));
        }
    }
    Ok(())
}

/// Agents that forget to reserve.
pub struct Careless;

impl Decider for Careless {
    const NAME: &'static str = Agents::NAME;
    const WRITER: Writer = Agents::WRITER;
    type State = <Agents as Decider>::State;

    fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool {
        Agents::folds(writer, kind, tail)
    }

    fn evolve(state: &mut Self::State, event: &Event) {
        let mut event = event.clone();
        if let Fact::LlmRequested(said) = &mut event.fact {
            (said.reserve, said.agent) = (Reserve::default(), event.id.to_string());
        }
        Agents::evolve(state, &event);
    }

    fn about(state: &Self::State) -> Option<&About> {
        Agents::about(state)
    }

    fn next(state: &Self::State) -> Option<Due> {
        Agents::next(state)
    }
}

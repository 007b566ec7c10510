//! A mission's budget for model calls, as a tree: what the mission, each of its agents and each call
//! have reserved, and what they have used.
//!
//! A call reserves before it starts and settles once it is answered. The agents' fold does both;
//! control's only settles, so that it can tell the person in time.

#[cfg(test)]
mod tests;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use schemas::{
    Class, EventId,
    agent::Reserve,
    brain::{LlmCompleted, LlmFailed, Usage},
    control::BudgetWarned,
    goal::{self, Limit},
    user::BudgetRaised,
};

/// Less US dollars than this are none: sums of shares are not exact.
const NONE: f64 = 1e-9;

/// What calls took, or may take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    pub calls: u64,
    pub tokens: u64,
    pub usd: f64,
}

/// The mission, or one of its agents.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Node {
    pub used: Sum,
    /// Of the calls in flight.
    pub reserved: Sum,
}

/// The budget of a mission.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    limits: goal::Budget,
    mission: Node,
    agents: HashTrieMapSync<String, Node>,
    /// Calls in flight: whose they are, and what each may take.
    calls: HashTrieMapSync<EventId, (String, Reserve)>,
    /// Limit → of how much the person was told that it is nearly used up, and how often.
    warned: RedBlackTreeMapSync<Limit, (f64, u32)>,
}

/// What the budget says about one more call.
#[derive(Debug, Clone, PartialEq)]
pub enum Room {
    /// It may start and use so much.
    Free(Reserve),
    /// Not before a running call is answered.
    Wait,
    /// Nothing is left; says of which limit.
    Short(String),
    /// All that is left is no more than what did not suffice.
    TooLittle,
}

impl Budget {
    /// Nothing used yet.
    pub fn new(limits: &goal::Budget) -> Self {
        Self { limits: limits.clone(), ..Self::default() }
    }

    /// May this agent start a call?
    ///
    /// A limit of calls is exact: those in flight are counted. What a call costs or how many tokens it
    /// takes is known only afterwards. So where these are limited each call reserves a share of what
    /// is free, and an agent has one call in flight: that is all that can go beyond the limit. What is
    /// free is parted among the agents that have a call to start now (`sharers`) and whoever
    /// comes next. Of a call that its share did not suffice for (`had`) all is reserved, once no
    /// other is in flight.
    pub fn room(&self, agent: &str, had: Option<&Reserve>, sharers: impl FnOnce() -> u64) -> Room {
        let Node { used, reserved } = self.mission;
        let goal::Budget { max_calls, max_tokens, max_cost_usd, .. } = self.limits;
        let busy = reserved.calls > 0;
        let full = |words: String| if busy { Room::Wait } else { Room::Short(words) };
        if let Some(max) = max_calls.filter(|max| used.calls + reserved.calls >= *max) {
            return full(format!("max_calls: {} of {max} calls are made", used.calls));
        }
        if !self.is_shared() {
            return Room::Free(Reserve::default());
        }
        if self.agent(agent).reserved.calls > 0 || had.is_some() && busy {
            return Room::Wait;
        }
        if let Some(max) = max_tokens.filter(|max| used.tokens.saturating_add(reserved.tokens) >= *max) {
            return full(format!("max_tokens: {} of {max} tokens are used", used.tokens));
        }
        // A limit of zero dollars is no shortage by itself: it allows models that cost nothing.
        let taken = used.usd + reserved.usd;
        if let Some(max) = max_cost_usd.filter(|max| taken > 0.0 && taken + NONE >= *max) {
            return full(format!("max_cost_usd: {} of {max} USD are spent", dollars(used.usd)));
        }
        let free = Reserve {
            usd: max_cost_usd.map(|max| max - taken),
            tokens: max_tokens.map(|max| max - used.tokens - reserved.tokens),
        };
        match had {
            Some(had) if is_more(&free, had) => Room::Free(free),
            Some(_) => Room::TooLittle,
            None => {
                let parts = sharers().max(1) + 1;
                Room::Free(Reserve {
                    usd: free.usd.map(|usd| usd / parts as f64),
                    tokens: free.tokens.map(|tokens| (tokens / parts).max(1)),
                })
            }
        }
    }

    /// Can the budget hold a call back?
    pub fn is_limited(&self) -> bool {
        self.limits.max_calls.is_some() || self.is_shared()
    }

    /// Does each call reserve a share?
    pub fn is_shared(&self) -> bool {
        self.limits.max_tokens.is_some() || self.limits.max_cost_usd.is_some()
    }

    pub fn mission(&self) -> Node {
        self.mission
    }

    pub fn agent(&self, agent: &str) -> Node {
        self.agents.get(agent).copied().unwrap_or_default()
    }

    pub fn is_in_flight(&self, call: EventId) -> bool {
        self.calls.contains_key(&call)
    }

    /// A call is asked for.
    pub fn reserve(&mut self, call: EventId, agent: &str, reserve: &Reserve) {
        if self.is_in_flight(call) {
            return;
        }
        self.calls.insert_mut(call, (agent.into(), reserve.clone()));
        self.change(agent, |node| {
            node.reserved.calls += 1;
            node.reserved.tokens += reserve.tokens.unwrap_or(0);
            node.reserved.usd += reserve.usd.unwrap_or(0.0);
        });
    }

    /// A call is answered. Gives what it had reserved.
    pub fn completed(&mut self, call: EventId, said: &LlmCompleted) -> Option<Reserve> {
        self.settle(call, true, said.usage, said.cost_usd)
    }

    /// A call came to nothing; one that never started is none. Gives what it had reserved.
    pub fn failed(&mut self, call: EventId, said: &LlmFailed) -> Option<Reserve> {
        let started = said.class != Class::NotStarted && !said.did_not_fit();
        self.settle(call, started, said.usage, said.cost_usd)
    }

    fn settle(&mut self, call: EventId, started: bool, usage: Usage, cost_usd: f64) -> Option<Reserve> {
        let known = self.calls.get(&call).cloned();
        self.calls.remove_mut(&call);
        let (agent, reserve) = known.clone().unwrap_or_default();
        self.change(&agent, |Node { used, reserved }| {
            used.calls += u64::from(started);
            used.tokens = used.tokens.saturating_add(usage.input).saturating_add(usage.output);
            // One damaged answer must not make the sum useless.
            if cost_usd.is_finite() && cost_usd > 0.0 {
                used.usd += cost_usd;
            }
            reserved.calls = reserved.calls.saturating_sub(1);
            reserved.tokens = reserved.tokens.saturating_sub(reserve.tokens.unwrap_or(0));
            reserved.usd -= reserve.usd.unwrap_or(0.0);
            // What is left of a sum whose parts are gone is not exactly nothing.
            if reserved.calls == 0 || reserved.usd < NONE {
                reserved.usd = 0.0;
            }
        });
        known.map(|(_, reserve)| reserve)
    }

    /// Changes an agent's node and the mission's alike.
    fn change(&mut self, agent: &str, change: impl Fn(&mut Node)) {
        change(&mut self.mission);
        if !agent.is_empty() {
            let mut node = self.agent(agent);
            change(&mut node);
            self.agents.insert_mut(agent.into(), node);
        }
    }

    pub fn raise(&mut self, to: &BudgetRaised) {
        self.limits.raise(to);
    }

    /// The first limit of which so many percent are used and the person was not told, and how often
    /// that was told of it.
    pub fn warning(&self, percent: u32) -> Option<(BudgetWarned, u32)> {
        let (limits, used) = (&self.limits, self.mission.used);
        let all = [
            (Limit::MaxCostUsd, used.usd, limits.max_cost_usd, "USD are spent"),
            (Limit::MaxTokens, used.tokens as f64, limits.max_tokens.map(|max| max as f64), "tokens are used"),
            (Limit::MaxCalls, used.calls as f64, limits.max_calls.map(|max| max as f64), "calls are made"),
        ];
        all.into_iter().find_map(|(limit, used, of, words)| {
            let of = of.filter(|of| used > 0.0 && (used + NONE) * 100.0 >= of * f64::from(percent))?;
            let (told, times) = self.warned.get(&limit).copied().unwrap_or_default();
            let message = format!("{} of {limit}: {} of {of} {words}", share(used, of), dollars(used));
            // What was read from the log may be less by its last digit.
            (times == 0 || told + NONE < of).then_some((BudgetWarned { limit, used, of, message }, times))
        })
    }

    /// The person is told.
    pub fn warned(&mut self, said: &BudgetWarned) {
        let (told, times) = self.warned.get(&said.limit).copied().unwrap_or_default();
        self.warned.insert_mut(said.limit, (said.of.max(told), times + 1));
    }
}

/// Is there more of anything that was limited?
fn is_more(all: &Reserve, had: &Reserve) -> bool {
    all.usd.zip(had.usd).is_some_and(|(all, had)| all > had + NONE)
        || all.tokens.zip(had.tokens).is_some_and(|(all, had)| all > had)
}

/// Percent, in words.
fn share(used: f64, of: f64) -> String {
    if of > 0.0 { format!("{} %", ((used + NONE) / of * 100.0).floor()) } else { "More than 100 %".into() }
}

/// To a millionth: sums of costs have many digits that say nothing.
fn dollars(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}

//! What model calls may cost, what they have cost, and what is left for the next.

use schemas::{agent::Reserve, goal, user::BudgetRaised};

/// The mission's budget for model calls.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    max_calls: Option<u64>,
    max_tokens: Option<u64>,
    max_cost_usd: Option<f64>,
    calls: u64,
    tokens: u64,
    cost_usd: f64,
    in_flight: u64,
    /// The attempt for which the shortage was told, until the budget is raised.
    pub(super) short: Option<(String, u32)>,
    /// How often a shortage was told.
    pub(super) shorts: u32,
}

/// What the budget says about one more call.
#[derive(Debug, Clone, PartialEq)]
pub enum Room {
    /// It may start and use so much.
    Free(Reserve),
    /// Not before a running call has told its cost.
    Wait,
    /// Nothing is left; says which limit.
    Short(String),
}

impl Budget {
    /// Nothing used yet.
    pub(super) fn new(budget: &goal::Budget) -> Self {
        Self {
            max_calls: budget.max_calls,
            max_tokens: budget.max_tokens,
            max_cost_usd: budget.max_cost_usd,
            ..Self::default()
        }
    }

    /// May one more call start?
    ///
    /// A limit of tokens or money lets one call run at a time and gives it all that is left: what a
    /// call costs is known only afterwards, so two at once could spend the same rest.
    pub fn room(&self) -> Room {
        if self.max_calls.is_some_and(|max| self.calls + self.in_flight >= max) {
            return self
                .full(|| format!("max_calls: {} of {} calls are made", self.calls, self.max_calls.unwrap_or(0)));
        }
        if self.max_tokens.is_none() && self.max_cost_usd.is_none() {
            return Room::Free(Reserve::default());
        }
        if self.in_flight > 0 {
            return Room::Wait;
        }
        if let Some(max) = self.max_tokens.filter(|max| self.tokens >= *max) {
            return Room::Short(format!("max_tokens: {} of {max} tokens are used", self.tokens));
        }
        // A limit of zero dollars is no shortage by itself: it allows models that cost nothing.
        if let Some(max) = self.max_cost_usd.filter(|max| self.cost_usd > 0.0 && self.cost_usd >= *max) {
            return Room::Short(format!("max_cost_usd: {} of {max} USD are spent", self.cost_usd));
        }
        Room::Free(Reserve {
            usd: self.max_cost_usd.map(|max| max - self.cost_usd),
            tokens: self.max_tokens.map(|max| max - self.tokens),
        })
    }

    /// Can the budget hold a call back?
    pub fn is_limited(&self) -> bool {
        self.max_calls.is_some() || self.max_tokens.is_some() || self.max_cost_usd.is_some()
    }

    fn full(&self, message: impl Fn() -> String) -> Room {
        if self.in_flight > 0 { Room::Wait } else { Room::Short(message()) }
    }

    /// The attempt for which the shortage was told, until the budget is raised.
    pub fn told(&self) -> Option<(&str, u32)> {
        self.short.as_ref().map(|(step, attempt)| (step.as_str(), *attempt))
    }
    /// How often a shortage was told.
    pub fn shortages(&self) -> u32 {
        self.shorts
    }
    /// Calls, tokens and US dollars used so far.
    pub fn used(&self) -> (u64, u64, f64) {
        (self.calls, self.tokens, self.cost_usd)
    }

    pub(super) fn begin(&mut self) {
        self.in_flight += 1;
    }

    /// A call is over; one that never started counts for nothing.
    pub(super) fn settle(&mut self, started: bool, tokens: u64, cost_usd: f64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.calls += u64::from(started);
        self.tokens = self.tokens.saturating_add(tokens);
        // One damaged answer must not make the sum useless.
        if cost_usd.is_finite() && cost_usd > 0.0 {
            self.cost_usd += cost_usd;
        }
    }

    /// Limits only go up: the word is a raise, and none where there is none.
    pub(super) fn raise(&mut self, to: &BudgetRaised) {
        let count = |limit: &mut Option<u64>, to: Option<u64>| {
            if let (Some(limit), Some(to)) = (limit, to) {
                *limit = to.max(*limit);
            }
        };
        count(&mut self.max_calls, to.max_calls);
        count(&mut self.max_tokens, to.max_tokens);
        if let (Some(limit), Some(to)) = (&mut self.max_cost_usd, to.max_cost_usd) {
            *limit = to.max(*limit);
        }
        self.short = None;
    }
}

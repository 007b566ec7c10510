//! Which models are to answer a call, best first, and why: a pure function of what is known and of what
//! was measured.

use crate::model::{Model, Scores, Work};
use schemas::{
    brain::{LeftOut, Ranked, Routing, Usage},
    goal::Optimize,
};
use std::collections::BTreeSet;

/// What a call needs.
#[derive(Debug, Clone, Default)]
pub struct Need {
    pub work: BTreeSet<Work>,
    /// Tokens, as far as they can be known before.
    pub usage: Usage,
    /// Tokens that its prompt has at the least, where it may be shortened.
    pub least: Option<u64>,
    /// US dollars that it may cost.
    pub usd: Option<f64>,
    /// Tokens that it may take.
    pub tokens: Option<u64>,
    pub optimize: Option<Optimize>,
    /// The model that answered last in this mission.
    pub last: Option<String>,
}

/// A model that might answer.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub model: Model,
    pub measured: Measured,
    /// Why it is not to be asked now.
    pub out: Option<String>,
    /// It failed, was left alone, and may be well again: the next call tries.
    pub is_due: bool,
}

/// How a model did lately.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// From 0 to 1, the last calls counting most.
    pub success: f64,
    /// Milliseconds for a token of its answers; the same.
    pub pace: Option<f64>,
    /// What people thought of its answers, from -1 to 1.
    pub feedback: f64,
}

impl Default for Measured {
    fn default() -> Self {
        Self { success: 1.0, pace: None, feedback: 0.0 }
    }
}

/// The weight of the last call.
const NEWEST: f64 = 0.1;
/// What counts of a model that always failed, so that it is not forgotten.
const LEAST: f64 = 0.01;
/// What puts one first that is to be tried again.
const DUE: f64 = 10.0;
/// What counts of a model that may not be able to.
const UNABLE: f64 = 0.1;
/// Of what is not known.
const UNKNOWN: f64 = 0.5;

impl Measured {
    /// Takes in a call that went well, in so many milliseconds a token, or one that did not.
    pub fn add(&mut self, pace: Option<f64>, went_well: bool) {
        let toward = |old: f64, new: f64| old + (new - old) * NEWEST;
        self.success = toward(self.success, if went_well { 1.0 } else { 0.0 });
        if let Some(new) = pace {
            self.pace = Some(self.pace.map_or(new, |old| toward(old, new)));
        }
    }
}

/// What counts how much.
struct Weights {
    cost: f64,
    speed: f64,
    accuracy: f64,
    creativity: f64,
    last: f64,
}

const fn weights(optimize: Option<Optimize>) -> Weights {
    let (cost, speed, accuracy, creativity, last) = match optimize {
        None => (0.3, 0.2, 0.5, 0.0, 0.0),
        Some(Optimize::Cost) => (0.8, 0.05, 0.15, 0.0, 0.0),
        Some(Optimize::Speed) => (0.05, 0.8, 0.15, 0.0, 0.0),
        Some(Optimize::Accuracy) => (0.05, 0.05, 0.9, 0.0, 0.0),
        Some(Optimize::Creativity) => (0.05, 0.05, 0.1, 0.8, 0.0),
        Some(Optimize::Continuity) => (0.15, 0.1, 0.25, 0.0, 0.5),
    };
    Weights { cost, speed, accuracy, creativity, last }
}

/// Ranks them; those that can't answer are left out, with the reason. Of equals the first comes first.
pub fn choose(need: &Need, candidates: &[Candidate]) -> Routing {
    let (mut fit, mut left_out) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match unfit(need, candidate) {
            None => fit.push(candidate),
            Some(reason) => left_out.push(LeftOut { model: candidate.model.to_string(), reason }),
        }
    }
    let cheapest = least(fit.iter().filter_map(|Candidate { model, .. }| model.cost(&need.usage(model))));
    let fastest = least(fit.iter().filter_map(|candidate| candidate.measured.pace));
    let mut ranked: Vec<_> = fit.into_iter().map(|candidate| rank(need, candidate, cheapest, fastest)).collect();
    ranked.sort_by(|a: &Ranked, b| b.score.total_cmp(&a.score));
    Routing { ranked, left_out }
}

impl Need {
    /// What a model would be given to read: no more than it can.
    fn usage(&self, model: &Model) -> Usage {
        let input = self.usage.input;
        let most = self.least.and(model.context).unwrap_or(input);
        Usage { input: input.min(most), ..self.usage }
    }
}

/// Why it can't answer.
fn unfit(need: &Need, Candidate { model, out, .. }: &Candidate) -> Option<String> {
    let missing = missing(need, model);
    let (tokens, read) = (need.least.unwrap_or(need.usage.input), need.usage(model).input);
    match (model.context, model.cost(&need.usage(model)), need.usd) {
        _ if out.is_some() => out.clone(),
        _ if !missing.is_empty() && !model.is_unknown => Some(format!("does no {missing}")),
        _ if need.tokens.is_some_and(|most| read > most) => {
            Some(format!("the prompt has about {read} tokens, {} are left", need.tokens.unwrap_or_default()))
        }
        (Some(context), _, _) if tokens > context => Some(format!("reads {context} tokens, these are about {tokens}")),
        (_, Some(cost), Some(usd)) if cost > usd => Some(format!("costs about ${cost:.4}, ${usd:.4} are left")),
        _ => None,
    }
}

/// What is wanted and not said of it.
fn missing(need: &Need, model: &Model) -> String {
    let missing = need.work.difference(&model.work).map(|work| format!("{work:?}").to_lowercase());
    missing.collect::<Vec<_>>().join(", ")
}

fn rank(need: &Need, candidate: &Candidate, cheapest: Option<f64>, fastest: Option<f64>) -> Ranked {
    let Candidate { model, measured, .. } = candidate;
    let Scores { speed, accuracy, creativity } = model.scores;
    let usage = need.usage(model);
    let cost = model.cost(&usage);
    let beside = |least: Option<f64>, own: Option<f64>| {
        let (least, own) = least.zip(own)?;
        Some(if own <= 0.0 { 1.0 } else { least / own })
    };
    let scored = |score: Option<f64>| score.map(|score| score / 100.0);
    let is_last = need.last.as_deref() == Some(model.to_string().as_str());
    let Weights { cost: w_cost, speed: w_speed, accuracy: w_accuracy, creativity: w_creativity, last: w_last } =
        weights(need.optimize);
    let parts = [
        ("cost", w_cost, beside(cheapest, cost)),
        ("speed", w_speed, beside(fastest, measured.pace).or(scored(speed))),
        ("accuracy", w_accuracy, scored(accuracy)),
        ("creativity", w_creativity, scored(creativity)),
        ("answered last", w_last, Some(if is_last { 1.0 } else { 0.0 })),
    ];
    let counted = parts.iter().filter(|(_, weight, _)| *weight > 0.0);
    let base: f64 = counted.clone().map(|(_, weight, part)| weight * part.unwrap_or(UNKNOWN)).sum();
    let missing = missing(need, model);
    let able = if missing.is_empty() { 1.0 } else { UNABLE };
    let factor = able * measured.success.max(LEAST) * (1.0 + 0.5 * measured.feedback);
    let mut reasons: Vec<String> = counted
        .map(|(name, weight, part)| match part {
            Some(part) => format!("{name} {part:.2} × {weight}"),
            None => format!("{name} unknown × {weight}"),
        })
        .collect();
    if !missing.is_empty() {
        reasons.push(format!("nobody said whether it does {missing}"));
    }
    if measured.success < 0.995 {
        reasons.push(format!("{:.0} % of its last calls went well", measured.success * 100.0));
    }
    if measured.feedback != 0.0 {
        reasons.push(format!("people: {:+.2}", measured.feedback));
    }
    if let Some(cost) = cost {
        reasons.push(format!("about ${cost:.4}"));
    }
    if usage.input < need.usage.input {
        reasons.push(format!("the prompt is shortened from about {} tokens", need.usage.input));
    }
    // Rounded, so that equals are equal on every machine.
    let mut score = (base * factor * 1e6).round() / 1e6;
    if candidate.is_due {
        reasons.push("failed before, and is tried again".into());
        score += DUE;
    }
    Ranked { model: model.to_string(), score, reasons }
}

fn least(of: impl Iterator<Item = f64>) -> Option<f64> {
    of.filter(|n| *n > 0.0).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Price;

    fn model(name: &str, price: Option<f64>, scores: [Option<f64>; 3]) -> Candidate {
        let [speed, accuracy, creativity] = scores;
        let prices = price.map(|price| Price { up_to: None, input: price, output: price * 4.0 }).into_iter().collect();
        let model = Model {
            prices,
            scores: Scores { speed, accuracy, creativity },
            is_unknown: false,
            ..Model::unknown("openai", name)
        };
        Candidate { model, measured: Measured::default(), out: None, is_due: false }
    }

    fn table() -> Vec<Candidate> {
        vec![
            model("big", Some(10.0), [Some(20.0), Some(95.0), Some(60.0)]),
            model("small", Some(0.5), [Some(90.0), Some(50.0), Some(40.0)]),
            model("muse", Some(2.0), [Some(50.0), Some(60.0), Some(95.0)]),
            model("riddle", None, [None, None, None]),
        ]
    }

    fn need(optimize: Option<Optimize>) -> Need {
        let usage = Usage { input: 1_000, output: 500, estimated: true };
        Need { work: [Work::Text].into(), usage, optimize, ..Need::default() }
    }

    fn first(routing: &Routing) -> &str {
        routing.ranked.first().map_or("", |ranked| ranked.model.trim_start_matches("openai/"))
    }

    #[test]
    fn what_is_wanted_decides() {
        let last = Need { last: Some("openai/muse".into()), ..need(Some(Optimize::Continuity)) };
        for (need, wanted) in [
            (need(Some(Optimize::Cost)), "small"),
            (need(Some(Optimize::Speed)), "small"),
            (need(Some(Optimize::Accuracy)), "big"),
            (need(Some(Optimize::Creativity)), "muse"),
            (need(None), "small"),
            (last, "muse"),
        ] {
            let routing = choose(&need, &table());
            assert_eq!((first(&routing), routing.ranked.len()), (wanted, 4), "{need:?}: {routing:#?}");
        }
    }

    #[test]
    fn what_can_not_answer_is_left_out_with_the_reason() {
        let mut all = table();
        all[0].model.context = Some(500);
        all[1].out = Some("fails, until 12:00".into());
        all[2].model.work = [Work::Embeddings].into();
        let routing = choose(&Need { usd: Some(0.001), ..need(None) }, &all);
        assert_eq!(first(&routing), "riddle", "of an unknown context and price nothing is assumed");
        let reasons: Vec<_> = routing.left_out.iter().map(|left| left.reason.as_str()).collect();
        assert_eq!(reasons, ["reads 500 tokens, these are about 1000", "fails, until 12:00", "does no text"]);
        let long = choose(&Need { tokens: Some(999), ..need(None) }, &table()[..1]);
        assert_eq!(long.left_out[0].reason, "the prompt has about 1000 tokens, 999 are left");
        let dear = choose(&Need { usd: Some(0.001), ..need(None) }, &table()[..1]);
        assert_eq!(dear.left_out[0].reason, "costs about $0.0300, $0.0010 are left");
    }

    #[test]
    fn one_of_which_nothing_is_known_comes_after_those_that_can() {
        let mut all = table();
        all[0].model.work.insert(Work::Vision);
        all[3].model.is_unknown = true;
        let see = Need { work: [Work::Text, Work::Vision].into(), ..need(Some(Optimize::Cost)) };
        let routing = choose(&see, &all);
        let ranked: Vec<_> = routing.ranked.iter().map(|ranked| ranked.model.as_str()).collect();
        assert_eq!(ranked, ["openai/big", "openai/riddle"]);
        assert!(routing.ranked[1].reasons.contains(&"nobody said whether it does vision".to_string()));
        assert_eq!(routing.left_out.len(), 2);
    }

    #[test]
    fn one_that_reads_less_is_asked_where_the_prompt_may_be_shortened() {
        let mut all = table();
        all.iter_mut().for_each(|candidate| candidate.model.context = Some(800));
        all[2].model.context = Some(100);
        assert!(choose(&need(Some(Optimize::Cost)), &all).ranked.is_empty());
        let routing = choose(&Need { least: Some(200), ..need(Some(Optimize::Cost)) }, &all);
        assert_eq!((first(&routing), routing.ranked.len()), ("small", 3));
        let reasons = &routing.ranked[0].reasons;
        assert!(reasons.contains(&"the prompt is shortened from about 1000 tokens".to_string()), "{reasons:?}");
        assert!(reasons.contains(&"about $0.0014".to_string()), "by what it reads then: {reasons:?}");
        assert_eq!(routing.left_out[0].reason, "reads 100 tokens, these are about 200");
    }

    #[test]
    fn of_equals_the_first_comes_first() {
        let all = [model("b", Some(1.0), [None; 3]), model("a", Some(1.0), [None; 3])];
        assert_eq!(first(&choose(&need(None), &all)), "b");
        let free = [model("free", Some(0.0), [None; 3]), model("paid", Some(1.0), [None; 3])];
        assert_eq!(first(&choose(&need(Some(Optimize::Cost)), &free)), "free");
    }

    #[test]
    fn bad_calls_shift_the_choice_and_good_ones_shift_it_back() {
        let mut all = table();
        assert_eq!(first(&choose(&need(Some(Optimize::Accuracy)), &all)), "big");
        (0..20).for_each(|_| all[0].measured.add(None, false));
        let shifted = choose(&need(Some(Optimize::Accuracy)), &all);
        assert_ne!(first(&shifted), "big");
        let big = shifted.ranked.iter().find(|ranked| ranked.model == "openai/big").expect("it is not forgotten");
        assert!(big.reasons.contains(&"12 % of its last calls went well".to_string()), "{big:?}");
        (0..20).for_each(|_| all[0].measured.add(None, true));
        assert_eq!(first(&choose(&need(Some(Optimize::Accuracy)), &all)), "big");
    }

    #[test]
    fn one_that_failed_and_may_be_well_again_is_tried_first() {
        let mut all = table();
        all[3].is_due = true;
        let routing = choose(&need(Some(Optimize::Cost)), &all);
        assert_eq!(first(&routing), "riddle");
        assert!(routing.ranked[0].reasons.contains(&"failed before, and is tried again".to_string()));
        all[3].out = Some("it is being tried again".into());
        assert_eq!(first(&choose(&need(Some(Optimize::Cost)), &all)), "small");
    }

    #[test]
    fn what_is_measured_counts_more_than_what_is_said_of_speed() {
        let mut all = table();
        for (candidate, pace) in all.iter_mut().zip([5.0, 80.0, 40.0, 60.0]) {
            candidate.measured.add(Some(pace), true);
        }
        assert_eq!(first(&choose(&need(Some(Optimize::Speed)), &all)), "big");
        all[0].measured.feedback = -1.0;
        assert_ne!(first(&choose(&need(Some(Optimize::Accuracy)), &all)), "big", "people did not like it");
    }
}

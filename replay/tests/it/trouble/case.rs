//! A case is data: a mission, what people say, and what goes wrong.

use super::{budget::Call, dice::Dice};
use nats::memory::{Fault, Kind, Op};
use schemas::goal::Budget;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    pub steps: Vec<Step>,
    /// Steps that run at once.
    pub slots: u32,
    /// The model plans, and its first plans are no good; otherwise the goal brings the plan.
    pub planned: Option<u32>,
    pub words: Vec<Word>,
    /// What calls may use; a person raises it when asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// A person retries the mission when it fails for the first time.
    pub retried: bool,
    /// Of every service.
    pub instances: u32,
    pub max_ack_pending: u64,
    pub faults: Vec<Fault>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub verb: Verb,
    /// Steps before it, by index; the first one's output goes into it.
    pub needs: Vec<usize>,
    pub trouble: Option<Trouble>,
    /// What its call takes; then the step has an agent of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Work,
    Think,
    Ask,
    Chat,
}

/// What a step has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// So many attempts fail, then one is good.
    Transient(u32),
    /// All attempts fail, more than its retries.
    Hopeless,
    Permanent,
    /// The inputs are no good until a model has repaired them.
    Invalid,
    /// So many attempts take longer than the step may.
    Slow(u32),
    /// The model uses a tool so many times before it answers.
    Tools(u32),
}

/// A person says something once the log has so many records.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub after: u64,
    pub say: Say,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    /// And resumes a little later.
    Pause,
    Abort,
    /// Raises the budget, asked or not.
    Raise,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Work => "WORK",
            Self::Think => "THINK",
            Self::Ask => "ASK_USER_QUESTION",
            Self::Chat => "CHAT",
        }
    }

    fn input(self) -> &'static str {
        match self {
            Self::Work => "text",
            Self::Think => "prompt",
            Self::Ask => "question",
            Self::Chat => "message",
        }
    }

    fn output(self) -> &'static str {
        match self {
            Self::Work | Self::Think => "text",
            Self::Ask => "answer",
            Self::Chat => "delivered",
        }
    }
}

impl Case {
    pub fn draw(dice: &mut Dice) -> Self {
        let steps = (0..1 + dice.below(6)).map(|i| Step::draw(dice, i as usize)).collect();
        let mut case = Self {
            steps,
            slots: [1, 2, 16][dice.below(3) as usize],
            planned: dice.one_in(4).then(|| dice.below(3)),
            words: Vec::new(),
            budget: None,
            retried: dice.one_in(2),
            instances: 1 + dice.below(2),
            max_ack_pending: [2, 5, 1_000][dice.below(3) as usize],
            faults: Vec::new(),
        };
        if dice.one_in(3) {
            case.words.push(Word { after: u64::from(1 + dice.below(40)), say: Say::Pause });
        }
        if dice.one_in(10) {
            case.words.push(Word { after: u64::from(1 + dice.below(60)), say: Say::Abort });
        }
        case
    }

    /// The same mission in other trouble.
    pub fn troubled(mut self, dice: &mut Dice) -> Self {
        // An effect that loses a request five times calls it lost: that many are not drawn.
        let (mut decider, mut effect) = (1 + dice.below(5), dice.below(4));
        while decider > 0 {
            decider -= 1;
            self.faults.push(decider_fault(dice));
        }
        while effect > 0 {
            effect -= 1;
            self.faults.push(effect_fault(dice));
        }
        self
    }

    pub fn calm(&self) -> Self {
        let words = self.words.iter().filter(|word| word.say != Say::Abort).copied().collect();
        Self { faults: Vec::new(), instances: 1, max_ack_pending: 1_000, words, ..self.clone() }
    }

    pub fn aborts(&self) -> bool {
        self.words.iter().any(|word| word.say == Say::Abort)
    }

    /// Its attempts may take longer than they may by what goes wrong, too.
    pub fn is_timed(&self, step: &str) -> bool {
        self.step(step).is_some_and(|step| matches!(step.trouble, Some(Trouble::Slow(_))))
    }

    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.get(id.strip_prefix('s')?.parse::<usize>().ok()?)
    }

    pub fn plan(&self) -> Value {
        let steps = self.steps.iter().enumerate().map(|(i, step)| step.planned(i, &self.steps));
        json!({ "steps": steps.collect::<Vec<_>>() })
    }

    /// Smaller cases, the most daring first.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Self)| {
            let mut case = self.clone();
            change(&mut case);
            if case != *self {
                all.push(case);
            }
        };
        if self.faults.len() > 2 {
            with(&|case| case.faults.truncate(case.faults.len() / 2));
            with(&|case| drop(case.faults.drain(..case.faults.len() / 2)));
        }
        (0..self.faults.len()).for_each(|i| {
            with(&|case| {
                case.faults.remove(i);
            })
        });
        (0..self.words.len()).for_each(|i| {
            with(&|case| {
                case.words.remove(i);
            })
        });
        (0..self.steps.len()).rev().filter(|_| self.steps.len() > 1).for_each(|i| with(&|case| case.without(i)));
        with(&|case| case.retried = false);
        with(&|case| case.instances = 1);
        with(&|case| case.planned = None);
        with(&|case| case.max_ack_pending = 1_000);
        with(&|case| case.slots = 16);
        for i in 0..self.steps.len() {
            with(&|case| case.steps[i].trouble = None);
            with(&|case| case.steps[i].verb = Verb::Work);
            with(&|case| case.steps[i].needs.clear());
        }
        for i in 0..self.faults.len() {
            with(&|case| case.faults[i].kind = lower(case.faults[i].kind));
            with(&|case| case.faults[i].at = 1 + case.faults[i].at / 2);
            with(&|case| case.faults[i].at -= u32::from(case.faults[i].at > 1));
        }
        all
    }

    fn without(&mut self, gone: usize) {
        self.steps.remove(gone);
        for step in &mut self.steps {
            step.needs.retain(|need| *need != gone);
            step.needs.iter_mut().for_each(|need| *need -= usize::from(*need > gone));
        }
    }
}

impl Step {
    fn draw(dice: &mut Dice, i: usize) -> Self {
        let verb = [Verb::Work, Verb::Work, Verb::Work, Verb::Think, Verb::Ask, Verb::Chat][dice.below(6) as usize];
        let mut needs: Vec<usize> = (0..i).filter(|_| dice.one_in(3)).collect();
        needs.truncate(3);
        let trouble = match dice.below(12) {
            0 | 1 if verb == Verb::Work => Some(Trouble::Transient(1 + dice.below(2))),
            2 if verb == Verb::Work => Some(Trouble::Invalid),
            3 if verb == Verb::Work => Some(Trouble::Slow(1)),
            4 if verb == Verb::Work => Some([Trouble::Hopeless, Trouble::Permanent][dice.below(2) as usize]),
            5 if verb == Verb::Think => Some(Trouble::Transient(1)),
            6..=8 if verb == Verb::Think => Some(Trouble::Tools(1 + dice.below(3))),
            _ => None,
        };
        Self { verb, needs, trouble, call: None }
    }

    fn planned(&self, i: usize, all: &[Self]) -> Value {
        // What a chat gives is no text.
        let source = self.needs.first().filter(|need| all[**need].verb != Verb::Chat);
        let input = match source {
            Some(need) => json!({"from": format!("s{need}"), "output": all[*need].verb.output()}),
            None => json!({"value": format!("of {i}")}),
        };
        let after = self.needs.iter().filter(|need| Some(*need) != source).map(|need| format!("s{need}"));
        let mut planned = json!({
            "id": format!("s{i}"), "verb": self.verb.name(), "inputs": {self.verb.input(): input},
            "after": after.collect::<Vec<_>>(), "retries": 2,
        });
        if matches!(self.verb, Verb::Work | Verb::Think) {
            planned["outputs"] = json!({"text": {"type": "string", "deliverable": format!("s{i}.txt")}});
        }
        if let Some(Trouble::Tools(_)) = self.trouble {
            planned["inputs"]["tools"] = json!({"value": ["WORK"]});
        }
        if let Some(call) = &self.call {
            planned["role"] = json!(format!("role{}", call.agent));
        }
        if let Some(Trouble::Slow(_)) = self.trouble {
            // More attempts of a second each than the freezes of a case can use up.
            (planned["timeout"], planned["retries"]) = (json!(1), json!(40));
        }
        planned
    }
}

fn decider_fault(dice: &mut Dice) -> Fault {
    let who = ["control", "agent"][dice.below(2) as usize].into();
    let ms = 100 + dice.below(2_500);
    let (op, most, kind) = match dice.below(20) {
        0 => (Op::Delivery, 40, Kind::Lost),
        1 => (Op::Delivery, 40, Kind::Duplicate(dice.below(5))),
        2 => (Op::Delivery, 40, Kind::Late(1 + dice.below(400))),
        3 => (Op::Delivery, 40, Kind::NewPin),
        4 => (Op::Delivery, 40, Kind::LateBatch(1 + dice.below(12))),
        5 | 6 => (Op::Delivery, 40, Kind::TwoOwners(1 + dice.below(12))),
        7 => (Op::Delivery, 40, Kind::FallBack(1 + dice.below(20))),
        8 => (Op::Delivery, 40, Kind::Freeze(ms)),
        9 => (Op::Delivery, 40, Kind::Crash),
        10 => (Op::Append, 20, Kind::Lost),
        11 => (Op::Append, 20, Kind::Unheard),
        12 => (Op::Append, 20, Kind::Crash),
        13 => (Op::Append, 20, Kind::CrashAfter),
        14 | 15 => (Op::Append, 20, Kind::Freeze(ms)),
        16 => (Op::Append, 20, Kind::FreezeAfter(ms)),
        17 => (Op::Read, 5, Kind::Stale(1 + dice.below(3))),
        18 => (Op::Read, 5, [Kind::Lost, Kind::CrashAfter, Kind::FreezeAfter(ms)][dice.below(3) as usize]),
        _ => (Op::Ack, 10, Kind::Lost),
    };
    Fault { who, op, at: 1 + dice.below(most), kind }
}

fn effect_fault(dice: &mut Dice) -> Fault {
    let who = ["capability", "capability", "brain"][dice.below(3) as usize].into();
    let ms = 100 + dice.below(7_000);
    let (op, kind) = match dice.below(11) {
        0 | 1 => (Op::Delivery, Kind::Duplicate(0)),
        2 => (Op::Delivery, Kind::FallBack(0)),
        3 => (Op::Delivery, Kind::Freeze(ms)),
        4 => (Op::Delivery, Kind::Crash),
        5 => (Op::Append, Kind::Lost),
        6 => (Op::Append, Kind::Unheard),
        7 => (Op::Append, [Kind::Crash, Kind::CrashAfter][dice.below(2) as usize]),
        8 => (Op::Append, Kind::Freeze(ms)),
        9 => (Op::Append, Kind::FreezeAfter(ms)),
        _ => (Op::Ack, Kind::Lost),
    };
    Fault { who, op, at: 1 + dice.below(8), kind }
}

fn lower(kind: Kind) -> Kind {
    let half = |n: u32| n.div_ceil(2).max(1);
    match kind {
        Kind::Stale(n) => Kind::Stale(half(n)),
        Kind::Freeze(n) => Kind::Freeze(half(n)),
        Kind::FreezeAfter(n) => Kind::FreezeAfter(half(n)),
        Kind::Duplicate(n) => Kind::Duplicate(n / 2),
        Kind::Late(n) => Kind::Late(half(n)),
        Kind::LateBatch(n) => Kind::LateBatch(half(n)),
        Kind::TwoOwners(n) => Kind::TwoOwners(half(n)),
        Kind::FallBack(n) => Kind::FallBack(half(n)),
        other => other,
    }
}

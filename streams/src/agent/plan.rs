//! The accepted plans of a mission, and what their steps gave.

use rpds::HashTrieMapSync;
use schemas::{
    Value,
    plan::{self, Plan, Step},
    value::Values,
};
use std::sync::Arc;

/// Sub-plans within sub-plans beyond this are not looked into.
const DEPTH: u32 = 64;

/// All steps, sub-plans included, and the outputs of those that are done.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    steps: HashTrieMapSync<String, Arc<Planned>>,
    /// Step → the steps of the plan that took its place, in plan order.
    parts: HashTrieMapSync<String, Arc<[String]>>,
    outputs: HashTrieMapSync<String, Arc<Values>>,
    accepted: u32,
}

/// A step and its place among all.
#[derive(Debug, Clone)]
pub struct Planned {
    pub step: Step,
    /// From 1, in the order of acceptance.
    pub order: u32,
}

/// The step for which a `_recover-` step plans.
pub fn recovered(step: &str) -> Option<&str> {
    step.strip_prefix(&plan::recovery_step(""))
}

impl Plans {
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.get(id).map(|planned| &planned.step)
    }

    /// The place of a step; planning goes first, a recovery has the place of what it recovers.
    pub fn order(&self, id: &str) -> Option<u32> {
        if id == plan::PLAN_STEP {
            return Some(0);
        }
        self.steps.get(recovered(id).unwrap_or(id)).map(|planned| planned.order)
    }

    /// Everything that a done step gave.
    pub fn outputs(&self, step: &str) -> Option<&Values> {
        self.outputs.get(step).map(Arc::as_ref)
    }

    /// The output of a done step. A sub-plan's outputs take the place of its parent's: the last
    /// step that has one of that name, else, when the parent promises just this one, the only
    /// output of the last step.
    pub fn output(&self, step: &str, name: &str) -> Option<&Value> {
        self.find(step, name, DEPTH)
    }

    fn find(&self, step: &str, name: &str, depth: u32) -> Option<&Value> {
        let Some(parts) = self.parts.get(step) else {
            return self.outputs(step)?.get(name);
        };
        let depth = depth.checked_sub(1)?;
        parts.iter().rev().find_map(|part| self.find(part, name, depth)).or_else(|| {
            if self.promises_only(step)? != name {
                return None;
            }
            let last = parts.last()?;
            match self.promises_only(last) {
                Some(only) => self.find(last, only, depth),
                None => self.outputs(last).filter(|all| all.len() == 1)?.values().next(),
            }
        })
    }

    /// The name of the output of a step that promises exactly one.
    fn promises_only(&self, step: &str) -> Option<&str> {
        let mut names = self.step(step)?.outputs.keys();
        names.next().filter(|_| names.next().is_none()).map(String::as_str)
    }

    pub(super) fn complete(&mut self, step: &str, outputs: Arc<Values>) {
        if !self.outputs.contains_key(step) {
            self.outputs.insert_mut(step.to_string(), outputs);
        }
    }

    /// Takes the plan in place of `step`; steps that are known already stay as they were.
    pub(super) fn accept(&mut self, step: &str, plan: &Plan) {
        let parent = recovered(step).unwrap_or(step);
        if self.parts.contains_key(parent) || self.outputs.contains_key(parent) {
            return;
        }
        if let Some(answer) = plan.answer.as_ref().filter(|_| plan.steps.is_empty()) {
            let mut outputs: Values = [("answer".to_string(), answer.clone())].into();
            if let Some(only) = self.promises_only(parent) {
                outputs.entry(only.to_string()).or_insert_with(|| answer.clone());
            }
            return self.complete(parent, Arc::new(outputs));
        }
        let mut parts = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            if self.steps.contains_key(&step.id) {
                continue;
            }
            self.accepted += 1;
            self.steps.insert_mut(step.id.clone(), Arc::new(Planned { step: step.clone(), order: self.accepted }));
            parts.push(step.id.clone());
        }
        self.parts.insert_mut(parent.to_string(), parts.into());
    }
}

//! Which steps wait for which: what nobody says because it follows. A step is ready when all it
//! needs is done, and cancelled when something that it needs will never be.

use super::{Overview, Step, step::Status};
use schemas::{
    Value,
    plan::{self, Plan},
};
use std::{collections::HashMap, sync::Arc};

/// Sub-plans within sub-plans beyond this are not looked into.
const DEPTH: u32 = 64;

/// Edges between steps, by their place in the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    places: HashMap<String, usize>,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Node {
    /// Needs that are not done.
    waits: usize,
    dependants: Vec<usize>,
    /// The steps of the plan that took its place.
    parts: Vec<usize>,
    /// How many of them are not done.
    parts_open: usize,
    parent: Option<usize>,
    done: bool,
    /// The failed step because of which this one, or what takes its place, is never done.
    blocked: Option<usize>,
}

impl Graph {
    pub fn find(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }
}

/// The step for which a `_recover-` step plans.
pub fn recovered(step: &str) -> Option<&str> {
    step.strip_prefix(&plan::recovery_step(""))
}

impl Overview {
    /// Adds a step without edges; its place, unless the id is taken.
    pub(super) fn add_step(&mut self, mut step: Step) -> Option<usize> {
        if self.graph.places.contains_key(&step.id) {
            return None;
        }
        step.status = Status::Ready;
        let i = self.steps.len();
        self.graph.places.insert(step.id.clone(), i);
        self.graph.nodes.push(Node::default());
        self.steps.push(step);
        Some(i)
    }

    /// A plan took the place of the step at `parent`, or is the mission's.
    pub(super) fn add_plan(&mut self, parent: Option<usize>, plan: &Plan) {
        let name = parent.map(|i| self.steps[i].id.clone());
        let added: Vec<usize> =
            plan.steps.iter().filter_map(|step| self.add_step(Step::planned(step, name.clone()))).collect();
        for &i in &added {
            self.graph.nodes[i].parent = parent;
            let needs: Vec<usize> =
                self.steps[i].needs.iter().filter_map(|need| self.graph.find(need)).filter(|&need| need != i).collect();
            for need in needs {
                self.graph.nodes[need].dependants.push(i);
                self.graph.nodes[i].waits += usize::from(!self.graph.nodes[need].done);
                if let Some(because) = self.graph.nodes[need].blocked {
                    self.block(i, because);
                }
            }
            self.derive(i);
        }
        if let Some(parent) = parent {
            self.graph.nodes[parent].parts_open = added.len();
            self.graph.nodes[parent].parts = added;
        }
    }

    /// The step, or all that took its place, is done.
    pub(super) fn done(&mut self, i: usize) {
        let mut next = Some(i);
        while let Some(i) = next.take() {
            if std::mem::replace(&mut self.graph.nodes[i].done, true) {
                return;
            }
            for dependant in self.graph.nodes[i].dependants.clone() {
                self.graph.nodes[dependant].waits = self.graph.nodes[dependant].waits.saturating_sub(1);
                self.derive(dependant);
            }
            if let Some(parent) = self.graph.nodes[i].parent {
                let open = &mut self.graph.nodes[parent].parts_open;
                *open = open.saturating_sub(1);
                next = (*open == 0).then_some(parent);
            }
        }
    }

    /// The step at `from` is never done: neither is what needs it, nor what it is a part of.
    pub(super) fn block(&mut self, from: usize, because: usize) {
        let mut open = vec![from];
        while let Some(i) = open.pop() {
            if self.graph.nodes[i].blocked.is_some() {
                continue;
            }
            self.graph.nodes[i].blocked = Some(because);
            self.derive(i);
            open.extend(&self.graph.nodes[i].dependants);
            open.extend(self.graph.nodes[i].parent);
        }
    }

    /// Failed steps are open again: everything that follows is worked out anew.
    pub(super) fn unblock(&mut self) {
        for node in &mut self.graph.nodes {
            node.waits = 0;
            node.parts_open = node.parts.len();
            (node.done, node.blocked) = (false, None);
        }
        for i in 0..self.steps.len() {
            for dependant in self.graph.nodes[i].dependants.clone() {
                self.graph.nodes[dependant].waits += 1;
            }
        }
        for i in 0..self.steps.len() {
            match self.steps[i].status {
                Status::Completed => self.done(i),
                Status::Failed => self.block(i, i),
                Status::Cancelled => {
                    self.steps[i].status = Status::Pending;
                    (self.steps[i].error, self.steps[i].ended) = (None, None);
                }
                _ => {}
            }
        }
        (0..self.steps.len()).for_each(|i| self.derive(i));
    }

    /// The status of a step that nobody has begun, from what it needs.
    fn derive(&mut self, i: usize) {
        let node = &self.graph.nodes[i];
        let step = &self.steps[i];
        if step.attempt > 0 && step.status == Status::Pending && node.blocked.is_none() {
            // Between two attempts: it is ready when control says so.
            return;
        }
        if !matches!(step.status, Status::Pending | Status::Ready) {
            return;
        }
        let status = match (node.blocked, node.waits) {
            (Some(_), _) => Status::Cancelled,
            (None, 0) => Status::Ready,
            (None, _) => Status::Pending,
        };
        if let Some(because) = node.blocked {
            let because = &self.steps[because];
            let error = format!("because of step `{}`, which failed", because.id);
            let ended = because.ended;
            let step = &mut self.steps[i];
            (step.error, step.ended) = (Some(error), ended);
        }
        self.steps[i].status = status;
    }

    /// The output of a done step. A sub-plan's outputs take the place of its parent's: the last
    /// step that has one of that name, else, when the parent promises just this one, the only
    /// output of the last step.
    pub(super) fn output(&self, step: &str, name: &str) -> Option<&Arc<Value>> {
        self.find_output(self.graph.find(step)?, name, DEPTH)
    }

    fn find_output(&self, i: usize, name: &str, depth: u32) -> Option<&Arc<Value>> {
        let (step, parts) = (&self.steps[i], &self.graph.nodes[i].parts);
        if parts.is_empty() {
            return step.outputs.get(name);
        }
        let depth = depth.checked_sub(1)?;
        parts.iter().rev().find_map(|&part| self.find_output(part, name, depth)).or_else(|| {
            if step.promised != [name] {
                return None;
            }
            let last = *parts.last()?;
            match self.steps[last].promised.as_slice() {
                [only] => self.find_output(last, only, depth),
                _ => Some(&self.steps[last].outputs).filter(|all| all.len() == 1)?.values().next(),
            }
        })
    }
}

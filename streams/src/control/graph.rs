//! The graph of steps: what becomes ready when something is done, what is cancelled when it failed.

use super::{State, Step, StepStatus, Trouble};
use schemas::{Class, EventId, plan};
use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

/// Who does a step when neither plan nor catalogue says.
const ANYBODY: &str = "executor";

impl State {
    /// The role that a step asks for: its own, the verb's first, one that prefers the verb.
    fn role_of(&self, step: &plan::Step) -> String {
        let catalogue = self.mission.as_ref().and_then(|mission| mission.catalogue.content.as_ref());
        let Some(catalogue) = catalogue else { return ANYBODY.into() };
        let known = |role: &&String| catalogue.roles.contains_key(*role);
        let of_verb = || catalogue.verb(&step.verb).and_then(|verb| verb.roles.iter().find(known));
        let preferring =
            || catalogue.roles.iter().find(|(_, role)| role.verbs.contains(&step.verb)).map(|(name, _)| name);
        step.role
            .as_ref()
            .filter(|role| known(role))
            .or_else(of_verb)
            .or_else(preferring)
            .cloned()
            .unwrap_or_else(|| ANYBODY.into())
    }

    /// Adds a planning step, ready at once.
    pub(super) fn add_planning(&mut self, id: &str, cause: EventId) {
        let definition = plan::Step {
            id: id.into(),
            verb: "ACCOMPLISH".into(),
            description: String::new(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            role: None,
            after: Vec::new(),
            timeout: None,
            retries: None,
        };
        self.add(definition, None, true, 0, Vec::new(), cause);
    }

    /// Adds the steps of an accepted plan.
    pub(super) fn add_plan(&mut self, steps: &[plan::Step], parent: Option<&str>, no_recovery: bool, cause: EventId) {
        let mut dependants: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let own: BTreeSet<&str> = steps.iter().map(|step| step.id.as_str()).collect();
        let mut missing = Vec::with_capacity(steps.len());
        for step in steps {
            let needs: BTreeSet<&str> = step.needs().filter(|need| own.contains(need)).collect();
            missing.push(needs.len() as u32);
            for need in needs {
                dependants.entry(need).or_default().push(step.id.clone());
            }
        }
        for (step, missing) in steps.iter().zip(missing) {
            if self.steps.contains_key(&step.id) {
                continue;
            }
            let dependants = dependants.remove(step.id.as_str()).unwrap_or_default();
            self.add(step.clone(), parent, no_recovery, missing, dependants, cause);
        }
    }

    fn add(
        &mut self,
        definition: plan::Step,
        parent: Option<&str>,
        no_recovery: bool,
        missing: u32,
        dependants: Vec<String>,
        cause: EventId,
    ) {
        let id = definition.id.clone();
        let step = Step {
            index: self.next_index,
            role: self.role_of(&definition),
            definition: Arc::new(definition),
            parent: parent.map(Into::into),
            no_recovery,
            status: StepStatus::Pending,
            attempt: 1,
            first: 1,
            agent: None,
            missing,
            dependants: Arc::new(dependants),
            children: 0,
            cause,
            rejections: 0,
            timer: None,
            recovered: false,
        };
        self.next_index += 1;
        self.open += 1;
        self.steps.insert_mut(id.clone(), Arc::new(step));
        if missing == 0 {
            self.make_ready(&id, cause);
        }
    }

    pub(super) fn make_ready(&mut self, id: &str, cause: EventId) {
        let Some(step) = self.steps.get(id) else { return };
        let (role, key) = (step.role.clone(), (step.index, id.to_string()));
        let mut set = self.ready.get(&role).cloned().unwrap_or_default();
        set.insert_mut(key);
        self.ready.insert_mut(role, set);
        self.edit(id, |step| {
            step.status = StepStatus::Ready;
            step.cause = cause;
        });
    }

    pub(super) fn leave_ready(&mut self, id: &str) {
        let Some(step) = self.steps.get(id) else { return };
        let (role, key) = (step.role.clone(), (step.index, id.to_string()));
        let Some(mut set) = self.ready.get(&role).cloned() else { return };
        set.remove_mut(&key);
        if set.is_empty() {
            self.ready.remove_mut(&role)
        } else {
            self.ready.insert_mut(role, set);
            true
        };
    }

    /// The step holds its slot and its agent's place no more; its time limit is over.
    pub(super) fn release(&mut self, id: &str, cause: EventId) {
        let Some(step) = self.steps.get(id).cloned() else { return };
        if step.status == StepStatus::Assigned {
            self.running = self.running.saturating_sub(1);
            if let Some(agent) = step.agent.as_ref().and_then(|agent| self.agents.get_mut(agent)) {
                agent.running = agent.running.saturating_sub(1);
            }
        }
        self.timing.remove_mut(id);
        self.overdue.remove_mut(id);
        if let Some(timer) = step.timer {
            if self.timers.contains_key(&timer) {
                self.needless.insert_mut(timer, cause);
            }
            self.edit(id, |step| step.timer = None);
        }
        let of_step: Vec<EventId> =
            self.questions.iter().filter(|(_, step)| *step == id).map(|(question, _)| *question).collect();
        // The budget is short for others too, not just for the step that said so first.
        for question in of_step.into_iter().filter(|question| self.budget_question != Some(*question)) {
            self.questions.remove_mut(&question);
        }
    }

    /// What others need of the step is there.
    pub(super) fn done(&mut self, id: &str, cause: EventId) {
        let mut done = vec![id.to_string()];
        while let Some(id) = done.pop() {
            let Some(step) = self.steps.get(&id).cloned() else { continue };
            self.open = self.open.saturating_sub(1);
            for dependant in step.dependants.iter() {
                let mut ready = false;
                self.edit(dependant, |step| {
                    step.missing = step.missing.saturating_sub(1);
                    ready = step.missing == 0 && step.status == StepStatus::Pending;
                });
                if ready {
                    self.make_ready(dependant, cause);
                }
            }
            if let Some(parent) = step.parent.clone() {
                let mut all = false;
                self.edit(&parent, |step| {
                    step.children = step.children.saturating_sub(1);
                    all = step.children == 0 && step.status == StepStatus::Replaced;
                });
                if all {
                    done.push(parent);
                }
            }
        }
    }

    /// A step was given up: what needs it, and what it is part of, cannot be done either.
    pub(super) fn give_up(&mut self, id: &str, trouble: &Trouble) {
        let mut given_up = vec![(id.to_string(), StepStatus::Failed)];
        while let Some((id, status)) = given_up.pop() {
            let Some(step) = self.steps.get(&id).cloned() else { continue };
            if step.has_ended() {
                continue;
            }
            self.release(&id, trouble.cause);
            self.leave_ready(&id);
            self.open = self.open.saturating_sub(1);
            self.edit(&id, |step| {
                step.status = status;
                step.cause = trouble.cause;
            });
            given_up.extend(step.dependants.iter().map(|dependant| (dependant.clone(), StepStatus::Cancelled)));
            if let Some(parent) = step.parent.clone() {
                given_up.push((parent, StepStatus::Cancelled));
            }
        }
    }

    /// A given-up step is tried again, and what was cancelled because of it waits for it again.
    pub(super) fn reopen(&mut self, id: &str, cause: EventId) {
        let Some(step) = self.steps.get(id).cloned() else { return };
        if step.status != StepStatus::Failed {
            return;
        }
        self.failed.remove_mut(id);
        self.open += 1;
        self.edit(id, |step| {
            step.attempt += 1;
            step.first = step.attempt;
            step.rejections = 0;
        });
        self.make_ready(id, cause);
        let mut back: Vec<String> = step.dependants.iter().cloned().chain(step.parent.clone()).collect();
        while let Some(id) = back.pop() {
            let Some(step) = self.steps.get(&id).cloned() else { continue };
            if step.status != StepStatus::Cancelled {
                continue;
            }
            self.open += 1;
            self.edit(&id, |step| {
                step.status = if step.children > 0 { StepStatus::Replaced } else { StepStatus::Pending }
            });
            back.extend(step.dependants.iter().cloned().chain(step.parent.clone()));
        }
    }

    /// An attempt ended badly: again, around it, or not at all.
    pub(super) fn fault(&mut self, id: &str, trouble: Trouble) {
        let Some(step) = self.steps.get(id).cloned() else { return };
        self.release(id, trouble.cause);
        self.edit(id, |step| step.status = StepStatus::Faulted);
        let retries = step
            .definition
            .retries
            .or_else(|| self.mission.as_ref().map(|mission| mission.limits.retries))
            .unwrap_or(0);
        match trouble.class {
            Class::Transient | Class::Lost if step.tries() <= retries => {
                self.retrying.insert_mut(id.into(), trouble);
            }
            Class::Permanent if !step.no_recovery && !step.recovered && self.plans_by_itself() => {
                self.edit(id, |step| {
                    step.status = StepStatus::Recovering;
                    step.recovered = true;
                });
                // Kept for when no way around is found.
                self.recovering.insert_mut(id.into(), trouble.clone());
                self.add_planning(&plan::recovery_step(id), trouble.cause);
            }
            _ => {
                self.failing.insert_mut(id.into(), trouble);
            }
        }
    }

    /// Planned by a model, so a model can plan around a failure.
    fn plans_by_itself(&self) -> bool {
        self.mission.as_ref().is_some_and(|mission| mission.plan.is_none())
    }
}

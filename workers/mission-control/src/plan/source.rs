//! What steps take from each other: the step is there, gives such an output, and its type fits.

use super::{
    ACCOMPLISH, Scope,
    fault::{Faults, list, shown, token},
    kind::{Kinds, fits, is_open, of_plan, of_schema, properties, property},
    shape::Draft,
};
use schemas::{
    catalogue::{Runner, Verb},
    plan::{Input, Output, Source, Step},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The types of an output; `None` when the step gives none of that name.
///
/// The verb's own word counts more than the plan's, which may only be narrower.
pub fn output<'a>(verb: Option<&'a Verb>, step: &'a Step, name: &str) -> Option<Kinds<'a>> {
    let declared = step.outputs.get(name);
    let own = verb.and_then(|verb| property(&verb.output, name));
    if own.is_none() && (declared.is_none() || !may_name(verb, step)) {
        return None;
    }
    let own = own.map(of_schema).unwrap_or_default();
    match declared.and_then(|output| of_plan(&output.kind)) {
        Some(said) if fits(&[said], &own) => Some(vec![said]),
        _ => Some(own),
    }
}

/// Are the names of this step's outputs the plan's to choose?
fn may_name(verb: Option<&Verb>, step: &Step) -> bool {
    match verb {
        // Its sub-plan makes what it promises.
        Some(verb) if verb.name == ACCOMPLISH => true,
        // An agent has one thing to give, whatever the plan calls it.
        Some(verb) => is_open(&verb.output) || (verb.runner == Runner::Agent && step.outputs.len() == 1),
        None => true,
    }
}

/// The names of what a step gives, for people.
fn given(verb: Option<&Verb>, step: &Step) -> String {
    let own = verb.into_iter().flat_map(|verb| properties(&verb.output));
    let declared = step.outputs.keys().map(String::as_str).filter(|_| may_name(verb, step));
    list(own.chain(declared).collect::<BTreeSet<_>>())
}

/// Checks every reference, and that each file is made of something that its step gives.
pub fn check(drafts: &[Draft], index: &HashMap<&str, usize>, scope: &Scope, faults: &mut Faults) {
    for (i, draft) in drafts.iter().enumerate() {
        let step = &draft.step;
        for (name, input) in &step.inputs {
            if let Input::From(source) = input {
                check_source(
                    source,
                    name,
                    step,
                    &format!("/steps/{i}/inputs/{}", token(name)),
                    drafts,
                    index,
                    scope,
                    faults,
                );
            }
        }
        for (k, other) in step.after.iter().enumerate() {
            if !index.contains_key(other.as_str()) && outer(other, scope).is_none() {
                faults.add(format!("/steps/{i}/after/{k}"), no_step(other, scope));
            }
        }
        let verb = scope.catalogue.verb(&step.verb);
        for (name, _) in step.outputs.iter().filter(|(_, output)| output.deliverable.is_some()) {
            if !draft.no_outputs && output(verb, step, name).is_none() {
                let message = format!("{} gives no such output; it gives {}", step.verb, given(verb, step));
                faults.add(format!("/steps/{i}/outputs/{}", token(name)), message);
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "a reference, where it stands, and all that it can lead to")]
fn check_source(
    source: &Source,
    name: &str,
    step: &Step,
    at: &str,
    drafts: &[Draft],
    index: &HashMap<&str, usize>,
    scope: &Scope,
    faults: &mut Faults,
) {
    let inner = index.get(source.from.as_str()).map(|i| &drafts[*i]);
    // Of what could not be read nothing more is said.
    if inner.is_some_and(|draft| draft.no_outputs || draft.step.verb.is_empty()) {
        return;
    }
    let Some(giver) = inner.map(|draft| &draft.step).or_else(|| outer(&source.from, scope)) else {
        return faults.add(format!("{at}/from"), no_step(&source.from, scope));
    };
    let verb = scope.catalogue.verb(&giver.verb);
    let Some(kinds) = output(verb, giver, &source.output) else {
        let message = format!(
            "step {} gives no output {}; it gives {}",
            shown(&source.from),
            shown(&source.output),
            given(verb, giver)
        );
        return faults.add(format!("{at}/output"), message);
    };
    let wanted = scope
        .catalogue
        .verb(&step.verb)
        .and_then(|verb| property(&verb.input, name))
        .map(of_schema)
        .unwrap_or_default();
    if !fits(&kinds, &wanted) {
        let message = format!(
            "output {} of step {} is {}, {} takes {} here",
            shown(&source.output),
            shown(&source.from),
            list(kinds),
            step.verb,
            list(wanted)
        );
        faults.add(at, message);
    }
}

/// A step outside of a sub-plan whose outputs its parent takes: they are there when it begins.
fn outer<'a>(id: &str, scope: &Scope<'a>) -> Option<&'a Step> {
    scope.parent.filter(|parent| parent.needs().any(|need| need == id)).and_then(|_| (scope.step)(id))
}

fn no_step(id: &str, scope: &Scope) -> String {
    let others = scope.parent.map(|parent| parent.needs().collect::<BTreeSet<_>>()).filter(|needs| !needs.is_empty());
    let others = others.map(|needs| format!("; of the steps outside it can use {}", list(needs))).unwrap_or_default();
    format!("there is no step {} in this plan{others}", shown(id))
}

/// A change to an output of one step.
pub struct Edit {
    pub step: usize,
    pub output: String,
    pub change: Change,
}

pub enum Change {
    /// What another step takes is declared, so that whatever takes this step's place makes it too.
    Declare(String),
    Type(String),
    File(String),
}

impl Edit {
    pub fn apply(self, steps: &mut [Step]) {
        let Some(step) = steps.get_mut(self.step) else { return };
        let output = step.outputs.entry(self.output);
        match self.change {
            Change::Declare(kind) => {
                output.or_insert_with(|| Output { kind, ..Output::default() });
            }
            Change::Type(kind) => output.or_default().kind = kind,
            Change::File(name) => output.or_default().deliverable = Some(name),
        }
    }
}

/// The outputs as they are to be declared: each that is taken, with the type that it has.
pub fn declared(drafts: &[Draft], index: &HashMap<&str, usize>, scope: &Scope) -> Vec<Edit> {
    let mut edits = BTreeMap::new();
    for (i, draft) in drafts.iter().enumerate() {
        let verb = scope.catalogue.verb(&draft.step.verb);
        for (name, declared) in &draft.step.outputs {
            let kinds = output(verb, &draft.step, name).unwrap_or_default();
            if let ([only], Some(said)) = (kinds.as_slice(), of_plan(&declared.kind))
                && *only != said
            {
                edits.insert((i, name.as_str()), Change::Type((*only).to_string()));
            }
        }
        let sources = draft.step.inputs.values().filter_map(|input| match input {
            Input::From(source) => Some(source),
            Input::Value(_) => None,
        });
        for source in sources {
            let Some(&giver) = index.get(source.from.as_str()) else { continue };
            let step = &drafts[giver].step;
            let verb = scope.catalogue.verb(&step.verb);
            if step.outputs.contains_key(&source.output) || alias(verb, step).is_some() {
                continue;
            }
            let kinds = output(verb, step, &source.output).unwrap_or_default();
            let kind = if let [only] = kinds.as_slice() { *only } else { "any" };
            edits.insert((giver, source.output.as_str()), Change::Declare(kind.into()));
        }
    }
    edits.into_iter().map(|((step, output), change)| Edit { step, output: output.into(), change }).collect()
}

/// The name that the plan gave to the only thing an agent gives. A second declared output would
/// take this name its meaning.
pub fn alias<'s>(verb: Option<&Verb>, step: &'s Step) -> Option<&'s str> {
    let verb = verb.filter(|verb| verb.runner == Runner::Agent && verb.name != ACCOMPLISH)?;
    let only = step.outputs.keys().next().filter(|_| step.outputs.len() == 1)?;
    property(&verb.output, only).is_none().then_some(only)
}

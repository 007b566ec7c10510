//! Sub-plans: they make what the step promised whose place they take, under ids of the whole
//! mission.

use super::{
    Scope,
    fault::{Faults, list, shown, token},
    kind::properties,
    shape::Draft,
    source::{Change, Edit, alias, output},
};
use schemas::{
    id,
    plan::{Input, Step},
};
use std::collections::{HashMap, HashSet};

/// Bytes of a step id.
const LONGEST: usize = 64;

/// An answer in place of a sub-plan: enough when it is all that was promised.
pub fn check_answer(scope: &Scope, faults: &mut Faults) {
    let Some(parent) = scope.parent else { return };
    if parent.outputs.len() > 1 {
        let message = format!(
            "step {} is to give {}: make a plan whose steps give them",
            shown(&parent.id),
            list(parent.outputs.keys())
        );
        faults.add("/answer", message);
    }
    for (name, file) in parent.outputs.iter().filter_map(|(name, output)| Some((name, output.deliverable.as_ref()?))) {
        let message = format!(
            "output {} is to become the file {}: make a plan with a step whose output is this deliverable",
            shown(name),
            shown(file)
        );
        faults.add("/answer", message);
    }
}

/// Checks that every promise is kept, and gives the files that the promised outputs become.
pub fn check(drafts: &[Draft], order: &[usize], parent: &Step, scope: &Scope, faults: &mut Faults) -> Vec<Edit> {
    let delivered: HashSet<&str> = drafts
        .iter()
        .flat_map(|draft| draft.step.outputs.values())
        .filter_map(|output| output.deliverable.as_deref())
        .collect();
    let mut files = Vec::new();
    for (name, promised) in &parent.outputs {
        let Some((maker, made)) = maker(name, drafts, order, parent, scope) else {
            // Whatever could not be read may have been it.
            if !drafts.iter().any(|draft| draft.no_outputs || draft.step.verb.is_empty()) {
                let message = format!(
                    "step {} is to give {}: no step of the plan has an output of that name",
                    shown(&parent.id),
                    shown(name)
                );
                faults.add("/steps", message);
            }
            continue;
        };
        let Some(file) = promised.deliverable.as_ref().filter(|file| !delivered.contains(file.as_str())) else {
            continue;
        };
        let step = &drafts[maker].step;
        match step.outputs.get(&made).and_then(|output| output.deliverable.as_ref()) {
            Some(other) => {
                let message = format!(
                    "output {} of step {} is to become the file {}, not {}",
                    shown(name),
                    shown(&parent.id),
                    shown(file),
                    shown(other)
                );
                faults.add(format!("/steps/{maker}/outputs/{}/deliverable", token(&made)), message);
            }
            None => files.push(Edit { step: maker, output: made, change: Change::File(file.clone()) }),
        }
    }
    files
}

/// Which step makes a promised output, and under which name: the last that has one of that name,
/// else, when it is the only promise, the last step with its only output.
fn maker(name: &str, drafts: &[Draft], order: &[usize], parent: &Step, scope: &Scope) -> Option<(usize, String)> {
    let verb = |i: usize| scope.catalogue.verb(&drafts[i].step.verb);
    let gives = |i: &usize| output(verb(*i), &drafts[*i].step, name).is_some();
    if let Some(i) = order.iter().rev().copied().find(gives) {
        // Declaring a second output would take the plan's own name for the first its meaning.
        let made = alias(verb(i), &drafts[i].step).unwrap_or(name);
        return Some((i, made.to_string()));
    }
    let last = *order.last().filter(|_| parent.outputs.len() == 1)?;
    let step = &drafts[last].step;
    let own: Vec<&str> = match step.outputs.is_empty() {
        true => verb(last).into_iter().flat_map(|verb| properties(&verb.output)).collect(),
        false => step.outputs.keys().map(String::as_str).collect(),
    };
    match own.as_slice() {
        [only] if output(verb(last), step, only).is_some() => Some((last, (*only).to_string())),
        _ => None,
    }
}

/// Gives the steps ids of the whole mission, `{parent}-{id}`, and has references follow.
pub fn rename(steps: &mut [Step], parent: &Step, scope: &Scope) {
    let mut taken: HashSet<String> = HashSet::with_capacity(steps.len());
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut renamed: HashMap<String, String> = HashMap::with_capacity(steps.len());
    for step in &*steps {
        let wanted = format!("{}-{}", parent.id, step.id);
        let is_free = |id: &str| id::is_step_id(id) && !taken.contains(id) && (scope.step)(id).is_none();
        let id = if is_free(&wanted) { wanted } else { numbered(&wanted, &mut numbers, is_free) };
        taken.insert(id.clone());
        renamed.insert(step.id.clone(), id);
    }
    for step in steps {
        let names = step.inputs.values_mut().filter_map(|input| match input {
            Input::From(source) => Some(&mut source.from),
            Input::Value(_) => None,
        });
        for name in names.chain(&mut step.after).chain([&mut step.id]) {
            if let Some(id) = renamed.get(name) {
                name.clone_from(id);
            }
        }
    }
}

/// `{wanted}-2`, `{wanted}-3` …, as long as an id may be.
fn numbered(wanted: &str, numbers: &mut HashMap<String, usize>, is_free: impl Fn(&str) -> bool) -> String {
    // Room for the hyphen and five digits: more steps than a mission may have.
    let head: String = wanted.chars().take(LONGEST - 6).collect();
    let next = numbers.entry(head.clone()).or_insert(2);
    loop {
        let id = format!("{head}-{next}");
        *next += 1;
        if is_free(&id) {
            return id;
        }
    }
}

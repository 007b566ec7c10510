//! Is a plan one that can be carried out? Before anything of it runs, every fault is found and
//! goes back to whoever planned.
//!
//! An accepted plan is normalised: its steps stand in an order in which each comes after what it
//! needs (and otherwise as they were given), every output that another step takes is declared with
//! the type that the verb says, and the steps of a sub-plan have ids of the whole mission.
//!
//! A step may have inputs that its verb does not know when one of the verb's text inputs names
//! them in braces: `{name}` is how a text takes what another step gave. One that nothing names would
//! be lost silently, so it is a fault, whether the verb's schema is closed or not.

mod fault;
mod interface;
mod kind;
mod order;
mod part;
mod shape;
mod source;

use fault::Faults;
use interface::Interface;
use schemas::{
    Fault, Value,
    catalogue::Catalogue,
    plan::{Plan, Step},
    value::is_safe_name,
};
use shape::{Draft, Shape};
use std::collections::{HashMap, HashSet};

/// The verb whose steps become sub-plans.
const ACCOMPLISH: &str = "ACCOMPLISH";

/// What a plan is judged by.
pub struct Scope<'a> {
    pub catalogue: &'a Catalogue,
    /// The steps that the mission has already, by their ids.
    pub step: &'a dyn Fn(&str) -> Option<&'a Step>,
    /// The step that the plan takes the place of: one to be accomplished, or one that failed.
    pub parent: Option<&'a Step>,
    /// How many steps the plan may have.
    pub max_steps: usize,
}

/// The plan as it will be carried out.
///
/// # Errors
/// Every fault (a hundred at the most, then how many more), each with a JSON pointer into `raw`
/// and what would be right.
pub fn accept(raw: &Value, scope: &Scope) -> Result<Plan, Vec<Fault>> {
    let mut faults = Faults::default();
    let drafts = match shape::read(raw, scope.max_steps, &mut faults) {
        Some(Shape::Steps(drafts)) => drafts,
        Some(Shape::Answer(answer)) => {
            part::check_answer(scope, &mut faults);
            return faults.or(|| Plan { steps: Vec::new(), answer: Some(answer) });
        }
        None => return faults.or(Plan::default),
    };
    let index = index(&drafts, scope, &mut faults);
    check_steps(&drafts, scope, &mut faults);
    source::check(&drafts, &index, scope, &mut faults);
    let order = order::of(&drafts, &index, &mut faults);
    let edits = source::declared(&drafts, &index, scope);
    let files = match (&order, scope.parent) {
        (Some(order), Some(parent)) => part::check(&drafts, order, parent, scope, &mut faults),
        _ => Vec::new(),
    };
    faults.or(|| {
        let mut steps: Vec<Step> = drafts.into_iter().map(|draft| draft.step).collect();
        for edit in edits.into_iter().chain(files) {
            edit.apply(&mut steps);
        }
        let mut steps = order::sorted(steps, &order.unwrap_or_default());
        if let Some(parent) = scope.parent {
            part::rename(&mut steps, parent, scope);
        }
        Plan { steps, answer: None }
    })
}

/// Which step has which id; the first one of several with the same.
fn index<'d>(drafts: &'d [Draft], scope: &Scope, faults: &mut Faults) -> HashMap<&'d str, usize> {
    let mut index = HashMap::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        let id = draft.step.id.as_str();
        if id.is_empty() {
            continue;
        }
        let first = *index.entry(id).or_insert(i);
        if first != i {
            faults.add(format!("/steps/{i}/id"), format!("{} is the id of /steps/{first} already", fault::shown(id)));
        } else if scope.parent.is_none() && (scope.step)(id).is_some() {
            faults.add(
                format!("/steps/{i}/id"),
                format!("{} is the id of another step of this mission", fault::shown(id)),
            );
        }
    }
    index
}

/// What can be seen in each step by itself.
fn check_steps(drafts: &[Draft], scope: &Scope, faults: &mut Faults) {
    let mut interfaces: HashMap<&str, Interface> = HashMap::new();
    let mut names: HashSet<&str> = HashSet::new();
    let known = fault::list(scope.catalogue.verbs.keys());
    let roles = &scope.catalogue.roles;
    for (i, draft) in drafts.iter().enumerate() {
        let (step, at) = (&draft.step, format!("/steps/{i}"));
        match scope.catalogue.verb(&step.verb) {
            Some(verb) => {
                interfaces.entry(&verb.name).or_insert_with(|| Interface::new(verb)).check(draft, &at, faults)
            }
            None if step.verb.is_empty() => {}
            None => {
                faults
                    .add(format!("{at}/verb"), format!("unknown verb {}; known are {known}", fault::shown(&step.verb)));
                if step.description.trim().is_empty() {
                    faults.add(
                        format!("{at}/description"),
                        "missing: a verb that is not known must be described, so that another way can be found",
                    );
                }
            }
        }
        if let Some(role) = step.role.as_deref().filter(|role| !roles.is_empty() && !roles.contains_key(*role)) {
            faults.add(
                format!("{at}/role"),
                format!("unknown role {}; known are {}", fault::shown(role), fault::list(roles.keys())),
            );
        }
        for (name, output) in &step.outputs {
            let Some(file) = output.deliverable.as_deref() else { continue };
            let place = || format!("{at}/outputs/{}/deliverable", fault::token(name));
            if !is_safe_name(file) {
                faults.add(
                    place(),
                    format!(
                        "{} cannot be the name of a file: give a plain name without folders, such as `report.md`",
                        fault::shown(file)
                    ),
                );
            } else if !names.insert(file) {
                faults.add(place(), format!("two outputs would become the file {}", fault::shown(file)));
            }
        }
    }
}

//! An order in which each step comes after all that it needs.

use super::{
    fault::{Faults, shown},
    shape::Draft,
};
use schemas::plan::Step;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Steps of a cycle that a message shows.
const SHOWN: usize = 12;

/// The places of the steps in the order in which they can be done, which is the given one where
/// nothing speaks against it. `None` when steps need each other in a circle: each circle is told.
pub fn of(drafts: &[Draft], index: &HashMap<&str, usize>, faults: &mut Faults) -> Option<Vec<usize>> {
    let needs: Vec<Vec<usize>> = drafts
        .iter()
        .map(|draft| {
            let mut needs: Vec<usize> = draft.step.needs().filter_map(|id| index.get(id).copied()).collect();
            needs.sort_unstable();
            needs.dedup();
            needs
        })
        .collect();
    let mut dependants = vec![Vec::new(); drafts.len()];
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    for (i, needs) in needs.iter().enumerate() {
        for need in needs {
            dependants[*need].push(i);
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..drafts.len()).filter(|i| missing[*i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(drafts.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for dependant in &dependants[i] {
            missing[*dependant] -= 1;
            if missing[*dependant] == 0 {
                ready.push(Reverse(*dependant));
            }
        }
    }
    if order.len() == drafts.len() {
        return Some(order);
    }
    tell_cycles(drafts, &needs, &missing, faults);
    None
}

/// Follows, from each step that is left over, the first need that is left over too, until it comes
/// to a step it has seen: one of its own way closes a circle.
fn tell_cycles(drafts: &[Draft], needs: &[Vec<usize>], missing: &[usize], faults: &mut Faults) {
    let mut seen_on = vec![None; drafts.len()];
    for start in (0..drafts.len()).filter(|i| missing[*i] > 0) {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(i) = at.filter(|i| seen_on[*i].is_none()) {
            seen_on[i] = Some(start);
            way.push(i);
            at = needs[i].iter().copied().find(|need| missing[*need] > 0);
        }
        let Some(closing) = at.filter(|i| seen_on[*i] == Some(start)) else { continue };
        let mut cycle: Vec<usize> = way.into_iter().skip_while(|i| *i != closing).collect();
        let first = cycle.iter().enumerate().min_by_key(|(_, i)| **i).map_or(0, |(k, _)| k);
        cycle.rotate_left(first);
        tell(drafts, &cycle, faults);
    }
}

fn tell(drafts: &[Draft], cycle: &[usize], faults: &mut Faults) {
    let name = |i: &usize| shown(&drafts[*i].step.id);
    let at = format!("/steps/{}", cycle[0]);
    if cycle.len() == 1 {
        return faults.add(at, format!("{} needs itself", name(&cycle[0])));
    }
    let mut names: Vec<String> = cycle.iter().take(SHOWN).map(name).collect();
    if cycle.len() > SHOWN {
        names.push(format!("… ({} more)", cycle.len() - SHOWN));
    }
    names.push(name(&cycle[0]));
    faults.add(at, format!("these steps wait for each other: {}", names.join(" needs ")));
}

pub fn sorted(steps: Vec<Step>, order: &[usize]) -> Vec<Step> {
    let mut steps: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    order.iter().filter_map(|i| steps.get_mut(*i).and_then(Option::take)).collect()
}

//! Is a proposed plan good?

use crate::plan::{self, Scope};
use schemas::{
    Fault,
    control::{PlanAccepted, PlanRejected},
    plan::PLAN_STEP,
};
use streams::{
    control::{State, Status},
    decide::Due,
};

pub fn next(state: &State) -> Option<Due> {
    let mission = state.mission.as_ref()?;
    let catalogue = mission.catalogue.content.as_ref()?;
    let used = state.steps.size();
    let allowed = mission
        .budget
        .max_steps
        .map_or(u64::from(mission.limits.steps), |most| most.min(u64::from(mission.limits.steps)));
    let left = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(used.saturating_sub(1));
    let known = |id: &str| state.step(id).map(|step| step.definition.as_ref());
    let judge =
        |raw: &schemas::Value, parent| plan::accept(raw, &Scope { catalogue, step: &known, parent, max_steps: left });

    // A ready plan is judged once, straight away.
    if let Some(ready) = mission
        .plan
        .as_ref()
        .filter(|_| state.status == Status::Planning && state.steps.is_empty() && state.failed.is_empty())
    {
        let raw = serde_json::to_value(ready).ok()?;
        return Some(match judge(&raw, None) {
            Ok(plan) => Due::new(PlanAccepted { step: PLAN_STEP.into(), plan }, "_plan/1", state.created),
            Err(faults) => Due::new(rejected(PLAN_STEP, 1, faults, true), "_plan/1/1", state.created),
        });
    }

    let (id, proposal) = state.proposals.iter().next()?;
    let step = state.step(id)?;
    let of_failed = id.strip_prefix("_recover-").and_then(|failed| state.step(failed));
    let parent = match (of_failed, id.as_str()) {
        (Some(failed), _) => Some(failed.definition.as_ref()),
        (None, PLAN_STEP) => None,
        (None, _) => Some(step.definition.as_ref()),
    };
    let cause = Some(proposal.cause);
    Some(match judge(&proposal.plan, parent) {
        Ok(plan) => Due::new(PlanAccepted { step: id.clone(), plan }, format!("{id}/{}", proposal.attempt), cause),
        Err(faults) => {
            let round = step.rejections + 1;
            let last = round > mission.limits.replans;
            Due::new(rejected(id, round, faults, last), format!("{id}/{}/{round}", proposal.attempt), cause)
        }
    })
}

fn rejected(step: &str, round: u32, faults: Vec<Fault>, last: bool) -> PlanRejected {
    PlanRejected { step: step.into(), round, faults, last }
}

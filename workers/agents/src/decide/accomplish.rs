//! ACCOMPLISH: a plan for the mission, for a step of its own, or around a failed step.

use super::{
    Desk,
    call::{self, Call},
    input,
};
use crate::prompt;
use schemas::{
    Fault,
    agent::{FileInfo, Purpose, Speaker, Task as Job},
    plan::Step,
    value::{self, Ref, Values},
};
use streams::{
    agent::{Task, plan::recovered},
    decide::Due,
};

pub fn request(desk: &Desk, task: &Task) -> Option<Due> {
    call::request(desk, task, || {
        let failed = recovered(&task.step).and_then(|step| desk.state.plans().step(step));
        let (job, inputs) = match (failed, desk.step(task)) {
            (Some(failed), _) => (recovery(desk, failed), Values::new()),
            (None, None) => (mission(desk), Values::new()),
            (None, Some(_)) => step(desk, task)?,
        };
        Ok(write(desk, task, job, inputs, failed))
    })
}

fn write(desk: &Desk, task: &Task, mut job: Job, inputs: Values, failed: Option<&Step>) -> Call {
    job.catalogue = Some(desk.mission.catalogue_ref().clone());
    job.files = files(desk);
    let maker = failed.or_else(|| desk.step(task));
    job.outputs = maker.map(|step| step.outputs.keys().cloned().collect()).unwrap_or_default();
    let role = desk.state.role(&task.agent);
    let mut messages = vec![
        call::message(Speaker::System, prompt::plan::system(desk.catalogue, role)),
        call::message(Speaker::User, prompt::plan::goal(&job, maker, failed, desk.state.messages())),
    ];
    // The conversation so far: each rejected plan, and what was wrong with it.
    for round in &task.rounds {
        messages.push(call::message(Speaker::Assistant, round.plan.to_string()));
        messages.push(call::message(Speaker::User, prompt::plan::rejected(&round.faults)));
    }
    if let Some(last) = task.rounds.last() {
        job.faults.extend(last.faults.iter().cloned());
    }
    let (inputs, blobs) = input::outline(inputs);
    let purpose = if failed.is_some() { Purpose::Recover } else { Purpose::Plan };
    Call { purpose, job, messages, inputs, schema: Some(prompt::plan::schema()), tools: Vec::new(), blobs }
}

fn mission(desk: &Desk) -> Job {
    Job { context: desk.mission.context.clone(), ..call::job(&desk.mission.goal) }
}

/// The goal and context of a step. With every input at hand they are filled in here, so that
/// planners without a model read plain text; otherwise where the call is made.
fn step(desk: &Desk, task: &Task) -> Result<(Job, Values), String> {
    let inputs = desk.inputs(task)?;
    let template = |name: &str| input::template(desk.step(task), &inputs, name);
    let mut job = call::job(template("goal").ok_or("input `goal` is missing")?);
    job.context = template("context");
    if inputs.values().any(|value| Ref::from_value(value).is_some()) {
        return Ok((job, inputs));
    }
    job.goal = value::fill(&job.goal, &inputs);
    job.context = job.context.map(|context| value::fill(&context, &inputs));
    Ok((job, Values::new()))
}

fn recovery(desk: &Desk, failed: &Step) -> Job {
    let what = if failed.description.is_empty() { &desk.mission.goal } else { &failed.description };
    let mut job = Job { context: Some(desk.mission.goal.clone()), ..call::job(what) };
    let why = desk.state.task(&failed.id).and_then(|task| task.fault.clone());
    job.faults = vec![why.unwrap_or_else(|| Fault::new(format!("/steps/{}", failed.id), "the step failed"))];
    job
}

fn files(desk: &Desk) -> Vec<FileInfo> {
    let info = |(path, file): (&String, &Ref)| FileInfo {
        path: path.clone(),
        size: file.size,
        media_type: file.media_type.clone(),
    };
    desk.state.folder().iter().map(info).collect()
}

//! What an event means, in a line.

use schemas::{
    Event, Fact, Value,
    control::{Purpose, Standstill},
};
use std::fmt::Display;

/// A sentence without its full stop; what people and programs wrote stands in it as it is.
pub fn meaning(event: &Event) -> String {
    let attempt = |step: &str, attempt: u32| match attempt {
        0 | 1 => step.to_string(),
        n => format!("{step} (attempt {n})"),
    };
    match &event.fact {
        Fact::MissionCreated(said) => format!("the mission begins: {}", said.goal),
        Fact::PlanProposed(said) => format!("a plan for {} is proposed", attempt(&said.step, said.attempt)),
        Fact::PlanAccepted(said) => match said.plan.steps.len() {
            0 => format!("the plan of {} has an answer and no steps", said.step),
            n => format!("the plan of {} is good: {n} steps", said.step),
        },
        Fact::PlanRejected(said) => format!(
            "the plan of {} has faults (round {}{}): {}",
            said.step,
            said.round,
            if said.last { ", the last" } else { "" },
            list(&said.faults)
        ),
        Fact::AgentSpawned(said) => format!("{} joins as {}", said.agent, said.role),
        Fact::StepAssigned(said) => {
            format!("{} is given to {}: {}", attempt(&said.step, said.attempt), said.agent, said.verb)
        }
        Fact::StepRetried(said) => format!("{} is open again: attempt {}", said.step, said.attempt),
        Fact::StepCancelled(said) => {
            format!("{} is called off ({}): {}", attempt(&said.step, said.attempt), said.class, said.reason)
        }
        Fact::StepFaulted(said) => {
            format!("{} went wrong ({}): {}", attempt(&said.step, said.attempt), said.class, said.message)
        }
        Fact::StepFailed(said) => {
            format!("{} has failed for good ({}): {}", attempt(&said.step, said.attempt), said.class, said.message)
        }
        Fact::StepCompleted(said) => {
            let files: Vec<&str> = said.deliverables.iter().map(|file| file.name.as_str()).collect();
            let files = if files.is_empty() { String::new() } else { format!(", delivering {}", files.join(", ")) };
            format!("{} is done by {}{files}", attempt(&said.step, said.attempt), said.agent)
        }
        Fact::MissionPausing(_) => "nothing starts any more".into(),
        Fact::AgentHalted(_) => "the agents stand still".into(),
        Fact::MissionPaused(_) => "the mission stands still".into(),
        Fact::MissionResumed(said) => match said.from {
            Standstill::Paused => "the mission goes on after a pause".into(),
            Standstill::Waiting => "the mission goes on: somebody answered".into(),
        },
        Fact::MissionWaiting(said) => {
            format!("nothing goes on before {} answered", counted(said.questions.len(), "question is", "questions are"))
        }
        Fact::MissionRetried(said) => {
            format!("tried again: {}", if said.steps.is_empty() { "nothing".into() } else { said.steps.join(", ") })
        }
        Fact::MissionCompleted(_) => "the mission is completed".into(),
        Fact::MissionFailed(said) => format!("the mission has failed ({}): {}", said.class, said.message),
        Fact::MissionAborted(said) => reason("the mission is aborted", said.reason.as_deref()),
        Fact::BudgetWarned(said) => said.message.clone(),
        Fact::BudgetReached(said) => said.message.clone(),
        Fact::BudgetShort(said) => said.message.clone(),
        Fact::TimerSet(said) => format!("a timer is set to {}: {}", said.at, purpose(&said.purpose)),
        Fact::TimerCleared(_) => "a timer is not needed any more".into(),
        Fact::TimerFired(_) => "a timer's time has come".into(),
        Fact::LlmRequested(said) => {
            format!("{} asks a model: {}", attempt(&said.step, said.attempt), word(&said.purpose))
        }
        Fact::LlmTried(said) => match &said.error {
            Some(error) => format!("{} was tried, in vain: {error}", said.model),
            None => format!("{} was tried", said.model),
        },
        Fact::LlmCompleted(said) => format!(
            "{} answered {} ({} + {} tokens, ${:.4}, {} ms)",
            said.model, said.step, said.usage.input, said.usage.output, said.cost_usd, said.ms
        ),
        Fact::LlmFailed(said) => format!("no model answered {} ({}): {}", said.step, said.class, said.message),
        Fact::PluginRequested(said) => {
            format!("{} asks for a run of {} {}", attempt(&said.step, said.attempt), said.verb, said.version)
        }
        Fact::PluginStarted(said) => format!("a sandbox runs for {}", attempt(&said.step, said.attempt)),
        Fact::PluginCompleted(said) => {
            let names: Vec<&str> = said.outputs.keys().map(String::as_str).collect();
            format!("the run for {} gave {} ({} ms)", attempt(&said.step, said.attempt), names.join(", "), said.ms)
        }
        Fact::PluginFailed(said) => {
            format!("the run for {} failed ({}): {}", attempt(&said.step, said.attempt), said.class, said.message)
        }
        Fact::QuestionAsked(said) => {
            format!("{} asks: {}", said.agent.as_deref().unwrap_or("mission-control"), said.text)
        }
        Fact::QuestionAnswered(said) => format!("the answer is {}", short(&said.answer)),
        Fact::QuestionDismissed(_) => "the question will not be answered".into(),
        Fact::MessageSaid(said) => format!("{}: {}", said.agent.as_deref().unwrap_or("user"), said.text),
        Fact::PauseRequested(said) => reason("a pause is asked for", said.reason.as_deref()),
        Fact::ResumeRequested(_) => "the mission is to go on".into(),
        Fact::AbortRequested(said) => reason("the mission is to stop for good", said.reason.as_deref()),
        Fact::RetryRequested(said) => match &said.step {
            Some(step) => format!("{step} is to be tried again"),
            None => "what failed is to be tried again".into(),
        },
        Fact::BudgetRaised(_) => format!("the budget is raised: {}", short(&event.fact.to_value())),
        Fact::FileAdded(said) => format!("{} comes into the folder", said.path),
        Fact::FileRemoved(said) => format!("{} leaves the folder", said.path),
        Fact::DeciderRetried(said) => format!("{} is to try again", said.decider),
        Fact::DeciderStuck(said) => format!("{} can't go on: {}", event.writer, said.message),
        Fact::MissionArchiving(_) => "the mission leaves the log for the archive".into(),
    }
}

fn purpose(purpose: &Purpose) -> String {
    match purpose {
        Purpose::Retry { step, attempt } => format!("then attempt {attempt} of {step}"),
        Purpose::Timeout { step, .. } => format!("until then {step} has time"),
        Purpose::Expiry { .. } => "until then a question may be answered".into(),
        Purpose::Deadline => "until then the mission has time".into(),
    }
}

fn counted(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("a {one}") } else { format!("{n} {many}") }
}

fn reason(what: &str, why: Option<&str>) -> String {
    why.map_or_else(|| what.into(), |why| format!("{what}: {why}"))
}

fn list(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The word that its JSON has.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(String::from)).unwrap_or_default()
}

fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

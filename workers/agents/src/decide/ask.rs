//! ASK_USER_QUESTION: a question to the mission's owner.

use super::{Desk, complete, faulted, input};
use schemas::{
    Class, Value,
    agent::{AnswerType, QuestionAsked},
    value::{self, Ref, Values},
};
use streams::{agent::Task, decide::Due};

/// Characters of a question that a model put badly.
const MOST: usize = 2_000;

pub fn ask(desk: &Desk, task: &Task) -> Due {
    match desk.inputs(task).and_then(|inputs| question(desk, task, &inputs)) {
        Ok(asked) => Due::new(asked, task.entity(), Some(desk.cause(task))),
        Err(why) => faulted(task, Class::InvalidInput, why),
    }
}

/// A model's question; one that is badly put is put as a plain one.
pub fn for_model(desk: &Desk, task: &Task, inputs: &Values) -> Due {
    let asked = question(desk, task, inputs).unwrap_or_else(|_| {
        let text = inputs.get("question").map_or_else(
            || Value::from(inputs.clone().into_iter().collect::<serde_json::Map<_, _>>()).to_string(),
            input::text,
        );
        let text = if text.len() > value::INLINE_LIMIT { text.chars().take(MOST).collect() } else { text };
        plain(task, text)
    });
    let before = task.asked.len() as u32 - task.calls - task.runs;
    Due::new(asked, task.entity(), Some(desk.cause(task))).nth(before)
}

fn question(desk: &Desk, task: &Task, inputs: &Values) -> Result<QuestionAsked, String> {
    let text = inputs.get("question").ok_or("input `question` is missing")?;
    if Ref::from_value(text).is_some() {
        return Err("input `question` is longer than the 16 KiB that a question may have".into());
    }
    let template = input::template(desk.step(task), inputs, "question").unwrap_or_else(|| input::text(text));
    let text = input::speak(&template, inputs, |_, large| format!("(a value of {} bytes)", large.size));
    let given = |name: &str| inputs.get(name).filter(|value| !value.is_null());
    let answer = match given("type") {
        None => AnswerType::Text,
        Some(kind) => {
            serde_json::from_value(kind.clone()).ok().filter(|kind| *kind != AnswerType::Values).ok_or_else(|| {
                format!("input `type` is {kind}: it must be text, number, boolean, choice, choices or file")
            })?
        }
    };
    let choices = match given("choices") {
        None => Vec::new(),
        Some(list) => serde_json::from_value::<Vec<String>>(list.clone())
            .map_err(|_| "input `choices` must be a list of texts")?,
    };
    if matches!(answer, AnswerType::Choice | AnswerType::Choices) && choices.is_empty() {
        return Err("input `choices` is missing: there is nothing to choose from".into());
    }
    let expires = match given("expires") {
        None => None,
        Some(after) => {
            let seconds = after
                .as_f64()
                .filter(|seconds| *seconds > 0.0)
                .ok_or("input `expires` must be a number of seconds above 0")?;
            desk.state.about().map(|about| about.time.after_seconds(seconds))
        }
    };
    Ok(QuestionAsked { answer, choices, expires, ..plain(task, text) })
}

fn plain(task: &Task, text: String) -> QuestionAsked {
    QuestionAsked {
        step: task.step.clone(),
        attempt: task.attempt,
        agent: Some(task.agent.clone()),
        text,
        answer: AnswerType::Text,
        choices: Vec::new(),
        schema: None,
        expires: None,
    }
}

pub fn replied(desk: &Desk, task: &Task, reply: &Value) -> Due {
    complete::said(desk, task, [("answer".to_string(), reply.clone())].into())
}

//! Tools: verbs that a model asks for within a step, one after the other, until it answers.

use super::{Desk, ask, input, run};
use crate::prompt;
use schemas::{
    Value,
    agent::{Message, Speaker, ToolCall},
    catalogue::Runner,
    value::{Ref, Values},
};
use streams::{
    agent::{
        Task,
        talk::{Outcome, Pending},
    },
    decide::Due,
};

/// The verb of the agent's own that is a tool, too.
const ASK: &str = "ASK_USER_QUESTION";
/// Turns with tools before the model must answer, where the step does not say.
const TURNS: u64 = 10;
const MOST_TURNS: u64 = 50;
/// The time at which a model asks once too often for the same with the same input.
const SAME: usize = 3;

/// What a step says about tools.
pub struct Tools {
    /// Verbs; empty: no tools.
    pub offered: Vec<String>,
    turns: u64,
}

impl Tools {
    /// Takes what is about tools out of a step's inputs.
    ///
    /// # Errors
    /// A sentence: what is wrong, and what would be right.
    pub fn take(desk: &Desk, inputs: &mut Values) -> Result<Self, String> {
        let mut given = |name: &str| inputs.remove(name).filter(|value| !value.is_null());
        let wrong = || "input `tools` must be a list of verbs, as [\"SEARCH\", \"SCRAPE\"]".to_string();
        let offered =
            given("tools").map_or(Ok(Vec::new()), serde_json::from_value::<Vec<String>>).map_err(|_| wrong())?;
        let turns = given("max_turns").map_or(Some(TURNS), |turns| turns.as_u64());
        let turns = turns.filter(|turns| (1..=MOST_TURNS).contains(turns));
        let turns = turns.ok_or(format!("input `max_turns` must be a whole number from 1 to {MOST_TURNS}"))?;
        if let Some(verb) = offered.iter().find(|verb| !can_be_offered(desk, verb)) {
            let all = desk.catalogue.verbs.keys().filter(|verb| can_be_offered(desk, verb));
            return Err(format!("input `tools` names `{verb}`, which is no tool: there are {}", input::quoted(all)));
        }
        Ok(Self { offered, turns })
    }

    /// Must the model answer now, or has it been told so and asked for more?
    fn left(&self, task: &Task) -> Option<u64> {
        self.turns.checked_sub(task.talk.turns().len() as u64)
    }
}

fn can_be_offered(desk: &Desk, verb: &str) -> bool {
    verb == ASK || desk.catalogue.verb(verb).is_some_and(|verb| verb.runner == Runner::Capability)
}

/// Why a model that asked for tools gets none and no further call, if so.
pub fn ends(task: &Task, tools: &Tools) -> Option<String> {
    if let Some(ToolCall { name, input, .. }) = task.talk.repeated(SAME) {
        return Some(format!(
            "the model asked for {name} three times with the same input, {input}: it goes round in circles"
        ));
    }
    let turns = tools.turns;
    tools
        .left(task)
        .is_none()
        .then(|| format!("the model used tools in each of its turns (`max_turns`: {turns}) and gave no answer"))
}

/// Starts what the model asked for.
pub fn start(desk: &Desk, task: &Task, pending: Pending<'_>) -> Option<Due> {
    match pending.verb {
        ASK => Some(ask::for_model(desk, task, &pending.values())),
        verb => run::for_model(desk, task, desk.catalogue.verb(verb)?, pending.values()),
    }
}

/// What was said so far, for the next call: words as inputs, so that no brace in them is taken for a name.
pub fn conversation(task: &Task, tools: &Tools, messages: &mut Vec<Message>, inputs: &mut Values) {
    for (t, turn) in task.talk.turns().iter().enumerate() {
        let mut put = |name: String, value: Value| {
            let place = format!("{{{name}}}");
            inputs.insert(name, value);
            place
        };
        let is_mute = turn.said.as_str().is_some_and(|text| text.trim().is_empty());
        let text = if is_mute { String::new() } else { put(format!("turn {}", t + 1), (*turn.said).clone()) };
        messages.push(Message { calls: turn.calls.clone(), ..Message::new(Speaker::Assistant, text) });
        for (n, (call, outcome)) in turn.calls.iter().zip(&turn.results).enumerate() {
            let text = result(outcome.as_ref(), &format!("tool {}.{}", t + 1, n + 1), &mut put);
            messages.push(Message { result_of: Some(call.id.clone()), ..Message::new(Speaker::Tool, text) });
        }
    }
    if !task.talk.is_empty() && tools.left(task) == Some(0) {
        messages.push(Message::new(Speaker::User, prompt::write::LAST_TURN));
    }
}

fn result(outcome: Option<&Outcome>, name: &str, put: &mut impl FnMut(String, Value) -> String) -> String {
    match outcome {
        Some(Outcome::Outputs(run)) => {
            let is_one = run.outputs.len() == 1 && run.files.is_empty() && run.removed.is_empty();
            let mut parts = Vec::new();
            for (n, (output, value)) in run.outputs.iter().enumerate() {
                let place = put(format!("{name} {n}"), value.clone());
                parts.push(if is_one { place } else { format!("{}:\n{place}", output.replace(['{', '}'], "")) });
            }
            let written: Vec<_> = run.files.iter().map(|(path, file)| told(path, file)).collect();
            for (what, paths) in [("files written", written), ("files removed", run.removed.clone())] {
                if !paths.is_empty() {
                    parts.push(put(format!("{name} {what}"), format!("{what}: {}", paths.join(", ")).into()));
                }
            }
            if parts.is_empty() { "done; it gives nothing".into() } else { parts.join("\n\n") }
        }
        Some(Outcome::Reply(reply)) => put(format!("{name} reply"), (**reply).clone()),
        Some(Outcome::Nothing(why)) => put(format!("{name} error"), format!("error: {why}").into()),
        None => String::new(),
    }
}

fn told(path: &str, file: &Ref) -> String {
    format!("{path} ({} bytes)", file.size)
}

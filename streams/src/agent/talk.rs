//! What a model and its tools said to each other within an attempt, turn by turn.

use super::{
    folder::Changes,
    task::{Back, Outputs},
};
use schemas::{
    EventId, Value,
    agent::ToolCall,
    value::{Ref, Values},
};
use std::sync::Arc;

/// A conversation between a model and its tools.
#[derive(Debug, Clone, Default)]
pub struct Talk {
    /// The verbs that the last call offered.
    pub offered: Vec<String>,
    turns: Vec<Turn>,
}

/// Once a model asked for tools.
#[derive(Debug, Clone)]
pub struct Turn {
    /// What it said besides; a text, or a reference to one.
    pub said: Arc<Value>,
    pub calls: Vec<ToolCall>,
    /// Of each call, once there is one.
    pub results: Vec<Option<Outcome>>,
}

/// What became of a call.
#[derive(Debug, Clone)]
pub enum Outcome {
    Outputs(Arc<Outputs>),
    /// A person's answer.
    Reply(Arc<Value>),
    /// Why there is nothing.
    Nothing(String),
}

/// A call whose turn it is.
#[derive(Debug, Clone, Copy)]
pub struct Pending<'t> {
    pub call: &'t ToolCall,
    /// The verb, as the catalogue calls it.
    pub verb: &'t str,
    pub inputs: &'t serde_json::Map<String, Value>,
}

impl Talk {
    /// The model asked for tools. What can't be done by anybody has its result at once.
    pub(super) fn ask(&mut self, said: Arc<Value>, calls: &[ToolCall]) {
        let results = calls.iter().map(|call| self.refusal(call).map(Outcome::Nothing)).collect();
        self.turns.push(Turn { said, calls: calls.to_vec(), results });
    }

    fn refusal(&self, call: &ToolCall) -> Option<String> {
        if !self.offered.contains(&call.name) {
            let offered = self.offered.join(", ");
            return Some(format!("there is no tool called `{}`: there are {offered}", call.name));
        }
        let Value::Object(inputs) = &call.input else {
            return Some("the input must be a JSON object of the tool's inputs by name".into());
        };
        // A model knows no references: what looks like one is made up.
        let made_up = inputs.iter().find(|(_, value)| Ref::from_value(value).is_some());
        made_up.map(|(name, _)| format!("input `{name}` is no value that can be given"))
    }

    /// The first call without a result.
    pub fn pending(&self) -> Option<Pending<'_>> {
        let turn = self.turns.last()?;
        let call = turn.results.iter().position(Option::is_none).and_then(|n| turn.calls.get(n))?;
        Some(Pending { call, verb: &call.name, inputs: call.input.as_object()? })
    }

    /// Gives the pending call its result; `false` when none is pending.
    pub(super) fn settle(&mut self, back: &Back) -> bool {
        let Some(result) = self.turns.last_mut().and_then(|turn| turn.results.iter_mut().find(|r| r.is_none())) else {
            return false;
        };
        *result = Some(match back {
            Back::Outputs(outputs) => Outcome::Outputs(Arc::clone(outputs)),
            Back::Reply(reply) => Outcome::Reply(Arc::clone(reply)),
            Back::Failure { message, .. } => Outcome::Nothing(message.clone()),
            Back::Answer { .. } | Back::Said => return false,
        });
        true
    }

    /// What the model asks for now, and has so many times in all, with the same inputs.
    pub fn repeated(&self, times: usize) -> Option<&ToolCall> {
        let all = || self.turns.iter().flat_map(|turn| &turn.calls);
        let same =
            |call: &&ToolCall| all().filter(|other| (&other.name, &other.input) == (&call.name, &call.input)).count();
        self.turns.last()?.calls.iter().find(|call| same(call) >= times)
    }

    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn outputs(&self) -> impl Iterator<Item = &Outputs> {
        self.turns.iter().flat_map(|turn| turn.results.iter().flatten()).filter_map(|outcome| match outcome {
            Outcome::Outputs(outputs) => Some(&**outputs),
            _ => None,
        })
    }

    /// The runs that gave something, in their order.
    pub fn runs(&self) -> Vec<EventId> {
        self.outputs().map(|outputs| outputs.run).collect()
    }

    /// The files that its runs wrote, and none in place of those that they removed.
    pub fn files(&self) -> Changes {
        self.outputs().flat_map(Outputs::changes).collect()
    }
}

impl Pending<'_> {
    pub fn values(&self) -> Values {
        self.inputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(name: &str, input: Value) -> ToolCall {
        ToolCall { id: "1".into(), name: name.into(), input, signature: None }
    }

    fn talk() -> Talk {
        Talk { offered: vec!["SEARCH".into(), "SQL".into()], ..Talk::default() }
    }

    #[test]
    fn calls_get_their_results_one_after_the_other() {
        let mut talk = talk();
        let said = Arc::new(json!(""));
        talk.ask(said, &[call("SEARCH", json!({"q": 1})), call("SHOUT", json!({})), call("SQL", json!({"q": 2}))]);
        assert_eq!(talk.pending().map(|pending| pending.verb), Some("SEARCH"));
        assert!(talk.settle(&Back::Failure { class: schemas::Class::Lost, message: "gone".into() }));
        assert_eq!(talk.pending().map(|pending| pending.verb), Some("SQL"), "nobody can SHOUT");
        assert!(talk.settle(&Back::Reply(Arc::new(json!(7)))));
        assert!(talk.pending().is_none() && !talk.settle(&Back::Said));
        let words: Vec<_> = talk.turns()[0].results.iter().flatten().map(|outcome| format!("{outcome:?}")).collect();
        assert!(words[1].contains("there are SEARCH, SQL"), "{words:?}");
    }

    #[test]
    fn what_no_verb_can_take_is_refused_at_once() {
        for input in [
            json!([1]),
            json!("{\"q\": 1}"),
            json!({"q": {"stage7:ref": "aa", "type": "text", "size": 1, "media_type": "x"}}),
        ] {
            let mut talk = talk();
            talk.ask(Arc::new(json!("")), &[call("SEARCH", input.clone())]);
            assert!(talk.pending().is_none(), "{input}");
        }
    }

    #[test]
    fn what_is_asked_for_again_is_counted() {
        let mut talk = talk();
        for (n, repeated) in [(1, false), (2, false), (1, false), (1, true)] {
            talk.ask(Arc::new(json!("")), &[call("SEARCH", json!({"q": n}))]);
            assert_eq!(talk.repeated(3).is_some(), repeated, "{n}");
            talk.settle(&Back::Reply(Arc::new(json!(7))));
        }
    }

    #[test]
    fn a_later_run_has_the_last_word_on_a_file() {
        let file =
            |text: &str| schemas::value::Blob::new(schemas::value::Form::File, "text/plain", text.into()).reference;
        let mut talk = talk();
        for (written, removed) in [(vec![("a", "1"), ("b", "1")], vec![]), (vec![("a", "2")], vec!["b", "c"])] {
            talk.ask(Arc::new(json!("")), &[call("SQL", json!({}))]);
            talk.settle(&Back::Outputs(Arc::new(Outputs {
                run: EventId(uuid::Uuid::nil()),
                outputs: Arc::default(),
                files: written.into_iter().map(|(path, text)| (path.to_string(), file(text))).collect(),
                removed: removed.into_iter().map(String::from).collect(),
            })));
        }
        let files: Vec<_> = talk.files().into_iter().collect();
        assert_eq!(files, [("a".into(), Some(file("2"))), ("b".into(), None), ("c".into(), None)]);
        assert_eq!(talk.runs().len(), 2);
    }
}

//! One JSON value that is an answer or a call of a tool, for servers that know no tools but hold an answer to a
//! schema. Its grammar allows one call at a time.

use super::{Tool, tool};
use schemas::{Value, agent::ToolCall};
use serde_json::{Map, json};

/// What a grammar does not need, and what some servers make none of: patterns without anchors, repetitions of more
/// than some thousands. It is seen where the tool runs.
const LOOSE: [&str; 7] = ["pattern", "format", "minLength", "maxLength", "minItems", "maxItems", "default"];

pub struct Envelope<'a> {
    pub tools: &'a [Tool],
    /// Of the answer; text is wanted when absent.
    pub schema: Option<&'a Value>,
}

impl Envelope<'_> {
    /// What the value must fit.
    pub fn schema(&self) -> Value {
        let at = |name: &str| format!("/$defs/{name}");
        let object = |fields: Value| {
            let names: Vec<_> = fields.as_object().into_iter().flat_map(Map::keys).cloned().collect();
            json!({"type": "object", "properties": fields, "required": names, "additionalProperties": false})
        };
        let refers = |name: &str| json!({"$ref": format!("#{}", at(name))});
        // No tool's can be the answer's.
        let def = |tool: &Tool| format!("input_{}", tool.name);
        let call = |tool: &Tool| object(json!({"tool": {"const": tool.name}, "input": refers(&def(tool))}));
        let inputs = self.tools.iter().map(|tool| (def(tool), tool::moved(&input(tool), &at(&def(tool)))));
        let mut defs: Map<String, Value> = inputs.collect();
        let answer = self.schema.map_or_else(|| json!({"type": "string"}), |schema| tool::moved(schema, &at("answer")));
        defs.insert("answer".into(), answer);
        let calls = self.tools.iter().map(call);
        let all: Vec<_> = calls.chain([object(json!({"answer": refers("answer")}))]).collect();
        json!({"oneOf": all, "$defs": defs})
    }

    /// What the model is told of it.
    pub fn words(&self) -> String {
        let line =
            |tool: &Tool| format!("- {}: {} Its input, as JSON Schema: {}", tool.name, tool.description, tool.input);
        let tools: Vec<_> = self.tools.iter().map(line).collect();
        let answer = match self.schema {
            None => "a text".to_string(),
            Some(schema) => format!("JSON that fits this schema: {schema}"),
        };
        format!(
            "You may ask for a tool before you answer; you are told what it gives. Write one JSON object and nothing \
             else, either {{\"tool\": NAME, \"input\": {{…}}}} or {{\"answer\": …}}, where the answer is {answer}.\n\
             The tools:\n{}",
            tools.join("\n")
        )
    }

    /// The answer, or the call.
    ///
    /// # Errors
    /// It is neither.
    pub fn open(&self, said: &str) -> Result<(String, Vec<ToolCall>), String> {
        let neither = |why: String| format!("neither an answer nor a call of a tool: {why}");
        let mut said: Value = serde_json::from_str(said).map_err(|error| neither(error.to_string()))?;
        match (said["tool"].as_str().map(String::from), said.get("answer")) {
            (Some(name), _) => {
                let call = ToolCall { id: String::new(), name, input: said["input"].take(), signature: None };
                Ok((String::new(), vec![call]))
            }
            (None, Some(Value::String(text))) if self.schema.is_none() => Ok((text.clone(), Vec::new())),
            (None, Some(answer)) => Ok((answer.to_string(), Vec::new())),
            (None, None) => Err(neither("it has no `tool` and no `answer`".into())),
        }
    }
}

/// A call as a model is shown that it made it.
pub fn call(call: &ToolCall) -> String {
    json!({"tool": call.name, "input": tool::shown(&call.input)}).to_string()
}

fn input(tool: &Tool) -> Value {
    loose(&tool::input(&tool.input))
}

/// The structure of a schema, without the finer rules.
fn loose(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let kept = fields.iter().filter(|(word, _)| !LOOSE.contains(&word.as_str()));
    let field = |(word, value): (&String, &Value)| {
        let value = match (word.as_str(), value) {
            // Their members have names, which may be those of rules.
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.iter().map(|(name, schema)| (name.clone(), loose(schema))).collect::<Map<_, _>>().into()
            }
            ("enum" | "const", value) => value.clone(),
            (_, Value::Array(items)) => items.iter().map(loose).collect(),
            (_, value) => loose(value),
        };
        (word.clone(), value)
    };
    Value::Object(kept.map(field).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Vec<Tool> {
        let input = json!({"type": "object", "required": ["query"], "properties": {
            "query": {"type": "string", "pattern": "\\S", "maxLength": 100_000}, "format": {"enum": ["a", "b"]},
            "deep": {"$ref": "#/$defs/Deep"}}, "$defs": {"Deep": {"type": "integer"}}});
        vec![Tool { name: "SEARCH".into(), description: "Finds pages.".into(), input }]
    }

    #[test]
    fn it_holds_an_answer_or_a_call_and_nothing_else() {
        let (tools, schema) =
            (tools(), json!({"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "integer"}}}));
        for (wanted, answer) in [(None, json!("yes")), (Some(&schema), json!([1, 2]))] {
            let envelope = Envelope { tools: &tools, schema: wanted };
            let validator = jsonschema::validator_for(&envelope.schema()).expect("a schema");
            let call = json!({"tool": "SEARCH", "input": {"query": "q", "format": "a", "deep": 1}});
            assert!(validator.is_valid(&call) && validator.is_valid(&json!({"answer": answer})));
            for wrong in [
                json!({"answer": {}}),
                json!({"tool": "OTHER", "input": {"query": "q"}}),
                json!({"tool": "SEARCH", "input": {}}),
                json!({"tool": "SEARCH", "input": {"query": "q", "deep": "x"}}),
                json!({"tool": "SEARCH", "input": {"query": "q"}, "answer": answer}),
            ] {
                assert!(!validator.is_valid(&wrong), "{wrong}");
            }
            let (text, calls) = envelope.open(&call.to_string()).expect("a call");
            assert_eq!((text.as_str(), &calls[0].name, &calls[0].input), ("", &"SEARCH".to_string(), &call["input"]));
            let (text, calls) = envelope.open(&json!({"answer": answer}).to_string()).expect("an answer");
            assert!(calls.is_empty());
            assert_eq!(text, answer.as_str().map_or_else(|| answer.to_string(), String::from));
        }
        assert!(!Envelope { tools: &tools, schema: None }.schema().to_string().contains("pattern"));
        assert!(Envelope { tools: &tools, schema: None }.open("no").is_err());
    }

    #[test]
    fn a_tool_is_named_before_its_inputs() {
        let schema = Envelope { tools: &tools(), schema: None }.schema().to_string();
        assert!(schema.find("\"tool\"") < schema.find("\"input\""), "{schema}");
        let call = call(&ToolCall { id: "1".into(), name: "A".into(), input: json!("{x"), signature: None });
        assert_eq!(call, r#"{"tool":"A","input":{"unreadable":"{x"}}"#);
    }
}

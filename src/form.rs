//! A form at a terminal, one field after the other.

use crate::progress::clean;
use schemas::{Value, catalogue::default, form};
use serde_json::{Map, json};

/// What is being filled in.
#[derive(Debug)]
pub struct Form {
    fields: Vec<Field>,
    values: Map<String, Value>,
    /// The field that is asked for.
    at: usize,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: Kind,
    schema: Value,
    required: bool,
}

/// What one line can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// Texts between commas.
    Texts,
}

impl Form {
    /// The fields, where a line each is enough; else nothing, and the whole is given as JSON.
    pub fn new(schema: &Value) -> Option<Self> {
        let required = |name: &String| {
            schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
        };
        let field = |(name, schema): (&String, &Value)| {
            let field =
                Field { name: name.clone(), kind: Kind::of(schema)?, schema: schema.clone(), required: required(name) };
            Some(field)
        };
        let properties = schema.get("properties")?.as_object().filter(|all| !all.is_empty())?;
        let fields = properties.iter().map(field).collect::<Option<_>>()?;
        Some(Self { fields, values: Map::new(), at: 0 })
    }

    /// What to ask for now; nothing when all is there.
    pub fn prompt(&self) -> Option<String> {
        let field = self.fields.get(self.at)?;
        let text = |name: &str| field.schema.get(name).and_then(Value::as_str);
        let mut prompt = clean(text("description").or_else(|| text("title")).unwrap_or(&field.name));
        if let Some(choices) = field.schema.get("enum").and_then(Value::as_array) {
            let choices: Vec<String> = choices.iter().map(shown).collect();
            prompt = format!("{prompt} (one of: {})", clean(&choices.join(", ")));
        } else if let Some(wanted) = field.kind.wanted() {
            prompt = format!("{prompt} ({wanted})");
        }
        match field.schema.get("default") {
            Some(default) => prompt = format!("{prompt} [{}]", clean(&shown(default))),
            None if !field.required => prompt.push_str(" [may be left empty]"),
            None => {}
        }
        Some(format!("{prompt}:"))
    }

    /// Takes a line for the field that is asked for.
    ///
    /// # Errors
    /// What would be right; the field is asked for again.
    pub fn take(&mut self, line: &str) -> Result<(), String> {
        let Some(field) = self.fields.get(self.at) else { return Ok(()) };
        if line.trim().is_empty() {
            let absent = field.schema.get("default").cloned();
            if absent.is_none() && field.required {
                return Err("something must be given here".into());
            }
            self.values.extend(absent.map(|value| (field.name.clone(), value)));
        } else {
            let value = field.kind.parsed(line).ok_or_else(|| format!("{line:?} is not {}", field.kind.named()))?;
            // A field alone is judged as a form of one field.
            let alone = json!({"type": "object", "properties": {&field.name: field.schema}});
            let faults = form::misfits(&alone, &json!({&field.name: value}), "");
            if let Some(fault) = faults.first() {
                return Err(fault.message.clone());
            }
            self.values.insert(field.name.clone(), value);
        }
        self.at += 1;
        Ok(())
    }

    /// What was filled in.
    pub fn values(&self) -> Value {
        Value::Object(self.values.clone())
    }
}

impl Kind {
    fn of(schema: &Value) -> Option<Self> {
        let named = |schema: &Value| schema.get("type").and_then(Value::as_str).map(str::to_owned);
        match named(schema)?.as_str() {
            "string" => Some(Self::Text),
            "integer" => Some(Self::Integer),
            "number" => Some(Self::Number),
            "boolean" => Some(Self::Boolean),
            "array" => schema.get("items").and_then(named).filter(|items| items == "string").map(|_| Self::Texts),
            _ => None,
        }
    }

    fn wanted(self) -> Option<&'static str> {
        match self {
            Self::Text => None,
            Self::Integer => Some("a whole number"),
            Self::Number => Some("a number"),
            Self::Boolean => Some("yes or no"),
            Self::Texts => Some("several, between commas"),
        }
    }

    fn named(self) -> &'static str {
        self.wanted().unwrap_or("a text")
    }

    fn parsed(self, line: &str) -> Option<Value> {
        let line = line.trim();
        match self {
            Self::Text => Some(line.into()),
            Self::Integer => line.parse::<i64>().ok().map(Value::from),
            Self::Number => line
                .parse::<i64>()
                .ok()
                .map(Value::from)
                .or_else(|| line.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number)),
            Self::Boolean => match line.to_lowercase().as_str() {
                "yes" | "y" | "true" => Some(true.into()),
                "no" | "n" | "false" => Some(false.into()),
                _ => None,
            },
            Self::Texts => Some(line.split(',').map(str::trim).filter(|text| !text.is_empty()).collect()),
        }
    }
}

/// The fields of a form in a line; those that must be given have a star.
pub fn fields(schema: &Value) -> String {
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object);
    let named = properties.into_iter().flatten().map(|(name, _)| {
        let must = required.is_some_and(|all| all.iter().any(|one| one == name));
        let must = must && default(schema, name).is_none();
        format!("{name}{}", if must { "*" } else { "" })
    });
    clean(&named.collect::<Vec<_>>().join(", "))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Value {
        json!({"type": "object", "required": ["street", "floor"], "properties": {
            "street": {"type": "string", "description": "Street and number", "minLength": 3},
            "floor": {"type": "integer", "default": 0},
            "way": {"enum": ["foot", "car"], "type": "string"},
            "fee": {"type": "number", "maximum": 10},
            "gift": {"type": "boolean"},
            "names": {"type": "array", "items": {"type": "string"}},
        }})
    }

    /// What is said to each line: the next prompt, or what is wrong.
    fn told(form: &mut Form, lines: &[&str]) -> Vec<String> {
        let mut told = vec![form.prompt().unwrap_or_default()];
        for line in lines {
            told.push(form.take(line).err().or_else(|| form.prompt()).unwrap_or_default());
        }
        told
    }

    #[test]
    fn fields_are_asked_for_one_after_the_other() {
        let mut form = Form::new(&address()).expect("simple");
        let told = told(&mut form, &["1 Mill Lane", "2", " car", "2.5", "Yes", "Ada, Bob,"]);
        assert_eq!(
            told,
            [
                "Street and number:",
                "floor (a whole number) [0]:",
                "way (one of: foot, car) [may be left empty]:",
                "fee (a number) [may be left empty]:",
                "gift (yes or no) [may be left empty]:",
                "names (several, between commas) [may be left empty]:",
                "",
            ]
        );
        let wanted = json!({"street": "1 Mill Lane", "floor": 2, "way": "car", "fee": 2.5, "gift": true, "names": ["Ada", "Bob"]});
        assert_eq!(form.values(), wanted);
    }

    #[test]
    fn an_empty_line_takes_the_default_or_leaves_the_field_out() {
        let mut form = Form::new(&address()).expect("simple");
        told(&mut form, &["1 Mill Lane", "", "", " ", "", ""]);
        assert_eq!((form.prompt(), form.values()), (None, json!({"street": "1 Mill Lane", "floor": 0})));
    }

    #[test]
    fn what_does_not_fit_is_asked_for_again() {
        let mut form = Form::new(&address()).expect("simple");
        let told = told(&mut form, &["", "ab", "abc", "1.5", "1", "plane", "foot", "eleven", "11", "10", "maybe"]);
        let wrong = [1, 2, 4, 6, 8, 9, 11].map(|at| told[at].as_str());
        assert_eq!(
            wrong,
            [
                "something must be given here",
                "\"ab\" is shorter than 3 characters",
                "\"1.5\" is not a whole number",
                "\"plane\" is not one of \"foot\" or \"car\"",
                "\"eleven\" is not a number",
                "11 is greater than the maximum of 10",
                "\"maybe\" is not yes or no",
            ]
        );
    }

    #[test]
    fn what_takes_more_than_a_line_is_given_whole() {
        for property in
            [json!({"type": "object"}), json!({}), json!({"type": ["string", "null"]}), json!({"type": "array"})]
        {
            assert!(Form::new(&json!({"type": "object", "properties": {"a": property}})).is_none(), "{property}");
        }
        assert!(Form::new(&json!({"type": "object"})).is_none());
        assert_eq!(fields(&address()), "street*, floor, way, fee, gift, names");
    }
}

//! Something new from data: by a jq program, or by a template.

use crate::{
    data_toolkit::query,
    run::{Class, Done, Failure, Run},
};
use minijinja::{
    Environment, ErrorKind, UndefinedBehavior, Value as Shown, context, syntax::SyntaxConfig, value::Serde,
};
use serde_json::Value;

/// Steps of a template: some seconds.
const FUEL: u64 = 20_000_000;
/// How it is called in errors.
const NAME: &str = "template";

pub fn run(run: &Run) -> Result<Done, Failure> {
    let data = run.inputs.get("data").cloned().unwrap_or_default();
    let data = match &data {
        Value::String(text) => serde_json::from_str(text).unwrap_or(data),
        _ => data,
    };
    let text = |name: &str| run.inputs.get(name).and_then(Value::as_str);
    let result = match (text("expression"), text("template")) {
        (Some(program), None) => query::run(program, data)?,
        (None, Some(template)) => rendered(template, &data)?.into(),
        _ => return Err(wrong("give either `expression` or `template`".into())),
    };
    Ok(Done { outputs: [("result".to_string(), result)].into(), ..Done::default() })
}

fn wrong(message: String) -> Failure {
    Failure { class: Class::InvalidInput, message }
}

fn rendered(template: &str, data: &Value) -> Result<String, Failure> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| wrong(error.to_string()))?);
    environment.set_fuel(Some(FUEL));
    let (fields, whole) = (Shown::from(Serde(data)), context! { data => Shown::from(Serde(data)) });
    let context = if data.is_object() {
        context! { ..whole, ..fields }
    } else {
        whole
    };
    environment.render_named_str(NAME, template, context).map_err(|error| {
        let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        match error.kind() {
            ErrorKind::OutOfFuel => wrong(format!("the template: {line}it runs for too long")),
            kind => {
                let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
                wrong(format!("the template: {line}{kind}{detail}"))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn transformed(inputs: Value) -> Result<Value, String> {
        let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
        run(&Run { inputs, ..Run::default() }).map(|done| done.outputs["result"].clone()).map_err(|e| e.message)
    }

    #[test]
    fn a_template_sees_the_fields_and_the_whole() {
        for (data, template, wanted) in [
            (json!({"a": 1, "b": {"c": "x"}}), "{{ a }} {{ b.c }} {{ data.a }}", "1 x 1"),
            (json!([1, 2]), "{{ data | sum }} {{ data | length }}", "3 2"),
            (json!("[3, 4]"), "{{ data[1] }}", "4"),
            (json!("plain"), "{{ data }}\n", "plain\n"),
            (json!({"html": "<b>"}), "{{ html }}", "<b>"),
            (json!({"x": [1, {"y": null}]}), "{{ x | tojson }}", "[1, {\"y\": null}]"),
            (json!({"data": 5}), "{{ data.data }}", "5"),
            (json!(null), "{% if data is none %}nothing{% endif %}", "nothing"),
        ] {
            assert_eq!(transformed(json!({"data": data, "template": template})), Ok(wanted.into()), "{template}");
        }
    }

    #[test]
    fn wrong_templates_say_where_and_what() {
        for (template, wanted) in [
            ("{{ nobody }}", "the template: line 1: undefined value"),
            ("a\n{{ a.b.c }}", "the template: line 2: undefined value"),
            ("{% for x in %}", "the template: line 1: syntax error"),
            ("{{ a | nofilter }}", "the template: line 1: unknown filter: filter nofilter is unknown"),
            ("{% include 'x' %}", "the template: line 1: template not found"),
            (
                "{% for x in range(10000) %}{% for y in range(10000) %}{{ x * y }}{% endfor %}{% endfor %}",
                "runs for too long",
            ),
        ] {
            let why = transformed(json!({"data": {"a": {}}, "template": template})).expect_err(template);
            assert!(why.contains(wanted), "{template}: {why}");
        }
    }

    #[test]
    fn an_expression_is_jq() {
        assert_eq!(transformed(json!({"data": [1, 2, 3], "expression": "map(. * 2) | add"})), Ok(json!(12)));
        assert_eq!(transformed(json!({"data": "{\"a\": [1]}", "expression": ".a[]"})), Ok(json!(1)));
        assert!(transformed(json!({"data": 1, "expression": "."})).is_ok());
        assert!(transformed(json!({"data": 1})).expect_err("neither").contains("either `expression` or `template`"));
        let both = json!({"data": 1, "expression": ".", "template": "x"});
        assert!(transformed(both).expect_err("both").contains("either"));
    }
}

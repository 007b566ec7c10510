//! Clauses about tables and lines, drafted as steps.

use super::compose::{Composer, Made};
use super::deed::{Form, Operand, Relation, Test};
use super::draft::{Inputs, ending, form};
use super::scope::{Shape, Thing, Wanted};
use super::{condition, jq};
use schemas::plan::Input;

impl Composer<'_> {
    /// Rows of a table, or lines of a text: filtered or sorted.
    pub(super) fn shaped(
        &mut self,
        what: &[Operand],
        by_column: bool,
        name: &str,
        program: impl Fn(bool) -> String,
    ) -> Result<Vec<Made>, String> {
        let wanted = if by_column { Wanted::Data } else { Wanted::Material };
        self.each(what, wanted, |composer, thing, operand| {
            let lines = operand.lines || (thing.shape == Shape::Text && !by_column);
            if !lines && !by_column {
                return Err(format!("say by which column of {}", thing.label));
            }
            composer.list(name, thing, lines, program(lines))
        })
    }

    pub(super) fn list(
        &mut self,
        name: &str,
        thing: Thing,
        lines: bool,
        program: String,
    ) -> Result<(Thing, Option<&'static str>), String> {
        let (shape, kind, ending) = if lines { (Shape::Text, "string", "txt") } else { (Shape::Data, "array", "json") };
        let thing = if lines { Thing { shape: Shape::Text, ..thing } } else { thing };
        let mut description = format!("{} {}", name.replace('-', " "), thing.label);
        description[..1].make_ascii_uppercase();
        Ok((
            self.draft.query(&format!("{name}-{}", thing.label), description, &thing, program, shape, kind)?,
            Some(ending),
        ))
    }

    pub(super) fn convert(
        &mut self,
        what: &[Operand],
        from: Option<Form>,
        to: Form,
        sink: Option<&str>,
    ) -> Result<Vec<Made>, String> {
        let wanted_ending = if to == Form::Csv { "csv" } else { "json" };
        if let Some(name) = sink.filter(|name| ending(name) != wanted_ending) {
            return Err(format!("{name} doesn't end as {} does", wanted_ending.to_uppercase()));
        }
        let wanted = if from.is_some() { Wanted::Any } else { Wanted::Data };
        let mut made = self.each(what, wanted, |composer, thing, _| {
            let shape = match from {
                Some(Form::Csv) => Shape::Csv,
                Some(Form::Json) => Shape::Json,
                None => thing.shape,
            };
            let thing = Thing { shape, ..thing };
            let converted = if to == Form::Csv { composer.draft.csv(&thing)? } else { composer.draft.table(&thing)? };
            Ok((converted, Some(wanted_ending)))
        })?;
        for one in &mut made {
            // `a.csv` becomes `a.json`.
            let name = one.thing.label.rsplit('/').next().unwrap_or_default();
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            let plain = format!("{stem}.{wanted_ending}");
            if schemas::value::is_safe_name(&plain) {
                one.default = Some(plain);
            }
        }
        Ok(made)
    }

    pub(super) fn describe(&mut self, thing: &Thing) -> Result<Thing, String> {
        let mut inputs: Inputs = vec![("operation", Input::value("describe")), ("data", thing.input.clone())];
        inputs.extend(form(thing.shape).map(|form| ("from", Input::value(form))));
        let id = self.draft.step(
            "DATA_TOOLKIT",
            &format!("analyse-{}", thing.label),
            format!("Describe {}", thing.label),
            inputs,
            &[("data", "object")],
        )?;
        Ok(Thing { input: Input::from(id, "data"), shape: Shape::Report, label: thing.label.clone() })
    }

    pub(super) fn compare(&mut self, what: &[Operand]) -> Result<Vec<Made>, String> {
        let mut things = Vec::new();
        for operand in what {
            things.extend(self.things(operand, Wanted::Any)?);
        }
        let texts = what.iter().any(|operand| operand.lines) || things.iter().any(|thing| thing.shape == Shape::Text);
        if texts {
            if let Some(other) = things.iter().find(|thing| !thing.shape.is_text()) {
                return Err(format!("a text can't be compared with a table or number ({})", other.label));
            }
            things.iter_mut().for_each(|thing| thing.shape = Shape::Text);
        }
        let labels: Vec<&str> = things.iter().map(|thing| thing.label.as_str()).collect();
        let (name, description) =
            (format!("compare-{}", labels.join("-")), format!("Compare {}", labels.join(" and ")));
        let thing = self.draft.query_all(&name, description, &things, jq::compare(texts), Shape::Report)?;
        Ok(vec![self.named(thing, Some("json"))])
    }
}

/// A comparison by size that would compare texts where an amount was meant is refused.
pub fn checked(test: &Test) -> Result<(), String> {
    let values: Vec<&str> = match &test.relation {
        Relation::Beyond { value, .. } => vec![value],
        Relation::Between(low, high) => vec![low, high],
        _ => Vec::new(),
    };
    let mixed = values.len() == 2 && condition::is_number(values[0]) != condition::is_number(values[1]);
    match values.iter().find(|value| !condition::is_comparable(value)) {
        Some(value) => Err(format!(
            "“{value}” is neither a number (like 10 or 2.5), a date (like 2024-05-01) nor a word to compare with"
        )),
        None if mixed => Err("a number and a text can't be the two ends".into()),
        None => Ok(()),
    }
}

//! Clauses that count and measure, drafted as steps.

use super::compose::{Composer, Made};
use super::deed::{Measure, MeasureKind, Operand, Unit};
use super::scope::{Shape, Thing, Wanted};
use super::{data, jq};
use schemas::plan::Input;

impl Composer<'_> {
    pub(super) fn measure(&mut self, what: &[Operand], measure: &Measure) -> Result<Vec<Made>, String> {
        self.each(what, Wanted::Data, |composer, thing, _| {
            let program = jq::measure(measure.kind, &measure.column);
            let (word, shape) = match measure.kind {
                MeasureKind::Sum => ("sum", Shape::Scalar),
                MeasureKind::Average => ("average", Shape::Scalar),
                MeasureKind::Lowest => ("lowest", Shape::Scalar),
                MeasureKind::Highest => ("highest", Shape::Scalar),
                MeasureKind::Distinct => ("distinct", Shape::Data),
            };
            let name = format!("{word}-{}-{}", measure.column, thing.label);
            let description = format!("Get the {word} {} of {}", measure.column, thing.label);
            let kind = if shape == Shape::Data { "array" } else { "number" };
            let ending = if shape == Shape::Data { "json" } else { "txt" };
            Ok((composer.draft.query(&name, description, &thing, program, shape, kind)?, Some(ending)))
        })
    }

    pub(super) fn count(&mut self, what: &[Operand], units: &[Unit]) -> Result<Vec<Made>, String> {
        let statistics: Vec<&str> =
            units.iter().filter_map(|unit| if let Unit::Statistic(name) = unit { Some(*name) } else { None }).collect();
        if !statistics.is_empty() {
            if statistics.len() < units.len() {
                return Err(
                    "words, lines and the like are counted in texts, rows and columns in tables; say a clause for each"
                        .into(),
                );
            }
            return self.each(what, Wanted::Text, |composer, thing, _| {
                let id = composer.draft.step(
                    "TEXT_ANALYSIS",
                    &format!("measure-{}", thing.label),
                    format!("Count what is in {}", thing.label),
                    vec![("text", thing.input.clone())],
                    &[("statistics", "object")],
                )?;
                let whole =
                    Thing { input: Input::from(id, "statistics"), shape: Shape::Report, label: thing.label.clone() };
                let (jq, shape, kind, ending) = match statistics.as_slice() {
                    [one] => (format!(".{one}"), Shape::Scalar, "number", "txt"),
                    many => (jq::statistics(many), Shape::Report, "object", "json"),
                };
                let name = format!("count-{}-{}", statistics.join("-"), thing.label).replace('_', "-");
                let description =
                    format!("Count the {} in {}", statistics.join(" and ").replace('_', " "), thing.label);
                Ok((composer.draft.query(&name, description, &whole, jq, shape, kind)?, Some(ending)))
            });
        }
        let [unit] = units else { return Err("several of these are counted in a clause each".into()) };
        let wanted = if matches!(unit, Unit::Occurrences(_)) { Wanted::Text } else { Wanted::Data };
        if let Unit::Occurrences(text) = unit
            && text.is_empty()
        {
            return Err("an empty text occurs everywhere".into());
        }
        if let Unit::Rows { condition: Some(condition), .. } = unit {
            if condition.tests.iter().any(|test| test.column.is_none()) {
                return Err("say which column".into());
            }
            condition.tests.iter().try_for_each(data::checked)?;
        }
        self.each(what, wanted, |composer, thing, _| {
            let (word, shape, kind, ending) = match unit {
                Unit::Columns => ("columns", Shape::Scalar, "number", "txt"),
                Unit::Distinct(_) => ("distinct", Shape::Scalar, "number", "txt"),
                Unit::Occurrences(_) => ("occurrences", Shape::Scalar, "number", "txt"),
                Unit::Rows { by: Some(_), .. } => ("rows", Shape::Report, "object", "json"),
                _ => ("rows", Shape::Scalar, "number", "txt"),
            };
            let text = matches!(unit, Unit::Occurrences(_));
            let thing = if text { Thing { shape: Shape::Text, ..thing } } else { thing };
            let (name, description) =
                (format!("count-{word}-{}", thing.label), format!("Count the {word} in {}", thing.label));
            Ok((composer.draft.query(&name, description, &thing, jq::count(unit), shape, kind)?, Some(ending)))
        })
    }
}

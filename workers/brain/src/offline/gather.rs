//! Several values in one step.
//!
//! A step's input is one value or one output. Where a query needs two, its data is JSON text with
//! a place for each (`[{item1},{item2}]`), and the values are further inputs that fill the places.

use super::draft::{Draft, Inputs, form};
use super::scope::{Shape, Thing};
use schemas::plan::Input;

impl Draft<'_> {
    /// A query over a list of these values: texts as strings, tables as lists of objects.
    ///
    /// # Errors
    /// DATA_TOOLKIT isn't installed.
    pub fn query_all(
        &mut self,
        name: &str,
        description: String,
        of: &[Thing],
        jq: String,
        shape: Shape,
    ) -> Result<Thing, String> {
        let ready = of.iter().map(|thing| self.as_json(thing)).collect::<Result<Vec<_>, _>>()?;
        let places: Vec<String> = (1..=ready.len()).map(|nth| format!("{{item{nth}}}")).collect();
        self.query_filled(name, description, &format!("[{}]", places.join(",")), ready, jq, shape)
    }

    /// All that TEXT_ANALYSIS says, as one object.
    ///
    /// # Errors
    /// A verb isn't installed.
    pub fn analysis(&mut self, of: &Thing) -> Result<Thing, String> {
        let parts = [
            ("statistics", "object"),
            ("keywords", "array"),
            ("sentiment", "object"),
            ("language", "string"),
            ("readability", "object"),
            ("summary", "string"),
        ];
        let id = self.step(
            "TEXT_ANALYSIS",
            &format!("analyse-{}", of.label),
            format!("Analyse {}", of.label),
            vec![("text", of.input.clone())],
            &parts,
        )?;
        let thing = |(name, _): (&str, &str)| Thing {
            input: Input::from(&id, name),
            shape: if name == "summary" { Shape::Text } else { Shape::Report },
            label: format!("{name} of {}", of.label),
        };
        let ready = parts.map(|part| self.as_json(&thing(part))).into_iter().collect::<Result<Vec<_>, _>>()?;
        let places: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(nth, (name, _))| {
                // A language is a code of letters: it needs quotation marks and nothing else.
                let mark = if *name == "language" { "\"" } else { "" };
                format!("\"{name}\": {mark}{{item{}}}{mark}", nth + 1)
            })
            .collect();
        let whole = format!("{{ {} }}", places.join(", "));
        let report = self.query_filled(
            &format!("report-{}", of.label),
            format!("Gather the analysis of {}", of.label),
            &whole,
            ready,
            ".".into(),
            Shape::Report,
        )?;
        Ok(Thing { label: of.label.clone(), ..report })
    }

    fn query_filled(
        &mut self,
        name: &str,
        description: String,
        data: &str,
        items: Vec<Thing>,
        jq: String,
        shape: Shape,
    ) -> Result<Thing, String> {
        let names: Vec<String> = (1..=items.len()).map(|nth| format!("item{nth}")).collect();
        let mut inputs: Inputs = vec![
            ("operation", Input::value("query")),
            ("data", Input::value(data)),
            ("from", Input::value("json")),
            ("query", Input::value(jq)),
        ];
        inputs.extend(names.iter().map(String::as_str).zip(items.iter().map(|item| item.input.clone())));
        let id = self.step("DATA_TOOLKIT", name, description, inputs, &[("data", "any")])?;
        // Not made of the items' labels: a comparison of comparisons would have a label without end.
        Ok(Thing { input: Input::from(id, "data"), shape, label: "result".into() })
    }

    /// What can stand in JSON text: a value, or a text with its quotation marks.
    fn as_json(&mut self, thing: &Thing) -> Result<Thing, String> {
        let (name, description) = (format!("json-{}", thing.label), format!("{} as JSON", thing.label));
        match thing.shape {
            Shape::Text => {
                let found = self.query(&name, description, thing, "tojson".into(), Shape::Text, "string")?;
                Ok(Thing { label: thing.label.clone(), ..found })
            }
            Shape::Csv | Shape::Json => self.table(thing),
            Shape::Data | Shape::Scalar | Shape::Report => Ok(thing.clone()),
        }
    }

    /// CSV or JSON text as the value that it says.
    ///
    /// # Errors
    /// DATA_TOOLKIT isn't installed.
    pub fn table(&mut self, thing: &Thing) -> Result<Thing, String> {
        self.convert(thing, "json", Shape::Data, "any")
    }

    /// A value, or JSON text, as CSV text.
    ///
    /// # Errors
    /// DATA_TOOLKIT isn't installed.
    pub fn csv(&mut self, thing: &Thing) -> Result<Thing, String> {
        self.convert(thing, "csv", Shape::Csv, "string")
    }

    fn convert(&mut self, thing: &Thing, to: &str, shape: Shape, kind: &str) -> Result<Thing, String> {
        let mut inputs: Inputs =
            vec![("operation", Input::value("convert")), ("data", thing.input.clone()), ("to", Input::value(to))];
        inputs.extend(form(thing.shape).map(|form| ("from", Input::value(form))));
        let description = format!("Convert {} to {}", thing.label, to.to_uppercase());
        let id =
            self.step("DATA_TOOLKIT", &format!("convert-{}", thing.label), description, inputs, &[("data", kind)])?;
        Ok(Thing { input: Input::from(id, "data"), shape, label: thing.label.clone() })
    }
}

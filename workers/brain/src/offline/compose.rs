//! Deeds drafted as steps.

use super::Ask;
use super::deed::{Clause, Deed, Facet, Fault, Form, MeasureKind, Operand, Reply, Source, Unit};
use super::draft::{Draft, Inputs, ending};
use super::scope::{Scope, Shape, Thing, Wanted};
use super::{condition, deliverable, jq};
use schemas::plan::{Input, Plan};

/// A value that a clause made, and the name under which it is delivered if nothing else is done
/// with it.
pub struct Made {
    pub thing: Thing,
    pub default: Option<String>,
}

pub struct Composer<'a> {
    pub draft: Draft<'a>,
    scope: Scope,
    context: Option<&'a str>,
    /// The clause that is being drafted.
    at: usize,
}

/// A plan that does all clauses.
///
/// # Errors
/// The first clause that can't be done with these files and verbs.
pub fn compose(clauses: &[Clause], ask: &Ask) -> Result<Plan, Fault> {
    let mut composer = Composer { draft: Draft::new(ask.catalogue, &ask.files), scope: Scope::default(), context: ask.context, at: 0 };
    let mut loose: Vec<(usize, Made)> = Vec::new();
    for (at, clause) in clauses.iter().enumerate() {
        composer.at = at;
        let made = composer.clause(clause).map_err(|reason| Fault { clause: clause.text.clone(), reason })?;
        loose.extend(made.into_iter().map(|made| (at, made)));
    }
    // What nobody uses and nobody named is still what the person asked for.
    for (at, made) in loose {
        if let Some(name) = made.default.filter(|_| composer.draft.is_loose(&made.thing)) {
            composer.deliver_as(&made.thing, &name).map_err(|reason| Fault { clause: clauses[at].text.clone(), reason })?;
        }
    }
    Ok(composer.draft.plan())
}

impl Composer<'_> {
    fn clause(&mut self, clause: &Clause) -> Result<Vec<Made>, String> {
        let sink = clause.sink.as_deref();
        let mut made = self.deed(&clause.deed, sink)?;
        if let Some(name) = sink {
            if made.len() > 1 {
                let things: Vec<Thing> = made.into_iter().map(|made| made.thing).collect();
                made = vec![self.together(&clause.deed, &things)?];
            }
            let one = made.pop().ok_or("it makes nothing that could be saved")?;
            self.deliver(&one.thing, name)?;
            made = vec![Made { default: None, ..one }];
        }
        let plural = matches!(clause.deed, Deed::Filter { .. } | Deed::Sort { .. } | Deed::Take { .. } | Deed::Columns { .. });
        for Made { thing, .. } in &made {
            match clause.deed {
                Deed::Ask { .. } => self.scope.answered(thing.clone(), self.at),
                Deed::Save(_) => self.scope.mention(thing, self.at),
                _ => self.scope.made(thing.clone(), self.at, plural),
            }
        }
        Ok(made)
    }

    /// Several results under one name: counts by what was counted, saved things as a list.
    fn together(&mut self, deed: &Deed, things: &[Thing]) -> Result<Made, String> {
        let jq = match deed {
            Deed::Save(_) => ".".into(),
            Deed::Count { .. } | Deed::Measure { .. } => {
                let mut labels: Vec<&str> = things.iter().map(|thing| thing.label.as_str()).collect();
                let fields: Vec<String> = labels.iter().enumerate().map(|(nth, label)| format!("{}: .[{nth}]", jq::literal(label))).collect();
                labels.sort_unstable();
                labels.dedup();
                if labels.len() < things.len() {
                    return Err("two of these have the same name, so their results can't be told apart".into());
                }
                format!("{{{}}}", fields.join(", "))
            }
            _ => return Err("it makes several results and there is one name for them; say a clause for each".into()),
        };
        let thing = self.draft.query_all("gather", "Put the results together".into(), things, jq, Shape::Report)?;
        Ok(Made { thing, default: None })
    }

    fn deed(&mut self, deed: &Deed, sink: Option<&str>) -> Result<Vec<Made>, String> {
        match deed {
            Deed::Read(what) => self.each(what, Wanted::Any, |_, thing, _| Ok((thing, None))),
            Deed::Convert { what, from, to } => self.convert(what, *from, *to, sink),
            Deed::Count { what, units } => self.count(what, units),
            Deed::Measure { what, measure } => self.each(what, Wanted::Data, |composer, thing, _| {
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
            }),
            Deed::Analyse { what, facet } => self.analyse(what, *facet),
            Deed::Query { what, jq } => self.each(std::slice::from_ref(what), Wanted::Any, |composer, thing, _| {
                let (name, description) = (format!("query-{}", thing.label), format!("Query {} with {jq}", thing.label));
                Ok((composer.draft.query(&name, description, &thing, jq.clone(), Shape::Data, "any")?, Some("json")))
            }),
            Deed::Filter { what, condition, keep } => {
                let named = condition.tests.iter().all(|test| test.column.is_some());
                condition.tests.iter().try_for_each(checked)?;
                self.shaped(what, named, "filter", |lines| jq::filter(condition, *keep, lines))
            }
            Deed::Sort { what, order, take } => {
                let named = order.keys.iter().all(|key| key.column.is_some());
                self.shaped(what, named, "sort", |lines| jq::sort(order, *take, lines))
            }
            Deed::Take { what, take } => self.each(what, Wanted::Material, |composer, thing, operand| {
                let lines = operand.lines || thing.shape == Shape::Text;
                let program = jq::take(*take, lines);
                composer.list("take-from", thing, lines, program)
            }),
            Deed::Columns { what, columns } => self.each(what, Wanted::Data, |composer, thing, _| {
                composer.list("columns", thing, false, jq::columns(columns))
            }),
            Deed::Compare(what) => self.compare(what),
            Deed::Fetch(url) => {
                let text = self.fetch(url)?;
                Ok(vec![self.named(text, Some("txt"))])
            }
            Deed::Ask { question, reply } => self.ask(question, reply),
            Deed::Write(text) => self.write(text, sink),
            Deed::Save(what) => self.each(what, Wanted::Any, |_, thing, _| Ok((thing, None))),
        }
    }

    /// Does something with each operand; the ending is that of the result's default name.
    fn each(
        &mut self,
        what: &[Operand],
        wanted: Wanted,
        mut made: impl FnMut(&mut Self, Thing, &Operand) -> Result<(Thing, Option<&'static str>), String>,
    ) -> Result<Vec<Made>, String> {
        let mut all = Vec::new();
        for operand in what {
            for thing in self.things(operand, wanted)? {
                let label = thing.label.clone();
                let (thing, ending) = made(self, thing, operand)?;
                all.push(self.named(Thing { label, ..thing }, ending));
            }
        }
        Ok(all)
    }

    fn named(&self, thing: Thing, ending: Option<&str>) -> Made {
        let default = match (&thing.input, ending) {
            (Input::From(source), Some(ending)) => Some(format!("{}.{ending}", source.from)),
            _ => None,
        };
        Made { thing, default }
    }

    /// The values that an operand means.
    fn things(&mut self, operand: &Operand, wanted: Wanted) -> Result<Vec<Thing>, String> {
        let wanted = if operand.lines { Wanted::Text } else { wanted };
        let found = match &operand.source {
            Source::It => vec![self.scope.it(wanted)?],
            Source::Them => self.scope.them()?,
            Source::Both => self.scope.both()?.to_vec(),
            Source::Result => vec![self.scope.result()?],
            Source::Text => vec![self.scope.text().or_else(|reason| self.draft.only_file().map_err(|_| reason))?],
            Source::Data => vec![self.scope.data().or_else(|reason| self.draft.only_file().map_err(|_| reason))?],
            Source::Answer => vec![self.scope.answer()?],
            Source::File(name) => vec![self.draft.file(name)?],
            Source::TheFile => vec![self.draft.only_file().or_else(|reason| self.scope.it(wanted).map_err(|_| reason))?],
            Source::Url(url) => vec![self.fetch(url)?],
            Source::Quoted(text) if self.draft.has_file(text) => vec![self.draft.file(text)?],
            Source::Quoted(text) => vec![self.quoted(text, "text")?],
            Source::Context => vec![self.quoted(self.context.ok_or("no context was given")?, "context")?],
        };
        for thing in &found {
            if !wanted.fits(thing.shape) {
                return Err(format!("{} is needed, and {} is none", wanted.noun(), thing.label));
            }
            self.scope.mention(thing, self.at);
        }
        Ok(found)
    }

    /// A text of the goal. One with braces comes out of a query: there nothing is filled in.
    pub fn quoted(&mut self, text: &str, label: &str) -> Result<Thing, String> {
        let thing = Thing { input: Input::value(text), shape: Shape::Text, label: label.into() };
        if !text.contains('{') {
            return Ok(thing);
        }
        let nothing = Thing { input: Input::value(Vec::<schemas::Value>::new()), shape: Shape::Data, label: label.into() };
        self.draft.query(label, format!("The {label} as it stands in the goal"), &nothing, jq::literal(text), Shape::Text, "string")
    }

    fn fetch(&mut self, url: &str) -> Result<Thing, String> {
        let inputs: Inputs = vec![("url", Input::value(url))];
        let id = self.draft.step("SCRAPE", &format!("fetch-{}", url.split("//").last().unwrap_or(url)), format!("Fetch {url}"), inputs, &[("text", "string")])?;
        Ok(Thing { input: Input::from(id, "text"), shape: Shape::Text, label: url.into() })
    }

    /// Rows of a table, or lines of a text: filtered or sorted.
    fn shaped(&mut self, what: &[Operand], by_column: bool, name: &str, program: impl Fn(bool) -> String) -> Result<Vec<Made>, String> {
        let wanted = if by_column { Wanted::Data } else { Wanted::Material };
        self.each(what, wanted, |composer, thing, operand| {
            let lines = operand.lines || (thing.shape == Shape::Text && !by_column);
            if !lines && !by_column {
                return Err(format!("say by which column of {}", thing.label));
            }
            composer.list(name, thing, lines, program(lines))
        })
    }

    fn list(&mut self, name: &str, thing: Thing, lines: bool, program: String) -> Result<(Thing, Option<&'static str>), String> {
        let (shape, kind, ending) = if lines { (Shape::Text, "string", "txt") } else { (Shape::Data, "array", "json") };
        let thing = if lines { Thing { shape: Shape::Text, ..thing } } else { thing };
        let mut description = format!("{} {}", name.replace('-', " "), thing.label);
        description[..1].make_ascii_uppercase();
        Ok((self.draft.query(&format!("{name}-{}", thing.label), description, &thing, program, shape, kind)?, Some(ending)))
    }

    fn convert(&mut self, what: &[Operand], from: Option<Form>, to: Form, sink: Option<&str>) -> Result<Vec<Made>, String> {
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

    fn count(&mut self, what: &[Operand], units: &[Unit]) -> Result<Vec<Made>, String> {
        let statistics: Vec<&str> = units.iter().filter_map(|unit| if let Unit::Statistic(name) = unit { Some(*name) } else { None }).collect();
        if !statistics.is_empty() {
            if statistics.len() < units.len() {
                return Err("words, lines and the like are counted in texts, rows and columns in tables; say a clause for each".into());
            }
            return self.each(what, Wanted::Text, |composer, thing, _| {
                let id = composer.draft.step(
                    "TEXT_ANALYSIS",
                    &format!("measure-{}", thing.label),
                    format!("Count what is in {}", thing.label),
                    vec![("text", thing.input.clone())],
                    &[("statistics", "object")],
                )?;
                let whole = Thing { input: Input::from(id, "statistics"), shape: Shape::Report, label: thing.label.clone() };
                let (jq, shape, kind, ending) = match statistics.as_slice() {
                    [one] => (format!(".{one}"), Shape::Scalar, "number", "txt"),
                    many => (jq::statistics(many), Shape::Report, "object", "json"),
                };
                let name = format!("count-{}-{}", statistics.join("-"), thing.label).replace('_', "-");
                let description = format!("Count the {} in {}", statistics.join(" and ").replace('_', " "), thing.label);
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
            condition.tests.iter().try_for_each(checked)?;
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
            let (name, description) = (format!("count-{word}-{}", thing.label), format!("Count the {word} in {}", thing.label));
            Ok((composer.draft.query(&name, description, &thing, jq::count(unit), shape, kind)?, Some(ending)))
        })
    }

    fn analyse(&mut self, what: &[Operand], facet: Option<Facet>) -> Result<Vec<Made>, String> {
        let wanted = if facet.is_some() { Wanted::Text } else { Wanted::Material };
        self.each(what, wanted, |composer, thing, operand| {
            let Some(facet) = facet else {
                let text = thing.shape == Shape::Text || operand.source == Source::Text || operand.lines;
                let report = if text { composer.draft.analysis(&thing)? } else { composer.describe(&thing)? };
                return Ok((report, Some("json")));
            };
            let (output, kind, shape, ending) = match facet {
                Facet::Statistics => ("statistics", "object", Shape::Report, "json"),
                Facet::Keywords => ("keywords", "array", Shape::Data, "json"),
                Facet::Sentiment => ("sentiment", "object", Shape::Report, "json"),
                Facet::Language => ("language", "string", Shape::Text, "txt"),
                Facet::Readability => ("readability", "object", Shape::Report, "json"),
                Facet::Summary => ("summary", "string", Shape::Text, "txt"),
            };
            let (name, description) = (format!("{output}-{}", thing.label), format!("Get the {output} of {}", thing.label));
            let id = composer.draft.step("TEXT_ANALYSIS", &name, description, vec![("text", thing.input.clone())], &[(output, kind)])?;
            Ok((Thing { input: Input::from(id, output), shape, label: thing.label }, Some(ending)))
        })
    }

    fn describe(&mut self, thing: &Thing) -> Result<Thing, String> {
        let mut inputs: Inputs = vec![("operation", Input::value("describe")), ("data", thing.input.clone())];
        inputs.extend(super::draft::form(thing.shape).map(|form| ("from", Input::value(form))));
        let id = self.draft.step("DATA_TOOLKIT", &format!("analyse-{}", thing.label), format!("Describe {}", thing.label), inputs, &[("data", "object")])?;
        Ok(Thing { input: Input::from(id, "data"), shape: Shape::Report, label: thing.label.clone() })
    }

    fn compare(&mut self, what: &[Operand]) -> Result<Vec<Made>, String> {
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
        let (name, description) = (format!("compare-{}", labels.join("-")), format!("Compare {}", labels.join(" and ")));
        let thing = self.draft.query_all(&name, description, &things, jq::compare(texts), Shape::Report)?;
        Ok(vec![self.named(thing, Some("json"))])
    }

    fn ask(&mut self, question: &str, reply: &Reply) -> Result<Vec<Made>, String> {
        if question.trim().is_empty() {
            return Err("the question is empty".into());
        }
        let (kind, choices, shape, output) = match reply {
            Reply::Text => ("text", None, Shape::Text, "string"),
            Reply::Number => ("number", None, Shape::Scalar, "number"),
            Reply::Boolean => ("boolean", None, Shape::Scalar, "boolean"),
            Reply::Choice(choices) => ("choice", Some(choices), Shape::Text, "string"),
            Reply::Choices(choices) => ("choices", Some(choices), Shape::Scalar, "array"),
        };
        let mut inputs: Inputs = vec![("question", self.quoted(question, "question")?.input), ("type", Input::value(kind))];
        inputs.extend(choices.map(|choices| ("choices", Input::value(choices.clone()))));
        let id = self.draft.step("ASK_USER_QUESTION", &format!("ask-{question}"), format!("Ask: {question}"), inputs, &[("answer", output)])?;
        Ok(vec![Made { thing: Thing { input: Input::from(id, "answer"), shape, label: "answer".into() }, default: None }])
    }

    fn write(&mut self, text: &str, sink: Option<&str>) -> Result<Vec<Made>, String> {
        if let Some(path) = self.draft.named_in(text) {
            return Err(format!("without a model nothing can be written about {path}; it can be read, analysed or summarised"));
        }
        let refers = ["it", "them", "both", "the result", "the text", "the answer", "the data", "the table", "the file", "the context"];
        if refers.iter().any(|words| text.to_lowercase().ends_with(&format!(" {words}"))) {
            return Err("without a model nothing can be written about something else; it can be analysed or summarised".into());
        }
        let format = deliverable::format(sink.map(ending).as_deref());
        let inputs: Inputs = vec![("prompt", self.quoted(text, "prompt")?.input), ("format", Input::value(format))];
        let title = super::template::title(text);
        let id = self.draft.step("GENERATE", &title, text.into(), inputs, &[("text", "string")])?;
        Ok(vec![self.named(Thing { input: Input::from(id, "text"), shape: Shape::Text, label: title }, Some("md"))])
    }
}

/// A comparison by size that would compare texts where an amount was meant is refused.
fn checked(test: &super::deed::Test) -> Result<(), String> {
    use super::deed::Relation;
    let values: Vec<&str> = match &test.relation {
        Relation::Beyond { value, .. } => vec![value],
        Relation::Between(low, high) => vec![low, high],
        _ => Vec::new(),
    };
    let mixed = values.len() == 2 && condition::is_number(values[0]) != condition::is_number(values[1]);
    match values.iter().find(|value| !condition::is_comparable(value)) {
        Some(value) => Err(format!("“{value}” is neither a number (like 10 or 2.5), a date (like 2024-05-01) nor a word to compare with")),
        None if mixed => Err("a number and a text can't be the two ends".into()),
        None => Ok(()),
    }
}

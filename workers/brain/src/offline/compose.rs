//! Deeds drafted as steps.

use super::Ask;
use super::deed::{Clause, Deed, Fault, Operand, Source};
use super::draft::Draft;
use super::scope::{Scope, Shape, Thing, Wanted};
use super::{data, jq};
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
    let mut composer =
        Composer { draft: Draft::new(ask.catalogue, &ask.files), scope: Scope::default(), context: ask.context, at: 0 };
    let mut loose: Vec<(usize, Made)> = Vec::new();
    for (at, clause) in clauses.iter().enumerate() {
        composer.at = at;
        // `write a letter and save it as letter.txt`: the next clause names what this one makes.
        let next =
            clauses.get(at + 1).filter(|next| matches!(next.deed, Deed::Save(_))).and_then(|next| next.sink.as_deref());
        let made = composer.clause(clause, next).map_err(|reason| Fault { clause: clause.text.clone(), reason })?;
        loose.extend(made.into_iter().map(|made| (at, made)));
    }
    // What nobody uses and nobody named is still what the person asked for.
    for (at, made) in loose {
        if let Some(name) = made.default.filter(|_| composer.draft.is_loose(&made.thing)) {
            composer
                .deliver_as(&made.thing, &name)
                .map_err(|reason| Fault { clause: clauses[at].text.clone(), reason })?;
        }
    }
    Ok(composer.draft.plan())
}

impl Composer<'_> {
    fn clause(&mut self, clause: &Clause, next: Option<&str>) -> Result<Vec<Made>, String> {
        let sink = clause.sink.as_deref();
        let mut made = match &clause.deed {
            Deed::Write(text) => self.write(text, sink.or(next))?,
            deed => self.deed(deed, sink)?,
        };
        if let Some(name) = sink {
            if made.len() > 1 {
                let things: Vec<Thing> = made.into_iter().map(|made| made.thing).collect();
                made = vec![self.together(&clause.deed, &things)?];
            }
            let one = made.pop().ok_or("it makes nothing that could be saved")?;
            self.deliver(&one.thing, name)?;
            made = vec![Made { default: None, ..one }];
        }
        let plural =
            matches!(clause.deed, Deed::Filter { .. } | Deed::Sort { .. } | Deed::Take { .. } | Deed::Columns { .. });
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
                let fields: Vec<String> =
                    labels.iter().enumerate().map(|(nth, label)| format!("{}: .[{nth}]", jq::literal(label))).collect();
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
            Deed::Measure { what, measure } => self.measure(what, measure),
            Deed::Analyse { what, facet } => self.analyse(what, *facet),
            Deed::Query { what, jq } => self.each(std::slice::from_ref(what), Wanted::Any, |composer, thing, _| {
                let (name, description) =
                    (format!("query-{}", thing.label), format!("Query {} with {jq}", thing.label));
                Ok((composer.draft.query(&name, description, &thing, jq.clone(), Shape::Data, "any")?, Some("json")))
            }),
            Deed::Filter { what, condition, keep } => {
                let named = condition.tests.iter().all(|test| test.column.is_some());
                condition.tests.iter().try_for_each(data::checked)?;
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
    pub(super) fn each(
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

    pub(super) fn named(&self, thing: Thing, ending: Option<&str>) -> Made {
        let default = match (&thing.input, ending) {
            (Input::From(source), Some(ending)) => Some(format!("{}.{ending}", source.from)),
            _ => None,
        };
        Made { thing, default }
    }

    /// The values that an operand means.
    pub(super) fn things(&mut self, operand: &Operand, wanted: Wanted) -> Result<Vec<Thing>, String> {
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
            Source::TheFile => {
                vec![self.draft.only_file().or_else(|reason| self.scope.it(wanted).map_err(|_| reason))?]
            }
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
    pub(super) fn quoted(&mut self, text: &str, label: &str) -> Result<Thing, String> {
        let thing = Thing { input: Input::value(text), shape: Shape::Text, label: label.into() };
        if !text.contains('{') {
            return Ok(thing);
        }
        let nothing =
            Thing { input: Input::value(Vec::<schemas::Value>::new()), shape: Shape::Data, label: label.into() };
        self.draft.query(
            label,
            format!("The {label} as it stands in the goal"),
            &nothing,
            jq::literal(text),
            Shape::Text,
            "string",
        )
    }
}

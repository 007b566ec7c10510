//! A plan in the making: steps with readable ids, files read once, deliverables named once.

use super::FileInfo;
use super::scope::{Shape, Thing};
use schemas::catalogue::Catalogue;
use schemas::plan::{Input, Output, Plan, Step};
use schemas::value::is_safe_name;
use std::collections::{BTreeMap, BTreeSet};

pub struct Draft<'a> {
    catalogue: &'a Catalogue,
    files: &'a [FileInfo],
    steps: Vec<Step>,
    /// What was read, by path.
    read: BTreeMap<String, Thing>,
    /// What was delivered, by name: a later clause may name it like a file.
    delivered: BTreeMap<String, Thing>,
}

/// The inputs of a step, by name.
pub type Inputs<'i> = Vec<(&'i str, Input)>;

impl<'a> Draft<'a> {
    pub fn new(catalogue: &'a Catalogue, files: &'a [FileInfo]) -> Self {
        Self { catalogue, files, steps: Vec::new(), read: BTreeMap::new(), delivered: BTreeMap::new() }
    }

    pub fn plan(self) -> Plan {
        Plan { steps: self.steps, answer: None }
    }

    /// Adds a step with one output and gives its id.
    ///
    /// # Errors
    /// The verb isn't installed.
    pub fn step(
        &mut self,
        verb: &str,
        name: &str,
        description: String,
        inputs: Inputs,
        outputs: &[(&str, &str)],
    ) -> Result<String, String> {
        if self.catalogue.verb(verb).is_none() {
            return Err(format!("it needs the verb {verb}, which isn't installed"));
        }
        let id = self.id(name);
        let output = |kind: &str| Output { kind: kind.into(), ..Output::default() };
        self.steps.push(Step {
            id: id.clone(),
            verb: verb.into(),
            description,
            inputs: inputs.into_iter().map(|(name, input)| (name.to_string(), input)).collect(),
            outputs: outputs.iter().map(|(name, kind)| ((*name).to_string(), output(kind))).collect(),
            role: None,
            after: Vec::new(),
            timeout: None,
            retries: None,
        });
        Ok(id)
    }

    /// A query over one value.
    ///
    /// # Errors
    /// DATA_TOOLKIT isn't installed.
    pub fn query(
        &mut self,
        name: &str,
        description: String,
        of: &Thing,
        jq: String,
        shape: Shape,
        kind: &str,
    ) -> Result<Thing, String> {
        let mut inputs =
            vec![("operation", Input::value("query")), ("data", of.input.clone()), ("query", Input::value(jq))];
        inputs.extend(form(of.shape).map(|form| ("from", Input::value(form))));
        let id = self.step("DATA_TOOLKIT", name, description, inputs, &[("data", kind)])?;
        Ok(Thing { input: Input::from(id, "data"), shape, label: of.label.clone() })
    }

    /// The content of a given file, or what was delivered under that name before.
    ///
    /// # Errors
    /// There is no such file, or it holds no text.
    pub fn file(&mut self, named: &str) -> Result<Thing, String> {
        if let Some(thing) = self.delivered.get(named) {
            return Ok(thing.clone());
        }
        let file = self.find(named)?.clone();
        if let Some(thing) = self.read.get(&file.path) {
            return Ok(thing.clone());
        }
        let kind = file.media_type.as_str();
        if ["image/", "audio/", "video/", "font/"].iter().any(|prefix| kind.starts_with(prefix))
            || ["application/pdf", "application/zip", "application/gzip"].contains(&kind)
        {
            return Err(format!("{} holds no text ({kind})", file.path));
        }
        let inputs = vec![("operation", Input::value("read")), ("path", Input::value(file.path.as_str()))];
        let id = self.step(
            "FILE_OPS",
            &format!("read-{}", file.path),
            format!("Read {}", file.path),
            inputs,
            &[("content", "string")],
        )?;
        let shape = match ending(&file.path).as_str() {
            "csv" => Shape::Csv,
            "json" => Shape::Json,
            _ => Shape::Text,
        };
        let thing = Thing { input: Input::from(id, "content"), shape, label: file.path.clone() };
        self.read.insert(file.path, thing.clone());
        Ok(thing)
    }

    /// The file with exactly this path; else the only one with this name in some folder.
    fn find(&self, named: &str) -> Result<&'a FileInfo, String> {
        if let Some(file) = self.files.iter().find(|file| file.path == named) {
            return Ok(file);
        }
        let same = |file: &&FileInfo| file.path.rsplit('/').next() == Some(named);
        let mut found = self.files.iter().filter(same);
        match (found.next(), found.next()) {
            (Some(file), None) => Ok(file),
            (Some(_), Some(_)) => Err(format!("there are several files called {named}; give the whole path")),
            _ if self.files.is_empty() => Err(format!("there is no file {named}: no files were given")),
            _ => {
                let mut paths: Vec<&str> = self.files.iter().take(20).map(|file| file.path.as_str()).collect();
                if self.files.len() > paths.len() {
                    paths.push("…");
                }
                Err(format!("there is no file {named}; given are {}", paths.join(", ")))
            }
        }
    }

    /// `the file`, when there is only one.
    ///
    /// # Errors
    /// There are none or several.
    pub fn only_file(&mut self) -> Result<Thing, String> {
        match self.files {
            [one] => self.file(&one.path),
            [] => Err("no files were given".into()),
            _ => Err("there are several files; name the one that is meant".into()),
        }
    }

    /// Is this the path of a given file?
    pub fn has_file(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// The given file that a free text names.
    pub fn named_in(&self, text: &str) -> Option<&'a str> {
        self.files.iter().map(|file| file.path.as_str()).find(|path| path.contains('.') && text.contains(path))
    }

    /// Marks a value as deliverable as it is.
    ///
    /// # Errors
    /// The name isn't safe or was used before.
    pub fn mark(&mut self, thing: &Thing, name: &str) -> Result<(), String> {
        if !is_safe_name(name) {
            return Err(format!(
                "“{name}” can't be the name of a deliverable: it must be a plain file name, without folders"
            ));
        }
        if self.delivered.contains_key(name) {
            return Err(format!("{name} would be made twice"));
        }
        let marked = match &thing.input {
            Input::From(source) => {
                self.output(&source.from, &source.output).filter(|output| output.deliverable.is_none())
            }
            Input::Value(_) => None,
        };
        match marked {
            Some(output) => output.deliverable = Some(name.into()),
            None => {
                // Delivered before, or a text of the goal: a step of its own hands it on.
                let copy = self.copy(thing, name)?;
                self.mark_new(&copy, name);
            }
        }
        self.delivered.insert(name.into(), Thing { label: name.into(), ..thing.clone() });
        Ok(())
    }

    fn copy(&mut self, thing: &Thing, name: &str) -> Result<Thing, String> {
        let kind = if thing.shape.is_text() { "string" } else { "any" };
        // As text even where it is a table: nothing is parsed, every byte stays.
        let plain = if thing.shape.is_text() { Thing { shape: Shape::Text, ..thing.clone() } } else { thing.clone() };
        self.query(&format!("save-{name}"), format!("Hand over {name}"), &plain, ".".into(), thing.shape, kind)
    }

    fn mark_new(&mut self, thing: &Thing, name: &str) {
        if let Input::From(source) = &thing.input
            && let Some(output) = self.output(&source.from, &source.output)
        {
            output.deliverable = Some(name.into());
        }
    }

    fn output(&mut self, step: &str, output: &str) -> Option<&mut Output> {
        self.steps.iter_mut().find(|known| known.id == step)?.outputs.get_mut(output)
    }

    /// Is this value neither used by a step nor delivered?
    pub fn is_loose(&self, thing: &Thing) -> bool {
        let Input::From(source) = &thing.input else { return false };
        let used = self.steps.iter().flat_map(|step| step.inputs.values()).any(|input| *input == thing.input);
        let delivered = self
            .steps
            .iter()
            .find(|step| step.id == source.from)
            .and_then(|step| step.outputs.get(&source.output))
            .is_some_and(|output| output.deliverable.is_some());
        !used && !delivered
    }
    pub fn is_delivered(&self, name: &str) -> bool {
        self.delivered.contains_key(name)
    }

    /// A step id out of any text, not used yet.
    fn id(&self, name: &str) -> String {
        let taken: BTreeSet<&str> = self.steps.iter().map(|step| step.id.as_str()).collect();
        let slug = slug(name);
        std::iter::once(slug.clone())
            .chain((2..).map(|nth| format!("{slug}-{nth}")))
            .find(|id| !taken.contains(id.as_str()))
            .expect("the numbers don't end")
    }
}

/// What DATA_TOOLKIT must take a text for; a value needs no form.
pub fn form(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::Text => Some("text"),
        Shape::Csv => Some("csv"),
        Shape::Json => Some("json"),
        Shape::Data | Shape::Scalar | Shape::Report => None,
    }
}

/// A file name's ending, lower case; empty when there is none.
pub fn ending(name: &str) -> String {
    name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// Letters and digits with hyphens between, at most 48 characters.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let mut slug = parts.join("-");
    slug.truncate(48);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { "step".into() } else { slug }
}

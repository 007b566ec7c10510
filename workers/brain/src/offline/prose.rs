//! Clauses about texts and to people, drafted as steps.

use super::compose::{Composer, Made};
use super::deed::{Facet, Operand, Reply, Source};
use super::draft::{Inputs, ending};
use super::scope::{Shape, Thing, Wanted};
use super::{deliverable, template};
use schemas::plan::Input;

impl Composer<'_> {
    pub(super) fn fetch(&mut self, url: &str) -> Result<Thing, String> {
        let inputs: Inputs = vec![("url", Input::value(url))];
        let id = self.draft.step(
            "SCRAPE",
            &format!("fetch-{}", url.split("//").last().unwrap_or(url)),
            format!("Fetch {url}"),
            inputs,
            &[("text", "string")],
        )?;
        Ok(Thing { input: Input::from(id, "text"), shape: Shape::Text, label: url.into() })
    }

    pub(super) fn analyse(&mut self, what: &[Operand], facet: Option<Facet>) -> Result<Vec<Made>, String> {
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
            let (name, description) =
                (format!("{output}-{}", thing.label), format!("Get the {output} of {}", thing.label));
            let id = composer.draft.step(
                "TEXT_ANALYSIS",
                &name,
                description,
                vec![("text", thing.input.clone())],
                &[(output, kind)],
            )?;
            Ok((Thing { input: Input::from(id, output), shape, label: thing.label }, Some(ending)))
        })
    }

    pub(super) fn ask(&mut self, question: &str, reply: &Reply) -> Result<Vec<Made>, String> {
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
        let mut inputs: Inputs =
            vec![("question", self.quoted(question, "question")?.input), ("type", Input::value(kind))];
        inputs.extend(choices.map(|choices| ("choices", Input::value(choices.clone()))));
        let id = self.draft.step(
            "ASK_USER_QUESTION",
            &format!("ask-{question}"),
            format!("Ask: {question}"),
            inputs,
            &[("answer", output)],
        )?;
        Ok(vec![Made {
            thing: Thing { input: Input::from(id, "answer"), shape, label: "answer".into() },
            default: None,
        }])
    }

    pub(super) fn write(&mut self, text: &str, sink: Option<&str>) -> Result<Vec<Made>, String> {
        if let Some(path) = self.draft.named_in(text) {
            return Err(format!(
                "without a model nothing can be written about {path}; it can be read, analysed or summarised"
            ));
        }
        let refers = [
            "it",
            "them",
            "both",
            "the result",
            "the text",
            "the answer",
            "the data",
            "the table",
            "the file",
            "the context",
        ];
        if refers.iter().any(|words| text.to_lowercase().ends_with(&format!(" {words}"))) {
            return Err(
                "without a model nothing can be written about something else; it can be analysed or summarised".into(),
            );
        }
        let format = deliverable::format(sink.map(ending).as_deref());
        let inputs: Inputs = vec![("prompt", self.quoted(text, "prompt")?.input), ("format", Input::value(format))];
        let title = template::title(text);
        let id = self.draft.step("GENERATE", &title, text.into(), inputs, &[("text", "string")])?;
        Ok(vec![self.named(Thing { input: Input::from(id, "text"), shape: Shape::Text, label: title }, Some("md"))])
    }
}

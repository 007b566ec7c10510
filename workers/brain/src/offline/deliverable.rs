//! Under which names results may be delivered, and in which form.

use super::compose::Composer;
use super::draft::ending;
use super::scope::{Shape, Thing};

/// Endings that text may have.
const TEXTS: &[&str] = &[
    "txt", "md", "markdown", "log", "html", "htm", "css", "js", "ts", "py", "rs", "go", "java", "c", "h", "sh", "sql",
    "tex", "rst", "xml", "yaml", "yml", "toml", "ini", "cfg", "svg",
];
/// Endings of text that may hold JSON too.
const PLAIN: &[&str] = &["txt", "log"];

/// The format of GENERATE that fits a name's ending.
pub fn format(ending: Option<&str>) -> &'static str {
    match ending {
        None | Some("md" | "markdown") => "markdown",
        Some("html" | "htm") => "html",
        Some(
            "css" | "js" | "ts" | "py" | "rs" | "go" | "java" | "c" | "h" | "sh" | "sql" | "yaml" | "yml" | "toml"
            | "xml",
        ) => "code",
        Some(_) => "text",
    }
}

impl Composer<'_> {
    /// Delivers a value in the form that the name asks for.
    ///
    /// # Errors
    /// The value has no such form, or the name can't be used.
    pub fn deliver(&mut self, thing: &Thing, name: &str) -> Result<(), String> {
        let ending = ending(name);
        let shape = thing.shape;
        let fitting = match ending.as_str() {
            "csv" if shape == Shape::Csv => thing.clone(),
            "csv" if shape.is_data() => self.draft.csv(thing)?,
            "csv" => return Err(format!("{name} needs a table, and the result is none")),
            "json" if shape == Shape::Csv => self.draft.table(thing)?,
            "json" if shape == Shape::Text => {
                let description = format!("{} as JSON", thing.label);
                self.draft.query(
                    &format!("json-{}", thing.label),
                    description,
                    thing,
                    r#"tojson + "\n""#.into(),
                    Shape::Json,
                    "string",
                )?
            }
            "json" => thing.clone(),
            known if PLAIN.contains(&known) => thing.clone(),
            known if TEXTS.contains(&known) && (shape.is_text() || shape == Shape::Scalar) => thing.clone(),
            known if TEXTS.contains(&known) => {
                return Err(format!("the result is data, not text: name it .json, .csv or .txt instead of {name}"));
            }
            _ => {
                return Err(format!(
                    "{name}: only text, CSV and JSON can be made, so the name must end so (.txt, .md, .csv, .json)"
                ));
            }
        };
        self.draft.mark(&fitting, name)
    }

    /// Delivers under a name that nobody gave: one that is free.
    ///
    /// # Errors
    /// As [`Composer::deliver`].
    pub fn deliver_as(&mut self, thing: &Thing, name: &str) -> Result<(), String> {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "txt"));
        let free = std::iter::once(name.to_string())
            .chain((2..).map(|nth| format!("{stem}-{nth}.{ending}")))
            .find(|name| !self.draft.is_delivered(name))
            .expect("the numbers don't end");
        self.deliver(thing, &free)
    }
}

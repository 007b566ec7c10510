//! JSON to XML. What is no single element is put into `<data>`, the items of a list each into `<item>`.

use super::{ATTRIBUTE, TEXT, is_char};
use crate::{
    Failure,
    data_toolkit::{describe::kind, format::DEPTH},
};
use quick_xml::{
    escape::{escape, partial_escape},
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event, attributes::Attribute},
    name::QName,
    writer::Writer,
};
use serde_json::{Map, Value};

const ROOT: &str = "data";
const ITEM: &str = "item";
const INTO_MEMORY: &str = "writing to memory does not fail";

type Out = Writer<Vec<u8>>;

/// A document with two spaces a level and a final newline.
pub fn write(data: &Value) -> Result<String, Failure> {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).expect(INTO_MEMORY);
    match root(data) {
        Some((name, value)) => element(&mut out, name, value, 1)?,
        None => element(&mut out, ROOT, data, 1)?,
    }
    let mut bytes = out.into_inner();
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes).expect("made of strings"))
}

/// The one field of an object that is an element.
fn root(data: &Value) -> Option<(&str, &Value)> {
    let fields = data.as_object().filter(|fields| fields.len() == 1)?;
    let (name, value) = fields.iter().next()?;
    (!name.starts_with(ATTRIBUTE) && name != TEXT && !value.is_array()).then_some((name, value))
}

fn element(out: &mut Out, name: &str, value: &Value, depth: usize) -> Result<(), Failure> {
    if !is_name(name) {
        return Err(cannot(format!("{name:?} is no name of an element; rename it with jq first")));
    }
    if depth > DEPTH {
        return Err(cannot(format!("it is nested deeper than {DEPTH} levels")));
    }
    match value {
        Value::Object(fields) => object(out, name, fields, depth),
        Value::Array(items) => {
            out.write_event(Event::Start(BytesStart::new(name))).expect(INTO_MEMORY);
            items.iter().try_for_each(|item| element(out, ITEM, item, depth + 1))?;
            out.write_event(Event::End(BytesEnd::new(name))).expect(INTO_MEMORY);
            Ok(())
        }
        _ => leaf(out, BytesStart::new(name), &text(name, value)?),
    }
}

fn object(out: &mut Out, name: &str, fields: &Map<String, Value>, depth: usize) -> Result<(), Failure> {
    let mut start = BytesStart::new(name);
    for (field, value) in fields {
        let Some(attribute) = field.strip_prefix(ATTRIBUTE) else { continue };
        if !is_name(attribute) {
            return Err(cannot(format!("{attribute:?} is no name of an attribute; rename it with jq first")));
        }
        // Else a reader would take line ends and tabs for spaces.
        let value = escape(text(field, value)?).replace('\n', "&#10;").replace('\t', "&#9;");
        start.push_attribute(Attribute { key: QName(attribute), value: value.into() });
    }
    let said = fields.get(TEXT).map(|value| text(TEXT, value)).transpose()?.unwrap_or_default();
    let inner: Vec<_> = fields.iter().filter(|(name, _)| !name.starts_with(ATTRIBUTE) && *name != TEXT).collect();
    if inner.is_empty() {
        return leaf(out, start, &said);
    }
    out.write_event(Event::Start(start)).expect(INTO_MEMORY);
    if !said.is_empty() {
        out.write_event(Event::Text(BytesText::from_escaped(partial_escape(said)))).expect(INTO_MEMORY);
    }
    for (field, value) in inner {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| element(out, field, item, depth + 1))?,
            one => element(out, field, one, depth + 1)?,
        }
    }
    out.write_event(Event::End(BytesEnd::new(name))).expect(INTO_MEMORY);
    Ok(())
}

fn leaf(out: &mut Out, start: BytesStart, text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        out.write_event(Event::Empty(start)).expect(INTO_MEMORY);
        return Ok(());
    }
    let end = start.to_end().into_owned();
    out.write_event(Event::Start(start)).expect(INTO_MEMORY);
    out.write_event(Event::Text(BytesText::from_escaped(partial_escape(text)))).expect(INTO_MEMORY);
    out.write_event(Event::End(end)).expect(INTO_MEMORY);
    Ok(())
}

/// A scalar as text; null is nothing.
fn text(place: &str, value: &Value) -> Result<String, Failure> {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Err(cannot(format!("`{place}` must be a text, not {}", kind(value)))),
    };
    match text.chars().find(|c| !is_char(*c)) {
        Some(c) => Err(cannot(format!("`{place}` holds the character {c:?}, which XML has not"))),
        None => Ok(text),
    }
}

/// A name as XML has them, with at most one colon.
fn is_name(name: &str) -> bool {
    let begins = |c: char| c.is_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '·');
    let part = |part: &str| part.starts_with(begins) && part.chars().all(goes_on);
    match name.split_once(':') {
        Some((prefix, local)) => part(prefix) && part(local),
        None => part(name),
    }
}

fn cannot(why: String) -> Failure {
    Failure::input(format!("the result can't be written as XML: {why}"))
}

//! XML to JSON. Entities are never looked up: there are the five of XML, and characters by number.

use super::{ATTRIBUTE, TEXT, is_char};
use crate::{Failure, data_toolkit::format::DEPTH};
use quick_xml::{
    XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
    reader::Reader,
};
use serde_json::{Map, Value};
use std::fmt::Display;

/// An element that was begun.
struct Element {
    name: String,
    fields: Map<String, Value>,
    text: String,
    /// Does it hold other elements?
    parent: bool,
}

/// An object with the root element as its one field.
pub fn read(text: &str) -> Result<Value, Failure> {
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !is_char(*c)) {
        return Err(wrong(text, at, format!("XML has no character {c:?}")));
    }
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut whole = Map::new();
    loop {
        let at = reader.buffer_position() as usize;
        let event = reader.read_event().map_err(|e| wrong(text, reader.error_position() as usize, e))?;
        let fault = |why: &dyn Display| wrong(text, at, why);
        match event {
            Event::Start(_) | Event::Empty(_) if open.is_empty() && !whole.is_empty() => {
                return Err(fault(&"there is a second root element; XML has one"));
            }
            Event::Start(_) | Event::Empty(_) if open.len() == DEPTH => {
                return Err(fault(&format!("elements are nested deeper than {DEPTH} levels")));
            }
            Event::Start(start) => open.push(begun(&start).map_err(|why| fault(&why))?),
            Event::Empty(start) => {
                ended(begun(&start).map_err(|why| fault(&why))?, open.last_mut(), &mut whole);
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    ended(element, open.last_mut(), &mut whole);
                }
            }
            Event::Text(part) => said(&mut open, &part.xml10_content()).map_err(|why| fault(&why))?,
            Event::CData(part) => said(&mut open, &part.xml10_content()).map_err(|why| fault(&why))?,
            Event::GeneralRef(name) => {
                let part = character(&name).map_err(|why| fault(&why))?;
                said(&mut open, &part).map_err(|why| fault(&why))?;
            }
            Event::DocType(kind) if kind.contains('[') => {
                return Err(fault(&"declarations inside of DOCTYPE are not taken; leave them out"));
            }
            Event::DocType(_) | Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match open.last() {
        Some(element) => Err(wrong(text, text.len(), format!("<{}> is not ended", element.name))),
        None if whole.is_empty() => Err(wrong(text, text.len(), "there is no element")),
        None => Ok(whole.into()),
    }
}

fn begun(start: &BytesStart) -> Result<Element, String> {
    let mut fields = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| e.to_string())?;
        if let Some(c) = value.chars().find(|c| !is_char(*c)) {
            return Err(format!("XML has no character {c:?}"));
        }
        fields.insert(format!("{ATTRIBUTE}{}", attribute.key.0), value.into());
    }
    Ok(Element { name: start.name().0.to_owned(), fields, text: String::new(), parent: false })
}

/// Beside other elements, space around a text is indentation.
fn ended(element: Element, into: Option<&mut Element>, whole: &mut Map<String, Value>) {
    let Element { name, mut fields, text, parent } = element;
    let text = if parent { text.trim() } else { &text };
    let value = match fields.is_empty() {
        true => text.into(),
        false => {
            if !text.is_empty() {
                fields.insert(TEXT.to_owned(), text.into());
            }
            Value::Object(fields)
        }
    };
    let fields = match into {
        Some(element) => {
            element.parent = true;
            &mut element.fields
        }
        None => whole,
    };
    match fields.get_mut(&name) {
        None => drop(fields.insert(name, value)),
        Some(Value::Array(all)) => all.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn said(open: &mut [Element], part: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(part),
        None if part.trim().is_empty() => {}
        None => return Err("there is text outside of the root element".into()),
    }
    Ok(())
}

fn character(name: &BytesRef) -> Result<String, String> {
    match name.resolve_char_ref().map_err(|e| e.to_string())? {
        Some(c) if is_char(c) => Ok(c.into()),
        Some(c) => Err(format!("XML has no character {c:?}")),
        None => resolve_predefined_entity(name)
            .map(str::to_owned)
            .ok_or_else(|| format!("there is no entity &{};, only &lt; &gt; &amp; &apos; &quot; and numbers", &**name)),
    }
}

fn wrong(text: &str, at: usize, why: impl Display) -> Failure {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Failure::input(format!("`data` is not XML that can be taken: line {line}, column {column}: {why}"))
}

//! Reading `ask "Which colour?" with choices red, green or blue`.

use super::cursor::Cursor;
use super::deed::{Deed, Reply};
use super::phrase;
use super::token::Kind;

pub fn ask(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    cursor.eat(&["ask", "prompt"])?;
    cursor.eat(&["me", "the user", "the person", "us", "the owner"]);
    let early = kind(cursor);
    cursor.skip(&["the", "a", "question", "for", "about"]);
    cursor.take(&Kind::Comma);
    let question = cursor.take(&Kind::Quoted)?.to_string();
    let late = cursor.attempt(|cursor| {
        cursor.take(&Kind::Comma);
        choices(cursor).or_else(|| kind(cursor))
    });
    Some(Deed::Ask { question, reply: late.or(early).unwrap_or(Reply::Text) })
}

fn kind(cursor: &mut Cursor) -> Option<Reply> {
    cursor
        .attempt(|cursor| {
            cursor.skip(&["for", "as", "expecting", "with", "a", "an"]);
            Some(match cursor.eat(&["number", "yes or no", "yes/no", "true or false", "text"])? {
                "number" => Reply::Number,
                "text" => Reply::Text,
                _ => Reply::Boolean,
            })
        })
        .inspect(|_| {
            cursor.skip(&["question", "answer"]);
        })
}

fn choices(cursor: &mut Cursor) -> Option<Reply> {
    let said = cursor.eat(&[
        "with the choices",
        "with choices",
        "with the options",
        "with options",
        "with choice of",
        "choosing from",
        "choose from",
        "choices",
        "options",
        "offering",
        "choosing any of",
        "choose any of",
        "with any of",
    ])?;
    let several = matches!(said, "choosing any of" | "choose any of" | "with any of");
    cursor.take(&Kind::Comma);
    let mut found = vec![choice(cursor)?];
    while let Some(more) = cursor.attempt(|cursor| {
        if phrase::clause_follows(cursor) {
            return None;
        }
        let comma = cursor.take(&Kind::Comma).is_some();
        (cursor.eat(&["or", "and"]).is_some() || comma).then(|| choice(cursor)).flatten()
    }) {
        found.push(more);
    }
    Some(if several { Reply::Choices(found) } else { Reply::Choice(found) })
}

/// Words up to a comma, `or`, `and`, a sink or the end; or one quoted text.
fn choice(cursor: &mut Cursor) -> Option<String> {
    if let Some(quoted) = cursor.take(&Kind::Quoted) {
        return Some(quoted.into());
    }
    let mut words: Vec<&str> = Vec::new();
    while !cursor.sees_any(&["or", "and", "then"])
        && super::operand::sink(&mut cursor.clone()).is_none()
        && let Some(word) = cursor.take(&Kind::Word)
    {
        words.push(word);
    }
    (!words.is_empty()).then(|| words.join(" "))
}

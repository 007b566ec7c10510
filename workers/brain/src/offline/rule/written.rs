//! `write a …`: free text, for the writer.

use super::super::{cursor::Cursor, deed::Deed, operand::sink, phrase, token::Kind};

/// Free text up to a sink, the end of the sentence or the next clause.
pub fn write(cursor: &mut Cursor, goal: &str) -> Option<Deed> {
    let start = cursor.place(goal.len());
    let verb = cursor.eat(&["write", "create", "generate", "draft", "compose", "make", "produce", "prepare"])?;
    cursor.skip(&["me", "us"]);
    cursor.eat(&["a", "an", "the", "some", "one", "two", "three", "my", "our"])?;
    cursor.peek().filter(|token| matches!(token.kind, Kind::Word | Kind::File | Kind::Quoted))?;
    cursor.next();
    while !cursor.ends() && !phrase::clause_follows(cursor) {
        let mut behind = cursor.clone();
        if sink(&mut behind).is_some() {
            phrase::closing(&mut behind);
            if behind.ends() || phrase::separator(&mut behind) {
                // The caller takes the sink.
                break;
            }
        }
        cursor.next();
    }
    let text = goal[start..cursor.behind()].trim();
    // A coffee can be made too.
    let writing = !matches!(verb, "make" | "produce" | "prepare") || is_written(text);
    writing.then(|| Deed::Write(text.into()))
}

/// Is this something that consists of text?
fn is_written(text: &str) -> bool {
    const TEXTS: &[&str] = &[
        "list",
        "checklist",
        "todo",
        "agenda",
        "letter",
        "email",
        "message",
        "invitation",
        "note",
        "notes",
        "poem",
        "story",
        "report",
        "plan",
        "outline",
        "document",
        "page",
        "essay",
        "article",
        "text",
        "draft",
        "template",
        "schedule",
        "proposal",
        "speech",
        "readme",
    ];
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| TEXTS.contains(&word))
}

//! A goal read clause by clause.

use super::cursor::Cursor;
use super::deed::{Clause, Deed, Fault};
use super::token::{Kind, tokens};
use super::{FileInfo, operand, phrase, rule, table};

/// The clauses of a goal, in its order.
///
/// # Errors
/// The first clause that no rule reads to its end.
pub fn parse(goal: &str, files: &[FileInfo]) -> Result<Vec<Clause>, Fault> {
    let tokens = tokens(goal, files)
        .map_err(|at| Fault { clause: excerpt(&goal[at..]), reason: "the quotation mark is never closed".into() })?;
    let mut cursor = Cursor::new(&tokens);
    let mut clauses: Vec<Clause> = Vec::new();
    phrase::separator(&mut cursor);
    while cursor.peek().is_some() {
        let clause = clause(&mut cursor, goal, clauses.last().map(|clause| &clause.deed))?;
        clauses.push(clause);
        phrase::closing(&mut cursor);
        phrase::separator(&mut cursor);
    }
    if clauses.is_empty() {
        return Err(Fault { clause: excerpt(goal), reason: "it holds no clause".into() });
    }
    Ok(clauses)
}

/// The first rule that reads up to the clause's end wins; otherwise the one that came furthest
/// says where understanding stopped.
fn clause(cursor: &mut Cursor, goal: &str, before: Option<&Deed>) -> Result<Clause, Fault> {
    phrase::opening(cursor);
    let start = cursor.place(goal.len());
    let mut furthest: Option<Cursor> = None;
    for rule in rule::RULES.iter().copied().chain(rule::continuing(before)) {
        let mut attempt = cursor.clone();
        let Some(deed) = rule(&mut attempt, goal) else { continue };
        let sink = operand::sink(&mut attempt);
        let end = attempt.behind();
        phrase::closing(&mut attempt);
        if at_end(&attempt) {
            *cursor = attempt;
            return Ok(Clause { text: goal[start..end].trim().into(), deed, sink });
        }
        if furthest.as_ref().is_none_or(|best| best.behind() < attempt.behind()) {
            furthest = Some(attempt);
        }
    }
    let whole = until_stop(cursor, goal, start);
    Err(match furthest {
        Some(best) => Fault {
            reason: format!(
                "“{}” is not understood there{}",
                until_stop(&best, goal, best.place(goal.len())),
                table::hint(&whole)
            ),
            clause: whole,
        },
        None => Fault { reason: format!("it is none of the clauses known here{}", table::hint(&whole)), clause: whole },
    })
}

/// `… sorted by price` needs no separator: it can only be the next clause.
fn at_end(cursor: &Cursor) -> bool {
    cursor.ends() || cursor.sees_any(&["sorted by", "ordered by"]) || phrase::separator(&mut cursor.clone())
}

/// The goal from `start` to the end of its sentence.
fn until_stop(cursor: &Cursor, goal: &str, start: usize) -> String {
    let mut cursor = cursor.clone();
    while cursor.peek().is_some_and(|token| token.kind != Kind::Stop) {
        cursor.next();
    }
    excerpt(&goal[start..cursor.behind().max(start)])
}

/// At most 120 characters.
fn excerpt(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

//! `compare A and B`.

use super::{
    super::{
        cursor::Cursor,
        deed::{Deed, Operand, Source},
        operand::{operand, operands},
    },
    FINDERS,
};

pub fn compare(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    let difference = cursor.attempt(|cursor| {
        cursor.eat(FINDERS);
        cursor.skip(&["the"]);
        cursor.eat(&["differences between", "difference between", "comparison of", "comparison between"])
    });
    if difference.is_none() {
        cursor.eat(&["compare", "diff", "contrast"])?;
    }
    let mut what = operands(cursor);
    if let [one] = what.as_slice()
        && !matches!(one.source, Source::Both | Source::Them)
    {
        cursor.eat(&["with", "to", "against", "and with", "and"])?;
        what.extend(operand(cursor));
    }
    if let [Operand { source: source @ (Source::Both | Source::Them), .. }] = what.as_mut_slice() {
        *source = Source::Both;
        return Some(Deed::Compare(what));
    }
    (what.len() == 2).then_some(Deed::Compare(what))
}

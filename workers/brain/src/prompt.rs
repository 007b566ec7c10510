//! What is said to a model: its messages, of which what is material may be shortened. Inputs and what tools
//! gave are material; the system's words and what somebody wrote are not.

use schemas::{
    agent::{Message, Speaker},
    value::{Part, Values, parts},
};

/// How often a model is asked again with less.
const TIMES: u32 = 2;
/// Characters that are left of a piece at the least.
const LEAST: usize = 400;
/// Characters of a token, about.
const TOKEN: usize = 4;
/// Of what a model reads, one in so many tokens is left for its answer.
const ANSWER: u64 = 8;

/// Messages, with their inputs filled in.
#[derive(Debug, Clone)]
pub struct Prompt {
    said: Vec<(Message, Vec<Part>)>,
    /// How often it was shortened, and the characters that a piece of material may have since.
    times: u32,
    most: usize,
}

impl Prompt {
    pub fn new(messages: &[Message], inputs: &Values) -> Self {
        let said = |message: &Message| {
            let mut parts = parts(&message.text, inputs);
            match message.role {
                Speaker::System => parts.iter_mut().for_each(|part| part.is_given = false),
                _ if message.result_of.is_some() => parts.iter_mut().for_each(|part| part.is_given = true),
                _ => {}
            }
            (Message { text: String::new(), ..message.clone() }, parts)
        };
        Self { said: messages.iter().map(said).collect(), times: 0, most: usize::MAX }
    }

    pub fn messages(&self) -> Vec<Message> {
        let text = |part: &Part| if part.is_given { cut(&part.text, self.most).0 } else { part.text.clone() };
        let said = |(message, parts): &(Message, Vec<Part>)| Message {
            text: parts.iter().map(text).collect(),
            ..message.clone()
        };
        self.said.iter().map(said).collect()
    }

    /// Characters that are left out.
    pub fn left_out(&self) -> usize {
        self.parts().filter(|part| part.is_given).map(|part| cut(&part.text, self.most).1).sum()
    }

    /// Tokens that it has, about.
    pub fn tokens(&self) -> u64 {
        (self.written() + self.given().iter().sum::<usize>()).div_ceil(TOKEN) as u64
    }

    /// The same, if all is left out that may be.
    pub fn least(&self) -> u64 {
        let given: usize = self.given().into_iter().map(|length| length.min(LEAST)).sum();
        (self.written() + given).div_ceil(TOKEN) as u64
    }

    /// Makes it fit a model that reads so many tokens; where that is not known, or is enough as far as it can be
    /// known, half of what is material is left out. `false`: it is not to be shortened any more.
    pub fn shorten(&mut self, context: Option<u64>) -> bool {
        let (written, given) = (self.written(), self.given());
        if self.times == TIMES || given.iter().all(|length| *length <= LEAST) {
            return false;
        }
        let all: usize = given.iter().sum();
        let room = context.map_or(usize::MAX, room);
        let wanted = if room < written + all { room.saturating_sub(written) } else { all / 2 };
        self.times += 1;
        self.most = level(&given, wanted).max(LEAST);
        true
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.said.iter().flat_map(|(_, parts)| parts)
    }

    /// Characters that are no material.
    fn written(&self) -> usize {
        self.parts().filter(|part| !part.is_given).map(|part| part.text.chars().count()).sum()
    }

    /// How long each piece of material is.
    fn given(&self) -> Vec<usize> {
        self.parts().filter(|part| part.is_given).map(|part| part.text.chars().count().min(self.most)).collect()
    }
}

/// Characters that a prompt may have of a model that reads so many tokens.
fn room(context: u64) -> usize {
    usize::try_from(context - context / ANSWER).unwrap_or(usize::MAX).saturating_mul(TOKEN)
}

/// The length to which the longest are cut, so that all together are as long as is wanted.
fn level(lengths: &[usize], wanted: usize) -> usize {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let (mut left, mut others) = (wanted, sorted.len());
    for length in sorted {
        if length * others >= left {
            return left / others;
        }
        left -= length;
        others -= 1;
    }
    wanted
}

/// So many characters of a text, a mark in its middle among them; and how many are left out.
fn cut(text: &str, most: usize) -> (String, usize) {
    let length = text.chars().count();
    if length <= most {
        return (text.into(), 0);
    }
    let mark = |left_out: usize| format!("\n[… {left_out} characters are left out here …]\n");
    let kept = most.saturating_sub(mark(length).chars().count());
    let left_out = length - kept;
    let place = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(place, _)| place);
    let (head, tail) = (place(kept.div_ceil(2)), place(length - kept / 2));
    (format!("{}{}{}", &text[..head], mark(left_out), &text[tail..]), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prompt(rows: usize) -> Prompt {
        let inputs: Values = [("rows".to_string(), json!("é".repeat(rows))), ("name".to_string(), json!("Ann"))].into();
        let messages = [
            Message::new(Speaker::System, "You know {rows}."),
            Message::new(Speaker::User, "For {name}: sum up {rows} in a word"),
            Message { result_of: Some("c1".into()), ..Message::new(Speaker::Tool, "t".repeat(1_000)) },
            Message::new(Speaker::User, "And now?"),
        ];
        Prompt::new(&messages, &inputs)
    }

    fn texts(prompt: &Prompt) -> Vec<String> {
        prompt.messages().into_iter().map(|message| message.text).collect()
    }

    #[test]
    fn material_is_cut_in_its_middle_until_the_whole_fits_and_nothing_else_is_touched() {
        let mut long = prompt(20_000);
        let before = texts(&long);
        assert!(long.tokens() > 10_000 && long.least() < 5_300, "{} {}", long.tokens(), long.least());
        assert!(long.shorten(Some(8_000)), "it can be");
        let after = texts(&long);
        assert!(long.tokens() <= 7_000 && long.tokens() > 6_950, "{}", long.tokens());
        assert_eq!((&after[0], &after[2], &after[3]), (&before[0], &before[2], &before[3]), "the longest only");
        assert!(after[1].starts_with("For Ann: sum up ééé") && after[1].ends_with("ééé in a word"));
        let mark = format!("\n[… {} characters are left out here …]\n", long.left_out());
        assert!(after[1].contains(&mark), "{mark}");
        let kept = after[1].matches('é').count();
        assert_eq!(kept + long.left_out(), 20_000);
    }

    #[test]
    fn where_nothing_is_known_half_is_left_out_and_twice_at_the_most() {
        let mut long = prompt(20_000);
        assert!(long.shorten(None));
        assert_eq!(long.given(), [3, 9_498, 1_000], "of 21,003");
        assert!(long.shorten(Some(1_000_000)), "the model said that it does not fit");
        assert_eq!(long.given(), [3, 4_247, 1_000]);
        let kept = texts(&long)[1].matches('é').count();
        assert_eq!(kept + long.left_out(), 20_000, "the mark counts from the whole");
        assert!(!long.shorten(None));
        let all_written = Message::new(Speaker::User, "x".repeat(20_000));
        assert!(!Prompt::new(&[all_written], &Values::new()).shorten(Some(1_000)), "nothing of it is material");
    }

    #[test]
    fn the_longest_give_first() {
        for (lengths, wanted, most) in [
            (&[10, 20, 1_000][..], 100, 70),
            (&[1_000, 1_000], 500, 250),
            (&[5, 5], 100, 100),
            (&[600, 500, 10], 910, 450),
            (&[7], 0, 0),
        ] {
            assert_eq!(level(lengths, wanted), most, "{lengths:?} {wanted}");
        }
    }
}

//! A conversation for servers that take one text: who says what, with calls and results of tools as words.

use crate::provider::{Ask, Failure, envelope, envelope::Envelope, image::Image, tool};
use schemas::agent::Speaker;

/// What one says before another speaks.
#[derive(Debug, PartialEq)]
pub struct Turn {
    pub role: &'static str,
    pub text: String,
}

/// The messages as turns. Templates of models want them to alternate and know no tools, so what follows on each other
/// is one, and results are the user's.
///
/// # Errors
/// An image that can't be shown, a result without its call, or a call without its result.
pub fn turns(
    ask: &Ask<'_>,
    envelope: Option<&Envelope<'_>>,
    mut show: impl FnMut(Image) -> String,
) -> Result<Vec<Turn>, Failure> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut say = |role: &'static str, text: String| match turns.last_mut() {
        Some(last) if last.role == role => last.text.push_str(&format!("\n\n{text}")),
        _ => turns.push(Turn { role, text }),
    };
    // Before all others: some templates have a place for a system's words only there.
    if let Some(envelope) = envelope {
        say("system", envelope.words());
    }
    let messages = tool::rounds(ask.messages)?;
    for (n, message) in messages.iter().enumerate() {
        let mut text = String::new();
        for image in &message.images {
            text.push_str(&show(Image::of(image, ask.images)?));
        }
        match message.role {
            Speaker::System => say("system", text + &message.text),
            Speaker::User => say("user", text + &message.text),
            Speaker::Tool => {
                let name = tool::answered(&messages[..n], message).map_or("a tool", |call| call.name.as_str());
                say("user", format!("{text}{name} gives: {}", message.text));
            }
            Speaker::Assistant => {
                let said = (!message.text.is_empty()).then(|| text + &message.text);
                let calls = message.calls.iter().map(envelope::call);
                let lines: Vec<_> = said.into_iter().chain(calls).collect();
                say("assistant", lines.join("\n"));
            }
        }
    }
    Ok(turns)
}

/// The turns for a model of whose template nothing is known.
pub fn plain(turns: &[Turn]) -> String {
    let mut prompt = String::new();
    for Turn { role, text } in turns {
        let name = match *role {
            "system" => "System",
            "assistant" => "Assistant",
            _ => "User",
        };
        prompt.push_str(&format!("{name}: {text}\n\n"));
    }
    prompt + "Assistant: "
}

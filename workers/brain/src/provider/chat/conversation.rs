//! Messages, calls and results of tools in genai's words, and what a model said in ours.

use super::Chat;
use crate::provider::{Ask, Failure, image::Image, tool};
use genai::{
    adapter::AdapterKind,
    chat::{Binary, ChatMessage, ChatRole, ContentPart, MessageContent, ToolCall as Said, ToolResponse},
};
use schemas::{
    Value,
    agent::{Message, Speaker, ToolCall},
};
use serde_json::json;

/// What Gemini takes in place of a signature for a call that it did not make (its “Thought signatures”, in the FAQ).
const UNCHECKED: &str = "skip_thought_signature_validator";

impl Chat {
    /// The messages for the model. Results that follow on each other are one message, as Anthropic and Gemini want
    /// them; images that a tool gave come behind its turn, as no provider takes them within.
    ///
    /// # Errors
    /// An image that can't be shown, a result without its call, or a call without its result.
    pub(super) fn messages(&self, ask: &Ask<'_>) -> Result<Vec<ChatMessage>, Failure> {
        let said = tool::rounds(ask.messages)?;
        let (mut messages, mut given) = (Vec::<ChatMessage>::new(), Vec::new());
        for (n, message) in said.iter().enumerate() {
            if message.role != Speaker::Tool && !given.is_empty() {
                messages.push(ChatMessage::user(MessageContent::from_parts(std::mem::take(&mut given))));
            }
            let mut images = Vec::new();
            for image in &message.images {
                let Image { media_type, base64 } = Image::of(image, ask.images)?;
                images.push(ContentPart::Binary(Binary::from_base64(media_type, base64, None)));
            }
            let text = (!message.text.trim().is_empty()).then(|| ContentPart::from_text(&message.text));
            match message.role {
                Speaker::System => messages.push(ChatMessage::system(&message.text)),
                Speaker::User if images.is_empty() => messages.push(ChatMessage::user(&message.text)),
                Speaker::User => {
                    images.extend(text);
                    messages.push(ChatMessage::user(MessageContent::from_parts(images)));
                }
                Speaker::Assistant => messages.push(self.assistant(ask.model, message, text)),
                Speaker::Tool => {
                    given.append(&mut images);
                    let Some(call) = tool::answered(&said[..n], message) else { continue };
                    let result = ToolResponse::new(self.id(call), &message.text).with_fn_name(&call.name);
                    match messages.last_mut().filter(|last| last.role == ChatRole::Tool) {
                        Some(last) => last.content.push(result),
                        None => messages.push(result.into()),
                    }
                }
            }
        }
        if !given.is_empty() {
            messages.push(ChatMessage::user(MessageContent::from_parts(given)));
        }
        Ok(messages)
    }

    /// What the model said before, with what it wants to hear again of its thoughts.
    fn assistant(&self, model: &str, message: &Message, text: Option<ContentPart>) -> ChatMessage {
        let own = |call: &ToolCall| -> Option<String> {
            let (of, signature) = call.signature.as_deref()?.split_once(' ')?;
            (of == self.signer(model)).then(|| signature.to_string())
        };
        let mut parts = Vec::new();
        if self.kind == AdapterKind::Anthropic {
            let thoughts = message.calls.iter().filter_map(own).filter_map(|said| serde_json::from_str(&said).ok());
            parts.extend(
                thoughts.flat_map(|blocks: Vec<Value>| blocks).map(|block| ContentPart::from_custom(block, None)),
            );
        }
        parts.extend(text);
        for (n, call) in message.calls.iter().enumerate() {
            let signature = match self.kind {
                AdapterKind::Gemini => own(call).or_else(|| (n == 0 && signs(model)).then(|| UNCHECKED.into())),
                _ => None,
            };
            parts.push(ContentPart::ToolCall(Said {
                call_id: self.id(call),
                fn_name: call.name.clone(),
                fn_arguments: tool::shown(&call.input),
                thought_signatures: signature.map(|signature| vec![signature]),
            }));
        }
        if parts.is_empty() {
            // No provider takes a message that says nothing.
            parts.push(ContentPart::from_text("(nothing)"));
        }
        ChatMessage::assistant(MessageContent::from_parts(parts))
    }

    /// The calls that the model made, in its order.
    pub(super) fn calls(&self, model: &str, content: &MessageContent) -> Vec<ToolCall> {
        let signed = |signature: &String| format!("{} {signature}", self.signer(model));
        let call = |said: &&Said| ToolCall {
            id: said.call_id.clone(),
            name: said.fn_name.clone(),
            // Without inputs, some write nothing at all.
            input: match &said.fn_arguments {
                Value::Null => json!({}),
                Value::String(text) if text.trim().is_empty() => json!({}),
                other => other.clone(),
            },
            signature: match self.kind {
                AdapterKind::Gemini => said.thought_signatures.iter().flatten().next().map(signed),
                _ => None,
            },
        };
        let mut calls: Vec<_> = content.tool_calls().iter().map(call).collect();
        let thoughts = thoughts(content);
        if let (AdapterKind::Anthropic, Some(first), false) = (self.kind, calls.first_mut(), thoughts.is_empty()) {
            first.signature = Some(signed(&Value::from(thoughts).to_string()));
        }
        calls
    }

    /// Who can read a signature: no other model, even of the same provider.
    fn signer(&self, model: &str) -> String {
        format!("{}/{model}", self.name)
    }

    /// Gemini need not hear an id that it did not give: there genai's stand-in is left out, and order counts.
    fn id(&self, call: &ToolCall) -> String {
        match self.kind {
            AdapterKind::Gemini if tool::is_own(&call.id) => format!("call#{}#0", call.name),
            _ => call.id.clone(),
        }
    }
}

/// Does this model refuse calls without a signature? Those since Gemini 3 do.
fn signs(model: &str) -> bool {
    let version = model.rsplit('/').next().and_then(|name| name.strip_prefix("gemini-"));
    let major = version.and_then(|version| version.split(['-', '.']).next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= 3)
}

/// What an Anthropic model thought, as the blocks that it wants back.
fn thoughts(content: &MessageContent) -> Vec<Value> {
    let (mut blocks, mut signed) = (Vec::new(), None);
    for part in content.parts() {
        match part {
            ContentPart::ThoughtSignature(signature) => signed = Some(signature),
            ContentPart::ReasoningContent(thought) => {
                let signature = signed.take();
                blocks.extend(signature.map(|s| json!({"type": "thinking", "thinking": thought, "signature": s})));
            }
            ContentPart::Custom(custom) if custom.typ() == Some("redacted_thinking") => {
                blocks.push(custom.data.clone())
            }
            _ => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_since_gemini_3_sign_their_calls() {
        for model in ["gemini-3-flash", "gemini-3.8-flash", "gemini-4-argon", "models/gemini-10"] {
            assert!(signs(model), "{model}");
        }
        for model in ["gemini-2.5-pro", "gemini-flash-latest", "gemma-3", "claude-3"] {
            assert!(!signs(model), "{model}");
        }
    }
}

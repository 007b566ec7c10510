//! What genai drops, heard from the frames as they came.

use genai::chat::RawFrameRef;
use schemas::brain::Usage;
use std::sync::Mutex;

/// What genai drops.
#[derive(Default)]
pub struct Dropped {
    /// Why Gemini blocked a prompt, or in what words an OpenAI model refused.
    pub refusal: String,
    /// What LiteLLM's proxy counted, in a piece whose choice is there but empty.
    pub usage: Option<Usage>,
}

pub fn overheard(frame: &RawFrameRef<'_>, heard: &Mutex<Dropped>) {
    if !["blockReason", "\"refusal\"", "\"prompt_tokens\""].iter().any(|part| frame.data.contains(part)) {
        return;
    }
    let (Some(said), Ok(mut heard)) = (frame.json(), heard.lock()) else { return };
    let blocked = said["promptFeedback"]["blockReason"].as_str().map(|why| format!("the prompt was blocked ({why})"));
    let refused = said["choices"][0]["delta"]["refusal"].as_str();
    heard.refusal.push_str(blocked.as_deref().or(refused).unwrap_or_default());
    let count = |of: &str| said["usage"][of].as_u64();
    if let Some((input, output)) = count("prompt_tokens").zip(count("completion_tokens")) {
        heard.usage = Some(Usage { input, output, estimated: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_heard_where_a_choice_is_there_but_empty() {
        let heard = Mutex::default();
        for data in [
            r#"{"choices": [{"index": 0, "delta": {"content": "The"}}], "usage": null}"#,
            r#"{"choices": [{"index": 0, "delta": {}}], "usage": {"completion_tokens": 4, "prompt_tokens": 8}}"#,
            "[DONE]",
        ] {
            overheard(&RawFrameRef { index: 0, event: None, data, elapsed_us: 0 }, &heard);
        }
        let usage = heard.into_inner().expect("nobody panicked").usage;
        assert_eq!(usage, Some(Usage { input: 8, output: 4, estimated: false }));
    }
}

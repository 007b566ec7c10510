//! The ways in which providers speak.

mod anthropic;
mod gemini;
mod hugging_face;
mod llama_cpp;
mod openai;
mod tgi;

use crate::{
    ApiError, Call, Content, Filter, Usage,
    call::Asked,
    line::{Answer, Script},
};
use bytes::Bytes;
use serde_json::Value;

/// The way in which a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Chat completions. With another prefix, and without keys, it is that of OpenRouter, OpenWebUI, LM Studio,
    /// vLLM and Ollama as well.
    OpenAi,
    Anthropic,
    Gemini,
    /// The router: OpenAI's chat, and feature extraction of its own.
    HuggingFace,
    /// llama.cpp's own, not the one that it takes from OpenAI.
    LlamaCpp,
    /// Text Generation Inference's own, not the one that it takes from OpenAI.
    Tgi,
}

impl Dialect {
    pub const ALL: [Self; 6] =
        [Self::OpenAi, Self::Anthropic, Self::Gemini, Self::HuggingFace, Self::LlamaCpp, Self::Tgi];

    /// Where its addresses begin; the first is the one that is told.
    pub(crate) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::OpenAi | Self::Anthropic => &["/v1"],
            Self::Gemini => &["/v1beta", "/v1"],
            // Chat is at `/v1`, the rest is not.
            Self::HuggingFace | Self::LlamaCpp | Self::Tgi => &[""],
        }
    }

    /// Whether nothing is answered without a key.
    pub(crate) fn wants_key(self) -> bool {
        !matches!(self, Self::LlamaCpp | Self::Tgi)
    }

    pub(crate) fn speaker(self) -> &'static dyn Speaker {
        match self {
            Self::OpenAi => &openai::OpenAi,
            Self::Anthropic => &anthropic::Anthropic,
            Self::Gemini => &gemini::Gemini,
            Self::HuggingFace => &hugging_face::HuggingFace,
            Self::LlamaCpp => &llama_cpp::LlamaCpp,
            Self::Tgi => &tgi::Tgi,
        }
    }
}

/// What a dialect must be able to say.
pub(crate) trait Speaker: Sync {
    /// A request by its meaning, or what is wrong with it. `None`: there is no such address.
    fn read(&self, asked: &Asked) -> Option<Result<Call, String>>;

    /// What makes a well-formed request one that is refused, beside its key.
    fn refuses(&self, call: &Call) -> Option<ApiError> {
        let _ = call;
        None
    }

    /// All of an answer.
    fn whole(&self, call: &Call, content: &Content, usage: Usage) -> Value;

    /// The same piece by piece.
    fn script(&self, call: &Call, content: &Content, usage: Usage) -> Script;

    /// Vectors for the inputs.
    fn vectors(&self, call: &Call, usage: Usage) -> Value;

    /// Which models there are, or how the server is.
    fn listing(&self, call: &Call, models: &[String]) -> Answer;

    /// The status and the body of an error; `None` if it is a gateway's.
    fn error(&self, call: &Call, error: &ApiError) -> Option<(u16, Value)>;

    /// What an error has beside them.
    fn error_headers(&self, error: &ApiError) -> Vec<(&'static str, String)> {
        let _ = error;
        Vec::new()
    }

    /// An error in place of an answer.
    fn fails(&self, call: &Call, error: &ApiError) -> Answer {
        let Some((status, body)) = self.error(call, error) else {
            return Answer::gateway(error.usual_status());
        };
        Answer::json(status, &body).with(self.error_headers(error))
    }

    /// An error as an event of a stream that has begun; that of a gateway as a fault of the provider's own.
    fn late(&self, call: &Call, error: &ApiError) -> Bytes {
        let (_, body) = self.error(call, error).or_else(|| self.error(call, &ApiError::Internal)).unwrap_or_default();
        self.event("error", &body)
    }

    /// One event of a stream.
    fn event(&self, name: &str, data: &Value) -> Bytes {
        let _ = name;
        format!("data: {data}\n\n").into()
    }

    /// Whether that filter's word comes in place of an answer.
    fn is_error(&self, filter: Filter) -> bool {
        let _ = filter;
        false
    }

    /// What every answer has.
    fn headers(&self, call: &Call, usage: Usage) -> Vec<(&'static str, String)> {
        let _ = (call, usage);
        Vec::new()
    }
}

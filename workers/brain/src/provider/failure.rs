//! What went wrong with a try, by what it means: the same whoever's words it comes in.

use schemas::{Class, Value, brain::Usage};
use std::time::Duration;

/// The meaning of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Asked too often; again after that time, where the provider says.
    RateLimited(Option<Duration>),
    /// It has too much to do, or is broken for now.
    Overloaded(Option<Duration>),
    /// Nothing came for too long.
    TimedOut,
    /// Nobody there, or the connection broke.
    Unreachable,
    /// What it said is not its dialect, or stops in the middle.
    Garbled,
    /// More was said to it than it reads.
    TooLong,
    /// It does not take a request like this.
    Rejected,
    /// Its content filter does not let this pass.
    Filtered,
    /// The answer reached the model's limit of tokens.
    CutOff,
    /// It does not know the key, or the key may not.
    Unauthorized,
    /// Nothing is left of what was paid for.
    NoQuota,
    /// It has no such model, or nothing at this address.
    Unknown,
    /// As many calls are made as may be, by the settings.
    Capped,
    /// Called off from here.
    Cancelled,
}

impl Kind {
    /// What follows for whoever asked, when no other model is left.
    pub const fn class(self) -> Class {
        match self {
            Self::RateLimited(_)
            | Self::Overloaded(_)
            | Self::TimedOut
            | Self::Unreachable
            | Self::Garbled
            | Self::Capped => Class::Transient,
            Self::TooLong => Class::InvalidInput,
            Self::Rejected | Self::Filtered | Self::CutOff | Self::Unauthorized | Self::Unknown => Class::Permanent,
            Self::NoQuota => Class::Budget,
            Self::Cancelled => Class::NotStarted,
        }
    }

    /// In one word, for the log and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited(_) => "rate limit",
            Self::Overloaded(_) => "overloaded",
            Self::TimedOut => "timeout",
            Self::Unreachable => "unreachable",
            Self::Garbled => "garbled",
            Self::TooLong => "context too long",
            Self::Rejected => "bad request",
            Self::Filtered => "content filter",
            Self::CutOff => "token limit",
            Self::Unauthorized => "key refused",
            Self::NoQuota => "quota used up",
            Self::Unknown => "unknown model",
            Self::Capped => "limit of the settings",
            Self::Cancelled => "called off",
        }
    }

    /// How long the provider wants to be left alone.
    pub const fn after(self) -> Option<Duration> {
        match self {
            Self::RateLimited(after) | Self::Overloaded(after) => after,
            _ => None,
        }
    }
}

/// Why a model said nothing usable.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    pub usage: Usage,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), usage: Usage::default() }
    }
}

/// What a status and the words with it mean. The codes are those of the providers' own error pages:
/// OpenAI's `error.code`, Anthropic's `error.type`, Gemini's `error.status`, llama.cpp's `error.type`, Text
/// Generation Inference's `error_type`, the names of LiteLLM's exceptions.
pub fn meaning(status: u16, body: &str, after: Option<Duration>) -> Kind {
    let said = body.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|words| said.contains(words));
    let is_long = says(&[
        "context_length_exceeded",
        "exceed_context_size",
        "contextwindowexceeded",
        "maximum context length",
        "prompt is too long",
        "exceeds the maximum number of tokens",
        "payload size exceeds",
        "input token count",
        "max_new_tokens` must be <=",
        "`inputs` must have less than",
    ]);
    let is_filter = says(&[
        "content_filter",
        "content_policy",
        "content filtering",
        "invalid_prompt",
        "usage policy",
        "prohibited_content",
        "blockreason",
        "was blocked",
    ]);
    // Gemini's words for a rate limit and for a quota are the same, but for the name of the quota.
    let is_quota =
        says(&["insufficient_quota", "credit balance", "billing", "check your plan"]) && !says(&["perminute"]);
    // LiteLLM's proxy looks for a key that is not its own in a database, also where it has none.
    let is_key =
        says(&["api key not valid", "api_key_invalid", "invalid api key", "incorrect api key", "no_db_connection"]);
    let is_model = says(&["model_not_found", "model_not_supported"]);
    match status {
        401 | 403 => Kind::Unauthorized,
        402 => Kind::NoQuota,
        404 => Kind::Unknown,
        408 => Kind::TimedOut,
        413 => Kind::TooLong,
        429 if is_quota && after.is_none() => Kind::NoQuota,
        429 => Kind::RateLimited(after),
        400 | 422 if is_long => Kind::TooLong,
        400 | 422 if is_filter => Kind::Filtered,
        400 if is_model => Kind::Unknown,
        400 if is_key => Kind::Unauthorized,
        400 if is_quota => Kind::NoQuota,
        // The server was started without it.
        501 => Kind::Rejected,
        409 | 425 | 500..=599 => Kind::Overloaded(after),
        424 => Kind::Overloaded(after),
        _ => Kind::Rejected,
    }
}

/// For how long a provider asks to be left alone: by its headers (`retry-after-ms`, `retry-after` in seconds or
/// as a date), or as Gemini says it, in the body.
pub fn after<'h>(header: impl Fn(&str) -> Option<&'h str>, body: &str, now: jiff::Timestamp) -> Option<Duration> {
    let millis = header("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok()).map(|ms| ms / 1000.0);
    let header = header("retry-after").map(str::trim);
    let seconds = header.and_then(|text| text.parse::<f64>().ok());
    let date = || {
        let at = jiff::fmt::rfc2822::parse(header?).ok()?.timestamp();
        Some(at.duration_since(now).as_secs_f64())
    };
    let said = || {
        let body: Value = serde_json::from_str(body).ok()?;
        let body = body.get(0).cloned().unwrap_or(body);
        let details = body["error"]["details"].as_array()?;
        let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str())?;
        delay.trim_end_matches('s').parse::<f64>().ok()
    };
    let seconds = millis.or(seconds).or_else(date).or_else(said)?;
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_has_the_same_name_whoever_says_it() {
        let openai = |code: &str| format!(r#"{{"error": {{"message": "no", "type": "x", "code": "{code}"}}}}"#);
        for (status, body, wanted) in [
            (401, String::new(), Kind::Unauthorized),
            (403, String::new(), Kind::Unauthorized),
            (400, r#"{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}"#.into(), Kind::Unauthorized),
            (402, String::new(), Kind::NoQuota),
            (429, openai("insufficient_quota"), Kind::NoQuota),
            (400, r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}"#.into(), Kind::NoQuota),
            (429, openai("rate_limit_exceeded"), Kind::RateLimited(None)),
            (404, openai("model_not_found"), Kind::Unknown),
            (408, String::new(), Kind::TimedOut),
            (409, String::new(), Kind::Overloaded(None)),
            (413, r#"{"type": "error", "error": {"type": "request_too_large"}}"#.into(), Kind::TooLong),
            (400, openai("context_length_exceeded"), Kind::TooLong),
            (400, r#"{"error": {"message": "litellm.ContextWindowExceededError: litellm.BadRequestError: no", "type": null, "code": "400"}}"#.into(), Kind::TooLong),
            (400, r#"{"error": {"message": "No connected db.", "type": "no_db_connection", "param": null, "code": "400"}}"#.into(), Kind::Unauthorized),
            (400, r#"{"error": {"code": 400, "type": "exceed_context_size_error"}}"#.into(), Kind::TooLong),
            (400, r#"{"type": "error", "error": {"message": "prompt is too long: 210000 tokens"}}"#.into(), Kind::TooLong),
            (422, r#"{"error": "Input validation error: `inputs` must have less than 1024 tokens", "error_type": "validation"}"#.into(), Kind::TooLong),
            (400, openai("invalid_json_schema"), Kind::Rejected),
            (400, openai("content_filter"), Kind::Filtered),
            (500, String::new(), Kind::Overloaded(None)),
            (529, r#"{"type": "error", "error": {"type": "overloaded_error"}}"#.into(), Kind::Overloaded(None)),
            (424, r#"{"error": "no", "error_type": "generation"}"#.into(), Kind::Overloaded(None)),
            (400, openai("model_not_found"), Kind::Unknown),
            (400, openai("invalid_prompt"), Kind::Filtered),
            (429, r#"{"error": {"status": "RESOURCE_EXHAUSTED", "message": "check your plan and billing", "details": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}}"#.into(), Kind::RateLimited(None)),
            (429, r#"{"error": {"status": "RESOURCE_EXHAUSTED", "message": "check your plan and billing", "details": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}}"#.into(), Kind::NoQuota),
            (418, String::new(), Kind::Rejected),
            (501, r#"{"error": {"code": 501, "type": "not_supported_error"}}"#.into(), Kind::Rejected),
        ] {
            assert_eq!(meaning(status, &body, None), wanted, "{status} {body}");
        }
        let soon = Some(Duration::from_secs(1));
        assert_eq!(meaning(429, &openai("insufficient_quota"), soon), Kind::RateLimited(soon), "it says when");
    }

    #[test]
    fn how_long_to_wait_is_read_in_every_form() {
        let now = "2026-11-26T12:00:00Z".parse().expect("a time");
        let with = |name: &'static str, value: &'static str, body: &str| {
            after(|asked| (asked == name).then_some(value), body, now).map(|after| after.as_secs_f64())
        };
        assert_eq!(with("retry-after", "7", ""), Some(7.0));
        assert_eq!(with("retry-after", "1.5", ""), Some(1.5));
        assert_eq!(with("retry-after-ms", "250", ""), Some(0.25));
        assert_eq!(with("retry-after", "Thu, 26 Nov 2026 12:00:30 GMT", ""), Some(30.0));
        assert_eq!(with("retry-after", "Thu, 26 Nov 2026 11:00:00 GMT", ""), Some(0.0), "it is past");
        assert_eq!(with("retry-after", "soon", ""), None);
        let body = r#"{"error": {"code": 429, "details": [{"@type": "x"}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "21.5s"}]}}"#;
        assert_eq!(with("other", "1", body), Some(21.5));
        assert_eq!(with("other", "1", &format!("[{body}]")), Some(21.5));
        assert_eq!(with("other", "1", "not JSON"), None);
    }
}

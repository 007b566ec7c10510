//! OpenAI's errors: `{"error": {"message", "type", "param", "code"}}`.
//!
//! The status decides which exception the official library raises (`_client.py`, `_make_status_error`). Read in
//! public reports: the body for a context that is too small, and 402, which is OpenRouter's word for want of
//! credits. The others are written down as the API is known to speak, without a record: their form, `type` and
//! `code` matter, their words may be others.

use crate::{ApiError, Call, RetryAfter};
use serde_json::{Value, json};

/// How much is left, and for how long nothing more.
pub fn headers(error: &ApiError) -> Vec<(&'static str, String)> {
    let mut headers = vec![("x-request-id", "req_1".into())];
    if let ApiError::RateLimit(after) = error {
        headers.push(("x-ratelimit-limit-requests", "3".into()));
        headers.push(("x-ratelimit-remaining-requests", "0".into()));
        headers.push(("x-ratelimit-reset-requests", "20s".into()));
        headers.extend(after.header().map(|after| ("retry-after", after)));
    }
    headers
}

/// The status and the body; `None` if it is the gateway's.
pub fn body(call: &Call, error: &ApiError) -> Option<(u16, Value)> {
    let (model, invalid) = (&call.model, "invalid_request_error");
    Some(match error {
        ApiError::Invalid(wrong) => said(400, wrong, invalid, Value::Null, Value::Null),
        ApiError::Authentication => match &call.key {
            None => said(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
                invalid,
                Value::Null,
                Value::Null,
            ),
            Some(key) => {
                let wrong = format!(
                    "Incorrect API key provided: {}. You can find your API key at \
                     https://platform.openai.com/account/api-keys.",
                    masked(key)
                );
                said(401, &wrong, invalid, Value::Null, "invalid_api_key".into())
            }
        },
        ApiError::Permission => said(
            403,
            "Country, region, or territory not supported",
            "request_forbidden",
            Value::Null,
            "unsupported_country_region_territory".into(),
        ),
        ApiError::UnknownModel => said(
            404,
            &format!("The model `{model}` does not exist or you do not have access to it."),
            invalid,
            Value::Null,
            "model_not_found".into(),
        ),
        ApiError::RateLimit(after) => {
            let wait = if let RetryAfter::Seconds(seconds) = after { *seconds } else { 20 };
            said(
                429,
                &format!(
                    "Rate limit reached for {model} in organization org-1 on requests per min (RPM): Limit 3, Used \
                     3, Requested 1. Please try again in {wait}s."
                ),
                "requests",
                Value::Null,
                "rate_limit_exceeded".into(),
            )
        }
        ApiError::Quota => said(
            429,
            "You exceeded your current quota, please check your plan and billing details. For more information on \
             this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
            "insufficient_quota",
            Value::Null,
            "insufficient_quota".into(),
        ),
        ApiError::Payment => (
            402,
            json!({"error": {"code": 402,
                "message": "Insufficient credits. Add more using https://openrouter.ai/settings/credits"}}),
        ),
        ApiError::ContextLength => said(
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens. \
             Please reduce the length of the messages.",
            invalid,
            "messages".into(),
            "context_length_exceeded".into(),
        ),
        ApiError::Schema => said(
            400,
            "Invalid schema for response_format 'answer': In context=(), 'additionalProperties' is required to be \
             supplied and to be false.",
            invalid,
            "response_format".into(),
            Value::Null,
        ),
        ApiError::Filtered => said(
            400,
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again \
             with a different prompt.",
            invalid,
            Value::Null,
            "invalid_prompt".into(),
        ),
        ApiError::Conflict => said(
            409,
            "The resource was updated by another request. Please try again.",
            invalid,
            Value::Null,
            Value::Null,
        ),
        ApiError::Internal => said(
            500,
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
            Value::Null,
            Value::Null,
        ),
        ApiError::Overloaded => said(
            503,
            "The engine is currently overloaded, please try again later",
            "server_error",
            Value::Null,
            "overloaded".into(),
        ),
        ApiError::TooLarge => said(413, "The request is too large.", invalid, Value::Null, Value::Null),
        ApiError::Timeout | ApiError::Gateway(_) => return None,
    })
}

fn said(status: u16, message: &str, kind: &str, param: Value, code: Value) -> (u16, Value) {
    (status, json!({"error": {"message": message, "type": kind, "param": param, "code": code}}))
}

/// The API repeats the ends of a key that it doesn't know. Of a short one that is all.
fn masked(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    let shown = |at: usize| at < 8 || at + 4 >= characters.len();
    characters.iter().enumerate().map(|(at, c)| if shown(at) { *c } else { '*' }).collect()
}

//! Anthropic's errors: `{"type": "error", "error": {"type", "message"}, "request_id"}`.
//!
//! Statuses and types: the documentation's “Claude API errors”, and `types/shared` and `_error_classes.py` of
//! `anthropic` 2.14, which say what each is raised as. For want of credits users were told 400, with the message
//! here; the documentation knows 402 with `billing_error`. Other messages are without a record, and may change, says
//! the library: only the context's and the filter's have to be known by their words, as they have no type.

use crate::{ApiError, Call};
use serde_json::{Value, json};

pub const REQUEST: &str = "req_011CSHoEeqs5C35K2UUqR7Fy";

/// How much is left, and for how long nothing more.
pub fn headers(error: &ApiError) -> Vec<(&'static str, String)> {
    let mut headers = vec![("request-id", REQUEST.into())];
    if let ApiError::RateLimit(after) = error {
        headers.push(("anthropic-ratelimit-requests-limit", "50".into()));
        headers.push(("anthropic-ratelimit-requests-remaining", "0".into()));
        headers.push(("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:07Z".into()));
        headers.extend(after.header().map(|after| ("retry-after", after)));
    }
    headers
}

/// The status and the body; `None` if it is the gateway's.
pub fn body(call: &Call, error: &ApiError) -> Option<(u16, Value)> {
    let invalid = "invalid_request_error";
    Some(match error {
        ApiError::Invalid(wrong) => said(400, invalid, wrong),
        ApiError::Authentication if call.key.is_none() => {
            said(401, "authentication_error", "x-api-key header is required")
        }
        ApiError::Authentication => said(401, "authentication_error", "invalid x-api-key"),
        ApiError::Permission => {
            said(403, "permission_error", "Your API key does not have permission to use the specified resource.")
        }
        ApiError::UnknownModel => said(404, "not_found_error", &format!("model: {}", call.model)),
        ApiError::RateLimit(_) => said(
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50 requests per minute.",
        ),
        ApiError::ContextLength => said(400, invalid, "prompt is too long: 203456 tokens > 200000 maximum"),
        ApiError::Schema => said(
            400,
            invalid,
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        ),
        ApiError::TooLarge => said(413, "request_too_large", "Request exceeds the maximum size"),
        ApiError::Conflict => said(409, "conflict_error", "The resource was changed by another request."),
        ApiError::Quota => said(
            400,
            invalid,
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
             purchase credits.",
        ),
        ApiError::Payment => said(402, "billing_error", "There is an issue with your billing or payment information."),
        ApiError::Filtered => said(400, invalid, "Output blocked by content filtering policy"),
        ApiError::Internal => said(500, "api_error", "Internal server error"),
        ApiError::Overloaded => said(529, "overloaded_error", "Overloaded"),
        ApiError::Timeout => said(504, "timeout_error", "Request timed out"),
        ApiError::Gateway(_) => return None,
    })
}

fn said(status: u16, kind: &str, message: &str) -> (u16, Value) {
    let error = json!({"type": kind, "message": message});
    (status, json!({"type": "error", "error": error, "request_id": REQUEST}))
}

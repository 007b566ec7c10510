//! Gemini's errors: `{"error": {"code", "message", "status", "details"?}}`.
//!
//! Read in public reports: 429 with its details, among them `RetryInfo`, which is where the time to wait stands and
//! not a header. What is used up and what is too fast are both 429. Statuses and their names are those of
//! `google.rpc.Code`. A wrong key is not 401 but 400 with the reason `API_KEY_INVALID`; that and the other messages are
//! written down as the API is known to speak, without a record.

use crate::{ApiError, Call, Purpose, RetryAfter};
use serde_json::{Value, json};

/// A date for the next try is a proxy's: the API has no such header.
pub fn headers(error: &ApiError) -> Vec<(&'static str, String)> {
    match error {
        ApiError::RateLimit(after @ RetryAfter::At(_)) => {
            after.header().map(|after| ("retry-after", after)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The status and the body; `None` if it is the gateway's.
pub fn body(call: &Call, error: &ApiError) -> Option<(u16, Value)> {
    let model = &call.model;
    Some(match error {
        ApiError::Invalid(wrong) => said(400, "INVALID_ARGUMENT", wrong, vec![]),
        ApiError::Authentication if call.key.is_none() => said(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
             other form of API consumer identity to call this API.",
            vec![],
        ),
        ApiError::Authentication => {
            let info = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}});
            let message = json!({"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US",
                "message": "API key not valid. Please pass a valid API key."});
            said(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", vec![info, message])
        }
        ApiError::Permission => said(403, "PERMISSION_DENIED", "The caller does not have permission", vec![]),
        ApiError::UnknownModel => {
            let method = if call.purpose == Purpose::Embedding { "embedContent" } else { "generateContent" };
            said(
                404,
                "NOT_FOUND",
                &format!(
                    "models/{model} is not found for API version v1beta, or is not supported for {method}. Call \
                     ListModels to see the list of available models and their supported methods."
                ),
                vec![],
            )
        }
        ApiError::RateLimit(after) => {
            let mut details = vec![
                json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
                "quotaDimensions": {"location": "global", "model": model}, "quotaValue": "10"}]}),
                help(),
            ];
            if let RetryAfter::Seconds(seconds) = after {
                details.push(
                    json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s")}),
                );
            }
            said(429, "RESOURCE_EXHAUSTED", USED_UP, details)
        }
        ApiError::Quota => {
            let day = json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
                "quotaDimensions": {"location": "global", "model": model}, "quotaValue": "250"}]});
            said(429, "RESOURCE_EXHAUSTED", USED_UP, vec![day, help()])
        }
        ApiError::Payment => said(
            400,
            "FAILED_PRECONDITION",
            "Gemini API free tier is not available in your country. Please enable billing on your project in Google \
             AI Studio.",
            vec![],
        ),
        ApiError::ContextLength => said(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200032) exceeds the maximum number of tokens allowed (1048576).",
            vec![],
        ),
        ApiError::Schema => said(
            400,
            "INVALID_ARGUMENT",
            "* GenerateContentRequest.generation_config.response_schema.properties: should be non-empty for OBJECT \
             type\n",
            vec![],
        ),
        ApiError::TooLarge => {
            said(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes.", vec![])
        }
        ApiError::Conflict => said(409, "ABORTED", "The operation was aborted.", vec![]),
        ApiError::Filtered => said(400, "INVALID_ARGUMENT", "The request was blocked.", vec![]),
        ApiError::Internal => said(
            500,
            "INTERNAL",
            "An internal error has occurred. Please retry or report in \
             https://developers.generativeai.google/guide/troubleshooting",
            vec![],
        ),
        ApiError::Overloaded => said(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", vec![]),
        ApiError::Timeout => {
            said(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", vec![])
        }
        ApiError::Gateway(_) => return None,
    })
}

const USED_UP: &str = "You exceeded your current quota, please check your plan and billing details. For more \
    information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.";

fn help() -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.Help", "links": [{
        "description": "Learn more about Gemini API quotas",
        "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}]})
}

fn said(code: u16, status: &str, message: &str, details: Vec<Value>) -> (u16, Value) {
    let mut error = json!({"code": code, "message": message, "status": status});
    if !details.is_empty() {
        error["details"] = details.into();
    }
    (code, json!({"error": error}))
}

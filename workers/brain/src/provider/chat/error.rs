//! What an error of genai means.

use crate::provider::{Failure, Kind, failure};
use schemas::Value;
use std::time::Duration;

/// By what it means, with the provider's words.
pub fn failed(error: &genai::Error) -> Failure {
    let (status, body, after) = told_by(error);
    let kind = match status {
        Some(status) => failure::meaning(status, &body, after),
        None if is_timeout(error) => Kind::TimedOut,
        None if is_words(error) => Kind::Garbled,
        None => Kind::Unreachable,
    };
    let status = status.map(|status| format!("({status}) ")).unwrap_or_default();
    Failure::new(kind, format!("{status}{}", body.trim()))
}

type Told = (Option<u16>, String, Option<Duration>);

fn told_by(error: &genai::Error) -> Told {
    use genai::Error as E;
    match error {
        E::HttpError { status, body, headers, .. } => (Some(status.as_u16()), body.clone(), wait(headers, body)),
        E::WebModelCall { webc_error, .. } | E::WebAdapterCall { webc_error, .. } => {
            let body = match webc_error {
                genai::webc::Error::ResponseFailedStatus { body, .. } => body.clone(),
                other => chain(other),
            };
            let after = webc_error.headers().and_then(|headers| wait(headers, &body));
            (webc_error.status().map(|status| status.as_u16()), body, after)
        }
        E::WebStream { cause, error, .. } => {
            let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
            while let Some(found) = source {
                if let Some(inner) = found.downcast_ref::<genai::Error>() {
                    return told_by(inner);
                }
                source = found.source();
            }
            (None, cause.clone(), None)
        }
        // An error in place of the rest of the answer: its words say what it means.
        E::ChatResponse { body, .. } => {
            let said = body.to_string();
            (Some(status_in(body)), said, None)
        }
        other => (None, other.to_string(), None),
    }
}

/// The status that an error in the middle of a stream would have had in place of the answer.
fn status_in(body: &Value) -> u16 {
    let error = body.get("error").unwrap_or(body);
    let code = error["code"].as_u64().or_else(|| error["status"].as_u64()).and_then(|code| u16::try_from(code).ok());
    let named = ["type", "code", "status"].iter().filter_map(|field| error[*field].as_str());
    let named = named.map(|name| match name.to_lowercase().as_str() {
        "rate_limit_error" | "rate_limit_exceeded" | "resource_exhausted" | "insufficient_quota" => 429,
        "authentication_error" | "invalid_api_key" | "unauthenticated" => 401,
        "permission_error" | "permission_denied" => 403,
        "not_found_error" | "model_not_found" | "not_found" => 404,
        "invalid_request_error" | "invalid_argument" | "context_length_exceeded" | "content_filter" => 400,
        _ => 0,
    });
    code.filter(|code| (400..600).contains(code)).or_else(|| named.max().filter(|code| *code > 0)).unwrap_or(500)
}

#[expect(clippy::disallowed_methods, reason = "the edge: a provider may say a date to wait for")]
fn wait(headers: &reqwest::header::HeaderMap, body: &str) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    failure::after(header, body, jiff::Timestamp::now())
}

/// Did nothing come for too long?
fn is_timeout(error: &genai::Error) -> bool {
    let words = error.to_string().to_lowercase();
    words.contains("timeout") || words.contains("timed out")
}

/// Was there an answer, but none that can be read?
fn is_words(error: &genai::Error) -> bool {
    use genai::Error as E;
    let unreadable = |error: &genai::webc::Error| {
        use genai::webc::Error as W;
        matches!(error, W::ResponseFailedNotJson { .. } | W::ResponseFailedInvalidJson { .. } | W::JsonValueExt(_))
    };
    match error {
        E::StreamParse { .. } | E::ChatResponseGeneration { .. } | E::InvalidJsonResponseElement { .. } => true,
        E::SerdeJson(_) | E::JsonValueExt(_) | E::NoChatResponse { .. } => true,
        E::WebModelCall { webc_error, .. } | E::WebAdapterCall { webc_error, .. } => unreadable(webc_error),
        _ => false,
    }
}

/// An error with what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(found) = source {
        words.push_str(&format!(": {found}"));
        source = found.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_within_a_stream_has_the_status_that_it_would_have_had() {
        for (body, status) in [
            (json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), 500),
            (json!({"error": {"type": "rate_limit_error"}}), 429),
            (json!({"error": {"code": 503, "status": "UNAVAILABLE"}}), 503),
            (json!({"error": {"code": "context_length_exceeded", "type": "invalid_request_error"}}), 400),
            (json!({"message": "?"}), 500),
        ] {
            assert_eq!(status_in(&body), status, "{body}");
        }
    }
}

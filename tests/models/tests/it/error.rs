//! Errors that a provider tells: the provider's library knows each for what it is.

use crate::sdk::ask;
use model_servers::{ApiError, Dialect, Fault, RetryAfter, Server};
use serde_json::{Value, json};

/// An error, its status, the class that is raised for it, and what else must be in the body.
type Row = (ApiError, u16, &'static str, &'static str);

const ONE: RetryAfter = RetryAfter::Seconds(7);

fn openai() -> Vec<Row> {
    vec![
        (ApiError::Authentication, 401, "AuthenticationError", "invalid_api_key"),
        (ApiError::Permission, 403, "PermissionDeniedError", "unsupported_country_region_territory"),
        (ApiError::UnknownModel, 404, "NotFoundError", "model_not_found"),
        (ApiError::RateLimit(RetryAfter::Unsaid), 429, "RateLimitError", "rate_limit_exceeded"),
        (ApiError::RateLimit(ONE), 429, "RateLimitError", "Please try again in 7s"),
        (ApiError::ContextLength, 400, "BadRequestError", "context_length_exceeded"),
        (ApiError::Schema, 400, "BadRequestError", "response_format"),
        (ApiError::TooLarge, 413, "APIStatusError", "too large"),
        (ApiError::Conflict, 409, "ConflictError", "another request"),
        (ApiError::Quota, 429, "RateLimitError", "insufficient_quota"),
        (ApiError::Payment, 402, "APIStatusError", "Insufficient credits"),
        (ApiError::Filtered, 400, "BadRequestError", "invalid_prompt"),
        (ApiError::Internal, 500, "InternalServerError", "server_error"),
        (ApiError::Overloaded, 503, "InternalServerError", "overloaded"),
        (ApiError::Timeout, 504, "InternalServerError", "504"),
    ]
}

fn anthropic() -> Vec<Row> {
    vec![
        (ApiError::Authentication, 401, "AuthenticationError", "authentication_error"),
        (ApiError::Permission, 403, "PermissionDeniedError", "permission_error"),
        (ApiError::UnknownModel, 404, "NotFoundError", "not_found_error"),
        (ApiError::RateLimit(RetryAfter::Unsaid), 429, "RateLimitError", "rate_limit_error"),
        (ApiError::RateLimit(ONE), 429, "RateLimitError", "rate_limit_error"),
        (ApiError::ContextLength, 400, "BadRequestError", "prompt is too long"),
        (ApiError::Schema, 400, "BadRequestError", "output_config.format.schema"),
        (ApiError::TooLarge, 413, "ContentTooLargeError", "request_too_large"),
        (ApiError::Conflict, 409, "ConflictError", "conflict_error"),
        (ApiError::Quota, 400, "BadRequestError", "credit balance is too low"),
        (ApiError::Payment, 402, "PaymentRequiredError", "billing_error"),
        (ApiError::Filtered, 400, "BadRequestError", "content filtering policy"),
        (ApiError::Internal, 500, "InternalServerError", "api_error"),
        (ApiError::Overloaded, 529, "OverloadedError", "overloaded_error"),
        (ApiError::Timeout, 504, "GatewayTimeoutError", "timeout_error"),
    ]
}

fn gemini() -> Vec<Row> {
    vec![
        (ApiError::Authentication, 400, "ClientError", "API_KEY_INVALID"),
        (ApiError::Permission, 403, "ClientError", "PERMISSION_DENIED"),
        (ApiError::UnknownModel, 404, "ClientError", "NOT_FOUND"),
        (ApiError::RateLimit(RetryAfter::Unsaid), 429, "ClientError", "RequestsPerMinute"),
        (ApiError::RateLimit(ONE), 429, "ClientError", r#""retryDelay": "7s""#),
        (ApiError::ContextLength, 400, "ClientError", "exceeds the maximum number of tokens"),
        (ApiError::Schema, 400, "ClientError", "response_schema"),
        (ApiError::TooLarge, 400, "ClientError", "payload size exceeds"),
        (ApiError::Conflict, 409, "ClientError", "ABORTED"),
        (ApiError::Quota, 429, "ClientError", "RequestsPerDay"),
        (ApiError::Payment, 400, "ClientError", "FAILED_PRECONDITION"),
        (ApiError::Filtered, 400, "ClientError", "INVALID_ARGUMENT"),
        (ApiError::Internal, 500, "ServerError", "INTERNAL"),
        (ApiError::Overloaded, 503, "ServerError", "UNAVAILABLE"),
        (ApiError::Timeout, 504, "ServerError", "DEADLINE_EXCEEDED"),
    ]
}

/// Those that differ from OpenAI's by more than the name of the class.
fn hugging_face() -> Vec<Row> {
    let own = [
        (ApiError::Authentication, 401, "HfHubHTTPError", "Invalid username or password"),
        (ApiError::UnknownModel, 400, "BadRequestError", "model_not_found"),
        (ApiError::Quota, 402, "HfHubHTTPError", "monthly included credits"),
        (ApiError::Payment, 402, "HfHubHTTPError", "monthly included credits"),
        (ApiError::Overloaded, 503, "HfHubHTTPError", "Model too busy"),
    ];
    let theirs = openai().into_iter().filter(|(error, ..)| own.iter().all(|(mine, ..)| mine != error));
    let class = |status| if status == 400 { "BadRequestError" } else { "HfHubHTTPError" };
    let theirs = theirs.map(|(error, status, _, mark)| (error, status, class(status), mark));
    own.clone().into_iter().chain(theirs).collect()
}

/// What no row is for is a proxy's.
fn llama_cpp() -> Vec<Row> {
    vec![
        (ApiError::Authentication, 401, "HTTPError", "authentication_error"),
        (ApiError::Permission, 403, "HTTPError", "permission_error"),
        (ApiError::UnknownModel, 404, "HTTPError", "not_found_error"),
        (ApiError::ContextLength, 400, "HTTPError", "exceed_context_size_error"),
        (ApiError::Schema, 400, "HTTPError", "JSON schema conversion failed"),
        (ApiError::Internal, 500, "HTTPError", "server_error"),
        (ApiError::Overloaded, 503, "HTTPError", "unavailable_error"),
    ]
}

/// What no row is for is a proxy's.
fn tgi() -> Vec<Row> {
    vec![
        (ApiError::Authentication, 401, "HfHubHTTPError", ""),
        (ApiError::RateLimit(RetryAfter::Unsaid), 429, "OverloadedError", "overloaded"),
        (ApiError::RateLimit(ONE), 429, "OverloadedError", "overloaded"),
        (ApiError::ContextLength, 422, "ValidationError", "must be <= 4096"),
        (ApiError::Schema, 422, "ValidationError", "Grammar is not valid"),
        (ApiError::Internal, 424, "GenerationError", "generation"),
        (ApiError::Overloaded, 429, "OverloadedError", "overloaded"),
        (ApiError::Timeout, 500, "IncompleteGenerationError", "incomplete_generation"),
    ]
}

fn check(dialect: Dialect, rows: &[Row]) {
    let server = Server::start(dialect, |call| {
        let which: usize = call.text.parse().expect("the prompt is the number of an error");
        Fault::Error(ApiError::ALL[which].clone()).into()
    });
    for (which, error) in ApiError::ALL.iter().enumerate() {
        // The class is the same, be the answer a stream or not: the error comes in its place.
        let asked = json!({"prompt": which.to_string(), "stream": which % 2 == 0});
        let told = ask(dialect, &server, "chat", &asked);
        let (status, body) = (told["status"].as_u64(), told["body"].as_str().unwrap_or_default());
        match rows.iter().find(|(known, ..)| known == error) {
            Some((_, code, raised, mark)) => {
                // This library reads no stream that has failed; what it says of it is the body's error.
                let said = if body.is_empty() { told["message"].as_str().unwrap_or_default() } else { body };
                assert_eq!(told["raised"], *raised, "{error:?}: {told}");
                assert_eq!(status, Some(u64::from(*code)), "{error:?}: {told}");
                assert!(said.contains(mark), "{error:?}: no {mark} in {told}");
            }
            None => assert!(status.is_some_and(|status| status >= 400), "{error:?}: {told}"),
        }
        if let ApiError::Gateway(code) = error {
            assert_eq!(status, Some(u64::from(*code)), "{told}");
        }
        let after =
            (*error == ApiError::RateLimit(ONE) && dialect != Dialect::Gemini && has_limits(dialect)).then_some("7");
        assert_eq!(told["retry_after"].as_str(), after, "{error:?}: {told}");
    }
    assert_eq!(server.calls().len(), ApiError::ALL.len(), "nothing was asked twice");
}

fn has_limits(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::LlamaCpp | Dialect::Tgi)
}

#[test]
fn openai_errors_are_told_apart() {
    check(Dialect::OpenAi, &openai());
}

#[test]
fn anthropic_errors_are_told_apart() {
    check(Dialect::Anthropic, &anthropic());
}

#[test]
fn gemini_errors_are_told_apart() {
    check(Dialect::Gemini, &gemini());
}

#[test]
fn hugging_face_errors_are_told_apart() {
    check(Dialect::HuggingFace, &hugging_face());
}

#[test]
fn llama_cpp_errors_are_told_apart() {
    check(Dialect::LlamaCpp, &llama_cpp());
}

#[test]
fn tgi_errors_are_told_apart() {
    check(Dialect::Tgi, &tgi());
}

/// The form of a date is that of HTTP, and it is in a header in every dialect that has limits.
#[test]
fn the_time_of_the_next_try_may_be_a_date() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| has_limits(*dialect)) {
        let at = "2026-12-24T18:30:00Z".parse().unwrap();
        let server = Server::start(dialect, move |_| Fault::Error(ApiError::RateLimit(RetryAfter::At(at))).into());
        let told = ask(dialect, &server, "chat", &json!({"prompt": "Now?"}));
        let (status, after) = (told["status"].as_u64(), told["retry_after"].as_str());
        assert_eq!((status, after), (Some(429), Some("Thu, 24 Dec 2026 18:30:00 GMT")), "{told}");
    }
}

#[test]
fn the_openai_error_repeats_no_more_than_the_ends_of_a_key() {
    let server = Server::start(Dialect::OpenAi, |_| Fault::Error(ApiError::Authentication).into());
    let told = ask(Dialect::OpenAi, &server, "chat", &json!({"prompt": "?", "key": "sk-verysecretindeed"}));
    let body = told["body"].as_str().unwrap_or_default();
    assert!(body.contains("sk-verys*******deed") && !body.contains("secret"), "{told}");
    assert_eq!(server.calls()[0].key.as_deref(), Some("sk-verysecretindeed"));
    assert_ne!(told["body"], Value::Null);
}

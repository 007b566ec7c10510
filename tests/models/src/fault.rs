//! What can go wrong, by meaning. How a provider says it is the dialect's affair.

use jiff::Timestamp;

/// How big an answer is that nobody should read to its end: 50 MB.
pub const HUGE: usize = 50 << 20;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An error in place of the answer.
    Error(ApiError),
    /// An error once the answer has begun. It is a stream's: one that is not wanted has the error in its place.
    Late(ApiError),
    /// Nothing more comes, and the connection stays open.
    Hang(Point),
    /// The connection ends.
    Cut(Point),
    /// The answer ends there as if it were whole: what makes an end of it never comes.
    Short(Point),
    /// A page for people in place of the answer, as from a hotel's network.
    WrongType,
    /// In the midst of the answer stands the first half of a character in UTF-8.
    HalfCharacter,
    /// A text of that many bytes; [`HUGE`] ones, say.
    Huge(usize),
}

/// How far an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Nothing,
    Headers,
    /// A first piece; of what is no stream, half of it.
    Begun,
    /// Half of the arguments of a call of a tool.
    Arguments,
}

/// An error that a provider tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// The request is malformed; what is wrong.
    Invalid(String),
    /// The key is missing or wrong.
    Authentication,
    /// The key may not do that.
    Permission,
    UnknownModel,
    /// Too many requests for now.
    RateLimit(RetryAfter),
    /// The prompt doesn't fit the model's context.
    ContextLength,
    /// The JSON Schema for the answer is not one that the provider takes.
    Schema,
    /// The request has too many bytes.
    TooLarge,
    /// Somebody else is at it.
    Conflict,
    /// What was paid for is used up.
    Quota,
    /// Something has to be paid first: 402 wherever there is such an answer.
    Payment,
    /// A filter would not have the prompt, or the answer.
    Filtered,
    /// A fault of the provider's own.
    Internal,
    /// The provider can't keep up.
    Overloaded,
    /// It takes the provider too long.
    Timeout,
    /// A status and a page, from the proxy before the provider: 408, 502, 503, 529 or any other.
    Gateway(u16),
}

/// How long to wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    Unsaid,
    Seconds(u64),
    At(Timestamp),
}

impl ApiError {
    /// Each that needs no telling what is wrong, the gateway's with those statuses that proxies send.
    pub const ALL: [Self; 22] = [
        Self::Authentication,
        Self::Permission,
        Self::UnknownModel,
        Self::RateLimit(RetryAfter::Unsaid),
        Self::RateLimit(RetryAfter::Seconds(7)),
        Self::ContextLength,
        Self::Schema,
        Self::TooLarge,
        Self::Conflict,
        Self::Quota,
        Self::Payment,
        Self::Filtered,
        Self::Internal,
        Self::Overloaded,
        Self::Timeout,
        Self::Gateway(408),
        Self::Gateway(413),
        Self::Gateway(429),
        Self::Gateway(502),
        Self::Gateway(503),
        Self::Gateway(504),
        Self::Gateway(529),
    ];
}

impl ApiError {
    /// What a proxy says for it.
    pub(crate) fn usual_status(&self) -> u16 {
        match self {
            Self::Gateway(status) => *status,
            Self::Invalid(_) | Self::ContextLength | Self::Schema | Self::Filtered => 400,
            Self::Authentication => 401,
            Self::Quota | Self::Payment => 402,
            Self::Permission => 403,
            Self::UnknownModel => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimit(_) => 429,
            Self::Internal => 500,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }
}

impl RetryAfter {
    /// The value of the header `Retry-After`.
    pub(crate) fn header(self) -> Option<String> {
        match self {
            Self::Unsaid => None,
            Self::Seconds(seconds) => Some(seconds.to_string()),
            Self::At(time) => jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok(),
        }
    }
}

//! What can go wrong in a model call, with its category: the one vocabulary that retries, hints and exit
//! statuses branch on.

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// The request and its answer do not fit the model's context.
    ContextOverflow,
    /// No valid credential (401).
    Authentication,
    /// The credential may not do this (403).
    Permission,
    /// No such model or endpoint (404).
    NotFound,
    /// Money or quota is needed (402).
    PaymentRequired,
    /// Too many requests (429).
    RateLimit,
    /// The provider has no capacity (503, 529).
    Overloaded,
    /// The provider did not accept the request (other 4xx).
    InvalidRequest,
    /// The provider failed (other 5xx).
    Server,
    /// Nothing came for too long.
    Timeout,
    /// The connection could not be made or broke.
    Network,
    /// The peer's certificate or handshake was not acceptable.
    Tls,
    /// The host's name did not resolve.
    Dns,
    /// The answer is not what the wire speaks.
    Protocol,
    /// The answer is larger than the limits allow.
    TooLarge,
    /// Anything else.
    Other,
}

/// One failure of a model call. Built by the functions of this module, so that the wording is in one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// To branch on.
    pub category: Category,
    /// HTTP status, where there was one.
    pub status: Option<u16>,
    /// The provider's own error code or type.
    pub code: Option<String>,
    /// What happened, to what: lower case, no period, no markup, no secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The provider asked to wait this long, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

//! Error codes, and the `data` that every error carries.

/// The line is not JSON, or not UTF-8, or too long, or too deeply nested.
pub const PARSE_ERROR: i32 = -32700;
/// The message is not a request.
pub const INVALID_REQUEST: i32 = -32600;
/// No such method.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// `params` do not fit the method; `data.path` names the field.
pub const INVALID_PARAMS: i32 = -32602;
/// Aside failed.
pub const INTERNAL_ERROR: i32 = -32603;
/// A provider needs a credential.
pub const AUTH_REQUIRED: i32 = -32000;
/// More is waiting than the server takes; send it again later.
pub const OVERLOADED: i32 = -32001;
/// No such session, model or provider.
pub const NOT_FOUND: i32 = -32002;
/// The session is at work, or another process holds it.
pub const BUSY: i32 = -32003;
/// A file or folder could not be used.
pub const STORAGE: i32 = -32004;
/// The server is ending.
pub const SHUTTING_DOWN: i32 = -32005;
/// The request was cancelled before it began.
pub const CANCELLED: i32 = -32800;

open_enum! {
    /// What an error is about, to branch on.
    ErrorKind {
        /// The line could not be read as JSON.
        Parse = "parse",
        /// The message is not a request.
        InvalidRequest = "invalidRequest",
        /// No such method.
        MethodNotFound = "methodNotFound",
        /// A field of `params` is missing or wrong.
        InvalidParams = "invalidParams",
        /// Aside failed.
        Internal = "internal",
        /// A provider needs a credential, or refused the one it got.
        AuthRequired = "authRequired",
        /// The server, or the provider, has no capacity.
        Overloaded = "overloaded",
        /// No such session, model or provider.
        NotFound = "notFound",
        /// The session is at work, or another process holds it.
        Busy = "busy",
        /// A file or folder could not be used.
        Storage = "storage",
        /// The server is ending.
        ShuttingDown = "shuttingDown",
        /// Cancelled.
        Cancelled = "cancelled",
        /// The credential may not do this.
        PermissionDenied = "permissionDenied",
        /// The provider wants money.
        PaymentRequired = "paymentRequired",
        /// Too many requests.
        RateLimited = "rateLimited",
        /// The conversation does not fit the model's context.
        ContextOverflow = "contextOverflow",
        /// The provider did not accept the request.
        ProviderRejected = "providerRejected",
        /// The provider failed.
        ProviderFailed = "providerFailed",
        /// Nothing came for too long.
        Timeout = "timeout",
        /// The connection could not be made or broke.
        Network = "network",
        /// The peer's certificate was not accepted.
        Tls = "tls",
        /// The host's name did not resolve.
        Dns = "dns",
        /// The answer is not what the provider's API speaks.
        Protocol = "protocol",
        /// An item grew beyond its limit.
        TooLarge = "tooLarge",
        /// The prompt caused more model calls than one turn may.
        TooManyCalls = "tooManyCalls",
        /// The person, or the provider, declined the sign-in.
        LoginDenied = "loginDenied",
        /// The page or the code of a sign-in was used too late, or twice.
        LoginExpired = "loginExpired",
        /// What came back belongs to another sign-in.
        LoginMismatch = "loginMismatch",
        /// The port that a browser comes back to is in use, and nobody can paste.
        LoginPort = "loginPort",
        /// The workspace or organisation does not allow the sign-in.
        LoginForbidden = "loginForbidden",
        /// The account has no plan that includes this.
        PlanMissing = "planMissing",
        /// This machine's clock is off.
        ClockOff = "clockOff",
        /// The account has the model, but it must be enabled first.
        ModelNotEnabled = "modelNotEnabled",
    }
}

objects! {
    /// `error.data` of every JSON-RPC error.
    pub struct ErrorData {
        /// To branch on.
        pub kind: ErrorKind,
        /// What to do about it.
        pub hint: Option<String>,
        /// JSON Pointer of the field that is wrong, for `invalidParams`.
        pub path: Option<String>,
        /// Milliseconds after which to try again.
        pub retry_after_ms: Option<u64>,
    }

    /// Why a turn ended with `stopReason: "error"`.
    pub struct TurnError {
        /// To branch on.
        pub kind: ErrorKind,
        /// What happened, to what.
        pub message: String,
        /// What to do about it.
        pub hint: Option<String>,
        /// The id of the provider that failed; null where it was none.
        pub provider: Option<String>,
        /// The provider's HTTP status.
        pub status: Option<u16>,
        /// The provider's own code.
        pub code: Option<String>,
        /// The provider asked to wait this long, in milliseconds.
        pub retry_after_ms: Option<u64>,
    }
}

//! How bytes reach a service: one attempt of one exchange, and what can go wrong with it.

use std::time::Duration;

use crate::Cancel;

/// What an exchange does at the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Carries a sealed message. A service answers the same bytes the same way each time and counts
    /// them once, so the very same bytes may be sent again.
    Post,
}

/// One exchange, to be attempted once.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// What it does.
    pub method: Method,
    /// Address of the resource.
    pub url: &'a str,
    /// Sealed message of a [`Method::Post`]; empty with [`Method::Get`].
    pub body: &'a [u8],
    /// Largest body of an answer in bytes. A longer one is refused, by its announced length before a
    /// byte is read, else as soon as it is longer.
    pub limit: usize,
    /// Longest time for the whole exchange, from resolving the name to the last byte.
    pub timeout: Duration,
    /// Ends the exchange at once when triggered, wherever it stands, with
    /// [`TransportError::Cancelled`].
    pub cancel: &'a Cancel,
}

/// What came back, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// HTTP status (RFC 9110 section 15).
    pub status: u16,
    /// `Retry-After` in seconds (RFC 9110 section 10.2.3), where given that way.
    pub retry_after: Option<Duration>,
    /// The body, within the request's limit.
    pub body: Vec<u8>,
}

/// Why no usable answer came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection to the service.
    #[error("cannot connect to {url}: {reason}; check the address and that the service runs")]
    Connect {
        /// The resource.
        url: String,
        /// The system's words.
        reason: String,
    },
    /// The time for the exchange is over.
    #[error("{url} did not answer in time ({what}); try again later")]
    Timeout {
        /// The resource.
        url: String,
        /// What was being waited for.
        what: String,
    },
    /// The connection ended inside the answer.
    #[error("the answer of {url} was cut short: {reason}; try again")]
    Cut {
        /// The resource.
        url: String,
        /// The system's words.
        reason: String,
    },
    /// The answer exceeds its limit.
    #[error(
        "the answer of {url} exceeds {limit} bytes; this is not the service, or something stands \
         before it"
    )]
    TooLarge {
        /// The resource.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The service's TLS certificate or handshake is not acceptable.
    #[error("no secure connection to {url}: {reason}")]
    Tls {
        /// The resource.
        url: String,
        /// The TLS library's words.
        reason: String,
    },
    /// The caller ended the exchange.
    #[error("the exchange with {url} was cancelled")]
    Cancelled {
        /// The resource.
        url: String,
    },
    /// What came back is not HTTP, or not of the form asked for.
    #[error("{url} does not speak HTTP as expected: {reason}")]
    Protocol {
        /// The resource.
        url: String,
        /// The HTTP library's words.
        reason: String,
    },
    /// The service answered with an error of its own, unsealed: anyone on the way could have said it.
    #[error("{url} answered HTTP {status}{}{message}", if .message.is_empty() { "" } else { ": " })]
    Answer {
        /// The resource.
        url: String,
        /// HTTP status.
        status: u16,
        /// The service's code, such as `wrong-service`.
        code: Option<String>,
        /// Its words, shortened.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
}

impl TransportError {
    /// True when the same bytes may succeed a moment later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Cut { .. } => true,
            // 408 Request Timeout, 429 Too Many Requests, 502 to 504: a proxy or an overloaded service.
            Self::Answer { status, .. } => matches!(status, 408 | 429 | 502 | 503 | 504),
            Self::TooLarge { .. }
            | Self::Tls { .. }
            | Self::Protocol { .. }
            | Self::Cancelled { .. } => false,
        }
    }

    /// The words on why, to say more of the way.
    pub(crate) const fn reason_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Connect { reason, .. }
            | Self::Cut { reason, .. }
            | Self::Tls { reason, .. }
            | Self::Protocol { reason, .. } => Some(reason),
            Self::Timeout { what, .. } => Some(what),
            Self::Answer { message, .. } => Some(message),
            Self::TooLarge { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// How long the service asks to wait before the next attempt.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Carries one exchange, once. Repeating is the caller's business.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
pub trait Transport: Send + Sync {
    /// Sends the request and reads the whole answer.
    ///
    /// # Errors
    /// [`TransportError`]; an answer with an HTTP error status is an answer, not an error.
    #[allow(clippy::needless_lifetimes)] // mockall needs the lifetime named
    fn exchange<'a>(&self, request: &HttpRequest<'a>) -> Result<HttpResponse, TransportError>;
}

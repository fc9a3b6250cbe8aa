//! What a sender is told when there is no sealed answer for it.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::metrics::Rejection;
use crate::names::Named;
use crate::registry::RegistryError;
use crate::service::Fault;
use crate::usage::Flaw;

/// A refusal outside the protocol. It repeats nothing of the request.
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    expected: &'static str,
    rejection: Option<Rejection>,
    /// What is wrong one by one, with its place, where that is known.
    flaws: Vec<Flaw>,
}

/// The body of a refusal.
#[derive(Serialize)]
struct ProblemBody<'a> {
    code: &'a str,
    message: &'a str,
    expected: &'a str,
    #[serde(skip_serializing_if = "<[Flaw]>::is_empty")]
    flaws: &'a [Flaw],
}

impl Problem {
    fn of(
        rejection: Rejection,
        status: StatusCode,
        message: impl Into<String>,
        expected: &'static str,
    ) -> Self {
        let code = rejection.word();
        Self {
            status,
            code,
            message: message.into(),
            expected,
            rejection: Some(rejection),
            flaws: Vec::new(),
        }
    }

    /// What metrics count this as; none for what only the operator sees.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        self.rejection
    }

    pub(super) fn overloaded() -> Self {
        Self::of(
            Rejection::Overloaded,
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests at once",
            "the same request again after the time in Retry-After",
        )
    }

    pub(super) fn internal() -> Self {
        Self::of(
            Rejection::Internal,
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; its log says why",
            "the same request again later",
        )
    }

    pub(super) fn content_type() -> Self {
        Self::of(
            Rejection::ContentType,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type is not one of a protocol message",
            "Content-Type: application/cose or application/cbor-seq",
        )
    }

    pub(super) fn body_too_large(cap: usize) -> Self {
        Self::of(
            Rejection::BodyTooLarge,
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {cap} bytes"),
            "a message within its size cap",
        )
    }

    pub(super) fn body_timeout() -> Self {
        Self::of(
            Rejection::BodyTimeout,
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time",
            "the whole body at once",
        )
    }

    pub(super) fn body_cut() -> Self {
        Self::of(
            Rejection::BodyCut,
            StatusCode::BAD_REQUEST,
            "the body ended before its length",
            "the whole body",
        )
    }

    pub(super) fn not_found() -> Self {
        Self::operator(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is nothing at this address",
        )
    }

    pub(super) fn method() -> Self {
        Self::operator(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "this address does not take this method",
        )
    }

    pub(super) fn unauthorised() -> Self {
        Self {
            expected: "Authorization: Bearer and the text of admin.token",
            ..Self::operator(
                StatusCode::UNAUTHORIZED,
                "unauthorised",
                "no valid admin token",
            )
        }
    }

    /// A body that is no JSON of the expected form. serde's message names line and field.
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self {
            expected: "JSON as the message says",
            ..Self::operator(StatusCode::BAD_REQUEST, "json", error.to_string())
        }
    }

    /// A query or path part of another form than expected.
    pub(super) fn parameter(expected: &'static str) -> Self {
        Self {
            expected,
            ..Self::operator(
                StatusCode::BAD_REQUEST,
                "parameter",
                "a parameter is not understood",
            )
        }
    }

    fn operator(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            expected: "",
            rejection: None,
            flaws: Vec::new(),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let rejection = fault.rejection();
        let message = fault.to_string();
        let bad = |expected| {
            Self::of(
                rejection,
                StatusCode::BAD_REQUEST,
                message.clone(),
                expected,
            )
        };
        match rejection {
            Rejection::Internal => {
                tracing::error!(%fault, "a request failed");
                Self::internal()
            }
            Rejection::WrongService => bad("a request made from this service's current info"),
            Rejection::NotSealedHere => bad("a request sealed to this service's agreement key"),
            Rejection::NotTrusted => {
                bad("a signature under a certificate of this service's anchor")
            }
            _ => bad("one protocol message of the kind this address takes"),
        }
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let (status, code) = match &error {
            RegistryError::Invalid { .. } | RegistryError::Unsound(_) => {
                (StatusCode::BAD_REQUEST, "invalid")
            }
            RegistryError::Conflict { .. } => (StatusCode::CONFLICT, "conflict"),
            RegistryError::Overtaken { .. } => (StatusCode::PRECONDITION_FAILED, "overtaken"),
            RegistryError::Unknown { .. } => (StatusCode::NOT_FOUND, "unknown"),
            RegistryError::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopped"),
            RegistryError::Failed { .. } => {
                tracing::error!(%error, "the operator's request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        let problem = Self::operator(status, code, error.to_string());
        match error {
            RegistryError::Unsound(unsound) => Self {
                flaws: unsound.flaws().to_vec(),
                ..problem
            },
            RegistryError::Overtaken { .. } => Self {
                expected: "what is there now: read it again, and send the ETag of that answer",
                ..problem
            },
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            code: self.code,
            message: &self.message,
            expected: self.expected,
            flaws: &self.flaws,
        };
        // Nothing but strings: they always have a JSON form.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let problem_json = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(CONTENT_TYPE, problem_json)], body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

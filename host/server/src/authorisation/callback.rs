//! Asking the operator's own service which contents a device may have.
//!
//! Promises an end: one deadline over the whole exchange, one cap over the answer, no redirects, no
//! second try. What the service says counts as a token's `contentRights` would; what it does not
//! say in time, or not in that form, is no authorisation.

use std::num::NonZeroU32;

use keybearer_license::{Denial, DenialReason};
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::http::StatusCode;

use super::Right;
use super::claims::{RightForm, rights};
use crate::config::CallbackSpec;
use crate::denial::{Because, code, refusal};

/// Largest answer, in bytes: the rights of every content that a request can name, with room.
const MAX_ANSWER: u64 = 64 * 1024;
/// When a device may try again where the service was not there, in seconds.
const RETRY_SECONDS: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");

/// What is asked: everything that the operator may want to decide by, and nothing secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Question {
    pub(crate) tenant: String,
    /// The contents whose keys the device asks for.
    pub(crate) content_ids: Vec<String>,
    /// The serial of the device's certificate.
    pub(crate) device: String,
    pub(crate) device_model: String,
    /// The level it would be served at.
    pub(crate) level: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Answer {
    content_rights: Vec<RightForm>,
}

/// Asks with connections of its own.
pub(crate) struct Asker(Agent);

impl Asker {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The operator named the address; the environment of the process does not change it.
            .proxy(None)
            .build();
        Self(config.into())
    }

    /// Asks, and waits for the answer until the deadline.
    ///
    /// # Errors
    /// A denial: [`DenialReason::Overloaded`] where the service did not answer or says that it cannot
    /// now (a status of 5xx, or 429), with the time to try again; [`DenialReason::NotAuthorised`] where its answer is not one.
    pub(crate) fn ask(
        &self,
        spec: &CallbackSpec,
        question: &Question,
    ) -> Result<Vec<Right>, Denial> {
        let body = serde_json::to_vec(question).map_err(|error| unreadable(&error))?;
        let mut request = self
            .0
            .post(&spec.url)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json");
        if let Some(bearer) = &spec.bearer {
            let mut value = zeroize::Zeroizing::new(b"Bearer ".to_vec());
            value.extend_from_slice(bearer.expose());
            request = request.header("Authorization", value.as_slice());
        }
        let mut answer = request
            .config()
            .timeout_global(Some(spec.timeout))
            .build()
            .send(&body[..])
            .map_err(|error| silent(spec, &error))?;
        let status = answer.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            tracing::warn!(url = spec.url, %status, "the authorisation callback cannot answer now");
            return Err(later("callback.status", 200, status.as_u16()));
        }
        if status != StatusCode::OK {
            return Err(bad("callback.status", status.as_u16()).because(200, status.as_u16()));
        }
        let bytes = match answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
        {
            Ok(bytes) => bytes,
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                return Err(bad("callback.size", "more")
                    .because(format_args!("at most {MAX_ANSWER} bytes"), "more"));
            }
            Err(error) => return Err(silent(spec, &error)),
        };
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        rights(answer.content_rights, "callback.contentRights").map_err(|denial| {
            let found = denial.found.as_deref().unwrap_or_default();
            tracing::warn!(found, "the authorisation callback's rights are none");
            Denial {
                found: None,
                ..denial
            }
        })
    }
}

/// The service answered, but this is no authorisation.
fn bad(rule: &str, found: impl std::fmt::Display) -> Denial {
    tracing::warn!(rule, %found, "the authorisation callback's answer is not one");
    refusal(DenialReason::NotAuthorised, rule)
        .because("an answer with contentRights", found)
        .public(code::UNGRANTED)
}

/// The service's answer, or a question to it, is not of its form. The log says where; the device is
/// not told what stands in the operator's answers.
fn unreadable(error: &serde_json::Error) -> Denial {
    tracing::warn!(%error, "the authorisation callback's answer cannot be read");
    bad("callback.answer", "something else")
}

/// No answer now, perhaps in a while.
fn later(rule: &str, wanted: impl std::fmt::Display, found: impl std::fmt::Display) -> Denial {
    let mut denial = refusal(DenialReason::Overloaded, rule).because(wanted, found);
    denial.retry_after_seconds = Some(RETRY_SECONDS);
    denial
}

/// The service did not answer. The device is not told where it is.
fn silent(spec: &CallbackSpec, error: &ureq::Error) -> Denial {
    tracing::warn!(url = spec.url, %error, "the authorisation callback did not answer");
    let rule = if matches!(error, ureq::Error::Timeout(_)) {
        "callback.deadline"
    } else {
        "callback.unreachable"
    };
    let deadline = spec.timeout.as_millis();
    later(rule, format_args!("an answer within {deadline} ms"), "none")
}

//! Reading a body that may be too large, too slow or cut off.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::problem::Problem;

/// Media types of a protocol message (RFC 9052 section 11.3, RFC 8742 section 4).
const MESSAGE_TYPES: [&str; 2] = ["application/cose", "application/cbor-seq"];

/// Refuses a body that does not say it is a protocol message. Parameters do not matter.
pub(super) fn check_message_type(headers: &HeaderMap) -> Result<(), Problem> {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(str::trim)
        .filter(|found| {
            MESSAGE_TYPES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(found))
        })
        .map(drop)
        .ok_or_else(Problem::content_type)
}

/// The whole body, of at most `cap` bytes, within `time`.
///
/// A stated length beyond the cap is refused before the first byte is read; a body that trickles
/// has no more time than one that comes at once.
pub(super) async fn read_body(
    headers: &HeaderMap,
    mut body: Body,
    cap: usize,
    time: Duration,
) -> Result<Vec<u8>, Problem> {
    let stated = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if stated.is_some_and(|length| length > cap) {
        return Err(Problem::body_too_large(cap));
    }
    let read = async {
        let mut bytes = Vec::with_capacity(stated.unwrap_or(0));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::body_cut())?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            if bytes.len().saturating_add(data.len()) > cap {
                return Err(Problem::body_too_large(cap));
            }
            bytes.extend_from_slice(data);
        }
        Ok(bytes)
    };
    timeout(time, read)
        .await
        .unwrap_or_else(|_| Err(Problem::body_timeout()))
}

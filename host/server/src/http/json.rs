//! JSON from and to the operator.
//!
//! The threads that read requests are few and are the same for both listeners, so nothing that may take
//! long is done on them: the store is read, and what it says is put into JSON, where others wait as well.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::App;
use super::body::read_body;
use super::problem::Problem;
use crate::registry::{Condition, Registry, RegistryError, Revision};

/// Largest body, in bytes: a content with many keys.
const MAX_BODY: usize = 256 * 1024;

/// What the body says, as JSON. It may hold keys, so its bytes are wiped.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, MAX_BODY, app.body_time()).await?;
        let bytes = zeroize::Zeroizing::new(bytes);
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::json(&error))
    }
}

/// Has the registry do something that there is nothing to be said of.
pub(super) async fn done(
    app: &App,
    act: impl FnOnce(&Registry) -> Result<(), RegistryError> + Send + 'static,
) -> Result<Response, Problem> {
    ask(app, act).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Answers with what the registry says.
pub(super) async fn told<T: Serialize>(
    app: &App,
    status: StatusCode,
    tell: impl FnOnce(&Registry) -> Result<T, RegistryError> + Send + 'static,
) -> Result<Response, Problem> {
    let body = ask(app, move |registry| written(&tell(registry)?)).await?;
    Ok(json(status, body))
}

/// Answers with one thing that can be changed, and with the entity tag by which a change names the
/// revision that was read (RFC 9110 section 8.8.3).
pub(super) async fn shown<T: Serialize>(
    app: &App,
    when: Condition,
    show: impl FnOnce(&Registry) -> Result<(T, Revision), RegistryError> + Send + 'static,
) -> Result<Response, Problem> {
    let (revision, body) = ask(app, move |registry| {
        let (thing, revision) = show(registry)?;
        if when.misses(Some(&revision)) {
            return Err(RegistryError::Overtaken {
                what: "it was changed since it was read".into(),
            });
        }
        let known = when.meets(Some(&revision));
        let body = (!known).then(|| written(&thing)).transpose()?;
        Ok((revision, body))
    })
    .await?;
    let mut response = match body {
        Some(body) => json(StatusCode::OK, body),
        None => StatusCode::NOT_MODIFIED.into_response(),
    };
    let tag = HeaderValue::try_from(format!("\"{}\"", revision.as_str()));
    response
        .headers_mut()
        .insert(ETAG, tag.map_err(|_| Problem::internal())?);
    Ok(response)
}

/// A thing that is all that it shows, for [`shown`].
pub(super) fn whole<T: Serialize>(thing: T) -> Result<(T, Revision), RegistryError> {
    let revision = Revision::of(&thing)?;
    Ok((thing, revision))
}

/// Answers with something small that is at hand.
pub(super) fn answer(body: &impl Serialize) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, written(body)?))
}

async fn ask<T: Send + 'static>(
    app: &App,
    ask: impl FnOnce(&Registry) -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, Problem> {
    let registry = app.registry.clone();
    match tokio::task::spawn_blocking(move || ask(&registry)).await {
        Ok(result) => result.map_err(Problem::from),
        Err(_) => Err(Problem::internal()),
    }
}

fn written(body: &impl Serialize) -> Result<Vec<u8>, RegistryError> {
    serde_json::to_vec(body).map_err(|error| RegistryError::Failed {
        what: error.to_string(),
    })
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let json = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, json)], body).into_response()
}

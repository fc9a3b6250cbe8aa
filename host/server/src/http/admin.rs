//! What the operator reaches: JSON, behind a bearer token.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keybearer_crypto::{Crypto, Digest};
use keybearer_license::HardwareModel;
use keybearer_rules::Level;
use serde::Deserialize;
use serde_json::json;

use super::json::{Sent, answer, done, shown, told};
use super::preconditions::When;
use super::problem::Problem;
use super::public::healthz;
use super::{App, console, devices, no_store, usage};
use crate::config::text::Text;
use crate::config::{ContentSpec, DEFAULT_TENANT};
use crate::names::Name;
use crate::registry::{EnrolmentToken, FactoryToken, MintedToken, Registry, RegistryError};

/// The description of this side (OpenAPI 3.1).
const OPENAPI: &str = include_str!("../../openapi.json");
/// Log entries in one answer, unless asked for fewer.
const LOG_ENTRIES: usize = 100;
/// Log entries in one answer, whatever is asked for.
const MAX_LOG_ENTRIES: usize = 1000;
/// How long a token counts unless said otherwise, in seconds: a day.
const TOKEN_SECONDS: u32 = 24 * 60 * 60;

/// The routes of the admin listener.
pub(crate) fn router(app: Arc<App>) -> Router {
    let admin = Router::new()
        .route("/anchor", get(anchor))
        .route("/openapi.json", get(openapi))
        .route("/contents", get(contents).post(create_content))
        .route(
            "/contents/{id}",
            get(content).put(put_content).delete(remove_content),
        )
        .route("/enrolment-tokens", post(mint_enrolment))
        .route("/factory-tokens", post(mint_factory))
        .route("/log", get(log))
        .merge(devices::routes())
        .merge(usage::routes())
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method())
        // Also around the fallbacks: without the token nobody learns which addresses there are.
        .layer(from_fn_with_state(Arc::clone(&app), authorised));
    Router::new()
        .nest("/admin/v1", admin)
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .merge(console::routes())
        .fallback(async || Problem::not_found())
        .layer(map_response(no_store))
        .layer(map_response(console::guarded))
        .with_state(app)
}

/// Lets requests through that carry the admin token.
async fn authorised(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let crypto = app.service.keys().crypto();
    // Digests are compared, so that the length of the token shows no more than its bytes do.
    let known =
        token.is_some_and(|token| crypto.equal(&crypto.sha256(&[token]).0, &app.admin_token.0));
    if known {
        next.run(request).await
    } else {
        Problem::unauthorised().into_response()
    }
}

/// What this side offers, for tools and for those who write them.
async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], OPENAPI).into_response()
}

async fn anchor(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let service = &app.service.keys().service().verified.claims.service;
    let anchor = app.service.keys().root().to_string();
    answer(&json!({ "digest": anchor, "service": service.as_str() }))
}

async fn contents(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    told(&app, StatusCode::OK, Registry::contents).await
}

async fn content(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    When(condition): When,
) -> Result<Response, Problem> {
    shown(&app, condition, move |registry| registry.content(&id)).await
}

async fn create_content(
    State(app): State<Arc<App>>,
    Sent(spec): Sent<ContentSpec>,
) -> Result<Response, Problem> {
    told(&app, StatusCode::CREATED, move |registry| {
        Ok(json!({ "generated": registry.create_content(spec)? }))
    })
    .await
}

async fn put_content(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    When(condition): When,
    Sent(spec): Sent<ContentSpec>,
) -> Result<Response, Problem> {
    if spec.id != id {
        return Err(Problem::parameter(
            "the same content id in address and body",
        ));
    }
    told(&app, StatusCode::OK, move |registry| {
        let generated = registry.only_if(condition).put_content(spec)?;
        Ok(json!({ "generated": generated }))
    })
    .await
}

async fn remove_content(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    When(condition): When,
) -> Result<Response, Problem> {
    done(&app, move |registry| {
        registry.only_if(condition).remove_content(&id)
    })
    .await
}

/// What an enrolment token is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolmentForm {
    tenant: Option<String>,
    model: Option<Text<HardwareModel>>,
    valid_seconds: Option<u32>,
}

async fn mint_enrolment(
    State(app): State<Arc<App>>,
    Sent(form): Sent<EnrolmentForm>,
) -> Result<Response, Problem> {
    let token = EnrolmentToken {
        tenant: form.tenant.unwrap_or_else(|| DEFAULT_TENANT.to_owned()),
        model: form.model.map(|model| model.0),
        valid_seconds: form.valid_seconds.unwrap_or(TOKEN_SECONDS),
    };
    minted(&app, move |registry| registry.mint_enrolment(&token)).await
}

/// What a factory token is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactoryForm {
    tenant: Option<String>,
    key_digest: Text<Digest>,
    level: Name<Level>,
    model: Option<Text<HardwareModel>>,
    valid_seconds: Option<u32>,
}

async fn mint_factory(
    State(app): State<Arc<App>>,
    Sent(form): Sent<FactoryForm>,
) -> Result<Response, Problem> {
    let token = FactoryToken {
        tenant: form.tenant.unwrap_or_else(|| DEFAULT_TENANT.to_owned()),
        key_digest: form.key_digest.0,
        level: form.level.0,
        model: form.model.map(|model| model.0),
        valid_seconds: form.valid_seconds.unwrap_or(TOKEN_SECONDS),
    };
    minted(&app, move |registry| registry.mint_factory(&token)).await
}

async fn minted(
    app: &App,
    mint: impl FnOnce(&Registry) -> Result<MintedToken, RegistryError> + Send + 'static,
) -> Result<Response, Problem> {
    told(app, StatusCode::CREATED, move |registry| {
        let minted = mint(registry)?;
        let bundle = registry.bundle(&minted)?;
        Ok(json!({ "token": minted.token, "expires": minted.expires.0, "bundle": bundle }))
    })
    .await
}

/// Which part of the log: oldest first from `after`, or newest first from `before` backwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    #[serde(default)]
    newest: bool,
    before: Option<u64>,
}

async fn log(
    State(app): State<Arc<App>>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let expected = "after and limit, or newest=true, before and limit; all others whole numbers";
    let Query(query) = query.map_err(|_| Problem::parameter(expected))?;
    // A parameter of the other order would be passed over.
    if (query.newest && query.after > 0) || (!query.newest && query.before.is_some()) {
        return Err(Problem::parameter(expected));
    }
    let limit = query.limit.unwrap_or(LOG_ENTRIES).min(MAX_LOG_ENTRIES);
    told(&app, StatusCode::OK, move |registry| {
        let totals = registry.totals()?;
        let entries = if query.newest {
            registry.newest(query.before.unwrap_or(u64::MAX), limit)?
        } else {
            registry.log(query.after, limit)?
        };
        let models = registry.models(&entries)?;
        let contents = registry.contents_of(&entries)?;
        Ok(json!({ "totals": totals, "entries": entries, "models": models, "contents": contents }))
    })
    .await
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, text)], app.service.metrics().text()).into_response()
}

//! What devices reach.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keybearer_license::{MAX_LICENSE_REQUEST, MAX_PROVISION_REQUEST, MAX_TIME_REQUEST};

use super::body::{check_message_type, read_body};
use super::problem::Problem;
use super::{App, no_store};
use crate::metrics::Endpoint;
use crate::service::{Fault, Service};

/// Works on one message.
type Work = fn(&Service, &[u8]) -> Result<Vec<u8>, Fault>;

/// The routes of the public listener.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/service-info", get(service_info))
        .route("/v1/provision", post(provision))
        .route("/v1/license", post(license))
        .route("/v1/time", post(time))
        .route("/v1/revocation-list", get(revocation_list))
        .route("/healthz", get(healthz))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(map_response(no_store))
        .with_state(app)
}

async fn service_info(State(app): State<Arc<App>>) -> Response {
    let info = app.work(Endpoint::ServiceInfo, Service::service_info).await;
    sealed(&app, info)
}

async fn revocation_list(State(app): State<Arc<App>>) -> Response {
    let list = app
        .work(Endpoint::RevocationList, |service| {
            Ok(service.revocation_list()?.1.to_vec())
        })
        .await;
    sealed(&app, list)
}

async fn provision(State(app): State<Arc<App>>, request: Request) -> Response {
    message(
        &app,
        request,
        Endpoint::Provision,
        MAX_PROVISION_REQUEST,
        Service::provision,
    )
    .await
}

async fn license(State(app): State<Arc<App>>, request: Request) -> Response {
    message(
        &app,
        request,
        Endpoint::License,
        MAX_LICENSE_REQUEST,
        Service::license,
    )
    .await
}

async fn time(State(app): State<Arc<App>>, request: Request) -> Response {
    message(
        &app,
        request,
        Endpoint::Time,
        MAX_TIME_REQUEST,
        Service::time,
    )
    .await
}

/// Whether the service can do its work, for load balancers.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Response {
    let service = Arc::clone(&app.service);
    let healthy = tokio::task::spawn_blocking(move || service.is_healthy()).await;
    if healthy.unwrap_or(false) {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not healthy\n").into_response()
    }
}

async fn message(
    app: &App,
    request: Request,
    endpoint: Endpoint,
    cap: usize,
    work: Work,
) -> Response {
    let (parts, body) = request.into_parts();
    let answered = async {
        check_message_type(&parts.headers)?;
        let bytes = read_body(&parts.headers, body, cap, app.body_time()).await?;
        app.work(endpoint, move |service| work(service, &bytes))
            .await
    };
    sealed(app, answered.await)
}

/// A sealed answer: licence or denial, status and headers are the same.
fn sealed(app: &App, answer: Result<Vec<u8>, Problem>) -> Response {
    match answer {
        Ok(bytes) => (
            [(CONTENT_TYPE, HeaderValue::from_static("application/cose"))],
            bytes,
        )
            .into_response(),
        Err(problem) => {
            if let Some(rejection) = problem.rejection() {
                app.service.metrics().rejected(rejection);
            }
            problem.into_response()
        }
    }
}

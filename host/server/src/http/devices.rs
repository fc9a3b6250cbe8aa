//! Devices on the operator's side.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use keybearer_license::Serial;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::json::{done, told};
use super::problem::Problem;
use crate::config::text::TextForm;
use crate::registry::{DeviceQuery, NoPlace};

/// Most devices in one answer, whatever is asked for.
const MAX_DEVICES: usize = 1000;

/// The routes, below `/admin/v1`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/devices", get(devices))
        .route("/devices/{serial}", get(device))
        .route("/devices/{serial}/revoke", post(revoke))
        .route("/devices/{serial}/suspend", post(suspend))
        .route("/devices/{serial}/resume", post(resume))
}

/// Which devices.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    search: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

impl Wanted {
    /// What the registry is asked; none where a place is no place.
    fn query(self) -> Result<DeviceQuery, NoPlace> {
        let all = DeviceQuery::default();
        Ok(DeviceQuery {
            search: self.search.unwrap_or_default(),
            before: self.before.as_deref().map(str::parse).transpose()?,
            limit: self.limit.unwrap_or(all.limit).min(MAX_DEVICES),
            ..all
        })
    }
}

async fn devices(
    State(app): State<Arc<App>>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let not_understood =
        || Problem::parameter("search, before (what the page before has as its next) and limit");
    let Query(wanted) = query.map_err(|_| not_understood())?;
    let query = wanted.query().map_err(|_| not_understood())?;
    told(&app, StatusCode::OK, move |registry| {
        registry.devices(&query)
    })
    .await
}

async fn device(
    State(app): State<Arc<App>>,
    Path(serial): Path<String>,
) -> Result<Response, Problem> {
    let serial = parse_serial(&serial)?;
    told(&app, StatusCode::OK, move |registry| {
        registry.device(&serial)
    })
    .await
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path(serial): Path<String>,
) -> Result<Response, Problem> {
    let serial = parse_serial(&serial)?;
    told(&app, StatusCode::OK, move |registry| {
        Ok(json!({ "revocation_list": registry.revoke_device(&serial)? }))
    })
    .await
}

async fn suspend(
    State(app): State<Arc<App>>,
    Path(serial): Path<String>,
) -> Result<Response, Problem> {
    let serial = parse_serial(&serial)?;
    done(&app, move |registry| registry.suspend_device(&serial, true)).await
}

async fn resume(
    State(app): State<Arc<App>>,
    Path(serial): Path<String>,
) -> Result<Response, Problem> {
    let serial = parse_serial(&serial)?;
    done(&app, move |registry| {
        registry.suspend_device(&serial, false)
    })
    .await
}

fn parse_serial(text: &str) -> Result<Serial, Problem> {
    <Serial as TextForm>::parse(text)
        .ok_or_else(|| Problem::parameter(<Serial as TextForm>::EXPECTED))
}

#[cfg(test)]
mod tests;

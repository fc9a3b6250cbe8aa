//! Usage rules on the operator's side.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use keybearer_license::HardwareModel;
use keybearer_rules::Drm;
use serde_json::json;

use super::App;
use super::admin::{answer, ask, read};
use super::problem::Problem;
use crate::config::text::TextForm;
use crate::names::Named;
use crate::registry::{Registry, RegistryError};
use crate::usage::{DeviceGroup, DeviceModel, DrmGroup, ProfileForm, RuleValues, Warning};

/// What the routes below answer.
type Answered = Result<Response, Problem>;

/// The routes, below `/admin/v1`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/usage-rules", get(definitions))
        .route("/profiles", get(profiles))
        .route(
            "/profiles/{id}",
            get(profile).put(put_profile).delete(remove_profile),
        )
        .route("/profiles/{id}/check", post(check_profile))
        .route("/device-groups", get(device_groups))
        .route(
            "/device-groups/{id}",
            put(put_device_group).delete(remove_device_group),
        )
        .route("/device-models", get(device_models))
        .route(
            "/device-models/{model}",
            put(put_device_model).delete(remove_device_model),
        )
        .route("/overrides", get(overrides))
        .route(
            "/overrides/{profile}/{family}/{model}",
            put(put_override).delete(remove_override),
        )
        .route("/hdcp-skip-list", get(skip_list).put(put_skip_list))
        .route("/drm-groups", get(drm_groups))
        .route(
            "/drm-groups/{id}",
            put(put_drm_group).delete(remove_drm_group),
        )
}

/// What a change answers: what it will most likely not do although it was meant to.
async fn defined(
    app: &App,
    define: impl FnOnce(&Registry) -> Result<Vec<Warning>, RegistryError> + Send + 'static,
) -> Answered {
    let warnings = ask(app, define).await?;
    Ok(answer(StatusCode::OK, &json!({ "warnings": warnings })))
}

async fn removed(
    app: &App,
    remove: impl FnOnce(&Registry) -> Result<(), RegistryError> + Send + 'static,
) -> Answered {
    ask(app, remove).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn definitions(State(app): State<Arc<App>>) -> Answered {
    let all = ask(&app, |registry| {
        Ok(json!({
            "definitions": registry.definitions()?,
            "warnings": registry.warnings()?,
        }))
    });
    Ok(answer(StatusCode::OK, &all.await?))
}

async fn profiles(State(app): State<Arc<App>>) -> Answered {
    Ok(answer(
        StatusCode::OK,
        &ask(&app, Registry::profiles).await?,
    ))
}

async fn profile(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let profile = ask(&app, move |registry| registry.profile(&id)).await?;
    Ok(answer(StatusCode::OK, &profile))
}

async fn put_profile(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let form: ProfileForm = read(&app, &headers, body).await?;
    defined(&app, move |registry| registry.put_profile(&id, &form)).await
}

async fn check_profile(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let form: ProfileForm = read(&app, &headers, body).await?;
    let (profile, warnings) = ask(&app, move |registry| registry.try_profile(&id, &form)).await?;
    Ok(answer(
        StatusCode::OK,
        &json!({ "profile": profile, "warnings": warnings }),
    ))
}

async fn remove_profile(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    removed(&app, move |registry| registry.remove_profile(&id)).await
}

async fn device_groups(State(app): State<Arc<App>>) -> Answered {
    let all = ask(&app, Registry::definitions).await?;
    Ok(answer(StatusCode::OK, &all.device_groups))
}

async fn put_device_group(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let group: DeviceGroup = read(&app, &headers, body).await?;
    defined(&app, move |registry| registry.put_device_group(&id, group)).await
}

async fn remove_device_group(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    removed(&app, move |registry| registry.remove_device_group(&id)).await
}

async fn device_models(State(app): State<Arc<App>>) -> Answered {
    let all = ask(&app, Registry::definitions).await?;
    Ok(answer(StatusCode::OK, &all.device_models))
}

async fn put_device_model(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let model: DeviceModel = read(&app, &headers, body).await?;
    let name = model_name(&name)?;
    defined(&app, move |registry| {
        registry.put_device_model(&name, &model)
    })
    .await
}

async fn remove_device_model(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    removed(&app, move |registry| registry.remove_device_model(&name)).await
}

async fn overrides(State(app): State<Arc<App>>) -> Answered {
    let all = ask(&app, Registry::definitions).await?;
    Ok(answer(StatusCode::OK, &all.overrides))
}

async fn put_override(
    State(app): State<Arc<App>>,
    Path((profile, drm, model)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let values: RuleValues = read(&app, &headers, body).await?;
    let (drm, model) = (family(&drm)?, model_name(&model)?);
    defined(&app, move |registry| {
        registry.put_override(&profile, drm, &model, &values)
    })
    .await
}

async fn remove_override(
    State(app): State<Arc<App>>,
    Path((profile, drm, model)): Path<(String, String, String)>,
) -> Answered {
    let drm = family(&drm)?;
    removed(&app, move |registry| {
        registry.remove_override(&profile, drm, &model)
    })
    .await
}

async fn skip_list(State(app): State<Arc<App>>) -> Answered {
    let all = ask(&app, Registry::definitions).await?;
    Ok(answer(StatusCode::OK, &all.hdcp_skip_list))
}

async fn put_skip_list(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answered {
    let ids: Vec<u32> = read(&app, &headers, body).await?;
    defined(&app, move |registry| registry.put_hdcp_skip_list(&ids)).await
}

async fn drm_groups(State(app): State<Arc<App>>) -> Answered {
    let all = ask(&app, Registry::definitions).await?;
    Ok(answer(StatusCode::OK, &all.drm_groups))
}

async fn put_drm_group(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let group: DrmGroup = read(&app, &headers, body).await?;
    defined(&app, move |registry| registry.put_drm_group(&id, group)).await
}

async fn remove_drm_group(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    removed(&app, move |registry| registry.remove_drm_group(&id)).await
}

fn family(name: &str) -> Result<Drm, Problem> {
    Drm::from_word(name).ok_or_else(|| {
        Problem::parameter("PRM, PlayReady, FairPlay, Widevine, TVKeyCloud, WisePlay or Generic")
    })
}

fn model_name(name: &str) -> Result<HardwareModel, Problem> {
    <HardwareModel as TextForm>::parse(name)
        .ok_or_else(|| Problem::parameter(<HardwareModel as TextForm>::EXPECTED))
}

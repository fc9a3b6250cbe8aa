//! Usage rules on the operator's side.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use keybearer_license::HardwareModel;
use keybearer_rules::Drm;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::App;
use super::admin::{Sent, answer, ask};
use super::problem::Problem;
use crate::config::text::TextForm;
use crate::names::Named;
use crate::registry::{Registry, RegistryError};
use crate::usage::{Definitions, DeviceModel, ProfileForm, RuleValues, Warning};

/// What the routes below answer.
type Answered = Result<Response, Problem>;
/// The same, in the making.
type Answering = Pin<Box<dyn Future<Output = Answered> + Send>>;
/// What a change comes to: what it will most likely not do although it was meant to.
type Defined = Result<Vec<Warning>, RegistryError>;

/// The routes, below `/admin/v1`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/usage-rules", get(definitions))
        .route("/rule-families", get(rule_families))
        .route("/profiles", get(profiles))
        .route(
            "/profiles/{id}",
            get(profile)
                .put(definer(|registry, id, form| {
                    registry.put_profile(id, &form)
                }))
                .delete(remover(Registry::remove_profile)),
        )
        .route("/profiles/{id}/check", post(check_profile))
        .route("/device-groups", get(part(|all| &all.device_groups)))
        .route(
            "/device-groups/{id}",
            put(definer(Registry::put_device_group)).delete(remover(Registry::remove_device_group)),
        )
        .route("/device-models", get(part(|all| &all.device_models)))
        .route(
            "/device-models/{model}",
            put(put_device_model).delete(remover(Registry::remove_device_model)),
        )
        .route("/overrides", get(part(|all| &all.overrides)))
        .route(
            "/overrides/{profile}/{family}/{model}",
            put(put_override).delete(remove_override),
        )
        .route(
            "/hdcp-skip-list",
            get(part(|all| &all.hdcp_skip_list)).put(put_skip_list),
        )
        .route("/drm-groups", get(part(|all| &all.drm_groups)))
        .route(
            "/drm-groups/{id}",
            put(definer(Registry::put_drm_group)).delete(remover(Registry::remove_drm_group)),
        )
}

/// Shows a part of the definitions.
fn part<T: Serialize + 'static>(
    of: fn(&Definitions) -> &T,
) -> impl Fn(State<Arc<App>>) -> Answering + Clone {
    move |State(app)| {
        Box::pin(async move {
            let all = ask(&app, Registry::definitions).await?;
            Ok(answer(StatusCode::OK, of(&all)))
        })
    }
}

/// Defines what the address names as the body has it.
fn definer<T: DeserializeOwned + Send + 'static>(
    define: fn(&Registry, &str, T) -> Defined,
) -> impl Fn(State<Arc<App>>, Path<String>, Sent<T>) -> Answering + Clone {
    move |State(app), Path(id), Sent(form)| {
        Box::pin(async move { defined(&app, move |registry| define(registry, &id, form)).await })
    }
}

/// Removes what the address names.
fn remover(
    remove: fn(&Registry, &str) -> Result<(), RegistryError>,
) -> impl Fn(State<Arc<App>>, Path<String>) -> Answering + Clone {
    move |State(app), Path(id)| {
        Box::pin(async move { removed(&app, move |registry| remove(registry, &id)).await })
    }
}

async fn defined(
    app: &App,
    define: impl FnOnce(&Registry) -> Defined + Send + 'static,
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

async fn rule_families() -> Response {
    answer(StatusCode::OK, &Registry::rule_families())
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

async fn check_profile(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Sent(form): Sent<ProfileForm>,
) -> Answered {
    let (profile, warnings) = ask(&app, move |registry| registry.try_profile(&id, &form)).await?;
    Ok(answer(
        StatusCode::OK,
        &json!({ "profile": profile, "warnings": warnings }),
    ))
}

async fn put_device_model(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Sent(model): Sent<DeviceModel>,
) -> Answered {
    let name = model_name(&name)?;
    defined(&app, move |registry| {
        registry.put_device_model(&name, &model)
    })
    .await
}

async fn put_override(
    State(app): State<Arc<App>>,
    Path((profile, drm, model)): Path<(String, String, String)>,
    Sent(values): Sent<RuleValues>,
) -> Answered {
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

async fn put_skip_list(State(app): State<Arc<App>>, Sent(ids): Sent<Vec<u32>>) -> Answered {
    defined(&app, move |registry| registry.put_hdcp_skip_list(&ids)).await
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

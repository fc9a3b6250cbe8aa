//! Usage rules on the operator's side.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use keybearer_license::HardwareModel;
use keybearer_rules::Drm;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::App;
use super::json::{Sent, answer, done, shown, told, whole};
use super::preconditions::When;
use super::problem::Problem;
use crate::config::text::TextForm;
use crate::names::Named;
use crate::registry::{Condition, Registry, RegistryError};
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
            get(reader(Registry::profile))
                .put(definer(|registry, id, form| {
                    registry.put_profile(id, &form)
                }))
                .delete(remover(Registry::remove_profile)),
        )
        .route("/profiles/{id}/check", post(check_profile))
        .route("/device-groups", get(part(|all| all.device_groups)))
        .route(
            "/device-groups/{id}",
            get(reader(Registry::device_group))
                .put(definer(Registry::put_device_group))
                .delete(remover(Registry::remove_device_group)),
        )
        .route("/device-models", get(part(|all| all.device_models)))
        .route(
            "/device-models/{model}",
            get(reader(Registry::device_model))
                .put(put_device_model)
                .delete(remover(Registry::remove_device_model)),
        )
        .route("/overrides", get(part(|all| all.overrides)))
        .route(
            "/overrides/{profile}/{family}/{model}",
            get(override_for).put(put_override).delete(remove_override),
        )
        .route("/hdcp-skip-list", get(skip_list).put(put_skip_list))
        .route("/drm-groups", get(part(|all| all.drm_groups)))
        .route(
            "/drm-groups/{id}",
            get(reader(Registry::drm_group))
                .put(definer(Registry::put_drm_group))
                .delete(remover(Registry::remove_drm_group)),
        )
}

/// Shows a part of the definitions.
fn part<T: Serialize + 'static>(
    of: fn(Definitions) -> T,
) -> impl Fn(State<Arc<App>>) -> Answering + Clone {
    move |State(app)| {
        Box::pin(async move {
            told(&app, StatusCode::OK, move |registry| {
                Ok(of(registry.definitions()?))
            })
            .await
        })
    }
}

/// Shows what the address names.
fn reader<T: Serialize + 'static>(
    read: fn(&Registry, &str) -> Result<T, RegistryError>,
) -> impl Fn(State<Arc<App>>, Path<String>, When) -> Answering + Clone {
    move |State(app), Path(id), When(condition)| {
        Box::pin(async move {
            shown(&app, condition, move |registry| whole(read(registry, &id)?)).await
        })
    }
}

/// Defines what the address names as the body has it.
fn definer<T: DeserializeOwned + Send + 'static>(
    define: fn(&Registry, &str, T) -> Defined,
) -> impl Fn(State<Arc<App>>, Path<String>, When, Sent<T>) -> Answering + Clone {
    move |State(app), Path(id), When(condition), Sent(form)| {
        Box::pin(async move {
            defined(&app, condition, move |registry| define(registry, &id, form)).await
        })
    }
}

/// Removes what the address names.
fn remover(
    remove: fn(&Registry, &str) -> Result<(), RegistryError>,
) -> impl Fn(State<Arc<App>>, Path<String>, When) -> Answering + Clone {
    move |State(app), Path(id), When(condition)| {
        Box::pin(async move {
            done(&app, move |registry| {
                remove(&registry.only_if(condition), &id)
            })
            .await
        })
    }
}

async fn defined(
    app: &App,
    condition: Condition,
    define: impl FnOnce(&Registry) -> Defined + Send + 'static,
) -> Answered {
    // Without an entity tag: what is read is more than what was sent (RFC 9110 section 9.3.4).
    told(app, StatusCode::OK, move |registry| {
        Ok(json!({ "warnings": define(&registry.only_if(condition))? }))
    })
    .await
}

async fn definitions(State(app): State<Arc<App>>) -> Answered {
    told(&app, StatusCode::OK, |registry| {
        Ok(json!({
            "definitions": registry.definitions()?,
            "warnings": registry.warnings()?,
        }))
    })
    .await
}

async fn rule_families() -> Answered {
    answer(&Registry::rule_families())
}

async fn profiles(State(app): State<Arc<App>>) -> Answered {
    told(&app, StatusCode::OK, Registry::profiles).await
}

async fn check_profile(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Sent(form): Sent<ProfileForm>,
) -> Answered {
    told(&app, StatusCode::OK, move |registry| {
        let (profile, warnings) = registry.try_profile(&id, &form)?;
        Ok(json!({ "profile": profile, "warnings": warnings }))
    })
    .await
}

async fn put_device_model(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    When(condition): When,
    Sent(model): Sent<DeviceModel>,
) -> Answered {
    let name = model_name(&name)?;
    defined(&app, condition, move |registry| {
        registry.put_device_model(&name, &model)
    })
    .await
}

async fn override_for(
    State(app): State<Arc<App>>,
    Path((profile, drm, model)): Path<(String, String, String)>,
    When(condition): When,
) -> Answered {
    let drm = family(&drm)?;
    shown(&app, condition, move |registry| {
        whole(registry.override_for(&profile, drm, &model)?)
    })
    .await
}

async fn put_override(
    State(app): State<Arc<App>>,
    Path((profile, drm, model)): Path<(String, String, String)>,
    When(condition): When,
    Sent(values): Sent<RuleValues>,
) -> Answered {
    let (drm, model) = (family(&drm)?, model_name(&model)?);
    defined(&app, condition, move |registry| {
        registry.put_override(&profile, drm, &model, &values)
    })
    .await
}

async fn remove_override(
    State(app): State<Arc<App>>,
    Path((profile, drm, model)): Path<(String, String, String)>,
    When(condition): When,
) -> Answered {
    let drm = family(&drm)?;
    done(&app, move |registry| {
        registry
            .only_if(condition)
            .remove_override(&profile, drm, &model)
    })
    .await
}

async fn skip_list(State(app): State<Arc<App>>, When(condition): When) -> Answered {
    shown(&app, condition, |registry| {
        whole(registry.definitions()?.hdcp_skip_list)
    })
    .await
}

async fn put_skip_list(
    State(app): State<Arc<App>>,
    When(condition): When,
    Sent(ids): Sent<Vec<u32>>,
) -> Answered {
    defined(&app, condition, move |registry| {
        registry.put_hdcp_skip_list(&ids)
    })
    .await
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

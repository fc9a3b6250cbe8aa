//! The console: a page for the operator's browser, and what every answer of the admin listener says
//! to browsers.
//!
//! The page's files are part of the program and hold nothing secret: whoever opens it sees nothing
//! before the admin token is entered. Distrusts everything that the page shows: names of devices and
//! models come from outside. The page only ever makes text of them, and the policy below keeps a
//! browser from running anything but the page's own files, from asking anyone else, and from showing
//! the page inside another.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::App;

/// What a page may do (Content Security Policy level 3): take its own files, ask its own server, and
/// nothing else. Trusted Types make the browser refuse what turns text into markup or code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// The files of a folder, with their media types.
macro_rules! files {
    ($($name:literal $kind:ident,)+) => {
        &[$(($name, $kind, include_str!(concat!("../../console/", $name)))),+]
    };
}

/// Every file of the console by its name.
const FILES: &[(&str, &str, &str)] = files! {
    "index.html" HTML,
    "style.css" STYLE,
    "icon.svg" IMAGE,
    "api.js" SCRIPT,
    "conflict.js" SCRIPT,
    "contents.js" SCRIPT,
    "devices.js" SCRIPT,
    "dom.js" SCRIPT,
    "draft.js" SCRIPT,
    "editor.js" SCRIPT,
    "groups.js" SCRIPT,
    "licences.js" SCRIPT,
    "main.js" SCRIPT,
    "profiles.js" SCRIPT,
    "values.js" SCRIPT,
};

/// The console's addresses. They need no token: the page asks its operator for it.
pub(super) fn routes() -> Router<Arc<App>> {
    let home = || async { Redirect::temporary("/console/") };
    let mut routes = Router::new()
        .route("/", get(home))
        .route("/console", get(home));
    for &(name, kind, text) in FILES {
        let path = match name {
            "index.html" => "/console/".to_owned(),
            name => format!("/console/{name}"),
        };
        let file = ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text);
        routes = routes.route(&path, get(move || async move { file.into_response() }));
    }
    routes
}

/// Says to browsers what they may do with an answer of the admin listener.
pub(super) async fn guarded(mut response: Response) -> Response {
    let said: [(HeaderName, &'static str); 6] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // For browsers that do not know frame-ancestors.
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in said {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

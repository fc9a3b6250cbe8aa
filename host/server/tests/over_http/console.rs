//! The console's files, and what the admin listener says to browsers. What the page does is shown in
//! a browser, in `tests/console`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::admin::{admin, call};
use crate::support::{Answer, World, get};

/// Every file of the console.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("html" | "css" | "js" | "svg"))
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() > 5);
    files
}

fn address(name: &str) -> String {
    let name = if name == "index.html" { "" } else { name };
    format!("/console/{name}")
}

#[test]
fn every_file_is_served_as_it_is_without_a_token() {
    let world = World::new(Vec::new());
    for (name, text) in files() {
        let answer = get(world.server.admin_addr(), &address(&name));
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(String::from_utf8(answer.body).unwrap(), text, "{name}");
        let kind = match name.rsplit('.').next().unwrap() {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        let answer = get(world.server.admin_addr(), &address(&name));
        assert_eq!(answer.header("content-type"), Some(kind), "{name}");
    }
    for home in ["/", "/console"] {
        let answer = get(world.server.admin_addr(), home);
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some("/console/"))
        );
    }
    for absent in [
        "/console/none.js",
        "/console/../openapi.json",
        "/console/%2e%2e/Cargo.toml",
    ] {
        assert_eq!(
            get(world.server.admin_addr(), absent).status,
            404,
            "{absent}"
        );
    }
}

#[test]
fn devices_do_not_reach_it() {
    let world = World::new(Vec::new());
    for path in ["/", "/console", "/console/", "/console/main.js"] {
        assert_eq!(get(world.server.local_addr(), path).status, 404, "{path}");
    }
}

/// The parts of a policy by their names.
fn policy(answer: &Answer) -> Vec<(String, String)> {
    let policy = answer.header("content-security-policy").unwrap();
    policy
        .split(';')
        .map(|part| part.trim().split_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

#[test]
fn every_answer_of_the_admin_side_says_what_a_browser_may_do_with_it() {
    let world = World::new(Vec::new());
    let answers = [
        get(world.server.admin_addr(), "/console/"),
        get(world.server.admin_addr(), "/console/main.js"),
        get(world.server.admin_addr(), "/none"),
        get(world.server.admin_addr(), "/healthz"),
        call(&world, None, "GET", "/admin/v1/devices", &Value::Null),
        admin(&world, "GET", "/admin/v1/devices", &Value::Null),
    ];
    for answer in answers {
        let allowed: BTreeSet<_> = policy(&answer).into_iter().collect();
        for (name, value) in [
            ("default-src", "'none'"),
            ("script-src", "'self'"),
            ("style-src", "'self'"),
            ("connect-src", "'self'"),
            ("frame-ancestors", "'none'"),
            ("base-uri", "'none'"),
            ("form-action", "'none'"),
            ("require-trusted-types-for", "'script'"),
            ("trusted-types", "'none'"),
        ] {
            assert!(
                allowed.contains(&(name.into(), value.into())),
                "{name}: {allowed:?}"
            );
        }
        assert!(!format!("{allowed:?}").contains("unsafe"), "{allowed:?}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
}

#[test]
fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
    for (name, text) in files() {
        // The name of a format is no address that anything is fetched from.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for barred in [
            "http:",
            "https:",
            "//cdn",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
            "document.cookie",
            "style=",
        ] {
            assert!(!text.contains(barred), "{name} has {barred}");
        }
        if name == "index.html" {
            for script in text.split("<script").skip(1) {
                let (head, rest) = script.split_once('>').unwrap();
                assert!(head.contains("src="), "{head}");
                assert!(rest.starts_with("</script>"), "{rest}");
            }
            assert!(!text.contains("<style"));
            assert!(!text.contains(" on"), "a handler in the page");
        }
    }
}

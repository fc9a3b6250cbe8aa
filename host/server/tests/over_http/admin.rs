//! The operator's side.

use keybearer_license::ProvisionToken;
use keybearer_server::DeviceQuery;
use serde_json::{Value, json};

use crate::support::{
    Answer, Device, World, content_key, denial, exchange, get, kid, license, open_content, request,
};

pub(crate) fn call(
    world: &World,
    token: Option<&str>,
    method: &str,
    path: &str,
    body: &Value,
) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer
        .iter()
        .map(|bearer| ("Authorization", bearer.as_str()))
        .collect();
    let body = if body.is_null() {
        Vec::new()
    } else {
        serde_json::to_vec(body).unwrap()
    };
    exchange(
        world.server.admin_addr(),
        &request(method, path, &headers, &body),
    )
}

pub(crate) fn admin(world: &World, method: &str, path: &str, body: &Value) -> Answer {
    call(world, Some(&world.admin_token()), method, path, body)
}

#[test]
fn nothing_without_the_token() {
    let world = World::new(Vec::new());
    let token = world.admin_token();
    let wrong = [
        None,
        Some(""),
        Some("wrong"),
        Some(&token[1..]),
        Some(&token[..token.len() - 1]),
    ];
    for token in wrong {
        for (method, path) in [
            ("GET", "/admin/v1/contents"),
            ("POST", "/admin/v1/enrolment-tokens"),
            ("GET", "/admin/v1/log"),
            ("GET", "/admin/v1/nothing-here"),
        ] {
            let answer = call(&world, token, method, path, &Value::Null);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "unauthorised"),
                "{path}"
            );
        }
    }
    let basic = [("Authorization", "Basic YWRtaW46YWRtaW4=")];
    let answer = exchange(
        world.server.admin_addr(),
        &request("GET", "/admin/v1/contents", &basic, &[]),
    );
    assert_eq!(answer.status, 401);
    assert_eq!(
        admin(&world, "GET", "/admin/v1/contents", &Value::Null).status,
        200
    );
}

#[test]
fn tokens_come_with_the_bundle_that_a_device_needs() {
    let world = World::new(Vec::new());
    let minted = admin(&world, "POST", "/admin/v1/enrolment-tokens", &json!({}));
    assert_eq!(minted.status, 201);
    let minted = minted.json();
    let bundle = &minted["bundle"];
    assert_eq!(bundle["anchor"], world.server.anchor().to_string());
    assert_eq!(bundle["url"], world.server.url());
    assert_eq!(bundle["factory"], false);
    assert_eq!(bundle["token"], minted["token"]);
    assert_eq!(minted["expires"], world.clock_now() + 24 * 60 * 60);
    Device::new(&world).enrol(minted["token"].as_str().unwrap().as_bytes());

    let mut device = Device::new(&world);
    let form = json!({ "key_digest": hex::encode(device.key_digest().0), "level": "medium" });
    let minted = admin(&world, "POST", "/admin/v1/factory-tokens", &form).json();
    assert_eq!(minted["bundle"]["factory"], true);
    let token = minted["token"].as_str().unwrap().as_bytes().to_vec();
    device.provision(ProvisionToken::Factory(token)).unwrap();

    for (path, form) in [
        ("/admin/v1/enrolment-tokens", json!({ "tenant": "nobody" })),
        ("/admin/v1/enrolment-tokens", json!({ "valid_seconds": 0 })),
        ("/admin/v1/enrolment-tokens", json!({ "level": "high" })),
        ("/admin/v1/factory-tokens", json!({ "level": "high" })),
        (
            "/admin/v1/factory-tokens",
            json!({ "key_digest": "00", "level": "high" }),
        ),
        (
            "/admin/v1/factory-tokens",
            json!({ "key_digest": "00".repeat(32), "level": "low" }),
        ),
    ] {
        let answer = admin(&world, "POST", path, &form);
        assert!(
            [400, 404].contains(&answer.status),
            "{form}: {}",
            answer.status
        );
    }
}

#[test]
fn the_log_says_what_was_granted_and_what_was_refused() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    license(device.acquire(&[kid(1), kid(8)]));
    denial(device.acquire(&[kid(8)]));
    let log = admin(&world, "GET", "/admin/v1/log", &Value::Null).json();
    assert_eq!(
        log["totals"],
        json!({ "licenses": 1, "denials": 1, "provisions": 1 })
    );
    let entries = log["entries"].as_array().unwrap();
    let events: Vec<_> = entries
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["provision", "license", "denial"]);
    assert_eq!(entries[1]["content"], "film");
    assert_eq!(
        entries[1]["refused"][0],
        json!([kid(8).to_string(), "key-unknown"])
    );
    assert_eq!(entries[2]["reason"], "key-unknown");
    let text = log.to_string();
    assert!(
        !text.contains(&device.ueid.to_string()),
        "the log names devices by serial"
    );
    assert!(!text.contains(&hex::encode(content_key(1))));

    let later = admin(&world, "GET", "/admin/v1/log?after=2&limit=5", &Value::Null).json();
    assert_eq!(later["entries"].as_array().unwrap().len(), 1);
    assert_eq!(
        admin(&world, "GET", "/admin/v1/log?after=x", &Value::Null).status,
        400
    );
}

#[test]
fn the_log_can_be_read_from_its_end() {
    let world = World::new(vec![open_content("film", 1)]);
    let token = world.enrolment("default");
    let mut device = Device::new(&world);
    device.enrol(&token);
    for n in [8, 9] {
        denial(device.acquire(&[kid(n)]));
    }
    // One without a certificate, whose entry is kept apart.
    let used = ProvisionToken::Enrolment(token);
    Device::new(&world).provision(used).unwrap_err();
    license(device.acquire(&[kid(1)]));
    let numbers = |query: &str| -> Vec<u64> {
        let log = admin(
            &world,
            "GET",
            &format!("/admin/v1/log?{query}"),
            &Value::Null,
        )
        .json();
        let entries = log["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["number"].as_u64().unwrap())
            .collect()
    };
    let all = numbers("");
    let backwards: Vec<u64> = all.iter().rev().copied().collect();
    assert_eq!(numbers("newest=true"), backwards);
    assert_eq!(numbers("newest=true&limit=2"), backwards[..2]);
    let before = format!("newest=true&limit=2&before={}", backwards[1]);
    assert_eq!(numbers(&before), backwards[2..4]);
    for mixed in ["newest=true&after=1", "before=3", "newest=maybe"] {
        let answer = admin(
            &world,
            "GET",
            &format!("/admin/v1/log?{mixed}"),
            &Value::Null,
        );
        assert_eq!(answer.status, 400, "{mixed}");
    }
}

#[test]
fn the_log_keeps_the_newest() {
    let world = World::with(|config| config.limits.log_entries = 3);
    let device = world.low_device();
    for n in 1..=5 {
        denial(device.acquire(&[kid(n)]));
    }
    let log = world.server.registry().log(0, 100).unwrap();
    let numbers: Vec<_> = log.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [4, 5, 6]);
    assert_eq!(world.server.registry().totals().unwrap().denials, 5);
}

#[test]
fn metrics_and_health_need_no_token() {
    let world = World::new(vec![open_content("film", 1)]);
    license(world.low_device().acquire(&[kid(1)]));
    let address = world.server.admin_addr();
    assert_eq!(get(address, "/healthz").status, 200);
    let page = get(address, "/metrics");
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert_eq!(
        world.metric("keybearer_requests_total{endpoint=\"license\"}"),
        1
    );
    assert_eq!(
        world.metric("keybearer_requests_total{endpoint=\"provision\"}"),
        1
    );
    assert_eq!(world.metric("keybearer_provisions_total"), 1);
    assert_eq!(world.metric("keybearer_licenses_total"), 1);
    // Two service infos, a provision and a licence.
    assert_eq!(world.metric("keybearer_request_seconds_count"), 4);
    assert_eq!(
        world.metric("keybearer_request_seconds_bucket{le=\"+Inf\"}"),
        4
    );
}

#[test]
fn the_server_is_not_healthy_with_an_ended_certificate() {
    let world = World::new(Vec::new());
    world.clock.advance(31 * 24 * 60 * 60);
    assert_eq!(get(world.server.local_addr(), "/healthz").status, 503);
}

#[test]
fn the_anchor_is_shown() {
    let world = World::new(Vec::new());
    let shown = admin(&world, "GET", "/admin/v1/anchor", &Value::Null).json();
    assert_eq!(shown["digest"], world.server.anchor().to_string());
    assert_eq!(shown["service"], "test");
}

#[test]
fn a_registry_outlives_its_server_as_an_empty_handle() {
    let world = World::new(Vec::new());
    let registry = world.server.registry();
    let world = world.restarted(|_| {});
    assert!(matches!(
        registry.devices(&DeviceQuery::default()),
        Err(keybearer_server::RegistryError::Stopped)
    ));
    let registry = world.server.registry();
    assert!(registry.devices(&DeviceQuery::default()).is_ok());
}

//! The description of the operator's side is what the server serves: every address and method of
//! it, and nothing else; and what is answered has the form it promises.

use std::collections::{BTreeMap, BTreeSet};

use keybearer_license::peek_device;
use serde_json::{Value, json};

use crate::admin::{admin, call};
use crate::support::{World, denial, get, kid, license, open_content};

const SOURCES: [&str; 3] = [
    include_str!("../../src/http/admin.rs"),
    include_str!("../../src/http/devices.rs"),
    include_str!("../../src/http/usage.rs"),
];

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

/// Every method and address of the document.
pub(crate) fn described() -> BTreeMap<(String, String), Value> {
    let document = document();
    let mut all = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.insert((method.to_uppercase(), path.clone()), operation.clone());
        }
    }
    all
}

/// Every method and address that the routers take, out of their sources.
fn routed() -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for source in SOURCES {
        for route in source.split(".route(").skip(1) {
            let path = route.split('"').nth(1).unwrap();
            // Up to the end of the call: the parenthesis that closes it.
            let mut depth = 1;
            let end = route.find(|letter| {
                match letter {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            let handlers = &route[..end.unwrap()];
            for method in ["get", "post", "put", "delete"] {
                let named = [
                    format!(" {method}("),
                    format!(".{method}("),
                    format!("\n{method}("),
                ];
                if named.iter().any(|name| handlers.contains(name.as_str())) {
                    let whole = match path {
                        "/healthz" | "/metrics" => path.to_owned(),
                        below => format!("/admin/v1{below}"),
                    };
                    all.insert((method.to_uppercase(), whole));
                }
            }
        }
    }
    all
}

/// Whether `value` is as `schema` has it: the part of JSON Schema that the document uses.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return check(document, target.expect(reference), value, at);
    }
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Err(format!("{at}: the schema has no type")),
    };
    if !types.contains(&found) {
        return Err(format!("{at}: {found} found, expected {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at}: {value} is none of {words:?}"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{n}]"))?;
    }
    let Some(members) = value.as_object() else {
        return Ok(());
    };
    for required in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(required.as_str().unwrap()) {
            return Err(format!("{at}: {required} is missing"));
        }
    }
    for (name, member) in members {
        let at = format!("{at}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(true)) => {}
            (Value::Null, Value::Object(_)) => {
                check(document, &schema["additionalProperties"], member, &at)?;
            }
            (Value::Null, _) => return Err(format!("{at} is not in the schema")),
            (known, _) => check(document, known, member, &at)?,
        }
    }
    Ok(())
}

#[test]
fn every_address_is_described_and_no_other() {
    let described: BTreeSet<_> = described().into_keys().collect();
    assert_eq!(described, routed());
}

#[test]
fn conditions_are_described_where_they_say_something() {
    for ((method, path), operation) in described() {
        let parameters = operation["parameters"].as_array();
        let states = |name: &str| {
            let reference = json!({ "$ref": format!("#/components/parameters/{name}") });
            parameters.is_some_and(|all| all.contains(&reference))
        };
        let changes = ["PUT", "DELETE"].contains(&method.as_str());
        let reads = method == "GET" && operation["responses"]["304"].is_object();
        assert_eq!(states("IfMatch"), changes || reads, "{method} {path}");
        assert_eq!(states("Known"), reads, "{method} {path}");
        // Only what there may not be can be made anew.
        let makes = method == "PUT" && !path.ends_with("/hdcp-skip-list");
        assert_eq!(states("IfNoneMatch"), makes, "{method} {path}");
    }
}

#[test]
fn the_server_serves_its_description() {
    let world = World::new(Vec::new());
    let served = admin(&world, "GET", "/admin/v1/openapi.json", &Value::Null);
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(served.json(), document());
}

#[test]
fn nothing_described_is_reached_without_the_token() {
    let world = World::new(Vec::new());
    for (method, path) in described().into_keys() {
        let answer = call(&world, None, &method, &path, &Value::Null);
        let open = ["/healthz", "/metrics"].contains(&path.as_str());
        assert_eq!(
            answer.status,
            if open { 200 } else { 401 },
            "{method} {path}"
        );
    }
}

#[test]
fn every_answer_has_the_form_that_is_described() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    license(device.acquire(&[kid(1)]));
    denial(device.acquire(&[kid(9)]));
    let serial = peek_device(&device.chain.as_ref().unwrap().leaf)
        .unwrap()
        .serial;
    let content = json!({ "id": "news", "kind": "channel", "open": true, "keys": [
        { "kid": "07".repeat(16), "generate": true, "track": "hd", "scheme": "cbcs" }] });
    let with_key = json!({ "id": "news", "kind": "channel", "open": true,
        "usage_rules_profile_id": "HD", "keys": [
        { "kid": "07".repeat(16), "track": "hd", "scheme": "cbcs" }] });
    let no_body = Value::Null;
    let digest = json!({ "key_digest": "00".repeat(32), "level": "medium" });
    let one_device = format!("/devices/{serial}");
    let device_path = |what: &str| format!("/admin/v1/devices/{serial}/{what}");
    // In an order in which each finds what it needs: method, address in the document, address
    // asked, body.
    let asked: Vec<(&str, &str, String, Value)> = [
        ("GET", "/anchor", "", no_body.clone()),
        ("GET", "/openapi.json", "", no_body.clone()),
        ("POST", "/contents", "", content),
        ("GET", "/contents", "", no_body.clone()),
        ("PUT", "/contents/{id}", "/contents/news", with_key),
        ("GET", "/contents/{id}", "/contents/news", no_body.clone()),
        (
            "DELETE",
            "/contents/{id}",
            "/contents/news",
            no_body.clone(),
        ),
        ("POST", "/enrolment-tokens", "", json!({})),
        ("POST", "/factory-tokens", "", digest),
        ("GET", "/devices", "", no_body.clone()),
        ("GET", "/devices/{serial}", &one_device, no_body.clone()),
        ("GET", "/log", "", no_body.clone()),
        (
            "PUT",
            "/profiles/{id}",
            "/profiles/own",
            json!({ "PRM": { "minLevel": 2000 } }),
        ),
        ("GET", "/profiles/{id}", "/profiles/own", no_body.clone()),
        ("GET", "/profiles", "", no_body.clone()),
        (
            "POST",
            "/profiles/{id}/check",
            "/profiles/odd/check",
            json!({ "PlayReady": { "hdcpType": 1,
                                   "uncompressedDigitalVideoOutputProtection": 100 } }),
        ),
        (
            "PUT",
            "/device-groups/{id}",
            "/device-groups/g",
            json!({ "family": "Widevine" }),
        ),
        ("GET", "/device-groups", "", no_body.clone()),
        (
            "GET",
            "/device-groups/{id}",
            "/device-groups/g",
            no_body.clone(),
        ),
        (
            "PUT",
            "/device-models/{model}",
            "/device-models/Box",
            json!({ "group": "g" }),
        ),
        ("GET", "/device-models", "", no_body.clone()),
        (
            "GET",
            "/device-models/{model}",
            "/device-models/Box",
            no_body.clone(),
        ),
        (
            "PUT",
            "/overrides/{profile}/{family}/{model}",
            "/overrides/own/PRM/Box",
            json!({ "hdcpType": "TYPE_0" }),
        ),
        ("GET", "/overrides", "", no_body.clone()),
        (
            "GET",
            "/overrides/{profile}/{family}/{model}",
            "/overrides/own/PRM/Box",
            no_body.clone(),
        ),
        ("PUT", "/hdcp-skip-list", "", json!([1])),
        ("GET", "/hdcp-skip-list", "", no_body.clone()),
        (
            "PUT",
            "/drm-groups/{id}",
            "/drm-groups/d",
            json!({ "level": "low", "license_type": "persistent" }),
        ),
        ("GET", "/drm-groups", "", no_body.clone()),
        ("GET", "/drm-groups/{id}", "/drm-groups/d", no_body.clone()),
        ("GET", "/usage-rules", "", no_body.clone()),
        ("GET", "/rule-families", "", no_body.clone()),
        (
            "DELETE",
            "/overrides/{profile}/{family}/{model}",
            "/overrides/own/PRM/Box",
            no_body.clone(),
        ),
        (
            "DELETE",
            "/drm-groups/{id}",
            "/drm-groups/d",
            no_body.clone(),
        ),
        (
            "DELETE",
            "/device-models/{model}",
            "/device-models/Box",
            no_body.clone(),
        ),
        (
            "DELETE",
            "/device-groups/{id}",
            "/device-groups/g",
            no_body.clone(),
        ),
        ("DELETE", "/profiles/{id}", "/profiles/own", no_body.clone()),
    ]
    .into_iter()
    .map(|(method, path, asked, body)| {
        let asked = if asked.is_empty() { path } else { asked };
        (method, path, format!("/admin/v1{asked}"), body)
    })
    .chain(["suspend", "resume", "revoke"].map(|what| {
        let path: &str = match what {
            "suspend" => "/devices/{serial}/suspend",
            "resume" => "/devices/{serial}/resume",
            _ => "/devices/{serial}/revoke",
        };
        ("POST", path, device_path(what), Value::Null)
    }))
    .collect();

    let (document, described) = (document(), described());
    let mut seen = BTreeSet::new();
    for (method, path, address, body) in asked {
        let operation = (method.to_owned(), format!("/admin/v1{path}"));
        let description = &described[&operation];
        if let Some(schema) =
            description["requestBody"]["content"]["application/json"].get("schema")
        {
            check(&document, schema, &body, &address).unwrap();
        }
        let answer = admin(&world, method, &address, &body);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            (200..300).contains(&answer.status),
            "{method} {address}: {text}"
        );
        form_of(&document, description, &answer, &address);
        // And refusals: an unknown thing and a body that is none.
        let unknown = address.replace(&serial.to_string(), &"0".repeat(32));
        for (address, body) in [(address.clone(), json!(["?"])), (unknown, Value::Null)] {
            let answer = admin(&world, method, &address, &body);
            form_of(&document, description, &answer, &address);
        }
        seen.insert(operation);
    }
    let open: BTreeSet<_> = described
        .keys()
        .filter(|(_, path)| !path.starts_with("/admin"))
        .map(|(_, path)| {
            assert_eq!(get(world.server.admin_addr(), path).status, 200, "{path}");
            ("GET".to_owned(), path.clone())
        })
        .collect();
    let all: BTreeSet<_> = described.keys().cloned().collect();
    assert_eq!(seen.union(&open).cloned().collect::<BTreeSet<_>>(), all);
}

/// The answer has a described status and the form described for it.
fn form_of(document: &Value, description: &Value, answer: &crate::support::Answer, at: &str) {
    let status = answer.status.to_string();
    let response = &description["responses"][&status];
    assert!(response.is_object(), "{at}: {status} is not described");
    let tagged = response["headers"]["ETag"].is_object();
    assert_eq!(answer.header("etag").is_some(), tagged, "{at}");
    let Some(content) = response["content"].as_object() else {
        assert!(answer.body.is_empty(), "{at}: {status} has no body");
        return;
    };
    let kind = answer.header("content-type").unwrap();
    let schema = &content[kind]["schema"];
    check(document, schema, &answer.json(), at).unwrap();
}

#[test]
fn the_check_of_forms_finds_what_is_wrong() {
    let document = document();
    let device = json!({ "$ref": "#/components/schemas/DeviceGroup" });
    for wrong in [
        json!({}),
        json!([]),
        json!({ "family": "Marlin" }),
        json!({ "family": "PRM", "more": 1 }),
        json!({ "family": null }),
    ] {
        assert!(check(&document, &device, &wrong, "x").is_err(), "{wrong}");
    }
    check(&document, &device, &json!({ "family": "PRM" }), "x").unwrap();
}

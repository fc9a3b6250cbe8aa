//! Devices on the operator's side: one by one and page by page.

use keybearer_license::{DenialReason, HardwareModel, peek_device};
use serde_json::{Value, json};

use crate::admin::admin;
use crate::support::{Device, World, denial, kid, license, open_content};

fn serial_of(device: &Device) -> String {
    let leaf = &device.chain.as_ref().unwrap().leaf;
    peek_device(leaf).unwrap().serial.to_string()
}

#[test]
fn devices_are_listed_and_revoked() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let serial = peek_device(&device.chain.as_ref().unwrap().leaf)
        .unwrap()
        .serial
        .to_string();
    let listed = admin(&world, "GET", "/admin/v1/devices", &Value::Null).json()["devices"].take();
    assert_eq!(listed[0]["serial"], serial.as_str());
    assert_eq!(listed[0]["level"], "low");
    assert_eq!(listed[0]["tenant"], "default");
    assert_eq!(listed[0]["revoked"], Value::Null);

    let path = format!("/admin/v1/devices/{serial}/revoke");
    let number = admin(&world, "POST", &path, &Value::Null).json()["revocation_list"].clone();
    let again = admin(&world, "POST", &path, &Value::Null).json()["revocation_list"].clone();
    assert_eq!(number, again, "revoking twice changes nothing");
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::DeviceRevoked
    );
    let listed = admin(&world, "GET", "/admin/v1/devices", &Value::Null).json()["devices"].take();
    assert_eq!(listed[0]["revoked"], world.clock_now());

    let unknown = format!("/admin/v1/devices/{}/revoke", "0".repeat(32));
    assert_eq!(admin(&world, "POST", &unknown, &Value::Null).status, 404);
    let nonsense = "/admin/v1/devices/nonsense/revoke";
    assert_eq!(admin(&world, "POST", nonsense, &Value::Null).status, 400);
}

/// Devices of these models, certified a minute apart and in this order.
fn certified(world: &World, models: &[&str]) -> Vec<Device> {
    let certify = |model: &&str| {
        world.clock.advance(60);
        let mut device = Device::new(world);
        device.model = HardwareModel::new(model).unwrap();
        device.enrol(&world.enrolment("default"));
        device
    };
    models.iter().map(certify).collect()
}

/// The models on a page, and what it has as its next.
fn page(world: &World, query: &str) -> (Vec<String>, Option<String>) {
    let path = format!("/admin/v1/devices?{query}");
    let answer = admin(world, "GET", &path, &Value::Null);
    assert_eq!(answer.status, 200, "{path}");
    let page = answer.json();
    let devices = page["devices"].as_array().unwrap().iter();
    let models = devices.map(|device| device["model"].as_str().unwrap().to_owned());
    (models.collect(), page["next"].as_str().map(str::to_owned))
}

#[test]
fn devices_come_page_by_page_the_newest_first() {
    let world = World::new(Vec::new());
    let empty = admin(&world, "GET", "/admin/v1/devices", &Value::Null).json();
    assert_eq!(empty, json!({ "total": 0, "devices": [], "next": null }));
    let devices = certified(&world, &["one", "two", "three", "four", "five"]);
    assert_eq!(
        page(&world, ""),
        (
            ["five", "four", "three", "two", "one"]
                .map(String::from)
                .into(),
            None
        )
    );
    let (first, next) = page(&world, "limit=2");
    assert_eq!(first, ["five", "four"]);
    let next = next.unwrap();
    assert!(next.ends_with(&serial_of(&devices[3])), "{next}");
    // What comes meanwhile does not move the pages that follow, and what is on them may change.
    certified(&world, &["six"]);
    let suspend = format!("/admin/v1/devices/{}/suspend", serial_of(&devices[2]));
    assert_eq!(admin(&world, "POST", &suspend, &Value::Null).status, 204);
    let (second, next) = page(&world, &format!("limit=2&before={next}"));
    assert_eq!(second, ["three", "two"]);
    let last = page(&world, &format!("limit=2&before={}", next.unwrap()));
    assert_eq!(last, (vec!["one".into()], None));
    let all = admin(&world, "GET", "/admin/v1/devices?limit=1", &Value::Null);
    assert_eq!(all.json()["total"], 6);
}

#[test]
fn devices_are_found_by_what_an_operator_sees_of_them() {
    let world = World::new(Vec::new());
    let devices = certified(&world, &["Kitchen TV", "Living Room TV", "Tablet"]);
    let registry = world.server.registry();
    let model = serde_json::from_value(json!({ "family": "PlayReady" })).unwrap();
    let name = HardwareModel::new("Tablet").unwrap();
    registry.put_device_model(&name, &model).unwrap();
    let found = |search: &str| page(&world, &format!("search={search}")).0;
    assert_eq!(found("tv"), ["Living Room TV", "Kitchen TV"]);
    assert_eq!(found("room%20t"), ["Living Room TV"]);
    assert_eq!(found("playready"), ["Tablet"]);
    assert_eq!(found("Default").len(), 3, "the tenant");
    assert_eq!(found(&serial_of(&devices[0])[8..24]), ["Kitchen TV"]);
    assert_eq!(found("nothing").len(), 0);
    let (first, next) = page(&world, "search=tv&limit=1");
    assert_eq!(first, ["Living Room TV"]);
    let rest = page(&world, &format!("search=tv&before={}", next.unwrap()));
    assert_eq!(rest, (vec!["Kitchen TV".into()], None));
}

#[test]
fn a_query_that_is_not_understood_is_refused() {
    let world = World::new(Vec::new());
    let serial = "0".repeat(32);
    for query in [
        "limit=-1".to_owned(),
        "limit=x".to_owned(),
        "page=2".to_owned(),
        "before=".to_owned(),
        format!("before={serial}"),
        format!("before=x-{serial}"),
        format!("before=-1-{serial}"),
        "before=1-00".to_owned(),
    ] {
        let path = format!("/admin/v1/devices?{query}");
        let answer = admin(&world, "GET", &path, &Value::Null);
        let found = (answer.status, answer.code());
        assert_eq!(found, (400, "parameter".into()), "{query}");
    }
    let (_, next) = page(&world, &format!("limit=0&before=1-{serial}"));
    assert_eq!(next, None);
}

#[test]
fn the_log_comes_with_the_models_of_the_devices_that_it_names() {
    let world = World::new(vec![open_content("film", 1)]);
    let devices = certified(&world, &["TV", "Tablet"]);
    license(devices[0].acquire(&[kid(1)]));
    denial(devices[0].acquire(&[kid(8)]));
    denial(devices[1].acquire(&[kid(8)]));
    let models = |query: &str| {
        let path = format!("/admin/v1/log?{query}");
        admin(&world, "GET", &path, &Value::Null).json()["models"].take()
    };
    let (tv, tablet) = (serial_of(&devices[0]), serial_of(&devices[1]));
    assert_eq!(
        models(""),
        json!({ (tv): "TV", (tablet.clone()): "Tablet" })
    );
    assert_eq!(
        models("newest=true&limit=1"),
        json!({ (tablet): "Tablet" }),
        "of those that are shown"
    );
}

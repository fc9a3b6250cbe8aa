//! Devices on the operator's side: one by one and page by page.

use keybearer_license::{DenialReason, HardwareModel, peek_device};
use keybearer_server::{ContentSpec, DeviceQuery};
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
}

#[test]
fn whoever_asks_for_no_device_at_all_gets_one_and_goes_on() {
    let world = World::new(Vec::new());
    certified(&world, &["one", "two"]);
    let (first, next) = page(&world, "limit=0");
    assert_eq!(first, ["two"]);
    let last = page(&world, &format!("limit=0&before={}", next.unwrap()));
    assert_eq!(last, (vec!["one".into()], None));
}

#[test]
fn so_many_devices_are_looked_at_for_one_page() {
    let world = World::new(Vec::new());
    certified(&world, &["TV", "box", "box", "box"]);
    let registry = world.server.registry();
    let look = |before, looked_at| {
        let query = DeviceQuery {
            search: "tv".into(),
            before,
            looked_at,
            ..DeviceQuery::default()
        };
        registry.devices(&query).unwrap()
    };
    let first = look(None, 3);
    assert_eq!(first.devices, []);
    let rest = look(first.next, 3);
    assert_eq!((rest.devices.len(), rest.next), (1, None));
    assert_eq!(look(None, 4).devices, rest.devices);
    // None at all would never come to an end.
    assert_ne!(look(None, 0).next, None);
}

#[test]
fn one_device_is_shown_by_its_serial_alone() {
    let world = World::new(Vec::new());
    let mut devices = certified(&world, &["TV", "Tablet"]);
    let read = |serial: &str| {
        let path = format!("/admin/v1/devices/{serial}");
        admin(&world, "GET", &path, &Value::Null)
    };
    let serial = serial_of(&devices[0]);
    let listed = admin(&world, "GET", "/admin/v1/devices", &Value::Null).json();
    assert_eq!(read(&serial).json(), listed["devices"][1]);
    let change = |act: &str| {
        let path = format!("/admin/v1/devices/{serial}/{act}");
        assert_eq!(admin(&world, "POST", &path, &Value::Null).status, 204);
    };
    change("suspend");
    assert_eq!(read(&serial).json()["suspended"], world.clock_now());
    change("resume");
    assert_eq!(read(&serial).json()["suspended"], Value::Null);
    // Certified anew, it is the same device under both serials.
    world.clock.advance(60);
    devices[0].enrol(&world.enrolment("default"));
    let anew = serial_of(&devices[0]);
    assert_ne!(anew, serial);
    let (before, now) = (read(&serial).json(), read(&anew).json());
    assert_eq!(before, now);
    assert_eq!(
        (&now["serial"], &now["model"]),
        (&json!(anew), &json!("TV"))
    );

    assert_eq!(read(&"0".repeat(32)).status, 404);
    for nonsense in ["TV", "nonsense", &serial[1..]] {
        assert_eq!(read(nonsense).status, 400, "{nonsense}");
    }
}

#[test]
fn the_log_comes_with_the_contents_of_the_keys_that_it_refused() {
    let closed = ContentSpec {
        open: false,
        ..open_content("film", 1)
    };
    let world = World::new(vec![closed]);
    let added = json!({ "id": "news", "keys": [
        { "kid": kid(2).to_string(), "generate": true, "track": "hd", "scheme": "cenc" }] });
    let added = admin(&world, "POST", "/admin/v1/contents", &added);
    assert_eq!(added.status, 201);
    let devices = certified(&world, &["TV"]);
    for n in [1, 2, 8] {
        denial(devices[0].acquire(&[kid(n)]));
    }
    let contents = |query: &str| {
        let path = format!("/admin/v1/log?{query}");
        admin(&world, "GET", &path, &Value::Null).json()["contents"].take()
    };
    let (film, news) = (kid(1).to_string(), kid(2).to_string());
    let both = json!({ (film): "film", (news.clone()): "news" });
    assert_eq!(
        contents(""),
        both,
        "the one of the file and the one that was added"
    );
    let later = contents("newest=true&limit=2");
    assert_eq!(later, json!({ (news): "news" }), "of those that are shown");
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

//! Contents: what the operator writes and packagers rely on, and how licences divide them.

use keybearer_license::DenialReason;
use keybearer_server::ContentSpec;
use serde_json::{Value, json};

use crate::admin::admin;
use crate::support::{
    Answer, World, content_key, denial, exchange, key, kid, license, open_content, request,
};

fn content(id: &str, n: u8) -> Value {
    json!({
        "id": id,
        "open": true,
        "keys": [{
            "kid": kid(n).to_string(),
            "key": hex::encode(content_key(n)),
            "track": "hd",
            "scheme": "cbcs",
            "pattern": "1:9",
            "lowest_level": "low",
            "policy": { "digital_video": "hdcp_required", "hdcp_min": "2.2" },
        }],
    })
}

/// A content with one key that the server is to make.
fn generated(id: &str, n: u8) -> Value {
    let mut content = content(id, n);
    let key = content["keys"][0].as_object_mut().unwrap();
    key.remove("key");
    key.insert("generate".into(), json!(true));
    content
}

#[test]
fn contents_go_in_with_keys_and_come_out_without() {
    let world = World::new(Vec::new());
    let device = world.low_device();
    assert_eq!(
        admin(&world, "POST", "/admin/v1/contents", &content("film", 1)).status,
        201
    );
    assert_eq!(
        license(device.acquire(&[kid(1)])).keys[0].key.expose(),
        &content_key(1)
    );

    let one = admin(&world, "GET", "/admin/v1/contents/film", &Value::Null);
    let all = admin(&world, "GET", "/admin/v1/contents", &Value::Null);
    for answer in [&one, &all] {
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert!(text.contains(&kid(1).to_string()));
        assert!(
            !text.contains(&hex::encode(content_key(1))),
            "a key was shown"
        );
    }
    assert_eq!(one.json()["source"], "store");
    assert_eq!(one.json()["keys"][0]["policy"]["hdcp_min"], "2.2");

    // What was listed can be sent back as it is: the key stays.
    let mut edited = one.json();
    edited.as_object_mut().unwrap().remove("source");
    edited["keys"][0]["lowest_level"] = json!("medium");
    assert_eq!(
        admin(&world, "PUT", "/admin/v1/contents/film", &edited).status,
        200
    );
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::LevelTooLow
    );
    edited["keys"][0]["lowest_level"] = json!("low");
    assert_eq!(
        admin(&world, "PUT", "/admin/v1/contents/film", &edited).status,
        200
    );
    assert_eq!(
        license(device.acquire(&[kid(1)])).keys[0].key.expose(),
        &content_key(1)
    );

    assert_eq!(
        admin(&world, "DELETE", "/admin/v1/contents/film", &Value::Null).status,
        204
    );
    assert_eq!(
        admin(&world, "DELETE", "/admin/v1/contents/film", &Value::Null).status,
        404
    );
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::KeyUnknown
    );
}

#[test]
fn a_generated_key_is_shown_once_and_licensed() {
    let world = World::new(Vec::new());
    let created = admin(&world, "POST", "/admin/v1/contents", &generated("film", 1));
    assert_eq!(created.status, 201);
    let shown = created.json()["generated"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let licensed = license(world.low_device().acquire(&[kid(1)]));
    assert_eq!(hex::encode(licensed.keys[0].key.expose()), shown);
    let listed = admin(&world, "GET", "/admin/v1/contents", &Value::Null);
    assert!(!String::from_utf8(listed.body).unwrap().contains(&shown));
}

#[test]
fn of_8_creations_of_one_content_at_once_one_succeeds() {
    let world = World::new(Vec::new());
    let (address, token) = (world.server.admin_addr(), world.admin_token());
    let bearer = format!("Bearer {token}");
    let body = serde_json::to_vec(&generated("film", 1)).unwrap();
    let headers = [("Authorization", bearer.as_str())];
    let bytes = request("POST", "/admin/v1/contents", &headers, &body);
    let barrier = std::sync::Barrier::new(8);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            exchange(address, &bytes)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (created, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((created.len(), refused.len()), (1, 7));
    for answer in refused {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (409, "conflict"),
            "{answer:?}"
        );
    }
    // What its maker was shown is what devices get.
    let shown = created[0].json()["generated"][0]["key"].clone();
    let licensed = license(world.low_device().acquire(&[kid(1)]));
    assert_eq!(shown, hex::encode(licensed.keys[0].key.expose()));
}

#[test]
fn a_put_that_would_generate_a_key_anew_is_refused_and_keeps_the_first() {
    let world = World::new(Vec::new());
    let path = "/admin/v1/contents/film";
    let first = admin(&world, "PUT", path, &generated("film", 1));
    assert_eq!(first.status, 200);
    let shown = first.json()["generated"][0]["key"].clone();
    // The answer was lost, and the packager asks again.
    let again = admin(&world, "PUT", path, &generated("film", 1));
    assert_eq!(again.status, 409);
    let message = again.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("has a key already"), "{message}");
    let device = world.low_device();
    let licensed = license(device.acquire(&[kid(1)]));
    assert_eq!(shown, hex::encode(licensed.keys[0].key.expose()));
    // A key that is given is meant to take its place.
    let given = admin(&world, "PUT", path, &content("film", 1));
    assert_eq!(given.status, 200);
    let licensed = license(device.acquire(&[kid(1)]));
    assert_eq!(licensed.keys[0].key.expose(), &content_key(1));
}

#[test]
fn what_contradicts_is_refused_by_name() {
    let world = World::new(vec![open_content("configured", 9)]);
    let post = |body: &Value| admin(&world, "POST", "/admin/v1/contents", body);
    assert_eq!(post(&content("film", 1)).status, 201);
    for (body, status, names) in [
        (content("film", 2), 409, "is there already"),
        (content("other", 1), 409, "belongs to content \"film\""),
        (content("configured", 3), 409, "is there already"),
        (content("other", 9), 409, "configuration file"),
        (content("no/name", 3), 400, "a-z A-Z 0-9"),
    ] {
        let answer = post(&body);
        assert_eq!(answer.status, status, "{names}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(names), "{message}");
    }
    let path = "/admin/v1/contents/configured";
    assert_eq!(
        admin(&world, "PUT", path, &content("configured", 3)).status,
        409
    );
    assert_eq!(admin(&world, "DELETE", path, &Value::Null).status, 409);
    assert_eq!(
        admin(
            &world,
            "PUT",
            "/admin/v1/contents/film",
            &content("other", 4)
        )
        .status,
        400
    );

    let mut unknown_field = content("new", 4);
    unknown_field["colour"] = json!("red");
    let mut key_file = content("new", 4);
    let key = key_file["keys"][0].as_object_mut().unwrap();
    key.remove("key");
    key.insert("key_file".into(), json!("/etc/hostname"));
    let mut no_key = content("new", 4);
    no_key["keys"][0].as_object_mut().unwrap().remove("key");
    let mut no_tenant = content("new", 4);
    no_tenant["tenant"] = json!("nobody");
    for (body, names) in [
        (unknown_field, "colour"),
        (key_file, "key_file"),
        (no_key, "generate"),
        (no_tenant, "nobody"),
    ] {
        let answer = post(&body);
        assert_eq!(answer.status, 400, "{names}");
        assert!(answer.json()["message"].as_str().unwrap().contains(names));
    }
}

#[test]
fn a_mistyped_key_is_not_repeated_in_the_answer() {
    let world = World::new(Vec::new());
    for mistyped in [
        json!("00112233445566778899aabbccddeefg"),
        json!("00112233445566778899aabbccddee"),
        json!(1122334455667788_u64),
        json!(11223344.55667788),
    ] {
        let mut content = content("film", 1);
        content["keys"][0]["key"] = mistyped;
        let answer = admin(&world, "POST", "/admin/v1/contents", &content);
        assert_eq!(answer.status, 400);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains("32 hexadecimal digits"), "{text}");
        assert!(!text.contains("11223344"), "{text}");
    }
}

#[test]
fn keys_of_several_contents_are_all_had_by_asking_again_for_what_is_missing() {
    let closed = ContentSpec {
        open: false,
        ..ContentSpec::open("closed", vec![key(3)])
    };
    let world = World::new(vec![open_content("a", 1), open_content("b", 2), closed]);
    let device = world.low_device();
    let first = license(device.acquire(&[kid(1), kid(2), kid(3)]));
    assert_eq!((first.keys.len(), first.keys[0].key_id), (1, kid(1)));
    let second = license(device.acquire(&[kid(2), kid(3)]));
    assert_eq!((second.keys.len(), second.keys[0].key_id), (1, kid(2)));
    // What may not be had is refused by its own reason, and no other.
    let last = denial(device.acquire(&[kid(3)]));
    assert_eq!(last.reason, DenialReason::TokenMissing);
    // The log calls nothing refused that was not.
    let log = admin(&world, "GET", "/admin/v1/log", &Value::Null).json();
    let closed = json!([kid(3).to_string(), "token-missing"]);
    assert_eq!(
        log["entries"][1]["refused"],
        json!([closed, [kid(2).to_string(), "other-content"]])
    );
    assert_eq!(log["entries"][2]["refused"], json!([closed]));
}

//! Two operators at the same thing: a change that says which state it was made from is refused once
//! another came before it, and one that says nothing is made as ever.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::admin::admin;
use crate::openapi::described;
use crate::support::{Answer, World, exchange, open_content, request};

const HD: &str = "/admin/v1/profiles/HD";

/// Asks with one more header.
fn ask(world: &World, method: &str, path: &str, header: (&str, &str), body: &Value) -> Answer {
    let bearer = format!("Bearer {}", world.admin_token());
    let body = if body.is_null() {
        Vec::new()
    } else {
        serde_json::to_vec(body).unwrap()
    };
    let headers = [("Authorization", bearer.as_str()), header];
    let address = world.server.admin_addr();
    exchange(address, &request(method, path, &headers, &body))
}

fn put_if(world: &World, path: &str, tag: &str, body: &Value) -> Answer {
    ask(world, "PUT", path, ("If-Match", tag), body)
}

fn get(world: &World, path: &str) -> Answer {
    let answer = admin(world, "GET", path, &Value::Null);
    assert_eq!(answer.status, 200, "{path}");
    answer
}

fn tag(answer: &Answer) -> String {
    let tag = answer
        .header("etag")
        .expect("what can be changed has a tag");
    let opaque = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    assert_eq!(opaque.map(str::len), Some(64), "a strong tag: {tag}");
    tag.to_owned()
}

fn overtaken(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.code().as_str()), (412, "overtaken"));
    assert!(answer.json()["expected"].as_str().unwrap().contains("ETag"));
    answer.json()["message"].as_str().unwrap().to_owned()
}

#[test]
fn of_two_operators_who_save_one_profile_the_later_is_told() {
    let world = World::new(Vec::new());
    let (mine, yours) = (
        json!({ "PRM": { "minLevel": 2000 } }),
        json!({ "PRM": { "minLevel": 3000 } }),
    );
    let read = tag(&get(&world, HD));
    assert_eq!(tag(&get(&world, HD)), read, "as long as nothing changes");
    assert_eq!(put_if(&world, HD, &read, &mine).status, 200);

    let refused = put_if(&world, HD, &read, &yours);
    let said = overtaken(&refused);
    assert!(
        said.starts_with("profile \"HD\" was changed since it was read"),
        "{said}"
    );
    let now = get(&world, HD);
    assert_eq!(now.json()["own"], mine, "nothing was overwritten");
    assert_ne!(tag(&now), read);
    let gone = ask(&world, "DELETE", HD, ("If-Match", &read), &Value::Null);
    overtaken(&gone);
    assert_eq!(put_if(&world, HD, &tag(&now), &yours).status, 200);

    // What was read before the server was started anew counts after it.
    let read = tag(&get(&world, HD));
    let world = world.restarted(|_| {});
    assert_eq!(put_if(&world, HD, &read, &mine).status, 200);
    // And what is as it was once is as it was read then.
    assert_eq!(admin(&world, "DELETE", HD, &Value::Null).status, 204);
    assert_eq!(admin(&world, "PUT", HD, &yours).status, 200);
    assert_eq!(tag(&get(&world, HD)), read);
}

#[test]
fn of_many_at_once_one_is_the_first() {
    let world = World::new(Vec::new());
    let read = tag(&get(&world, HD));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let (world, read) = (&world, &read);
        let form = json!({ "PRM": { "minLevel": 2000 } });
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let form = form.clone();
                scope.spawn(move || put_if(world, HD, read, &form).status)
            })
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let made = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(made, 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 412].contains(status)));
}

#[test]
fn who_says_nothing_changes_what_is_there() {
    let world = World::new(Vec::new());
    for level in [2000, 3000] {
        let form = json!({ "PRM": { "minLevel": level } });
        assert_eq!(admin(&world, "PUT", HD, &form).status, 200);
        assert_eq!(get(&world, HD).json()["own"], form);
    }
    assert_eq!(put_if(&world, HD, "*", &json!({})).status, 200);
}

#[test]
fn a_profile_can_be_made_where_there_is_none_yet() {
    let world = World::new(Vec::new());
    let path = "/admin/v1/profiles/own";
    let form = json!({ "PRM": { "minLevel": 2000 } });
    let said = overtaken(&put_if(&world, path, "*", &form));
    assert!(said.contains("is not there"), "{said}");
    let new = || ask(&world, "PUT", path, ("If-None-Match", "*"), &form);
    assert_eq!(new().status, 200);
    let said = overtaken(&new());
    assert!(
        said.starts_with("profile \"own\" is there already"),
        "{said}"
    );
    // One that was removed meanwhile does not come back by itself.
    let read = tag(&get(&world, path));
    assert_eq!(admin(&world, "DELETE", path, &Value::Null).status, 204);
    let said = overtaken(&put_if(&world, path, &read, &form));
    assert!(said.contains("not any more"), "{said}");
    let gone = ask(&world, "DELETE", path, ("If-Match", &read), &Value::Null);
    assert_eq!(gone.status, 404, "there is nothing to be removed");
}

#[test]
fn a_condition_that_is_not_understood_changes_nothing() {
    let world = World::new(Vec::new());
    let read = tag(&get(&world, HD));
    let form = json!({ "PRM": { "minLevel": 2000 } });
    for said in [read.trim_matches('"'), "", "\"", "\"a\" \"b\""] {
        let answer = put_if(&world, HD, said, &form);
        let found = (answer.status, answer.code());
        assert_eq!(found, (400, "parameter".into()), "{said}");
    }
    overtaken(&put_if(&world, HD, &format!("W/{read}"), &form));
    assert_eq!(tag(&get(&world, HD)), read);
}

#[test]
fn what_one_has_is_not_sent_again() {
    let world = World::new(Vec::new());
    let read = get(&world, HD);
    let tag = tag(&read);
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".into(),
    ] {
        let again = ask(&world, "GET", HD, ("If-None-Match", &known), &Value::Null);
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    let other = ask(&world, "GET", HD, ("If-None-Match", "\"x\""), &Value::Null);
    assert_eq!((other.status, other.body), (200, read.body));
    overtaken(&ask(&world, "GET", HD, ("If-Match", "\"x\""), &Value::Null));
}

#[test]
fn a_key_that_was_replaced_is_a_change_although_nobody_sees_it() {
    let world = World::new(Vec::new());
    let path = "/admin/v1/contents/film";
    let film = |key: Option<u8>| {
        let mut content = json!({ "id": "film", "open": true, "keys": [
            { "kid": "07".repeat(16), "track": "hd", "scheme": "cbcs" }] });
        if let Some(key) = key {
            content["keys"][0]["key"] = json!(hex::encode([key; 16]));
        }
        content
    };
    assert_eq!(admin(&world, "PUT", path, &film(Some(1))).status, 200);
    let first = get(&world, path);
    // A change of the rest keeps the key, and what is written as it is stays as it is.
    assert_eq!(put_if(&world, path, &tag(&first), &film(None)).status, 200);
    assert_eq!(tag(&get(&world, path)), tag(&first));
    assert_eq!(
        put_if(&world, path, &tag(&first), &film(Some(2))).status,
        200
    );
    let second = get(&world, path);
    assert_eq!(second.body, first.body, "keys are never listed");
    assert_ne!(tag(&second), tag(&first));
    let said = overtaken(&put_if(&world, path, &tag(&first), &film(Some(3))));
    assert!(said.starts_with("content \"film\" was changed"), "{said}");
}

/// Whatever can be put can be read at the same address, says which state it is in, and is not changed
/// from another.
#[test]
fn everything_that_can_be_put_heeds_conditions() {
    let world = World::new(vec![open_content("configured", 1)]);
    let film = |open: bool| {
        json!({ "id": "film", "open": open, "keys": [
            { "kid": "07".repeat(16), "key": "01".repeat(16), "track": "hd", "scheme": "cbcs" }] })
    };
    let own = json!({ "PRM": {} });
    let model = json!({ "family": "PRM" });
    // In an order in which each finds what it needs: address in the description, address, two forms.
    let all = [
        (
            "/profiles/{id}",
            "/profiles/own",
            own,
            json!({ "PRM": { "minLevel": 2000 } }),
        ),
        (
            "/device-groups/{id}",
            "/device-groups/g",
            json!({ "family": "PRM" }),
            json!({ "family": "Widevine" }),
        ),
        (
            "/device-models/{model}",
            "/device-models/Box",
            model,
            json!({ "group": "g" }),
        ),
        (
            "/overrides/{profile}/{family}/{model}",
            "/overrides/own/PRM/Box",
            json!({ "minLevel": 1000 }),
            json!({ "minLevel": 3000 }),
        ),
        ("/hdcp-skip-list", "/hdcp-skip-list", json!([1]), json!([2])),
        (
            "/drm-groups/{id}",
            "/drm-groups/d",
            json!({ "level": "low" }),
            json!({ "level": "medium" }),
        ),
        ("/contents/{id}", "/contents/film", film(true), film(false)),
    ];
    let address = |path: &str| format!("/admin/v1{path}");
    let described = described();
    let puts: BTreeSet<String> = described
        .keys()
        .filter(|(method, _)| method == "PUT")
        .map(|(_, path)| path.clone())
        .collect();
    let tried: BTreeSet<String> = all.iter().map(|(path, ..)| address(path)).collect();
    assert_eq!(tried, puts);
    for (_, path, first, second) in &all {
        let path = address(path);
        assert_eq!(admin(&world, "PUT", &path, first).status, 200, "{path}");
        let read = get(&world, &path);
        let stale = tag(&read);
        let there = ask(&world, "PUT", &path, ("If-None-Match", "*"), second);
        assert!(overtaken(&there).contains("is there already"), "{path}");
        assert_eq!(get(&world, &path).body, read.body, "{path}");
        assert_eq!(put_if(&world, &path, &stale, second).status, 200, "{path}");
        assert!(overtaken(&put_if(&world, &path, &stale, first)).contains("was changed"));
        assert_ne!(get(&world, &path).body, read.body, "{path}");
    }
    for (described_as, path, ..) in all.iter().rev() {
        let path = address(path);
        if !described.contains_key(&("DELETE".into(), address(described_as))) {
            continue;
        }
        let read = tag(&get(&world, &path));
        let remove = |tag: &str| ask(&world, "DELETE", &path, ("If-Match", tag), &Value::Null);
        overtaken(&remove("\"x\""));
        assert_eq!(remove(&read).status, 204, "{path}");
        assert_eq!(admin(&world, "GET", &path, &Value::Null).status, 404);
    }
}

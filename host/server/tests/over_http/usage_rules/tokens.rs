//! What tokens and the operator's service say.

use std::time::Duration;

use keybearer_license::{DenialReason, PolicyOrigin, TrackType};
use keybearer_rules::{Column, Drm, Readings, Rules};
use keybearer_server::{CallbackSpec, ContentSpec};
use serde_json::{Value, json};

use super::setting::{Ask, Setting, broken, channel_under, film, key_of, operator, policy, says};
use crate::support::{key, kid, license};

#[test]
fn ur_01_a_token_that_names_an_unknown_profile_is_refused() {
    let setting = Setting::new(vec![film()]);
    let player = setting.player(Drm::Prm);
    for rights in [
        json!([{ "contentId": "film", "usageRulesProfileId": "Nope" }]),
        json!([{ "contentId": "film", "usageRulesProfileId": "SD",
                 "tracks": [{ "type": "HD", "usageRulesProfileId": "Nope" }] }]),
        json!([{ "contentId": "film", "usageRulesProfileId": "Nope",
                 "tracks": [{ "type": "HD", "usageRulesProfileId": "SD" }] }]),
    ] {
        let asked = player.acquire(&[1], Ask::token(setting.token(&rights)));
        let denial = broken(asked, "UR-01");
        assert_eq!(denial.reason, Some(DenialReason::UnknownProfile));
        assert_eq!(denial.found.as_deref(), Some("Nope"));
    }
    setting.profile("Nope", &json!({ "PRM": {} }));
    let rights = json!([{ "contentId": "film", "usageRulesProfileId": "Nope" }]);
    let asked = player.acquire(&[1], Ask::token(setting.token(&rights)));
    assert_eq!(asked.unwrap(), [1], "once it is there");
}

#[test]
fn ur_02_a_token_with_profile_and_rules_is_refused() {
    let setting = Setting::new(vec![film()]);
    let player = setting.player(Drm::Prm);
    let both = json!([
        { "contentId": "film", "usageRulesProfileId": "SD" },
        { "contentId": "other", "usageRules": { "hdcp": true } },
    ]);
    let asked = player.acquire(&[1], Ask::token(setting.token(&both)));
    let denial = broken(asked, "UR-02");
    assert_eq!(denial.reason, Some(DenialReason::ProfileAndRules));
}

#[test]
fn ur_03_a_token_without_terms_means_the_default_profile() {
    for family in Drm::ALL.iter().copied() {
        let setting = Setting::new(vec![film()]);
        let token = setting.token(&json!([{ "contentId": "film" }]));
        let usage = setting.usage(family, 1, |request| {
            request.token = Some(token);
            request.host_stated = super::outputs::capable();
        });
        assert_eq!(usage.policy, policy(family, Column::Default), "{family}");
        assert_eq!(usage.source.origin, PolicyOrigin::Default);
        assert_eq!(usage.source.profile.as_deref(), Some("default"));
        let rules = &setting.logged()["rules"][0];
        assert_eq!(rules["family"], family.name());
        assert_eq!(rules["origin"], "default");
    }
}

#[test]
fn ur_04_a_tracks_profile_counts_for_its_keys_and_the_contents_for_the_others() {
    let keys = vec![
        key_of(1, TrackType::Sd),
        key_of(2, TrackType::Hd),
        key_of(3, TrackType::Uhd2),
    ];
    let film = ContentSpec { keys, ..film() };
    let setting = Setting::new(vec![film]);
    let player = setting.player(Drm::Prm);
    let rights = json!([{ "contentId": "film", "usageRulesProfileId": "SD", "tracks": [
        { "type": "UHD", "usageRulesProfileId": "UHD" },
        { "type": "HD", "usageRulesProfileId": "HD" },
    ]}]);
    let token = setting.token(&rights);
    // UHD asks for level 3000, and the player has 1000.
    let granted = player.acquire(&[1, 2, 3], Ask::token(token.clone()));
    assert_eq!(granted.unwrap(), [1, 2]);
    broken(
        player.acquire(&[3], Ask::token(token.clone())),
        "UR-15 PRM.minLevel",
    );
    let mut device = setting.device(Drm::Prm);
    device.enrol(&setting.world.enrolment("default"));
    let asked = device.acquire_with(&[kid(1), kid(2)], |request| request.token = Some(token));
    let license = license(asked);
    assert_eq!(license.keys[0].usage.policy, policy(Drm::Prm, Column::Sd));
    assert_eq!(license.keys[1].usage.policy, policy(Drm::Prm, Column::Hd));
}

#[test]
fn ur_05_explicit_rules_are_converted_and_completed() {
    let setting = Setting::new(vec![film()]);
    let rights = json!([{ "contentId": "film",
                          "usageRules": { "hdcpType": "TYPE_0", "digitalOnly": false } }]);
    let token = setting.token(&rights);
    let usage = setting.usage(Drm::Widevine, 1, |request| {
        request.token = Some(token.clone());
        request.host_stated = super::outputs::capable();
    });
    let Rules::Generic(mut generic) = Rules::column(Drm::Generic, Column::Default) else {
        panic!("the generic rules")
    };
    for (rule, value) in [("hdcpType", "TYPE_0"), ("digitalOnly", "FALSE")] {
        generic
            .amend(rule, keybearer_rules::Form::from_text(value))
            .unwrap();
    }
    let converted = generic.convert(Drm::Widevine).policy(&Readings::default());
    assert_eq!(usage.policy, converted);
    assert_eq!(usage.source.origin, PolicyOrigin::TokenRules);
    let player = setting.player(Drm::Prm);
    for (rules, found) in [
        (json!({ "hdcpTyp": "TYPE_0" }), "no rule"),
        (json!({ "minLevel": 9 }), "Generic.minLevel = 9"),
    ] {
        let rights = json!([{ "contentId": "film", "usageRules": rules }]);
        let asked = player.acquire(&[1], Ask::token(setting.token(&rights)));
        let denial = broken(asked, "UR-05");
        assert_eq!(denial.reason, Some(DenialReason::TokenInvalid));
        assert!(denial.found.clone().unwrap().contains(found), "{denial:?}");
    }
}

#[test]
fn ur_10_the_operators_service_without_a_profile_means_the_default() {
    let rights = |rights: Value| says("200 OK", &json!({ "contentRights": rights }));
    let (url, asked) = operator(vec![
        rights(json!([{ "contentId": "film" }])),
        rights(json!([{ "contentId": "film", "usageRulesProfileId": "SD" }])),
        rights(json!([{ "contentId": "film", "usageRulesProfileId": "Nope" }])),
        rights(json!([])),
    ]);
    let setting = Setting::with(vec![film()], |tenants| {
        tenants[0].callback = Some(CallbackSpec::new(url));
    });
    let usage = setting.usage(Drm::Prm, 1, |_| {});
    assert_eq!(usage.policy, policy(Drm::Prm, Column::Default));
    assert_eq!(usage.source.origin, PolicyOrigin::Default);
    let (head, question) = asked.recv().unwrap();
    assert!(head.starts_with("POST /authorise "));
    assert_eq!(question["contentIds"], json!(["film"]));
    assert_eq!(question["deviceModel"], "PRM player");
    assert_eq!(question["level"], "low");
    assert_eq!(question["tenant"], "default");

    let usage = setting.usage(Drm::Prm, 1, |_| {});
    assert_eq!(usage.policy, policy(Drm::Prm, Column::Sd));
    let player = setting.player(Drm::Prm);
    broken(player.acquire(&[1], Ask::default()), "UR-01");
    let denial = broken(
        player.acquire(&[1], Ask::default()),
        "callback.contentRights",
    );
    assert_eq!(denial.reason, Some(DenialReason::NotAuthorised));
    assert_eq!(denial.server_code, Some(4000));
}

#[test]
fn an_operators_service_that_does_not_answer_authorises_nobody() {
    let endless = [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".as_slice(),
        &vec![b' '; 70_000],
    ]
    .concat();
    let (url, _asked) = operator(vec![
        says("200 OK", &json!({ "granted": true })),
        says("403 Forbidden", &json!({})),
        says("302 Found", &json!({})),
        says("503 Service Unavailable", &json!({})),
        says("429 Too Many Requests", &json!({})),
        endless,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec(),
        Vec::new(),
    ]);
    let setting = Setting::with(vec![film()], |tenants| {
        let mut callback = CallbackSpec::new(url);
        callback.timeout = Duration::from_secs(5);
        tenants[0].callback = Some(callback);
    });
    let player = setting.player(Drm::Prm);
    for (rule, reason) in [
        ("callback.answer", DenialReason::NotAuthorised),
        ("callback.status", DenialReason::NotAuthorised),
        ("callback.status", DenialReason::NotAuthorised),
        ("callback.status", DenialReason::Overloaded),
        ("callback.status", DenialReason::Overloaded),
        ("callback.size", DenialReason::NotAuthorised),
        ("callback.unreachable", DenialReason::Overloaded),
        ("callback.unreachable", DenialReason::Overloaded),
    ] {
        let denial = broken(player.acquire(&[1], Ask::default()), rule);
        assert_eq!(denial.reason, Some(reason), "{rule}");
        assert_eq!(
            denial.retry_after_seconds.is_some(),
            reason == DenialReason::Overloaded
        );
        // What stands in the operator's answers is not the device's business.
        assert!(!denial.found.unwrap_or_default().contains("granted"));
    }
    // Nobody listens any more.
    let denial = broken(player.acquire(&[1], Ask::default()), "callback.unreachable");
    assert_eq!(denial.reason, Some(DenialReason::Overloaded));
    assert!(denial.retry_after_seconds.is_some());
}

#[test]
fn an_operators_service_that_holds_up_is_left_at_the_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let open = channel_under("open", 2, Some("SD"));
    let setting = Setting::with(vec![film(), open], |tenants| {
        let mut callback = CallbackSpec::new(url);
        callback.timeout = Duration::from_millis(300);
        tenants[0].callback = Some(callback);
    });
    let player = setting.player(Drm::Prm);
    let begun = std::time::Instant::now();
    let asked = player.acquire(&[1], Ask::default());
    broken(asked, "callback.deadline");
    assert!(begun.elapsed() < Duration::from_secs(10));
    // What needs no word is not held up by one that is not given.
    assert_eq!(player.acquire(&[2], Ask::default()).unwrap(), [2]);
}

#[test]
fn a_token_is_for_its_contents_and_their_files() {
    let film = ContentSpec {
        kind: Some(keybearer_server::ContentKind::Vod),
        file_ids: vec!["film.mp4".into()],
        ..film()
    };
    let other = ContentSpec {
        open: false,
        ..ContentSpec::open("other", vec![key(2)])
    };
    let setting = Setting::new(vec![film, other]);
    let player = setting.player(Drm::Prm);
    let by_file = setting.token(&json!([{ "contentId": "film.mp4" }]));
    let asked = player.acquire(&[1, 2], Ask::token(by_file.clone()));
    assert_eq!(asked.unwrap(), [1]);
    let denial = broken(
        player.acquire(&[2], Ask::token(by_file)),
        "token.contentRights",
    );
    assert_eq!(denial.server_code, Some(4000));
    let denial = broken(player.acquire(&[1], Ask::default()), "token");
    assert_eq!(denial.reason, Some(DenialReason::TokenMissing));
    assert_eq!(denial.server_code, Some(4001));
}

#[test]
fn a_token_that_counts_once_brings_one_licence() {
    let setting = Setting::new(vec![film()]);
    let (one, two) = (setting.player(Drm::Prm), setting.player_of(Drm::Prm, "two"));
    let once = setting.token_with(|claims| claims["jti"] = "1".into());
    assert_eq!(one.acquire(&[1], Ask::token(once.clone())).unwrap(), [1]);
    for player in [&one, &two] {
        let denial = broken(player.acquire(&[1], Ask::token(once.clone())), "token.jti");
        assert_eq!(denial.reason, Some(DenialReason::TokenReplayed));
        assert_eq!(denial.server_code, Some(4006));
    }
    let other = setting.token_with(|claims| claims["jti"] = "2".into());
    assert_eq!(two.acquire(&[1], Ask::token(other)).unwrap(), [1]);
    // A refused request uses nothing up.
    let late = setting.token_with(|claims| {
        claims["jti"] = "3".into();
        claims["contentRights"][0]["usageRulesProfileId"] = "UHD".into();
    });
    broken(one.acquire(&[1], Ask::token(late.clone())), "UR-15");
    setting.profile("UHD", &json!({ "PRM": { "minLevel": 1000 } }));
    assert_eq!(one.acquire(&[1], Ask::token(late)).unwrap(), [1]);
}

#[test]
fn a_token_of_another_device_or_another_time_is_refused() {
    let setting = Setting::new(vec![film()]);
    let player = setting.player(Drm::Prm);
    let bound = setting.token_with(|claims| {
        claims["device"] = json!({ "deviceUniqueId": "0".repeat(32) });
    });
    let denial = broken(player.acquire(&[1], Ask::token(bound)), "token.device");
    assert_eq!(denial.reason, Some(DenialReason::TokenOtherDevice));
    assert_eq!(denial.server_code, Some(4007));
    let devices = setting.done("GET", "/admin/v1/devices", &Value::Null);
    let serial = devices["devices"][0]["serial"].clone();
    let own = setting.token_with(|claims| claims["device"] = json!({ "deviceUniqueId": serial }));
    assert_eq!(player.acquire(&[1], Ask::token(own)).unwrap(), [1]);
    let ended = setting.token_with(|claims| claims["exp"] = 1.into());
    let denial = broken(player.acquire(&[1], Ask::token(ended)), "token.exp");
    assert_eq!(denial.reason, Some(DenialReason::TokenExpired));
    let forged = [setting.token_with(|_| {}).as_slice(), b"A"].concat();
    let denial = player.acquire(&[1], Ask::token(forged)).unwrap_err();
    assert_eq!(denial.reason, Some(DenialReason::TokenInvalid));
}

#[test]
fn where_a_token_says_nothing_the_channel_does() {
    let channel = ContentSpec {
        open: false,
        ..channel_under("film", 1, Some("SD"))
    };
    let setting = Setting::new(vec![channel]);
    let of = |rights: Value| {
        let token = setting.token(&rights);
        setting.usage(Drm::Prm, 1, |request| request.token = Some(token))
    };
    let usage = of(json!([{ "contentId": "film" }]));
    assert_eq!(usage.policy, policy(Drm::Prm, Column::Sd));
    assert_eq!(usage.source.origin, PolicyOrigin::ChannelProfile);
    let usage = of(json!([{ "contentId": "film", "usageRulesProfileId": "HD" }]));
    assert_eq!(usage.policy, policy(Drm::Prm, Column::Hd));
    assert_eq!(usage.source.origin, PolicyOrigin::TokenProfile);
}

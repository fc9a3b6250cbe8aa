//! What the definitions of channels say.

use keybearer_license::{DenialReason, PolicyOrigin, TrackType};
use keybearer_rules::{Column, Drm};
use keybearer_server::ContentSpec;
use serde_json::{Value, json};

use super::setting::{Ask, Setting, broken, channel_under, key_of, policy};

/// A channel as the operator's side takes it.
fn form(change: impl FnOnce(&mut Value)) -> Value {
    let mut form = json!({
        "id": "news",
        "kind": "channel",
        "open": true,
        "keys": [{
            "kid": "07".repeat(16),
            "key": "a5".repeat(16),
            "track": "hd",
            "scheme": "cenc",
        }],
    });
    change(&mut form);
    form
}

#[test]
fn ur_06_explicit_rules_in_a_channels_definition_are_refused() {
    let setting = Setting::new(Vec::new());
    for form in [
        form(|form| form["usageRules"] = json!({ "hdcp": true })),
        form(|form| form["usage_rules"] = json!([])),
        form(|form| form["usageRules"] = Value::Null),
        form(|form| form["keys"][0]["usageRules"] = json!({ "hdcp": true })),
    ] {
        let what = setting.refused("POST", "/admin/v1/contents", &form);
        assert!(what.contains("UR-06"), "{what}");
    }
    assert_eq!(
        setting.done("GET", "/admin/v1/contents", &Value::Null),
        json!([]),
        "nothing of it was taken over"
    );
    setting.done("POST", "/admin/v1/contents", &form(|_| {}));
}

#[test]
fn ur_07_a_channel_may_name_an_unknown_profile_and_then_gets_no_licence() {
    let setting = Setting::new(Vec::new());
    let player = setting.player(Drm::Prm);
    for (form, found) in [
        (
            form(|form| form["usageRulesProfileId"] = "Nope".into()),
            "Nope",
        ),
        (
            form(|form| {
                form["usage_rules_profile_id"] = "SD".into();
                form["keys"][0]["usage_rules_profile_id"] = "Neither".into();
            }),
            "Neither",
        ),
    ] {
        setting.done("PUT", "/admin/v1/contents/news", &form);
        let denial = broken(player.acquire(&[7], Ask::default()), "UR-07");
        assert_eq!(denial.reason, Some(DenialReason::UnknownProfile));
        assert_eq!(denial.found.as_deref(), Some(found));
    }
    setting.profile("Neither", &json!({ "PRM": {} }));
    assert_eq!(player.acquire(&[7], Ask::default()).unwrap(), [7]);
    setting.done("DELETE", "/admin/v1/profiles/Neither", &Value::Null);
    broken(player.acquire(&[7], Ask::default()), "UR-07");
}

#[test]
fn ur_08_a_channel_without_a_profile_is_under_the_default() {
    let setting = Setting::new(vec![channel_under("news", 1, None)]);
    let usage = setting.usage(Drm::Prm, 1, |_| {});
    assert_eq!(usage.policy, policy(Drm::Prm, Column::Default));
    assert_eq!(usage.source.origin, PolicyOrigin::Default);
    // The default profile can be changed like any other.
    setting.profile("default", &json!({ "PRM": { "hdcpType": "TYPE_0" } }));
    let changed = setting.usage(Drm::Prm, 1, |_| {});
    assert_ne!(changed.policy, usage.policy);
}

#[test]
fn ur_09_a_tracks_own_profile_counts_before_the_channels() {
    let mut own = key_of(2, TrackType::Sd);
    own.usage_rules_profile_id = Some("SD".into());
    let mut third = key_of(3, TrackType::Uhd1);
    third.usage_rules_profile_id = Some("UHD".into());
    let keys = vec![key_of(1, TrackType::Hd), own, third];
    let channel = ContentSpec {
        keys,
        ..channel_under("news", 1, Some("HD"))
    };
    let setting = Setting::new(vec![channel]);
    let player = setting.player(Drm::PlayReady);
    assert_eq!(player.acquire(&[1, 2, 3], Ask::default()).unwrap(), [1, 2]);
    broken(player.acquire(&[3], Ask::default()), "UR-15");
    let hd = setting.usage(Drm::PlayReady, 1, |_| {});
    assert_eq!(hd.policy, policy(Drm::PlayReady, Column::Hd));
    assert_eq!(hd.source.origin, PolicyOrigin::ChannelProfile);
    let sd = setting.usage(Drm::PlayReady, 2, |_| {});
    assert_eq!(sd.policy, policy(Drm::PlayReady, Column::Sd));
    assert_eq!(sd.source.origin, PolicyOrigin::TrackProfile);
}

#[test]
fn ur_28_the_profile_test_is_for_integration() {
    let lab = ContentSpec {
        tenant: "lab".into(),
        ..channel_under("lab", 2, Some("Test"))
    };
    let setting = Setting::new(vec![channel_under("news", 1, Some("Test")), lab]);
    let player = setting.player(Drm::Prm);
    let denial = broken(player.acquire(&[1], Ask::default()), "UR-28");
    assert_eq!(denial.reason, Some(DenialReason::NotAuthorised));
    assert_eq!(denial.found.as_deref(), Some("Test"));
    assert_eq!(player.acquire(&[2], Ask::default()).unwrap(), [2]);
}

#[test]
fn ur_29_a_profile_without_the_family_gives_nothing_and_without_a_rule_the_default() {
    let setting = Setting::new(vec![channel_under("news", 1, Some("own"))]);
    setting.profile("own", &json!({ "PRM": { "digitalOnly": false } }));
    let denial = broken(
        setting.player(Drm::Widevine).acquire(&[1], Ask::default()),
        "UR-29 Widevine",
    );
    assert_eq!(denial.reason, Some(DenialReason::UnknownProfile));
    let usage = setting.usage(Drm::Prm, 1, |_| {});
    let default = policy(Drm::Prm, Column::Default);
    assert_eq!(usage.policy.digital_video, default.digital_video);
    assert_ne!(usage.policy.analog_video, default.analog_video);
    assert_eq!(usage.source.profile.as_deref(), Some("own"));
}

#[test]
fn the_log_says_which_rules_decided() {
    let setting = Setting::new(vec![channel_under("news", 1, Some("SD"))]);
    let player = setting.player(Drm::WisePlay);
    player.acquire(&[1], Ask::default()).unwrap();
    let logged = setting.logged();
    assert_eq!(logged["event"], "license");
    let rules = json!([{ "key": "01".repeat(16), "family": "WisePlay",
                         "origin": "channel-profile", "profile": "SD" }]);
    assert_eq!(logged["rules"], rules);
    setting.profile("SD", &json!({ "WisePlay": { "securityLevel": 3 } }));
    broken(player.acquire(&[1], Ask::default()), "UR-15");
    let logged = setting.logged();
    assert_eq!(logged["rule"], "UR-15 WisePlay.securityLevel");
    assert_eq!(
        (&logged["wanted"], &logged["found"]),
        (&json!("3"), &json!("1"))
    );
}

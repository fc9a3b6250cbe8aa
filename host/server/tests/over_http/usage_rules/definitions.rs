//! What the operator defines, and what is refused when it is defined.

use keybearer_license::DenialReason;
use keybearer_rules::{Column, Drm, Level, Persistence, Rules};
use keybearer_server::ContentSpec;
use serde_json::{Value, json};

use super::setting::{Ask, Setting, broken, channel_under, policy};
use crate::support::key;

#[test]
fn ur_11_an_override_changes_the_named_rules_of_one_model() {
    let setting = Setting::new(vec![channel_under("uhd", 1, Some("UHD"))]);
    let (one, two) = (
        setting.player_of(Drm::Prm, "one"),
        setting.player_of(Drm::Prm, "two"),
    );
    for player in [&one, &two] {
        broken(player.acquire(&[1], Ask::default()), "UR-15");
    }
    let path = "/admin/v1/overrides/UHD/PRM/PRM%20player";
    setting.done("PUT", path, &json!({ "minLevel": 1000 }));
    setting.done(
        "PUT",
        "/admin/v1/overrides/UHD/PRM/one",
        &json!({ "minLevel": 1000 }),
    );
    assert_eq!(one.acquire(&[1], Ask::default()).unwrap(), [1]);
    broken(two.acquire(&[1], Ask::default()), "UR-15");
    // What the override does not name is the profile's.
    let usage = setting.usage(Drm::Prm, 1, |_| {});
    let uhd = policy(Drm::Prm, Column::Uhd);
    assert_eq!(usage.policy.digital_video, uhd.digital_video);
    assert_eq!(usage.policy.analog_video, uhd.analog_video);
    setting.done("DELETE", "/admin/v1/overrides/UHD/PRM/one", &Value::Null);
    broken(one.acquire(&[1], Ask::default()), "UR-15");
}

#[test]
fn ur_12_an_override_bars_one_model_from_a_profile() {
    for (family, rules) in [
        (Drm::Prm, json!({ "minLevel": 10000 })),
        (Drm::PlayReady, json!({ "minimumSecurityLevel": 5000 })),
        (Drm::Widevine, json!({ "minimumSecurityLevel": 0 })),
    ] {
        let setting = Setting::new(vec![
            channel_under("sd", 1, Some("SD")),
            channel_under("other", 2, Some("other")),
        ]);
        setting.profile("other", &json!({ family.name(): { } }));
        let (barred, free) = (
            setting.player_of(family, "barred one"),
            setting.player_of(family, "free one"),
        );
        let path = format!("/admin/v1/overrides/SD/{family}/barred%20one");
        setting.done("PUT", &path, &rules);
        let ask = || Ask {
            says: super::outputs::capable(),
            ..Ask::default()
        };
        let denial = broken(barred.acquire(&[1], ask()), &format!("UR-12 {family}."));
        assert_eq!(denial.reason, Some(DenialReason::NotAuthorised));
        assert_eq!(barred.acquire(&[2], ask()).unwrap(), [2], "another profile");
        assert_eq!(free.acquire(&[1], ask()).unwrap(), [1]);
    }
}

#[test]
fn ur_24_hdcp_of_a_type_without_strict_enforcement_is_refused_when_it_is_defined() {
    let setting = Setting::new(vec![channel_under("hd", 1, Some("HD"))]);
    let before = setting.done("GET", "/admin/v1/usage-rules", &Value::Null);
    let lax = json!({ "hdcpStrictEnforcement": false });
    for (path, form) in [
        ("/admin/v1/profiles/HD", json!({ "FairPlay": lax })),
        (
            "/admin/v1/profiles/new",
            json!({ "FairPlay": { "hdcpStrictEnforcement": false,
                                  "hdcpLevel": "0x40791AC78BD5C571" },
                    "PRM": {} }),
        ),
        ("/admin/v1/overrides/UHD/FairPlay/phone", lax.clone()),
        // One wrong value, and the good ones beside it are not taken over either.
        (
            "/admin/v1/profiles/SD",
            json!({ "PRM": { "minLevel": 2000 }, "Widevine": { "hdcp": 99 } }),
        ),
    ] {
        let what = setting.refused("PUT", path, &form);
        assert!(
            what.contains("UR-24") || what.contains("Widevine.hdcp"),
            "{what}"
        );
    }
    let after = setting.done("GET", "/admin/v1/usage-rules", &Value::Null);
    assert_eq!(before, after, "nothing half-applied");
    let even = json!({ "FairPlay": { "hdcpStrictEnforcement": false,
                                     "hdcpLevel": "0xEF72894CA7895B78" } });
    setting.profile("HD", &even);
}

#[test]
fn a_profile_can_be_tried_before_it_is_written() {
    let setting = Setting::new(Vec::new());
    let path = "/admin/v1/profiles/HD/check";
    let form = json!({ "PRM": { "minLevel": 2000 } });
    let tried = setting.done("POST", path, &form);
    assert_eq!(tried["profile"]["rules"]["PRM"]["minLevel"], 2000);
    let what = setting.refused("POST", path, &json!({ "PRM": { "minLevel": 7 } }));
    assert!(what.contains("PRM.minLevel = 7, expected"), "{what}");
    let kept = setting.done("GET", "/admin/v1/profiles/HD", &Value::Null);
    assert_eq!(kept["rules"]["PRM"]["minLevel"], 1000);
    assert_eq!(kept["changed"], false);
}

#[test]
fn a_refusal_names_the_place_of_everything_that_is_wrong() {
    let setting = Setting::new(Vec::new());
    let form = json!({ "PRM": { "minLevel": 7, "digitalOnly": true },
                       "Widevine": { "hdcp": 99 } });
    for (method, path) in [
        ("POST", "/admin/v1/profiles/own/check"),
        ("PUT", "/admin/v1/profiles/own"),
    ] {
        let answer = setting.admin(method, path, &form);
        assert_eq!(answer.status, 400);
        let flaws = answer.json()["flaws"].clone();
        let about: Vec<&str> = flaws
            .as_array()
            .unwrap()
            .iter()
            .map(|flaw| flaw["about"].as_str().unwrap())
            .collect();
        assert_eq!(
            about,
            ["profiles/own/PRM/minLevel", "profiles/own/Widevine/hdcp"]
        );
        let what = flaws[0]["what"].as_str().unwrap();
        assert!(
            what.contains("PRM.minLevel = 7, expected 0, 1000"),
            "{what}"
        );
    }
}

#[test]
fn every_rule_is_listed_with_what_it_may_be() {
    let setting = Setting::new(Vec::new());
    let listed = setting.done("GET", "/admin/v1/rule-families", &Value::Null);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), Drm::ALL.len());
    for (drm, family) in Drm::ALL.iter().zip(listed) {
        assert_eq!(family["family"], drm.name());
        let rules = family["rules"].as_array().unwrap();
        let names: Vec<&str> = rules
            .iter()
            .map(|rule| rule["rule"].as_str().unwrap())
            .collect();
        assert_eq!(names, Rules::names(*drm));
        assert!(
            rules
                .iter()
                .all(|rule| !rule["expected"].as_str().unwrap().is_empty())
        );
    }
}

#[test]
fn what_the_configuration_file_defines_counts_and_is_changed_there_alone() {
    let rules = json!({
        "profiles": { "HD": { "PRM": { "minLevel": 3000 } }, "cinema": { "PRM": {} } },
        "device_models": { "Box": { "family": "PRM" } },
        "device_groups": { "boxes": { "family": "PRM" } },
        "drm_groups": { "sport": { "level": "low" } },
        "overrides": { "cinema": { "PRM": { "Box": { "minLevel": 1000 } } } },
        "hdcp_skip_list": [7],
    });
    let setting = Setting::with_config(vec![channel_under("hd", 1, Some("HD"))], |config| {
        config.usage_rules = serde_json::from_value(rules).unwrap();
    });
    broken(
        setting.player(Drm::Prm).acquire(&[1], Ask::default()),
        "UR-15 PRM.minLevel",
    );
    let hd = setting.done("GET", "/admin/v1/profiles/HD", &Value::Null);
    assert_eq!(
        (&hd["configured"], &hd["own"]["PRM"]["minLevel"]),
        (&json!(true), &json!(3000))
    );
    let before = setting.done("GET", "/admin/v1/usage-rules", &Value::Null);
    for (path, form) in [
        ("profiles/HD", json!({ "PRM": {} })),
        ("device-models/Box", json!({})),
        ("device-groups/boxes", json!({ "family": "Widevine" })),
        ("drm-groups/sport", json!({ "level": "high" })),
        ("overrides/cinema/PRM/Box", json!({})),
    ] {
        for (method, form) in [("PUT", &form), ("DELETE", &Value::Null)] {
            let answer = setting.admin(method, &format!("/admin/v1/{path}"), form);
            assert_eq!(answer.status, 409, "{method} {path}");
            let what = answer.json()["message"].to_string();
            assert!(what.contains("is in the configuration file"), "{what}");
        }
    }
    let checked = setting.admin("POST", "/admin/v1/profiles/HD/check", &json!({}));
    assert_eq!(checked.status, 409);
    assert_eq!(
        setting.done("GET", "/admin/v1/usage-rules", &Value::Null),
        before
    );
    // What is defined here stands beside it, and may speak of it.
    setting.done(
        "PUT",
        "/admin/v1/overrides/cinema/PRM/Stick",
        &json!({ "minLevel": 2000 }),
    );
    setting.done("PUT", "/admin/v1/hdcp-skip-list", &json!([8]));
    let after = setting.done("GET", "/admin/v1/usage-rules", &Value::Null);
    assert_eq!(after["definitions"]["hdcp_skip_list"], json!([7, 8]));
    let overrides = &after["definitions"]["overrides"]["cinema"]["PRM"];
    assert_eq!(
        overrides,
        &json!({ "Box": { "minLevel": 1000 }, "Stick": { "minLevel": 2000 } })
    );
    // The store holds what was defined here and nothing of the file.
    let Setting { world, .. } = setting;
    let what = world.fails_to_restart(|_| {});
    assert!(what.contains("no profile \"cinema\""), "{what}");
}

#[test]
fn what_is_defined_in_file_and_store_keeps_the_server_from_starting() {
    let setting = Setting::new(Vec::new());
    setting.profile("own", &json!({ "PRM": { "minLevel": 2000 } }));
    let Setting { world, .. } = setting;
    let what = world.fails_to_restart(|config| {
        config.usage_rules = serde_json::from_value(json!({ "profiles": { "own": {} } })).unwrap();
    });
    assert!(what.contains("profile \"own\" is in both"), "{what}");
}

#[test]
fn the_five_built_in_profiles_are_there_and_come_back() {
    let setting = Setting::new(Vec::new());
    let profiles = setting.done("GET", "/admin/v1/profiles", &Value::Null);
    let mut ids: Vec<_> = profiles
        .as_array()
        .unwrap()
        .iter()
        .map(|profile| profile["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["HD", "SD", "Test", "UHD", "default"]);
    setting.profile("HD", &json!({ "PRM": { "minLevel": 3000 } }));
    setting.done("DELETE", "/admin/v1/profiles/HD", &Value::Null);
    let back = setting.done("GET", "/admin/v1/profiles/HD", &Value::Null);
    assert_eq!(back["rules"]["PRM"]["minLevel"], 1000);
    setting.refused("DELETE", "/admin/v1/profiles/HD", &Value::Null);
    setting.refused("GET", "/admin/v1/profiles/none", &Value::Null);
}

#[test]
fn what_was_defined_is_there_after_a_restart() {
    let setting = Setting::new(Vec::new());
    setting.profile("own", &json!({ "PRM": { "minLevel": 2000 } }));
    setting.done("PUT", "/admin/v1/hdcp-skip-list", &json!([1, 2]));
    let before = setting.done("GET", "/admin/v1/usage-rules", &Value::Null);
    let restarted = setting.restarted();
    let after = restarted.done("GET", "/admin/v1/usage-rules", &Value::Null);
    assert_eq!(before, after);
    assert_eq!(after["definitions"]["hdcp_skip_list"], json!([1, 2]));
}

#[test]
fn a_drm_group_sets_level_and_licence_type() {
    let setting = Setting::new(Vec::new());
    let group = |level: &str, kind: &str| json!({ "level": level, "license_type": kind });
    let path = "/admin/v1/drm-groups/premium";
    setting.done("PUT", path, &group("low", "persistent"));
    let content = |id: &str, n: u8| ContentSpec {
        drm_group: Some("premium".into()),
        ..ContentSpec::open(id, vec![key(n)])
    };
    let registry = setting.world.server.registry();
    registry.put_content(content("film", 1)).unwrap();
    let usage = setting.usage(Drm::Generic, 1, |_| {});
    assert_eq!(usage.policy.persistence, Persistence::Unspecified);
    setting.done("PUT", path, &group("low", "non-persistent"));
    let usage = setting.usage(Drm::Generic, 1, |_| {});
    assert_eq!(usage.policy.persistence, Persistence::Forbidden);
    setting.done("PUT", path, &group("medium", "non-persistent"));
    let player = setting.player_of(Drm::Generic, "low one");
    let denial = broken(player.acquire(&[1], Ask::default()), "level");
    assert_eq!(denial.level_needed, Some(Level::Medium));
    // A group that is not there is none to be in, neither now nor later.
    let mut other = content("other", 2);
    other.drm_group = Some("none".into());
    assert!(registry.put_content(other).is_err());
    setting.done("DELETE", path, &Value::Null);
    broken(player.acquire(&[1], Ask::default()), "drm-group");
}

#[test]
fn persistent_licences_warn_about_models_without_a_counter() {
    let setting = Setting::new(Vec::new());
    setting.done(
        "PUT",
        "/admin/v1/device-models/Old%20Stick",
        &json!({ "counter": "none" }),
    );
    let group = json!({ "level": "low", "license_type": "persistent" });
    let answer = setting.done("PUT", "/admin/v1/drm-groups/premium", &group);
    let warning = answer["warnings"][0]["what"].as_str().unwrap();
    assert!(warning.contains("Old Stick"), "{warning}");
    let counter = json!({ "counter": "hardware" });
    let answer = setting.done("PUT", "/admin/v1/device-models/Old%20Stick", &counter);
    assert_eq!(answer["warnings"], json!([]));
}

#[test]
fn a_family_is_the_models_or_its_groups() {
    let setting = Setting::new(vec![channel_under("uhd", 1, Some("UHD"))]);
    setting.done(
        "PUT",
        "/admin/v1/device-groups/phones",
        &json!({ "family": "Widevine" }),
    );
    let player = setting.player_of(Drm::Prm, "phone");
    broken(player.acquire(&[1], Ask::default()), "UR-15 PRM.");
    let path = "/admin/v1/device-models/phone";
    setting.done("PUT", path, &json!({ "group": "phones" }));
    broken(player.acquire(&[1], Ask::default()), "UR-16 Widevine.");
    setting.done("DELETE", path, &Value::Null);
    broken(player.acquire(&[1], Ask::default()), "UR-15 Generic.");
    let what = setting.refused("PUT", path, &json!({ "group": "none" }));
    assert!(what.contains("no device group"), "{what}");
    let what = setting.refused("PUT", path, &json!({ "family": "Marlin" }));
    assert!(what.contains("rule family"), "{what}");
}

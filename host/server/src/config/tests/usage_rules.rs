//! Usage rules in the file: checked when it is read, with an error that says where and what.

use keybearer_rules::Drm;
use serde_json::json;

use super::*;

#[test]
fn the_files_rules_are_those_of_the_admin_interface() {
    let config = parse(&format!(
        "{MINIMAL}
[usage_rules]
hdcp_skip_list = [3, 1]
[usage_rules.profiles.HD]
PRM = {{ minLevel = 2000, digitalOnly = false }}
FairPlay = {{ hdcpLevel = \"0x285A0863BBA8E1D3\" }}
[usage_rules.device_groups.phones]
family = \"Widevine\"
[usage_rules.device_models.\"Odd one\"]
group = \"phones\"
[usage_rules.overrides.HD.PRM.\"Odd one\"]
minLevel = \"1000\"
[usage_rules.drm_groups.sport]
level = \"high\""
    ))
    .unwrap();
    let expected = serde_json::from_value(json!({
        "profiles": { "HD": {
            "PRM": { "minLevel": 2000, "digitalOnly": false },
            "FairPlay": { "hdcpLevel": "0x285A0863BBA8E1D3" },
        } },
        "device_groups": { "phones": { "family": "Widevine" } },
        "device_models": { "Odd one": { "group": "phones" } },
        "overrides": { "HD": { "PRM": { "Odd one": { "minLevel": "1000" } } } },
        "hdcp_skip_list": [1, 3],
        "drm_groups": { "sport": { "level": "high" } },
    }));
    assert_eq!(config.usage_rules, expected.unwrap());
    assert_eq!(
        config.usage_rules.device_groups["phones"].family,
        Drm::Widevine
    );
}

#[test]
fn what_is_wrong_in_them_keeps_the_file_from_being_read() {
    for (rules, parts) in [
        (
            "profiles.HD.PRM]\nminLevel = 7",
            vec![
                "usage_rules: profile \"HD\"",
                "PRM.minLevel = 7, expected 0, 1000",
            ],
        ),
        (
            "profiles.HD]\nPRM.minLevel = 7\nWidevine.hdcp = 99",
            vec!["PRM.minLevel = 7", "Widevine.hdcp = 99"],
        ),
        ("profiles.HD.Marlin]", vec!["\"Marlin\" is no rule family"]),
        (
            "profiles.HD.FairPlay]\nhdcpStrictEnforcement = false",
            vec!["UR-24"],
        ),
        (
            "profiles.HD.PRM]\nminLevel = 1979-05-27",
            vec!["PRM.minLevel", "expected 0, 1000"],
        ),
        (
            "device_models.Box]\ngroup = \"none\"",
            vec!["there is no device group \"none\""],
        ),
        (
            "overrides.cinema.PRM.Box]\nminLevel = 1000",
            vec!["there is no profile \"cinema\""],
        ),
        (
            "drm_groups.sport]\nlevel = \"none\"",
            vec!["expected low, medium or high"],
        ),
        // What the reader itself finds is told with its line.
        (
            "device_groups.phones]\nfamily = \"Marlin\"",
            vec!["line ", "\"Marlin\""],
        ),
        ("profile.HD]", vec!["line ", "unknown field `profile`"]),
    ] {
        let error = error(&format!("{MINIMAL}\n[usage_rules.{rules}\n"));
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    }
}

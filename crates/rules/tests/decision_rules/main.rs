//! UR-01 to UR-29, one test each by name, and the level vectors. What a rule needs of a server comes
//! in as arguments here; that a server asks is the server's to show.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod admission;
#[path = "../support/data.rs"]
mod data;
mod selection;
mod widevine;

use data::{data, entries, text};
use keybearer_rules::family::widevine::WidevineHdcp;
use keybearer_rules::ur::{
    AnalogCapability, Claims, PrmDevice, Revocation, Stage, UsageRule, Violation, Vulnerability,
    WidevineClaims, admit,
};
use keybearer_rules::{Column, Drm, Form, Level, Rules};

/// A column with one rule set.
fn amended(drm: Drm, column: Column, rule: &str, value: &str) -> Rules {
    let mut rules = Rules::column(drm, column);
    rules.amend(rule, Form::from_text(value)).unwrap();
    rules
}

fn passes(rules: &Rules, claims: &Claims) -> Result<Rules, Violation<'static>> {
    admit(rules, rules, claims)
}

fn broken(rules: &Rules, claims: &Claims) -> UsageRule {
    passes(rules, claims).unwrap_err().rule
}

/// A Widevine device that passes everywhere.
const fn widevine() -> WidevineClaims {
    WidevineClaims {
        level: Some(1),
        max_hdcp: Some(WidevineHdcp::V2_3),
        analog: AnalogCapability::None,
        revocation: Revocation::Good,
        platform: None,
        vulnerability: Vulnerability::NotAssessed,
        hdcp_excepted: false,
    }
}

#[test]
fn the_list_is_that_of_the_design() {
    let listed = data()["_decision_rules"].as_array().unwrap();
    assert_eq!(UsageRule::ALL.len(), listed.len());
    for ((number, rule), entry) in (1..).zip(UsageRule::ALL).zip(listed) {
        assert_eq!(rule.number(), number);
        assert_eq!(rule.name(), text(&entry["id"]));
    }
    // The order of evaluation names the rules of each stage.
    let order = data()["_evaluation_order"].as_array().unwrap();
    let stage_of = |words: &str| {
        let at = order.iter().position(|entry| text(entry).contains(words));
        at.unwrap()
    };
    for (stage, words) in [
        (Stage::Structure, "UR-02"),
        (Stage::Profile, "UR-01"),
        (Stage::Override, "UR-11"),
        (Stage::Consistency, "UR-24"),
        (Stage::Sentinel, "UR-17"),
        (Stage::Level, "UR-14"),
        (Stage::Platform, "UR-19"),
        (Stage::Outputs, "UR-13"),
    ] {
        // The place in the list, after authentication.
        assert_eq!(stage as usize + 1, stage_of(words), "{words}");
    }
    let codes: Vec<_> = UsageRule::ALL
        .iter()
        .filter_map(|rule| Some((rule.number(), rule.public_code()?)))
        .collect();
    assert_eq!(
        codes,
        [(14, 4008), (15, 4008), (16, 4008), (23, 4044), (27, 2104)]
    );
}

#[test]
fn level_vectors() {
    let vectors = data()["_level_test_vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 14);
    for vector in vectors {
        let drm = Drm::from_name(&text(&vector["drm"])).unwrap();
        let device = vector["device"].as_u64();
        let narrow = |device: Option<u64>| u8::try_from(device.unwrap()).unwrap();
        let wide = |device: Option<u64>| u32::try_from(device.unwrap()).unwrap();
        let (rule, claims) = match drm {
            Drm::Prm => ("minLevel", Claims::Prm(PrmDevice::Level(wide(device)))),
            Drm::PlayReady => {
                let level = wide(device);
                ("minimumSecurityLevel", Claims::PlayReady { level })
            }
            Drm::WisePlay => {
                let level = narrow(device);
                ("securityLevel", Claims::WisePlay { level })
            }
            _ => {
                let level = device.map(|device| narrow(Some(device)));
                let claims = WidevineClaims {
                    level,
                    ..widevine()
                };
                ("minimumSecurityLevel", Claims::Widevine(claims))
            }
        };
        let rules = amended(drm, Column::Test, rule, &text(&vector["min"]));
        let granted = passes(&rules, &claims).is_ok();
        assert_eq!(Some(granted), vector["grant"].as_bool(), "{vector}");
    }
}

#[test]
fn a_level_of_ours_counts_with_each_drm_as_the_table_says() {
    // Rows none, low, medium and high of the table of levels, against rules that ask for each row.
    let rows = data()["_security_levels"].as_array().unwrap();
    for (device, level) in Level::ALL.iter().enumerate() {
        for (least, row) in rows.iter().take(4).enumerate() {
            for (drm, rule, column) in [
                (Drm::Prm, "minLevel", "PRM"),
                (Drm::PlayReady, "minimumSecurityLevel", "PlayReady"),
                (Drm::Widevine, "minimumSecurityLevel", "Widevine_device"),
                (Drm::WisePlay, "securityLevel", "WisePlay"),
                (Drm::Generic, "minLevel", "generic"),
            ] {
                let rules = amended(drm, Column::Test, rule, &text(&row[column]));
                let granted = passes(&rules, &Claims::of_level(drm, *level)).is_ok();
                let wanted = match drm {
                    // No step between software and TEE.
                    Drm::PlayReady => device.min(3) >= least || (device, least) == (1, 2),
                    // No step below software.
                    Drm::WisePlay => device >= least.max(1),
                    _ => device >= least,
                };
                assert_eq!(granted, wanted, "{drm} {level} for row {least}");
            }
        }
    }
}

#[test]
fn software_prm() {
    let device = |compromised| Claims::Prm(PrmDevice::Software { compromised });
    for (least, sound, compromised) in [
        ("0", true, true),
        ("1000", true, false),
        ("2000", false, false),
        ("3000", false, false),
        ("10000", false, false),
    ] {
        let rules = amended(Drm::Prm, Column::Hd, "minLevel", least);
        assert_eq!(passes(&rules, &device(false)).is_ok(), sound, "{least}");
        assert_eq!(
            passes(&rules, &device(true)).is_ok(),
            compromised,
            "{least}"
        );
    }
    let rules = Rules::column(Drm::Prm, Column::Uhd);
    assert_eq!(
        passes(&rules, &device(true)).unwrap_err().to_string(),
        "UR-15 minLevel: wanted 3000, found software PRM, compromised"
    );
}

#[test]
fn tables_list_no_stranger() {
    // Every DRM of the data is one of ours.
    for drm in entries(data()).keys() {
        assert!(Drm::from_name(drm).is_some(), "{drm}");
    }
}

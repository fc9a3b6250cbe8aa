#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use keybearer_license::{
    AnalogOutput, BootId, Capabilities, Challenge, ClientKind, CounterStrength, DebugStatus,
    Evidence, HardwareModel, HdcpCapability, Isolation, LicenseKind, LicenseRequest,
    OutputCapability, OutputKind, PlatformStatus as Verified, RequestKind, SecureStorage, Version,
    Vulnerability as Weakness,
};
use keybearer_rules::family::widevine::{VulnerabilityLevel, WidevineHdcp};
use keybearer_rules::ur::{
    AnalogCapability, Claims, FairPlaySink, PlatformStatus, PrmDevice, Revocation, Vulnerability,
    WidevineClaims,
};
use keybearer_rules::{Drm, Level};
use serde_json::json;

use super::facts::{Facts, claims};
use super::*;

fn model(name: &str) -> HardwareModel {
    HardwareModel::new(name).unwrap()
}

fn definitions(json: serde_json::Value) -> Definitions {
    serde_json::from_value(json).unwrap()
}

fn book(json: serde_json::Value) -> RuleBook {
    RuleBook::new(definitions(json)).unwrap()
}

/// Why definitions are refused.
fn refused(json: serde_json::Value) -> String {
    RuleBook::new(definitions(json))
        .map(drop)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_family_is_that_of_the_model_else_of_its_group_else_the_generic_one() {
    let book = book(json!({
        "device_groups": { "phones": { "family": "Widevine" } },
        "device_models": {
            "Phone": { "group": "phones" },
            "Odd Phone": { "group": "phones", "family": "PlayReady" },
            "Box": {},
        },
    }));
    assert_eq!(book.family(&model("Phone")), Drm::Widevine);
    assert_eq!(book.family(&model("Odd Phone")), Drm::PlayReady);
    assert_eq!(book.family(&model("Box")), Drm::Generic);
    assert_eq!(book.family(&model("never heard of")), Drm::Generic);
}

#[test]
fn an_override_replaces_what_it_names_for_one_model_alone() {
    let book = book(json!({
        "profiles": { "cinema": { "PRM": { "minLevel": 2000 } } },
        "overrides": { "cinema": { "PRM": { "Box": { "digitalOnly": false } } } },
    }));
    let of = |name: &str| book.rules("cinema", Drm::Prm, &model(name)).unwrap();
    let value = |name: &str, rule: &str| of(name).value(rule).unwrap().to_string();
    assert_eq!(value("Box", "digitalOnly"), "FALSE");
    assert_eq!(value("Other", "digitalOnly"), "TRUE");
    for name in ["Box", "Other"] {
        assert_eq!(value(name, "minLevel"), "2000");
        // What the profile does not name is the default column's.
        assert_eq!(value(name, "hdcpType"), "TYPE_1");
    }
    assert!(book.rules("cinema", Drm::Widevine, &model("Box")).is_none());
    assert!(book.rules("nowhere", Drm::Prm, &model("Box")).is_none());
}

#[test]
fn a_built_in_profile_is_changed_where_it_is_said_and_nowhere_else() {
    let book = book(json!({ "profiles": { "HD": { "Widevine": { "hdcp": 4 } } } }));
    let value = |id: &str, drm: Drm, rule: &str| {
        let rules = book.rules(id, drm, &model("Box")).unwrap();
        rules.value(rule).unwrap().to_string()
    };
    assert_eq!(value("HD", Drm::Widevine, "hdcp"), "4");
    assert_eq!(value("HD", Drm::Widevine, "disableAnalogOutput"), "TRUE");
    assert_eq!(value("HD", Drm::Prm, "minLevel"), "1000");
    assert_eq!(value("UHD", Drm::Widevine, "hdcp"), "5");
}

#[test]
fn what_is_no_value_of_a_rule_is_refused_with_what_would_be_one() {
    let with = |drm: &str, rule: &str, value: serde_json::Value| json!({ "profiles": { "HD": { drm: { rule: value } } } });
    let what = refused(with("PlayReady", "minimumSecurityLevel", json!(4000)));
    assert!(
        what.contains("PlayReady.minimumSecurityLevel = 4000, expected"),
        "{what}"
    );
    for (drm, rule, value) in [
        ("PRM", "minLevel", json!(-1)),
        ("PRM", "minLevel", json!(1000.5)),
        ("PRM", "minLevel", json!([1000])),
        ("PRM", "minLevel", json!(null)),
        ("PRM", "minLevel", json!(true)),
        ("PRM", "digitalOnly", json!("yes")),
        ("Widevine", "hdcp", json!(11)),
        ("WisePlay", "licenseType", json!("SOMETIMES")),
        ("FairPlay", "hdcpLevel", json!("0x1")),
    ] {
        let what = refused(with(drm, rule, value.clone()));
        assert!(
            what.contains(&format!("{drm}.{rule} = {value}, expected")),
            "{what}"
        );
    }
    let what = refused(with("PRM", "minlevel", json!(0)));
    assert!(what.contains("no rule \"minlevel\""), "{what}");
    let what = refused(with("prm", "minLevel", json!(0)));
    assert!(what.contains("\"prm\" is no rule family"), "{what}");
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let unsound = RuleBook::new(definitions(json!({
        "profiles": { "HD": {
            "PRM": { "minLevel": 7, "digitalOnly": false, "hdcpType": "TYPE_2" },
            "FairPlay": { "hdcpStrictEnforcement": false },
            "Marlin": {},
        } },
        "overrides": { "HD": { "Widevine": { "Box": { "hdcp": 99 } } } },
    })));
    let unsound = unsound.map(drop).unwrap_err();
    let about: Vec<&str> = unsound
        .flaws()
        .iter()
        .map(|flaw| flaw.about.as_str())
        .collect();
    assert_eq!(
        about,
        [
            "profiles/HD/Marlin",
            "profiles/HD/PRM/hdcpType",
            "profiles/HD/PRM/minLevel",
            "profiles/HD/FairPlay/hdcpLevel",
            "overrides/HD/Widevine/Box/hdcp",
        ]
    );
    for flaw in unsound.flaws() {
        assert!(unsound.to_string().contains(&flaw.what), "{flaw:?}");
    }
    // However much is wrong, what is told of it stays short.
    let many: serde_json::Map<_, _> = (0..1000).map(|n| (format!("rule {n}"), json!(0))).collect();
    let unsound = RuleBook::new(definitions(
        json!({ "profiles": { "HD": { "PRM": many } } }),
    ));
    assert_eq!(unsound.map(drop).unwrap_err().flaws().len(), 64);
}

#[test]
fn definitions_join_where_they_are_about_other_things() {
    let one = definitions(json!({
        "profiles": { "HD": {} },
        "hdcp_skip_list": [1, 2],
        "overrides": { "SD": { "PRM": { "Box": {} } } },
    }));
    let other = definitions(json!({
        "profiles": { "UHD": {} },
        "hdcp_skip_list": [2, 3],
        "overrides": { "SD": { "PRM": { "Stick": {} }, "Widevine": { "Box": {} } } },
    }));
    let joined = one.joined(&other).unwrap();
    let expected = definitions(json!({
        "profiles": { "HD": {}, "UHD": {} },
        "hdcp_skip_list": [1, 2, 3],
        "overrides": { "SD": { "PRM": { "Box": {}, "Stick": {} }, "Widevine": { "Box": {} } } },
    }));
    assert_eq!(joined, expected);
    for (both, what) in [
        (json!({ "profiles": { "HD": {} } }), "profile \"HD\""),
        (
            json!({ "overrides": { "SD": { "PRM": { "Box": {} } } } }),
            "override of SD/PRM for \"Box\"",
        ),
    ] {
        assert_eq!(joined.joined(&definitions(both)).unwrap_err(), what);
    }
}

#[test]
fn the_tables_own_text_is_understood() {
    let book = book(json!({ "profiles": { "HD": {
        "PRM": { "digitalOnly": "FALSE", "minLevel": "2000", "secureMediaPathActivation": null },
        "FairPlay": { "hdcpLevel": "0x285A0863BBA8E1D3" },
    } } }));
    let rules = book.rules("HD", Drm::Prm, &model("Box")).unwrap();
    assert_eq!(listed(&rules)["digitalOnly"], json!(false));
    assert_eq!(listed(&rules)["minLevel"], json!(2000));
    assert_eq!(listed(&rules)["secureMediaPathActivation"], json!(null));
    let rules = book.rules("HD", Drm::FairPlay, &model("Box")).unwrap();
    assert_eq!(listed(&rules)["hdcpLevel"], json!("0x285A0863BBA8E1D3"));
}

#[test]
fn every_profile_reads_back_from_its_own_listing() {
    let built_in = RuleBook::new(Definitions::default()).unwrap();
    for (id, profile) in built_in.profiles() {
        for rules in Drm::ALL.iter().filter_map(|drm| profile.rules(*drm)) {
            let listed = listed(&rules);
            let again = amended(rules, &listed).unwrap();
            assert_eq!(again, rules, "{id} {}", rules.drm());
        }
    }
}

#[test]
fn names_and_references_are_checked() {
    for (json, part) in [
        (
            json!({ "profiles": { "my profile": {} } }),
            "its id must be",
        ),
        (
            json!({ "device_models": { "Box": { "group": "none" } } }),
            "no device group \"none\"",
        ),
        (json!({ "device_models": { "": {} } }), "device model \"\""),
        (
            json!({ "overrides": { "none": { "PRM": { "Box": {} } } } }),
            "no profile \"none\" (UR-01)",
        ),
        (
            json!({ "profiles": { "own": { "PRM": {} } },
                    "overrides": { "own": { "Widevine": { "Box": {} } } } }),
            "says nothing of Widevine (UR-29)",
        ),
        (
            json!({ "overrides": { "HD": { "PRM": { "Box": { "minLevel": 5 } } } } }),
            "PRM.minLevel = 5",
        ),
        (
            json!({ "drm_groups": { "sport": { "level": "none" } } }),
            "expected low, medium or high",
        ),
    ] {
        let what = refused(json);
        assert!(what.contains(part), "{what}");
    }
    assert!(serde_json::from_value::<Definitions>(json!({ "profile": {} })).is_err());
}

#[test]
fn persistent_licences_warn_where_a_model_has_no_counter() {
    let models = json!({
        "Box": { "counter": "hardware" },
        "Stick": { "counter": "none" },
        "Dongle": {},
    });
    let with = |license_type: &str| {
        book(json!({
            "device_models": models,
            "drm_groups": { "sport": { "level": "low", "license_type": license_type } },
        }))
    };
    let persistent = with("persistent");
    let [warning] = persistent.warnings() else {
        panic!("one warning")
    };
    assert_eq!(warning.about, "drm-groups/sport");
    assert!(warning.what.ends_with("Dongle, Stick"), "{}", warning.what);
    assert!(with("non-persistent").warnings().is_empty());
    // As many models as there may be make no longer warning.
    let many: serde_json::Map<_, _> = (0..20)
        .map(|n| (format!("Box {n:02}"), json!({})))
        .collect();
    let many = book(json!({
        "device_models": many,
        "drm_groups": { "sport": { "level": "low", "license_type": "persistent" } },
    }));
    let what = &many.warnings()[0].what;
    assert!(what.ends_with("Box 14, Box 15 and 4 more"), "{what}");
}

fn request(change: impl FnOnce(&mut Capabilities, &mut Capabilities)) -> LicenseRequest {
    let (mut trusted, mut host) = (Capabilities::default(), Capabilities::default());
    change(&mut trusted, &mut host);
    LicenseRequest {
        challenge: Challenge([0; 56]),
        kind: RequestKind::Acquire,
        keys: Vec::new(),
        init_data: Vec::new(),
        wanted: LicenseKind::Session,
        evidence: Evidence {
            level: Level::Low,
            isolation: Isolation::InProcess,
            core_version: Version {
                major: 0,
                minor: 1,
                patch: 0,
            },
            ta_version: None,
            debug: DebugStatus::Disabled,
            boot_id: BootId([0; 16]),
            counter: CounterStrength::None,
            time_anchored: false,
        },
        capabilities: trusted,
        host_stated: host,
        model: model("Box"),
        token: None,
    }
}

fn widevine(level: Level, request: &LicenseRequest, suspended: bool) -> WidevineClaims {
    let facts = Facts::new(level, request, suspended);
    match claims(Drm::Widevine, &facts, false) {
        Claims::Widevine(claims) => claims,
        other => panic!("{other:?}"),
    }
}

fn hdmi(hdcp: HdcpCapability, stream_type: Option<u8>) -> Option<Vec<OutputCapability>> {
    Some(vec![OutputCapability {
        kind: OutputKind::Hdmi,
        hdcp,
        stream_type,
        cgms_a: None,
        max_pixels: None,
    }])
}

#[test]
fn a_silent_request_meets_no_demand() {
    let silent = request(|_, _| {});
    let claims = widevine(Level::Low, &silent, false);
    assert_eq!(claims.level, Some(3));
    assert_eq!(claims.max_hdcp, None);
    assert_eq!(claims.analog, AnalogCapability::Unknown);
    assert_eq!(claims.platform, None);
    assert_eq!(claims.vulnerability, Vulnerability::Unspecified);
    assert_eq!(claims.revocation, Revocation::Good);
    let facts = Facts::new(Level::Low, &silent, false);
    let Claims::FairPlay(claims) = super::claims(Drm::FairPlay, &facts, false) else {
        panic!("the family's claims")
    };
    assert!(!claims.hdcp_enforced);
    assert_eq!(claims.sink, FairPlaySink::Unknown);
    let Claims::Prm(device) = super::claims(Drm::Prm, &facts, false) else {
        panic!("the family's claims")
    };
    assert_eq!(device, PrmDevice::Level(1000));
    assert_eq!(widevine(Level::None, &silent, false).level, None);
    assert_eq!(
        widevine(Level::Low, &silent, true).revocation,
        Revocation::Revoked
    );
}

#[test]
fn the_hosts_word_loosens_below_high_alone() {
    let stated = request(|_, host| {
        host.outputs = hdmi(HdcpCapability::V2_3, Some(1));
        host.analog = Some(AnalogOutput::None);
        host.system_id = Some(7);
        host.hdcp_enforcement = Some(true);
    });
    for level in [Level::None, Level::Low, Level::Medium] {
        let claims = widevine(level, &stated, false);
        assert_eq!(claims.max_hdcp, Some(WidevineHdcp::V2_3));
        assert_eq!(claims.analog, AnalogCapability::None);
        assert_eq!(Facts::new(level, &stated, false).system_id(), Some(7));
    }
    let claims = widevine(Level::High, &stated, false);
    assert_eq!(claims.max_hdcp, None);
    assert_eq!(claims.analog, AnalogCapability::Unknown);
    assert_eq!(Facts::new(Level::High, &stated, false).system_id(), None);
}

#[test]
fn of_two_words_the_stricter_counts() {
    let stated = request(|trusted, host| {
        trusted.outputs = hdmi(HdcpCapability::V2_3, None);
        host.outputs = hdmi(HdcpCapability::V1, None);
        trusted.analog = Some(AnalogOutput::CanBeDisabled);
        host.analog = Some(AnalogOutput::Present);
        trusted.system_id = Some(7);
        host.system_id = Some(8);
        trusted.vulnerability = Some(Weakness::Low);
        host.vulnerability = Some(Weakness::Critical);
        trusted.platform = Some(Verified::HardwareVerified);
        host.platform = Some(Verified::Tampered);
    });
    for level in [Level::Low, Level::High] {
        let claims = widevine(level, &stated, false);
        assert_eq!(claims.max_hdcp, Some(WidevineHdcp::V1));
        let present = AnalogCapability::Present { can_disable: false };
        assert_eq!(claims.analog, present);
        let critical = Vulnerability::Level(VulnerabilityLevel::Critical);
        assert_eq!(claims.vulnerability, critical);
        assert_eq!(claims.platform, Some(PlatformStatus::Tampered));
        assert_eq!(Facts::new(level, &stated, false).system_id(), None);
    }
}

#[test]
fn what_the_host_says_against_the_device_counts_at_high_as_well() {
    let stated = request(|_, host| {
        host.airplay_in_use = Some(true);
        host.adapter_in_use = Some(false);
        host.vulnerability = Some(Weakness::High);
        host.client = Some(ClientKind::Browser);
    });
    let facts = Facts::new(Level::High, &stated, false);
    let Claims::FairPlay(claims) = super::claims(Drm::FairPlay, &facts, false) else {
        panic!("the family's claims")
    };
    // That no adapter is there is the host's word, which does not count at High.
    assert_eq!(claims.sink, FairPlaySink::Unknown);
    let facts = Facts::new(Level::Low, &stated, false);
    let Claims::FairPlay(claims) = super::claims(Drm::FairPlay, &facts, false) else {
        panic!("the family's claims")
    };
    assert_eq!(claims.sink, FairPlaySink::AirPlay);
    let claims = widevine(Level::High, &stated, false);
    let high = Vulnerability::Level(VulnerabilityLevel::High);
    assert_eq!(claims.vulnerability, high);
    assert_eq!(claims.platform, Some(PlatformStatus::Unverified));
}

#[test]
fn hdcp_is_the_highest_of_the_digital_outputs() {
    let of = |change: &dyn Fn(&mut Capabilities)| {
        let stated = request(|trusted, _| change(trusted));
        widevine(Level::High, &stated, false).max_hdcp
    };
    assert_eq!(
        of(&|said| said.digital_output = Some(false)),
        Some(WidevineHdcp::NoDigitalOutput)
    );
    assert_eq!(of(&|said| said.digital_output = Some(true)), None);
    assert_eq!(of(&|said| said.outputs = Some(Vec::new())), None);
    // A list with a digital output speaks against "there is none".
    assert_eq!(
        of(&|said| {
            said.digital_output = Some(false);
            said.outputs = hdmi(HdcpCapability::V1, None);
        }),
        Some(WidevineHdcp::V1)
    );
    // Type 1 is part of 2.2 in every rule.
    assert_eq!(
        of(&|said| said.outputs = hdmi(HdcpCapability::V2_2, Some(0))),
        Some(WidevineHdcp::V2_1)
    );
    assert_eq!(
        of(&|said| {
            let mut two = hdmi(HdcpCapability::V1, None).unwrap();
            two.extend(hdmi(HdcpCapability::V2_2, Some(1)).unwrap());
            said.outputs = Some(two);
        }),
        Some(WidevineHdcp::V2_2)
    );
}

#[test]
fn the_platforms_status_is_that_of_a_browser_or_of_what_states_one() {
    let of = |change: &dyn Fn(&mut Capabilities)| {
        let stated = request(|_, host| change(host));
        widevine(Level::Low, &stated, false)
    };
    assert_eq!(of(&|_| {}).platform, None);
    let browser = |said: &mut Capabilities| said.client = Some(ClientKind::Browser);
    assert_eq!(of(&browser).platform, Some(PlatformStatus::Unverified));
    assert_eq!(of(&browser).vulnerability, Vulnerability::NotAssessed);
    let verified = of(&|said| {
        browser(said);
        said.platform = Some(Verified::SoftwareVerified);
    });
    assert_eq!(verified.platform, Some(PlatformStatus::SoftwareVerified));
    let secure = of(&|said| {
        browser(said);
        said.platform = Some(Verified::SoftwareVerified);
        said.secure_storage = Some(SecureStorage::SoftwareVerified);
    });
    assert_eq!(
        secure.platform,
        Some(PlatformStatus::SecureStorageSoftwareVerified)
    );
    // Calling itself an application does not take a tampered platform away.
    let tampered = of(&|said| {
        said.client = Some(ClientKind::Sdk);
        said.platform = Some(Verified::Tampered);
    });
    assert_eq!(tampered.platform, Some(PlatformStatus::Tampered));
}

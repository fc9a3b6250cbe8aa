//! Levels, revocation, platforms: what the device is.

use keybearer_license::{
    Capabilities, ClientKind, DenialReason, PlatformStatus, SecureStorage, Vulnerability,
};
use keybearer_rules::{Drm, Level};
use keybearer_server::{CallbackSpec, ContentSpec, KeySpec};
use serde_json::{Value, json};

use super::outputs::capable;
use super::setting::{Ask, Setting, broken, channel_under, film, operator, says};
use crate::support::{denial, key, kid, license};

/// A channel of the integration tenant, whose key takes any level, under a profile.
fn lab_channel(n: u8, profile: &str) -> ContentSpec {
    let key = KeySpec {
        lowest_level: Level::None,
        ..key(n)
    };
    ContentSpec {
        tenant: "lab".into(),
        keys: vec![key],
        ..channel_under(&format!("lab-{n}"), n, Some(profile))
    }
}

#[test]
fn ur_14_a_widevine_request_without_a_level_counts_as_5() {
    let setting = Setting::new(vec![lab_channel(1, "Test"), lab_channel(2, "SD")]);
    let mut device = setting.device(Drm::Widevine);
    device.evidence.level = Level::None;
    device.enrol(&setting.world.enrolment("lab"));
    license(device.acquire(&[kid(1)]));
    let refused = denial(device.acquire(&[kid(2)]));
    assert_eq!(
        refused.rule.as_deref(),
        Some("UR-14 Widevine.minimumSecurityLevel")
    );
    assert_eq!(refused.wanted.as_deref(), Some("3"));
    assert_eq!(refused.public_code, Some(4008));
}

#[test]
fn ur_15_a_level_below_the_least_is_refused() {
    let channels = vec![
        channel_under("sd", 1, Some("SD")),
        channel_under("uhd", 2, Some("UHD")),
    ];
    let setting = Setting::new(channels);
    for (family, rule, wanted, found) in [
        (Drm::Prm, "PRM.minLevel", "3000", "1000"),
        (
            Drm::PlayReady,
            "PlayReady.minimumSecurityLevel",
            "3000",
            "2000",
        ),
        (Drm::WisePlay, "WisePlay.securityLevel", "3", "1"),
        (Drm::Generic, "Generic.minLevel", "3", "1"),
    ] {
        let player = setting.player(family);
        assert_eq!(player.acquire(&[1], Ask::default()).unwrap(), [1]);
        let denial = broken(
            player.acquire(&[2], Ask::default()),
            &format!("UR-15 {rule}"),
        );
        assert_eq!(denial.reason, Some(DenialReason::LevelTooLow));
        assert_eq!(denial.server_code, Some(4008));
        assert_eq!(denial.level_needed, Some(Level::High));
        assert_eq!(denial.wanted.as_deref(), Some(wanted));
        assert_eq!(denial.found.as_deref(), Some(found));
    }
}

#[test]
fn ur_16_a_widevine_level_above_the_least_is_refused() {
    let setting = Setting::new(vec![
        channel_under("sd", 1, Some("SD")),
        channel_under("uhd", 2, Some("UHD")),
    ]);
    let player = setting.player(Drm::Widevine);
    let ask = || Ask {
        says: capable(),
        ..Ask::default()
    };
    assert_eq!(player.acquire(&[1], ask()).unwrap(), [1]);
    let denial = broken(
        player.acquire(&[2], ask()),
        "UR-16 Widevine.minimumSecurityLevel",
    );
    assert_eq!(denial.reason, Some(DenialReason::LevelTooLow));
    assert_eq!(denial.server_code, Some(4008));
    assert_eq!(denial.wanted.as_deref(), Some("1"));
    assert_eq!(denial.found.as_deref(), Some("3"));
}

#[test]
fn ur_17_values_that_bar_everyone_bar_everyone() {
    let setting = Setting::new(vec![channel_under("news", 1, Some("closed"))]);
    let closed = json!({
        "PRM": { "minLevel": 10000 },
        "PlayReady": { "minimumSecurityLevel": 5000 },
        "Widevine": { "minimumSecurityLevel": 0 },
    });
    setting.profile("closed", &closed);
    for family in [Drm::Prm, Drm::PlayReady, Drm::Widevine] {
        let asked = setting.player(family).acquire(
            &[1],
            Ask {
                says: capable(),
                ..Ask::default()
            },
        );
        let denial = broken(asked, &format!("UR-17 {family}."));
        assert_eq!(denial.reason, Some(DenialReason::NotAuthorised));
    }
}

#[test]
fn ur_19_a_revoked_device_gets_nothing_unless_the_profile_lets_it() {
    let lab = ContentSpec {
        tenant: "lab".into(),
        ..channel_under("lab", 2, Some("Test"))
    };
    let setting = Setting::new(vec![channel_under("news", 1, Some("SD")), lab]);
    let player = setting.player(Drm::Widevine);
    let others = setting.player(Drm::Prm);
    let devices = setting.done("GET", "/admin/v1/devices", &Value::Null);
    let path = |model: &str, what: &str| {
        let devices = devices["devices"].as_array().unwrap();
        let device = devices.iter().find(|device| device["model"] == model);
        let serial = device.unwrap()["serial"].as_str().unwrap();
        format!("/admin/v1/devices/{serial}/{what}")
    };
    let ask = || Ask {
        says: capable(),
        ..Ask::default()
    };
    for model in ["Widevine player", "PRM player"] {
        setting.done("POST", &path(model, "suspend"), &Value::Null);
    }
    let denial = broken(player.acquire(&[1], ask()), "UR-19 Widevine.");
    assert_eq!(denial.reason, Some(DenialReason::DeviceRevoked));
    assert_eq!(player.acquire(&[2], ask()).unwrap(), [2], "Test overrides");
    // Other families have no such rule.
    broken(others.acquire(&[2], ask()), "UR-19");
    setting.done("POST", &path("Widevine player", "resume"), &Value::Null);
    assert_eq!(player.acquire(&[1], ask()).unwrap(), [1]);
    // For good is for good.
    setting.done("POST", &path("Widevine player", "revoke"), &Value::Null);
    for n in [1, 2] {
        let denial = player.acquire(&[n], ask()).unwrap_err();
        assert_eq!(denial.reason, Some(DenialReason::DeviceRevoked));
    }
}

#[test]
fn ur_19_the_operators_service_is_heard_about_a_suspended_device_too() {
    let right = json!({ "contentId": "film", "usageRulesProfileId": "SD" });
    let granted = says("200 OK", &json!({ "contentRights": [right] }));
    let (url, _asked) = operator(vec![granted.clone(), granted]);
    let setting = Setting::with(vec![film()], |tenants| {
        tenants[0].callback = Some(CallbackSpec::new(url));
    });
    let player = setting.player(Drm::Widevine);
    let devices = setting.done("GET", "/admin/v1/devices", &Value::Null);
    let serial = devices["devices"][0]["serial"].as_str().unwrap();
    let suspend = format!("/admin/v1/devices/{serial}/suspend");
    setting.done("POST", &suspend, &Value::Null);
    let ask = || Ask {
        says: capable(),
        ..Ask::default()
    };
    let denial = broken(player.acquire(&[1], ask()), "UR-19 Widevine.");
    assert_eq!(denial.reason, Some(DenialReason::DeviceRevoked));
    setting.profile(
        "SD",
        &json!({ "Widevine": { "overrideDeviceRevocation": true } }),
    );
    assert_eq!(player.acquire(&[1], ask()).unwrap(), [1]);
}

/// A browser on a platform of a status.
fn browser(platform: Option<PlatformStatus>, storage: Option<SecureStorage>) -> Ask {
    let says = Capabilities {
        client: Some(ClientKind::Browser),
        platform,
        secure_storage: storage,
        ..capable()
    };
    Ask {
        says,
        ..Ask::default()
    }
}

#[test]
fn ur_20_an_unverified_platform_is_refused_unless_allowed_and_a_tampered_one_always() {
    let setting = Setting::new(vec![
        channel_under("sd", 1, Some("SD")),
        channel_under("lax", 2, Some("lax")),
    ]);
    setting.profile(
        "lax",
        &json!({ "Widevine": { "allowUnverifiedPlatform": true } }),
    );
    let player = setting.player(Drm::Widevine);
    use PlatformStatus as P;
    for status in [Some(P::Unverified), Some(P::Tampered), None] {
        let denial = broken(
            player.acquire(&[1], browser(status, None)),
            "UR-20 Widevine.allowUnverifiedPlatform",
        );
        assert_eq!(denial.reason, Some(DenialReason::PlatformNotVerified));
    }
    for status in [P::SoftwareVerified, P::HardwareVerified, P::NoVerification] {
        let asked = player.acquire(&[1], browser(Some(status), None));
        assert_eq!(asked.unwrap(), [1]);
    }
    let asked = player.acquire(&[2], browser(Some(P::Unverified), None));
    assert_eq!(asked.unwrap(), [2]);
    broken(
        player.acquire(&[2], browser(Some(P::Tampered), None)),
        "UR-20",
    );
}

#[test]
fn ur_21_secure_storage_is_asked_of_browsers() {
    let setting = Setting::new(vec![channel_under("news", 1, Some("store"))]);
    setting.profile(
        "store",
        &json!({ "Widevine": { "requireL3SecureStorage": true } }),
    );
    let player = setting.player(Drm::Widevine);
    let verified = Some(PlatformStatus::SoftwareVerified);
    for storage in [None, Some(SecureStorage::Unverified)] {
        let denial = broken(player.acquire(&[1], browser(verified, storage)), "UR-21");
        assert_eq!(denial.reason, Some(DenialReason::SecureStorageMissing));
    }
    let asked = player.acquire(
        &[1],
        browser(verified, Some(SecureStorage::SoftwareVerified)),
    );
    assert_eq!(asked.unwrap(), [1]);
    // What is no browser is not asked.
    let says = Capabilities {
        client: Some(ClientKind::Sdk),
        ..capable()
    };
    let asked = player.acquire(
        &[1],
        Ask {
            says,
            ..Ask::default()
        },
    );
    assert_eq!(asked.unwrap(), [1]);
}

#[test]
fn ur_22_a_device_with_known_weaknesses_is_refused() {
    let setting = Setting::new(vec![
        channel_under("some", 1, Some("some")),
        channel_under("known", 2, Some("known")),
        channel_under("any", 3, Some("SD")),
    ]);
    setting.profile(
        "some",
        &json!({ "Widevine": { "maxDeviceVulnerabilityLevel": "medium" } }),
    );
    let known = json!({ "Widevine": { "maxDeviceVulnerabilityLevel": "medium",
                                      "allowUnspecifiedDeviceVulnerabilityLevel": false } });
    setting.profile("known", &known);
    let player = setting.player(Drm::Widevine);
    let weak = |vulnerability: Option<Vulnerability>| Ask {
        says: Capabilities {
            client: Some(ClientKind::Sdk),
            vulnerability,
            ..capable()
        },
        ..Ask::default()
    };
    use Vulnerability as V;
    for level in [V::None, V::Low, V::Medium] {
        assert_eq!(player.acquire(&[1], weak(Some(level))).unwrap(), [1]);
    }
    for level in [V::High, V::Critical] {
        let denial = broken(player.acquire(&[1], weak(Some(level))), "UR-22");
        assert_eq!(denial.reason, Some(DenialReason::VulnerableDevice));
        assert_eq!(
            player.acquire(&[3], weak(Some(level))).unwrap(),
            [3],
            "unset"
        );
    }
    assert_eq!(player.acquire(&[1], weak(None)).unwrap(), [1]);
    broken(player.acquire(&[2], weak(None)), "UR-22");
}

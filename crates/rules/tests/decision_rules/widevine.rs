//! Widevine: UR-13, UR-14, UR-16, UR-18 to UR-22 and UR-27, and their order.

use keybearer_rules::family::widevine::{VulnerabilityLevel, WidevineHdcp};
use keybearer_rules::ur::{
    AnalogCapability, Claims, PlatformStatus, Revocation, Stage, UsageRule, Vulnerability,
    WidevineClaims,
};
use keybearer_rules::{Column, DigitalVideo, Drm, Form, Readings, Rules};

use crate::{amended, broken, passes, widevine};

/// What mends one fault of a request.
type Mend = fn(&mut WidevineClaims);

#[test]
fn ur_13_device_excepted_from_hdcp() {
    let rules = Rules::column(Drm::Widevine, Column::Uhd);
    let claims = |hdcp_excepted, analog| {
        Claims::Widevine(WidevineClaims {
            max_hdcp: Some(WidevineHdcp::None),
            hdcp_excepted,
            analog,
            ..widevine()
        })
    };
    assert_eq!(
        broken(&rules, &claims(false, AnalogCapability::None)),
        UsageRule::Ur27
    );
    let written = passes(&rules, &claims(true, AnalogCapability::None)).unwrap();
    assert_eq!(written.value("hdcp"), Some(Form::Int(0)));
    let video = written.policy(&Readings::default()).digital_video;
    assert_eq!(video, DigitalVideo::AllowAny);
    // All other rules stand.
    for rule in Rules::names(Drm::Widevine)
        .iter()
        .filter(|rule| **rule != "hdcp")
    {
        assert_eq!(written.value(rule), rules.value(rule));
    }
    assert_eq!(
        broken(&rules, &claims(true, AnalogCapability::Unknown)),
        UsageRule::Ur18
    );
}

#[test]
fn ur_14_widevine_request_without_a_level() {
    let claims = Claims::Widevine(WidevineClaims {
        level: None,
        ..widevine()
    });
    for least in ["1", "2", "3", "4"] {
        let rules = amended(Drm::Widevine, Column::Test, "minimumSecurityLevel", least);
        let violation = passes(&rules, &claims).unwrap_err();
        assert_eq!(
            (violation.rule, violation.found),
            (UsageRule::Ur14, Form::Unset)
        );
    }
    passes(&Rules::column(Drm::Widevine, Column::Test), &claims).unwrap();
}

#[test]
fn ur_16_widevine_level_number_above_the_least() {
    let rules = Rules::column(Drm::Widevine, Column::Hd);
    for (level, passed) in [
        (0, false),
        (1, true),
        (2, true),
        (3, true),
        (4, false),
        (255, false),
    ] {
        let claims = Claims::Widevine(WidevineClaims {
            level: Some(level),
            ..widevine()
        });
        let found = passes(&rules, &claims).map_err(|violation| violation.rule);
        match passed {
            true => assert_eq!(found, Ok(rules)),
            false => assert_eq!(found, Err(UsageRule::Ur16), "{level}"),
        }
    }
}

#[test]
fn ur_18_analogue_output_that_stays_on() {
    let analog = |analog| {
        Claims::Widevine(WidevineClaims {
            analog,
            ..widevine()
        })
    };
    let fixed = AnalogCapability::Present { can_disable: false };
    let switched = AnalogCapability::Present { can_disable: true };
    let rules = Rules::column(Drm::Widevine, Column::Hd);
    assert_eq!(broken(&rules, &analog(fixed)), UsageRule::Ur18);
    assert_eq!(
        broken(&rules, &analog(AnalogCapability::Unknown)),
        UsageRule::Ur18
    );
    passes(&rules, &analog(switched)).unwrap();
    passes(&rules, &analog(AnalogCapability::None)).unwrap();
    let lax = Rules::column(Drm::Widevine, Column::Sd);
    passes(&lax, &analog(fixed)).unwrap();
}

#[test]
fn ur_19_revoked_device() {
    let revoked = |revocation| {
        Claims::Widevine(WidevineClaims {
            revocation,
            ..widevine()
        })
    };
    let strict = Rules::column(Drm::Widevine, Column::Hd);
    let lax = Rules::column(Drm::Widevine, Column::Test);
    assert_eq!(
        broken(&strict, &revoked(Revocation::Revoked)),
        UsageRule::Ur19
    );
    passes(&lax, &revoked(Revocation::Revoked)).unwrap();
    for rules in [strict, lax] {
        assert_eq!(
            broken(&rules, &revoked(Revocation::Permanent)),
            UsageRule::Ur19
        );
        passes(&rules, &revoked(Revocation::Good)).unwrap();
    }
}

fn platform(status: PlatformStatus) -> Claims {
    Claims::Widevine(WidevineClaims {
        platform: Some(status),
        ..widevine()
    })
}

#[test]
fn ur_20_platform_not_verified() {
    let strict = Rules::column(Drm::Widevine, Column::Hd);
    let lax = Rules::column(Drm::Widevine, Column::Test);
    assert_eq!(
        broken(&strict, &platform(PlatformStatus::Unverified)),
        UsageRule::Ur20
    );
    passes(&lax, &platform(PlatformStatus::Unverified)).unwrap();
    for rules in [strict, lax] {
        assert_eq!(
            broken(&rules, &platform(PlatformStatus::Tampered)),
            UsageRule::Ur20
        );
        for status in [
            PlatformStatus::SoftwareVerified,
            PlatformStatus::HardwareVerified,
        ] {
            passes(&rules, &platform(status)).unwrap();
        }
        // What is no desktop browser has no such status.
        passes(&rules, &Claims::Widevine(widevine())).unwrap();
    }
}

#[test]
fn ur_21_secure_storage_missing() {
    let rules = amended(Drm::Widevine, Column::Hd, "requireL3SecureStorage", "TRUE");
    for status in [
        PlatformStatus::SoftwareVerified,
        PlatformStatus::HardwareVerified,
        PlatformStatus::NoVerification,
    ] {
        assert_eq!(broken(&rules, &platform(status)), UsageRule::Ur21);
        passes(&Rules::column(Drm::Widevine, Column::Hd), &platform(status)).unwrap();
    }
    passes(
        &rules,
        &platform(PlatformStatus::SecureStorageSoftwareVerified),
    )
    .unwrap();
    passes(&rules, &Claims::Widevine(widevine())).unwrap();
}

#[test]
fn ur_22_vulnerable_device() {
    let exposed = |vulnerability| {
        Claims::Widevine(WidevineClaims {
            vulnerability,
            ..widevine()
        })
    };
    let level = |level| exposed(Vulnerability::Level(level));
    let most = amended(
        Drm::Widevine,
        Column::Hd,
        "maxDeviceVulnerabilityLevel",
        "medium",
    );
    passes(&most, &level(VulnerabilityLevel::Medium)).unwrap();
    passes(&most, &level(VulnerabilityLevel::None)).unwrap();
    assert_eq!(
        broken(&most, &level(VulnerabilityLevel::High)),
        UsageRule::Ur22
    );
    assert_eq!(
        broken(&most, &level(VulnerabilityLevel::Unknown)),
        UsageRule::Ur22
    );
    // A limit without public meaning lets nobody pass.
    let unknown = amended(
        Drm::Widevine,
        Column::Hd,
        "maxDeviceVulnerabilityLevel",
        "LEVEL_7",
    );
    assert_eq!(
        broken(&unknown, &level(VulnerabilityLevel::None)),
        UsageRule::Ur22
    );
    // Unset: the rule is skipped, and a device of unknown exposure passes.
    let unset = Rules::column(Drm::Widevine, Column::Hd);
    passes(&unset, &level(VulnerabilityLevel::Critical)).unwrap();
    passes(&most, &exposed(Vulnerability::Unspecified)).unwrap();
    let rule = "allowUnspecifiedDeviceVulnerabilityLevel";
    let stated = amended(Drm::Widevine, Column::Hd, rule, "FALSE");
    assert_eq!(
        broken(&stated, &exposed(Vulnerability::Unspecified)),
        UsageRule::Ur22
    );
    passes(&stated, &exposed(Vulnerability::NotAssessed)).unwrap();
}

#[test]
fn ur_27_hdcp_of_the_request_below_the_least() {
    let highest = |max_hdcp| {
        Claims::Widevine(WidevineClaims {
            max_hdcp,
            ..widevine()
        })
    };
    let wants = |value| amended(Drm::Widevine, Column::Hd, "hdcp", value);
    use WidevineHdcp as H;
    for (wanted, device, passed) in [
        ("0", None, true),
        ("1", None, false),
        ("1", Some(H::None), false),
        ("1", Some(H::V1), true),
        ("1", Some(H::V1_4), true),
        ("5", Some(H::V2_3), true),
        ("5", Some(H::V2_2), false),
        // Numerically above 5 and weaker.
        ("5", Some(H::V1_4), false),
        ("2", Some(H::V1_4), false),
        ("10", Some(H::V2_0), true),
        ("10", Some(H::V1_3), false),
        // No digital output satisfies any demand, and is the only thing that satisfies 255.
        ("5", Some(H::NoDigitalOutput), true),
        ("255", Some(H::NoDigitalOutput), true),
        ("255", Some(H::V2_3), false),
    ] {
        let found = passes(&wants(wanted), &highest(device)).map_err(|violation| violation.rule);
        assert_eq!(found.is_ok(), passed, "{wanted} {device:?}");
        assert!(passed || found == Err(UsageRule::Ur27));
    }
}

#[test]
fn the_first_broken_rule_in_the_order_decides() {
    let claims = Claims::Widevine(WidevineClaims {
        level: Some(3),
        max_hdcp: None,
        analog: AnalogCapability::Unknown,
        revocation: Revocation::Permanent,
        platform: Some(PlatformStatus::Tampered),
        vulnerability: Vulnerability::Level(VulnerabilityLevel::Critical),
        hdcp_excepted: false,
    });
    let Claims::Widevine(mut mended) = claims else {
        panic!("as made")
    };
    let mut rules = amended(Drm::Widevine, Column::Uhd, "requireL3SecureStorage", "TRUE");
    rules
        .amend("maxDeviceVulnerabilityLevel", Form::Word("low"))
        .unwrap();
    // One after the other is mended, and the next one shows.
    let mends: [(UsageRule, Mend); 7] = [
        (UsageRule::Ur16, |claims| claims.level = Some(1)),
        (UsageRule::Ur19, |claims| {
            claims.revocation = Revocation::Good
        }),
        (UsageRule::Ur20, |claims| {
            claims.platform = Some(PlatformStatus::HardwareVerified)
        }),
        (UsageRule::Ur21, |claims| claims.platform = None),
        (UsageRule::Ur22, |claims| {
            claims.vulnerability = Vulnerability::NotAssessed
        }),
        (UsageRule::Ur18, |claims| {
            claims.analog = AnalogCapability::None
        }),
        (UsageRule::Ur27, |claims| {
            claims.max_hdcp = Some(WidevineHdcp::V2_3)
        }),
    ];
    let mut stage = Stage::Structure;
    for (wanted, mend) in mends {
        let found = broken(&rules, &Claims::Widevine(mended));
        assert_eq!(found, wanted);
        assert!(found.stage() >= stage);
        stage = found.stage();
        mend(&mut mended);
    }
    passes(&rules, &Claims::Widevine(mended)).unwrap();
    let barred = amended(Drm::Widevine, Column::Uhd, "minimumSecurityLevel", "0");
    assert_eq!(broken(&barred, &claims), UsageRule::Ur17);
}

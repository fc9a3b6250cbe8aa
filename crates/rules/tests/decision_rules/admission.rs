//! Overrides, sentinels, levels, FairPlay and PlayReady: UR-11, UR-12, UR-15, UR-17 and UR-23 to
//! UR-26.

use keybearer_rules::ur::{
    Claims, FairPlayClaims, FairPlaySink, PrmDevice, UsageRule, WidevineClaims, admit,
};
use keybearer_rules::{Column, Drm, Form, Readings, Rules};

use crate::{amended, broken, passes, widevine};

#[test]
fn ur_11_override_replaces_the_rules_it_names() {
    let base = Rules::column(Drm::Widevine, Column::Uhd);
    let effective = amended(Drm::Widevine, Column::Uhd, "minimumSecurityLevel", "3");
    for rule in Rules::names(Drm::Widevine) {
        let same = effective.value(rule) == base.value(rule);
        assert_eq!(same, *rule != "minimumSecurityLevel", "{rule}");
    }
    let claims = Claims::Widevine(WidevineClaims {
        level: Some(3),
        ..widevine()
    });
    assert_eq!(broken(&base, &claims), UsageRule::Ur16);
    assert_eq!(admit(&base, &effective, &claims), Ok(effective));
}

const SENTINELS: [(Drm, &str, &str); 3] = [
    (Drm::Prm, "minLevel", "10000"),
    (Drm::PlayReady, "minimumSecurityLevel", "5000"),
    (Drm::Widevine, "minimumSecurityLevel", "0"),
];

/// The best device there could be.
fn best(drm: Drm) -> Claims {
    match drm {
        Drm::Prm => Claims::Prm(PrmDevice::Level(u32::MAX)),
        Drm::PlayReady => Claims::PlayReady { level: u32::MAX },
        _ => Claims::Widevine(widevine()),
    }
}

#[test]
fn ur_12_override_bars_a_device_model() {
    for (drm, rule, value) in SENTINELS {
        let base = Rules::column(drm, Column::Test);
        let effective = amended(drm, Column::Test, rule, value);
        let violation = admit(&base, &effective, &best(drm)).unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur12);
        assert_eq!(
            (violation.field, violation.found.to_string()),
            (rule, value.to_owned())
        );
        admit(&base, &base, &best(drm)).unwrap();
    }
}

#[test]
fn ur_15_level_below_the_least() {
    let prm = Rules::column(Drm::Prm, Column::Uhd);
    assert_eq!(
        broken(&prm, &Claims::Prm(PrmDevice::Level(2999))),
        UsageRule::Ur15
    );
    passes(&prm, &Claims::Prm(PrmDevice::Level(3000))).unwrap();
    let playready = Rules::column(Drm::PlayReady, Column::Uhd);
    let violation = passes(&playready, &Claims::PlayReady { level: 2000 }).unwrap_err();
    assert_eq!(violation.rule.public_code(), Some(4008));
    assert_eq!(
        violation.to_string(),
        "UR-15 minimumSecurityLevel: wanted 3000, found 2000"
    );
    passes(&playready, &Claims::PlayReady { level: 3000 }).unwrap();
    let wiseplay = Rules::column(Drm::WisePlay, Column::Hd);
    assert_eq!(
        broken(&wiseplay, &Claims::WisePlay { level: 1 }),
        UsageRule::Ur15
    );
    passes(&wiseplay, &Claims::WisePlay { level: 2 }).unwrap();
    let generic = Rules::column(Drm::Generic, Column::Uhd);
    assert_eq!(
        broken(&generic, &Claims::Generic { level: 2 }),
        UsageRule::Ur15
    );
    passes(&generic, &Claims::Generic { level: 4 }).unwrap();
}

#[test]
fn ur_17_values_that_bar_everyone() {
    for (drm, rule, value) in SENTINELS {
        let rules = amended(drm, Column::Test, rule, value);
        assert_eq!(rules.bars_everyone(), Some(rule));
        assert_eq!(broken(&rules, &best(drm)), UsageRule::Ur17);
    }
    for drm in Drm::ALL {
        for column in Column::ALL {
            assert_eq!(Rules::column(*drm, *column).bars_everyone(), None);
        }
    }
}

fn fairplay(hdcp_enforced: bool, sink: FairPlaySink) -> Claims {
    Claims::FairPlay(FairPlayClaims {
        hdcp_enforced,
        sink,
    })
}

#[test]
fn ur_23_hdcp_enforcement_not_declared() {
    let strict = Rules::column(Drm::FairPlay, Column::Hd);
    let violation = passes(&strict, &fairplay(false, FairPlaySink::Device)).unwrap_err();
    assert_eq!(violation.rule, UsageRule::Ur23);
    assert_eq!(violation.rule.public_code(), Some(4044));
    passes(&strict, &fairplay(true, FairPlaySink::Device)).unwrap();
    let lax = Rules::column(Drm::FairPlay, Column::Sd);
    passes(&lax, &fairplay(false, FairPlaySink::Device)).unwrap();
}

#[test]
fn ur_24_hdcp_type_without_strict_enforcement() {
    for level in ["0x40791AC78BD5C571", "0x285A0863BBA8E1D3"] {
        let rules = amended(Drm::FairPlay, Column::Sd, "hdcpLevel", level);
        let violation = rules.check().unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur24);
        assert_eq!(violation.found.to_string(), level);
        // And before they are used, as an override can make it so.
        let base = Rules::column(Drm::FairPlay, Column::Sd);
        let claims = fairplay(true, FairPlaySink::Device);
        assert_eq!(
            admit(&base, &rules, &claims).unwrap_err().rule,
            UsageRule::Ur24
        );
    }
    for drm in Drm::ALL {
        for column in Column::ALL {
            Rules::column(*drm, *column).check().unwrap();
        }
    }
}

#[test]
fn ur_25_airplay_or_adapter() {
    let uhd = Rules::column(Drm::FairPlay, Column::Uhd);
    assert_eq!(
        broken(&uhd, &fairplay(true, FairPlaySink::AirPlay)),
        UsageRule::Ur25
    );
    assert_eq!(
        broken(&uhd, &fairplay(true, FairPlaySink::Unknown)),
        UsageRule::Ur25
    );
    passes(&uhd, &fairplay(true, FairPlaySink::AvAdapter)).unwrap();
    let adapter = amended(Drm::FairPlay, Column::Hd, "digitalAvAdapter", "FALSE");
    passes(&adapter, &fairplay(true, FairPlaySink::AirPlay)).unwrap();
    for sink in [FairPlaySink::AvAdapter, FairPlaySink::Unknown] {
        let violation = passes(&adapter, &fairplay(true, sink)).unwrap_err();
        assert_eq!(
            (violation.rule, violation.field),
            (UsageRule::Ur25, "digitalAvAdapter")
        );
    }
}

#[test]
fn ur_26_hdcp_type_that_is_not_in_force() {
    let rule = "uncompressedDigitalVideoOutputProtection";
    let claims = Claims::PlayReady { level: 3000 };
    for (value, in_force) in [
        ("100", false),
        ("250", false),
        ("270", false),
        ("300", true),
        ("301", true),
    ] {
        let rules = amended(Drm::PlayReady, Column::Uhd, rule, value);
        assert_eq!(rules.warning().is_none(), in_force, "{value}");
        rules.check().unwrap();
        let written = passes(&rules, &claims).unwrap();
        let wanted = match in_force {
            true => Form::Int(1),
            false => Form::Unset,
        };
        assert_eq!(written.value("hdcpType"), Some(wanted), "{value}");
        // The canonical policy does not have it either.
        if let Some(hdcp) = rules.policy(&Readings::default()).digital_video.hdcp() {
            assert_eq!(hdcp.stream_type() == 1, in_force, "{value}");
        }
    }
    assert_eq!(
        amended(Drm::PlayReady, Column::Uhd, rule, "270")
            .warning()
            .unwrap()
            .rule,
        UsageRule::Ur26
    );
    for drm in Drm::ALL {
        for column in Column::ALL {
            assert_eq!(Rules::column(*drm, *column).warning(), None);
        }
    }
}

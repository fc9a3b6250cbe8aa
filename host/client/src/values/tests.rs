#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;
use keybearer_wire::body::ReasonField;
use keybearer_wire::field::{List, Text};

fn key_report(key_id: u8, status: KeyStatus) -> body::KeyReport {
    let reasons = match status {
        KeyStatus::Usable => vec![],
        _ => vec![Reason {
            field: ReasonField::NotAfter,
            wanted: Some(1),
            found: Some(2),
            output: None,
        }],
    };
    body::KeyReport {
        key_id: [key_id; 16],
        status,
        reasons: List(reasons),
        track_type: 2,
        level: 1,
        scheme: 4,
        largest_picture: None,
    }
}

fn license_report(id: u8, keys: Vec<body::KeyReport>) -> body::LicenseReport<'static> {
    body::LicenseReport {
        license: [id; 16],
        sequence: 1,
        ends: Some(9),
        renew_at: Some(8),
        renewal_url: Some(Text("http://renew.example")),
        keys: List(keys),
        renew_retry: Some(30),
    }
}

#[test]
fn reports_come_over_whole() {
    let report = license_report(7, vec![key_report(3, KeyStatus::Expired)]);
    let license = License::from_wire(&report).unwrap();
    assert_eq!(
        (license.id, license.sequence, license.ends),
        ([7; 16], 1, Some(9))
    );
    assert_eq!((license.renew_at, license.renew_retry), (Some(8), Some(30)));
    assert_eq!(license.renewal_url.as_deref(), Some("http://renew.example"));
    let key = license.key(&[3; 16]).unwrap();
    assert_eq!(
        (key.status, key.track_type),
        (KeyStatus::Expired, TrackType::Sd)
    );
    assert_eq!((key.lowest_level, key.scheme), (Level::Low, Scheme::Cbcs));
    assert_eq!(key.reasons.len(), 1);
    assert_eq!(license.key(&[4; 16]), None);
}

#[test]
fn numbers_nobody_defined_are_not_guessed_at() {
    for change in [
        |key: &mut body::KeyReport| key.track_type = 0,
        |key: &mut body::KeyReport| key.level = 4,
        |key: &mut body::KeyReport| key.scheme = 5,
    ] {
        let mut key = key_report(3, KeyStatus::Usable);
        change(&mut key);
        assert_eq!(License::from_wire(&license_report(1, vec![key])), None);
    }
    let refused = known::<License>("testing", None).unwrap_err();
    assert!(
        refused.to_string().contains("not one of this version"),
        "{refused}"
    );
}

/// The same rule as the trusted side's choice among licences that stand side by side.
#[test]
fn the_newest_usable_licence_counts_else_the_newest() {
    let report = |keys: [KeyStatus; 3]| body::StatusReport {
        sequence: 1,
        time: None,
        licenses: List(
            (1..)
                .zip(keys)
                .map(|(id, s)| license_report(id, vec![key_report(5, s)]))
                .collect(),
        ),
    };
    let status = |keys| {
        Statuses::from_wire(&report(keys))
            .unwrap()
            .key(&[5; 16])
            .unwrap()
            .status
    };
    use KeyStatus::{Expired, OutputDownscaled, OutputRestricted, Usable};
    assert_eq!(status([Usable, Expired, OutputRestricted]), Usable);
    assert_eq!(
        status([Usable, OutputDownscaled, Expired]),
        OutputDownscaled
    );
    assert_eq!(
        status([Expired, Expired, OutputRestricted]),
        OutputRestricted
    );
    let none = Statuses::from_wire(&report([Usable; 3])).unwrap();
    assert_eq!(none.key(&[6; 16]), None);
}

/// Three rooms number the schemes; the wire carries one number.
#[test]
fn schemes_have_one_number_in_every_room() {
    for scheme in [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs] {
        let code = scheme_code(scheme);
        assert_eq!(code, scheme as u8);
        assert_eq!(scheme_from_code(code), Some(scheme));
        let of_license = keybearer_license::Scheme::from_code(code).unwrap();
        assert_eq!(
            of_license.fourcc().as_slice(),
            scheme.to_string().as_bytes()
        );
    }
    assert_eq!((scheme_from_code(0), scheme_from_code(5)), (None, None));
}

#[test]
fn an_anchor_is_64_hexadecimal_digits() {
    let text = "ab".repeat(32);
    let anchor: AnchorDigest = text.parse().unwrap();
    assert_eq!((anchor.0, anchor.to_string()), ([0xab; 32], text.clone()));
    for wrong in [
        "",
        &text[2..],
        &text[1..],
        &format!("{text}00"),
        &text.replace('a', "x"),
    ] {
        assert!(wrong.parse::<AnchorDigest>().is_err(), "{wrong}");
    }
}

#[test]
fn an_authorisation_token_is_not_printed() {
    let wanted = LicenseWanted {
        token: Some(b"hush".to_vec()),
        ..LicenseWanted::default()
    };
    let text = format!("{wanted:?}");
    assert!(
        !text.contains("104, 117") && !text.contains("hush"),
        "{text}"
    );
}

use super::*;

fn with(field: ReasonField, wanted: i64, found: i64) -> String {
    reason(&Reason {
        field,
        wanted: Some(wanted),
        found: Some(found),
        output: None,
    })
}

#[test]
fn reasons_speak_in_the_unit_of_their_field() {
    assert_eq!(
        with(ReasonField::NotAfter, 1_700_000_000, 1_700_000_001),
        "the licence's last moment has passed (wanted 2023-11-14T22:13:20Z, found \
         2023-11-14T22:13:21Z)"
    );
    assert_eq!(
        with(ReasonField::Level, 2, 1),
        format!(
            "the key may only be used at a higher level (wanted {}, found {})",
            Level::Medium.name(),
            Level::Low.name()
        )
    );
    // A number outside its unit is shown as it is rather than left out.
    assert!(with(ReasonField::Level, 99, -1).ends_with("(wanted 99, found -1)"));
    assert!(with(ReasonField::NotAfter, -5, 0).contains("wanted -5"));
    let bare = Reason {
        field: ReasonField::TrustedTime,
        wanted: None,
        found: None,
        output: None,
    };
    assert_eq!(reason(&bare), ReasonField::TrustedTime.text());
    let half = Reason {
        field: ReasonField::Outputs,
        wanted: None,
        found: Some(3),
        output: None,
    };
    assert!(reason(&half).ends_with("(found 3)"));
}

#[test]
fn a_status_carries_all_its_reasons() {
    let bare = |field| Reason {
        field,
        wanted: None,
        found: None,
        output: None,
    };
    assert_eq!(key_status(KeyStatus::Usable, &[]), "usable");
    let both = key_status(
        KeyStatus::StatusPending,
        &[bare(ReasonField::TrustedTime), bare(ReasonField::Outputs)],
    );
    assert_eq!(
        both,
        format!(
            "status pending: {}; {}",
            ReasonField::TrustedTime.text(),
            ReasonField::Outputs.text()
        )
    );
}

#[test]
fn a_denial_says_reason_key_rule_wanted_found_number_and_what_to_do() {
    let full = Denial {
        reason: Some(DenialReason::OutputNotProtected),
        code: 15,
        rule: Some("UR-07".into()),
        wanted: Some("hdcp 2.2".into()),
        found: Some("hdcp 1.x".into()),
        level_needed: Some(Level::Medium),
        key_id: Some([0xab; 16]),
        server_code: Some(4044),
        retry_after_seconds: Some(60),
    };
    let text = full.to_string();
    for part in [
        "an output cannot be protected as required",
        &"ab".repeat(16),
        "rule UR-07",
        "wanted hdcp 2.2",
        "found hdcp 1.x",
        "service code 4044",
        Level::Medium.name(),
        "disconnect that output",
        "ask again in 60 s",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    let unknown = Denial {
        reason: None,
        code: 999,
        ..full
    };
    assert!(
        unknown
            .to_string()
            .starts_with("reason 999, which this version does not know")
    );
}

/// Each reason in its own words: two that read alike could not be told apart.
#[test]
fn every_denial_reason_has_words_of_its_own() {
    let mut texts: Vec<_> = DenialReason::ALL.iter().copied().map(denial_text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), DenialReason::ALL.len());
    assert!(
        DenialReason::ALL
            .iter()
            .all(|reason| !denial_advice(*reason).is_empty())
    );
}

#[test]
fn advice_is_given_where_there_is_some() {
    assert!(status_advice(Status::NotProvisioned).is_some_and(|text| text.contains("provision")));
    assert!(status_advice(Status::PictureTooLarge).is_some_and(|text| text.contains("smaller")));
    // Three ways in which a licence bars this device, three different things to do.
    assert!(status_advice(Status::LevelTooLow).is_some_and(|text| text.contains("level")));
    assert!(status_advice(Status::WorkerRequired).is_some_and(|text| text.contains("worker")));
    assert!(status_advice(Status::UseDenied).is_some_and(|text| text.contains("operator")));
    // A mistake in a program: nothing a user could do.
    assert_eq!(status_advice(Status::Malformed), None);
}

#[test]
fn times_are_utc_and_never_panic() {
    assert_eq!(time(0), "1970-01-01T00:00:00Z");
    assert_eq!(time(LAST_SECOND), "9999-12-31T23:59:59Z");
    for huge in [LAST_SECOND + 1, u64::MAX] {
        assert!(time(huge).contains(&huge.to_string()));
    }
    assert_eq!(kid(&[0x0f; 16]), "0f".repeat(16));
}

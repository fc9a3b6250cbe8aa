use super::*;
use keybearer_wire::field::CodecError;

#[test]
fn an_error_says_what_was_being_done_and_what_to_do() {
    let refused =
        ClientError::of_call("opening a session")(CallError::Refused(Status::NotProvisioned));
    let text = refused.to_string();
    assert!(
        text.starts_with("opening a session: ") && text.contains("provision"),
        "{text}"
    );

    let limit =
        ClientError::of_call("building a licence request")(CallError::Request(CodecError::SizeCap));
    assert!(matches!(limit, ClientError::Input { .. }), "{limit}");
}

#[test]
fn a_dead_trusted_side_is_told_apart() {
    let of = |source| ClientError::of_call("decrypting")(CallError::Transport(source));
    let dead = of(TeeError::Dead);
    assert!(
        dead.is_dead() && dead.to_string().contains("connect again"),
        "{dead}"
    );
    assert!(!of(TeeError::BadAnswer("nonsense")).is_dead());
}

#[test]
fn a_key_is_named_with_its_status_and_reasons() {
    let error = ClientError::KeyNotUsable {
        key_id: [0x12; 16],
        status: KeyStatus::OutputRestricted,
        reasons: vec![],
        largest_picture: None,
    };
    assert_eq!(
        error.to_string(),
        format!("key {} may not be used: output restricted", "12".repeat(16))
    );
}

#[test]
fn a_key_that_its_outputs_restrict_says_which_picture_would_pass() {
    let restricted = |field, status, largest_picture| ClientError::KeyNotUsable {
        key_id: [0x12; 16],
        status,
        reasons: vec![Reason {
            field,
            wanted: None,
            found: None,
            output: None,
        }],
        largest_picture,
    };
    let outputs = KeyStatus::OutputRestricted;
    let small = restricted(ReasonField::DigitalVideo, outputs, Some(518_400));
    assert!(small.is_restricted_by_outputs());
    let text = small.to_string();
    assert!(
        text.ends_with("; a picture of at most 518400 pixels is allowed"),
        "{text}"
    );
    for largest in [Some(0), None] {
        let none = restricted(ReasonField::DigitalVideo, outputs, largest);
        assert!(!none.to_string().contains("pixels"), "{none}");
    }
    // Neither the level nor the process changes with an output, and an end is an end.
    for field in [ReasonField::Level, ReasonField::Worker] {
        assert!(!restricted(field, outputs, None).is_restricted_by_outputs());
    }
    let expired = restricted(ReasonField::NotAfter, KeyStatus::Expired, None);
    assert!(!expired.is_restricted_by_outputs());
}

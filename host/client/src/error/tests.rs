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

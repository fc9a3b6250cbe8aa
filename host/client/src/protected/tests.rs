#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::Arc;

use keybearer_media::{Iv, Pattern, Scheme};
use keybearer_tee::{CallError, Tee, TeeError};
use keybearer_wire::Status;

use super::*;
use crate::AnchorDigest;
use crate::fake::FakeTee;

#[test]
fn each_trouble_with_a_decoder_has_its_name() {
    use DecoderProblem::{
        AwaitingIdr, ContentRejected, Failed, NoMemory, NotConfigured, Unavailable,
        UnsupportedCodec,
    };
    let of = |error| ClientError::of_decoder("playing")(error);
    let refused = |status| of(ProtectedError::Call(CallError::Refused(status)));
    let problem = |error: ClientError, said: &str| {
        assert!(error.to_string().contains(said), "{error}");
        match error {
            ClientError::Decoder { during, problem } => {
                assert_eq!(during, "playing");
                problem
            }
            other => panic!("{other}"),
        }
    };
    let found = problem(refused(Status::ContentRejected), "content-rejected");
    assert!(matches!(found, ContentRejected));
    let found = problem(refused(Status::NoDecoderMemory), "no-decoder-memory");
    assert!(matches!(found, NoMemory));
    let found = problem(refused(Status::UnsupportedCodec), "unsupported-codec");
    assert!(matches!(found, UnsupportedCodec));
    for status in [Status::NotConfigured, Status::NotAttached] {
        assert!(matches!(
            problem(refused(status), "no track"),
            NotConfigured
        ));
    }
    let found = problem(of(ProtectedError::DecoderFailed), "decoder-failed");
    assert!(matches!(found, Failed));
    let none = |error| of(ProtectedError::NoDecoder(error));
    let found = problem(none(TeeError::NoDecoderMemory), "no-decoder-memory");
    assert!(matches!(found, NoMemory));
    let found = problem(none(TeeError::Unavailable("none".into())), "no decoder");
    assert!(matches!(found, Unavailable(_)));
    let found = problem(of(ProtectedError::AwaitingIdr), "next IDR");
    assert!(matches!(found, AwaitingIdr));
    let found = problem(of(ProtectedError::NotConfigured), "no track");
    assert!(matches!(found, NotConfigured));

    // What the keys' side says is no word about the decoder.
    let unusable = refused(Status::KeyNotUsable);
    assert!(
        matches!(unusable, ClientError::Refused { .. }),
        "{unusable}"
    );
    let dead = of(ProtectedError::Call(CallError::Transport(TeeError::Dead)));
    assert!(dead.is_dead() && dead.decoder_problem().is_none(), "{dead}");
}

#[test]
fn the_kind_of_a_session_is_that_of_its_connection() {
    let tee: Arc<dyn Tee> = Arc::new(FakeTee::default());
    let anchor = AnchorDigest([1; 32]);
    let wrong = |error: ClientError| {
        let status = Status::WrongSessionKind;
        assert!(matches!(error, ClientError::Refused { status: found, .. } if found == status));
    };
    let clear = || Device::connect(&*tee).unwrap();
    let protected = || Device::connect_protected(&tee).unwrap();
    wrong(
        clear()
            .open_protected_session(&anchor, b"info")
            .unwrap_err(),
    );
    wrong(protected().open_session(&anchor, b"info").unwrap_err());
    clear().open_session(&anchor, b"info").unwrap();
    let session = protected()
        .open_protected_session(&anchor, b"info")
        .unwrap();
    assert!(session.session().is_protected());
    assert!(session.session().shared_memory(4096).unwrap().is_none());
    session.close().unwrap();
}

#[test]
fn a_unit_is_one_protected_sample() {
    let protection = |iv| Protection {
        scheme: Scheme::Cenc,
        is_protected: true,
        kid: [7; 16],
        iv,
        pattern: Pattern::default(),
    };
    let unit = ProtectedUnit {
        time: 0,
        duration_ms: 40,
        protection: None,
        license: None,
        idr: false,
    };
    let mut table = SampleTableBuilder::default();
    let mut push = || table.push(&[1; 16], 100, std::iter::empty()).unwrap();
    push();
    let one = protection(IvSource::PerSample { size: 16 });
    push();
    let error = stated(&unit, (&one, &table)).unwrap_err();
    assert!(error.to_string().contains("one sample"), "{error}");
    table.clear();
    table.push(&[1; 16], 100, std::iter::empty()).unwrap();
    assert_eq!(stated(&unit, (&one, &table)).unwrap().iv_size, 16);
    let constant = protection(IvSource::Constant(Iv::new(&[2; 16]).unwrap()));
    let said = stated(&unit, (&constant, &table)).unwrap();
    assert_eq!((said.iv_size, said.constant_iv), (0, Some(Blob(&[2; 16]))));
    let none = protection(IvSource::None);
    let error = stated(&unit, (&none, &table)).unwrap_err();
    assert!(error.to_string().contains("not protected"), "{error}");
}

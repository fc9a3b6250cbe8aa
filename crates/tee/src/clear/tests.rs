#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;
use crate::SharedMemory;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Command, encode_answer, encode_status};

/// Answers every call with the same bytes and remembers what it was asked.
struct Canned {
    answer: Result<Vec<u8>, TeeError>,
    command: std::sync::Arc<std::sync::atomic::AtomicU32>,
}

impl TeeSession for Canned {
    fn call<'a>(
        &mut self,
        command: u32,
        _request: &[u8],
        response: &mut Vec<u8>,
        _media: Media<'a>,
    ) -> Result<(), TeeError> {
        self.command
            .store(command, std::sync::atomic::Ordering::Relaxed);
        match &self.answer {
            Ok(bytes) => {
                response.clear();
                response.extend_from_slice(bytes);
                Ok(())
            }
            Err(_) => Err(TeeError::Dead),
        }
    }
}

fn session(
    answer: Result<Vec<u8>, TeeError>,
) -> (ClearSession, std::sync::Arc<std::sync::atomic::AtomicU32>) {
    let command = std::sync::Arc::default();
    let canned = Canned {
        answer,
        command: std::sync::Arc::clone(&command),
    };
    (ClearSession::new(Box::new(canned)), command)
}

#[test]
fn an_answer_comes_back_typed_and_under_its_command_number() {
    let answer = body::SessionOpened { session: 77 };
    let (mut session, command) = session(Ok(encode_answer(&answer).unwrap()));
    let request = body::OpenSession {
        anchor: [3; 32],
        service_info: keybearer_wire::field::Blob(b"info"),
        protected: false,
    };
    assert_eq!(session.exchange(&request).unwrap(), answer);
    assert_eq!(
        command.load(std::sync::atomic::Ordering::Relaxed),
        Command::OpenSession.code()
    );
}

#[test]
fn a_refusal_is_the_status_and_not_a_transport_error() {
    let (mut session, _) = session(Ok(encode_status(Status::UnknownSession).unwrap()));
    let refused = session.exchange(&body::CloseSession { session: 1 });
    assert!(matches!(
        refused,
        Err(CallError::Refused(Status::UnknownSession))
    ));
}

#[test]
fn garbage_and_death_are_transport_errors() {
    let (mut garbled, _) = session(Ok(vec![0xff]));
    assert!(matches!(
        garbled.exchange(&body::CloseSession { session: 1 }),
        Err(CallError::Transport(TeeError::BadAnswer(_)))
    ));
    let (mut dead, _) = session(Err(TeeError::Dead));
    assert!(matches!(
        dead.exchange(&body::CloseSession { session: 1 }),
        Err(CallError::Transport(TeeError::Dead))
    ));
}

/// What a decrypt call carries, for a session that writes 0xc1 as clear bytes.
struct Decryptor;

impl TeeSession for Decryptor {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        assert_eq!(command, Command::Decrypt.code());
        let request = <body::Decrypt<'_> as keybearer_wire::Body<'_>>::decode(request, MAX_REQUEST);
        let bytes = u64::try_from(media.len()).unwrap();
        assert_eq!(u64::from(request.unwrap().duration_ms), bytes);
        match media {
            Media::None | Media::Input(_) => {}
            Media::InPlace(data) => data.fill(0xc1),
            Media::Into { input, output } => output[..input.len()].fill(0xc1),
        }
        response.clear();
        response.extend(encode_answer(&body::Decrypted { bytes, sequence: 1 }).unwrap());
        Ok(())
    }
}

fn decrypt_request(duration_ms: u32, samples: &[u8]) -> body::Decrypt<'_> {
    body::Decrypt {
        session: 1,
        key_id: [2; 16],
        license: None,
        track_type: 1,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms,
        width: None,
        height: None,
        samples: keybearer_wire::field::Blob(samples),
        subsamples: keybearer_wire::field::Blob(&[]),
    }
}

#[test]
fn media_goes_along_in_place_or_into_another_buffer() {
    let mut session = ClearSession::new(Box::new(Decryptor));
    let mut data = [0; 5];
    let answer = session
        .decrypt(&decrypt_request(5, &[0; 24]), Media::InPlace(&mut data))
        .unwrap();
    assert_eq!((answer.bytes, data), (5, [0xc1; 5]));

    let mut output = [0; 4];
    let media = Media::Into {
        input: &[7; 3],
        output: &mut output,
    };
    assert_eq!((media.len(), media.is_empty()), (3, false));
    session
        .decrypt(&decrypt_request(3, &[0; 24]), media)
        .unwrap();
    assert_eq!(output, [0xc1, 0xc1, 0xc1, 0]);
    assert!(Media::None.is_empty());
}

/// It would be refused on the other side; here the reason is still known.
#[test]
fn a_request_beyond_the_limits_is_not_sent() {
    let mut session = ClearSession::new(Box::new(Decryptor));
    let table = vec![0; body::MAX_SAMPLE_RECORDS + 1];
    let refused = session.decrypt(&decrypt_request(0, &table), Media::None);
    assert!(matches!(refused, Err(CallError::Request(_))), "{refused:?}");
}

#[test]
fn an_answer_of_another_command_is_not_taken_for_ours() {
    let answer = encode_answer(&body::Decrypted {
        bytes: 1,
        sequence: 2,
    })
    .unwrap();
    let (mut session, _) = session(Ok(answer));
    let refused = session.exchange(&body::DeviceKey { anchor: [0; 32] });
    assert!(
        matches!(refused, Err(CallError::Transport(TeeError::BadAnswer(_)))),
        "{refused:?}"
    );
}

/// A backend that shares nothing says so; it need not know the question.
#[test]
fn memory_is_shared_only_by_a_backend_that_offers_it() {
    assert!(
        ClearSession::new(Box::new(Decryptor))
            .shared_memory(16)
            .unwrap()
            .is_none()
    );

    struct Sharing;
    struct Plain(Vec<u8>);
    impl SharedMemory for Plain {
        fn bytes(&self) -> &[u8] {
            &self.0
        }
        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }
    impl TeeSession for Sharing {
        fn call<'a>(
            &mut self,
            _command: u32,
            _request: &[u8],
            _response: &mut Vec<u8>,
            _media: Media<'a>,
        ) -> Result<(), TeeError> {
            Err(TeeError::Dead)
        }
        fn shared_memory(&mut self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, TeeError> {
            Ok(Some(Box::new(Plain(vec![0; len]))))
        }
    }
    let mut memory = ClearSession::new(Box::new(Sharing))
        .shared_memory(16)
        .unwrap()
        .unwrap();
    memory.bytes_mut()[15] = 7;
    assert_eq!((memory.bytes().len(), memory.bytes()[15]), (16, 7));
}

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;
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

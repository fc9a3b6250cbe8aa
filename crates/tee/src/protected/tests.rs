#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::{Mutex, MutexGuard};

use super::*;
use crate::BackendInfo;
use keybearer_wire::body::MAX_SAMPLE_RECORDS;
use keybearer_wire::field::List;
use keybearer_wire::limits::SAMPLE_RECORD;
use keybearer_wire::{Command, Status, encode_answer, encode_status};

/// What both sides of a fake TEE were asked, and how they shall answer.
#[derive(Default)]
struct State {
    /// `key:`, `decoder:` and what was asked of it, oldest first.
    log: Vec<String>,
    tickets: u8,
    /// The next decoder command of this number fails so.
    fails: Option<(decoder::Command, Fails)>,
    no_decoder: bool,
}

#[derive(Clone, Copy)]
enum Fails {
    Dies,
    Refuses(Status),
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What was asked since the last look.
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    fn fail(&self, command: decoder::Command, how: Fails) {
        self.state().fails = Some((command, how));
    }
}

impl Tee for Fake {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "fake",
            detail: String::new(),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(Keys(self.clone())))
    }

    fn connect_decoder(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        if self.state().no_decoder {
            return Err(TeeError::Unavailable("no memory".into()));
        }
        self.state().log.push("decoder: starts".into());
        Ok(Box::new(Decoder(self.clone())))
    }
}

struct Keys(Fake);

impl TeeSession for Keys {
    fn call<'a>(
        &mut self,
        command: u32,
        _request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        assert!(matches!(media, Media::None));
        let mut state = self.0.state();
        let command = Command::from_code(command).unwrap();
        state.log.push(format!("keys: {}", command.name()));
        *response = match command {
            Command::IssueTicket => {
                state.tickets += 1;
                let ticket = [state.tickets; 16];
                encode_answer(&body::Ticket { ticket }).unwrap()
            }
            _ => encode_answer(&body::Empty {}).unwrap(),
        };
        Ok(())
    }
}

struct Decoder(Fake);

impl Drop for Decoder {
    fn drop(&mut self) {
        self.0.state().log.push("decoder: goes".into());
    }
}

impl TeeSession for Decoder {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        use decoder::Command as C;
        let mut state = self.0.state();
        let command = C::from_code(command).unwrap();
        let told = match (command, media) {
            (C::Attach, Media::None) => {
                let request = <unit::Attach as keybearer_wire::Body<'_>>::decode(request, 100);
                format!("Attach {}", request.unwrap().ticket[0])
            }
            (C::Decode, Media::Input(media)) => format!("Decode {media:?}"),
            (_, Media::None) => command.name().to_owned(),
            (_, media) => panic!("{command:?} with {media:?}"),
        };
        state.log.push(format!("decoder: {told}"));
        *response = match state.fails.take_if(|(which, _)| *which == command) {
            Some((_, Fails::Dies)) => return Err(TeeError::Dead),
            Some((_, Fails::Refuses(status))) => encode_status(status).unwrap(),
            None => match command {
                C::Configure => configured(),
                C::Decode | C::Flush => encode_answer(&presented()).unwrap(),
                _ => encode_answer(&body::Empty {}).unwrap(),
            },
        };
        Ok(())
    }
}

/// A decoder's answer to a configuration: the one that the interface's golden file shows.
fn configured() -> Vec<u8> {
    let golden = include_str!("../../../wire/src/decoder/body/golden.txt");
    let body = golden
        .lines()
        .find_map(|line| line.strip_prefix("Configured "))
        .unwrap();
    let bytes = body
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    // Status 0, and the answer.
    [0xa2, 0x00, 0x00, 0x01].into_iter().chain(bytes).collect()
}

fn presented() -> unit::Presented {
    unit::Presented {
        times: List(vec![40]),
        largest: None,
        sequence: Some(1),
        digests: None,
    }
}

fn track(session: u64) -> Track {
    Track {
        session,
        track_type: 3,
        codec: *b"avc1",
        record: vec![1, 2, 3],
    }
}

fn decode() -> unit::Decode<'static> {
    unit::Decode {
        time: 40,
        duration_ms: 40,
        protection: None,
    }
}

fn playing() -> (Fake, ProtectedSession) {
    let fake = Fake::default();
    let mut session = ProtectedSession::open(Arc::new(fake.clone())).unwrap();
    let answer = configured();
    let answer = keybearer_wire::decode_response::<unit::Configured>(&answer);
    assert_eq!(
        session.configure(track(7)).unwrap(),
        answer.unwrap().unwrap()
    );
    (fake, session)
}

#[test]
fn a_ticket_goes_from_the_keys_to_the_decoder_and_units_go_in_only() {
    let (fake, mut session) = playing();
    assert_eq!(
        fake.log(),
        [
            "decoder: starts",
            "keys: IssueTicket",
            "decoder: Attach 1",
            "decoder: Configure"
        ]
    );
    assert_eq!(
        session.submit(&decode(), &[9, 8], true).unwrap(),
        presented()
    );
    assert_eq!(session.submit(&decode(), &[7], false).unwrap(), presented());
    session.skip().unwrap();
    assert_eq!(session.flush().unwrap(), presented());
    session
        .exchange(&body::CloseSession { session: 7 })
        .unwrap();
    assert_eq!(
        fake.log(),
        [
            "decoder: Decode [9, 8]",
            "decoder: Decode [7]",
            "decoder: Skip",
            "decoder: Flush",
            "keys: CloseSession"
        ]
    );
}

#[test]
fn new_parameter_sets_need_no_new_ticket_and_another_session_does() {
    let (fake, mut session) = playing();
    fake.log();
    session.configure(track(7)).unwrap();
    assert_eq!(fake.log(), ["decoder: Configure"]);
    session.configure(track(8)).unwrap();
    let again = [
        "keys: IssueTicket",
        "decoder: Attach 2",
        "decoder: Configure",
    ];
    assert_eq!(fake.log(), again);
    let mut sound = track(8);
    sound.track_type = 1;
    session.configure(sound).unwrap();
    assert_eq!(fake.log().len(), 3);
}

#[test]
fn a_decoder_that_dies_is_replaced_at_the_next_idr() {
    let (fake, mut session) = playing();
    fake.log();
    fake.fail(decoder::Command::Decode, Fails::Dies);
    let died = session.submit(&decode(), &[1], false);
    assert!(
        matches!(died, Err(ProtectedError::DecoderFailed)),
        "{died:?}"
    );
    // Until then nothing is sent anywhere, and nothing waits to be presented.
    for _ in 0..2 {
        let left_out = session.submit(&decode(), &[2], false);
        assert!(matches!(left_out, Err(ProtectedError::AwaitingIdr)));
    }
    assert_eq!(session.flush().unwrap().times.0, []);
    session.skip().unwrap();
    assert_eq!(fake.log(), ["decoder: Decode [1]", "decoder: goes"]);
    session.submit(&decode(), &[3], true).unwrap();
    assert_eq!(
        fake.log(),
        [
            "decoder: starts",
            "keys: IssueTicket",
            "decoder: Attach 2",
            "decoder: Configure",
            "decoder: Decode [3]"
        ]
    );
}

/// Whatever stands in the way of a new decoder, the next IDR tries again from the beginning.
#[test]
fn a_decoder_that_cannot_be_made_ready_is_let_go() {
    use decoder::Command as C;
    let failures = [
        (C::Attach, Fails::Refuses(Status::UnknownTicket)),
        (C::Configure, Fails::Refuses(Status::NoDecoderMemory)),
        (C::Configure, Fails::Dies),
    ];
    for (command, how) in failures {
        let (fake, mut session) = playing();
        fake.fail(C::Decode, Fails::Dies);
        session.submit(&decode(), &[1], false).unwrap_err();
        fake.fail(command, how);
        let refused = session.submit(&decode(), &[2], true).unwrap_err();
        match how {
            Fails::Dies => assert!(matches!(refused, ProtectedError::DecoderFailed)),
            Fails::Refuses(status) => assert!(
                matches!(refused, ProtectedError::Call(CallError::Refused(found)) if found == status)
            ),
        }
        assert_eq!(fake.log().last().unwrap(), "decoder: goes");
        session.submit(&decode(), &[3], true).unwrap();
        assert_eq!(fake.log().first().unwrap(), "decoder: starts");
    }
}

#[test]
fn a_refused_unit_leaves_the_decoder_as_it_is() {
    let (fake, mut session) = playing();
    let rejection = Fails::Refuses(Status::ContentRejected);
    fake.fail(decoder::Command::Decode, rejection);
    let rejected = session.submit(&decode(), &[1], false);
    assert!(matches!(
        rejected,
        Err(ProtectedError::Call(CallError::Refused(
            Status::ContentRejected
        )))
    ));
    fake.log();
    session.submit(&decode(), &[2], false).unwrap();
    assert_eq!(fake.log(), ["decoder: Decode [2]"]);
}

#[test]
fn without_a_decoder_there_is_no_track_and_the_keys_are_there() {
    let fake = Fake::default();
    fake.state().no_decoder = true;
    let mut session = ProtectedSession::open(Arc::new(fake.clone())).unwrap();
    let refused = session.configure(track(7));
    assert!(matches!(
        refused,
        Err(ProtectedError::NoDecoder(TeeError::Unavailable(_)))
    ));
    assert!(matches!(
        session.submit(&decode(), &[1], true),
        Err(ProtectedError::NotConfigured)
    ));
    assert!(matches!(
        session.flush(),
        Err(ProtectedError::NotConfigured)
    ));
    assert!(matches!(session.skip(), Err(ProtectedError::NotConfigured)));
    session
        .exchange(&body::CloseSession { session: 7 })
        .unwrap();
    assert_eq!(fake.log(), ["keys: CloseSession"]);
}

/// A backend need not know what a decoder is.
#[test]
fn a_backend_has_no_decoder_unless_it_says_so() {
    struct Plain;
    impl Tee for Plain {
        fn info(&self) -> BackendInfo {
            Fake::default().info()
        }
        fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
            Err(TeeError::Dead)
        }
    }
    let refused = Plain.connect_decoder().err().unwrap();
    assert_eq!(refused.to_string(), "no decoder: this backend has none");
}

/// It would be refused on the other side; here the reason is still known.
#[test]
fn a_request_beyond_the_limits_is_not_sent() {
    let (fake, mut session) = playing();
    fake.log();
    let subsamples = vec![0; MAX_SAMPLE_RECORDS * 10];
    let protection = unit::Protection {
        key_id: [7; 16],
        license: None,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        sample: [0; SAMPLE_RECORD],
        subsamples: Blob(&subsamples),
    };
    let request = unit::Decode {
        protection: Some(protection),
        ..decode()
    };
    let refused = session.submit(&request, &[1], true);
    assert!(matches!(
        refused,
        Err(ProtectedError::Call(CallError::Request(_)))
    ));
    assert!(fake.log().is_empty());
}

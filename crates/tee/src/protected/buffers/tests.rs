#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::{Arc, Mutex, MutexGuard};

use super::*;
use crate::{BackendInfo, Media, Tee};
use keybearer_wire::field::Blob;
use keybearer_wire::{Command, Status, encode_answer, encode_status};

/// A trusted side with protected memory, of which one buffer after the other is registered.
#[derive(Default)]
struct State {
    /// What was asked of which connection, oldest first.
    log: Vec<String>,
    connections: u64,
    registered: u64,
    /// Of the buffers, in bytes.
    size: usize,
    /// Connections with a number below this one lead to an instance that has died.
    living: u64,
    refuses: Option<Status>,
    none: bool,
    /// Nobody can be connected to.
    gone: bool,
    /// Whoever is asked to wipe dies of it.
    dies_of_wiping: bool,
}

#[derive(Clone)]
struct Fake(Arc<Mutex<State>>);

impl Fake {
    fn with(size: usize) -> (Self, ProtectedSession) {
        let state = State {
            size,
            ..State::default()
        };
        let fake = Self(Arc::new(Mutex::new(state)));
        let session = ProtectedSession::open(Arc::new(fake.clone())).unwrap();
        (fake, session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What was asked since the last look.
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    /// The instance that everybody is connected to dies.
    fn die(&self) {
        let mut state = self.state();
        state.living = state.connections + 1;
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
        let mut state = self.state();
        state.connections += 1;
        if state.gone {
            return Err(TeeError::Unavailable("gone".into()));
        }
        let number = state.connections;
        Ok(Box::new(Connection(self.clone(), number)))
    }
}

struct Connection(Fake, u64);

impl Connection {
    fn state(&self) -> Result<MutexGuard<'_, State>, TeeError> {
        let state = self.0.state();
        if self.1 < state.living {
            Err(TeeError::Dead)
        } else {
            Ok(state)
        }
    }
}

impl TeeSession for Connection {
    fn call<'a>(
        &mut self,
        command: u32,
        _request: &[u8],
        _response: &mut Vec<u8>,
        _media: Media<'a>,
    ) -> Result<(), TeeError> {
        panic!("{command:#x} does not go to a buffer")
    }

    fn register_buffer<'a>(&mut self, _fd: BorrowedFd<'a>) -> Result<ProtectedBuffer, TeeError> {
        let mut state = self.state()?;
        if state.none {
            return Err(TeeError::NoProtectedBuffer("none here".into()));
        }
        state.registered += 1;
        let (number, size) = (state.registered, state.size);
        state.log.push(format!("{}: registers {number}", self.1));
        Ok(ProtectedBuffer::new(number, size))
    }

    fn release_buffer(&mut self, buffer: ProtectedBuffer) {
        let told = format!("{}: releases {}", self.1, buffer.number());
        self.0.state().log.push(told);
    }

    fn call_into(
        &mut self,
        command: u32,
        _request: &[u8],
        response: &mut Vec<u8>,
        input: &[u8],
        output: BufferRange,
    ) -> Result<(), TeeError> {
        let mut state = self.state()?;
        let command = Command::from_code(command).unwrap();
        if state.dies_of_wiping && command == Command::WipeBuffer {
            state.living = state.connections + 1;
            return Err(TeeError::Dead);
        }
        let BufferRange {
            buffer,
            offset,
            capacity,
        } = output;
        state.log.push(format!(
            "{}: {} {input:?} to {} at {offset}, {capacity}",
            self.1,
            command.name(),
            buffer.number()
        ));
        let decrypted = body::Decrypted {
            bytes: 3,
            sequence: 1,
        };
        *response = match (state.refuses, command) {
            (Some(status), _) => encode_status(status).unwrap(),
            (None, Command::Decrypt) => encode_answer(&decrypted).unwrap(),
            (None, _) => encode_answer(&body::Empty {}).unwrap(),
        };
        Ok(())
    }
}

fn file() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

fn decrypt() -> body::Decrypt<'static> {
    body::Decrypt {
        session: 7,
        key_id: [1; 16],
        license: None,
        track_type: 2,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms: 40,
        width: None,
        height: None,
        samples: Blob(&[]),
        subsamples: Blob(&[]),
    }
}

#[test]
fn units_go_to_the_range_that_is_named_and_a_released_buffer_is_wiped_whole() {
    let (fake, mut session) = Fake::with((1 << 20) + 5);
    let buffer = session.register_buffer(file().as_fd()).unwrap();
    let done = session.deliver(&decrypt(), &[9, 8, 7], buffer.range(64, 128));
    assert_eq!(done.unwrap().bytes, 3);
    assert_eq!(
        fake.log(),
        ["1: registers 1", "1: Decrypt [9, 8, 7] to 1 at 64, 128"]
    );
    session.release_buffer(buffer).unwrap();
    let wiped = [
        "1: WipeBuffer [] to 1 at 0, 1048576",
        "1: WipeBuffer [] to 1 at 1048576, 5",
        "1: releases 1",
    ];
    assert_eq!(fake.log(), wiped);
    let again = session.release_buffer(buffer);
    assert!(matches!(
        again,
        Err(CallError::Transport(TeeError::NoProtectedBuffer(_)))
    ));
    drop(session);
    assert!(fake.log().is_empty());
}

#[test]
fn a_session_that_ends_wipes_what_it_still_holds() {
    let (fake, mut session) = Fake::with(16);
    for _ in 0..2 {
        session.register_buffer(file().as_fd()).unwrap();
    }
    fake.log();
    drop(session);
    let wiped = [
        "1: WipeBuffer [] to 1 at 0, 16",
        "1: WipeBuffer [] to 2 at 0, 16",
    ];
    assert_eq!(fake.log(), wiped);
}

/// The trusted side's death erases no buffer.
#[test]
fn what_a_dead_instance_wrote_the_next_one_wipes() {
    let (fake, mut session) = Fake::with(16);
    let released = session.register_buffer(file().as_fd()).unwrap();
    session.register_buffer(file().as_fd()).unwrap();
    fake.die();
    fake.log();
    let delivered = session.deliver(&decrypt(), &[], released.range(0, 16));
    assert!(matches!(
        delivered,
        Err(CallError::Transport(TeeError::Dead))
    ));
    session.release_buffer(released).unwrap();
    let wiped = [
        "2: registers 3",
        "2: WipeBuffer [] to 3 at 0, 16",
        "2: releases 3",
        "1: releases 1",
    ];
    assert_eq!(fake.log(), wiped);
    drop(session);
    let wiped = [
        "2: registers 4",
        "2: WipeBuffer [] to 4 at 0, 16",
        "2: releases 4",
    ];
    assert_eq!(fake.log(), wiped);
}

fn holding_three() -> (Fake, ProtectedSession) {
    let (fake, mut session) = Fake::with(16);
    for _ in 0..3 {
        session.register_buffer(file().as_fd()).unwrap();
    }
    (fake, session)
}

#[test]
fn one_connection_wipes_all_that_a_dead_instance_left() {
    let (fake, session) = holding_three();
    fake.die();
    fake.log();
    drop(session);
    let state = fake.state();
    assert_eq!(state.connections, 2);
    let wiped = state.log.iter().filter(|told| told.contains("WipeBuffer"));
    assert_eq!(wiped.count(), 3);
}

/// Each attempt may last until somebody's deadline.
#[test]
fn a_session_that_ends_asks_once_for_a_trusted_side_that_is_gone() {
    let (fake, session) = holding_three();
    fake.die();
    fake.state().gone = true;
    drop(session);
    assert_eq!(fake.state().connections, 2);

    let (fake, session) = holding_three();
    fake.state().dies_of_wiping = true;
    drop(session);
    assert_eq!(fake.state().connections, 2);
}

#[test]
fn an_instance_that_died_as_well_is_not_the_last_that_is_asked() {
    let (fake, mut session) = Fake::with(16);
    let [first, second] = [(); 2].map(|()| session.register_buffer(file().as_fd()).unwrap());
    fake.die();
    session.release_buffer(first).unwrap();
    fake.die();
    session.release_buffer(second).unwrap();
    assert_eq!(fake.state().connections, 3);
}

/// What one attempt met is not the end of it: whoever releases may try again.
#[test]
fn a_buffer_that_nobody_could_wipe_is_wiped_when_somebody_is_there_again() {
    let (fake, mut session) = Fake::with(16);
    let buffer = session.register_buffer(file().as_fd()).unwrap();
    fake.die();
    fake.state().gone = true;
    let refused = session.release_buffer(buffer);
    assert!(matches!(
        refused,
        Err(CallError::Transport(TeeError::Unavailable(_)))
    ));
    fake.state().gone = false;
    session.release_buffer(buffer).unwrap();
    assert_eq!(fake.log().last().unwrap(), "1: releases 1");
}

#[test]
fn a_buffer_that_cannot_be_wiped_stays_registered() {
    let (fake, mut session) = Fake::with(16);
    let buffer = session.register_buffer(file().as_fd()).unwrap();
    fake.state().refuses = Some(Status::Platform);
    for _ in 0..2 {
        let refused = session.release_buffer(buffer);
        assert!(matches!(refused, Err(CallError::Refused(Status::Platform))));
    }
    fake.state().refuses = None;
    session.release_buffer(buffer).unwrap();
    assert_eq!(fake.log().last().unwrap(), "1: releases 1");
}

/// What is refused as no protected memory is of no use to the session, and is not kept until its end.
#[test]
fn an_unprotected_buffer_is_let_go_when_it_is_refused() {
    let (fake, mut session) = Fake::with(16);
    let unprotected = |outcome: Result<(), CallError>| {
        matches!(outcome, Err(CallError::Refused(Status::UnprotectedOutput)))
    };
    let [delivered, released] = [(); 2].map(|()| session.register_buffer(file().as_fd()).unwrap());
    fake.log();
    fake.state().refuses = Some(Status::UnprotectedOutput);
    let refused = session.deliver(&decrypt(), &[9], delivered.range(0, 16));
    assert!(unprotected(refused.map(drop)));
    assert_eq!(fake.log().last().unwrap(), "1: releases 1");
    assert!(unprotected(session.release_buffer(released)));
    assert_eq!(fake.log().last().unwrap(), "1: releases 2");
    for buffer in [delivered, released] {
        let gone = session.release_buffer(buffer);
        assert!(matches!(
            gone,
            Err(CallError::Transport(TeeError::NoProtectedBuffer(_)))
        ));
    }
    drop(session);
    assert!(fake.log().is_empty());
}

/// No range of no bytes is protected memory: that says nothing of the buffer, which may hold a unit.
#[test]
fn a_range_of_no_bytes_takes_no_buffer_from_its_session() {
    let (fake, mut session) = Fake::with(16);
    let buffer = session.register_buffer(file().as_fd()).unwrap();
    fake.state().refuses = Some(Status::UnprotectedOutput);
    let refused = session.deliver(&decrypt(), &[], buffer.range(4, 0));
    assert!(refused.is_err());
    fake.state().refuses = None;
    fake.log();
    session.release_buffer(buffer).unwrap();
    let wiped = ["1: WipeBuffer [] to 1 at 0, 16", "1: releases 1"];
    assert_eq!(fake.log(), wiped);
}

/// Nothing takes the place of protected memory.
#[test]
fn where_there_is_none_it_is_said() {
    let (fake, mut session) = Fake::with(16);
    fake.state().none = true;
    let refused = session.register_buffer(file().as_fd());
    assert!(matches!(refused, Err(TeeError::NoProtectedBuffer(_))));
    drop(session);
    assert!(fake.log().is_empty());

    // A backend that knows nothing of such memory.
    struct Plain;
    impl TeeSession for Plain {
        fn call<'a>(
            &mut self,
            _: u32,
            _: &[u8],
            _: &mut Vec<u8>,
            _: Media<'a>,
        ) -> Result<(), TeeError> {
            Ok(())
        }
    }
    let refused = Plain.register_buffer(file().as_fd());
    assert!(matches!(refused, Err(TeeError::NoProtectedBuffer(_))));
    let range = ProtectedBuffer::new(1, 16).range(0, 16);
    let refused = Plain.call_into(0x20, &[], &mut Vec::new(), &[], range);
    assert!(matches!(refused, Err(TeeError::NoProtectedBuffer(_))));
    Plain.release_buffer(range.buffer);
}

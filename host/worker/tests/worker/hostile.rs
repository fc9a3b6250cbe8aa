//! A host that does not keep to the channel: the worker ends, by itself and not by a crash.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keybearer_tee_soft::channel::{
    ARENA, Answer, Call, FromHost, FromWorker, Hello, MAX_MESSAGE, MAX_REGION, Place,
};
use keybearer_tee_soft::socket::Socket;
use keybearer_wire::Command as Number;
use keybearer_wire::limits::MAX_REQUEST;
use rustix::fs::{MemfdFlags, SealFlags};

/// A worker whose host is this test, by hand.
struct Prisoner {
    control: Socket,
    process: Child,
    _dir: tempfile::TempDir,
}

/// What is wrong with a call.
type Edit = (&'static str, fn(&mut Call));

/// A connection to it.
struct Line {
    socket: Socket,
    sequence: u64,
}

impl Prisoner {
    fn new() -> Self {
        let (control, theirs) = Socket::pair().unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_keybearer-worker"))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        control.set_deadline(Some(Duration::from_secs(20))).unwrap();
        let prisoner = Self {
            control,
            process,
            _dir: tempfile::tempdir().unwrap(),
        };
        let mut room = [0; MAX_MESSAGE];
        let hello = prisoner.control.receive(&mut room).unwrap().unwrap();
        Hello::decode(hello).unwrap();
        prisoner
    }

    fn started() -> Self {
        let prisoner = Self::new();
        let start = FromHost::Start {
            state_dir: prisoner._dir.path().join("state"),
            internal_panel: false,
        };
        let ready = prisoner.ask(&start.encode(), &[]);
        assert!(matches!(ready, Some(FromWorker::Ready { .. })));
        prisoner
    }

    fn ask(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Option<FromWorker> {
        self.control.send_with(message, descriptors).unwrap();
        let mut room = [0; MAX_MESSAGE];
        let answer = self.control.receive(&mut room).ok()??;
        Some(FromWorker::decode(answer).unwrap())
    }

    fn connect(&self) -> Line {
        let (socket, theirs) = Socket::pair().unwrap();
        socket.set_deadline(Some(Duration::from_secs(20))).unwrap();
        let arena = memory(ARENA, SealFlags::SHRINK);
        let descriptors = [theirs.as_fd(), arena.as_fd()];
        let done = self.ask(&FromHost::Connect.encode(), &descriptors);
        assert_eq!(done, Some(FromWorker::Done));
        Line {
            socket,
            sequence: 0,
        }
    }

    fn share(&self, region: u64, len: u64, memory: &OwnedFd) -> Option<FromWorker> {
        self.ask(&FromHost::Share { region, len }.encode(), &[memory.as_fd()])
    }

    /// Ended on its own account: an exit code and no signal.
    fn gave_up(mut self, after: &str) {
        let status = self.process.wait().unwrap();
        assert_eq!(status.signal(), None, "{after}");
        assert_eq!(status.code(), Some(1), "{after}");
    }
}

impl Drop for Prisoner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Line {
    fn call(&mut self, edit: impl FnOnce(&mut Call)) -> Option<Answer> {
        self.sequence += 1;
        let mut call = Call {
            sequence: self.sequence,
            command: Number::Decrypt.code(),
            request: 0,
            media: None,
        };
        edit(&mut call);
        self.say(&call.encode())
    }

    fn say(&self, message: &[u8]) -> Option<Answer> {
        self.socket.send(message).unwrap();
        let mut room = [0; Answer::SIZE];
        let answer = self.socket.receive(&mut room).ok()??;
        Some(Answer::decode(answer).unwrap())
    }
}

fn memory(len: usize, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create("media", flags).unwrap();
    rustix::fs::ftruncate(&memory, len as u64).unwrap();
    rustix::fs::fcntl_add_seals(&memory, seals).unwrap();
    memory
}

#[test]
fn anything_but_a_start_at_the_start_ends_it() {
    for message in [
        vec![0xff; 4],
        vec![1],
        vec![1, 0, 0, 0, 2, 0, 0, 0, b'/'],
        FromHost::Connect.encode(),
        vec![0; MAX_MESSAGE + 1],
    ] {
        let prisoner = Prisoner::new();
        assert_eq!(prisoner.ask(&message, &[]), None);
        prisoner.gave_up("no start");
    }
}

#[test]
fn control_messages_out_of_form_end_it() {
    let file = || OwnedFd::from(File::open("/dev/zero").unwrap());
    let garbage = [
        vec![0xff; 4],
        vec![2, 0, 0],
        vec![2, 0, 0, 0, 0],
        vec![0; MAX_MESSAGE + 1],
        FromHost::Connect.encode(),
        FromHost::Share { region: 1, len: 1 }.encode(),
        FromHost::Start {
            state_dir: "/".into(),
            internal_panel: false,
        }
        .encode(),
    ];
    for message in garbage {
        let prisoner = Prisoner::started();
        assert_eq!(prisoner.ask(&message, &[]), None);
        prisoner.gave_up("garbage");
    }
    // More descriptors than a message has, or too few, or other ones.
    let prisoner = Prisoner::started();
    let one = file();
    assert_eq!(
        prisoner.ask(&FromHost::Connect.encode(), &[one.as_fd()]),
        None
    );
    prisoner.gave_up("one descriptor for two");
    let prisoner = Prisoner::started();
    let two = [one.as_fd(), one.as_fd()];
    assert_eq!(prisoner.ask(&FromHost::Connect.encode(), &two), None);
    prisoner.gave_up("no socket");
    let prisoner = Prisoner::started();
    let release = FromHost::Release { region: 1 };
    assert_eq!(prisoner.ask(&release.encode(), &[one.as_fd()]), None);
    prisoner.gave_up("a descriptor too many");
}

/// Memory that could be taken away again, or is not as long as it is said to be, would let the host
/// kill the worker at any access.
#[test]
fn memory_that_is_not_safe_to_map_ends_it() {
    let short = memory(ARENA - 1, SealFlags::SHRINK);
    let loose = memory(ARENA, SealFlags::GROW);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&vec![0; ARENA]).unwrap();
    for (arena, what) in [(short, "short"), (loose, "loose"), (file.into(), "a file")] {
        let prisoner = Prisoner::started();
        let (_ours, theirs) = Socket::pair().unwrap();
        let descriptors = [theirs.as_fd(), arena.as_fd()];
        assert_eq!(
            prisoner.ask(&FromHost::Connect.encode(), &descriptors),
            None
        );
        prisoner.gave_up(what);
    }

    let sound = || memory(10_000, SealFlags::SHRINK);
    for (len, memory, what) in [
        (10_001, sound(), "longer than it is"),
        (u64::MAX, sound(), "endless"),
        (MAX_REGION as u64 + 1, sound(), "beyond the limit"),
        (10_000, memory(10_000, SealFlags::GROW), "loose"),
        (0, memory(0, SealFlags::SHRINK), "nothing at all"),
    ] {
        let prisoner = Prisoner::started();
        assert_eq!(prisoner.share(1, len, &memory), None, "{what}");
        prisoner.gave_up(what);
    }
    let prisoner = Prisoner::started();
    assert_eq!(prisoner.share(1, 10_000, &sound()), Some(FromWorker::Done));
    assert_eq!(prisoner.share(1, 10_000, &sound()), None);
    prisoner.gave_up("a name used twice");
}

#[test]
fn calls_out_of_form_end_it() {
    let edits: [Edit; 5] = [
        ("a call left out", |call| call.sequence += 1),
        ("a call again", |call| call.sequence -= 1),
        ("the last number there is", |call| call.sequence = u64::MAX),
        ("a request beyond its limit", |call| {
            call.request = MAX_REQUEST as u32 + 1;
        }),
        ("an endless request", |call| call.request = u32::MAX),
    ];
    for (what, edit) in edits {
        let prisoner = Prisoner::started();
        let mut line = prisoner.connect();
        assert!(line.call(|_| ()).is_some());
        assert_eq!(line.call(edit), None, "{what}");
        prisoner.gave_up(what);
    }
    let call = Call {
        sequence: 1,
        command: 1,
        request: 0,
        media: None,
    }
    .encode();
    for message in [&call[..Call::SIZE - 1], &[&call[..], &[0]].concat(), &[5]] {
        let prisoner = Prisoner::started();
        assert_eq!(prisoner.connect().say(message), None);
        prisoner.gave_up("another size");
    }
}

/// Every offset and length is the host's word, and is checked before anything is touched.
#[test]
fn places_outside_shared_memory_end_it() {
    const LEN: u64 = 10_000;
    let place = |region, offset, len| Place {
        region,
        offset,
        len,
    };
    let inside = place(1, 0, 16);
    for (what, outside) in [
        ("unknown memory", place(2, 0, 16)),
        ("the arena, which has no name", place(0, 0, 16)),
        ("beyond its end", place(1, LEN - 15, 16)),
        ("far beyond its end", place(1, u64::MAX, 16)),
        ("longer than it", place(1, 0, LEN + 1)),
        ("endless", place(1, 1, u64::MAX)),
    ] {
        for media in [(outside, inside), (inside, outside)] {
            let prisoner = Prisoner::started();
            let shared = memory(LEN as usize, SealFlags::SHRINK);
            assert_eq!(prisoner.share(1, LEN, &shared), Some(FromWorker::Done));
            let mut line = prisoner.connect();
            assert!(
                line.call(|call| call.media = Some((inside, inside)))
                    .is_some()
            );
            assert_eq!(line.call(|call| call.media = Some(media)), None, "{what}");
            prisoner.gave_up(what);
        }
    }
    // Forgotten memory is unknown memory.
    let prisoner = Prisoner::started();
    let shared = memory(LEN as usize, SealFlags::SHRINK);
    assert_eq!(prisoner.share(1, LEN, &shared), Some(FromWorker::Done));
    let release = FromHost::Release { region: 1 };
    prisoner.control.send(&release.encode()).unwrap();
    let mut line = prisoner.connect();
    assert_eq!(line.call(|call| call.media = Some((inside, inside))), None);
    prisoner.gave_up("forgotten memory");
}

#[test]
fn a_host_that_leaves_is_no_error() {
    for started in [false, true] {
        let mut prisoner = match started {
            true => Prisoner::started(),
            false => Prisoner::new(),
        };
        let line = started.then(|| prisoner.connect());
        prisoner.control.finish().unwrap();
        assert!(prisoner.process.wait().unwrap().success());
        drop(line);
    }
}

/// A connection that is closed with its answer unread is an end like any other.
#[test]
fn a_client_that_leaves_during_its_call_is_no_error() {
    let prisoner = Prisoner::started();
    for _ in 0..20 {
        let line = prisoner.connect();
        let call = Call {
            sequence: 1,
            command: Number::Describe.code(),
            request: 0,
            media: None,
        };
        line.socket.send(&call.encode()).unwrap();
        drop(line);
    }
    assert!(prisoner.connect().call(|_| ()).is_some());
}

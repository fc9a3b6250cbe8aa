//! Memory that cannot be had: a whole session of the decoder with its k-th allocation failing, for every k.
//!
//! What the application takes itself it takes so that a failure is a status. What is taken inside the
//! picture decoder, by code that has no way to say so, ends the instance, as everywhere an allocation ends a
//! program that does not expect it to fail: the host is told `decoder-failed`, and the key TA and all other
//! sessions go on. In an image neither happens (`decoder_heap.rs`); here it is made to happen.
//!
//! An allocation that fails inside the picture decoder aborts the process, so the sessions run in a child of
//! this test, which says where it is; where one ends, the next child goes on behind it.

#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one passes on to the system's. Parameters are raw"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command as Process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybearer_ta_decoder::output::Output;
use keybearer_ta_decoder::{Connect, Connection, Failure, Session, Sizes};
use keybearer_ta_entry::params::{COMMAND_TYPES, CommandSlots, SharedInput};
use keybearer_ta_entry::serve::serve;
use keybearer_video::{Picture, Sink, SinkFailed};
use keybearer_wire::decoder::{Command, Exchange, MAX_DECODER_RESPONSE, body};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, Status, body as key, decode_response, encode_answer};
use optee_utee::{FromRawParameters, raw};

// What the trusted application asks of the TEE is answered there.
use keybearer_fake_libteec as _;

thread_local! {
    /// True while the application runs, whose memory may fail.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Allocations of the application that succeed before one fails; `None`: all do.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// Whether all that follow fail too, until the command ends.
    static LASTING: Cell<bool> = const { Cell::new(false) };
    static FAILED: Cell<bool> = const { Cell::new(false) };
    /// Bytes that this thread has and has not given back.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Failing;

/// True when this allocation shall fail.
fn fails() -> bool {
    let Some(left) = LEFT.get().filter(|_| INSIDE.get()) else {
        return false;
    };
    if left > 0 {
        LEFT.set(Some(left - 1));
        return false;
    }
    if !LASTING.get() {
        LEFT.set(None);
    }
    FAILED.set(true);
    true
}

fn hold(more: usize, less: usize) {
    HELD.set(HELD.get() + more.cast_signed() - less.cast_signed());
}

// SAFETY: every request that does not fail is the system allocator's, with its own layout.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() {
            return std::ptr::null_mut();
        }
        hold(layout.size(), 0);
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: it came from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails() {
            return std::ptr::null_mut();
        }
        hold(size, layout.size());
        // SAFETY: passed on as it came.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Runs with the application's memory, or without.
fn within<R>(inside: bool, run: impl FnOnce() -> R) -> R {
    let before = INSIDE.replace(inside);
    let result = run();
    INSIDE.set(before);
    result
}

/// Runs the application: its panic is its end, as in the image, and no test's.
fn as_the_application<R>(run: impl FnOnce() -> R) -> R {
    let run = AssertUnwindSafe(|| within(true, run));
    catch_unwind(run).unwrap_or_else(|_| std::process::abort())
}

/// What the key TA knows.
#[derive(Default)]
struct Known {
    /// Open channels, each with what it is owed: how many units of its last call were rejected, where the
    /// host was told.
    channels: BTreeMap<u64, Option<u32>>,
    opened: u64,
    /// What a decoder must not do: said here, for a panic would be taken for its own.
    wrong: Vec<String>,
}

/// A key TA whose media are not protected, and a session of it.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<Known>>);

struct Connected(Keys);

impl Keys {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the decoder says of its last unit is what the host was told of it.
    fn hears(&self, channel: u64, rejected: u32) {
        let mut known = self.known();
        let Known {
            channels, wrong, ..
        } = &mut *known;
        match channels.get_mut(&channel).map(Option::take) {
            Some(Some(owed)) if owed != rejected => {
                wrong.push(format!("{rejected} units rejected of a unit of {owed}"));
            }
            Some(_) => {}
            None => wrong.push(format!("there is no channel {channel}")),
        }
    }

    fn owe(&self, rejected: u32) {
        for owed in self.known().channels.values_mut() {
            *owed = Some(rejected);
        }
    }
}

impl Connect for Keys {
    type Connection = Connected;

    fn connect(&mut self) -> Result<Connected, Failure> {
        Ok(Connected(self.clone()))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // Whatever its channels are owed counts as rejected there.
        within(false, || self.0.known().channels.clear());
    }
}

impl Connection for Connected {
    fn call(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut [u8],
        protected: Option<&SharedInput<'_>>,
        clear: &mut [u8],
    ) -> Result<Sizes, Failure> {
        within(false, || {
            use keybearer_wire::Command::{CloseChannel, DecryptUnit, RedeemTicket};
            let keys = &self.0;
            let answer = match keybearer_wire::Command::from_code(command) {
                Some(RedeemTicket) => {
                    let mut known = keys.known();
                    known.opened += 1;
                    let channel = known.opened;
                    known.channels.insert(channel, None);
                    let track_type = 1;
                    encode_answer(&key::ChannelOpened {
                        channel,
                        track_type,
                    })
                }
                Some(DecryptUnit) => {
                    let unit = key::DecryptUnit::decode(request, MAX_REQUEST).unwrap();
                    keys.hears(unit.channel, unit.rejected);
                    protected.unwrap().read(0, clear).unwrap();
                    encode_answer(&key::UnitDecrypted {
                        bytes: clear.len() as u64,
                        sequence: 1,
                        largest_picture: None,
                    })
                }
                Some(CloseChannel) => {
                    let close = key::CloseChannel::decode(request, MAX_REQUEST).unwrap();
                    keys.hears(close.channel, close.rejected);
                    keys.known().channels.remove(&close.channel);
                    encode_answer(&key::Empty {})
                }
                other => panic!("a decoder has no business with {other:?}"),
            };
            let answer = answer.unwrap();
            response[..answer.len()].copy_from_slice(&answer);
            Ok(Sizes {
                response: answer.len(),
                media: clear.len(),
            })
        })
    }
}

/// Counts what it is shown.
struct Counting(Arc<Mutex<usize>>);

impl Sink for Counting {
    fn present(&mut self, _: &Picture<'_>) -> Result<(), SinkFailed> {
        *self.0.lock().unwrap() += 1;
        Ok(())
    }
}

impl Output for Counting {}

/// The decoder's test clip: its configuration record, and times and bytes of its units.
fn clip() -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
    let mut rest = include_bytes!("../../../ta/decoder/src/session/tests/clip.bin").as_slice();
    let mut take = |len: usize| rest.split_off(..len).unwrap().to_vec();
    let number = |bytes: Vec<u8>| u16::from_be_bytes(bytes.try_into().unwrap());
    let len = number(take(2));
    let record = take(len.into());
    let units = (0..10).map(|_| {
        let time = number(take(2));
        let len = number(take(2));
        (time.into(), take(len.into()))
    });
    (record, units.collect())
}

/// A host with its decoder.
struct Host {
    session: Option<Session<Keys, Counting>>,
    keys: Keys,
    shown: Arc<Mutex<usize>>,
    /// Told of each command before it is given, and of refusals.
    told: fn(&str),
}

impl Host {
    fn new(told: fn(&str)) -> Self {
        let (keys, shown) = (Keys::default(), Arc::default());
        let output = Counting(Arc::clone(&shown));
        Self {
            session: Some(Session::new(keys.clone(), Some(output))),
            keys,
            shown,
            told,
        }
    }

    /// A request as it comes in from the TEE. What fails for long has memory again afterwards.
    fn send(&mut self, command: Command, request: &[u8], media: &[u8]) -> Vec<u8> {
        (self.told)(&format!("command {command:?}"));
        let (mut request, mut media) = (request.to_vec(), media.to_vec());
        let mut response = vec![0; MAX_DECODER_RESPONSE];
        let slots = [&mut request, &mut response, &mut media, &mut Vec::new()];
        let mut params = slots.map(|slot| raw::TEE_Param {
            memref: raw::Memref {
                buffer: slot.as_mut_ptr().cast(),
                size: slot.len(),
            },
        });
        // SAFETY: four memory references to live memory.
        let mut slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
        let session = self.session.as_mut().unwrap();
        let served = as_the_application(|| {
            serve(&mut slots, MAX_DECODER_RESPONSE, |request, media| {
                session.call(command.code(), request, media.input())
            })
        });
        served.unwrap();
        assert_eq!(self.keys.known().wrong, [""; 0]);
        if FAILED.get() {
            LEFT.set(None);
        }
        // SAFETY: `from_raw` has made sure that it is one.
        response.truncate(unsafe { params[1].memref.size });
        response
    }

    fn call<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
        &mut self,
        request: &R,
        media: &[u8],
    ) -> Result<A, Status> {
        let request = request.encode(MAX_REQUEST).unwrap();
        decode_response(&self.send(R::COMMAND, &request, media)).unwrap()
    }

    /// A command that changes nothing when it is refused for want of memory: the second time it succeeds.
    fn insist<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(&mut self, request: &R) -> A {
        let before = FAILED.get();
        match self.call(request, &[]) {
            Ok(answer) => answer,
            Err(status) => {
                assert!(FAILED.get() && !before, "{:?}: {status}", R::COMMAND);
                let memory = [Status::OutOfMemory, Status::NoDecoderMemory];
                assert!(memory.contains(&status), "{:?}: {status}", R::COMMAND);
                (self.told)(&format!("refused {:?}", R::COMMAND));
                self.call(request, &[]).unwrap()
            }
        }
    }

    fn begin(&mut self, ticket: u8, record: &[u8]) {
        let ticket = [ticket; 16];
        let body::Empty {} = self.insist(&body::Attach { ticket });
        assert_eq!(self.keys.known().channels.len(), 1, "one at a time");
        let (codec, record) = (*b"avc1", Blob(record));
        let configured: body::Configured = self.insist(&body::Configure { codec, record });
        assert_eq!((configured.width, configured.height), (Some(64), Some(48)));
    }

    /// Whether a unit was accepted.
    fn decode(&mut self, time: u64, unit: &[u8]) -> bool {
        let request = body::Decode {
            time,
            duration_ms: 200,
            protection: Some(body::Protection {
                key_id: [1; 16],
                license: None,
                scheme: 1,
                iv_size: 16,
                constant_iv: None,
                crypt_blocks: 0,
                skip_blocks: 0,
                sample: [0; 24],
                subsamples: Blob(&[0; 6]),
            }),
        };
        let before = FAILED.get();
        match self.call::<_, body::Presented>(&request, unit) {
            Ok(_) => {
                self.keys.owe(0);
                true
            }
            Err(Status::ContentRejected) => {
                self.keys.owe(1);
                false
            }
            Err(status) => {
                assert_eq!(status, Status::OutOfMemory);
                assert!(FAILED.get() && !before);
                (self.told)("refused Decode");
                false
            }
        }
    }

    fn flush(&mut self) {
        let _: body::Presented = self.insist(&body::Flush {});
    }

    /// The instance ends in order; how many pictures it has shown.
    fn close(mut self) -> usize {
        (self.told)("command Close");
        let session = self.session.take();
        as_the_application(|| drop(session));
        LEFT.set(None);
        assert_eq!(self.keys.known().wrong, [""; 0]);
        assert_eq!(self.keys.known().channels.len(), 0, "a channel is left");
        *self.shown.lock().unwrap()
    }
}

/// A session of every command, as a host goes through it that meets what it meets.
fn session(told: fn(&str)) {
    let (record, units) = clip();
    let mut host = Host::new(told);
    host.begin(1, &record);
    for (time, unit) in &units[..2] {
        host.decode(*time, unit);
    }
    host.decode(9, b"nonsense");
    host.decode(9, b"nonsense");
    let body::Empty {} = host.insist(&body::Skip {});
    // Another track, and from its first picture on.
    host.begin(2, &record);
    host.decode(units[0].0, &units[0].1);
    host.flush();
    host.close();
}

/// What comes afterwards has all that it needs.
fn another_session() {
    let (record, units) = clip();
    let mut host = Host::new(|_| ());
    host.begin(3, &record);
    for (time, unit) in &units {
        assert!(host.decode(*time, unit), "{time}");
    }
    host.flush();
    assert_eq!(host.close(), units.len());
}

/// Says to the parent what comes next, past all buffers: after an abort nobody can.
fn say(what: &str) {
    let mut out = std::io::stderr();
    out.write_all(format!("at {what}\n").as_bytes()).unwrap();
}

/// What a child is told: the k to begin with, those to leave out, and whether what follows fails too.
const FROM: &str = "KEYBEARER_TEST_FAILS_FROM";
const BUT: &str = "KEYBEARER_TEST_FAILS_BUT";
const FOR_LONG: &str = "KEYBEARER_TEST_FAILS_FOR_LONG";

/// The child's part: sessions without their k-th allocation, until none fails.
#[test]
fn a_session_that_misses_nothing_is_one() {
    // What is made once in a process is made.
    session(|_| ());
    another_session();
    let Ok(from) = std::env::var(FROM) else {
        return;
    };
    let but = std::env::var(BUT).unwrap();
    let but: Vec<usize> = but
        .split_terminator(',')
        .map(|k| k.parse().unwrap())
        .collect();
    LASTING.set(std::env::var(FOR_LONG).is_ok());
    for k in (from.parse().unwrap()..).filter(|k| !but.contains(k)) {
        say(&format!("allocation {k}"));
        let held = HELD.get();
        FAILED.set(false);
        LEFT.set(Some(k));
        session(say);
        LEFT.set(None);
        assert_eq!(HELD.get(), held, "bytes are left without allocation {k}");
        let failed = FAILED.replace(false);
        another_session();
        assert_eq!(HELD.get(), held, "bytes are left of the session after it");
        if !failed {
            say("end");
            return;
        }
    }
}

/// What became of the sessions of all k.
#[derive(Debug, Default)]
struct Fates {
    /// The commands that were refused, and how often.
    refused: BTreeMap<String, usize>,
    /// The k of which an instance died, and of what command.
    died: BTreeMap<usize, String>,
}

/// Has children go through all k but those.
fn fates(but: &BTreeMap<usize, String>, lasting: bool) -> Fates {
    let mut fates = Fates::default();
    let but: String = but.keys().map(|k| format!("{k},")).collect();
    let mut from = 0;
    loop {
        let mut child = Process::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "a_session_that_misses_nothing_is_one",
            "--nocapture",
        ]);
        child.env(FROM, from.to_string()).env(BUT, &but);
        // To name every function at each abort takes longer than all else.
        child.env("RUST_BACKTRACE", "0");
        if lasting {
            child.env(FOR_LONG, "1");
        }
        let ended = child.output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        let (mut at, mut command) = (from, "");
        for line in said.lines().filter_map(|line| line.strip_prefix("at ")) {
            match line.split_once(' ') {
                Some(("allocation", k)) => at = k.parse().unwrap(),
                Some(("command", name)) => command = name,
                Some(("refused", name)) => *fates.refused.entry(name.to_owned()).or_default() += 1,
                _ => {}
            }
        }
        if ended.status.success() {
            assert!(said.ends_with("at end\n"), "{said}");
            return fates;
        }
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{said}");
        fates.died.insert(at, command.to_owned());
        // The TEE lets another instance begin, as the next child does.
        from = at + 1;
    }
}

/// What a process ends with that aborts (POSIX.1).
const SIGABRT: i32 = 6;

#[test]
fn a_session_that_misses_an_allocation_is_refused_or_dies_alone() {
    let one = fates(&BTreeMap::new(), false);
    // Those that die of one die of more.
    let more = fates(&one.died, true);
    for fates in [&one, &more] {
        for command in ["Attach", "Configure", "Decode", "Flush", "Skip"] {
            assert!(fates.refused.contains_key(command), "{command}: {fates:?}");
        }
        // Parameter sets and pictures are the picture decoder's; all else is the application's own.
        let of_pictures = |name: &String| ["Configure", "Decode", "Flush"].contains(&name.as_str());
        assert!(fates.died.values().all(of_pictures), "{fates:?}");
    }
}

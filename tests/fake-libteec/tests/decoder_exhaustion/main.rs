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

mod host;
mod keys;
mod memory;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command as Process;

use keybearer_wire::decoder::body;
use rustix::process::{Resource, Rlimit, setrlimit};

// What the trusted application asks of the TEE is answered there.
use keybearer_fake_libteec as _;

use host::{Host, clip};
use memory::{FAILED, HELD, LASTING, LEFT};

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
    // It aborts on purpose: nobody wants its memory as a file.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).unwrap();
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

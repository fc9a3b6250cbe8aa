//! Memory that cannot be had: a whole session of the decoder with its k-th allocation failing, for every k.
//!
//! What the application takes itself it takes so that a failure is a status. What is taken inside the
//! picture decoder, by code that has no way to say so, ends the instance, as everywhere an allocation ends a
//! program that does not expect it to fail: the host is told `decoder-failed`, and the key TA and all other
//! sessions go on. In an image neither happens (`decoder_heap.rs`); here it is made to happen.
//!
//! An allocation that fails inside the picture decoder aborts the process, so the sessions run in a child of
//! this test, which says where it is; where one ends, the next child goes on behind it. Whose allocation it
//! was that ended it, another child finds out, which lets it succeed and looks who asks for it.

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
use std::os::unix::process::ExitStatusExt;
use std::process::{Command as Process, Output};

use keybearer_wire::decoder::body;
use rustix::process::{Resource, Rlimit, setrlimit};

// What the trusted application asks of the TEE is answered there.
use keybearer_fake_libteec as _;

use host::{Host, clip};
use memory::{FAILED, FAILS, HELD, LEFT, LOOKS, say};

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

/// What a child is told: the k to begin with, those to leave out, and whether what follows fails too.
const FROM: &str = "KEYBEARER_TEST_FAILS_FROM";
const BUT: &str = "KEYBEARER_TEST_FAILS_BUT";
const FOR_LONG: &str = "KEYBEARER_TEST_FAILS_FOR_LONG";
/// Or else what to look at: each k, and how many fail before the one that is meant.
const LOOK_AT: &str = "KEYBEARER_TEST_LOOKS_AT";

/// The child's part: sessions without their k-th allocation, until none fails.
#[test]
fn a_session_that_misses_nothing_is_one() {
    // What is made once in a process is made.
    session(|_| ());
    another_session();
    if let Ok(these) = std::env::var(LOOK_AT) {
        look_at(&these);
    }
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
    let fails = std::env::var(FOR_LONG).map_or(1, |_| usize::MAX);
    for k in (from.parse().unwrap()..).filter(|k| !but.contains(k)) {
        say(&format!("allocation {k}"));
        let held = HELD.get();
        FAILED.set(false);
        FAILS.set(fails);
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

/// The child's other part: who asks for these.
fn look_at(these: &str) {
    LOOKS.set(true);
    for one in these.split_terminator(',') {
        let (k, fails) = one.split_once('+').unwrap();
        say(&format!("allocation {k}"));
        FAILED.set(false);
        FAILS.set(fails.parse().unwrap());
        LEFT.set(Some(k.parse().unwrap()));
        session(|_| ());
        assert_eq!(LEFT.get(), None, "{one} never came");
    }
}

/// What became of the sessions of all k.
#[derive(Debug, Default)]
struct Fates {
    /// The commands that were refused, and how often.
    refused: BTreeMap<String, usize>,
    /// The k of which an instance died.
    died: BTreeMap<usize, Death>,
}

#[derive(Debug, Default)]
struct Death {
    /// In what command.
    command: String,
    /// How many allocations had failed before, without harm.
    failed: usize,
    /// The source file whose allocation was the last.
    asked: String,
}

/// Runs a child with this environment.
fn child(told: &[(&str, &str)]) -> Output {
    let mut child = Process::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "a_session_that_misses_nothing_is_one",
        "--nocapture",
    ]);
    // To name every function at each abort takes longer than all else.
    child.env("RUST_BACKTRACE", "0");
    child.envs(told.iter().copied()).output().unwrap()
}

/// Has children go through all k but those.
fn fates(but: &BTreeMap<usize, Death>, lasting: bool) -> Fates {
    let mut fates = Fates::default();
    let but: String = but.keys().map(|k| format!("{k},")).collect();
    let mut from = 0;
    loop {
        let begin = from.to_string();
        let told = [(FROM, &*begin), (BUT, &*but), (FOR_LONG, "")];
        let ended = child(&told[..if lasting { 3 } else { 2 }]);
        let said = String::from_utf8(ended.stderr).unwrap();
        let (mut at, mut command, mut failed) = (from, "", 0);
        for line in said.lines().filter_map(|line| line.strip_prefix("at ")) {
            match line.split_once(' ') {
                Some(("allocation", k)) => (at, failed) = (k.parse().unwrap(), 0),
                Some(("command", name)) => command = name,
                Some(("refused", name)) => *fates.refused.entry(name.to_owned()).or_default() += 1,
                _ => failed += usize::from(line == "failure"),
            }
        }
        if ended.status.success() {
            assert!(said.ends_with("at end\n"), "{said}");
            look_at_the_last_of(&mut fates.died);
            return fates;
        }
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{said}");
        let death = Death {
            command: command.to_owned(),
            failed: failed.checked_sub(1).expect("nothing dies of nothing"),
            asked: String::new(),
        };
        fates.died.insert(at, death);
        // The TEE lets another instance begin, as the next child does.
        from = at + 1;
    }
}

/// Has a child find out whose allocation each died of.
fn look_at_the_last_of(died: &mut BTreeMap<usize, Death>) {
    let these: String = died
        .iter()
        .map(|(k, death)| format!("{k}+{},", death.failed))
        .collect();
    let ended = child(&[(LOOK_AT, &these)]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{said}");
    let mut at = None;
    for line in said.lines().filter_map(|line| line.strip_prefix("at ")) {
        match line.split_once(' ') {
            Some(("allocation", k)) => at = died.get_mut(&k.parse().unwrap()),
            Some(("asks", file)) => at.as_mut().unwrap().asked = file.to_owned(),
            _ => {}
        }
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
        for (k, death) in &fates.died {
            let of_pictures = ["Configure", "Decode", "Flush"].contains(&&*death.command);
            let of_the_decoder = death.asked.starts_with("crates/video/src/");
            assert!(of_pictures && of_the_decoder, "{k}: {death:?}");
        }
    }
}

//! Inside the QEMU machine: clients that come and go, ask for as much as there is, or die in the middle
//! of a call. The trusted application outlives them all, and says how long it took.
//!
//! What it promises of every call is the conformance suite's to show, which runs there too.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use keybearer_client::AnchorDigest;
use keybearer_tee::{CallError, TeeError};
use keybearer_tests::bare::Bare;
use keybearer_tests::guest::{Setting, noise, optee, timed};
use keybearer_tests::{post, samples};
use keybearer_wire::Status;
use keybearer_wire::limits::{MAX_SESSIONS, OPTEE_MAX_MEDIA};

/// Tells a run of this program that it is a client about to be killed: `URL ANCHOR`.
const VICTIM: &str = "KEYBEARER_VICTIM";

/// All sessions of the trusted application can be had at once, and no more.
fn assert_all_sessions_free(setting: &Setting) {
    let info = setting.info();
    let open = || Bare::open(&*setting.tee, setting.service.anchor(), &info);
    let held: Vec<Bare> = (0..MAX_SESSIONS)
        .map(|number| match open() {
            Ok(session) => session,
            Err(error) => panic!("session {number}: {error}"),
        })
        .collect();
    assert_refused(open(), Status::TooManySessions);
    drop(held);
}

fn assert_refused<T>(result: Result<T, CallError>, expected: Status) {
    match result {
        Err(CallError::Refused(status)) if status == expected => {}
        Err(other) => panic!("expected {}, found: {other}", expected.name()),
        Ok(_) => panic!("expected {}, found an answer", expected.name()),
    }
}

#[test]
fn three_hundred_sessions_in_turn_leave_it_serving() {
    let setting = Setting::new();
    let info = setting.info();
    for number in 0..300 {
        let open = || Bare::open(&*setting.tee, setting.service.anchor(), &info).unwrap();
        match number % 20 {
            19 => drop(setting.licensed(setting.open().unwrap())),
            10.. => open().close().unwrap(),
            _ => drop(open()),
        }
    }
    assert_all_sessions_free(&setting);
}

#[test]
fn clients_killed_while_they_decrypt_leave_nothing_behind() {
    if let Ok(whom) = env::var(VICTIM) {
        decrypt_for_ever(&whom);
    }
    const SESSIONS: usize = 8;
    let setting = Setting::new();
    let whom = format!(
        "{} {}",
        setting.service.server().url(),
        hex::encode(setting.service.anchor().0)
    );
    // More sessions than there are, if the dead kept theirs.
    let rounds = MAX_SESSIONS / SESSIONS + 2;
    for round in 0..rounds {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "clients_killed_while_they_decrypt_leave_nothing_behind",
            ])
            .arg("--nocapture")
            .env(VICTIM, format!("{whom} {SESSIONS}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert!(
            said.any(|line| line.unwrap().contains("decrypting")),
            "the client ended before it began"
        );
        thread::sleep(Duration::from_millis(20 + 31 * round as u64));
        victim.kill().unwrap();
        let status = victim.wait().unwrap();
        assert!(!status.success(), "it was to be killed, not to end");
    }
    assert_all_sessions_free(&setting);
    let mut session = setting.licensed(setting.open().unwrap());
    assert_eq!(
        session.decrypt(setting.sample(), &mut [0; 100]).unwrap(),
        100
    );
}

/// The client to be killed: some sessions, and one call after another that takes as long as any.
fn decrypt_for_ever(whom: &str) -> ! {
    let parts: Vec<&str> = whom.split(' ').collect();
    let anchor: AnchorDigest = parts[1].parse().unwrap();
    let sample = samples::standard()
        .into_iter()
        .find(|sample| sample.file == "cenc-video.mp4")
        .unwrap();
    let tee = optee();
    let info = post::service_info(parts[0]).unwrap();
    let mut held: Vec<Bare> = (0..parts[2].parse().unwrap())
        .map(|_| Bare::open(&*tee, anchor, &info).unwrap())
        .collect();
    held[0].acquire(parts[0], sample.tracks[0].kid).unwrap();
    let mut data = vec![0; OPTEE_MAX_MEDIA];
    held[0].decrypt(&sample, &mut data).unwrap();
    println!("decrypting");
    loop {
        held[0].decrypt(&sample, &mut data).unwrap();
    }
}

#[test]
fn the_largest_call_equals_software_and_a_larger_one_is_refused() {
    let setting = Setting::new();
    let (mut session, acquiring) = timed(|| setting.licensed(setting.open().unwrap()));
    println!("figure: session, licence request, answer and load: {acquiring:?}");
    let protected = noise(OPTEE_MAX_MEDIA, 11);
    let expected = setting.in_software(&protected);
    for len in [
        1,
        15,
        16,
        17,
        65_535,
        65_536,
        65_537,
        1 << 20,
        OPTEE_MAX_MEDIA,
    ] {
        let mut data = protected[..len].to_vec();
        let (done, first) = timed(|| session.decrypt(setting.sample(), &mut data));
        assert_eq!(done.unwrap(), len as u64);
        println!("figure: decrypt {len} bytes, the first time: {first:?}");
        assert!(data == expected[..len], "{len} bytes");
    }
    for len in [1000, 65_536, 1 << 20, OPTEE_MAX_MEDIA] {
        let mut data = protected[..len].to_vec();
        let ((), eight) = timed(|| {
            for _ in 0..8 {
                session.decrypt(setting.sample(), &mut data).unwrap();
            }
        });
        println!("figure: decrypt {len} bytes: {:?}", eight / 8);
    }
    let beyond = session.decrypt(setting.sample(), &mut vec![0; OPTEE_MAX_MEDIA + 1]);
    assert!(
        matches!(
            beyond,
            Err(CallError::Transport(TeeError::TooLarge {
                what: "media",
                ..
            }))
        ),
        "{beyond:?}"
    );
}

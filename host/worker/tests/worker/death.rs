//! A worker that dies or hangs: an error at once, then another worker.

use std::time::Instant;

use keybearer_tee::{CallError, ClearSession, Media, Tee, TeeError};
use keybearer_tee_soft::{WorkerConfig, WorkerTee};
use keybearer_wire::body::{Describe, DeviceKey};
use rustix::process::Signal;

use crate::support::{
    SOON, clear, connect, decrypt, eventually, gone, program, protected, ready, signal, started,
};

fn is_dead<T: std::fmt::Debug>(answer: &Result<T, CallError>) -> bool {
    matches!(answer, Err(CallError::Transport(TeeError::Dead)))
}

/// A backend whose worker is given up soon.
fn impatient() -> (tempfile::TempDir, WorkerTee) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = WorkerConfig::new(program(), dir.path().join("state"));
    config.deadline = SOON;
    let tee = WorkerTee::start(config).unwrap();
    (dir, tee)
}

#[test]
fn a_killed_worker_is_dead_to_its_sessions_and_another_takes_its_place() {
    let (_dir, tee) = started();
    let (mut first, licensed) = ready(&tee, 21);
    let mut second = connect(&tee);
    let killed = tee.process_id();
    signal(killed, Signal::KILL);

    let begin = Instant::now();
    let mut data = protected(1000);
    let answer = decrypt(&mut first, licensed, Media::InPlace(&mut data));
    assert!(is_dead(&answer), "{answer:?}");
    assert!(gone(killed), "a zombie is left");
    for session in [&mut first, &mut second] {
        let answer = session.exchange(&Describe {});
        assert!(is_dead(&answer), "{answer:?}");
    }
    assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());

    let mut session = connect(&tee);
    assert_ne!(tee.process_id(), killed);
    session.exchange(&Describe {}).unwrap();
    // The old connections stay what they are.
    assert!(is_dead(&first.exchange(&Describe {})));
}

/// What the device is outlives the worker; what it held does not.
#[test]
fn the_next_worker_has_the_identity_and_none_of_the_keys() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 22);
    let service = keybearer_scripted_service::Service::new(22);
    let anchor = service.anchor().0;
    let before = session.exchange(&DeviceKey { anchor }).unwrap();
    signal(tee.process_id(), Signal::KILL);
    eventually("a new connection", || tee.connect().is_ok());
    let mut session = connect(&tee);
    assert_eq!(session.exchange(&DeviceKey { anchor }).unwrap(), before);
    let mut data = protected(1000);
    let refused = decrypt(&mut session, licensed, Media::InPlace(&mut data));
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    assert_eq!(data, protected(1000));
}

#[test]
fn a_worker_killed_during_calls_ends_each_of_them() {
    const THREADS: usize = 8;
    let (_dir, tee) = started();
    for _ in 0..5 {
        let sessions: Vec<ClearSession> = (0..THREADS).map(|_| connect(&tee)).collect();
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for mut session in sessions {
                scope.spawn(move || {
                    while session.exchange(&Describe {}).is_ok() {}
                    assert!(is_dead(&session.exchange(&Describe {})));
                });
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            signal(tee.process_id(), Signal::KILL);
        });
        assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
    }
}

#[test]
fn a_stopped_worker_is_given_up_after_the_deadline_and_killed() {
    let (_dir, tee) = impatient();
    let mut session = connect(&tee);
    let stopped = tee.process_id();
    signal(stopped, Signal::STOP);
    let begin = Instant::now();
    let answer = session.exchange(&Describe {});
    assert!(is_dead(&answer), "{answer:?}");
    let waited = begin.elapsed();
    assert!(waited >= SOON && waited.as_secs() < 8, "{waited:?}");
    assert!(gone(stopped), "it must be gone when the caller hears of it");
    connect(&tee).exchange(&Describe {}).unwrap();
}

/// A worker is not held to have been silent while nobody asked it anything.
#[test]
fn a_stopped_worker_has_the_whole_deadline_also_after_a_rest() {
    let (_dir, tee) = impatient();
    let mut session = connect(&tee);
    std::thread::sleep(2 * SOON);
    signal(tee.process_id(), Signal::STOP);
    let begin = Instant::now();
    assert!(is_dead(&session.exchange(&Describe {})));
    assert!(begin.elapsed() >= SOON, "{:?}", begin.elapsed());
}

/// Leaving one that hangs takes a while once, not for every connection.
#[test]
fn connections_to_a_stopped_worker_can_be_left() {
    let (_dir, tee) = impatient();
    let sessions: Vec<_> = (0..40).map(|_| connect(&tee)).collect();
    let pid = tee.process_id();
    signal(pid, Signal::STOP);
    let begin = Instant::now();
    drop(sessions);
    assert!(begin.elapsed() < 4 * SOON, "{:?}", begin.elapsed());
    signal(pid, Signal::CONT);
    connect(&tee).exchange(&Describe {}).unwrap();
    assert_eq!(tee.process_id(), pid);
}

/// Also where the new connection is what waits.
#[test]
fn connecting_to_a_stopped_worker_gets_another() {
    let (_dir, tee) = impatient();
    let stopped = tee.process_id();
    signal(stopped, Signal::STOP);
    connect(&tee).exchange(&Describe {}).unwrap();
    assert!(gone(stopped));
}

/// Stopping and going on, as a frozen control group or a debugger does it, is not death: the call that
/// was waited in goes on inside the sandbox.
#[test]
fn a_worker_that_was_only_stopped_for_a_while_goes_on() {
    let (_dir, tee) = started();
    let mut session = connect(&tee);
    for _ in 0..3 {
        signal(tee.process_id(), Signal::STOP);
        std::thread::sleep(std::time::Duration::from_millis(50));
        signal(tee.process_id(), Signal::CONT);
        session.exchange(&Describe {}).unwrap();
    }
}

#[test]
fn a_worker_outlives_the_thread_that_started_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let tee = std::thread::spawn(move || crate::support::start(&state).unwrap())
        .join()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    connect(&tee).exchange(&Describe {}).unwrap();
}

#[test]
fn a_worker_ends_with_its_backend_and_sessions_and_frees_the_state() {
    let (dir, tee) = started();
    let pid = tee.process_id();
    let mut session = connect(&tee);
    drop(tee);
    session.exchange(&Describe {}).unwrap();
    drop(session);
    assert!(gone(pid));
    crate::support::start(&dir.path().join("state")).unwrap();
}

/// A signal from the terminal is for the application: its worker is in another process group.
#[test]
fn a_signal_to_the_applications_group_does_not_reach_the_worker() {
    let (_dir, tee) = started();
    let pid = rustix::process::Pid::from_raw(tee.process_id().cast_signed()).unwrap();
    assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
    assert_ne!(rustix::process::getpgrp(), pid);
}

/// Media that was with a worker when it died is left as it is: some of it may be clear already.
#[test]
fn memory_outlives_the_worker_it_was_shared_with() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 23);
    let mut memory = session.shared_memory(5000).unwrap().unwrap();
    memory.bytes_mut().copy_from_slice(&protected(5000));
    signal(tee.process_id(), Signal::KILL);
    let answer = decrypt(&mut session, licensed, Media::InPlace(memory.bytes_mut()));
    assert!(is_dead(&answer), "{answer:?}");
    drop(session);
    assert_eq!(memory.bytes(), protected(5000));

    // And the next worker takes it as the first did.
    let (mut session, licensed) = ready(&tee, 24);
    let answer = decrypt(&mut session, licensed, Media::InPlace(memory.bytes_mut()));
    assert_eq!(answer.unwrap(), 5000);
    assert_eq!(memory.bytes(), clear(5000));
}

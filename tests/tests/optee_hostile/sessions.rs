//! How many clients there may be, and what a thousand of them leave behind: nothing.

use std::process::Command;

use keybearer_tests::bare::Bare;
use keybearer_tests::guest::{Setting, noise, rounds};
use keybearer_wire::limits::MAX_SESSIONS;

#[test]
fn all_sessions_serve_at_once_and_one_more_is_refused() {
    let setting = Setting::new();
    let protected = noise(1000, 9);
    let expected = setting.in_software(&protected);
    let open = || setting.open().unwrap();
    let mut held: Vec<Bare> = (0..MAX_SESSIONS)
        .map(|_| setting.licensed(open()))
        .collect();
    setting.assert_too_many_sessions();
    for (number, session) in held.iter_mut().enumerate() {
        let mut data = protected.clone();
        let done = session.decrypt(setting.sample(), &mut data);
        assert_eq!(done.unwrap(), 1000, "session {number}");
        assert!(data == expected, "session {number} decrypts wrongly");
    }
    // A refused one has cost nobody anything, and one that ends makes room.
    held.pop();
    drop(open());
}

#[test]
fn sessions_in_turn_leave_it_as_it_was() {
    let setting = Setting::new();
    let info = setting.info();
    let open = || Bare::open(&*setting.tee, setting.service.anchor(), &info).unwrap();
    let before = heap_of_optee();
    let rounds = rounds(60, 1000);
    for number in 0..rounds {
        match number % 50 {
            49 => drop(setting.licensed(setting.open().unwrap())),
            25.. => open().close().unwrap(),
            _ => drop(open()),
        }
    }
    let after = heap_of_optee();
    println!(
        "figure: {rounds} sessions in turn; heap of OP-TEE in bytes: {before} before, {after} after"
    );
    assert_eq!(after, before, "sessions have left something");
    // And in the trusted application, whose own heap nobody outside can ask for: as much fits as ever.
    setting.assert_all_sessions_free();
    setting.assert_serving();
}

/// Bytes that OP-TEE itself has allocated, for sessions and shared memory of all clients.
fn heap_of_optee() -> usize {
    let told = Command::new("xtest").args(["--stats", "--alloc"]).output();
    let told = String::from_utf8(told.unwrap().stdout).unwrap();
    let mut lines = told.lines().skip_while(|line| {
        let pool = line.strip_prefix("Pool:");
        pool.is_none_or(|name| name.trim() != "Heap")
    });
    let allocated = lines
        .nth(1)
        .and_then(|line| line.strip_prefix("Bytes allocated:"));
    allocated.expect("OP-TEE tells it").trim().parse().unwrap()
}

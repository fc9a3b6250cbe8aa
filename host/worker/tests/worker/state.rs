//! The state directory, as its host sees it through the worker.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use keybearer_scripted_service::Service;
use keybearer_tee::{CallError, Tee};
use keybearer_tee_soft::{SoftConfig, SoftError, SoftTee, WorkerConfig, WorkerProgram, WorkerTee};
use keybearer_wire::Status;
use keybearer_wire::body::{BeginProvisioning, DeviceKey, EraseIdentity, TokenKind};
use keybearer_wire::field::{Blob, Text};
use rustix::process::{Resource, Rlimit, Signal};

use crate::support::{connect, eventually, provision, signal, start, started};

#[test]
fn a_directory_in_use_is_said() {
    let (dir, tee) = started();
    let state = dir.path().join("state");
    let refused = start(&state).unwrap_err();
    assert!(matches!(&refused, SoftError::InUse { path } if *path == state));
    let refused = SoftTee::open(SoftConfig::new(&state)).unwrap_err();
    assert!(matches!(refused, SoftError::InUse { .. }), "{refused}");
    drop(tee);
    start(&state).unwrap();
}

#[test]
fn a_directory_others_can_read_is_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let refused = start(dir.path()).unwrap_err();
    assert!(
        matches!(refused, SoftError::Permissions { mode: 0o755, .. }),
        "{refused}"
    );
}

#[test]
fn damage_and_paths_that_cannot_be_are_said() {
    let (dir, tee) = started();
    drop(tee);
    let state = dir.path().join("state");
    fs::write(state.join("vault"), b"something else").unwrap();
    let refused = start(&state).unwrap_err();
    assert!(matches!(refused, SoftError::Damaged { .. }), "{refused}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = start(file.path()).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, SoftError::Io { .. }), "{text}");
    assert!(text.contains(file.path().to_str().unwrap()), "{text}");
    assert!(text.contains("exists"), "the system's reason: {text}");
}

/// The worker runs elsewhere; the directory is meant as the application sees it.
#[test]
fn a_relative_directory_is_the_applications() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let name = dir.path().file_name().unwrap();
    let relative = std::path::Path::new(name).join("state");
    let _tee = start(&relative).unwrap();
    assert!(dir.path().join("state/vault").exists());
}

#[test]
fn programs_that_are_no_workers_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let begin = |path: &str, deadline| {
        let program = WorkerProgram::at(path);
        let mut config = WorkerConfig::new(program, dir.path().join("state"));
        config.deadline = deadline;
        WorkerTee::start(config).unwrap_err()
    };
    let missing = begin("/nonexistent/worker", Duration::from_secs(5));
    assert!(matches!(missing, SoftError::Spawn { .. }), "{missing}");
    let ends = begin("/bin/true", Duration::from_secs(5)).to_string();
    assert!(ends.contains("it said nothing"), "{ends}");
    assert!(ends.contains("exit status: 0"), "{ends}");
    let waits = begin("/bin/cat", Duration::from_millis(300)).to_string();
    assert!(
        waits.contains("in time") || waits.contains("nothing"),
        "{waits}"
    );
    assert!(!dir.path().join("state").exists());
}

/// A full disk, as a limit on the size of files plays it: the device stays as it was, and goes on when
/// there is room again.
#[test]
fn a_write_that_finds_no_room_changes_nothing() {
    let (dir, tee) = started();
    let mut session = connect(&tee);
    let mut service = Service::new(51);
    provision(&mut session, &mut service);
    let anchor = service.anchor().0;
    let before = session.exchange(&DeviceKey { anchor }).unwrap();

    let pid = rustix::process::Pid::from_raw(tee.process_id().cast_signed());
    let limit = |bytes| {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        rustix::process::prlimit(pid, Resource::Fsize, limit).unwrap();
    };
    let mut other = Service::new(54);
    for bytes in [0, 10, 1000] {
        limit(Some(bytes));
        let info = other.info();
        let refused = session.exchange(&BeginProvisioning {
            anchor: other.anchor().0,
            service_info: Blob(&info),
            token_kind: TokenKind::Enrollment,
            token: Blob(b"token"),
            model: Text("Model X"),
        });
        assert!(
            matches!(refused, Err(CallError::Refused(Status::Platform))),
            "{bytes}: {refused:?}"
        );
        assert_eq!(session.exchange(&DeviceKey { anchor }).unwrap(), before);
    }
    // An identity that could not be erased is still there for the next worker.
    assert!(session.exchange(&EraseIdentity { anchor }).is_err());
    limit(None);
    drop(session);
    drop(tee);
    let tee = start(&dir.path().join("state")).unwrap();
    let mut session = connect(&tee);
    assert_eq!(session.exchange(&DeviceKey { anchor }).unwrap(), before);
    provision(&mut session, &mut other);
    session.exchange(&EraseIdentity { anchor }).unwrap();
}

/// Killed at any moment while it writes, the next worker finds the identity or none, never half of
/// one, and can go on.
#[test]
fn a_worker_killed_while_it_writes_leaves_a_whole_state() {
    let (_dir, tee) = started();
    let mut service = Service::new(52);
    let anchor = service.anchor().0;
    for round in 0..40_u64 {
        let (mut session, pid) = (connect(&tee), tee.process_id());
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(round * 150));
            signal(pid, Signal::KILL);
        });
        let info = service.info();
        while session
            .exchange(&BeginProvisioning {
                anchor,
                service_info: Blob(&info),
                token_kind: TokenKind::Enrollment,
                token: Blob(b"token"),
                model: Text("Model X"),
            })
            .is_ok()
            && session.exchange(&EraseIdentity { anchor }).is_ok()
        {}
        killer.join().unwrap();
        eventually("another worker", || tee.connect().is_ok());
        let key = connect(&tee).exchange(&DeviceKey { anchor });
        assert!(
            matches!(key, Ok(_) | Err(CallError::Refused(Status::NotProvisioned))),
            "round {round}: {key:?}"
        );
    }
    provision(&mut connect(&tee), &mut service);
}

#[test]
fn nothing_can_be_opened_after_the_start_and_yet_all_is_kept() {
    let (dir, tee) = started();
    let mut service = Service::new(53);
    provision(&mut connect(&tee), &mut service);
    let state = dir.path().join("state");
    let mut names: Vec<_> = fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["lock", "vault"]);
    for name in names {
        let mode = fs::metadata(state.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

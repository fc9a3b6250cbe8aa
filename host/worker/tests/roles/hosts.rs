//! Hosts: one that dies and takes its worker along, one that may not look into it, one that leaks
//! nothing.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use keybearer_tee::{CallError, Tee, TeeError};
use keybearer_tee_soft::{WorkerConfig, WorkerProgram, WorkerTee};
use keybearer_wire::body::Describe;
use rustix::process::Signal;

use crate::Test;
use crate::support::{connect, eventually, gone, proc, signal, started, status_of};

pub(crate) const TESTS: &[Test] = &[
    ("a_worker_dies_with_its_host", a_worker_dies_with_its_host),
    (
        "a_stopped_worker_dies_with_its_host",
        a_stopped_worker_dies_with_its_host,
    ),
    (
        "a_workers_memory_cannot_be_read_by_others_of_its_user",
        memory_cannot_be_read,
    ),
    ("no_descriptor_and_no_process_is_left", nothing_is_left),
    (
        "this_very_program_can_be_the_worker",
        this_program_can_be_the_worker,
    ),
    (
        "a_worker_by_hand_says_what_it_is",
        a_worker_by_hand_says_what_it_is,
    ),
];

/// A host in a process of its own, and the id of its worker.
fn host() -> (tempfile::TempDir, Child, u32) {
    let dir = tempfile::tempdir().unwrap();
    let mut host = Command::new(std::env::current_exe().unwrap())
        .arg("--role=host.idle")
        .arg(env!("CARGO_BIN_EXE_keybearer-worker"))
        .arg(dir.path().join("state"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(host.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    (dir, host, line.trim().parse().unwrap())
}

fn a_worker_dies_with_its_host() {
    let (_dir, mut host, worker) = host();
    assert!(!gone(worker));
    host.kill().unwrap();
    host.wait().unwrap();
    eventually("the worker is gone", || ended(worker));
}

fn a_stopped_worker_dies_with_its_host() {
    let (_dir, mut host, worker) = host();
    signal(worker, Signal::STOP);
    host.kill().unwrap();
    host.wait().unwrap();
    eventually("the worker is gone", || ended(worker));
}

/// Gone, or left to an init that reaps nothing.
fn ended(pid: u32) -> bool {
    status_of(pid, "State").is_none_or(|state| state.starts_with('Z'))
}

/// Another process of the same user, which is not root, reads an ordinary child of its own but not
/// its worker.
fn memory_cannot_be_read() {
    const NOBODY: u32 = 65_534;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // Where that user can execute them.
    let roles = dir.path().join("roles");
    let worker = dir.path().join("keybearer-worker");
    fs::copy(std::env::current_exe().unwrap(), &roles).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_keybearer-worker"), &worker).unwrap();
    let mut spy = Command::new(&roles);
    spy.arg("--role=host.spy")
        .arg(&worker)
        .arg(dir.path().join("state"));
    if rustix::process::getuid().is_root() {
        spy.uid(NOBODY).gid(NOBODY);
    }
    let said = spy.output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{text}");
}

fn nothing_is_left() {
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let children = || {
        let mut found = 0;
        for task in fs::read_dir("/proc/self/task").unwrap() {
            let list = fs::read_to_string(task.unwrap().path().join("children"));
            found += list.unwrap_or_default().split_whitespace().count();
        }
        found
    };
    // What is opened once stays.
    drop(started());
    let before = (open(), children());
    for round in 0..4 {
        let (_dir, tee) = started();
        let mut sessions: Vec<_> = (0..4).map(|_| connect(&tee)).collect();
        let memory = sessions[0].shared_memory(100_000).unwrap().unwrap();
        if round % 2 == 1 {
            signal(tee.process_id(), Signal::KILL);
            let dead = sessions[1].exchange(&Describe {});
            assert!(matches!(dead, Err(CallError::Transport(TeeError::Dead))));
            sessions.push(connect(&tee));
        }
        drop(tee);
        drop(sessions);
        drop(memory);
    }
    eventually("the threads that waited are gone", || {
        (open(), children()) == before
    });
}

fn this_program_can_be_the_worker() {
    let dir = tempfile::tempdir().unwrap();
    let program = WorkerProgram::this("--role=host.worker");
    let tee = WorkerTee::start(WorkerConfig::new(program, dir.path().join("state"))).unwrap();
    let said = connect(&tee).exchange(&Describe {}).unwrap().isolation;
    assert_eq!(said, keybearer_wire::body::Isolation::Worker);
}

fn a_worker_by_hand_says_what_it_is() {
    for input in [Stdio::null(), Stdio::piped()] {
        let output = Command::new(env!("CARGO_BIN_EXE_keybearer-worker"))
            .stdin(input)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("started by programs"), "{said}");
    }
}

pub(crate) fn play(role: &str, arguments: &[String]) -> ExitCode {
    if role == "worker" {
        return keybearer_worker::run();
    }
    let [worker, state] = arguments else {
        panic!("worker and state directory")
    };
    let config = WorkerConfig::new(WorkerProgram::at(worker), Path::new(state));
    let tee = WorkerTee::start(config).unwrap();
    match role {
        "idle" => {
            println!("{}", tee.process_id());
            // Until it is killed.
            let _ = std::io::stdin().read(&mut [0; 1]);
            loop {
                std::thread::park();
            }
        }
        "spy" => {
            let mut ordinary = Command::new("/bin/sleep").arg("60").spawn().unwrap();
            let readable = read_memory(ordinary.id());
            ordinary.kill().unwrap();
            ordinary.wait().unwrap();
            assert!(
                readable,
                "this system lets nobody read memory: nothing is shown"
            );
            assert!(
                !read_memory(tee.process_id()),
                "the worker's memory was read"
            );
            drop(tee.connect().unwrap());
            assert!(
                !read_memory(tee.process_id()),
                "the worker's memory was read"
            );
        }
        other => panic!("no host {other}"),
    }
    ExitCode::SUCCESS
}

/// Reads the first bytes of a process, wherever they are.
fn read_memory(pid: u32) -> bool {
    let Ok(maps) = fs::read_to_string(proc(pid, "maps")) else {
        return false;
    };
    let Some((begin, _)) = maps.split_once('-') else {
        return false;
    };
    let begin = u64::from_str_radix(begin, 16).unwrap();
    let memory = fs::File::open(proc(pid, "mem"));
    memory.is_ok_and(|memory| memory.read_exact_at(&mut [0; 16], begin).is_ok())
}

//! The sandbox itself: what is forbidden kills, and only because the sandbox is closed.

use std::fs::File;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};

use rustix::net::{AddressFamily, SocketType};

use crate::Test;

pub(crate) const TESTS: &[Test] = &[
    ("opening_a_file_kills", || tries("file")),
    ("making_a_socket_kills", || tries("socket")),
    ("connecting_kills", || tries("connect")),
    ("executing_kills", || tries("execute")),
    ("starting_a_thread_kills", || tries("thread")),
    ("signalling_kills", || tries("signal")),
    ("changing_a_descriptors_flags_kills", || tries("flags")),
    ("what_a_worker_needs_is_left", what_a_worker_needs_is_left),
];

/// The same deed twice: inside the sandbox it is the end, outside it is done.
fn tries(deed: &str) {
    let inside = run(deed, "inside");
    assert_eq!(inside.signal(), Some(libc::SIGSYS), "{deed}: {inside}");
    assert!(!inside.core_dumped());
    let outside = run(deed, "outside");
    assert!(outside.success(), "{deed} without the sandbox: {outside}");
}

fn what_a_worker_needs_is_left() {
    let status = run("nothing", "inside");
    assert!(status.success(), "{status}");
}

fn run(deed: &str, place: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .arg(format!("--role=prisoner.{deed}.{place}"))
        .status()
        .unwrap()
}

pub(crate) fn play(role: &str) -> ExitCode {
    let (deed, place) = role.split_once('.').unwrap();
    // What only looks up or allocates at first use is not the deed.
    let (one, other) = keybearer_tee_soft::socket::Socket::pair().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    if place == "inside" {
        keybearer_worker::sandbox::close().unwrap();
    }
    match deed {
        "file" => drop(File::open("/dev/null").unwrap()),
        "socket" => {
            drop(rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap());
        }
        "connect" => drop(TcpStream::connect(address).unwrap()),
        "execute" => assert!(Command::new("/bin/true").status().unwrap().success()),
        "thread" => std::thread::spawn(|| ()).join().unwrap(),
        "signal" => rustix::process::test_kill_process(rustix::process::getpid()).unwrap(),
        "flags" => rustix::io::fcntl_setfd(one.as_fd(), rustix::io::FdFlags::empty()).unwrap(),
        "nothing" => {
            let mut room = [0; 10];
            assert!(!other.is_ready());
            std::thread::yield_now();
            one.send(b"hello").unwrap();
            assert!(other.is_ready());
            assert_eq!(other.receive(&mut room).unwrap(), Some(&b"hello"[..]));
            let large = vec![1_u8; 8 << 20];
            assert!(large.iter().all(|byte| *byte == 1));
            drop(large);
        }
        other => panic!("no deed {other}"),
    }
    ExitCode::SUCCESS
}

//! Runs that a signal ends.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::decrypt::VIDEO;
use crate::run::{command, names, sample};

/// Bytes of a box at the start of `file`.
fn first_box(file: &[u8]) -> usize {
    u32::from_be_bytes(file[..4].try_into().unwrap()) as usize
}

/// A run whose input comes through a pipe, and stops coming.
struct Piped {
    folder: tempfile::TempDir,
    child: Option<std::process::Child>,
    pipe: fs::File,
}

impl Piped {
    /// Starts `decrypt` and waits until it listens to signals.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        assert!(
            Command::new("mkfifo")
                .arg(&input)
                .status()
                .unwrap()
                .success()
        );
        let outputs = folder.path().join("out");
        fs::create_dir(&outputs).unwrap();
        // Whoever runs the tests may have hang-ups ignored, which programs inherit and this one honours.
        let program = command();
        let mut listening = Command::new("env");
        listening
            .arg("--default-signal=HUP")
            .arg(program.get_program());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => listening.env(name, value),
                None => listening.env_remove(name),
            };
        }
        let child = listening
            .stdin(Stdio::null())
            .args(["decrypt", "--unchecked", "--key", VIDEO, "-o"])
            .args([&outputs.join("out.mp4"), &input])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = fs::OpenOptions::new().write(true).open(&input).unwrap();
        let path = format!("/proc/{}/status", child.id());
        // SIGTERM and SIGHUP are caught, each in its place of the mask.
        let wanted = 1 << 14 | 1;
        let caught = || {
            let status = fs::read_to_string(&path).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
        };
        let begin = Instant::now();
        while caught() & wanted != wanted {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "it does not listen"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let child = Some(child);
        Self {
            folder,
            child,
            pipe,
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }

    fn outputs(&self) -> Vec<String> {
        names(&self.folder.path().join("out"))
    }

    /// Feeds the pipe until the run ends: with exit code 130 and without a file.
    fn ends(mut self, more: &[u8]) -> String {
        let mut child = self.child.take().unwrap();
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(60), "it goes on");
            // Once the reader has gone there is nothing more to feed.
            let _ = self.pipe.write_all(more);
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(self.outputs(), [""; 0]);
        String::from_utf8(output.stderr).unwrap()
    }
}

/// What stands before the first fragment of a file, and that fragment.
fn beginning(file: &str) -> (Vec<u8>, Vec<u8>) {
    let file = fs::read(sample(file)).unwrap();
    let moof = file
        .windows(4)
        .position(|window| window == b"moof")
        .unwrap()
        - 4;
    let fragment = &file[moof..];
    let size = first_box(fragment) + first_box(&fragment[first_box(fragment)..]);
    (file[..moof].to_vec(), fragment[..size].to_vec())
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    // A clear file has no batch to stop at, and stops all the same.
    for (signal, file) in [
        ("-TERM", "cenc-video.mp4"),
        ("-INT", "clear-video.mp4"),
        ("-HUP", "cenc-video.mp4"),
        ("-HUP", "clear-video.mp4"),
    ] {
        let (init, fragment) = beginning(file);
        let mut run = Piped::start();
        // The beginning and the first fragment, then that fragment again and again.
        run.pipe.write_all(&init).unwrap();
        run.pipe.write_all(&fragment).unwrap();
        run.signal(signal);
        let said = run.ends(&fragment);
        assert!(said.contains("interrupted"), "{signal} {file}: {said}");
    }
}

#[test]
fn a_second_signal_ends_a_run_that_waits_and_still_leaves_nothing() {
    let (init, fragment) = beginning("cenc-video.mp4");
    let mut run = Piped::start();
    run.pipe.write_all(&init).unwrap();
    run.pipe.write_all(&fragment).unwrap();
    let begin = Instant::now();
    while run.outputs().is_empty() {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "nothing is written"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    // It waits for input that does not come, so one signal cannot end it.
    run.signal("-INT");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(run.outputs().len(), 1);
    run.signal("-INT");
    run.ends(&[]);
}

/// A service that takes every connection and never says a word.
#[test]
fn a_signal_ends_a_wait_for_a_service_at_once() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", service.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path().join("out");
    fs::create_dir(&outputs).unwrap();
    let (token, output) = (folder.path().join("token"), outputs.join("out.mp4"));
    fs::write(&token, "once").unwrap();
    let (token, output) = (token.to_str().unwrap(), output.to_str().unwrap());
    let input = sample("cenc-video.mp4");
    let play = ["play", input.to_str().unwrap(), "-o", output];
    let provision = ["provision", "--token-file", token];
    for arguments in [&play[..], &provision] {
        let child = command()
            .args(arguments)
            .args(["--server", &url, "--anchor", &"ab".repeat(32)])
            .args(["--state", folder.path().join("state").to_str().unwrap()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its request is under way once somebody has connected.
        let connection = service.accept().unwrap();
        let start = Instant::now();
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        let ended = child.wait_with_output().unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(ended.status.code(), Some(130));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains("interrupted"), "{said}");
        drop(connection);
    }
    assert_eq!(names(&outputs), [""; 0]);
}

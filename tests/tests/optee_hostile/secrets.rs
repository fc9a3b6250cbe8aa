//! What stands in the client's process, its core file, what it says and the kernel's log: never a
//! content key, and at High no content either.
//!
//! As `tests/attacks` shows it for software mode, and with its scanner: at Medium no key is found, and
//! the clear samples, which that level gives to the host, are; at High neither. With the core in the
//! client's own process, in this very machine, the scanner finds both. OP-TEE's own console is outside
//! the machine, where `tests/qemu/run` looks through it for the same pieces.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use keybearer_client::ProvisionToken;
use keybearer_tests::guest::{Setting, rounds};
use keybearer_tests::payloads::media_data;
use keybearer_tests::scan::{Pieces, in_process, stop_holding};
use keybearer_tests::service::paths;
use rustix::process::{Pid, Signal, kill_process};

/// How far apart the looks at the process are.
const INTERVAL: Duration = Duration::from_millis(10);

/// How often it is looked at.
fn scans() -> usize {
    rounds(5, 25)
}

#[test]
fn at_medium_no_key_is_in_the_client_its_core_file_or_the_logs() {
    let [keys, content] = play("optee", [false, true]);
    assert_eq!(keys, NOWHERE, "keys");
    // The host gets what it asked for, and the scanner would have found a key.
    assert!(content.in_memory > 0 && content.in_core_file > 0);
    assert_eq!(content.in_logs, 0, "content in the logs");
}

#[test]
fn in_process_the_same_scanner_finds_the_keys_and_the_content() {
    for found in play("in-process", [true; 2]) {
        assert!(found.in_memory > 0, "nothing in any look");
        assert!(found.in_core_file > 0, "nothing in the core file");
        assert_eq!(found.in_logs, 0);
    }
}

/// In how many looks something was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    in_memory: usize,
    in_core_file: usize,
    in_logs: usize,
}

pub(crate) const NOWHERE: Seen = Seen {
    in_memory: 0,
    in_core_file: 0,
    in_logs: 0,
};

/// What is seen of the keys and of the clear samples while a device plays a file, which must hold those
/// that are `held` when it crashes.
fn play(backend: &str, held: [bool; 2]) -> [Seen; 2] {
    let setting = Setting::new();
    let (protected, clear) = paths(setting.sample());
    let media = |path: &Path| media_data(&fs::read(path).unwrap());
    let content = Pieces::of_content(&media(&clear), &media(&protected));
    assert!(content.len() > 100, "{} pieces of content", content.len());
    let token = match (backend, setting.service.enrollment_token()) {
        // Its trusted side is provisioned already.
        ("optee", _) => String::new(),
        (_, ProvisionToken::Enrollment(token)) => String::from_utf8(token).unwrap(),
        _ => unreachable!("it is what was asked for"),
    };
    let folder = setting.folder.path();
    let mut command = device(folder, &env::var("KEYBEARER_DEVICE").unwrap());
    command
        .arg(backend)
        .arg(folder.join("state"))
        .arg(setting.service.server().url())
        .arg(setting.service.anchor().to_string())
        .arg(token)
        .arg(protected)
        .arg(folder.join("clear.mp4"));
    let device = Device::start(command, folder, "playing");
    let log = fs::read_to_string(folder.join("log")).unwrap();
    assert!(log.contains(backend), "another backend: {log}");
    device.watch([&Pieces::of_sample(setting.sample()), &content], held)
}

/// A program that leaves a core file in `folder` when it crashes.
pub(crate) fn device(folder: &Path, program: &str) -> Command {
    // The kernel writes it into the folder that the program runs in.
    fs::write("/proc/sys/kernel/core_pattern", "core").unwrap();
    fs::write("/proc/sys/kernel/core_uses_pid", "0").unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", program])
        .current_dir(folder);
    command
}

/// The process that plays, again and again.
pub(crate) struct Device {
    process: Child,
    said: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Device {
    /// Starts it, and comes back when it says that it plays.
    pub(crate) fn start(mut command: Command, folder: &Path, playing: &str) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(playing) {
            line.clear();
            let read = said.read_line(&mut line).unwrap();
            let log = fs::read_to_string(folder.join("log")).unwrap();
            assert!(read > 0, "it never played: {log}");
        }
        Self {
            process,
            said,
            folder: folder.to_path_buf(),
        }
    }

    /// Looks for both kinds of pieces while it plays, has it crash while it holds those that are `held`,
    /// and looks through what is left. What it holds when it stands still counts as seen in its memory:
    /// no look while it plays need have met the moment.
    pub(crate) fn watch(mut self, wanted: [&Pieces; 2], held: [bool; 2]) -> [Seen; 2] {
        let mut seen = <[Seen; 2]>::default();
        let mut add = |shown: [bool; 2]| {
            for (shown, seen) in shown.into_iter().zip(&mut seen) {
                seen.in_memory += usize::from(shown);
            }
        };
        for _ in 0..scans() {
            add(in_process(self.process.id(), wanted).unwrap());
            thread::sleep(INTERVAL);
        }
        add(stop_holding(&self.process, wanted, held).unwrap());
        let (core, said) = self.crash();
        let kernel = Command::new("dmesg").output().unwrap().stdout;
        assert!(!kernel.is_empty(), "the kernel has a log");
        for (pieces, seen) in wanted.iter().zip(&mut seen) {
            seen.in_core_file = pieces.count(&core);
            let logs = [&said[0], &said[1], &kernel];
            seen.in_logs = logs.into_iter().map(|log| pieces.count(log)).sum();
        }
        seen
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Has it crash as it stands, and gives its core file and what it wrote.
    fn crash(&mut self) -> (Vec<u8>, [Vec<u8>; 2]) {
        self.signal(Signal::ABORT);
        self.signal(Signal::CONT);
        assert!(!self.process.wait().unwrap().success());
        let mut rest = Vec::new();
        self.said.read_to_end(&mut rest).unwrap();
        let read = |name: &str| fs::read(Path::new(&self.folder).join(name)).unwrap();
        let core = read("core");
        assert!(core.starts_with(b"\x7fELF"), "that is no core file");
        assert!(
            core.len() > 1_000_000,
            "a core file of {} bytes",
            core.len()
        );
        (core, [read("log"), rest])
    }
}

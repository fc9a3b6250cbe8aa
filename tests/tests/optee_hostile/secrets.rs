//! Content keys never stand in the client's process, its core file, what it says or the kernel's log.
//!
//! As `tests/attacks` shows it for software mode, and with its scanner: at Medium nothing is found, and
//! with the core in the client's own process, in this very machine, the scanner finds what is there.
//! OP-TEE's own console is outside the machine, where `tests/qemu/run` looks through it.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use keybearer_client::ProvisionToken;
use keybearer_tests::guest::Setting;
use keybearer_tests::scan::Keys;
use keybearer_tests::service::paths;
use rustix::process::{Pid, Signal, kill_process};

/// How often the process is looked at, and how far apart.
const SCANS: usize = 25;
const INTERVAL: Duration = Duration::from_millis(10);

#[test]
fn at_medium_no_key_is_in_the_client_its_core_file_or_the_logs() {
    let seen = watch("optee");
    assert_eq!(seen.in_memory, 0, "keys in the client's memory");
    assert_eq!(seen.in_core_file, 0, "keys in its core file");
    assert_eq!(seen.in_logs, 0, "keys in its logs or the kernel's");
}

#[test]
fn in_process_the_same_scanner_finds_the_keys() {
    let seen = watch("in-process");
    assert!(seen.in_memory > 0, "no keys in {SCANS} scans");
    assert!(seen.in_core_file > 0, "no keys in the core file");
    assert_eq!(seen.in_logs, 0);
}

/// In how many looks a key was seen.
struct Seen {
    in_memory: usize,
    in_core_file: usize,
    in_logs: usize,
}

fn watch(backend: &str) -> Seen {
    let setting = Setting::new();
    let keys = Keys::of(setting.sample());
    let mut device = Device::start(backend, &setting);
    let mut in_memory = 0;
    for _ in 0..SCANS {
        in_memory += usize::from(device.shows(&keys));
        thread::sleep(INTERVAL);
    }
    let (core, said) = device.crash(&keys);
    let kernel = Command::new("dmesg").output().unwrap().stdout;
    assert!(!kernel.is_empty(), "the kernel has a log");
    let logs = [&said[0], &said[1], &kernel];
    Seen {
        in_memory,
        in_core_file: keys.count(&core),
        in_logs: logs.into_iter().map(|log| keys.count(log)).sum(),
    }
}

/// The process that plays, again and again.
struct Device {
    process: Child,
    said: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Device {
    fn start(backend: &str, setting: &Setting) -> Self {
        let folder = setting.folder.path().to_path_buf();
        // The kernel writes the core file into the folder that the program runs in.
        fs::write("/proc/sys/kernel/core_pattern", "core").unwrap();
        fs::write("/proc/sys/kernel/core_uses_pid", "0").unwrap();
        let token = match (backend, setting.service.enrollment_token()) {
            // Its trusted side is provisioned already.
            ("optee", _) => String::new(),
            (_, ProvisionToken::Enrollment(token)) => String::from_utf8(token).unwrap(),
            _ => unreachable!("it is what was asked for"),
        };
        let device = env::var_os("KEYBEARER_DEVICE").unwrap();
        let mut process = Command::new("sh")
            .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""])
            .arg(device)
            .arg(backend)
            .arg(folder.join("state"))
            .arg(setting.service.server().url())
            .arg(setting.service.anchor().to_string())
            .arg(token)
            .arg(paths(setting.sample()).0)
            .arg(folder.join("clear.mp4"))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let log = fs::read_to_string(folder.join("log")).unwrap();
        assert_eq!(line, "playing\n", "{log}");
        assert!(log.contains(backend), "another backend: {log}");
        Self {
            process,
            said,
            folder,
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Whether it holds a key now.
    fn shows(&self, keys: &Keys) -> bool {
        keys.are_in_process(self.process.id()).unwrap()
    }

    /// Has it crash, while it holds a key if it ever does, and gives its core file and what it wrote.
    fn crash(&mut self, keys: &Keys) -> (Vec<u8>, [Vec<u8>; 2]) {
        // A process that stands still cannot end its session between the look and the crash.
        for _ in 0..SCANS {
            self.signal(Signal::STOP);
            if self.shows(keys) {
                break;
            }
            self.signal(Signal::CONT);
            thread::sleep(INTERVAL);
        }
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

//! Content keys never stand in the client's process, its core file, its logs or its sockets.
//!
//! The keys are canaries that the service was given. A device plays a file in a process of its own,
//! which is scanned as it plays. The same scanner must find the keys where the core runs in the
//! client's process, or it proves nothing.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use keybearer_client::ProvisionToken;
use keybearer_tests::proxy::Proxy;
use keybearer_tests::samples::{self, Sample};
use keybearer_tests::scan::{Pieces, in_process, stop_holding};
use keybearer_tests::service::{Service, paths};
use rustix::process::{Pid, Signal, kill_process};

/// How long the device is looked at, and how often at least it must have been.
const TIME: Duration = Duration::from_secs(2);
const SCANS: usize = 20;
/// Scans are this far apart: 100 a second, as far as one takes less.
const INTERVAL: Duration = Duration::from_millis(10);

#[test]
fn with_a_worker_no_key_is_in_the_client_its_core_file_logs_or_sockets() {
    let seen = watch("worker");
    assert_eq!(seen.in_memory, 0, "keys in the client's memory");
    assert_eq!(seen.in_core_file, 0, "keys in its core file");
    assert_eq!(seen.in_logs, 0, "keys in its logs");
    assert_eq!(seen.in_sockets, 0, "keys on its sockets");
}

#[test]
fn in_process_the_same_scanner_finds_the_keys() {
    let seen = watch("in-process");
    assert!(seen.in_memory > 0, "no keys in {} scans", seen.scans);
    assert!(seen.in_core_file > 0);
    // Low in the client's process is weaker in memory only.
    assert_eq!((seen.in_logs, seen.in_sockets), (0, 0));
}

/// In how many looks a key was seen.
struct Seen {
    scans: usize,
    in_memory: usize,
    in_core_file: usize,
    in_logs: usize,
    in_sockets: usize,
}

fn watch(backend: &str) -> Seen {
    let samples = samples::standard();
    let sample = samples.iter().find(|sample| sample.scheme == "cenc");
    let sample = sample.expect("there is a sample in every scheme");
    let keys = Pieces::of_sample(sample);
    let service = Service::start(&samples);
    let proxy = Proxy::start(service.server().local_addr()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::start(backend, folder.path(), &service, &proxy, sample);
    device.wait_until_it_plays();

    let end = Instant::now() + TIME;
    let (mut scans, mut in_memory) = (0, 0);
    while scans < SCANS || Instant::now() < end {
        let next = Instant::now() + INTERVAL;
        let [seen] = in_process(device.process.id(), [&keys]).unwrap();
        in_memory += usize::from(seen);
        scans += 1;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    // With the core in its own process, and nowhere else, there is a key to be found: in this look, if
    // none before it has met the moment.
    let held = backend == "in-process";
    let [seen] = stop_holding(&device.process, [&keys], [held]).unwrap();
    in_memory += usize::from(seen);
    scans += 1;
    let core = device.core_file(folder.path());
    device.go_on();
    let in_core_file = keys.count(&fs::read(&core).unwrap());
    fs::remove_file(core).unwrap();
    let logs = device.end();
    let exchanges = proxy.recorded();
    assert!(!exchanges.is_empty(), "the device asked through the proxy");
    let sockets = exchanges
        .iter()
        .map(|exchange| keys.count(&exchange.request) + keys.count(&exchange.response));
    Seen {
        scans,
        in_memory,
        in_core_file,
        in_logs: logs.iter().map(|log| keys.count(log)).sum(),
        in_sockets: sockets.sum(),
    }
}

/// The process that plays.
struct Device {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
    log: PathBuf,
    output: PathBuf,
}

impl Device {
    fn start(
        backend: &str,
        folder: &Path,
        service: &Service,
        proxy: &Proxy,
        sample: &Sample,
    ) -> Self {
        let ProvisionToken::Enrollment(token) = service.enrollment_token() else {
            unreachable!("it is what was asked for");
        };
        let log = folder.join("log");
        let output = folder.join("clear.mp4");
        let mut process = Command::new(env!("CARGO_BIN_EXE_test-device"))
            .arg(backend)
            .arg(folder.join("state"))
            .arg(proxy.url())
            .arg(service.anchor().to_string())
            .arg(String::from_utf8(token).unwrap())
            .arg(paths(sample).0)
            .arg(&output)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            said,
            log,
            output,
        }
    }

    fn wait_until_it_plays(&mut self) {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        let log = fs::read_to_string(&self.log).unwrap();
        assert_eq!(line, "playing\n", "{log}");
    }

    /// Has it go on after it was stopped.
    fn go_on(&self) {
        kill_process(Pid::from_child(&self.process), Signal::CONT).unwrap();
    }

    /// Has the debugger write a core file, which is what the kernel would write if it crashed.
    fn core_file(&self, folder: &Path) -> PathBuf {
        let name = folder.join("core");
        let output = Command::new("gcore")
            .arg("-o")
            .arg(&name)
            .arg(self.process.id().to_string())
            .output()
            .expect("gcore is there: install gdb");
        let written = folder.join(format!("core.{}", self.process.id()));
        assert!(
            written.is_file(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        written
    }

    /// Ends the playing in good order and gives what it wrote: its log, and the rest of its output.
    fn end(mut self) -> [Vec<u8>; 2] {
        drop(self.process.stdin.take());
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut self.said, &mut rest).unwrap();
        let status = self.process.wait().unwrap();
        let log = fs::read(&self.log).unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&log));
        assert!(self.output.is_file(), "it has played to the end");
        [log, rest]
    }
}

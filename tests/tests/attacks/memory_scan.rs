//! Content keys never stand in the client's process, its core file, its logs or its sockets.
//!
//! The keys are canaries that the service was given. A device plays a file in a process of its own,
//! which is scanned as it plays. The same scanner must find the keys where the core runs in the
//! client's process, or it proves nothing.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use keybearer_client::ProvisionToken;
use keybearer_tests::proxy::Proxy;
use keybearer_tests::samples::{self, Sample};
use keybearer_tests::service::{Service, paths};

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

#[test]
fn every_form_of_a_key_is_found() {
    let keys = Keys(vec![
        *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
    ]);
    let around = |form: &[u8]| [b"...", form, b"..."].concat();
    assert_eq!(keys.count(&around(&keys.0[0])), 1);
    for text in [
        "00112233445566778899aabbccddeeff",
        "00112233445566778899AABBCCDDEEFF",
        "ABEiM0RVZneImaq7zN3u/w",
        "ABEiM0RVZneImaq7zN3u_w",
    ] {
        assert_eq!(keys.count(&around(text.as_bytes())), 1, "{text}");
    }
    assert_eq!(keys.count(&around(&keys.0[0][1..])), 0);
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
    let keys = Keys::of(sample);
    let service = Service::start(&samples);
    let proxy = Proxy::start(service.server().local_addr()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::start(backend, folder.path(), &service, &proxy, sample);
    device.wait_until_it_plays();

    let end = Instant::now() + TIME;
    let (mut scans, mut in_memory) = (0, 0);
    while scans < SCANS || Instant::now() < end {
        let next = Instant::now() + INTERVAL;
        in_memory += usize::from(device.memory_holds(&keys));
        scans += 1;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let core = device.core_file(folder.path());
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

/// The canaries.
struct Keys(Vec<[u8; 16]>);

impl Keys {
    fn of(sample: &Sample) -> Self {
        Self(sample.tracks.iter().map(|track| track.key).collect())
    }

    /// How often a key stands in `bytes`: as it is, in hexadecimal digits of either case or in base64
    /// of either alphabet.
    fn count(&self, bytes: &[u8]) -> usize {
        let forms: Vec<Vec<u8>> = self.0.iter().flat_map(forms).collect();
        forms.iter().map(|form| occurrences(bytes, form)).sum()
    }
}

fn forms(key: &[u8; 16]) -> [Vec<u8>; 5] {
    let lower = hex::encode(key);
    let upper = hex::encode_upper(key);
    let standard = base64(key, b"+/");
    let of_addresses = base64(key, b"-_");
    [
        key.to_vec(),
        lower.into_bytes(),
        upper.into_bytes(),
        standard,
        of_addresses,
    ]
}

/// Without padding (RFC 4648 sections 4 and 5).
fn base64(bytes: &[u8], last: &[u8; 2]) -> Vec<u8> {
    let alphabet: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(*last)
        .collect();
    let bit = |number: usize| {
        let byte = bytes.get(number / 8).copied().unwrap_or(0);
        usize::from(byte >> (7 - number % 8) & 1)
    };
    (0..bytes.len() * 8)
        .step_by(6)
        .map(|first| alphabet[(first..first + 6).fold(0, |value, number| value << 1 | bit(number))])
        .collect()
}

fn occurrences(bytes: &[u8], form: &[u8]) -> usize {
    let first = form[0];
    let candidates = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    candidates
        .filter(|(at, _)| bytes[*at..].starts_with(form))
        .count()
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

    /// Looks through everything that the process can read or write.
    fn memory_holds(&self, keys: &Keys) -> bool {
        let process = Path::new("/proc").join(self.process.id().to_string());
        let maps = fs::read_to_string(process.join("maps")).unwrap();
        let memory = File::open(process.join("mem")).unwrap();
        let mut looked_at = 0;
        let mut found = false;
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            // What the program is made of cannot hold a key that the service was given just now,
            // and the kernel lets nobody read these two.
            if !rest.starts_with("rw") || rest.contains("[vvar") || rest.contains("[vsyscall") {
                continue;
            }
            let (begin, end) = range.split_once('-').unwrap();
            let begin = u64::from_str_radix(begin, 16).unwrap();
            let end = u64::from_str_radix(end, 16).unwrap();
            let mut bytes = vec![0; usize::try_from(end - begin).unwrap()];
            // It may have gone since the list was read.
            if memory.read_exact_at(&mut bytes, begin).is_ok() {
                looked_at += bytes.len();
                found |= keys.count(&bytes) > 0;
            }
        }
        assert!(
            looked_at > 100_000,
            "a process has more than {looked_at} bytes"
        );
        found
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

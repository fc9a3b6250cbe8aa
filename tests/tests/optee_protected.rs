//! Inside the QEMU machine with OP-TEE's secure data path: a unit of a protected session lands where the
//! hardware would decode it, and nobody in the normal world finds it.
//!
//! Nobody here holds the clear unit: what to look for is given with every bit turned, and compared so.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process;
use std::time::Instant;

use keybearer_rules::Level;
use keybearer_tee::TeeError;
use keybearer_tee_optee::protected_buffer;
use keybearer_tests::buffers::{Viewer, decrypt_openly, register};
use keybearer_tests::guest;
use keybearer_tests::high::refusal;
use keybearer_tests::high::scenarios::Ground;
use keybearer_tests::raw::{self, Client, Parameter, Registered, SUCCESS, Way};
use keybearer_wire::body::{Describe, Description};
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE};
use keybearer_wire::{Body, Command, Status, decode_response};
use rustix::process::Signal;

/// UUID of the application that tells digests of buffers, as its header has it.
const DIGEST_TA: &str = include_str!("../qemu/digest-ta/uuid.txt").trim_ascii();
/// UUID of one without the flag of the secure data path.
const PLAIN_TA: &str = include_str!("../qemu/bench-ta/uuid.txt").trim_ascii();
/// `TEEC_ERROR_BAD_PARAMETERS` by OP-TEE itself: the application was not entered.
const REFUSED: (u32, u32) = (0xffff_0006, 3);

fn given(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("KEYBEARER_UNIT").expect("the run says where the unit is");
    fs::read(PathBuf::from(folder).join(name)).unwrap()
}

/// A row of the stage's table.
fn shown(what: &str, found: &str) {
    println!("table: {what:<62} {found}");
}

/// What another trusted application sees of protected memory.
struct Hardware(Client);

impl Hardware {
    fn new() -> Self {
        Self(Client::open(DIGEST_TA).unwrap())
    }

    fn buffer(&self, fd: BorrowedFd<'_>) -> Registered {
        self.0.register_buffer(fd).unwrap()
    }

    fn ask(&mut self, command: u32, buffer: &Registered, len: usize) -> Vec<u8> {
        let mut answer = [0; 32];
        let outcome = self.0.call(
            command,
            [
                Parameter::Null(Way::In, 0),
                Parameter::Temporary(Way::Out, &mut answer),
                Parameter::Range(Way::In, buffer, 0, len),
                Parameter::Null(Way::Out, 0),
            ],
        );
        assert_eq!(outcome.code, SUCCESS, "{outcome:?}");
        answer[..outcome.sizes[1]].to_vec()
    }

    /// SHA-256 of the first `len` bytes.
    fn digest(&mut self, buffer: &Registered, len: usize) -> Vec<u8> {
        self.ask(0, buffer, len)
    }
}

/// Bytes at the start of each page of the unit that are looked for.
const RUN: usize = 64;

/// The beginnings of the unit's pages, every bit turned.
struct Sought {
    runs: Vec<[u8; RUN]>,
    /// By the first two bytes of a word, as they are: in which runs it stands, and where. Of the words
    /// at aligned places in memory some lie in each run, wherever that begins, and one of them first.
    words: Vec<Vec<(usize, usize)>>,
}

impl Sought {
    fn new(inverted: &[u8]) -> Self {
        let pages = inverted.chunks_exact(4096);
        let runs: Vec<[u8; RUN]> = pages.map(|page| page[..RUN].try_into().unwrap()).collect();
        let mut words = vec![Vec::new(); 1 << 16];
        for (number, run) in runs.iter().enumerate() {
            for at in 0..8 {
                let begins = u16::from_le_bytes([!run[at], !run[at + 1]]);
                words[usize::from(begins)].push((number, at));
            }
        }
        Self { runs, words }
    }

    fn count(&self, bytes: &[u8]) -> usize {
        let mut found = 0;
        for place in (0..bytes.len()).step_by(8) {
            let begins = u16::from_le_bytes([bytes[place], bytes[place + 1]]);
            for (number, at) in &self.words[usize::from(begins)] {
                let start = place.checked_sub(*at);
                let here = start.and_then(|start| bytes.get(start..start + RUN));
                let equal = |here: &[u8]| {
                    let mut pairs = here.iter().zip(&self.runs[*number]);
                    pairs.all(|(byte, turned)| *byte == !turned)
                };
                found += usize::from(here.is_some_and(equal));
            }
        }
        found
    }

    /// How many pages of RAM the kernel could read, and how many runs are in them.
    fn in_all_memory(&self) -> (usize, usize) {
        let memory = File::open("/proc/kcore").unwrap();
        let mut header = [0; 64];
        memory.read_exact_at(&mut header, 0).unwrap();
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        let (table, entries) = (
            number(&header[32..40]),
            u16::from_le_bytes([header[56], header[57]]),
        );
        let (mut pages, mut found) = (0, 0);
        let mut piece = vec![0; 1 << 16];
        for entry in 0..u64::from(entries) {
            let mut segment = [0; 56];
            memory
                .read_exact_at(&mut segment, table + 56 * entry)
                .unwrap();
            let (offset, physical, size) = (
                number(&segment[8..16]),
                number(&segment[24..32]),
                number(&segment[32..40]),
            );
            // RAM; elsewhere are devices, and other names of the same memory.
            if segment[..4] != [1, 0, 0, 0] || !(0x0100_0000..0x8000_0000).contains(&physical) {
                continue;
            }
            let mut at = 0;
            while at < size {
                let len = piece.len().min(usize::try_from(size - at).unwrap());
                if memory.read_exact_at(&mut piece[..len], offset + at).is_ok() {
                    pages += len / 4096;
                    found += self.count(&piece[..len]);
                } else {
                    // Page by page around what may not be read.
                    for page in (0..len).step_by(4096) {
                        let place = offset + at + page as u64;
                        if memory.read_exact_at(&mut piece[..4096], place).is_ok() {
                            pages += 1;
                            found += self.count(&piece[..4096]);
                        }
                    }
                }
                at += len as u64;
            }
        }
        // Nothing of what was read stays behind to be found again.
        piece.fill(0);
        std::hint::black_box(&piece);
        assert!(
            pages > 200_000,
            "next to nothing could be looked at: {pages} pages"
        );
        (pages, found)
    }
}

/// Memory of the normal world that Linux leaves alone as it does the pool: OP-TEE's own, shared with its
/// clients. Of what is Linux's, `/dev/mem` shows nothing.
const BESIDE: u64 = 0x4200_0000;

/// Physical addresses of the pool, as the device tree has them (`tests/qemu/sdp-kernel.sh`).
fn pool() -> Range<u64> {
    let mut nodes = fs::read_dir("/proc/device-tree")
        .unwrap()
        .map(Result::unwrap);
    let node = nodes
        .find(|node| node.file_name().to_string_lossy().starts_with("sdpram@"))
        .expect("the tree has a node for the pool");
    let place = fs::read(node.path().join("reg")).unwrap();
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    let begin = number(&place[..8]);
    begin..begin + number(&place[8..])
}

/// Reads a word at a physical address through `/dev/mem`, or writes it: as root, and in a process of its
/// own, which what the bus refuses ends.
fn through_dev_mem(address: u64, written: Option<u32>) -> process::Output {
    process::Command::new("busybox")
        .args(["devmem", &format!("{address:#x}"), "32"])
        .args(written.map(|value| value.to_string()))
        .output()
        .unwrap()
}

/// What a call of the key TA with protected memory as its input comes to.
fn from_protected(
    command: Command,
    buffer: &Registered,
    client: &mut Client,
    own: &Registered,
) -> Status {
    let mut request = Describe {}.encode(MAX_REQUEST).unwrap();
    let mut response = vec![0; MAX_RESPONSE];
    let outcome = client.call(
        command.code(),
        [
            Parameter::Temporary(Way::In, &mut request),
            Parameter::Temporary(Way::Out, &mut response),
            Parameter::Range(Way::In, buffer, 0, 4096),
            Parameter::Range(Way::Out, own, 0, 4096),
        ],
    );
    assert_eq!(outcome.code, SUCCESS, "{outcome:?}");
    match decode_response::<Description<'_>>(&response[..outcome.sizes[1]]) {
        Ok(Err(status)) => status,
        other => panic!("{command:?}: {other:?}"),
    }
}

#[test]
fn a_delivered_unit_is_the_hardwares_and_nobody_elses() {
    let _turn = guest::turn();
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::new(
        guest::optee(),
        guest::operator(folder.path(), &[]),
        Level::High,
    );
    register(&ground, Level::High);
    let (unit, digest) = (given("unit"), given("digest"));
    let sought = Sought::new(&given("inverted"));
    let len = unit.len();

    let (pages, before) = sought.in_all_memory();
    assert_eq!(before, 0);
    shown(
        "before: runs of the unit in readable RAM",
        &format!("0 in {pages} pages"),
    );

    let fd: OwnedFd = protected_buffer(len).unwrap();
    let mut viewer = Viewer::new(&ground);
    let buffer = viewer.keys.register_buffer(fd.as_fd()).unwrap();
    let begin = Instant::now();
    let done = viewer.deliver(&unit, buffer.range(0, len)).unwrap();
    println!("figure: {len} bytes delivered in {:?}", begin.elapsed());
    assert_eq!(done.bytes, len as u64);

    let mut hardware = Hardware::new();
    let seen = hardware.buffer(fd.as_fd());
    assert_eq!(hardware.ask(1, &seen, len), [1]);
    assert_eq!(hardware.digest(&seen, len), digest);
    shown(
        "a second trusted application's digest of the buffer",
        "the clear unit's",
    );

    // The normal world's ways to it.
    for write in [false, true] {
        let refused = raw::try_to_map(fd.as_fd(), len, write).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    }
    shown("mmap, to read and to write", "EINVAL");
    let mut looked = [0; 64];
    let refused = File::from(fd.try_clone().unwrap())
        .read(&mut looked)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    shown("read", "EINVAL");
    let beside = through_dev_mem(BESIDE, None);
    assert!(
        beside.status.success() && beside.stdout.starts_with(b"0x"),
        "control, memory that is not protected: {beside:?}"
    );
    // The unit, in one piece in the pool, holds at least one of these places.
    const APART: usize = 64 << 10;
    let pool = pool();
    assert!(len > APART && pool.end - pool.start >= len as u64);
    for address in pool.step_by(APART) {
        for written in [None, Some(0)] {
            let ended = through_dev_mem(address, written);
            let signal = ended.status.signal();
            assert_eq!(
                signal,
                Some(Signal::BUS.as_raw()),
                "{address:#x}: {ended:?}"
            );
        }
    }
    shown(
        "its physical address, to read and to write",
        "SIGBUS (elsewhere allowed)",
    );
    let begin = Instant::now();
    let (pages, found) = sought.in_all_memory();
    println!("figure: a search of all memory took {:?}", begin.elapsed());
    assert_eq!(found, 0);
    shown(
        "delivered: runs of the unit in readable RAM",
        &format!("0 in {pages} pages"),
    );

    // Rule 1: a protected session writes to no other memory.
    let mut open = vec![0x77; len];
    let openly = decrypt_openly(&ground, true, &unit, &mut open);
    assert_eq!(refusal(openly), Status::UnprotectedOutput);
    assert!(open.iter().all(|byte| *byte == 0x77));
    shown(
        "a protected session's output in ordinary memory",
        "UnprotectedOutput",
    );
    let ordinary = raw::ordinary_dma_buf(65_536).unwrap();
    let refused = viewer.keys.register_buffer(ordinary.as_fd());
    assert!(
        matches!(refused, Err(TeeError::NoProtectedBuffer(_))),
        "{refused:?}"
    );
    shown(
        "a dma-buf of ordinary memory (/dev/udmabuf)",
        "0xffff0006, not registered",
    );

    // Rule 2: nothing comes back out of it.
    let mut client = Client::open(guest::KEY_TA).unwrap();
    let source = client.register_buffer(fd.as_fd()).unwrap();
    let own = client.register(4096);
    for command in [Command::Describe, Command::Decrypt, Command::WipeBuffer] {
        let status = from_protected(command, &source, &mut client, &own);
        assert_eq!(status, Status::ProtectedInput, "{command:?}");
    }
    assert_eq!(own.copy(0, 4096), [0; 4096]);
    shown(
        "protected input, ordinary output, any command",
        "ProtectedInput",
    );

    // An application that has not asked for such memory gets none.
    let mut plain = Client::open(PLAIN_TA).unwrap();
    let named = plain.register_buffer(fd.as_fd()).unwrap();
    let outcome = plain.call(
        0,
        [
            Parameter::Null(Way::In, 0),
            Parameter::Null(Way::Out, 0),
            Parameter::Range(Way::In, &named, 0, 4096),
            Parameter::Null(Way::Out, 0),
        ],
    );
    assert_eq!((outcome.code, outcome.origin), REFUSED, "{outcome:?}");
    shown(
        "a trusted application without the flag",
        "0xffff0006, not entered",
    );

    // Refused calls have changed nothing, and so has looking.
    assert_eq!(hardware.digest(&seen, len), digest);

    // Other media behind it is overwritten, and the whole when it is let go.
    viewer.deliver(&unit[..100], buffer.range(0, len)).unwrap();
    assert_ne!(hardware.digest(&seen, len), digest);
    viewer.deliver(&unit, buffer.range(0, len)).unwrap();
    assert_eq!(hardware.digest(&seen, len), digest);
    viewer.keys.release_buffer(buffer).unwrap();
    let blank = hardware.0.register(len);
    let zeros = hardware.digest(&blank, len);
    assert_ne!(zeros, digest);
    assert_eq!(hardware.digest(&seen, len), zeros);
    shown("a released buffer", "zeros");

    // What a session still holds is wiped when it ends.
    let buffer = viewer.keys.register_buffer(fd.as_fd()).unwrap();
    viewer.deliver(&unit, buffer.range(0, len)).unwrap();
    assert_eq!(hardware.digest(&seen, len), digest);
    drop(viewer);
    assert_eq!(hardware.digest(&seen, len), zeros);
    shown("a buffer of a session that ended", "zeros");

    // A session that is not protected decrypts the same bytes to where everybody finds them.
    decrypt_openly(&ground, false, &unit, &mut open).unwrap();
    let (_, control) = sought.in_all_memory();
    assert!(control >= sought.runs.len(), "{control}");
    shown(
        "control, the same bytes in ordinary memory: runs found",
        &format!("{control} (of {} in the unit)", sought.runs.len()),
    );
    drop(open);
}

/// The heap has an end, and says so.
#[test]
fn a_used_up_heap_gives_no_other_memory() {
    let _turn = guest::turn();
    let mut taken = Vec::new();
    let refused = loop {
        match protected_buffer(256 << 10) {
            Ok(buffer) => taken.push(buffer),
            Err(error) => break error,
        }
        assert!(taken.len() < 100);
    };
    assert!(matches!(refused, TeeError::Io { .. }), "{refused}");
    assert!(!taken.is_empty());
    shown("a used up heap", &format!("{refused}"));
}

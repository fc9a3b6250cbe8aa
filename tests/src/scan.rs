//! Looks for secrets where none may be: in bytes, and in the memory of a process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::samples::Sample;

/// Pieces to look for: content keys in every form that one may be written in, or content.
pub struct Pieces {
    /// In order, so that those with the same beginning stand together.
    forms: Vec<Vec<u8>>,
    /// Which two bytes one of them begins with.
    beginnings: Vec<bool>,
}

/// Bytes that are looked at together.
const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// Bytes of a piece of content. Every run of twice as many bytes holds a whole one.
const CONTENT: usize = 32;

impl Pieces {
    fn new(mut forms: Vec<Vec<u8>>) -> Self {
        forms.sort();
        let mut beginnings = vec![false; 1 << 16];
        for form in &forms {
            beginnings[usize::from(u16::from_be_bytes([form[0], form[1]]))] = true;
        }
        Self { forms, beginnings }
    }

    /// These keys: as they are, in hexadecimal digits of either case, and in base64 of either alphabet.
    #[must_use]
    pub fn of_keys(keys: &[[u8; 16]]) -> Self {
        Self::new(keys.iter().flat_map(forms).collect())
    }

    /// The keys of a sample file.
    #[must_use]
    pub fn of_sample(sample: &Sample) -> Self {
        let keys: Vec<_> = sample.tracks.iter().map(|track| track.key).collect();
        Self::of_keys(&keys)
    }

    /// What `protected` hides of `clear`, cut such that whoever has 64 bytes of it in a row has a piece;
    /// but for what looks like anything, such as zeros.
    ///
    /// # Panics
    /// When both are not of the same length.
    #[must_use]
    pub fn of_content(clear: &[u8], protected: &[u8]) -> Self {
        assert_eq!(clear.len(), protected.len());
        let hidden = |(clear, protected): (&[u8], &[u8])| {
            let differ = clear.iter().zip(protected).filter(|(a, b)| a != b);
            let mut values = clear.to_vec();
            values.sort_unstable();
            values.dedup();
            (differ.count() > CONTENT / 2 && values.len() > CONTENT / 2).then(|| clear.to_vec())
        };
        let pairs = clear
            .chunks_exact(CONTENT)
            .zip(protected.chunks_exact(CONTENT));
        Self::new(pairs.filter_map(hidden).collect())
    }

    /// All of them, in hexadecimal digits: a line each.
    #[must_use]
    pub fn listed(&self) -> String {
        let lines = self.forms.iter().map(|form| hex::encode(form) + "\n");
        lines.collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// True when there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// How often one of them stands in `bytes`.
    #[must_use]
    pub fn count(&self, bytes: &[u8]) -> usize {
        let longest = self.forms.iter().map(Vec::len).max().unwrap_or(0);
        let mut found = 0;
        for begin in (0..bytes.len()).step_by(PAGE) {
            let end = bytes.len().min(begin + PAGE);
            // Most of a process is memory that it has never written. A piece that begins there ends
            // elsewhere, or it would be all zeros.
            let from = match bytes[begin..end] == ZEROS[..end - begin] {
                true => begin.max(end.saturating_sub(longest)),
                false => begin,
            };
            for at in from..end.min(bytes.len() - 1) {
                if self.beginnings[usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))] {
                    found += self.standing_at(&bytes[at..]);
                }
            }
        }
        found
    }

    /// How many of them `bytes` begin with.
    fn standing_at(&self, bytes: &[u8]) -> usize {
        let pair = &bytes[..2];
        let first = self.forms.partition_point(|form| form[..2] < *pair);
        let alike = self.forms[first..].iter();
        let alike = alike.take_while(|form| form.starts_with(pair));
        alike.filter(|form| bytes.starts_with(form)).count()
    }
}

/// Which of `kinds` stand in anything that a process can read or write, and nobody else.
///
/// # Errors
/// When the process is gone, or may not be looked at.
///
/// # Panics
/// When next to nothing could be looked at: then it proves nothing.
pub fn in_process<const KINDS: usize>(
    process: u32,
    kinds: [&Pieces; KINDS],
) -> io::Result<[bool; KINDS]> {
    let process = Path::new("/proc").join(process.to_string());
    let maps = fs::read_to_string(process.join("maps"))?;
    let memory = File::open(process.join("mem"))?;
    let mut looked_at = 0;
    let mut found = [false; KINDS];
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').expect("a line begins with its range");
        // What the program is made of cannot hold what the service was given just now, and the
        // kernel lets nobody read these two.
        if !rest.starts_with("rw") || rest.contains("[vvar") || rest.contains("[vsyscall") {
            continue;
        }
        let (begin, end) = range.split_once('-').expect("a range has two ends");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let (begin, end) = (address(begin), address(end));
        let len = usize::try_from(end - begin).expect("memory fits into memory");
        let mut bytes = vec![0; len];
        // It may have gone since the list was read.
        if memory.read_exact_at(&mut bytes, begin).is_ok() {
            looked_at += bytes.len();
            for (kind, found) in kinds.iter().zip(&mut found) {
                *found |= kind.count(&bytes) > 0;
            }
        }
    }
    assert!(
        looked_at > 100_000,
        "a process has more than {looked_at} bytes"
    );
    Ok(found)
}

/// How often [`stop_holding`] looks, and how long the process runs in between.
const LOOKS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Stops a child while it holds pieces of the kinds that are `held`, whatever else it holds: between two
/// of its sessions it has none, and to find nothing in it then proves nothing. `SIGCONT` has it go on.
///
/// Gives the kinds that any of its looks has found: those that are `held`, and those that should not be
/// there.
///
/// # Errors
/// When the process has ended, may not be looked at, or never holds them.
pub fn stop_holding<const KINDS: usize>(
    child: &Child,
    kinds: [&Pieces; KINDS],
    held: [bool; KINDS],
) -> io::Result<[bool; KINDS]> {
    let process = Pid::from_child(child);
    let mut seen = [false; KINDS];
    for _ in 0..LOOKS {
        kill_process(process, Signal::CONT)?;
        thread::sleep(PAUSE);
        kill_process(process, Signal::STOP)?;
        // Its parent is told once none of its threads runs any more.
        let told = waitpid(Some(process), WaitOptions::UNTRACED)?;
        if !told.is_some_and(|(_, status)| status.stopped()) {
            return Err(io::Error::other("it ended instead of standing still"));
        }
        let found = in_process(child.id(), kinds)?;
        for (seen, found) in seen.iter_mut().zip(found) {
            *seen |= found;
        }
        if held.iter().zip(found).all(|(&held, found)| found || !held) {
            return Ok(seen);
        }
    }
    let never = format!("in {LOOKS} looks it never held what it should: {held:?}");
    Err(io::Error::other(never))
}

fn forms(key: &[u8; 16]) -> [Vec<u8>; 5] {
    [
        key.to_vec(),
        hex::encode(key).into_bytes(),
        hex::encode_upper(key).into_bytes(),
        base64(key, b"+/"),
        base64(key, b"-_"),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test that cannot go on must stop
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use super::{PAGE, Pieces, stop_holding};

    #[test]
    fn every_form_of_a_key_is_found() {
        let key = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        let keys = Pieces::of_keys(&[[7; 16], key]);
        let around = |form: &[u8]| [b"...", form, b"..."].concat();
        assert_eq!(keys.count(&around(&key)), 1);
        for text in [
            "00112233445566778899aabbccddeeff",
            "00112233445566778899AABBCCDDEEFF",
            "ABEiM0RVZneImaq7zN3u/w",
            "ABEiM0RVZneImaq7zN3u_w",
        ] {
            assert_eq!(keys.count(&around(text.as_bytes())), 1, "{text}");
        }
        assert_eq!(keys.count(&around(&key[1..])), 0);
        assert_eq!(keys.count(&[&key[..], &key].concat()), 2);
    }

    #[test]
    fn a_piece_is_found_wherever_zeros_end() {
        let key = *b"\x00\x00\x00\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        let keys = Pieces::of_keys(&[key]);
        for at in (2 * PAGE - 20..2 * PAGE + 20).chain([0, 1, PAGE / 2, 3 * PAGE - 16]) {
            let mut memory = vec![0; 3 * PAGE];
            memory[at..at + 16].copy_from_slice(&key);
            assert_eq!(keys.count(&memory), 1, "{at}");
            memory[at + 15] ^= 1;
            assert_eq!(keys.count(&memory), 0, "{at}");
        }
        assert_eq!(keys.count(&[]), 0);
        assert_eq!(keys.count(&[0]), 0);
    }

    #[test]
    fn every_run_of_64_bytes_of_content_is_found() {
        let clear: Vec<u8> = (0..=255).map(|byte: u8| byte.wrapping_mul(167)).collect();
        let protected: Vec<u8> = clear.iter().map(|byte| byte ^ 0x55).collect();
        let pieces = Pieces::of_content(&clear, &protected);
        assert_eq!(pieces.len(), 8);
        for at in 0..=clear.len() - 64 {
            let run = [b"xyz", &clear[at..at + 64], b"xyz"].concat();
            assert!(pieces.count(&run) > 0, "{at}");
        }
        assert_eq!(pieces.count(&protected), 0);
        assert_eq!(pieces.count(&clear[1..32]), 0);
        // What is not hidden, or could be anything's, is not looked for.
        assert!(Pieces::of_content(&clear, &clear).is_empty());
        assert!(Pieces::of_content(&[0; 64], &[1; 64]).is_empty());
    }
    #[test]
    fn a_process_stands_still_with_what_it_holds() {
        let held = Pieces::of_keys(&[*b"it stands there!"]);
        let other = Pieces::of_keys(&[*b"and this does no"]);
        let mut child = Command::new("sleep")
            .arg("60")
            .env("HELD", "it stands there!")
            // So that there is enough to look at.
            .env("MUCH", "-".repeat(110_000))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let seen = stop_holding(&child, [&held, &other], [true, false]);
        assert_eq!(seen.unwrap(), [true, false]);
        let state = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        assert!(state.contains("(sleep) T "), "{state}");
        // What should not be there is told as well.
        let seen = stop_holding(&child, [&held, &other], [false; 2]);
        assert_eq!(seen.unwrap(), [true, false]);
        let never = stop_holding(&child, [&held, &other], [true, true]);
        assert!(never.unwrap_err().to_string().contains("never held"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(stop_holding(&child, [&held], [true]).is_err());
    }
}

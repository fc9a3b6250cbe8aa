//! Looks for content keys where none may be: in bytes, and in the memory of a process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::samples::Sample;

/// Keys to look for, in every form that one may be written in.
pub struct Keys {
    /// As they are, in hexadecimal digits of either case, and in base64 of either alphabet.
    forms: Vec<Vec<u8>>,
    /// Which forms begin with a byte.
    beginnings: [Vec<usize>; 256],
}

impl Keys {
    /// These keys.
    #[must_use]
    pub fn new(keys: &[[u8; 16]]) -> Self {
        let forms: Vec<Vec<u8>> = keys.iter().flat_map(forms).collect();
        let mut beginnings = [const { Vec::new() }; 256];
        for (at, form) in forms.iter().enumerate() {
            beginnings[usize::from(form[0])].push(at);
        }
        Self { forms, beginnings }
    }

    /// The keys of a sample file.
    #[must_use]
    pub fn of(sample: &Sample) -> Self {
        let keys: Vec<_> = sample.tracks.iter().map(|track| track.key).collect();
        Self::new(&keys)
    }

    /// How often a key stands in `bytes`.
    #[must_use]
    pub fn count(&self, bytes: &[u8]) -> usize {
        let begins = |(at, byte): (usize, &u8)| {
            let forms = self.beginnings[usize::from(*byte)].iter();
            let found = forms.filter(|form| bytes[at..].starts_with(&self.forms[**form]));
            found.count()
        };
        bytes.iter().enumerate().map(begins).sum()
    }

    /// True when a key stands in anything that a process can read or write, and nobody else.
    ///
    /// # Errors
    /// When the process is gone, or may not be looked at.
    ///
    /// # Panics
    /// When next to nothing could be looked at: then it proves nothing.
    pub fn are_in_process(&self, process: u32) -> io::Result<bool> {
        let process = Path::new("/proc").join(process.to_string());
        let maps = fs::read_to_string(process.join("maps"))?;
        let memory = File::open(process.join("mem"))?;
        let mut looked_at = 0;
        let mut found = false;
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').expect("a line begins with its range");
            // What the program is made of cannot hold a key that the service was given just now,
            // and the kernel lets nobody read these two.
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
                found |= self.count(&bytes) > 0;
            }
        }
        assert!(
            looked_at > 100_000,
            "a process has more than {looked_at} bytes"
        );
        Ok(found)
    }
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
mod tests {
    use super::Keys;

    #[test]
    fn every_form_of_a_key_is_found() {
        let key = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        let keys = Keys::new(&[[7; 16], key]);
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
}

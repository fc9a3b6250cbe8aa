//! Files that are wrong in one place, made of good ones by rule: every box cut, every size and version
//! changed, every box taken away or doubled, every number at the head of a table. Each must be refused
//! in words, or read as it should be; nothing may panic, hang, or take memory for what is not there.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a panic is a failed test, and test files are small"
)]

// Of the two test programs that share it each uses a part.
#[allow(dead_code, reason = "shared with another test program")]
mod support;

use std::io::Cursor;

use keybearer_media::{
    BatchLimit, BoxTree, ClearWriter, MediaError, MediaReader, Part, clear_init,
};
use support::{Auxiliary, Keys, Options, decrypt_batch, load_keys, make};

/// Memory beside the file itself and its clear form, for files as small as these.
const PROMISED: u64 = 2_500_000;

/// A good file, and the same in clear: byte by byte, but for the boxes about protection.
struct Good {
    name: &'static str,
    file: Vec<u8>,
    clear: Vec<u8>,
    keys: Keys,
    boxes: Vec<Found>,
}

/// A box of a good file.
struct Found {
    kind: [u8; 4],
    at: usize,
    size: usize,
    /// Where the boxes are that it lies in, outermost first.
    parents: Vec<usize>,
}

fn good() -> Vec<Good> {
    let sample = |name| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    };
    let mut all = Vec::new();
    for name in [
        "cenc-both.mp4",
        "cbcs-periods-lead-video.mp4",
        "cbc1-bare-audio.mp4",
    ] {
        all.push((name, sample(name)));
    }
    let forms = [
        ("cenc-both.mp4", false, Auxiliary::SencInStbl),
        (
            "cenc-periods-video.mp4",
            true,
            Auxiliary::PointedInMdat { each_chunk: true },
        ),
    ];
    for (name, moov_last, auxiliary) in forms {
        let options = Options {
            moov_last,
            auxiliary,
            ..Options::default()
        };
        all.push((name, make(name, &load_keys(name), &options).file));
    }
    all.into_iter()
        .map(|(name, mut file)| {
            // Two fragments stand for all.
            let moofs = file.windows(4).enumerate();
            let mut moofs = moofs
                .filter(|(_, kind)| *kind == b"moof")
                .map(|(at, _)| at - 4);
            if let Some(third) = moofs.nth(2) {
                file.truncate(third);
            }
            let keys = load_keys(name);
            let mut boxes = Vec::new();
            find(&file, 0..file.len(), &[], &mut boxes);
            let mut good = Good {
                name,
                file,
                clear: Vec::new(),
                keys,
                boxes,
            };
            good.clear = walk(&good, &good.file, Task::Decrypt).unwrap();
            assert_ne!(good.clear, good.file);
            good
        })
        .collect()
}

fn find(file: &[u8], range: std::ops::Range<usize>, parents: &[usize], out: &mut Vec<Found>) {
    let mut at = range.start;
    while at < range.end {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let kind: [u8; 4] = file[at + 4..at + 8].try_into().unwrap();
        let inner = match &kind {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"mvex" | b"moof" | b"traf"
            | b"sinf" | b"schi" | b"dinf" | b"edts" => Some(8),
            b"stsd" | b"dref" => Some(16),
            b"encv" => Some(86),
            b"enca" => Some(36),
            _ => None,
        };
        out.push(Found {
            kind,
            at,
            size,
            parents: parents.to_vec(),
        });
        if let Some(inner) = inner {
            find(file, at + inner..at + size, &[parents, &[at]].concat(), out);
        }
        at += size;
    }
}

/// What to do with the samples of a file.
#[derive(Clone, Copy, PartialEq)]
enum Task {
    /// Look where they are.
    Find,
    Decrypt,
    /// Decrypt them, and see that they are what the good file has in their place.
    Compare,
}

/// Goes through a file that may be wrong, giving what is written of it.
fn walk(good: &Good, file: &[u8], task: Task) -> Result<Vec<u8>, MediaError> {
    let mut reader = MediaReader::open_seekable(Cursor::new(file))?;
    let mut writer = ClearWriter::start(Vec::with_capacity(file.len()), &reader)?;
    reader.forget_init();
    loop {
        reader.needed_memory()?;
        let Some(part) = reader.next_part()? else {
            break;
        };
        match part {
            Part::Other(bytes) => writer.write_other(bytes)?,
            Part::Fragment(fragment) => {
                let size = fragment.size() - fragment.media().len();
                let start = fragment.offset() as usize + size;
                let (tracks, media) = fragment.split();
                let mut taken = Vec::new();
                for track in tracks {
                    for batch in track.batches(BatchLimit::default()) {
                        let range = batch.range();
                        assert_eq!(range.len() as u64, batch.size());
                        taken.push(range.clone());
                        let known = batch.key_id().is_none_or(|id| good.keys.contains_key(&id));
                        if !known || task == Task::Find {
                            continue;
                        }
                        decrypt_batch(&batch, media, &good.keys);
                        if task == Task::Compare && batch.protection().is_some() {
                            let wanted = &good.clear[start + range.start..start + range.end];
                            assert!(media[range] == *wanted, "a sample is decrypted wrongly");
                        }
                    }
                }
                taken.retain(|range| !range.is_empty());
                taken.sort_by_key(|range| range.start);
                assert!(taken.is_sorted_by(|one, two| one.end <= two.start));
                writer.write_fragment(fragment)?;
            }
        }
    }
    writer.finish()
}

/// What a changed file came to.
#[derive(Default)]
struct Tally {
    refused: usize,
    read: usize,
}

impl Tally {
    fn take(&mut self, good: &Good, file: &[u8], task: Task, what: impl Fn() -> String) {
        let described = || format!("{}: {}", good.name, what());
        let mut outcome = None;
        let used = allocation_counter::measure(|| {
            outcome = Some(std::panic::catch_unwind(|| {
                let outcome = walk(good, file, task);
                // The same from a pipe, and for looking at.
                if let Ok(reader) = MediaReader::open(file) {
                    let _ = clear_init(reader.init());
                }
                BoxTree::new(file).for_each(drop);
                outcome
            }));
        });
        match outcome
            .unwrap()
            .unwrap_or_else(|_| panic!("{}", described()))
        {
            Ok(clear) => {
                assert_eq!(clear.len(), file.len(), "{}", described());
                self.read += 1;
            }
            Err(MediaError::Io(error)) => panic!("{}: {error}", described()),
            Err(error) => {
                // Where it is, or which box is missing.
                let text = error.to_string();
                assert!(text.contains("byte ") || text.contains('\''), "{text}");
                self.refused += 1;
            }
        }
        let limit = 2 * file.len() as u64 + PROMISED;
        let used = used.bytes_max;
        assert!(used <= limit, "{}: {used} bytes", described());
    }
}

fn name(found: &Found) -> String {
    format!("'{}' at {}", found.kind.escape_ascii(), found.at)
}

#[test]
fn a_file_cut_at_any_box_or_header_is_refused_or_only_shorter() {
    for good in good() {
        let mut tally = Tally::default();
        for found in &good.boxes {
            for cut in [0, 1, 4, 7, 8, 12, 16, found.size / 2, found.size - 1] {
                let file = &good.file[..found.at + cut.min(found.size)];
                tally.take(&good, file, Task::Compare, || {
                    format!("cut {cut} into {}", name(found))
                });
            }
        }
        assert!(tally.refused > 3 * tally.read, "{}", good.name);
    }
}

#[test]
fn sizes_that_are_wrong_are_refused_or_make_no_difference() {
    for good in good() {
        let mut tally = Tally::default();
        for found in &good.boxes {
            let size = found.size as u32;
            let mut sizes = vec![0, 1, 2, 7, 8, 9, 16, 1 << 31, u32::MAX];
            sizes.extend([size - 1, size + 1, size + 8, size.wrapping_sub(8), size * 2]);
            for wrong in sizes.into_iter().filter(|wrong| *wrong != size) {
                let mut file = good.file.clone();
                file[found.at..found.at + 4].copy_from_slice(&wrong.to_be_bytes());
                tally.take(&good, &file, Task::Compare, || {
                    format!("size {wrong} of {}", name(found))
                });
            }
            // In 64 bits, where the box has room for them.
            for wide in [0, 15, 16, u64::from(size), 1 << 40, u64::MAX] {
                let mut file = good.file.clone();
                if found.size < 16 {
                    continue;
                }
                file[found.at..found.at + 4].copy_from_slice(&[0, 0, 0, 1]);
                file[found.at + 8..found.at + 16].copy_from_slice(&wide.to_be_bytes());
                tally.take(&good, &file, Task::Find, || {
                    format!("wide size {wide} of {}", name(found))
                });
            }
        }
        assert!(tally.refused > tally.read, "{}", good.name);
    }
}

/// Boxes whose first byte is a version that is looked at.
const VERSIONED: [&[u8; 4]; 22] = [
    b"tkhd", b"mdhd", b"hdlr", b"stsd", b"stts", b"stsc", b"stsz", b"stz2", b"stco", b"co64",
    b"senc", b"saiz", b"saio", b"sgpd", b"sbgp", b"tenc", b"schm", b"pssh", b"trex", b"tfhd",
    b"trun", b"tfdt",
];

#[test]
fn versions_that_are_not_known_are_refused() {
    for good in good() {
        let mut tally = Tally::default();
        for found in &good.boxes {
            for version in [1, 2, 3, 255] {
                let mut file = good.file.clone();
                let place = &mut file[found.at + 8];
                if found.size < 12 || *place == version {
                    continue;
                }
                *place = version;
                let looked_at = VERSIONED.contains(&&found.kind);
                let own = |kind: &[u8; 4]| found.kind == *kind;
                // In a track without samples of its own nobody looks at these.
                let table = own(b"stts") || own(b"stsc") || own(b"stsz") || own(b"stco");
                let empty = table && good.file.windows(4).any(|bytes| bytes == b"moof");
                if version > 2 && looked_at && !empty && found.parents.len() != 1 {
                    let error =
                        walk(&good, &file, Task::Compare).expect_err("a version nobody knows");
                    let named = error.to_string();
                    assert!(named.contains("version"), "{}: {named}", name(found));
                }
                // Some boxes begin with fields of another kind.
                let task = if looked_at { Task::Compare } else { Task::Find };
                tally.take(&good, &file, task, || format!("version of {}", name(found)));
            }
        }
        assert!(tally.refused > 10, "{}", good.name);
    }
}

#[test]
fn numbers_at_the_head_of_a_table_may_be_anything() {
    for good in good() {
        let mut tally = Tally::default();
        for found in good.boxes.iter().filter(|found| found.kind != *b"mdat") {
            for word in (found.at + 8..found.at + found.size.min(32)).step_by(4) {
                let Some(Ok(bytes)) = good.file.get(word..word + 4).map(<[u8; 4]>::try_from) else {
                    continue;
                };
                let value = u32::from_be_bytes(bytes);
                let near = [value.wrapping_add(1), value.wrapping_sub(1)];
                let values = [0, 1 << 31, u32::MAX, near[0], near[1]];
                for wrong in values.into_iter().filter(|wrong| *wrong != value) {
                    let mut file = good.file.clone();
                    file[word..word + 4].copy_from_slice(&wrong.to_be_bytes());
                    let at = word - found.at;
                    tally.take(&good, &file, Task::Find, || {
                        format!("{wrong} at {at} of {}", name(found))
                    });
                }
            }
        }
        assert!(tally.refused > 100, "{}", good.name);
    }
}

#[test]
fn boxes_that_are_missing_or_there_twice_are_refused_or_make_no_difference() {
    for good in good() {
        let mut tally = Tally::default();
        for found in &good.boxes {
            let mut file = good.file.clone();
            file[found.at + 4..found.at + 8].copy_from_slice(b"free");
            tally.take(&good, &file, Task::Compare, || {
                format!("no {}", name(found))
            });

            let mut file = good.file.clone();
            let copy = file[found.at..found.at + found.size].to_vec();
            file.splice(found.at..found.at, copy);
            for parent in &found.parents {
                let size = u32::from_be_bytes(file[*parent..parent + 4].try_into().unwrap());
                let size = size + found.size as u32;
                file[*parent..parent + 4].copy_from_slice(&size.to_be_bytes());
            }
            tally.take(&good, &file, Task::Find, || {
                format!("{} twice", name(found))
            });
        }
        assert!(tally.refused > 10 && tally.read > 10, "{}", good.name);
    }
}

/// What stands before a fragment or behind it does not move what is in it.
#[test]
fn boxes_around_and_between_keep_every_byte() {
    for good in good()
        .iter()
        .filter(|good| good.file.windows(4).any(|b| b == b"moof"))
    {
        for found in good.boxes.iter().filter(|found| found.parents.is_empty()) {
            for kind in [b"uuid", b"emsg", b"styp", b"free", b"sidx", b"prft"] {
                // Between `moof` and `mdat` they would move the samples.
                if found.kind == *b"mdat" {
                    continue;
                }
                let own = [&32_u32.to_be_bytes()[..], kind, &[0xa5; 24]].concat();
                let mut file = good.file.clone();
                file.splice(found.at..found.at, own.iter().copied());
                let clear = walk(good, &file, Task::Decrypt).unwrap();
                let mut wanted = good.clear.clone();
                wanted.splice(found.at..found.at, own.iter().copied());
                assert!(
                    clear == wanted,
                    "{}: {} before {}",
                    good.name,
                    kind.escape_ascii(),
                    name(found)
                );
            }
        }
    }
}

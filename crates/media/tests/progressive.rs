//! Progressive files, made from the sample files: the same samples, still as Shaka Packager protected
//! them, listed in `moov` in every form that the standard has.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a panic is a failed test, and test files are small"
)]

mod support;

use std::io::{Cursor, Read, Seek};

use keybearer_media::{BatchLimit, ClearWriter, MediaError, MediaReader, Part, Unsupported};
use support::{Auxiliary, Keys, Made, Options, decrypt_batch, load_keys, make};

/// Files of all kinds: schemes, IV sizes, two tracks, whole-sample protection, keys that change.
const FILES: [&str; 9] = [
    "cenc-both.mp4",
    "cbcs-both.mp4",
    "cens-iv8-video.mp4",
    "cbc1-bare-audio.mp4",
    "cbcs-iv8-audio.mp4",
    "cenc-lead-video.mp4",
    "cenc-periods-video.mp4",
    "cbcs-periods-lead-video.mp4",
    "cens-av1.mp4",
];

fn decrypt<R: Read>(
    mut reader: MediaReader<R>,
    keys: &Keys,
) -> Result<(Vec<u8>, usize), MediaError> {
    let mut writer = ClearWriter::start(Vec::new(), &reader)?;
    reader.forget_init();
    let mut samples = 0;
    loop {
        let needed = reader.needed_memory()?;
        let Some(part) = reader.next_part()? else {
            break;
        };
        match part {
            Part::Other(bytes) => {
                assert!(bytes.len() <= 64 << 10 && !bytes.is_empty());
                writer.write_other(bytes)?;
            }
            Part::Fragment(fragment) => {
                // A page to choose a place in.
                let wanted = fragment.media().len() + 4096;
                assert!(needed.is_none_or(|needed| needed == wanted));
                let (tracks, media) = fragment.split();
                for track in tracks {
                    samples += track.samples().len();
                    for batch in track.batches(BatchLimit::default()) {
                        decrypt_batch(&batch, media, keys);
                    }
                }
                writer.write_fragment(fragment)?;
            }
        }
    }
    Ok((writer.finish()?, samples))
}

/// Decrypts and compares every byte of the result.
#[track_caller]
fn check(made: &Made, keys: &Keys, seekable: bool, what: &str) {
    let reader = if seekable {
        MediaReader::open_seekable(Cursor::new(&made.file))
    } else {
        MediaReader::open(Cursor::new(&made.file))
    };
    let (clear, samples) = decrypt(reader.unwrap(), keys).unwrap();
    assert_eq!(samples, made.samples.len(), "{what}");
    assert_eq!(clear.len(), made.file.len(), "{what}");
    let mut expected = made.file.clone();
    for (at, data) in &made.samples {
        expected[*at..at + data.len()].copy_from_slice(data);
    }
    // In `moov` all may differ but its length; it has a test of its own.
    for file in [&mut expected, &mut clear.clone()] {
        file[made.moov.clone()].fill(0);
    }
    let mut actual = clear.clone();
    actual[made.moov.clone()].fill(0);
    assert!(actual == expected, "{what}: other bytes");
    let traces = [
        &b"sinf"[..],
        b"senc",
        b"saiz",
        b"saio",
        b"seig",
        b"pssh",
        b"encv",
        b"enca",
    ];
    for trace in traces {
        let moov = &clear[made.moov.clone()];
        assert!(!moov.windows(4).any(|bytes| bytes == trace), "{what}");
    }
}

/// Every combination that matters for the reading, named for the failure.
fn options() -> Vec<Options> {
    let mut all = Vec::new();
    for moov_last in [false, true] {
        for auxiliary in [
            Auxiliary::SencInTrak,
            Auxiliary::SencInStbl,
            Auxiliary::PointedInMoov,
            Auxiliary::PointedInMdat { each_chunk: false },
            Auxiliary::PointedInMdat { each_chunk: true },
        ] {
            for samples_in_chunk in [1, 7, usize::MAX] {
                all.push(Options {
                    moov_last,
                    auxiliary,
                    samples_in_chunk,
                    ..Options::default()
                });
            }
        }
        for variant in [
            Options {
                wide_offsets: true,
                ..Options::default()
            },
            Options {
                wide_boxes: true,
                ..Options::default()
            },
            Options {
                compact_sizes: true,
                ..Options::default()
            },
            Options {
                reverse_chunks: true,
                samples_in_chunk: 5,
                ..Options::default()
            },
            Options {
                gaps: true,
                samples_in_chunk: 3,
                ..Options::default()
            },
            Options {
                two_mdats: true,
                ..Options::default()
            },
            Options {
                open_end: true,
                ..Options::default()
            },
        ] {
            all.push(Options {
                moov_last,
                ..variant
            });
        }
    }
    all
}

#[test]
fn every_form_of_a_progressive_file_becomes_clear() {
    for name in FILES {
        let keys = load_keys(name);
        for options in options() {
            // An `mdat` to the end of the file has nothing behind it.
            if options.open_end && options.moov_last {
                continue;
            }
            let made = make(name, &keys, &options);
            check(&made, &keys, true, &format!("{name} {options:?}"));
        }
    }
}

#[test]
fn a_pipe_serves_where_moov_comes_first_and_is_refused_by_name_where_not() {
    for name in FILES {
        let keys = load_keys(name);
        for options in options() {
            let made = make(name, &keys, &options);
            let in_order = !options.moov_last && !options.open_end;
            let in_moov = !matches!(options.auxiliary, Auxiliary::PointedInMdat { .. });
            if in_order && in_moov {
                check(&made, &keys, false, &format!("{name} {options:?}"));
            } else if options.moov_last {
                let refused = MediaReader::open(made.file.as_slice()).unwrap_err();
                let what = Unsupported::MovieAtEnd;
                assert!(
                    matches!(refused, MediaError::Unsupported { what: found, .. } if found == what),
                    "{refused}"
                );
            } else if !in_moov {
                let reader = MediaReader::open(made.file.as_slice()).unwrap();
                match decrypt(reader, &keys) {
                    // Nothing that has to be looked up: constant IVs and whole samples.
                    Ok(_) => assert!(made.no_information, "{name}"),
                    Err(MediaError::Unsupported { what, .. }) => {
                        assert_eq!(what, Unsupported::ScatteredAuxiliaryInformation);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
}

/// Reads at random places as well as those of a file do, and counts what it gave.
struct Short<'a>(Cursor<&'a [u8]>);

impl Read for Short<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let some = into.len().min(11);
        self.0.read(&mut into[..some])
    }
}

impl Seek for Short<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn short_reads_and_a_place_inside_another_file_make_no_difference() {
    let name = "cenc-both.mp4";
    let keys = load_keys(name);
    let options = Options {
        moov_last: true,
        auxiliary: Auxiliary::PointedInMdat { each_chunk: true },
        samples_in_chunk: 4,
        ..Options::default()
    };
    let made = make(name, &keys, &options);
    let (wanted, _) = decrypt(
        MediaReader::open_seekable(Cursor::new(&made.file)).unwrap(),
        &keys,
    )
    .unwrap();
    let within = [&b"something before"[..], &made.file].concat();
    let mut input = Short(Cursor::new(&within));
    input.0.set_position(16);
    let (found, _) = decrypt(MediaReader::open_seekable(input).unwrap(), &keys).unwrap();
    assert!(found == wanted);
}

#[test]
fn a_piece_can_be_read_again_after_its_bytes_are_spoiled() {
    let name = "cbcs-both.mp4";
    let keys = load_keys(name);
    for moov_last in [false, true] {
        let options = Options {
            moov_last,
            samples_in_chunk: 10,
            ..Options::default()
        };
        let made = make(name, &keys, &options);
        let mut reader = MediaReader::open_seekable(Cursor::new(&made.file)).unwrap();
        let mut pieces = 0;
        while let Some(part) = reader.next_part().unwrap() {
            if !matches!(part, Part::Fragment(_)) {
                continue;
            }
            pieces += 1;
            let before = reader.fragment().media().to_vec();
            let position = reader.position();
            reader.fragment().split().1.fill(0xdd);
            reader.reread().unwrap();
            assert!(reader.fragment().media() == before);
            assert_eq!(reader.position(), position);
        }
        assert!(pieces > 0);
    }
}

#[test]
fn a_clear_file_passes_in_any_order() {
    for moov_last in [false, true] {
        let options = Options {
            moov_last,
            clear: true,
            ..Options::default()
        };
        let made = make("cenc-both.mp4", &load_keys("cenc-both.mp4"), &options);
        let reader = MediaReader::open_seekable(Cursor::new(&made.file)).unwrap();
        let (copy, samples) = decrypt(reader, &Keys::new()).unwrap();
        assert_eq!(samples, 0);
        assert!(copy == made.file);
    }
}

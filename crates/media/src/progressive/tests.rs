#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a panic is a failed test, and test files are small"
)]

use std::io::Cursor;

use crate::limits::{MAX_UNORDERED_CHUNKS, PIECE_BYTES, PIECE_SAMPLES};
use crate::testing::{
    bx, encv, full, init_of, iv8, listed_trak, read, refused, refused_field, senc, table, tenc,
    tenc_constant, visual, words,
};
use crate::{BatchLimit, MediaError, MediaReader, Part, Unsupported};

/// The tables of a track, each as it is put into the file.
#[derive(Clone)]
struct Tables {
    entries: Vec<Vec<u8>>,
    stts: Vec<u8>,
    stsc: Vec<u8>,
    stsz: Vec<u8>,
    /// Chunks, from the start of the media data.
    chunks: Vec<u32>,
    more: Vec<u8>,
    in_trak: Vec<u8>,
    dinf: Vec<u8>,
}

fn stts(rows: &[[u32; 2]]) -> Vec<u8> {
    rows_box(b"stts", rows.as_flattened(), rows.len())
}

fn stsc(rows: &[[u32; 3]]) -> Vec<u8> {
    rows_box(b"stsc", rows.as_flattened(), rows.len())
}

fn rows_box(kind: &[u8; 4], values: &[u32], rows: usize) -> Vec<u8> {
    full(kind, 0, 0, &[&words(&[rows as u32]), &words(values)])
}

fn stsz(sizes: &[u32]) -> Vec<u8> {
    full(
        b"stsz",
        0,
        0,
        &[&words(&[0, sizes.len() as u32]), &words(sizes)],
    )
}

impl Tables {
    /// Five samples of 10 to 14 bytes in chunks of 2, 2 and 1.
    fn usual() -> Self {
        Self {
            entries: vec![encv(b"cenc", &tenc(8))],
            stts: stts(&[[2, 40], [0, 7], [3, 50]]),
            stsc: stsc(&[[1, 2, 1], [3, 1, 1]]),
            stsz: stsz(&[10, 11, 12, 13, 14]),
            chunks: vec![0, 21, 46],
            more: Vec::new(),
            in_trak: senc(&[], 5),
            dinf: Vec::new(),
        }
    }

    fn trak(&self, id: u32, base: u32) -> Vec<u8> {
        let chunks: Vec<u32> = self.chunks.iter().map(|at| at.wrapping_add(base)).collect();
        let stco = rows_box(b"stco", &chunks, chunks.len());
        let entries: Vec<&[u8]> = self.entries.iter().map(Vec::as_slice).collect();
        let stbl = [&self.stts, &self.stsc, &self.stsz, &stco, &self.more].map(Vec::as_slice);
        let mut trak = listed_trak(id, b"vide", &entries, &stbl, &[&self.in_trak]);
        if !self.dinf.is_empty() {
            insert_dinf(&mut trak, &self.dinf);
        }
        trak
    }
}

/// Puts a `dinf` before the `stbl` of a track.
fn insert_dinf(trak: &mut Vec<u8>, dinf: &[u8]) {
    let place =
        |trak: &[u8], kind: &[u8; 4]| trak.windows(4).position(|bytes| bytes == kind).unwrap() - 4;
    for kind in [b"trak", b"mdia", b"minf"] {
        let at = place(trak, kind);
        let size = u32::from_be_bytes(trak[at..at + 4].try_into().unwrap()) + dinf.len() as u32;
        trak[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
    let at = place(trak, b"stbl");
    trak.splice(at..at, dinf.iter().copied());
}

/// A file with `moov` first and so many bytes of media data.
fn file(tracks: &[Tables], media: u32) -> Vec<u8> {
    let data: Vec<u8> = (0..media).map(|at| (at % 251) as u8).collect();
    let head = |base| {
        let traks = tracks
            .iter()
            .zip(1..)
            .map(|(track, id)| track.trak(id, base));
        init_of(&[&traks.collect::<Vec<_>>().concat()])
    };
    let base = head(0).len() as u32 + 8;
    [head(base), bx(b"mdat", &[&data])].concat()
}

fn changed(change: impl FnOnce(&mut Tables)) -> Vec<u8> {
    let mut tables = Tables::usual();
    change(&mut tables);
    file(&[tables], 60)
}

#[test]
fn tables_are_followed_to_each_sample() {
    let found = read(&file(&[Tables::usual()], 60)).unwrap();
    let [track] = &found[..] else {
        panic!("one piece of one track")
    };
    let starts: Vec<_> = table(track).iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(starts, [(0, 10), (10, 21), (21, 33), (33, 46), (46, 60)]);
    let durations: Vec<u32> = track
        .samples()
        .iter()
        .map(|sample| sample.duration)
        .collect();
    assert_eq!(durations, [40, 40, 50, 50, 50]);
    assert_eq!(track.decode_time, Some(0));
    let ivs: Vec<_> = table(track).into_iter().map(|row| row.2).collect();
    assert_eq!(ivs, [0, 1, 2, 3, 4].map(|number| iv8(number).to_vec()));
    // One size for all, and sizes of 4 and 8 bits.
    for sizes in [
        full(b"stsz", 0, 0, &[&words(&[12, 5])]),
        full(b"stz2", 0, 0, &[&words(&[4, 5]), &[0xcc, 0xcc, 0xc0]]),
        full(b"stz2", 0, 0, &[&words(&[8, 5]), &[12; 5]]),
    ] {
        let found = read(&changed(|tables| {
            tables.stsz = sizes;
            tables.chunks = vec![0, 24, 48];
        }));
        let found = found.unwrap();
        assert!(found[0].samples().iter().all(|sample| sample.size == 12));
        assert_eq!(found[0].samples()[4].range(), 48..60);
    }
}

#[test]
fn each_sample_entry_has_its_own_protection() {
    let tables = Tables {
        entries: vec![
            encv(b"cenc", &tenc(8)),
            visual(b"avc1", &[]),
            encv(b"cbcs", &tenc_constant(&[5; 16], 0x19)),
        ],
        stsc: stsc(&[[1, 2, 1], [2, 2, 2], [3, 1, 3]]),
        in_trak: full(b"senc", 0, 0, &[&words(&[5]), &iv8(0), &iv8(1)]),
        ..Tables::usual()
    };
    let found = read(&file(&[tables], 60)).unwrap();
    let of = |at: usize| {
        let batch = found[at].batches(BatchLimit::UNLIMITED).next().unwrap();
        (
            found[at].entry,
            found[at].decode_time,
            batch.protection().map(|protection| protection.scheme),
            batch.samples().len(),
        )
    };
    use crate::Scheme::{Cbcs, Cenc};
    assert_eq!(of(0), (0, Some(0), Some(Cenc), 2));
    assert_eq!(of(1), (1, Some(80), None, 2));
    assert_eq!(of(2), (2, Some(180), Some(Cbcs), 1));
    assert_eq!(found[2].samples()[0].iv.as_slice(), [5; 16]);
}

#[test]
fn tables_that_contradict_each_other_are_refused() {
    let field = |kind, name: &str, change: &dyn Fn(&mut Tables)| {
        refused_field(&changed(change), kind, name);
    };
    let chunks = "number of samples in all chunks";
    field(b"stts", "sum of sample_count", &|t| {
        t.stts = stts(&[[4, 40]])
    });
    field(b"stts", "sum of sample_count", &|t| {
        t.stts = stts(&[[u32::MAX, 1], [6, 1]]);
    });
    field(b"stsc", chunks, &|t| t.stsc = stsc(&[[1, 2, 1]]));
    field(b"stsc", chunks, &|t| t.stsc = stsc(&[[1, 1, 1]]));
    field(b"stsc", chunks, &|t| t.stsc = stsc(&[[1, u32::MAX, 1]]));
    field(b"stsc", chunks, &|t| t.stsc = stsc(&[]));
    field(b"stsc", "first_chunk", &|t| t.stsc = stsc(&[[2, 2, 1]]));
    field(b"stsc", "first_chunk", &|t| {
        t.stsc = stsc(&[[1, 2, 1], [1, 1, 1]]);
    });
    field(b"stsc", "first_chunk", &|t| {
        t.stsc = stsc(&[[1, 2, 1], [4, 1, 1]]);
    });
    for number in [0, 2, u32::MAX] {
        field(b"stsc", "sample_description_index", &|t| {
            t.stsc = stsc(&[[1, 2, number], [3, 1, 1]]);
        });
    }
    field(b"stz2", "field_size", &|t| {
        t.stsz = full(b"stz2", 0, 0, &[&words(&[12, 5]), &[0; 8]]);
    });
    field(b"senc", "sample_count", &|t| t.in_trak = senc(&[], 4));
    field(b"senc", "behind the last field", &|t| {
        t.in_trak = full(b"senc", 0, 0, &[&words(&[5]), &[0; 41]]);
    });
    for kind in [b"stts", b"stsc", b"stsz"] {
        let version_1 = full(kind, 1, 0, &[&words(&[0, 0])]);
        field(kind, "version", &|t| match kind {
            b"stts" => t.stts = version_1.clone(),
            b"stsc" => t.stsc = version_1.clone(),
            _ => t.stsz = version_1.clone(),
        });
    }
}

#[test]
fn counts_without_rows_allocate_nothing() {
    let many = |kind| full(kind, 0, 0, &[&words(&[u32::MAX, u32::MAX]), &[0; 8]]);
    for file in [
        changed(|t| t.stts = many(b"stts")),
        changed(|t| t.stsc = many(b"stsc")),
        changed(|t| t.stsz = full(b"stsz", 0, 0, &[&words(&[0, u32::MAX, 1])])),
    ] {
        let error = refused(&file);
        assert!(matches!(error, MediaError::Truncated { .. }), "{error}");
    }
    // A size for all samples needs no rows, but chunks.
    refused_field(
        &changed(|t| t.stsz = full(b"stsz", 0, 0, &[&words(&[1, u32::MAX])])),
        b"stts",
        "sum of sample_count",
    );
}

#[test]
fn missing_and_repeated_tables_are_refused() {
    for kind in ["stts", "stsc"] {
        let error = refused(&changed(|t| match kind {
            "stts" => t.stts.clear(),
            _ => t.stsc.clear(),
        }));
        match error {
            MediaError::Missing { kind: found, .. } => assert_eq!(found.to_string(), kind),
            other => panic!("{other}"),
        }
    }
    for twice in [Tables::usual().stts, Tables::usual().stsz, senc(&[], 5)] {
        let mut file = changed(|t| t.more = [twice.clone(), twice].concat());
        let error = refused(&file);
        assert!(matches!(error, MediaError::Repeated { .. }), "{error}");
        file.clear();
    }
    let error = refused(&changed(|t| t.in_trak.clear()));
    assert!(matches!(error, MediaError::Missing { .. }), "{error}");
}

#[test]
fn samples_outside_the_media_data_are_refused() {
    let place = "place of a sample";
    for chunks in [
        // Before `mdat`, in its header, behind it, over its end, far away.
        [u32::MAX - 100, 21, 46],
        [(-1_i32).cast_unsigned(), 21, 46],
        [0, 21, 47],
        [0, 21, 60],
        [0, 21, 1 << 30],
    ] {
        refused_field(&changed(|t| t.chunks = chunks.to_vec()), b"stco", place);
    }
    // No `mdat` at all.
    let whole = changed(|_| ());
    refused_field(&whole[..whole.len() - 68], b"stco", place);
    // One that is shorter than it says.
    let error = refused(&whole[..whole.len() - 1]);
    assert!(matches!(error, MediaError::Truncated { .. }), "{error}");
}

#[test]
fn samples_that_share_bytes_are_refused() {
    let place = "place of a sample";
    refused_field(&changed(|t| t.chunks = vec![0, 20, 46]), b"stco", place);
    refused_field(&changed(|t| t.chunks = vec![0, 0, 46]), b"stco", place);
    // Of two tracks.
    let twice = [Tables::usual(), Tables::usual()];
    refused_field(&file(&twice, 60), b"stco", place);
    let mut apart = twice;
    apart[1].chunks = vec![60, 81, 106];
    assert_eq!(read(&file(&apart, 120)).unwrap().len(), 2);
}

#[test]
fn chunks_in_any_order_are_handed_out_in_the_order_of_the_file() {
    let found = read(&changed(|t| t.chunks = vec![39, 14, 0])).unwrap();
    let rows = table(&found[0]);
    let order: Vec<_> = rows.iter().map(|row| (row.0, row.2.clone())).collect();
    let wanted = [(0, 4), (14, 2), (26, 3), (39, 0), (49, 1)];
    assert_eq!(order, wanted.map(|(at, number)| (at, iv8(number).to_vec())));
    // As long as there are not too many of them.
    let count = MAX_UNORDERED_CHUNKS as u32 + 1;
    let many = |t: &mut Tables| {
        t.chunks = (0..count).rev().collect();
        t.stsz = full(b"stsz", 0, 0, &[&words(&[1, count])]);
        t.stts = stts(&[[count, 1]]);
        t.stsc = stsc(&[[1, 1, 1]]);
        t.entries = vec![encv(b"cbcs", &tenc_constant(&[5; 16], 0))];
        t.in_trak.clear();
    };
    refused_field(&changed(many), b"stco", "do not lie in order");
}

#[test]
fn pieces_are_bounded_in_bytes_and_in_samples() {
    let pieces = |size: u32, count: u32| {
        let tables = Tables {
            entries: vec![encv(b"cbcs", &tenc_constant(&[5; 16], 0))],
            stts: stts(&[[count, 40]]),
            stsc: stsc(&[[1, count, 1]]),
            stsz: full(b"stsz", 0, 0, &[&words(&[size, count])]),
            chunks: vec![0],
            in_trak: Vec::new(),
            ..Tables::usual()
        };
        let file = file(&[tables], size * count);
        let mut reader = MediaReader::open_seekable(Cursor::new(&file)).unwrap();
        let mut out = Vec::new();
        while let Some(part) = reader.next_part().unwrap() {
            if let Part::Fragment(fragment) = part {
                out.push((fragment.media().len(), fragment.tracks()[0].samples().len()));
            }
        }
        out
    };
    let most = PIECE_BYTES as usize;
    assert_eq!(pieces(1 << 18, 9), [(most, 4), (most, 4), (1 << 18, 1)]);
    // A sample larger than a piece goes alone.
    assert_eq!(pieces(5 << 20, 2), [(5 << 20, 1); 2]);
    let samples = PIECE_SAMPLES;
    assert_eq!(
        pieces(3, samples as u32 + 1),
        [(3 * samples, samples), (3, 1)]
    );
}

#[test]
fn samples_in_other_files_are_refused_where_they_are_protected() {
    let dref = |flags| {
        let entry = full(b"url ", 0, flags, &[]);
        bx(b"dinf", &[&full(b"dref", 0, 0, &[&words(&[1]), &entry])])
    };
    assert!(read(&changed(|t| t.dinf = dref(1))).is_ok());
    let what = Unsupported::SamplesInOtherFiles;
    assert!(matches!(
        refused(&changed(|t| t.dinf = dref(0))),
        MediaError::Unsupported { what: found, .. } if found == what
    ));
    // A clear track of another file does not matter, wherever its chunks seem to be.
    let elsewhere = Tables {
        entries: vec![visual(b"avc1", &[])],
        in_trak: Vec::new(),
        dinf: dref(0),
        ..Tables::usual()
    };
    let found = read(&file(&[Tables::usual(), elsewhere], 60)).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn information_that_leads_astray_is_refused() {
    let saiz = full(b"saiz", 0, 0, &[&[8], &words(&[5])]);
    let saio = |offsets: &[u32]| rows_box(b"saio", offsets, offsets.len());
    let only = |more: &[&[u8]]| {
        let more = more.concat();
        changed(|t| {
            t.in_trak.clear();
            t.more = more;
        })
    };
    refused_field(&only(&[&saiz, &saio(&[1, 2])]), b"saio", "entry_count");
    for missing in [&saiz, &saio(&[1])] {
        let error = refused(&only(&[missing]));
        assert!(matches!(error, MediaError::Missing { .. }), "{error}");
    }
    // Behind the end of the file.
    let file = only(&[&saiz, &saio(&[1 << 30])]);
    let error = MediaReader::open_seekable(Cursor::new(&file))
        .unwrap()
        .next_part()
        .map(drop);
    let mut reader = MediaReader::open_seekable(Cursor::new(&file)).unwrap();
    let mut outcome = error;
    while outcome.is_ok() {
        outcome = reader.next_part().map(drop);
    }
    assert!(matches!(outcome, Err(MediaError::Truncated { .. })));
    // Beside `senc` it can only lead there.
    let both = changed(|t| t.more = [saiz.clone(), saio(&[77])].concat());
    refused_field(&both, b"saio", "against 'senc'");
    let sizes = changed(|t| t.more = full(b"saiz", 0, 0, &[&[9], &words(&[5])]));
    refused_field(&sizes, b"saiz", "against 'senc'");
}

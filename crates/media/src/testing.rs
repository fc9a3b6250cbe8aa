//! Builds small files box by box, right or wrong as a test wants them.

use crate::{ClearWriter, Fragment, MediaError, MediaReader, Part, Subsample, TrackFragment};

pub(crate) const KID: [u8; 16] = *b"0123456789abcdef";
pub(crate) const TIMESCALE: u32 = 1000;

/// A box of the given type with its payload in pieces.
pub(crate) fn bx(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let size = u32::try_from(payload.len() + 8).expect("test boxes are small");
    [&size.to_be_bytes()[..], kind, &payload].concat()
}

/// A full box.
pub(crate) fn full(kind: &[u8; 4], version: u8, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let head = (u32::from(version) << 24 | flags).to_be_bytes();
    bx(kind, &[&head, &parts.concat()])
}

/// Big-endian 32-bit numbers.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The same box with a 64-bit size.
pub(crate) fn long(source: &[u8]) -> Vec<u8> {
    let size = (source.len() + 8) as u64;
    [
        &[0, 0, 0, 1],
        &source[4..8],
        &size.to_be_bytes(),
        &source[8..],
    ]
    .concat()
}

/// `tenc` version 0 with per-sample IVs.
pub(crate) fn tenc(iv_size: u8) -> Vec<u8> {
    full(b"tenc", 0, 0, &[&[0, 0, 1, iv_size], &KID])
}

/// `tenc` version 1 with a constant IV.
pub(crate) fn tenc_constant(iv: &[u8], pattern: u8) -> Vec<u8> {
    let size = u8::try_from(iv.len()).expect("an IV");
    full(b"tenc", 1, 0, &[&[0, pattern, 1, 0], &KID, &[size], iv])
}

pub(crate) fn schm(scheme: &[u8; 4]) -> Vec<u8> {
    full(b"schm", 0, 0, &[scheme, &words(&[0x1_0000])])
}

pub(crate) fn sinf(original: &[u8; 4], scheme: &[u8; 4], tenc: &[u8]) -> Vec<u8> {
    bx(
        b"sinf",
        &[
            &bx(b"frma", &[original]),
            &schm(scheme),
            &bx(b"schi", &[tenc]),
        ],
    )
}

/// A visual sample entry, 320 by 180.
pub(crate) fn visual(kind: &[u8; 4], boxes: &[&[u8]]) -> Vec<u8> {
    let mut fields = [0; 78];
    fields[7] = 1;
    fields[24..28].copy_from_slice(&[1, 64, 0, 180]);
    bx(kind, &[&fields, &boxes.concat()])
}

/// A protected video entry.
pub(crate) fn encv(scheme: &[u8; 4], tenc: &[u8]) -> Vec<u8> {
    visual(
        b"encv",
        &[&bx(b"avcC", &[b"config"]), &sinf(b"avc1", scheme, tenc)],
    )
}

/// A track of the given handler with its sample entries and further boxes of `stbl`.
pub(crate) fn trak(id: u32, handler: &[u8; 4], entries: &[&[u8]], stbl: &[&[u8]]) -> Vec<u8> {
    let stsz = full(b"stsz", 0, 0, &[&words(&[0, 0])]);
    listed_trak(id, handler, entries, &[&stsz, &stbl.concat()], &[])
}

/// A track with the tables of `stbl` as given, and boxes behind its `mdia`.
pub(crate) fn listed_trak(
    id: u32,
    handler: &[u8; 4],
    entries: &[&[u8]],
    stbl: &[&[u8]],
    behind: &[&[u8]],
) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("few entries");
    let stsd = full(b"stsd", 0, 0, &[&words(&[count]), &entries.concat()]);
    let stbl = bx(b"stbl", &[&stsd, &stbl.concat()]);
    let mdhd = full(b"mdhd", 0, 0, &[&words(&[0, 0, TIMESCALE, 0, 0])]);
    let hdlr = full(b"hdlr", 0, 0, &[&words(&[0]), handler, &[0; 13]]);
    let mdia = bx(b"mdia", &[&mdhd, &hdlr, &bx(b"minf", &[&stbl])]);
    bx(
        b"trak",
        &[
            &full(b"tkhd", 0, 7, &[&words(&[0, 0, id, 0, 0])]),
            &mdia,
            &behind.concat(),
        ],
    )
}

/// `trex`: first sample entry, 40 units, 16 bytes.
pub(crate) fn trex(id: u32) -> Vec<u8> {
    full(b"trex", 0, 0, &[&words(&[id, 1, 40, 16, 0])])
}

/// `ftyp` and a fragmented `moov` with one video track of number 1.
pub(crate) fn init(entry: &[u8]) -> Vec<u8> {
    init_of(&[&trak(1, b"vide", &[entry], &[]), &bx(b"mvex", &[&trex(1)])])
}

pub(crate) fn init_of(moov: &[&[u8]]) -> Vec<u8> {
    let mvhd = full(b"mvhd", 0, 0, &[&[0; 96]]);
    [
        bx(b"ftyp", &[b"iso6\0\0\0\0"]),
        bx(b"moov", &[&mvhd, &moov.concat()]),
    ]
    .concat()
}

/// `tfhd` of track 1 with default-base-is-moof.
pub(crate) fn tfhd() -> Vec<u8> {
    full(b"tfhd", 0, 0x2_0000, &[&words(&[1])])
}

/// `trun` with sizes and data offset.
pub(crate) fn trun(data_offset: u32, sizes: &[u32]) -> Vec<u8> {
    let count = u32::try_from(sizes.len()).expect("few samples");
    full(
        b"trun",
        0,
        0x201,
        &[&words(&[count, data_offset]), &words(sizes)],
    )
}

/// `moof` and `mdat`. `trafs` gets the offset of the media data from the start of `moof` and gives what
/// stands in `moof` behind `mfhd`; its length must not depend on the offset.
pub(crate) fn fragment(trafs: impl Fn(u32) -> Vec<u8>, data: &[u8]) -> Vec<u8> {
    let moof = |offset| {
        let mfhd = full(b"mfhd", 0, 0, &[&words(&[7])]);
        bx(b"moof", &[&mfhd, &trafs(offset)])
    };
    let length = u32::try_from(moof(0).len()).expect("a test fragment");
    [moof(length + 8), bx(b"mdat", &[data])].concat()
}

/// A fragment of one `traf` with a `tfhd`, one `trun`, and the boxes given.
pub(crate) fn simple_fragment(sizes: &[u32], boxes: &[&[u8]]) -> Vec<u8> {
    let total: u32 = sizes.iter().sum();
    let data: Vec<u8> = (0..total).map(|at| (at % 251) as u8).collect();
    fragment(
        |offset| bx(b"traf", &[&tfhd(), &trun(offset, sizes), &boxes.concat()]),
        &data,
    )
}

/// `senc` with 8-byte IVs counting up; subsamples where there are any.
pub(crate) fn senc(subsamples: &[&[(u16, u32)]], samples: u32) -> Vec<u8> {
    let mut entries = Vec::new();
    for sample in 0..samples {
        entries.extend(iv8(sample));
        if let Some(table) = subsamples.get(sample as usize) {
            entries.extend(u16::try_from(table.len()).expect("few").to_be_bytes());
            for (clear, protected) in *table {
                entries.extend(clear.to_be_bytes());
                entries.extend(protected.to_be_bytes());
            }
        }
    }
    let flags = if subsamples.is_empty() { 0 } else { 2 };
    full(b"senc", 0, flags, &[&words(&[samples]), &entries])
}

pub(crate) fn iv8(sample: u32) -> [u8; 8] {
    (0x0102_0304_0000_0000 + u64::from(sample)).to_be_bytes()
}

/// A whole file of one video track with 8-byte IVs: what most tests start from.
pub(crate) fn cenc_file(fragments: &[&[u8]]) -> Vec<u8> {
    [&init(&encv(b"cenc", &tenc(8))), &fragments.concat()[..]].concat()
}

/// Reads a file to its end, giving the track fragments.
pub(crate) fn read(file: &[u8]) -> Result<Vec<TrackFragment>, MediaError> {
    let mut reader = MediaReader::open(file)?;
    let mut out = Vec::new();
    while let Some(part) = reader.next_part()? {
        if let Part::Fragment(fragment) = part {
            out.extend(fragment.tracks().iter().cloned());
        }
    }
    Ok(out)
}

/// The error that reading a file must give.
#[track_caller]
pub(crate) fn refused(file: &[u8]) -> MediaError {
    read(file).expect_err("the file is wrong and must be refused")
}

/// Asserts that a file is refused because of this field of this box.
#[track_caller]
pub(crate) fn refused_field(file: &[u8], kind: &[u8; 4], field: &str) {
    match refused(file) {
        MediaError::Invalid {
            kind: found,
            field: name,
            ..
        }
        | MediaError::TooLarge {
            kind: found,
            field: name,
            ..
        } if found.0 == *kind && name.contains(field) => {}
        other => panic!("expected a complaint about {field}, got: {other}"),
    }
}

/// Copies a file through the writer without decrypting; `each` sees every fragment.
pub(crate) fn copy(
    file: &[u8],
    mut each: impl FnMut(&mut Fragment),
) -> Result<Vec<u8>, MediaError> {
    let mut reader = MediaReader::open(file)?;
    let mut writer = ClearWriter::start(Vec::new(), &reader)?;
    while let Some(part) = reader.next_part()? {
        match part {
            Part::Other(bytes) => writer.write_other(bytes)?,
            Part::Fragment(fragment) => {
                each(fragment);
                writer.write_fragment(fragment)?;
            }
        }
    }
    writer.finish()
}

/// Ranges, IVs and subsamples of all samples.
pub(crate) fn table(fragment: &TrackFragment) -> Vec<(usize, usize, Vec<u8>, Vec<Subsample>)> {
    let row = |sample: &crate::Sample| {
        let range = sample.range();
        let subsamples = fragment.subsamples(sample).to_vec();
        (
            range.start,
            range.end,
            sample.iv.as_slice().to_vec(),
            subsamples,
        )
    };
    fragment.samples().iter().map(row).collect()
}

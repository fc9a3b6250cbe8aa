//! Makes progressive files of the fragmented sample files.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use keybearer_cenc::{ContentKey, SampleProtection};
use keybearer_media::{
    Batch, BatchLimit, IvSource, KeyId, MediaReader, Part, Presentation, Protection, Subsample,
    clear_init,
};

mod apart;
mod file;

use apart::take_apart;
use file::lay_out;

/// Content keys by key id.
pub(crate) type Keys = HashMap<KeyId, ContentKey>;

/// Where IVs and subsamples stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Auxiliary {
    /// Where the standard has it.
    #[default]
    SencInTrak,
    /// With `saiz` and `saio`, as FFmpeg writes it.
    SencInStbl,
    PointedInMoov,
    PointedInMdat {
        /// One offset for each chunk instead of one for all.
        each_chunk: bool,
    },
}

/// The form of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) moov_last: bool,
    pub(crate) auxiliary: Auxiliary,
    pub(crate) samples_in_chunk: usize,
    pub(crate) wide_offsets: bool,
    pub(crate) wide_boxes: bool,
    pub(crate) compact_sizes: bool,
    pub(crate) reverse_chunks: bool,
    pub(crate) gaps: bool,
    pub(crate) two_mdats: bool,
    pub(crate) open_end: bool,
    /// The samples decrypted, and a `moov` that knows of no protection.
    pub(crate) clear: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            moov_last: false,
            auxiliary: Auxiliary::default(),
            samples_in_chunk: 20,
            wide_offsets: false,
            wide_boxes: false,
            compact_sizes: false,
            reverse_chunks: false,
            gaps: false,
            two_mdats: false,
            open_end: false,
            clear: false,
        }
    }
}

/// A file, and what must come out of it.
pub(crate) struct Made {
    pub(crate) file: Vec<u8>,
    /// Where each sample is, and its bytes in clear.
    pub(crate) samples: Vec<(usize, Vec<u8>)>,
    /// Where `moov` is.
    pub(crate) moov: Range<usize>,
    /// There are neither IVs nor subsamples.
    pub(crate) no_information: bool,
}

fn load(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples");
    std::fs::read(Path::new(folder).join(name)).unwrap()
}

fn hex16(value: &serde_json::Value) -> [u8; 16] {
    hex::decode(value.as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap()
}

/// The keys of a sample file.
pub(crate) fn load_keys(name: &str) -> Keys {
    let list: serde_json::Value = serde_json::from_slice(&load("samples.json")).unwrap();
    let mut files = list["files"].as_array().unwrap().iter();
    let file = files.find(|file| file["file"] == name).unwrap();
    let tracks = file["tracks"].as_array().unwrap().iter();
    tracks
        .map(|track| (hex16(&track["kid"]), ContentKey::new(&hex16(&track["key"]))))
        .collect()
}

/// Decrypts a batch in place.
pub(crate) fn decrypt_batch(batch: &Batch<'_>, media: &mut [u8], keys: &Keys) {
    let Some(protection) = batch.protection() else {
        return;
    };
    for sample in batch.samples() {
        let subsamples = batch.subsamples(sample);
        let how = SampleProtection {
            scheme: protection.scheme,
            pattern: protection.pattern,
            iv: sample.iv.as_slice(),
            subsamples: (!subsamples.is_empty()).then_some(subsamples),
        };
        keys[&protection.kid]
            .decrypt_sample(&how, &mut media[sample.range()])
            .unwrap();
    }
}

#[derive(Clone)]
struct Sample {
    data: Vec<u8>,
    clear: Vec<u8>,
    duration: u32,
    entry: usize,
    protection: Option<Protection>,
    iv: Vec<u8>,
    subsamples: Vec<Subsample>,
}

struct Track {
    samples: Vec<Sample>,
    /// Of each sample entry.
    protections: Vec<Option<Protection>>,
}

pub(crate) fn bx(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    [
        &(payload.len() as u32 + 8).to_be_bytes()[..],
        kind,
        &payload,
    ]
    .concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Information about a sample; `None` for one that has none.
fn information(sample: &Sample, has_subsamples: bool) -> Option<Vec<u8>> {
    sample.protection?;
    let mut out = sample.iv.clone();
    if has_subsamples {
        out.extend((sample.subsamples.len() as u16).to_be_bytes());
        for part in &sample.subsamples {
            out.extend((part.clear as u16).to_be_bytes());
            out.extend(part.protected.to_be_bytes());
        }
    }
    (!out.is_empty()).then_some(out)
}

/// A chunk: samples of one track, and where they go.
struct Chunk {
    samples: Range<usize>,
    at: usize,
    information_at: usize,
}

fn chunks(track: &Track, most: usize) -> Vec<Chunk> {
    let mut out: Vec<Chunk> = Vec::new();
    for (index, sample) in track.samples.iter().enumerate() {
        match out.last_mut() {
            Some(last)
                if last.samples.len() < most
                    && track.samples[last.samples.start].entry == sample.entry =>
            {
                last.samples.end = index + 1;
            }
            _ => out.push(Chunk {
                samples: index..index + 1,
                at: 0,
                information_at: 0,
            }),
        }
    }
    out
}

/// Marks the auxiliary information in `moov`.
const MARK: &[u8; 16] = b"information here";

struct Maker<'a> {
    options: &'a Options,
    tracks: &'a [Track],
    chunks: Vec<Vec<Chunk>>,
    /// Where the marks in `moov` are, for each track.
    marks: Vec<usize>,
}

impl Maker<'_> {
    fn has_subsamples(&self, track: usize) -> bool {
        self.tracks[track]
            .samples
            .iter()
            .any(|sample| !sample.subsamples.is_empty())
    }

    fn all_information(&self, track: usize) -> Vec<Vec<u8>> {
        let has = self.has_subsamples(track);
        let samples = self.tracks[track].samples.iter();
        samples
            .map(|sample| information(sample, has).unwrap_or_default())
            .collect()
    }

    /// `stbl` boxes that say where samples are.
    fn tables(&self, track: usize) -> Vec<u8> {
        let samples = &self.tracks[track].samples;
        let mut times: Vec<[u32; 2]> = Vec::new();
        for sample in samples {
            match times.last_mut() {
                Some(last) if last[1] == sample.duration => last[0] += 1,
                _ => times.push([1, sample.duration]),
            }
        }
        let stts = bx(
            b"stts",
            &[
                &words(&[0, times.len() as u32]),
                &words(times.as_flattened()),
            ],
        );
        let mut runs: Vec<[u32; 3]> = Vec::new();
        for (index, chunk) in self.chunks[track].iter().enumerate() {
            let entry = samples[chunk.samples.start].entry as u32 + 1;
            let row = [index as u32 + 1, chunk.samples.len() as u32, entry];
            if runs.last().is_none_or(|last| last[1..] != row[1..]) {
                runs.push(row);
            }
        }
        let stsc = bx(
            b"stsc",
            &[&words(&[0, runs.len() as u32]), &words(runs.as_flattened())],
        );
        let sizes: Vec<u32> = samples
            .iter()
            .map(|sample| sample.data.len() as u32)
            .collect();
        let sizes = if self.options.compact_sizes {
            let rows: Vec<u8> = sizes
                .iter()
                .flat_map(|size| (*size as u16).to_be_bytes())
                .collect();
            bx(b"stz2", &[&words(&[0, 16, sizes.len() as u32]), &rows])
        } else {
            bx(
                b"stsz",
                &[&words(&[0, 0, sizes.len() as u32]), &words(&sizes)],
            )
        };
        let offsets = self.chunks[track].iter().map(|chunk| chunk.at as u64);
        let count = words(&[0, self.chunks[track].len() as u32]);
        let offsets = if self.options.wide_offsets {
            bx(
                b"co64",
                &[
                    &count,
                    &offsets.flat_map(u64::to_be_bytes).collect::<Vec<_>>(),
                ],
            )
        } else {
            let rows = offsets.flat_map(|at| (at as u32).to_be_bytes());
            bx(b"stco", &[&count, &rows.collect::<Vec<_>>()])
        };
        [stts, stsc, sizes, offsets].concat()
    }

    /// What stands in `stbl` and in `trak` about protection.
    fn protection(&self, track: usize) -> [Vec<u8>; 2] {
        if self.options.clear {
            return [Vec::new(), Vec::new()];
        }
        let groups = self.groups(track);
        let information = self.all_information(track);
        if information.iter().all(Vec::is_empty) {
            return [groups, Vec::new()];
        }
        let samples = &self.tracks[track].samples;
        let flags = if self.has_subsamples(track) { 2 } else { 0 };
        let count = samples.len() as u32;
        let sizes: Vec<u8> = information.iter().map(|found| found.len() as u8).collect();
        let saiz = bx(b"saiz", &[&[0; 5], &words(&[count]), &sizes]);
        let saio = |offsets: &[u32]| {
            bx(
                b"saio",
                &[&words(&[0, offsets.len() as u32]), &words(offsets)],
            )
        };
        match self.options.auxiliary {
            Auxiliary::SencInTrak => {
                // Nothing but the table itself: clear samples have empty ones.
                let empty = samples.iter().zip(&information).map(|(sample, found)| {
                    match sample.protection {
                        None if flags == 2 => vec![0, 0],
                        _ => found.clone(),
                    }
                });
                let empty: Vec<Vec<u8>> = empty.collect();
                [
                    groups,
                    bx(b"senc", &[&words(&[flags, count]), &empty.concat()]),
                ]
            }
            Auxiliary::SencInStbl => {
                let senc = bx(
                    b"senc",
                    &[&words(&[flags, count]), MARK, &information.concat()],
                );
                let senc = remove_mark(senc);
                let offset = saio(&[self.marks[track] as u32]);
                // The place is behind the header and the count, found by the bytes themselves.
                [[groups, offset, saiz, senc].concat(), Vec::new()]
            }
            Auxiliary::PointedInMoov => {
                let own = bx(b"uuid", &[MARK, &information.concat()]);
                [
                    [groups, saio(&[self.marks[track] as u32]), saiz].concat(),
                    own,
                ]
            }
            Auxiliary::PointedInMdat { each_chunk } => {
                let all = self.chunks[track]
                    .iter()
                    .map(|chunk| chunk.information_at as u32);
                let all: Vec<u32> = all.collect();
                let offsets = if each_chunk { &all[..] } else { &all[..1] };
                [[groups, saiz, saio(offsets)].concat(), Vec::new()]
            }
        }
    }

    fn groups(&self, track: usize) -> Vec<u8> {
        let Track {
            samples,
            protections,
        } = &self.tracks[track];
        let mut list: Vec<Protection> = Vec::new();
        let mut map: Vec<[u32; 2]> = Vec::new();
        for sample in samples {
            let number = match sample.protection {
                Some(own) if protections[sample.entry] != Some(own) => {
                    let known = list.iter().position(|other| *other == own);
                    let at = known.unwrap_or_else(|| {
                        list.push(own);
                        list.len() - 1
                    });
                    at as u32 + 1
                }
                _ => 0,
            };
            match map.last_mut() {
                Some(last) if last[1] == number => last[0] += 1,
                _ => map.push([1, number]),
            }
        }
        if list.is_empty() {
            return Vec::new();
        }
        let mut descriptions = Vec::new();
        for group in &list {
            let blocks = group.pattern.crypt << 4 | group.pattern.skip;
            let mut entry = vec![0, blocks, 1];
            match group.iv {
                IvSource::PerSample { size } => entry.extend([&[size][..], &group.kid].concat()),
                IvSource::Constant(iv) => {
                    let iv = iv.as_slice();
                    entry.extend([&[0][..], &group.kid, &[iv.len() as u8], iv].concat());
                }
                IvSource::None => panic!("a protected group"),
            }
            descriptions.extend(words(&[entry.len() as u32]));
            descriptions.extend(entry);
        }
        let head = [
            &words(&[0x0100_0000])[..],
            b"seig",
            &words(&[0, list.len() as u32]),
        ]
        .concat();
        let map_head = [&words(&[0])[..], b"seig", &words(&[map.len() as u32])].concat();
        [
            bx(b"sgpd", &[&head, &descriptions]),
            bx(b"sbgp", &[&map_head, &words(map.as_flattened())]),
        ]
        .concat()
    }

    /// The old `moov` with the new tables in it.
    fn moov(&self, old: &[u8]) -> Vec<u8> {
        let mut track = 0;
        let mut out = Vec::new();
        for (kind, bytes) in boxes(&old[8..]) {
            match kind {
                b"mvex" => {}
                b"trak" => {
                    out.extend(self.rebuild(bytes, track));
                    track += 1;
                }
                _ => out.extend(bytes),
            }
        }
        bx(b"moov", &[&out])
    }

    fn rebuild(&self, old: &[u8], track: usize) -> Vec<u8> {
        let kind: &[u8; 4] = old[4..8].try_into().unwrap();
        let [in_stbl, in_trak] = self.protection(track);
        let mut out = Vec::new();
        for (child, bytes) in boxes(&old[8..]) {
            match child {
                b"mdia" | b"minf" | b"stbl" => out.extend(self.rebuild(bytes, track)),
                b"stts" | b"stsc" | b"stsz" | b"stco" => {}
                _ => out.extend(bytes),
            }
        }
        match kind {
            b"stbl" => out.extend([self.tables(track), in_stbl].concat()),
            b"trak" => out.extend(in_trak),
            _ => {}
        }
        bx(kind, &[&out])
    }
}

/// Takes the mark out of a `senc`, which has no room for one.
fn remove_mark(mut senc: Vec<u8>) -> Vec<u8> {
    senc.drain(16..32);
    let size = senc.len() as u32;
    senc[..4].copy_from_slice(&size.to_be_bytes());
    senc
}

fn boxes(mut bytes: &[u8]) -> Vec<(&[u8; 4], &[u8])> {
    let mut out = Vec::new();
    while let Some((size, _)) = bytes.split_first_chunk::<4>() {
        let (found, rest) = bytes.split_at(u32::from_be_bytes(*size) as usize);
        out.push((found[4..8].try_into().unwrap(), found));
        bytes = rest;
    }
    out
}

/// Makes a file of this form.
pub(crate) fn make(name: &str, keys: &Keys, options: &Options) -> Made {
    let (init, tracks) = take_apart(name, keys);
    let init = if options.clear {
        clear_init(&init).unwrap()
    } else {
        init
    };
    assert_eq!(
        Presentation::parse(&init).unwrap().tracks.len(),
        tracks.len()
    );
    let top = boxes(&init);
    let ftyp = top.iter().find(|found| found.0 == b"ftyp").unwrap().1;
    let old = top.iter().find(|found| found.0 == b"moov").unwrap().1;
    let chunks = tracks
        .iter()
        .map(|track| chunks(track, options.samples_in_chunk));
    let mut maker = Maker {
        options,
        tracks: &tracks,
        chunks: chunks.collect(),
        marks: vec![0; tracks.len()],
    };
    let no_information =
        (0..tracks.len()).all(|track| maker.all_information(track).iter().all(Vec::is_empty));
    // Offsets do not change sizes: the second round has the right ones.
    let mut made = None;
    for _ in 0..2 {
        let moov = maker.moov(old);
        made = Some(lay_out(&mut maker, ftyp, &moov));
    }
    let (file, samples, moov) = made.unwrap();
    Made {
        file,
        samples,
        moov,
        no_information,
    }
}

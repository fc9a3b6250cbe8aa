//! ISO base media files.

mod editor;

use std::io::{Cursor, Read};
use std::ops::Range;

use arbitrary::Unstructured;
use keybearer_media::{
    BatchLimit, BoxTree, ClearWriter, Fragment, MediaError, MediaReader, Part, Pssh,
};

use crate::Seed;
use crate::verdict::{Verdict, bytes as count, claim, peak};

/// Files of packagers that edits start from, one for each kind of protection.
const BASES: [&[u8]; 4] = [
    include_bytes!("../../../samples/cenc-av1.mp4"),
    include_bytes!("../../../samples/cbcs-hevc.mp4"),
    include_bytes!("../../../samples/cbc1-av1.mp4"),
    include_bytes!("../../../samples/cens-hevc.mp4"),
];
/// Memory beside the largest fragment, as the media room promises.
const BESIDE: u64 = 8 << 20;

/// What a reader made of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Of each fragment its bytes, and where the samples in them are.
    fragments: Vec<(usize, Vec<Range<usize>>)>,
    /// The clear file.
    output: Vec<u8>,
}

/// What is done to each fragment between reading and writing.
type Each = fn(&mut Fragment);
/// A way of reading a file and writing it in clear.
type Clear = dyn Fn(&[u8], Each) -> Result<Seen, String>;

/// **Claim**: whatever the bytes of a file, it is read or refused, without a panic and holding at
/// most four times its bytes and 8 MiB. Samples lie inside their fragment and none lies on another;
/// subsamples add up to their sample; batches hold every sample once, in order. What is read to its
/// end is written in as many bytes, in which what was done to the samples arrives and nothing else
/// has changed, and which read as not protected. It makes no difference in what pieces the file comes.
/// The tree for showing keeps within the file; init data written again reads the same.
///
/// An even first byte: the rest is the file. An odd one: the rest are edits of a packager's file.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    let Some((selector, rest)) = data.split_first() else {
        return;
    };
    let edited = (selector % 2 == 1).then(|| {
        let base = BASES[usize::from(selector / 2) % BASES.len()];
        editor::edited(base, &mut Unstructured::new(rest))
    });
    let file = edited.as_deref().unwrap_or(rest);
    judge(file, &clear)
        .and_then(|()| shown(file))
        .unwrap_or_else(|words| panic!("{words}"));
}

/// The same about any way of reading and writing.
fn judge(file: &[u8], clear: &Clear) -> Verdict {
    let (seen, peak) = peak(|| clear(file, |_| ()));
    let bound = 4 * count(file.len()) + BESIDE;
    claim!(peak <= bound, "{peak} bytes of memory, at most {bound}");
    let Ok(seen) = seen else { return Ok(()) };
    let mut bytes = 0;
    for (len, samples) in &seen.fragments {
        let mut samples = samples.clone();
        samples.sort_unstable_by_key(|sample| (sample.start, sample.end));
        let mut end = 0;
        for sample in samples.iter().filter(|sample| !sample.is_empty()) {
            claim!(sample.start >= end, "samples overlap at {sample:?}");
            end = sample.end;
        }
        claim!(end <= *len, "a sample outside its fragment");
        bytes += samples.iter().map(Range::len).sum::<usize>();
    }
    claim!(
        seen.output.len() == file.len(),
        "{} bytes read, {} written",
        file.len(),
        seen.output.len()
    );
    let again = clear(file, invert)?;
    let changed = again.output.iter().zip(&seen.output);
    let changed = changed.filter(|(a, b)| a != b).count();
    claim!(
        changed == bytes && again.output.len() == file.len(),
        "{bytes} bytes of samples changed, {changed} of the file"
    );
    // A file without media data is a header alone; what it says of tracks still counts.
    if let Ok(reader) = MediaReader::open_seekable(Cursor::new(&seen.output)) {
        claim!(
            !reader.presentation().is_protected(),
            "the clear file says it is protected"
        );
    }
    Ok(())
}

fn invert(fragment: &mut Fragment) {
    let (tracks, media) = fragment.split();
    for sample in tracks.iter().flat_map(|track| track.samples()) {
        for byte in &mut media[sample.range()] {
            *byte = !*byte;
        }
    }
}

/// Reads as the client does, once from memory that can be sought and once as a trickle that cannot.
fn clear(file: &[u8], each: Each) -> Result<Seen, String> {
    let words = |error: MediaError| error.to_string();
    let sought = MediaReader::open_seekable(Cursor::new(file)).map_err(words);
    let sought = sought.and_then(|reader| copy(reader, each));
    let trickled = MediaReader::open(Trickle(file, 0)).map_err(words);
    let trickled = trickled.and_then(|reader| copy(reader, each));
    // A stream cannot be read where its header is behind the data; else it is all the same.
    match (&sought, &trickled) {
        (Ok(a), Ok(b)) if a != b => panic!("read otherwise in pieces"),
        (Err(error), Ok(_)) => panic!("refused only as a whole: {error}"),
        _ => sought,
    }
}

/// Reads of a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        let len = into.len().min(1 + self.1 % 61);
        self.0.read(&mut into[..len])
    }
}

fn copy<R: Read>(mut reader: MediaReader<R>, each: Each) -> Result<Seen, String> {
    let words = |error: MediaError| error.to_string();
    let mut writer = ClearWriter::start(Vec::new(), &reader).map_err(words)?;
    let mut fragments = Vec::new();
    while let Some(part) = reader.next_part().map_err(words)? {
        match part {
            Part::Other(bytes) => writer.write_other(bytes).map_err(words)?,
            Part::Fragment(fragment) => {
                fragments.push(table(fragment));
                each(fragment);
                writer.write_fragment(fragment).map_err(words)?;
            }
        }
    }
    let output = writer.finish().map_err(words)?;
    Ok(Seen { fragments, output })
}

/// Where the samples of a fragment are; panics where its tables contradict each other.
fn table(fragment: &Fragment) -> (usize, Vec<Range<usize>>) {
    let mut ranges = Vec::new();
    for track in fragment.tracks() {
        for sample in track.samples() {
            let table = track.subsamples(sample);
            let sum = |entry: &keybearer_media::Subsample| {
                u64::from(entry.clear) + u64::from(entry.protected)
            };
            let covered: u64 = table.iter().map(sum).sum();
            assert!(
                table.is_empty() || covered == u64::from(sample.size),
                "subsamples of {covered} bytes in a sample of {}",
                sample.size
            );
            ranges.push(sample.range());
        }
        let limit = BatchLimit {
            samples: 7,
            ..BatchLimit::default()
        };
        let batches = track.batches(limit).flat_map(|batch| batch.samples());
        assert!(batches.eq(track.samples()), "batches of other samples");
    }
    (fragment.media().len(), ranges)
}

/// What is shown of a file, and what init data says.
fn shown(file: &[u8]) -> Verdict {
    let mut end = 0;
    for node in BoxTree::new(file).map_while(Result::ok) {
        claim!(node.offset == end, "a box is shown where none begins");
        end = end.saturating_add(node.size);
    }
    claim!(end <= count(file.len()), "boxes are shown beyond the file");
    if let Ok(all) = Pssh::parse_all(file) {
        let bytes: Result<Vec<_>, _> = all.iter().map(Pssh::to_bytes).collect();
        let bytes = bytes.map_err(|error| error.to_string())?.concat();
        let again = Pssh::parse_all(&bytes).map_err(|error| error.to_string())?;
        claim!(
            again == all && bytes.len() == file.len(),
            "init data reads otherwise"
        );
    }
    Ok(())
}

/// The beginning of each packager's file, init data, and an edit of each kind.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (at, base) in BASES.iter().enumerate() {
        let selector = u8::try_from(2 * at + 1).unwrap_or(1);
        for what in 0..10 {
            let bytes = vec![selector, 9 + what * 3, what, 0, 4, 1, what];
            seeds.push(Seed::new(&format!("edit-{at}-{what}"), bytes));
        }
        seeds.push(Seed::new(&format!("file-{at}"), [&[0], *base].concat()));
    }
    let pssh = Pssh {
        system_id: keybearer_license::SYSTEM_ID,
        key_ids: Some(vec![[7; 16]; 2]),
        data: b"data".to_vec(),
    };
    let pssh = pssh.to_bytes().expect("it is small");
    seeds.push(Seed::new("pssh", [&[0], &pssh[..], &pssh[..]].concat()));
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(file: &[u8], each: Each) -> Result<Seen, String> {
        clear(file, each)
    }

    #[test]
    fn packagers_files_are_read_to_their_ends() {
        for base in BASES {
            let seen = real(base, |_| ()).expect("the file is right");
            assert!(seen.fragments.iter().any(|(_, samples)| samples.len() > 10));
            judge(base, &real).expect("the reader is right");
        }
    }

    /// Judges a reader that makes something else of a right file.
    fn wrong(change: fn(&mut Seen)) -> String {
        let reader = move |file: &[u8], each: Each| {
            let mut seen = real(file, each)?;
            change(&mut seen);
            Ok(seen)
        };
        judge(BASES[0], &reader).expect_err("it is wrong")
    }

    #[test]
    fn wrong_readers_are_found_out() {
        let overlap = wrong(|seen| {
            let samples = &mut seen.fragments[0].1;
            samples[1].start = samples[0].end - 1;
        });
        assert!(overlap.contains("overlap"), "{overlap}");
        let outside = wrong(|seen| seen.fragments[0].0 -= 1);
        assert!(outside.contains("outside"), "{outside}");
        let shorter = wrong(|seen| seen.output.truncate(seen.output.len() - 1));
        assert!(shorter.contains("written"), "{shorter}");
        // A sample that was left as it was, or a byte that was none of a sample's.
        let missed = wrong(|seen| seen.fragments[0].1.truncate(1));
        assert!(missed.contains("bytes of samples"), "{missed}");
        let protected = |file: &[u8], each: Each| {
            let mut seen = real(file, each)?;
            // The header as it was, the media data as they are.
            let header = file
                .windows(4)
                .position(|kind| kind == b"moof")
                .unwrap_or(0);
            seen.output[..header].copy_from_slice(&file[..header]);
            Ok(seen)
        };
        let protected = judge(BASES[0], &protected).expect_err("it is wrong");
        assert!(protected.contains("says it is protected"), "{protected}");
        let greedy = |file: &[u8], each: Each| {
            std::hint::black_box(vec![0_u8; 9 << 20]);
            real(file, each)
        };
        let greedy = judge(BASES[0], &greedy).expect_err("it is wrong");
        assert!(greedy.contains("memory"), "{greedy}");
    }
}

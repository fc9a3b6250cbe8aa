//! Compares a decrypted file with its clear counterpart, sample by sample.
//!
//! Reads `tfhd` and `trun` by itself (ISO/IEC 14496-12 sections 8.8.7 and 8.8.8), so that what wrote
//! the file is not what judges it.

use keybearer_media::{BoxNode, BoxTree, Detail, FourCc, Presentation};

use crate::exit::Exit;
use crate::failure::Failure;

/// What was found equal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) samples: u64,
    pub(super) bytes: u64,
}

/// The scheme of a protected file and its tracks in words.
pub(super) fn describe(file: &[u8]) -> Result<(String, Vec<String>), Failure> {
    let presentation = Presentation::parse(file)?;
    let scheme = presentation
        .tracks
        .iter()
        .find_map(|track| Some(track.protection()?.scheme.to_string()));
    let tracks = presentation.tracks.iter().map(|track| {
        track
            .entries
            .first()
            .map(|entry| entry.codec.to_string())
            .unwrap_or_default()
    });
    Ok((scheme.unwrap_or_default(), tracks.collect()))
}

/// Fails unless both files have the same samples and the first says nothing of protection any more.
pub(super) fn compare(written: &[u8], expected: &[u8]) -> Result<Compared, Failure> {
    let different = |what: String| Failure::new(Exit::Unverified, what);
    if Presentation::parse(written)?.is_protected() {
        return Err(different(
            "the clear file still says that it is protected".into(),
        ));
    }
    let (found, wanted) = (samples(written)?, samples(expected)?);
    if found.len() != wanted.len() {
        return Err(different(format!(
            "{} samples, expected {}",
            found.len(),
            wanted.len()
        )));
    }
    for (number, (found, wanted)) in (1..).zip(found.iter().zip(&wanted)) {
        if found != wanted {
            return Err(different(format!(
                "sample {number} differs from the clear one"
            )));
        }
    }
    let bytes = found.iter().map(|sample| sample.data.len() as u64).sum();
    Ok(Compared {
        samples: found.len() as u64,
        bytes,
    })
}

#[derive(PartialEq, Eq)]
struct Found<'a> {
    track: u32,
    data: &'a [u8],
}

/// All samples of a fragmented file, in file order.
fn samples(file: &[u8]) -> Result<Vec<Found<'_>>, Failure> {
    let mut found = Vec::new();
    for node in BoxTree::new(file) {
        let node = node?;
        for traf in node
            .children
            .iter()
            .filter(|child| child.kind == FourCc(*b"traf"))
        {
            track_samples(file, node.offset, traf, &mut found).ok_or_else(|| {
                Failure::input(format!(
                    "the fragment at byte {} cannot be read",
                    node.offset
                ))
            })?;
        }
    }
    Ok(found)
}

fn track_samples<'a>(
    file: &'a [u8],
    moof: u64,
    traf: &BoxNode,
    found: &mut Vec<Found<'a>>,
) -> Option<()> {
    let mut defaults = None;
    for node in &traf.children {
        let start = usize::try_from(node.offset).ok()?;
        let body = file
            .get(start..start.checked_add(usize::try_from(node.size).ok()?)?)?
            .get(8..)?;
        match node.detail {
            Detail::TrackFragment { track_id, .. } => {
                defaults = Some((track_id, default_size(body)?))
            }
            Detail::Run { .. } => {
                let (track, size) = defaults?;
                run(file, moof, body, size, track, found)?;
            }
            _ => {}
        }
    }
    Some(())
}

/// `tfhd`: the size of samples that have none of their own. Offsets count from `moof`, as those of all
/// samples here do.
fn default_size(tfhd: &[u8]) -> Option<Option<u32>> {
    let flags = word(tfhd, 0)? & 0x00ff_ffff;
    if flags & 0x1 != 0 {
        return None;
    }
    let before = [0x2, 0x8].iter().filter(|flag| flags & **flag != 0).count();
    if flags & 0x10 == 0 {
        Some(None)
    } else {
        Some(Some(word(tfhd, 8 + 4 * before)?))
    }
}

fn run<'a>(
    file: &'a [u8],
    moof: u64,
    trun: &[u8],
    default: Option<u32>,
    track: u32,
    found: &mut Vec<Found<'a>>,
) -> Option<()> {
    let flags = word(trun, 0)?;
    let count = word(trun, 4)?;
    if flags & 0x1 == 0 {
        return None;
    }
    let offset = u64::from(word(trun, 8)?);
    let mut at = usize::try_from(moof.checked_add(offset)?).ok()?;
    let mut field = 12 + if flags & 0x4 != 0 { 4 } else { 0 };
    for _ in 0..count {
        let mut size = default;
        for flag in [0x100, 0x200, 0x400, 0x800] {
            if flags & flag != 0 {
                if flag == 0x200 {
                    size = Some(word(trun, field)?);
                }
                field += 4;
            }
        }
        let end = at.checked_add(usize::try_from(size?).ok()?)?;
        found.push(Found {
            track,
            data: file.get(at..end)?,
        });
        at = end;
    }
    Some(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::{Compared, compare};
    use crate::samples::SAMPLES;

    #[test]
    fn a_file_equals_itself_and_no_other() {
        let (video, audio) = (SAMPLES[0].clear, SAMPLES[1].clear);
        let equal = compare(video, video).expect("equal");
        assert_eq!(
            equal,
            Compared {
                samples: 50,
                bytes: 20_402
            }
        );
        assert!(compare(video, audio).is_err());
    }

    #[test]
    fn one_changed_byte_is_seen() {
        let mut changed = SAMPLES[0].clear.to_vec();
        *changed.last_mut().expect("not empty") ^= 1;
        let failure = compare(&changed, SAMPLES[0].clear).expect_err("changed");
        assert_eq!(failure.what, "sample 50 differs from the clear one");
    }

    #[test]
    fn a_file_that_says_it_is_protected_is_not_clear() {
        let failure = compare(SAMPLES[0].protected, SAMPLES[0].clear).expect_err("protected");
        assert!(failure.what.contains("still says"), "{}", failure.what);
    }
}

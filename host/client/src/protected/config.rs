//! What a player has to know of an H.264 track without decoding it: its configuration record, and with
//! which units decoding can begin.

use keybearer_media::{BoxNode, BoxTree, Detail, FourCc};

/// Type of a NAL unit that is part of an IDR picture (ITU-T H.264 table 7-1).
const IDR: u8 = 5;

/// A track's configuration record, and how its units say their lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Content of `avcC` (ISO/IEC 14496-15 section 5.3.3.1).
    pub(super) record: Vec<u8>,
    length_size: usize,
}

impl Configuration {
    /// Reads that of a track's sample entry, or of its first entry with one: what is said of clear samples
    /// is said of the protected ones as well.
    pub(super) fn of(init: &[u8], track: u32, entry: usize) -> Option<Self> {
        let nodes = BoxTree::new(init).map_while(Result::ok);
        let mut tracks = nodes.flat_map(|node| node.children);
        let is_it = |node: &BoxNode| node.kind == FourCc(*b"trak") && number(node) == Some(track);
        let node = tracks.find(is_it)?;
        let path = [*b"mdia", *b"minf", *b"stbl", *b"stsd"];
        let entries = path
            .iter()
            .try_fold(&node, |node, kind| child(node, *kind))?;
        let own = entries.children.get(entry);
        let record = own.and_then(|entry| child(entry, *b"avcC"));
        let mut all = entries.children.iter();
        let record = record.or_else(|| all.find_map(|entry| child(entry, *b"avcC")))?;
        let start = usize::try_from(record.offset).ok()?.checked_add(8)?;
        let end = usize::try_from(record.offset.checked_add(record.size)?).ok()?;
        Self::new(init.get(start..end)?)
    }

    fn new(record: &[u8]) -> Option<Self> {
        Some(Self {
            // lengthSizeMinusOne
            length_size: usize::from(record.get(4)? & 3) + 1,
            record: record.to_vec(),
        })
    }

    /// Whether a unit holds an IDR picture. Lengths and types of NAL units stay clear in a protected one
    /// (ISO/IEC 23001-7 section 9.5.2); where they do not, none is found.
    pub(super) fn is_idr(&self, unit: &[u8]) -> bool {
        let mut rest = unit;
        while let Some((length, behind)) = rest.split_at_checked(self.length_size) {
            let length = length.iter().fold(0, |sum: usize, byte| {
                sum.saturating_mul(256).saturating_add(usize::from(*byte))
            });
            let Some((nal, next)) = behind.split_at_checked(length) else {
                return false;
            };
            if nal.first().is_some_and(|header| header & 31 == IDR) {
                return true;
            }
            rest = next;
        }
        false
    }
}

fn number(track: &BoxNode) -> Option<u32> {
    track.children.iter().find_map(|child| match child.detail {
        Detail::Track { id } => Some(id),
        _ => None,
    })
}

fn child(node: &BoxNode, kind: [u8; 4]) -> Option<&BoxNode> {
    let mut children = node.children.iter();
    children.find(|child| child.kind == FourCc(kind))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a failed expectation is how a test reports"
    )]

    use std::path::Path;

    use super::Configuration;

    #[test]
    fn the_record_of_a_sample_file_is_found() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples");
        let file = std::fs::read(samples.join("cbcs-both.mp4")).unwrap();
        let found = Configuration::of(&file, 1, 0).unwrap();
        assert_eq!((found.record[0], found.length_size), (1, 4));
        assert_eq!(Configuration::of(&file, 2, 0), None, "sound has none");
        assert_eq!(
            Configuration::of(&file, 9, 0),
            None,
            "there is no such track"
        );
    }

    #[test]
    fn an_idr_picture_is_found_behind_other_units_and_never_outside() {
        let configuration = Configuration::new(&[1, 66, 0, 30, 0xfd]).unwrap();
        assert_eq!(configuration.length_size, 2);
        assert!(configuration.is_idr(&[0, 2, 9, 16, 0, 3, 0x65, 1, 2]));
        assert!(!configuration.is_idr(&[0, 3, 0x41, 5, 5]));
        assert!(
            !configuration.is_idr(&[0, 2, 9, 16, 0, 4, 0x65, 1, 2]),
            "cut"
        );
        assert!(!configuration.is_idr(&[0, 0, 0]));
        assert!(!configuration.is_idr(&[]));
        assert_eq!(Configuration::new(&[1, 66, 0, 30]), None);
    }
}

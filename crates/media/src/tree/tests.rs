#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use super::{BoxNode, BoxTree, Detail, MAX_NODES};
use crate::testing::{KID, bx, cenc_file, encv, full, init, senc, simple_fragment, tenc, words};
use crate::{FourCc, IvSource, MediaError, Pssh};

fn all(file: &[u8]) -> Vec<BoxNode> {
    BoxTree::new(file).map(Result::unwrap).collect()
}

fn find<'a>(nodes: &'a [BoxNode], kind: &[u8; 4]) -> Option<&'a BoxNode> {
    nodes.iter().find_map(|node| {
        if node.kind.0 == *kind {
            Some(node)
        } else {
            find(&node.children, kind)
        }
    })
}

#[test]
fn every_kind_of_detail_is_shown() {
    let file = cenc_file(&[&simple_fragment(&[10], &[&senc(&[&[(2, 8)]], 1)])]);
    let tree = all(&file);
    let detail = |kind| find(&tree, kind).unwrap().detail.clone();
    assert_eq!(detail(b"tkhd"), Detail::Track { id: 1 });
    assert_eq!(detail(b"mdhd"), Detail::Timescale(1000));
    assert_eq!(detail(b"hdlr"), Detail::Handler(FourCc::VIDE));
    assert_eq!(detail(b"frma"), Detail::OriginalFormat(FourCc(*b"avc1")));
    assert_eq!(
        detail(b"schm"),
        Detail::Scheme {
            scheme: FourCc::CENC,
            version: 0x1_0000
        }
    );
    let Detail::TrackEncryption(tenc) = detail(b"tenc") else {
        panic!("tenc")
    };
    assert_eq!(
        (tenc.default_kid, tenc.iv),
        (KID, IvSource::PerSample { size: 8 })
    );
    assert_eq!(detail(b"mfhd"), Detail::Sequence(7));
    assert_eq!(
        detail(b"tfhd"),
        Detail::TrackFragment {
            track_id: 1,
            description: None
        }
    );
    assert!(matches!(
        detail(b"trun"),
        Detail::Run {
            samples: 1,
            data_offset: Some(_)
        }
    ));
    assert_eq!(
        detail(b"senc"),
        Detail::SampleEncryption {
            samples: 1,
            subsamples: true
        }
    );
    assert_eq!(detail(b"moov"), Detail::None);
}

#[test]
fn bare_pssh_boxes_are_a_tree_too() {
    let pssh = Pssh {
        system_id: [7; 16],
        key_ids: Some(vec![KID]),
        data: vec![1],
    };
    let tree = all(&[pssh.to_bytes().unwrap(), pssh.to_bytes().unwrap()].concat());
    assert_eq!(tree.len(), 2);
    assert_eq!(tree[1].detail, Detail::Pssh(pssh));
}

#[test]
fn what_cannot_be_read_is_shown_as_such() {
    let malformed = |file: &[u8], kind| {
        let tree = all(file);
        let node = find(&tree, kind).unwrap();
        assert!(matches!(&node.detail, Detail::Malformed(_)), "{node:?}");
    };
    malformed(
        &init(&encv(b"cenc", &full(b"tenc", 9, 0, &[&[0; 20]]))),
        b"tenc",
    );
    malformed(&full(b"pssh", 1, 0, &[&[7; 16], &words(&[99])]), b"pssh");
    // A container whose boxes do not fill it keeps those that were read.
    let broken = bx(
        b"moof",
        &[&full(b"mfhd", 0, 0, &[&words(&[3])]), &[0, 0, 0, 99]],
    );
    malformed(&broken, b"moof");
    assert!(find(&all(&broken), b"mfhd").is_some());
    // A scheme nobody knows is shown, not refused.
    let scheme = find(&all(&init(&encv(b"what", &tenc(8)))), b"schm")
        .unwrap()
        .detail
        .clone();
    assert_eq!(
        scheme,
        Detail::Scheme {
            scheme: FourCc(*b"what"),
            version: 0x1_0000
        }
    );
}

#[test]
fn nesting_and_number_are_bounded() {
    let mut nested = bx(b"free", &[]);
    for _ in 0..100 {
        nested = bx(b"moof", &[&nested]);
    }
    let error = BoxTree::new(nested.as_slice()).next().unwrap().unwrap_err();
    assert!(
        matches!(error, MediaError::TooLarge { field: "depth", .. }),
        "{error}"
    );
    let many = bx(b"moof", &[&bx(b"free", &[]).repeat(MAX_NODES)]);
    let error = BoxTree::new(many.as_slice()).next().unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            MediaError::TooLarge {
                field: "number of boxes",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn large_boxes_are_skipped_and_cut_ones_refused() {
    let file = [bx(b"mdat", &[&[1; 100]]), bx(b"free", &[&vec![0; 5 << 20]])].concat();
    let tree = all(&file);
    assert_eq!((tree[0].size, tree[1].size), (108, (5 << 20) + 8));
    let mut cut = BoxTree::new(&file[..50]);
    assert!(matches!(
        cut.next(),
        Some(Err(MediaError::Truncated {
            needed: 108,
            available: 50,
            ..
        }))
    ));
    assert!(cut.next().is_none());
}

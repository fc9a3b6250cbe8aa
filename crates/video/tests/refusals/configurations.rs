//! What a configuration record is refused for.

use keybearer_video::{Budget, Codec, Decoder, Refusal, Unsupported};

use crate::support::writer::{Sequence, Set, Slice};
use crate::support::{Stream, record};
use crate::{HEAP, begun, configure_with, decode, lacks, refusal};

#[test]
fn other_codecs_are_refused() {
    for name in [*b"avc1", *b"avc3"] {
        assert_eq!(Codec::from_sample_entry(name), Ok(Codec::H264));
    }
    for name in [*b"hvc1", *b"av01", *b"vp09", *b"mp4a", *b"avc2", [0; 4]] {
        assert_eq!(
            Codec::from_sample_entry(name).err(),
            lacks(Unsupported::Codec)
        );
    }
}

#[test]
fn sequences_that_are_not_decoded_are_refused_by_name() {
    let high = Sequence {
        profile: 100,
        ..Sequence::default()
    };
    for (sequence, what) in [
        (
            Sequence {
                profile: 88,
                ..high.clone()
            },
            Unsupported::Profile,
        ),
        (
            Sequence {
                profile: 118,
                ..high.clone()
            },
            Unsupported::Profile,
        ),
        (
            Sequence {
                level: 14,
                ..high.clone()
            },
            Unsupported::Level,
        ),
        (
            Sequence {
                chroma_format: 0,
                ..high.clone()
            },
            Unsupported::ChromaFormat,
        ),
        (
            Sequence {
                chroma_format: 2,
                ..high.clone()
            },
            Unsupported::ChromaFormat,
        ),
        (
            Sequence {
                chroma_format: 3,
                profile: 244,
                ..high.clone()
            },
            Unsupported::ChromaFormat,
        ),
        (
            Sequence {
                depth: 2,
                profile: 110,
                ..high.clone()
            },
            Unsupported::BitDepth,
        ),
        (
            Sequence {
                lossless: true,
                profile: 244,
                ..high.clone()
            },
            Unsupported::Lossless,
        ),
        (
            Sequence {
                order_type: 1,
                ..high.clone()
            },
            Unsupported::PictureOrder,
        ),
        (
            Sequence {
                frames_only: false,
                adaptive: true,
                rows: 4,
                ..high.clone()
            },
            Unsupported::Interlaced,
        ),
    ] {
        assert_eq!(refusal(&sequence), lacks(what), "{sequence:?}");
    }
    for profile in [66, 77, 100, 110, 122, 244] {
        assert_eq!(
            refusal(&Sequence {
                profile,
                ..high.clone()
            }),
            None,
            "{profile}"
        );
    }
}

#[test]
fn malformed_sequences_are_rejected() {
    let plain = Sequence::default();
    for sequence in [
        Sequence {
            references: 17,
            ..plain.clone()
        },
        // More than the level keeps: QCIF at level 1 keeps four.
        Sequence {
            references: 5,
            level: 10,
            columns: 11,
            rows: 9,
            ..plain.clone()
        },
        Sequence {
            reorder: Some(17),
            ..plain.clone()
        },
        Sequence {
            reorder: Some(5),
            level: 10,
            columns: 11,
            rows: 9,
            ..plain.clone()
        },
        Sequence {
            order_type: 3,
            ..plain.clone()
        },
        Sequence {
            id: 32,
            ..plain.clone()
        },
        Sequence {
            crop: Some([16, 16, 0, 0]),
            ..plain.clone()
        },
        Sequence {
            crop: Some([0, 0, 0, 24]),
            ..plain.clone()
        },
        Sequence {
            crop: Some([0, 0, u32::MAX - 2, 0]),
            ..plain.clone()
        },
        Sequence {
            columns: 1_056,
            ..plain.clone()
        },
        Sequence {
            columns: u32::MAX - 1,
            rows: u32::MAX - 1,
            ..plain.clone()
        },
        Sequence {
            columns: 1_000,
            rows: 1_000,
            ..plain.clone()
        },
    ] {
        assert_eq!(
            refusal(&sequence),
            Some(Refusal::ContentRejected),
            "{sequence:?}"
        );
    }
}

#[test]
fn what_does_not_fit_the_heap_is_refused_and_what_does_is_decoded() {
    let cif = Sequence {
        columns: 22,
        rows: 18,
        references: 4,
        reorder: Some(2),
        ..Sequence::default()
    };
    assert_eq!(refusal(&cif), None);
    for sequence in [
        Sequence {
            columns: 80,
            rows: 45,
            ..cif.clone()
        },
        Sequence {
            columns: 120,
            rows: 68,
            references: 1,
            reorder: Some(0),
            ..cif.clone()
        },
        Sequence {
            level: 62,
            columns: 512,
            rows: 270,
            ..cif.clone()
        },
    ] {
        assert_eq!(
            refusal(&sequence),
            Some(Refusal::NoDecoderMemory),
            "{sequence:?}"
        );
    }
    // In band it is the same, and for the host it is the one answer that there is.
    let mut decoder = begun(&cif, &Set::default());
    let large = Sequence {
        columns: 120,
        rows: 68,
        ..cif.clone()
    };
    let unit = [
        large.nal(),
        Set::default().nal(),
        Slice::idr().nal(&large, 10),
    ];
    assert_eq!(decode(&mut decoder, &unit), Err(Refusal::NoDecoderMemory));
    let idr = Slice::idr().nal(&cif, cif.macroblocks());
    assert!(decode(&mut decoder, &[idr]).unwrap().decoded, "it lives on");
}

#[test]
fn a_refused_configuration_leaves_the_decoder_as_it_was() {
    let small = Sequence::default();
    let mut decoder = begun(&small, &Set::default());
    let large = Sequence {
        columns: 400,
        rows: 300,
        ..small.clone()
    };
    let refused = decoder.configure(Codec::H264, &record(&[large.nal()], &[]));
    assert_eq!(refused.err(), Some(Refusal::NoDecoderMemory));
    let next = Slice::p(1).nal(&small, small.macroblocks());
    assert!(decode(&mut decoder, &[next]).unwrap().decoded);
}

#[test]
fn picture_sets_that_are_not_decoded_are_refused_by_name() {
    for (set, what) in [
        (
            Set {
                groups: 1,
                ..Set::default()
            },
            Unsupported::SliceGroups,
        ),
        (
            Set {
                redundant: true,
                ..Set::default()
            },
            Unsupported::RedundantPictures,
        ),
        (
            Set {
                second_chroma: Some(3),
                ..Set::default()
            },
            Unsupported::ChromaQuantiser,
        ),
    ] {
        let refused = configure_with(&Sequence::default(), &set).err();
        assert_eq!(refused, lacks(what), "{set:?}");
    }
    let same = Set {
        second_chroma: Some(0),
        ..Set::default()
    };
    assert!(configure_with(&Sequence::default(), &same).is_ok());
}

#[test]
fn without_a_configuration_nothing_is_decoded() {
    let sequence = Sequence::default();
    let mut decoder = Decoder::new(Budget::of_heap(HEAP));
    let idr = Slice::idr().nal(&sequence, sequence.macroblocks());
    assert_eq!(decode(&mut decoder, &[idr]), Err(Refusal::ContentRejected));
}

/// What FFmpeg encodes in ways that this room does not decode.
#[test]
fn encoded_clips_that_are_not_decoded_are_refused_by_name() {
    for (name, expected) in [
        ("yuv422", lacks(Unsupported::ChromaFormat)),
        ("yuv444", lacks(Unsupported::ChromaFormat)),
        ("gray", lacks(Unsupported::ChromaFormat)),
        ("10-bit", lacks(Unsupported::BitDepth)),
        ("lossless", lacks(Unsupported::Lossless)),
        ("mbaff", lacks(Unsupported::Interlaced)),
    ] {
        let stream = Stream::read(&format!("refused/{name}"));
        let mut decoder = Decoder::new(Budget::of_heap(HEAP));
        let refused = decoder.configure(Codec::H264, &stream.record).err();
        assert_eq!(refused, expected, "{name}");
    }
}

//! What an access unit is refused for, and what happens next.

use keybearer_video::{Accepted, Refusal, Unsupported};

use crate::support::writer::{Sequence, Set, Slice};
use crate::{begun, configure, decode, lacks};

/// One slice, behind an IDR picture, and why it is refused.
#[test]
fn slices_that_are_not_decoded_are_refused_by_name() {
    let sequence = Sequence {
        references: 2,
        ..Sequence::default()
    };
    let fields = Sequence {
        frames_only: false,
        rows: 4,
        ..sequence.clone()
    };
    let all = sequence.macroblocks();
    let weighted = Set {
        weighted_bi: 1,
        ..Set::default()
    };
    let plain = Set::default();
    let p = Slice::p(1);
    let with = |operation: &[u32]| Slice {
        marking: Some(vec![operation.to_vec()]),
        ..p.clone()
    };
    for (sequence, set, slice, what) in [
        (
            &sequence,
            &plain,
            Slice {
                kind: 3,
                ..p.clone()
            },
            Unsupported::SwitchingPictures,
        ),
        (
            &sequence,
            &plain,
            Slice {
                kind: 4,
                ..p.clone()
            },
            Unsupported::SwitchingPictures,
        ),
        (
            &sequence,
            &plain,
            Slice {
                first: 1,
                ..p.clone()
            },
            Unsupported::SliceOrder,
        ),
        (
            &sequence,
            &weighted,
            Slice {
                kind: 1,
                ..p.clone()
            },
            Unsupported::Weights,
        ),
        (&sequence, &plain, with(&[2, 0]), Unsupported::LongTerm),
        (&sequence, &plain, with(&[3, 0, 0]), Unsupported::LongTerm),
        (&sequence, &plain, with(&[4, 2]), Unsupported::LongTerm),
        (&sequence, &plain, with(&[6, 0]), Unsupported::LongTerm),
        (&sequence, &plain, with(&[5]), Unsupported::Reset),
        (
            &fields,
            &plain,
            Slice {
                field: true,
                ..p.clone()
            },
            Unsupported::Interlaced,
        ),
    ] {
        let mut decoder = begun(sequence, set);
        let refused = decode(&mut decoder, &[slice.nal(sequence, all)]).err();
        assert_eq!(refused, lacks(what), "{slice:?}");
    }
    let mut decoder = begun(&sequence, &plain);
    let partition = vec![0x42, 0x80];
    let refused = decode(&mut decoder, &[partition]).err();
    assert_eq!(refused, lacks(Unsupported::DataPartitioning));
}

#[test]
fn malformed_units_are_rejected() {
    let sequence = Sequence {
        references: 2,
        ..Sequence::default()
    };
    let all = sequence.macroblocks();
    let p = Slice::p(1);
    let nal = |slice: &Slice| slice.nal(&sequence, all);
    let entries = |count| Slice {
        entries: Some([count, 1]),
        ..p.clone()
    };
    let units: Vec<(&str, Vec<Vec<u8>>)> = vec![
        (
            "an unknown set",
            vec![nal(&Slice {
                set: 3,
                ..p.clone()
            })],
        ),
        ("a lost reference", vec![nal(&Slice::p(2))]),
        (
            "a repeated number",
            vec![nal(&Slice {
                frame_num: 0,
                ..p.clone()
            })],
        ),
        ("too many entries", vec![nal(&entries(17))]),
        ("entries without end", vec![nal(&entries(u32::MAX))]),
        (
            "a first macroblock that is none",
            vec![nal(&Slice {
                first: all,
                ..p.clone()
            })],
        ),
        (
            "a P slice in an IDR picture",
            vec![nal(&Slice {
                kind: 0,
                ..Slice::idr()
            })],
        ),
        (
            "an IDR picture with a number",
            vec![nal(&Slice {
                frame_num: 1,
                ..Slice::idr()
            })],
        ),
        ("two pictures", vec![nal(&p), nal(&Slice::p(2))]),
        ("half a picture", vec![Slice::idr().nal(&sequence, all / 2)]),
        (
            "more references than allowed",
            vec![nal(&Slice {
                marking: Some(vec![]),
                ..p.clone()
            })],
        ),
        ("an empty unit", vec![vec![]]),
        ("the forbidden bit", vec![vec![0xe1, 0x80]]),
        (
            "a start code inside",
            vec![{
                let mut slice = nal(&p);
                slice.extend([0, 0, 1, 0x65, 0x88]);
                slice
            }],
        ),
        (
            "a zero word inside",
            vec![{
                let mut slice = nal(&p);
                slice.extend([0, 0, 0, 0, 9]);
                slice
            }],
        ),
        (
            "no prevention after all",
            vec![{
                let mut slice = nal(&p);
                slice.extend([0, 0, 3, 4, 9]);
                slice
            }],
        ),
        (
            "more bytes than macroblocks have",
            vec![{
                let mut slice = nal(&p);
                slice.extend(vec![0x55; 400 * all as usize + 4_096]);
                slice
            }],
        ),
    ];
    for (name, unit) in units {
        let one = Sequence {
            references: 1,
            ..sequence.clone()
        };
        let sequence = if name.starts_with("more references") {
            &one
        } else {
            &sequence
        };
        let mut decoder = begun(sequence, &Set::default());
        assert_eq!(
            decode(&mut decoder, &unit),
            Err(Refusal::ContentRejected),
            "{name}"
        );
    }
}

#[test]
fn slices_of_one_picture_must_agree() {
    let sequence = Sequence {
        references: 2,
        ..Sequence::default()
    };
    let (all, half) = (sequence.macroblocks(), sequence.macroblocks() / 2);
    let set = Set {
        deblocking: true,
        ..Set::default()
    };
    let first = Slice::p(1);
    let second = Slice {
        first: half,
        ..first.clone()
    };
    let unit = |second: &Slice| {
        [
            first.nal_under(&sequence, &set, half),
            second.nal_under(&sequence, &set, all - half),
        ]
    };
    assert!(
        decode(&mut begun(&sequence, &set), &unit(&second))
            .unwrap()
            .decoded
    );
    let other = Slice {
        filter: 1,
        ..second.clone()
    };
    let refused = decode(&mut begun(&sequence, &set), &unit(&other)).err();
    assert_eq!(refused, lacks(Unsupported::Deblocking));
    for other in [
        Slice {
            frame_num: 2,
            ..second.clone()
        },
        Slice {
            order: 8,
            ..second.clone()
        },
        Slice {
            reference: false,
            ..second.clone()
        },
        Slice {
            marking: Some(vec![vec![1, 0]]),
            ..second.clone()
        },
    ] {
        let refused = decode(&mut begun(&sequence, &set), &unit(&other)).err();
        assert_eq!(refused, Some(Refusal::ContentRejected), "{other:?}");
    }
    let backwards = [unit(&second)[1].clone(), unit(&second)[0].clone()];
    let refused = decode(&mut begun(&sequence, &set), &backwards).err();
    assert_eq!(refused, lacks(Unsupported::SliceOrder));
}

#[test]
fn a_picture_of_too_many_slices_is_refused() {
    let sequence = Sequence {
        columns: 20,
        rows: 20,
        ..Sequence::default()
    };
    let unit: Vec<Vec<u8>> = (0..sequence.macroblocks())
        .map(|first| {
            Slice {
                first,
                ..Slice::idr()
            }
            .nal(&sequence, 1)
        })
        .collect();
    let mut decoder = configure(&sequence).unwrap();
    assert_eq!(
        decode(&mut decoder, &unit).err(),
        lacks(Unsupported::Slices)
    );
}

/// After a rejection the units up to the next IDR picture are passed over: they are no rejections, and
/// nothing of them is decoded.
#[test]
fn decoding_goes_on_at_the_next_idr_picture() {
    let sequence = Sequence::default();
    let all = sequence.macroblocks();
    let mut decoder = configure(&sequence).unwrap();
    let (idr, p) = (
        Slice::idr().nal(&sequence, all),
        Slice::p(1).nal(&sequence, all),
    );
    let passed = |accepted: Accepted| !accepted.decoded && accepted.presented.is_empty();
    assert!(
        passed(decode(&mut decoder, &[&p]).unwrap()),
        "before the first"
    );
    assert!(decode(&mut decoder, &[&idr]).unwrap().decoded);
    assert!(decode(&mut decoder, &[Slice::p(3).nal(&sequence, all)]).is_err());
    for _ in 0..3 {
        assert!(passed(decode(&mut decoder, &[&p]).unwrap()));
    }
    assert!(decode(&mut decoder, &[&idr]).unwrap().decoded);
    assert!(decode(&mut decoder, &[&p]).unwrap().decoded);
    decoder.lost();
    assert!(passed(decode(&mut decoder, &[&p]).unwrap()));
    assert!(decode(&mut decoder, &[&idr]).unwrap().decoded);
}

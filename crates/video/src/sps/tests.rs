use alloc::vec::Vec;

use super::*;
use crate::nal::Nal;

/// The first parameter set of a clip that x264 encoded.
fn encoded(clip: &[u8]) -> Vec<u8> {
    let start = clip
        .windows(4)
        .position(|bytes| bytes[..3] == [0, 0, 1] && bytes[3] & 31 == Nal::SPS)
        .unwrap();
    let nal = &clip[start + 3..];
    let end = nal
        .windows(3)
        .position(|bytes| bytes == [0, 0, 0] || bytes == [0, 0, 1]);
    Nal::new(&nal[..end.unwrap()])
        .unwrap()
        .payload(1_000)
        .unwrap()
}

#[test]
fn the_sets_of_an_encoder_are_read_in_full() {
    let sps = Sps::parse(&encoded(include_bytes!(
        "../../tests/clips/high-320x180.h264"
    )))
    .unwrap();
    assert_eq!((sps.columns, sps.rows, sps.macroblocks()), (20, 12, 240));
    assert_eq!((sps.left, sps.top, sps.width, sps.height), (0, 0, 320, 180));
    assert_eq!((sps.references, sps.reorder), (4, 2));
    assert!(matches!(sps.order, OrderCoding::Bits(_)));
    assert!(sps.frames_only && !sps.baseline);
    assert_eq!(sps.siting, ChromaSiting::Left);

    let cropped = encoded(include_bytes!("../../tests/clips/high-crop-122x84.h264"));
    let sps = Sps::parse(&cropped).unwrap();
    assert_eq!((sps.left, sps.top, sps.width, sps.height), (2, 6, 122, 84));
    assert_eq!((sps.columns, sps.rows), (8, 6));

    let sps = Sps::parse(&encoded(include_bytes!(
        "../../tests/clips/baseline-64x48.h264"
    )))
    .unwrap();
    assert_eq!((sps.order, sps.reorder), (OrderCoding::Decoding, 0));
    assert!(sps.baseline);
}

/// Every part of the usability information is there: what stands behind it is found.
#[test]
fn usability_information_is_followed_to_its_end() {
    let payload = encoded(include_bytes!(
        "../../tests/clips/high-usability-64x48.h264"
    ));
    let sps = Sps::parse(&payload).unwrap();
    assert_eq!(sps.siting, ChromaSiting::Centre);
    assert_eq!(sps.reorder, 2);
}

#[test]
fn every_truncation_is_refused() {
    for clip in [
        &include_bytes!("../../tests/clips/high-usability-64x48.h264")[..],
        include_bytes!("../../tests/clips/high-crop-122x84.h264"),
    ] {
        let payload = encoded(clip);
        // The last byte holds the stop bit, and may hold nothing else.
        for length in 0..payload.len() - 1 {
            assert!(Sps::parse(&payload[..length]).is_err(), "{length}");
        }
    }
}

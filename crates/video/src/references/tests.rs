use alloc::vec;

use super::*;

fn references(most: usize) -> References {
    References {
        kept: Vec::new(),
        most,
        numbers: 16,
        previous: None,
    }
}

fn picture(frame_num: u32, marking: Marking) -> PictureHeader {
    PictureHeader::of(frame_num, marking)
}

/// Keeps pictures one after another, as a stream does; the numbers left at the end.
fn after(most: usize, pictures: &[(u32, Marking)]) -> Read<Vec<u32>> {
    let mut references = references(most);
    for (frame_num, marking) in pictures {
        references.keep(&picture(*frame_num, marking.clone()))?;
    }
    Ok(references.kept)
}

#[test]
fn the_window_slides_over_as_many_as_the_set_allows() {
    let stream = [
        (0, Marking::Idr),
        (1, Marking::Window),
        (2, Marking::Window),
        (3, Marking::Window),
    ];
    assert_eq!(after(2, &stream).unwrap(), [2, 3]);
    assert_eq!(after(16, &stream).unwrap(), [0, 1, 2, 3]);
    // A set that allows none still keeps the one before, as the decoder does.
    assert_eq!(after(0, &stream).unwrap(), [3]);
}

#[test]
fn a_picture_that_nothing_refers_to_is_not_kept() {
    let stream = [(0, Marking::Idr), (1, Marking::None), (1, Marking::Window)];
    assert_eq!(after(4, &stream).unwrap(), [0, 1]);
}

#[test]
fn frames_are_dropped_by_how_far_they_are_before() {
    let stream = [
        (14, Marking::Idr),
        (15, Marking::Window),
        (0, Marking::Window),
        // Numbers wrap at 16: 14 is three before 1.
        (1, Marking::Drop(vec![2])),
    ];
    assert_eq!(after(3, &stream).unwrap(), [15, 0, 1]);
}

/// What makes the decoder keep more than memory was reckoned for.
#[test]
fn more_frames_than_the_set_allows_are_refused() {
    let stream = [(0, Marking::Idr), (1, Marking::Drop(vec![]))];
    assert_eq!(after(1, &stream), Err(Refusal::ContentRejected));
    assert_eq!(after(2, &stream).unwrap(), [0, 1]);
    let missed = [(0, Marking::Idr), (1, Marking::Drop(vec![5]))];
    assert_eq!(after(1, &missed), Err(Refusal::ContentRejected));
}

#[test]
fn two_frames_by_one_number_are_refused() {
    let stream = [(0, Marking::Idr), (0, Marking::Window)];
    assert_eq!(after(4, &stream), Err(Refusal::ContentRejected));
}

#[test]
fn a_number_left_out_is_a_loss() {
    let mut references = references(4);
    assert!(references.is_empty());
    references.keep(&picture(14, Marking::Idr)).unwrap();
    assert!(!references.is_empty());
    for (next, missing) in [(15, false), (14, false), (0, true), (13, true)] {
        assert_eq!(
            references.miss(&picture(next, Marking::Window)),
            missing,
            "{next}"
        );
    }
    references.keep(&picture(15, Marking::Window)).unwrap();
    // A picture that nothing refers to does not count as the one before.
    references.keep(&picture(0, Marking::None)).unwrap();
    assert!(!references.miss(&picture(0, Marking::Window)));
    assert!(references.miss(&picture(1, Marking::Window)));
}

//! The state machine: what a caller may and may not do, and that a refusal leaves no trace.

use super::*;

fn start(key: &ContentKey, scheme: Scheme) -> crate::SampleDecryptor<'_> {
    key.sample(scheme, NONE, &[3; 16]).unwrap()
}

#[test]
fn a_range_is_not_begun_before_the_last_is_complete() {
    let key = ContentKey::new(&KEY);
    let mut sample = start(&key, Scheme::Cenc);
    sample.range(48).unwrap();
    sample.piece(&mut [0; 32]).unwrap();
    assert_eq!(
        sample.range(1),
        Err(CencError::RangeUnfinished { missing: 16 })
    );
    assert_eq!(
        sample.whole(1),
        Err(CencError::RangeUnfinished { missing: 16 })
    );
    sample.piece(&mut [0; 16]).unwrap();
    assert_eq!(sample.range(1), Ok(()));
}

#[test]
fn a_piece_beyond_its_range_is_refused_and_untouched() {
    let key = ContentKey::new(&KEY);
    let mut sample = start(&key, Scheme::Cbcs);
    sample.range(32).unwrap();
    let mut data = [0x5a; 48];
    let refused = Err(CencError::PieceTooLong {
        piece: 48,
        remaining: 32,
    });
    assert_eq!(sample.piece(&mut data), refused);
    assert_eq!(data, [0x5a; 48]);
}

#[test]
fn a_piece_without_an_open_range_is_refused() {
    let key = ContentKey::new(&KEY);
    let mut sample = start(&key, Scheme::Cenc);
    let refused = Err(CencError::PieceTooLong {
        piece: 1,
        remaining: 0,
    });
    assert_eq!(sample.piece(&mut [0]), refused);
    assert_eq!(sample.piece(&mut []), Ok(()));
}

#[test]
fn only_the_last_piece_may_end_within_a_block() {
    let key = ContentKey::new(&KEY);
    for scheme in [Scheme::Cenc, Scheme::Cens, Scheme::Cbcs] {
        let mut sample = start(&key, scheme);
        sample.range(40).unwrap();
        let mut data = [0x5a; 24];
        assert_eq!(
            sample.piece(&mut data),
            Err(CencError::PieceAlignment { piece: 24 })
        );
        assert_eq!(data, [0x5a; 24], "{scheme}");
        sample.piece(&mut data[..16]).unwrap();
        sample.piece(&mut data).unwrap();
    }
}

#[test]
fn a_partial_block_in_a_cbc1_range_is_refused_but_not_in_a_whole_cbc1_sample() {
    let key = ContentKey::new(&KEY);
    let mut sample = start(&key, Scheme::Cbc1);
    assert_eq!(
        sample.range(20),
        Err(CencError::PartialBlock { protected: 20 })
    );
    assert_eq!(sample.whole(20), Ok(()));
}

#[test]
fn a_refused_piece_leaves_the_chain_where_it_was() {
    let key = ContentKey::new(&KEY);
    let protection = SampleProtection {
        scheme: Scheme::Cbc1,
        pattern: NONE,
        iv: &[3; 16],
        subsamples: None,
    };
    let clear = clear(64);
    let mut data = reference::encrypt(&KEY, &protection, &clear);
    let mut sample = start(&key, Scheme::Cbc1);
    sample.range(64).unwrap();
    let (head, tail) = data.split_at_mut(32);
    sample.piece(head).unwrap();
    sample.piece(&mut [0; 17]).unwrap_err();
    sample.piece(&mut [0; 48]).unwrap_err();
    sample.piece(tail).unwrap();
    assert_eq!(data, clear);
}

#[test]
fn parameters_are_checked_at_the_start_of_a_sample() {
    let key = ContentKey::new(&KEY);
    let refused = |scheme, crypt, skip, iv| {
        key.sample(scheme, Pattern { crypt, skip }, iv)
            .err()
            .expect("must be refused")
    };
    assert_eq!(
        refused(Scheme::Cenc, 0, 0, &[0; 12]),
        CencError::IvSize { found: 12 }
    );
    assert_eq!(
        refused(Scheme::Cbcs, 16, 1, &[0; 8]),
        CencError::PatternRange { crypt: 16, skip: 1 }
    );
    assert_eq!(
        refused(Scheme::Cenc, 1, 9, &[0; 8]),
        CencError::PatternNotAllowed {
            scheme: Scheme::Cenc,
            crypt: 1,
            skip: 9
        }
    );
    assert_eq!(
        refused(Scheme::Cens, 0, 9, &[0; 8]),
        CencError::PatternEncryptsNothing { skip: 9 }
    );
}

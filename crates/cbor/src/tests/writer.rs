//! What the encoder counts, orders and refuses by itself.

use alloc::vec;

use crate::{Decoder, Encoder, Error, MAX_DEPTH, decode, encode, encode_secret};

#[test]
fn entries_are_counted() {
    // One, two and three bytes of head, and the content moved accordingly.
    for (count, head) in [
        (0_u16, &[0xa0][..]),
        (23, &[0xb7]),
        (24, &[0xb8, 24]),
        (255, &[0xb8, 255]),
        (256, &[0xb9, 1, 0]),
    ] {
        let bytes = encode(4096, |e| {
            e.map(|m| (0..count).try_for_each(|key| m.entry(key.into(), |e| e.bool(true))))
        })
        .expect("fits its cap");
        assert_eq!(bytes.get(..head.len()), Some(head));
        let keys = decode(&bytes, 4096, |d| {
            d.map(|m| {
                let mut keys: u16 = 0;
                while let Some(key) = m.any(|key, d| d.bool().map(|_| key))? {
                    assert_eq!(key, i64::from(keys));
                    keys += 1;
                }
                Ok(keys)
            })
        });
        assert_eq!(keys, Ok(count));
    }
}

#[test]
fn keys_are_ordered() {
    let write = |keys: &[i64]| {
        encode(64, |e| {
            e.map(|m| keys.iter().try_for_each(|&key| m.entry(key, Encoder::null)))
        })
    };
    assert!(write(&[0, 1, i64::MAX, -1, -2, i64::MIN]).is_ok());
    assert_eq!(write(&[1, 0]), Err(Error::UnorderedKey(0)));
    assert_eq!(write(&[-1, 0]), Err(Error::UnorderedKey(0)));
    assert_eq!(write(&[-2, -1]), Err(Error::UnorderedKey(-1)));
    assert_eq!(write(&[3, 3]), Err(Error::DuplicateKey(3)));
}

#[test]
fn absent_entries_are_left_out() {
    let bytes = encode(8, |e| {
        e.map(|m| {
            m.optional(1, None::<u64>, Encoder::uint)?;
            m.optional(2, Some(7), Encoder::uint)
        })
    });
    assert_eq!(bytes, Ok(vec![0xa1, 2, 7]));
}

#[test]
fn writer_of_no_item_or_two() {
    let two = |e: &mut Encoder| {
        e.null()?;
        e.null()
    };
    assert_eq!(encode(8, |_| Ok(())), Err(Error::Count));
    assert_eq!(encode(8, two), Err(Error::Count));
    assert_eq!(
        encode(8, |e| e.map(|m| m.entry(1, |_| Ok(())))),
        Err(Error::Count)
    );
    assert_eq!(encode(8, |e| e.map(|m| m.entry(1, two))), Err(Error::Count));
    assert_eq!(encode(8, |e| e.list([0], |_, _| Ok(()))), Err(Error::Count));
    assert_eq!(encode(8, |e| e.list([0], |e, _| two(e))), Err(Error::Count));
}

#[test]
fn cap_is_exact() {
    assert_eq!(encode(3, |e| e.bytes(&[1, 2])), Ok(vec![0x42, 1, 2]));
    assert_eq!(encode(2, |e| e.bytes(&[1, 2])), Err(Error::SizeCap));
    // The wider head counts as well.
    let list = |cap| encode(cap, |e| e.list(0..24_u64, Encoder::uint));
    assert_eq!(list(26).map(|bytes| bytes.len()), Ok(26));
    assert_eq!(list(25), Err(Error::SizeCap));
}

fn nest(e: &mut Encoder, levels: usize) -> Result<(), Error> {
    e.array(|e| match levels {
        1 => Ok(()),
        _ => nest(e, levels - 1),
    })
}

#[test]
fn depth_is_bounded() {
    let deepest = encode(64, |e| nest(e, MAX_DEPTH)).expect("as deep as allowed");
    assert_eq!(decode(&deepest, 64, Decoder::raw), Ok(&deepest[..]));
    assert_eq!(encode(64, |e| nest(e, MAX_DEPTH + 1)), Err(Error::Depth));
    // An encoded item counts with the containers it is put into.
    assert!(encode(64, |e| e.raw(&deepest)).is_ok());
    assert_eq!(
        encode(64, |e| e.array(|e| e.raw(&deepest))),
        Err(Error::Depth)
    );
}

/// What stands beside a container is no deeper for it, however many there are.
#[test]
fn depth_counts_what_is_around_and_not_what_is_beside() {
    let beside = |last: usize| {
        encode(64, |e| {
            e.array(|e| {
                (0..19).try_for_each(|_| e.array(|_| Ok(())))?;
                nest(e, last)
            })
        })
    };
    assert!(beside(MAX_DEPTH - 1).is_ok());
    assert_eq!(beside(MAX_DEPTH), Err(Error::Depth));
}

#[test]
fn encoded_items_are_checked() {
    let put = |item: &[u8]| encode(16, |e| e.raw(item));
    assert_eq!(put(&[0x82, 1, 2]), Ok(vec![0x82, 1, 2]));
    assert_eq!(put(&[]), Err(Error::Truncated));
    assert_eq!(put(&[1, 2]), Err(Error::TrailingBytes));
    assert_eq!(put(&[0x18, 1]), Err(Error::NonMinimal));
}

#[test]
fn secrets_are_never_moved() {
    // Without the reservation the vector would have grown to what it holds, 26 bytes, in steps.
    let bytes = encode_secret(4096, |e| e.list(0..24_u64, Encoder::uint)).expect("fits its cap");
    assert_eq!(bytes.len(), 26);
    assert!(bytes.capacity() >= 4096);
    assert_eq!(
        encode_secret(2, |e| e.bytes(&[1, 2])).err(),
        Some(Error::SizeCap)
    );
}

//! What a reader with a schema gets, and what a careless one is stopped from doing.

use alloc::vec;

use crate::{Decoder, Error, Kind, decode, encode};

#[test]
fn every_type_is_read() {
    let bytes = encode(128, |e| {
        e.array(|e| {
            e.uint(u64::MAX)?;
            e.int(i64::MIN)?;
            e.int(i64::MAX)?;
            e.bytes(&[1, 2])?;
            e.text("Wasser: 水")?;
            e.bool(true)?;
            e.bool(false)?;
            e.null()?;
            e.list([1_u64, 2, 3], |e, n| e.uint(n))
        })
    })
    .expect("fits its cap");
    decode(&bytes, 128, |d| {
        d.array(9..=9, |a| {
            assert_eq!(a.len(), 9);
            assert_eq!(a.item(Decoder::uint)?, u64::MAX);
            assert_eq!(a.item(Decoder::int)?, i64::MIN);
            assert_eq!(a.item(Decoder::int)?, i64::MAX);
            assert_eq!(a.item(Decoder::bytes_fixed)?, &[1, 2]);
            assert_eq!(a.item(|d| d.text(16))?, "Wasser: 水");
            assert!(a.item(Decoder::bool)?);
            assert!(!a.item(Decoder::bool)?);
            a.item(Decoder::null)?;
            assert_eq!(a.item(|d| d.list(3, Decoder::u8))?, vec![1, 2, 3]);
            assert!(a.is_empty());
            Ok(())
        })
    })
    .expect("written above");
}

#[test]
fn kinds() {
    for (first, kind) in [
        (0x00, Kind::Uint),
        (0x20, Kind::Negative),
        (0x40, Kind::Bytes),
        (0x60, Kind::Text),
        (0x80, Kind::Array),
        (0xa0, Kind::Map),
        (0xf4, Kind::Bool),
        (0xf5, Kind::Bool),
        (0xf6, Kind::Null),
    ] {
        assert_eq!(
            decode(&[first], 1, |d| {
                let kind = d.kind()?;
                d.raw()?;
                Ok(kind)
            }),
            Ok(kind)
        );
    }
}

#[test]
fn null_where_asked() {
    let read = |bytes: &[u8]| decode(bytes, 4, |d| d.nullable(Decoder::uint));
    assert_eq!(read(&[0xf6]), Ok(None));
    assert_eq!(read(&[7]), Ok(Some(7)));
    assert_eq!(read(&[0xf5]), Err(Error::Type));
}

#[test]
fn raw_items_are_the_bytes_received() {
    let read = decode(&[0x82, 0xa1, 1, 0x61, b'a', 7], 6, |d| {
        d.array(2..=2, |a| {
            Ok((a.item(Decoder::raw)?, a.item(Decoder::uint)?))
        })
    });
    assert_eq!(read, Ok((&[0xa1, 1, 0x61, b'a'][..], 7)));
}

#[test]
fn open_maps_are_walked_in_order() {
    let mut keys = vec![];
    decode(&[0xa3, 1, 10, 0x18, 24, 2, 0x20, 3], 8, |d| {
        d.map(|m| {
            while let Some(entry) = m.any(|key, d| Ok((key, d.uint()?)))? {
                keys.push(entry);
            }
            Ok(())
        })
    })
    .expect("a valid map");
    assert_eq!(keys, [(1, 10), (24, 2), (-1, 3)]);
}

#[test]
fn reader_that_takes_no_item() {
    assert_eq!(decode(&[0], 1, |_| Ok(())), Err(Error::Count));
    assert_eq!(
        decode(&[0xa1, 1, 0], 3, |d| d.map(|m| m.required(1, |_| Ok(())))),
        Err(Error::Count)
    );
    assert_eq!(
        decode(&[0x81, 0], 2, |d| d.array(1..=1, |a| a.item(|_| Ok(())))),
        Err(Error::Count)
    );
}

#[test]
fn reader_that_takes_two_items() {
    let two = |d: &mut Decoder<'_>| {
        d.uint()?;
        d.uint()
    };
    assert_eq!(decode(&[0, 0], 2, two), Err(Error::Count));
    assert_eq!(
        decode(&[0xa2, 1, 2, 3, 4], 5, |d| d.map(|m| m.required(1, two))),
        Err(Error::Count)
    );
    assert_eq!(
        decode(&[0x82, 1, 2], 3, |d| d.array(2..=2, |a| a.item(two))),
        Err(Error::Count)
    );
}

#[test]
fn reader_that_leaves_items_or_asks_for_more() {
    assert_eq!(
        decode(&[0x82, 1, 2], 3, |d| d
            .array(2..=2, |a| a.item(Decoder::uint))),
        Err(Error::Count)
    );
    assert_eq!(
        decode(&[0x81, 1], 2, |d| d.array(1..=1, |a| {
            a.item(Decoder::uint)?;
            a.item(Decoder::uint)
        })),
        Err(Error::Count)
    );
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "key 1 is asked for after Some(2)")]
fn reader_that_asks_out_of_order() {
    let _ = decode(&[0xa0], 1, |d| {
        d.map(|m| {
            m.optional(2, Decoder::uint)?;
            m.optional(1, Decoder::uint)
        })
    });
}

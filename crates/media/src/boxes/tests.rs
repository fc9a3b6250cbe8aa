#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use super::{BoxHeader, BoxSize, Boxes};
use crate::testing::{bx, long};
use crate::{FourCc, MediaError};

#[test]
fn short_and_long_sizes_are_read() {
    let short = bx(b"free", &[b"abc"]);
    let both = [long(&short), short].concat();
    let found: Vec<_> = Boxes::new(&both, 100).map(Result::unwrap).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].offset, found[0].payload, found[0].header().len()),
        (100, &b"abc"[..], 16)
    );
    assert_eq!(
        (found[1].offset, found[1].payload, found[1].header().len()),
        (119, &b"abc"[..], 8)
    );
}

#[test]
fn sizes_below_the_header_are_refused() {
    for bytes in [
        &b"\0\0\0\x07free"[..],
        b"\0\0\0\x02free",
        b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f",
        b"\0\0\0\x01free\0\0\0\0\0\0\0\0",
    ] {
        let error = BoxHeader::parse(bytes, 5).unwrap_err();
        assert!(
            matches!(
                error,
                MediaError::Invalid {
                    offset: 5,
                    field: "size",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn sizes_beyond_the_container_are_refused() {
    for bytes in [
        &b"\0\0\0\x09free"[..],
        b"\xff\xff\xff\xfffree",
        b"\0\0\0\x01free\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\0\0\x01free\0\0\0",
        b"\0\0\0",
    ] {
        let mut boxes = Boxes::new(bytes, 0);
        assert!(matches!(
            boxes.next(),
            Some(Err(MediaError::Truncated { .. }))
        ));
        assert!(boxes.next().is_none(), "nothing follows an error");
    }
}

#[test]
fn a_box_without_end_is_for_the_top_level() {
    let open = b"\0\0\0\0freeabc";
    assert!(matches!(
        Boxes::new(open, 0).next(),
        Some(Err(MediaError::Invalid {
            field: "size",
            found: 0,
            ..
        }))
    ));
    let found = Boxes::top_level(open, 0).next().unwrap().unwrap();
    assert_eq!(found.payload, b"abc");
    assert_eq!(
        BoxHeader::parse(open, 0).unwrap().size,
        BoxSize::ToEndOfFile
    );
}

#[test]
fn a_second_box_of_a_kind_that_comes_once_is_refused() {
    let pair = bx(b"schi", &[&bx(b"tenc", &[]), &bx(b"tenc", &[])]);
    let container = Boxes::new(&pair, 0).next().unwrap().unwrap();
    let error = container.child(FourCc::TENC).unwrap_err();
    assert!(
        matches!(
            error,
            MediaError::Repeated {
                kind: FourCc::TENC,
                offset: 16
            }
        ),
        "{error}"
    );
}

#[test]
fn a_type_cannot_write_to_the_terminal() {
    assert_eq!(FourCc(*b"\x1b[2J").to_string(), "\\x1b[2J");
}

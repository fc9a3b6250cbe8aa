//! Every example of RFC 8949 Appendix A is deterministic and accepted, or refused for a reason that
//! is named here.

use alloc::vec::Vec;

use crate::{Decoder, Error, decode};

const ACCEPTED: Result<(), Error> = Ok(());

/// The examples in the order of the RFC's table 6.
const EXAMPLES: [(&str, Result<(), Error>); 82] = [
    ("00", ACCEPTED),
    ("01", ACCEPTED),
    ("0a", ACCEPTED),
    ("17", ACCEPTED),
    ("1818", ACCEPTED),
    ("1819", ACCEPTED),
    ("1864", ACCEPTED),
    ("1903e8", ACCEPTED),
    ("1a000f4240", ACCEPTED),
    ("1b000000e8d4a51000", ACCEPTED),
    ("1bffffffffffffffff", ACCEPTED),
    ("c249010000000000000000", Err(Error::Tag)),
    ("3bffffffffffffffff", ACCEPTED),
    ("c349010000000000000000", Err(Error::Tag)),
    ("20", ACCEPTED),
    ("29", ACCEPTED),
    ("3863", ACCEPTED),
    ("3903e7", ACCEPTED),
    ("f90000", Err(Error::Float)),
    ("f98000", Err(Error::Float)),
    ("f93c00", Err(Error::Float)),
    ("fb3ff199999999999a", Err(Error::Float)),
    ("f93e00", Err(Error::Float)),
    ("f97bff", Err(Error::Float)),
    ("fa47c35000", Err(Error::Float)),
    ("fa7f7fffff", Err(Error::Float)),
    ("fb7e37e43c8800759c", Err(Error::Float)),
    ("f90001", Err(Error::Float)),
    ("f90400", Err(Error::Float)),
    ("f9c400", Err(Error::Float)),
    ("fbc010666666666666", Err(Error::Float)),
    ("f97c00", Err(Error::Float)),
    ("f97e00", Err(Error::Float)),
    ("f9fc00", Err(Error::Float)),
    ("fa7f800000", Err(Error::Float)),
    ("fa7fc00000", Err(Error::Float)),
    ("faff800000", Err(Error::Float)),
    ("fb7ff0000000000000", Err(Error::Float)),
    ("fb7ff8000000000000", Err(Error::Float)),
    ("fbfff0000000000000", Err(Error::Float)),
    ("f4", ACCEPTED),
    ("f5", ACCEPTED),
    ("f6", ACCEPTED),
    ("f7", Err(Error::Simple)),
    ("f0", Err(Error::Simple)),
    ("f8ff", Err(Error::Simple)),
    (
        "c074323031332d30332d32315432303a30343a30305a",
        Err(Error::Tag),
    ),
    ("c11a514b67b0", Err(Error::Tag)),
    ("c1fb41d452d9ec200000", Err(Error::Tag)),
    ("d74401020304", Err(Error::Tag)),
    ("d818456449455446", Err(Error::Tag)),
    (
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
        Err(Error::Tag),
    ),
    ("40", ACCEPTED),
    ("4401020304", ACCEPTED),
    ("60", ACCEPTED),
    ("6161", ACCEPTED),
    ("6449455446", ACCEPTED),
    ("62225c", ACCEPTED),
    ("62c3bc", ACCEPTED),
    ("63e6b0b4", ACCEPTED),
    ("64f0908591", ACCEPTED),
    ("80", ACCEPTED),
    ("83010203", ACCEPTED),
    ("8301820203820405", ACCEPTED),
    (
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
        ACCEPTED,
    ),
    ("a0", ACCEPTED),
    ("a201020304", ACCEPTED),
    // Maps with text keys: this profile has integer keys only.
    ("a26161016162820203", Err(Error::KeyType)),
    ("826161a161626163", Err(Error::KeyType)),
    (
        "a56161614161626142616361436164614461656145",
        Err(Error::KeyType),
    ),
    ("5f42010243030405ff", Err(Error::Indefinite)),
    ("7f657374726561646d696e67ff", Err(Error::Indefinite)),
    ("9fff", Err(Error::Indefinite)),
    ("9f018202039f0405ffff", Err(Error::Indefinite)),
    ("9f01820203820405ff", Err(Error::Indefinite)),
    ("83018202039f0405ff", Err(Error::Indefinite)),
    ("83019f0203ff820405", Err(Error::Indefinite)),
    (
        "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
        Err(Error::Indefinite),
    ),
    ("bf61610161629f0203ffff", Err(Error::Indefinite)),
    ("826161bf61626163ff", Err(Error::Indefinite)),
    ("bf6346756ef563416d7421ff", Err(Error::Indefinite)),
    // The RFC gives an example of simple(24) in its text only, as not well-formed.
    ("f818", Err(Error::Simple)),
];

#[test]
fn examples_of_rfc_8949() {
    for (example, expected) in EXAMPLES {
        let bytes = hex::decode(example).expect("the table is hexadecimal");
        let found = decode(&bytes, 64, Decoder::raw);
        assert_eq!(found, expected.map(|()| bytes.as_slice()), "{example}");
    }
}

#[test]
fn integers_of_rfc_8949() {
    let read = |hex: &str| -> Result<u64, Error> {
        let bytes: Vec<u8> = hex::decode(hex).expect("hexadecimal");
        decode(&bytes, 16, Decoder::uint)
    };
    assert_eq!(read("17"), Ok(23));
    assert_eq!(read("1818"), Ok(24));
    assert_eq!(read("1903e8"), Ok(1000));
    assert_eq!(read("1a000f4240"), Ok(1_000_000));
    assert_eq!(read("1b000000e8d4a51000"), Ok(1_000_000_000_000));
    assert_eq!(read("1bffffffffffffffff"), Ok(u64::MAX));
}

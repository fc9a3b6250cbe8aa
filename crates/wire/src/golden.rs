//! Bodies against encodings that another encoder wrote, in another language.

use alloc::vec::Vec;

/// The encoding of `name` in a list of `NAME HEXADECIMAL` lines.
pub(crate) fn encoding(list: &str, name: &str) -> Vec<u8> {
    let line = list
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .expect("every case has its line");
    line.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Everything one step away: each bit flipped, each end cut, each byte doubled, one byte more.
pub(crate) fn neighbours(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..bytes.len() * 8).map(move |bit| {
        let mut mutant = bytes.to_vec();
        mutant[bit / 8] ^= 1 << (bit % 8);
        mutant
    });
    let cut = (0..bytes.len()).map(move |end| bytes[..end].to_vec());
    let doubled = (0..bytes.len()).map(move |at| {
        let mut mutant = bytes.to_vec();
        mutant.insert(at, bytes[at]);
        mutant
    });
    let longer = [0x00, 0xa0, 0xf6, 0xff]
        .into_iter()
        .map(move |byte| [bytes, &[byte]].concat());
    flipped.chain(cut).chain(doubled).chain(longer)
}

/// Checks each body against its encoding in the list `golden.txt` beside the tests, both ways, and
/// that whatever a damaged encoding
/// still decodes to is exactly what it says: no two encodings mean the same.
macro_rules! golden {
    ($($name:literal => $ty:ty: $value:expr;)*) => {
        #[test]
        fn bodies_match_their_golden_encoding() {
            $({
                let value: $ty = $value;
                let bytes = $crate::golden::encoding(include_str!("golden.txt"), $name);
                assert_eq!($crate::Body::encode(&value, $crate::limits::MAX_REQUEST).unwrap(), bytes, $name);
                assert_eq!(<$ty as $crate::Body<'_>>::decode(&bytes, $crate::limits::MAX_REQUEST).unwrap(), value, $name);
            })*
        }

        #[test]
        fn damaged_encodings_are_refused_or_mean_what_they_say() {
            $({
                let bytes = $crate::golden::encoding(include_str!("golden.txt"), $name);
                let mut refused = 0_usize;
                for mutant in $crate::golden::neighbours(&bytes) {
                    match <$ty as $crate::Body<'_>>::decode(&mutant, $crate::limits::MAX_REQUEST) {
                        Ok(value) => assert_eq!($crate::Body::encode(&value, $crate::limits::MAX_REQUEST).unwrap(), mutant),
                        Err(_) => refused += 1,
                    }
                }
                // All cuts and additions at least.
                assert!(refused >= bytes.len() + 4, "{}: {refused}", $name);
            })*
        }

        #[test]
        fn every_golden_encoding_is_used() {
            let used = [$($name),*];
            let listed: alloc::vec::Vec<&str> = include_str!("golden.txt")
                .lines()
                .filter_map(|line| line.split(' ').next())
                .collect();
            assert_eq!(listed, used);
        }
    };
}
pub(crate) use golden;

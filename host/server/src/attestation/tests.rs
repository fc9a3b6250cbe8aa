#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;

/// The key of RFC 7517 appendix A.1, of 2048 bits.
const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_\
                 BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQ\
                 MicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPk\
                 sINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

#[test]
fn a_key_set_is_read_and_what_is_not_for_us_left_alone() {
    let set = format!(
        r#"{{"keys":[{{"kty":"RSA","n":"{N}","e":"AQAB","alg":"PS256","kid":"board-1"}}],"x":1}}"#
    );
    let keys = read_set(set.as_bytes()).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].modulus.len(), &keys[0].exponent[..]),
        (256, &[1, 0, 1][..])
    );
    assert_eq!(read_set(br#"{"keys":[]}"#).unwrap(), []);
}

#[test]
fn a_key_set_with_anything_else_is_refused_whole() {
    let good = format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB"}}"#);
    for bad in [
        good.replace("RSA", "EC"),
        good.replace("\"n\"", "\"m\""),
        good.replace("AQAB", "=="),
        good.replace("AQAB", "AAAA"),
        good.replace(N, &N[..300]),
        good.replace("\"e\":\"AQAB\"", "\"e\":\"AQABAQAB\""),
    ] {
        let error = read_set(format!(r#"{{"keys":[{good},{bad}]}}"#).as_bytes()).unwrap_err();
        assert!(error.starts_with("key 1 is not an RSA key"), "{error}");
    }
    for bad in ["", "{}", "[]", r#"{"keys":[1]}"#] {
        let error = read_set(bad.as_bytes()).unwrap_err();
        assert!(error.starts_with("this is no JSON Web Key Set"), "{error}");
    }
}

#[test]
fn leading_zeros_are_no_part_of_a_number() {
    let number = [0xc5; 256];
    let padded = [&[0, 0][..], &number].concat();
    let key = PlatformKey::rsa(&number, &[1, 0, 1]);
    assert!(key.is_some());
    assert_eq!(PlatformKey::rsa(&padded, &[0, 1, 0, 1]), key);
    assert_eq!(PlatformKey::rsa(&[0xc5; 255], &[3]), None);
    assert_eq!(PlatformKey::rsa(&[0xc5; 1025], &[3]), None);
    assert_eq!(PlatformKey::rsa(&number, &[0]), None);
}

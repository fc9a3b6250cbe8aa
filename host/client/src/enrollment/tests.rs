#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;

const ANCHOR: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn bundle(rest: &str) -> String {
    format!(r#"{{"anchor": "{ANCHOR}", "url": "http://127.0.0.1:7480"{rest}}}"#)
}

#[test]
fn a_bundle_names_whom_to_trust_where_to_ask_and_the_token() {
    let plain = Enrollment::parse(bundle("").as_bytes()).unwrap();
    assert_eq!(plain.anchor.to_string(), ANCHOR);
    assert_eq!(plain.url.to_string(), "http://127.0.0.1:7480");
    assert_eq!(plain.token, None);

    let token = Enrollment::parse(bundle(r#", "token": "t-1""#).as_bytes())
        .unwrap()
        .token;
    assert_eq!(token, Some(ProvisionToken::Enrollment(b"t-1".to_vec())));
    let factory = bundle(r#", "token": "t-2", "factory": true"#);
    let token = Enrollment::parse(factory.as_bytes()).unwrap().token;
    assert_eq!(token, Some(ProvisionToken::Factory(b"t-2".to_vec())));
}

#[test]
fn what_is_wrong_with_a_bundle_is_said() {
    for (text, why) in [
        (String::new(), "line 1, column 0 is not as in {\"anchor\""),
        ("[]".into(), "line 1, column "),
        (bundle(r#", "anchr": "x""#), "line 1, column "),
        (
            r#"{"anchor": "00", "url": "http://h"}"#.into(),
            "64 hexadecimal digits",
        ),
        (bundle("").replace("0011", "zz11"), "64 hexadecimal digits"),
        (bundle("").replace("http", "gopher"), "must begin with http"),
        (bundle("").replace("\"url\"", "\"uri\""), "line 1, column "),
    ] {
        let refused = Enrollment::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(why), "{text}: {refused}");
    }
    let huge = vec![b' '; usize::try_from(MAX_BUNDLE).unwrap() + 1];
    assert!(matches!(
        Enrollment::parse(&huge),
        Err(EnrollmentError::TooLarge)
    ));
}

/// Whoever names the wrong file may have named one with keys.
#[test]
fn what_stands_in_a_file_that_is_none_is_not_repeated() {
    for text in [
        "5ec7e7:5ec7e7",
        "\"5ec7e7\"",
        "{\"5ec7e7\": 1}",
        "{\"anchor\": {\"5ec7e7\": 1}}",
        "[\"5ec7e7\"]",
    ] {
        let refused = Enrollment::parse(text.as_bytes()).unwrap_err();
        let mut next: Option<&dyn std::error::Error> = Some(&refused);
        while let Some(error) = next {
            assert!(!format!("{error} {error:?}").contains("5ec7e7"), "{error}");
            next = error.source();
        }
    }
}

#[test]
fn a_file_is_read_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle.json");
    let missing = Enrollment::read(&path).unwrap_err().to_string();
    assert!(missing.contains("bundle.json"), "{missing}");
    fs::write(&path, bundle("")).unwrap();
    assert!(Enrollment::read(&path).is_ok());
    fs::write(&path, vec![b' '; 1 << 20]).unwrap();
    assert!(matches!(
        Enrollment::read(&path),
        Err(EnrollmentError::TooLarge)
    ));
}

/// Logs keep what `Debug` prints, and the token is worth a certificate.
#[test]
fn a_token_is_not_printed() {
    let text = bundle(r#", "token": "hush""#);
    assert!(!format!("{:?}", Enrollment::parse(text.as_bytes()).unwrap()).contains("hush"));
}

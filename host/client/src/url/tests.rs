#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;

#[test]
fn addresses_of_services_are_taken() {
    for (given, base) in [
        ("http://127.0.0.1:7480", "http://127.0.0.1:7480"),
        ("https://license.example/", "https://license.example"),
        (
            "https://license.example/drm//",
            "https://license.example/drm",
        ),
        ("http://[::1]:80", "http://[::1]:80"),
    ] {
        let url: ServerUrl = given.parse().unwrap();
        assert_eq!(url.to_string(), base);
        assert_eq!(url.join("/v1/license"), format!("{base}/v1/license"));
    }
}

#[test]
fn everything_else_is_refused_with_its_reason() {
    for (given, why) in [
        ("", "expected http"),
        ("license.example", "must begin"),
        ("/v1", "must begin"),
        ("ftp://license.example", "must begin"),
        ("file:///etc/passwd", "expected http"),
        ("http://", "expected http"),
        ("http://user:secret@license.example", "no place"),
        ("http://license.example?x=1", "query or fragment"),
        ("http://license.example#top", "query or fragment"),
        ("http://license example", "expected http"),
        ("http://license.example\r\nHost: other", "expected http"),
        (
            &format!("http://license.example/{}", "x".repeat(512)),
            "longer than",
        ),
    ] {
        let refused = given.parse::<ServerUrl>().unwrap_err();
        assert!(refused.why.contains(why), "{given:?}: {refused}");
    }
}

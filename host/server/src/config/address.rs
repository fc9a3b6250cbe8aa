//! Addresses: the one that devices are given, and those of the operator's services.

use std::net::IpAddr;

use axum::http::Uri;
use keybearer_license::MAX_URL;

/// Checks an address by the rules of the devices' side, which would refuse a bundle with any other:
/// `http://` or `https://`, a host, perhaps a port and a path, at most [`MAX_URL`] bytes.
///
/// # Errors
/// What is wrong with it and what is expected.
pub(super) fn check(url: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(why.to_owned());
    if url.len() > MAX_URL {
        return Err(format!("longer than {MAX_URL} bytes"));
    }
    if url.contains(['?', '#']) {
        return refuse("a query or fragment has no place here");
    }
    let Ok(uri) = url.parse::<Uri>() else {
        return refuse("expected https://HOST[:PORT] or http://HOST[:PORT]");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return refuse("expected an address that begins with https:// or http://");
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            refuse("a user name or password has no place here")
        }
        Some(authority) if !authority.host().is_empty() => Ok(()),
        _ => refuse("it names no host"),
    }
}

/// Whether nobody on a network reads what is sent there: `https`, or a host that is this machine.
pub(super) fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let number = host.trim_start_matches('[').trim_end_matches(']');
    uri.scheme_str() == Some("https")
        || host == "localhost"
        || number
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

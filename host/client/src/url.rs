//! Address of a licence service.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

/// Longest address accepted, in bytes.
const MAX_URL: usize = 512;

/// Address of a licence service: `http://` or `https://`, host, optional port and path.
///
/// Plain `http` is allowed for any host: every message is sealed and signed by itself, so TLS adds
/// only that an onlooker no longer learns which service is asked, when, and how much it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(String);

/// Why a text is not the address of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not the address of a licence service: {why}")]
pub struct UrlError {
    /// The text.
    pub url: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl ServerUrl {
    /// The address of one resource; `path` begins with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let refuse = |why| {
            Err(UrlError {
                url: text.chars().take(MAX_URL).collect(),
                why,
            })
        };
        if text.len() > MAX_URL {
            return refuse("longer than 512 bytes");
        }
        if text.contains(['?', '#']) {
            return refuse("a query or fragment has no place here");
        }
        let Ok(uri) = text.parse::<Uri>() else {
            return refuse("expected http://HOST[:PORT] or https://HOST[:PORT]");
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return refuse("it must begin with http:// or https://");
        }
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                refuse("a user name or password has no place here")
            }
            Some(authority) if !authority.host().is_empty() => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => refuse("it names no host"),
        }
    }
}

#[cfg(test)]
mod tests;

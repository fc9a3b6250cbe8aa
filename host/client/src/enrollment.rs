//! Enrolment bundle: the file with which an operator hands a device to its service.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::{AnchorDigest, ProvisionToken, ServerUrl, UrlError};

/// Largest bundle in bytes.
const MAX_BUNDLE: u64 = 64 * 1024;

/// Whom to trust, where to ask, and the token that buys a certificate.
///
/// As JSON: `{"anchor": "64 hexadecimal digits", "url": "https://license.example", "token": "..",
/// "factory": false}`; the last two may be absent. Whoever can change the file can name another
/// operator, so it belongs where only the device's owner writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// The operator's trust anchor.
    pub anchor: AnchorDigest,
    /// The service.
    pub url: ServerUrl,
    /// Token for provisioning.
    pub token: Option<ProvisionToken>,
}

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrollmentError {
    /// It cannot be read.
    #[error("cannot read enrolment bundle {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is larger than a bundle can be.
    #[error("enrolment bundle is larger than {MAX_BUNDLE} bytes")]
    TooLarge,
    /// It is not JSON of the right form.
    ///
    /// Says where and no more: what stands there may be a key, if the wrong file was named.
    #[error(
        "enrolment bundle: line {line}, column {column} is not as in {{\"anchor\": \"..\", \"url\": \"..\", \
         \"token\": \"..\"}}"
    )]
    Format {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The anchor is not 64 hexadecimal digits.
    #[error("enrolment bundle: anchor: {0}; expected 64 hexadecimal digits")]
    Anchor(#[source] hex::FromHexError),
    /// The address is not one.
    #[error("enrolment bundle: {0}")]
    Url(#[from] UrlError),
}

/// The file as it stands.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    anchor: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default)]
    factory: bool,
}

impl Enrollment {
    /// Reads a bundle from a file.
    ///
    /// # Errors
    /// [`EnrollmentError`].
    pub fn read(path: &Path) -> Result<Self, EnrollmentError> {
        use io::Read;
        let failed = |source| EnrollmentError::Read {
            path: path.to_path_buf(),
            source,
        };
        let mut bytes = Vec::new();
        fs::File::open(path)
            .and_then(|file| file.take(MAX_BUNDLE + 1).read_to_end(&mut bytes))
            .map_err(failed)?;
        Self::parse(&bytes)
    }

    /// Reads a bundle from bytes.
    ///
    /// # Errors
    /// [`EnrollmentError`].
    pub fn parse(json: &[u8]) -> Result<Self, EnrollmentError> {
        if u64::try_from(json.len()).is_ok_and(|len| len > MAX_BUNDLE) {
            return Err(EnrollmentError::TooLarge);
        }
        let bundle: Bundle =
            serde_json::from_slice(json).map_err(|error| EnrollmentError::Format {
                line: error.line(),
                column: error.column(),
            })?;
        let token = bundle.token.map(String::into_bytes);
        Ok(Self {
            anchor: bundle.anchor.parse().map_err(EnrollmentError::Anchor)?,
            url: bundle.url.parse()?,
            token: token.map(if bundle.factory {
                ProvisionToken::Factory
            } else {
                ProvisionToken::Enrollment
            }),
        })
    }
}

#[cfg(test)]
mod tests;

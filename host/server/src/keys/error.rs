//! What can be wrong with a key directory, said so that the operator knows what to do.

use std::io;
use std::path::{Path, PathBuf};

use keybearer_license::LicenseError;

/// Why a key directory could not be made, read or renewed. No variant holds key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A private file or directory can be reached by others than its owner.
    #[error("{} can be read by others (mode {mode:04o}); run: chmod {fix} {}", path.display(), path.display())]
    Permissions {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The mode it should have.
        fix: &'static str,
    },
    /// There is no key directory.
    #[error("there is no key directory {}; create one first", path.display())]
    NoDirectory {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file that must be there is not.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A key directory is not made over something else.
    #[error("{} is not empty; keys are only created in a new directory", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// A file does not hold what its name says.
    #[error("{} does not hold {expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// Two files do not belong together.
    #[error("{} does not belong to the other files of its directory: {what}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: &'static str,
    },
    /// A certificate does not stand under the anchor, or not now.
    #[error("{} is not usable: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What the verifier said.
        source: LicenseError,
    },
    /// The service certificate has ended and the key that could renew it is not here.
    #[error(
        "{} has ended and service-issuer.key is not in the directory; renew the certificate where \
         that key is kept and copy the file here", path.display()
    )]
    CertificateEnded {
        /// The certificate chain.
        path: PathBuf,
    },
    /// The cryptography failed while making keys or certificates.
    #[error("making keys or certificates failed: {0}")]
    Crypto(LicenseError),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl KeyError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<LicenseError> for KeyError {
    fn from(error: LicenseError) -> Self {
        Self::Crypto(error)
    }
}

impl From<keybearer_crypto::CryptoError> for KeyError {
    fn from(error: keybearer_crypto::CryptoError) -> Self {
        Self::Crypto(match error {
            keybearer_crypto::CryptoError::Rng => LicenseError::Random,
            keybearer_crypto::CryptoError::Memory => LicenseError::Memory,
            _ => LicenseError::Key,
        })
    }
}

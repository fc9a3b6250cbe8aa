//! What tokens are verified with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::PublicKey;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::names::{Name, words};

/// Fewest bytes of a shared secret: RFC 7518 section 3.2 wants as many as the hash has.
pub(crate) const MIN_SECRET: usize = 32;

/// A signature algorithm of tokens. There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// HMAC with SHA-256 (RFC 7518 section 3.2).
    Hs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
}

words! {
    Algorithm, "signature algorithm": Hs256 = "HS256", Es256 = "ES256";
}

/// A shared secret of at least 32 bytes. It is never shown, and gone from memory with its last
/// holder.
#[derive(Clone)]
pub struct SharedSecret(Arc<Zeroizing<Vec<u8>>>);

impl SharedSecret {
    /// Takes the secret over.
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret")
    }
}

/// A key for tokens, which is for one algorithm and no other.
#[derive(Clone, Debug)]
pub enum TokenKey {
    /// A secret that issuer and server share.
    Hs256(SharedSecret),
    /// Such a secret, in a private file that the server reads when it starts.
    SecretFile(PathBuf),
    /// The issuer's public key.
    Es256(PublicKey),
}

impl TokenKey {
    /// A shared secret for HS256; none where it is shorter than 32 bytes.
    #[must_use]
    pub fn hs256(secret: &[u8]) -> Option<Self> {
        (secret.len() >= MIN_SECRET)
            .then(|| Self::Hs256(SharedSecret::new(Zeroizing::new(secret.to_vec()))))
    }

    /// The algorithm it is for.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) | Self::SecretFile(_) => Algorithm::Hs256,
            Self::Es256(_) => Algorithm::Es256,
        }
    }
}

/// What a tenant's tokens are signed with.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The name that a token's header gives as `kid`.
    pub kid: String,
    /// The key.
    pub key: TokenKey,
}

/// A credential as it stands in the configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialForm {
    kid: String,
    alg: Name<Algorithm>,
    secret_file: Option<PathBuf>,
    x: Option<Coordinate>,
    y: Option<Coordinate>,
}

/// A coordinate of a public key as JSON Web Keys have it (RFC 7518 section 6.2.1).
struct Coordinate([u8; 32]);

impl<'de> Deserialize<'de> for Coordinate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        URL_SAFE_NO_PAD
            .decode(&text)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| {
                serde::de::Error::custom(format_args!(
                    "{text:?} found, expected a coordinate as a JSON Web Key has it: 32 bytes as \
                     43 characters of base64url"
                ))
            })
    }
}

impl CredentialForm {
    /// The credential; a secret is still in its file.
    pub(crate) fn credential(self) -> Result<Credential, String> {
        let kid = self.kid;
        if kid.is_empty() || kid.len() > super::MAX_ID {
            return Err(format!("its kid must have 1 to {} bytes", super::MAX_ID));
        }
        let key = match (self.alg.0, self.secret_file, self.x, self.y) {
            (Algorithm::Hs256, Some(path), None, None) => TokenKey::SecretFile(path),
            (Algorithm::Es256, None, Some(x), Some(y)) => {
                TokenKey::Es256(PublicKey { x: x.0, y: y.0 })
            }
            (Algorithm::Hs256, ..) => return Err("HS256 takes secret_file, not x or y".into()),
            (Algorithm::Es256, ..) => return Err("ES256 takes x and y, not secret_file".into()),
        };
        Ok(Credential { kid, key })
    }
}

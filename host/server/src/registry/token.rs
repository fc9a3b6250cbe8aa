//! Tokens with which devices are certified, and the bundle that brings one to a device.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::{Crypto, Digest, Rng};
use keybearer_license::{HardwareModel, UnixTime};
use keybearer_rules::Level;
use zeroize::Zeroizing;

use super::{Registry, RegistryError};
use crate::config::text::Text;
use crate::names::Name;
use crate::store::{StoreError, TokenKind, TokenRecord};

/// Longest life of a token, in seconds: a year.
const MAX_TOKEN_SECONDS: u32 = 366 * 24 * 60 * 60;
/// How an enrolment token begins, so that people can tell the two kinds apart.
const ENROLMENT_PREFIX: &str = "kbe_";
/// How a factory token begins.
const FACTORY_PREFIX: &str = "kbf_";
/// Random bytes in a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// An enrolment token to be made: one device, at most Low.
#[derive(Clone, Debug)]
pub struct EnrolmentToken {
    /// The tenant that the device will belong to.
    pub tenant: String,
    /// The only model that may use it; absent: any.
    pub model: Option<HardwareModel>,
    /// How long it counts, in seconds, up to a year.
    pub valid_seconds: u32,
}

/// A factory token to be made: the device with this key, up to a level.
#[derive(Clone, Debug)]
pub struct FactoryToken {
    /// The tenant that the device will belong to.
    pub tenant: String,
    /// SHA-256 of the device's public key as a COSE_Key.
    pub key_digest: Digest,
    /// Medium or High. What is certified is never above the device's evidence.
    pub level: Level,
    /// The only model that may use it; absent: any.
    pub model: Option<HardwareModel>,
    /// How long it counts, in seconds, up to a year.
    pub valid_seconds: u32,
}

/// A token that was made. The server keeps its digest only: this is the one time it is seen.
#[derive(Clone, PartialEq, Eq)]
pub struct MintedToken {
    /// The token: ASCII, of which a provision request carries exactly these bytes.
    pub token: String,
    /// First second it no longer counts.
    pub expires: UnixTime,
}

impl Registry {
    /// Makes a one-use token with which any device enrols, at most at Low.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] tenant, [`RegistryError::Invalid`] duration.
    pub fn mint_enrolment(&self, token: &EnrolmentToken) -> Result<MintedToken, RegistryError> {
        let kind = TokenKind::Enrolment;
        self.mint(
            ENROLMENT_PREFIX,
            kind,
            &token.tenant,
            token.model.clone(),
            token.valid_seconds,
        )
    }

    /// Makes a token for the one device that has the key with this digest.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] tenant, [`RegistryError::Invalid`] duration or level.
    pub fn mint_factory(&self, token: &FactoryToken) -> Result<MintedToken, RegistryError> {
        if token.level < Level::Medium {
            return Err(RegistryError::Invalid {
                what: format!("level {:?}, expected medium or high", token.level.name()),
            });
        }
        let kind = TokenKind::Factory {
            key_digest: Text(token.key_digest),
            level: Name(token.level),
        };
        self.mint(
            FACTORY_PREFIX,
            kind,
            &token.tenant,
            token.model.clone(),
            token.valid_seconds,
        )
    }

    fn mint(
        &self,
        prefix: &str,
        kind: TokenKind,
        tenant: &str,
        model: Option<HardwareModel>,
        valid_seconds: u32,
    ) -> Result<MintedToken, RegistryError> {
        let service = self.service()?;
        if !service.has_tenant(tenant) {
            return Err(RegistryError::Unknown {
                what: format!("tenant {tenant:?}"),
            });
        }
        if !(1..=MAX_TOKEN_SECONDS).contains(&valid_seconds) {
            return Err(RegistryError::Invalid {
                what: format!("valid_seconds = {valid_seconds}, expected 1 to {MAX_TOKEN_SECONDS}"),
            });
        }
        let crypto = service.keys().crypto();
        let mut random = Zeroizing::new([0; TOKEN_BYTES]);
        crypto
            .rng()
            .fill(&mut *random)
            .map_err(|_| RegistryError::Failed {
                what: "no random numbers".into(),
            })?;
        let token = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(*random));
        let now = service.now();
        let expires = now.saturating_add(valid_seconds.into());
        let record = TokenRecord {
            kind,
            tenant: tenant.to_owned(),
            model: model.map(Text),
            expires: expires.0,
            used_by: None,
        };
        let digest = crypto.sha256(&[token.as_bytes()]);
        service.store().change(|change| -> Result<(), StoreError> {
            change.drop_ended_tokens(now)?;
            change.put_token(&digest, &record)
        })?;
        Ok(MintedToken { token, expires })
    }

    /// The enrolment bundle: what a device's application needs to find, believe and enrol with
    /// this server, as the JSON of an enrolment file.
    ///
    /// # Errors
    /// [`RegistryError::Stopped`].
    pub fn bundle(&self, token: &MintedToken) -> Result<serde_json::Value, RegistryError> {
        let service = self.service()?;
        Ok(serde_json::json!({
            "anchor": service.keys().root().to_string(),
            "url": service.public_url(),
            "token": token.token,
            "factory": token.token.starts_with(FACTORY_PREFIX),
        }))
    }
}

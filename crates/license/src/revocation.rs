//! Revocation lists.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, decode, encode};
use keybearer_crypto::Crypto;

use crate::chain::{Trust, verify_service_raw};
use crate::codes::Roles;
use crate::cose::sign::{Sign1, SignedBy, sign};
use crate::error::LicenseError;
use crate::ids::Serial;
use crate::limits::{MAX_REVOCATION_LIST, MAX_REVOKED};
use crate::message::MessageType;
use crate::registry::claim;
use crate::service::ServiceIdentity;
use crate::time::UnixTime;

/// Serials that no longer count. Its number rises with each list; whoever keeps a list refuses a
/// lower one, which is the caller's to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Monotone number.
    pub number: u64,
    /// When it was made.
    pub issued: UnixTime,
    /// When the next one is due.
    pub next_update: UnixTime,
    /// Serials in ascending order, none twice, at most [`MAX_REVOKED`].
    pub serials: Vec<Serial>,
}

impl RevocationList {
    fn check(&self) -> Result<(), LicenseError> {
        let sorted = self
            .serials
            .iter()
            .zip(self.serials.iter().skip(1))
            .all(|(a, b)| a < b);
        if sorted && self.issued < self.next_update {
            Ok(())
        } else {
            Err(LicenseError::Invalid)
        }
    }
}

/// Signs a revocation list.
///
/// # Errors
/// [`LicenseError::Invalid`] for serials out of order or a next update not after the making,
/// [`LicenseError::Size`], [`LicenseError::Key`], [`LicenseError::Memory`].
pub fn sign_revocation_list(
    service: &mut ServiceIdentity<'_>,
    list: &RevocationList,
) -> Result<Vec<u8>, LicenseError> {
    list.check()?;
    if list.serials.len() > MAX_REVOKED {
        return Err(LicenseError::Size);
    }
    let payload = encode(MAX_REVOCATION_LIST, |e| {
        e.map(|m| {
            m.entry(claim::IAT, |e| list.issued.encode(e))?;
            m.entry(claim::REVOCATION, |e| e.uint(list.number))?;
            m.entry(claim::NEXT_UPDATE, |e| list.next_update.encode(e))?;
            m.entry(claim::SERIALS, |e| {
                e.list(&list.serials, |e, serial| serial.encode(e))
            })
        })
    })?;
    let by = SignedBy::Chain(service.chain);
    let mut signed = sign(
        service.signer,
        MessageType::RevocationList,
        &by,
        None,
        &payload,
    )?;
    if signed.len() > MAX_REVOCATION_LIST {
        return Err(LicenseError::Size);
    }
    Ok(core::mem::take(&mut *signed))
}

/// Verifies a revocation list.
///
/// # Errors
/// [`LicenseError::RoleMissing`] without the revocation role, and those of
/// [`verify_service`](crate::verify_service) and of any malformed message.
pub fn open_revocation_list<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<RevocationList, LicenseError> {
    let signed = Sign1::parse(bytes, MAX_REVOCATION_LIST)?;
    signed.header.expect(MessageType::RevocationList)?;
    let chain = signed.header.require_chain()?;
    let signer = verify_service_raw(crypto, trust, chain, Roles::REVOCATION)?;
    let payload = signed.verified_by(crypto, &signer.claims.signing_key)?;
    let list = decode(payload, MAX_REVOCATION_LIST, |d| {
        d.map(|m| {
            Ok(RevocationList {
                issued: m.required(claim::IAT, UnixTime::decode)?,
                number: m.required(claim::REVOCATION, Decoder::uint)?,
                next_update: m.required(claim::NEXT_UPDATE, UnixTime::decode)?,
                serials: m.required(claim::SERIALS, |d| d.list(MAX_REVOKED, Serial::decode))?,
            })
        })
    })?;
    list.check()?;
    Ok(list)
}

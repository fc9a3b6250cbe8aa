//! The revocation list, signed when it changes and again before it is due.

use std::sync::{Arc, PoisonError};

use keybearer_license::{
    MAX_REVOKED, RevocationList, Serial, ServiceIdentity, UnixTime, sign_revocation_list,
};

use super::{Fault, Service};
use crate::keys::KeyDirectory;
use crate::store::{Store, StoreError};

/// When the next list is due, in seconds after this one.
const NEXT_UPDATE: u64 = 7 * 24 * 60 * 60;
/// A list older than this, in seconds, is signed again: devices never see one that is nearly due.
const SIGN_AGAIN: u64 = 24 * 60 * 60;

/// A signed list as it is handed out.
pub(super) struct SignedList {
    number: u64,
    issued: UnixTime,
    /// The certificate that signed it: when that is replaced the list is signed again.
    certificate: keybearer_crypto::Digest,
    bytes: Arc<[u8]>,
}

impl SignedList {
    /// Signs the list as the store has it.
    pub(super) fn make(keys: &KeyDirectory, store: &Store, now: UnixTime) -> Result<Self, Fault> {
        let (number, serials) = store.view()?.revoked()?;
        let next_update = now.saturating_add(NEXT_UPDATE);
        let list = RevocationList {
            number,
            issued: now,
            next_update,
            serials,
        };
        let certificate = keys.service();
        let mut signer = keys.signing().signer();
        let mut identity = ServiceIdentity {
            signer: &mut *signer,
            chain: &certificate.chain,
        };
        let bytes = sign_revocation_list(&mut identity, &list)?.into();
        Ok(Self {
            number,
            issued: now,
            certificate: certificate.verified.digest,
            bytes,
        })
    }
}

/// What became of a revocation.
pub(crate) enum Revocation {
    /// The certificate is revoked, from the list of this number on.
    Done(u64),
    /// No such certificate was issued here.
    Unknown,
    /// The list holds as many serials as a device reads.
    ListFull,
}

impl Service {
    /// The newest list: its number and its signed bytes.
    pub(crate) fn revocation_list(&self) -> Result<(u64, Arc<[u8]>), Fault> {
        let list = self
            .revocation
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Ok((list.number, Arc::clone(&list.bytes)))
    }

    /// Signs the list again when it is a day old or the certificate was replaced.
    pub(super) fn refresh_revocation(&self, now: UnixTime) -> Result<(), Fault> {
        let stale = {
            let list = self
                .revocation
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            now.0.saturating_sub(list.issued.0) >= SIGN_AGAIN
                || list.certificate != self.keys.service().verified.digest
        };
        if stale {
            self.sign_revocation(now)
        } else {
            Ok(())
        }
    }

    fn sign_revocation(&self, now: UnixTime) -> Result<(), Fault> {
        // Made under the lock, so that of two at once the one that read the store last stays.
        let mut list = self
            .revocation
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *list = SignedList::make(&self.keys, &self.store, now)?;
        Ok(())
    }

    /// Revokes a device's certificate and publishes the list that says so.
    pub(crate) fn revoke(&self, serial: &Serial) -> Result<Revocation, Fault> {
        let now = self.now();
        let most = u64::try_from(MAX_REVOKED).unwrap_or(u64::MAX);
        let outcome = self.store.change(|change| -> Result<_, StoreError> {
            if !change.is_revoked(serial)? && change.revoked_count()? >= most {
                return Ok(Revocation::ListFull);
            }
            match change.revoke(serial, now)? {
                true => Ok(Revocation::Done(change.revocation_number()?)),
                false => Ok(Revocation::Unknown),
            }
        })?;
        if matches!(outcome, Revocation::Done(_)) {
            self.sign_revocation(now)?;
        }
        Ok(outcome)
    }
}

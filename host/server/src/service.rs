//! The licence service itself: from the bytes of a request to the bytes of an answer.
//!
//! Knows nothing of HTTP. Promises that a request is worked on once: a repeat gets the same bytes,
//! however many come at the same time and across a restart, and another request under the same id
//! gets nothing but a denial. Distrusts the request in everything: what it says counts only after
//! the seal, the signature and the certificate have been verified, and a level only as far as both
//! the certificate and the evidence carry it.

mod answer;
mod authorise;
mod license;
mod operator;
mod provision;
mod revocation;
mod time;
mod usage;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use keybearer_license::{
    Challenge, Denial, DenialReason, DeviceClaims, Evidence, Isolation, KeyId, LicenseError,
    RevokedSerials, ServiceIdentity, ServiceInfo, TimeView, Trust, UnixTime, Version,
    make_challenge, seal_service_info,
};
use keybearer_rules::Level;

use crate::authorisation::callback::Asker;
use crate::clock::Clock;
use crate::config::{Config, ContentSpec, Limits, Tenant};
use crate::keys::KeyDirectory;
use crate::metrics::{Metrics, Rejection};
use crate::store::{Store, StoreError};
use crate::usage::{Definitions, RuleBook};
use answer::{Asked, Decision};
pub(crate) use revocation::Revocation;
use revocation::SignedList;

/// Why a request gets no sealed answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The message is at fault.
    #[error("{0}")]
    Message(#[from] LicenseError),
    /// The store is.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Fault {
    /// How the sender is told.
    pub(crate) fn rejection(&self) -> Rejection {
        use LicenseError as E;
        match self {
            Self::Store(_) => Rejection::Internal,
            Self::Message(error) => match error {
                E::Random | E::Memory | E::Key => Rejection::Internal,
                E::WrongAudience => Rejection::WrongService,
                E::Sealed => Rejection::NotSealedHere,
                E::Signature
                | E::WrongAnchor
                | E::WrongIssuer
                | E::ChainLength
                | E::CertificateType
                | E::RoleMissing
                | E::Expired
                | E::NotYetValid
                | E::ValidityTooLong
                | E::Revoked => Rejection::NotTrusted,
                _ => Rejection::Malformed,
            },
        }
    }
}

/// One service with its keys, contents and store.
pub(crate) struct Service {
    keys: KeyDirectory,
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    limits: Limits,
    tenants: HashMap<String, Tenant>,
    minimum_core: Option<Version>,
    /// Contents of the configuration file, with their keys.
    contents: Vec<ContentSpec>,
    /// Usage rules of the configuration file.
    configured_rules: Definitions,
    /// Where in `contents` a key is: content, key.
    configured_keys: HashMap<KeyId, (usize, usize)>,
    public_url: String,
    revocation: RwLock<SignedList>,
    /// The usage rules in force.
    book: RwLock<Arc<RuleBook>>,
    /// Held by whoever changes them.
    book_turn: Mutex<()>,
    /// Asks operators' services.
    asker: Asker,
}

impl Service {
    /// A service of checked parts. Contents of the configuration must hold their keys; `book` is what
    /// the usage rules of configuration and store come to.
    pub(crate) fn new(
        keys: KeyDirectory,
        store: Store,
        clock: Arc<dyn Clock>,
        config: Config,
        book: RuleBook,
        public_url: String,
    ) -> Result<Self, Fault> {
        let now = clock.now();
        let revocation = RwLock::new(SignedList::make(&keys, &store, now)?);
        let configured_keys = config
            .contents
            .iter()
            .enumerate()
            .flat_map(|(content, spec)| {
                spec.keys
                    .iter()
                    .enumerate()
                    .map(move |(key, spec)| (spec.kid, (content, key)))
            })
            .collect();
        Ok(Self {
            keys,
            store,
            clock,
            metrics: Metrics::new(),
            limits: config.limits,
            tenants: config
                .tenants
                .into_iter()
                .map(|t| (t.name.clone(), t))
                .collect(),
            minimum_core: config.minimum_core,
            contents: config.contents,
            configured_rules: config.usage_rules,
            configured_keys,
            public_url,
            revocation,
            book: RwLock::new(Arc::new(book)),
            book_turn: Mutex::new(()),
            asker: Asker::new(),
        })
    }

    pub(crate) fn keys(&self) -> &KeyDirectory {
        &self.keys
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn public_url(&self) -> &str {
        &self.public_url
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    pub(crate) fn has_tenant(&self, name: &str) -> bool {
        self.tenants.contains_key(name)
    }

    /// Contents of the configuration file.
    pub(crate) fn configured(&self) -> &[ContentSpec] {
        &self.contents
    }

    /// Usage rules of the configuration file.
    pub(crate) fn configured_rules(&self) -> &Definitions {
        &self.configured_rules
    }

    /// The content of the configuration file that a key belongs to.
    pub(crate) fn configured_with(&self, kid: &KeyId) -> Option<&ContentSpec> {
        let (content, _) = self.configured_keys.get(kid)?;
        self.contents.get(*content)
    }

    /// The usage rules in force.
    pub(crate) fn book(&self) -> Arc<RuleBook> {
        Arc::clone(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the turn to change the usage rules.
    pub(crate) fn turn_to_define(&self) -> MutexGuard<'_, ()> {
        self.book_turn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts other usage rules in force; for whoever has the turn.
    pub(crate) fn put_in_force(&self, _turn: &MutexGuard<'_, ()>, book: RuleBook) {
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
    }

    /// What a device reads first: who this is, and a challenge.
    pub(crate) fn service_info(&self) -> Result<Vec<u8>, Fault> {
        let now = self.now();
        let crypto = self.keys.crypto();
        let info = ServiceInfo {
            challenge: self.challenge(now)?,
            revocation_number: self.revocation_list()?.0,
            server_time: now,
        };
        let certificate = self.keys.service();
        let mut signer = self.keys.signing().signer();
        let mut identity = ServiceIdentity {
            signer: &mut *signer,
            chain: &certificate.chain,
        };
        Ok(seal_service_info(
            crypto,
            &mut identity,
            &self.keys.root().key,
            &info,
        )?)
    }

    /// Whether the service can do its work: the store reads, the certificate counts.
    pub(crate) fn is_healthy(&self) -> bool {
        self.store.view().and_then(|view| view.totals()).is_ok()
            && self.keys.service().verified.validity.contains(self.now())
    }

    /// What time brings with it: a new certificate, a new revocation list.
    pub(crate) fn tend(&self) {
        let now = self.now();
        if let Err(error) = self.keys.refresh(now) {
            tracing::error!(%error, "the service certificate could not be renewed");
        }
        if let Err(error) = self.refresh_revocation(now) {
            tracing::error!(%error, "the revocation list could not be signed again");
        }
    }

    fn challenge(&self, now: UnixTime) -> Result<Challenge, LicenseError> {
        let crypto = self.keys.crypto();
        make_challenge(crypto, &mut crypto.rng(), self.keys.challenge_key(), now)
    }

    /// What devices' certificates are measured by. Revocation is looked up in the store instead,
    /// so that a revoked device gets a sealed denial and no stranger learns that it is revoked.
    fn trust<'a>(&'a self, now: UnixTime, revoked: &'a RevokedSerials) -> Trust<'a> {
        Trust {
            anchor: &self.keys.root().key,
            time: TimeView::exactly(now),
            revoked,
        }
    }

    /// Denies cores that are too old.
    fn check_core(&self, evidence: &Evidence) -> Result<(), Denial> {
        match self.minimum_core {
            Some(minimum) if evidence.core_version < minimum => {
                let mut denial = Denial::new(DenialReason::UpdateRequired);
                denial.wanted = Some(minimum.to_string());
                denial.found = Some(evidence.core_version.to_string());
                Err(denial)
            }
            _ => Ok(()),
        }
    }
}

/// The level that evidence carries. What runs outside a TEE is at most Low, whatever it says.
fn evidence_level(evidence: &Evidence) -> Level {
    match evidence.isolation {
        Isolation::Tee => evidence.level,
        Isolation::Worker | Isolation::InProcess => evidence.level.min(Level::Low),
    }
}

/// The level a device is served at: as far as its certificate and its evidence both carry it.
fn served_level(device: &DeviceClaims, evidence: &Evidence) -> Level {
    device.highest_level.min(evidence_level(evidence))
}

/// A denial that says which level it takes.
fn level_needed(mut denial: Denial, level: Level) -> Denial {
    denial.level_needed = Some(level);
    denial
}

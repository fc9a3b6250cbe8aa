//! The licence service itself: from the bytes of a request to the bytes of an answer.
//!
//! Knows nothing of HTTP. Promises that a request is worked on once: a repeat gets the same bytes,
//! however many come at the same time and across a restart, and another request under the same id
//! gets nothing but a denial. Distrusts the request in everything: what it says counts only after
//! the seal, the signature and the certificate have been verified, and a level only as far as both
//! the certificate and the evidence carry it.

mod authorise;
mod license;
mod provision;
mod revocation;
mod time;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, RwLock};

use keybearer_license::{
    AnswerHead, Challenge, Denial, DenialReason, DeviceClaims, Evidence, Exchange, Isolation,
    KeyId, LicenseError, RevokedSerials, ServiceIdentity, ServiceInfo, TimeView, Trust, UnixTime,
    Version, check_challenge, make_challenge, seal_denial, seal_service_info,
};
use keybearer_rules::Level;

use crate::clock::Clock;
use crate::config::{Config, ContentSpec, Limits, Tenant};
use crate::keys::{KeyDirectory, ServiceCertificate};
use crate::metrics::{Metrics, Rejection, Replay};
use crate::names::Named;
use crate::store::{Change, KeptAnswer, LogEvent, Store, StoreError};
pub(crate) use revocation::Revocation;
use revocation::SignedList;

/// When a device that found the service overloaded may try again, in seconds.
const RETRY_SECONDS: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");

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

/// What is granted, with what the log says of it, or why it is not.
type Decision<T> = Result<(T, Option<LogEvent>), Denial>;

/// What became of a request, and what is to be counted for it once it is durable.
enum Done {
    Repeated(Vec<u8>),
    Granted(Vec<u8>, Option<LogEvent>),
    Denied(Vec<u8>, Denial),
}

/// A request as the common part of answering sees it.
struct Asked<'a> {
    exchange: &'a Exchange,
    challenge: &'a Challenge,
    /// The serial of the device's certificate, where it has one.
    device: Option<String>,
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
    /// Where in `contents` a key is: content, key.
    configured_keys: HashMap<KeyId, (usize, usize)>,
    public_url: String,
    revocation: RwLock<SignedList>,
}

impl Service {
    /// A service of checked parts. Contents of the configuration must hold their keys.
    pub(crate) fn new(
        keys: KeyDirectory,
        store: Store,
        clock: Arc<dyn Clock>,
        config: Config,
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
            configured_keys,
            public_url,
            revocation,
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

    /// Whether a key is in the configuration file.
    pub(crate) fn is_configured(&self, kid: &KeyId) -> bool {
        self.configured_keys.contains_key(kid)
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

    /// Answers a request once.
    ///
    /// `decide` either grants or denies; what it writes to the store is durable together with the
    /// answer. It must not write anything when it denies.
    fn answer<T>(
        &self,
        certificate: &ServiceCertificate,
        now: UnixTime,
        asked: &Asked<'_>,
        decide: impl FnOnce(&Change) -> Result<Decision<T>, Fault>,
        seal: impl FnOnce(&T, &mut ServiceIdentity<'_>, &AnswerHead) -> Result<Vec<u8>, LicenseError>,
    ) -> Result<Vec<u8>, Fault> {
        let id = &asked.exchange.request_id;
        // A repeat needs no turn at the store's one writer, and none of its challenge: it was
        // fresh when the request came first.
        if let Some(answer) = self
            .store
            .view()?
            .answer(id)?
            .and_then(|kept| self.repeat(asked, kept))
        {
            return Ok(answer);
        }
        let crypto = self.keys.crypto();
        if let Err(error) = check_challenge(crypto, self.keys.challenge_key(), asked.challenge, now)
        {
            return match error {
                // Forged and ended alike: the device needs a fresh one, and the denial brings it.
                // Nothing is kept, or requests without a challenge could fill the store.
                LicenseError::ChallengeForged | LicenseError::ChallengeExpired => self.deny(
                    certificate,
                    now,
                    asked,
                    &Denial::new(DenialReason::ChallengeExpired),
                ),
                other => Err(other.into()),
            };
        }
        let done = self.store.change(|change| -> Result<Done, Fault> {
            change.drop_old_answers(now)?;
            if let Some(kept) = change.answer(id)? {
                if let Some(answer) = self.repeat(asked, kept) {
                    return Ok(Done::Repeated(answer));
                }
                let denial = Denial::new(DenialReason::Replayed);
                change.log(now, denied(asked, &denial), self.limits.log_entries)?;
                let answer = self.seal_denial(certificate, now, asked, &denial)?;
                return Ok(Done::Denied(answer, denial));
            }
            let room = self.limits.kept_answers.saturating_sub(change.answers()?);
            if room == 0 {
                let mut denial = Denial::new(DenialReason::Overloaded);
                denial.retry_after_seconds = Some(RETRY_SECONDS);
                let answer = self.seal_denial(certificate, now, asked, &denial)?;
                return Ok(Done::Denied(answer, denial));
            }
            let head = AnswerHead {
                server_time: now,
                next_challenge: self.challenge(now)?,
            };
            let (answer, done) = match decide(change)? {
                Ok((granted, event)) => {
                    if let Some(event) = &event {
                        change.log(now, event.clone(), self.limits.log_entries)?;
                    }
                    let answer = {
                        let mut signer = self.keys.signing().signer();
                        let mut identity = ServiceIdentity {
                            signer: &mut *signer,
                            chain: &certificate.chain,
                        };
                        seal(&granted, &mut identity, &head)?
                    };
                    (answer.clone(), Done::Granted(answer, event))
                }
                Err(denial) => {
                    change.log(now, denied(asked, &denial), self.limits.log_entries)?;
                    let answer = self.seal_denial(certificate, now, asked, &denial)?;
                    (answer.clone(), Done::Denied(answer, denial))
                }
            };
            // Strangers can be refused as often as they like: their refusals may take up half of
            // the room, so that certified devices are always answered.
            let stranger = asked.device.is_none() && matches!(done, Done::Denied(..));
            if !stranger || room > self.limits.kept_answers / 2 {
                change.keep_answer(now, id, &asked.exchange.request_digest, &answer)?;
            }
            Ok(done)
        })?;
        // Counted only now, when it is durable.
        match done {
            Done::Repeated(answer) => Ok(answer),
            Done::Granted(answer, event) => {
                match event {
                    Some(LogEvent::License { .. }) => self.metrics.licensed(),
                    Some(LogEvent::Provision { .. }) => self.metrics.provisioned(),
                    Some(LogEvent::Denial { .. }) | None => {}
                }
                Ok(answer)
            }
            Done::Denied(answer, denial) => {
                self.count_denial(&denial);
                Ok(answer)
            }
        }
    }

    /// The answer given before, if it was to this very request; counts what came again.
    fn repeat(&self, asked: &Asked<'_>, kept: KeptAnswer) -> Option<Vec<u8>> {
        if kept.request == asked.exchange.request_digest {
            self.metrics.replayed(Replay::Repeat);
            Some(kept.answer)
        } else {
            None
        }
    }

    fn deny(
        &self,
        certificate: &ServiceCertificate,
        now: UnixTime,
        asked: &Asked<'_>,
        denial: &Denial,
    ) -> Result<Vec<u8>, Fault> {
        let answer = self.seal_denial(certificate, now, asked, denial)?;
        self.count_denial(denial);
        Ok(answer)
    }

    fn seal_denial(
        &self,
        certificate: &ServiceCertificate,
        now: UnixTime,
        asked: &Asked<'_>,
        denial: &Denial,
    ) -> Result<Vec<u8>, LicenseError> {
        let crypto = self.keys.crypto();
        let head = AnswerHead {
            server_time: now,
            next_challenge: self.challenge(now)?,
        };
        let mut signer = self.keys.signing().signer();
        let mut identity = ServiceIdentity {
            signer: &mut *signer,
            chain: &certificate.chain,
        };
        seal_denial(
            crypto,
            &mut crypto.rng(),
            &mut identity,
            asked.exchange,
            &head,
            denial,
        )
    }

    fn count_denial(&self, denial: &Denial) {
        if denial.reason == DenialReason::Replayed {
            self.metrics.replayed(Replay::Conflict);
        }
        self.metrics.denied(denial.reason);
        tracing::info!(
            reason = denial.reason.word(),
            rule = denial.rule.as_deref().unwrap_or("-"),
            "denied"
        );
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

fn denied(asked: &Asked<'_>, denial: &Denial) -> LogEvent {
    LogEvent::Denial {
        device: asked.device.clone(),
        reason: denial.reason.word().to_owned(),
        rule: denial.rule.clone(),
        key: denial.key_id.map(|kid| kid.to_string()),
    }
}

/// A denial that names the rule that was broken.
fn refusal(reason: DenialReason, rule: &str) -> Denial {
    let mut denial = Denial::new(reason);
    denial.rule = Some(rule.to_owned());
    denial
}

//! Answering once: repeats, challenges, and the one commit that makes an answer count.
//!
//! Promises that nobody takes the room of others: who may have nothing is refused at the door,
//! from a view of the store and without a trace in it, and what is kept of the others' answers has
//! a share for each device.

use std::num::NonZeroU32;

use keybearer_license::{
    AnswerHead, Challenge, Denial, DenialReason, Exchange, LicenseError, ServiceIdentity, Ueid,
    UnixTime, check_challenge, seal_denial,
};

use super::{Fault, Service};
use crate::keys::ServiceCertificate;
use crate::metrics::Replay;
use crate::names::Named;
use crate::store::{Change, KeptAnswer, LogEvent, StoreError, View};

/// When a device that found the service overloaded may try again, in seconds.
const RETRY_SECONDS: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");

/// A device's share of the kept answers is one in so many, so that it takes this many devices to
/// use up the room of all. A thousand in ten minutes, as the limits are by themselves.
const DEVICE_SHARES: u64 = 100;
/// Its share at the least, however small the store is made.
const LEAST_SHARE: u64 = 16;

/// What is granted, with what the log says of it, or why it is not.
pub(super) type Decision<T> = Result<(T, Option<LogEvent>), Denial>;

/// What became of a request, and what is to be counted for it once it is durable.
enum Done {
    Repeated(Vec<u8>),
    Granted(Vec<u8>, Option<LogEvent>),
    Denied(Vec<u8>, Denial),
}

/// A request as the common part of answering sees it.
pub(super) struct Asked<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) challenge: &'a Challenge,
    /// What the device calls itself: certified, or a mere claim where it provisions.
    pub(super) ueid: &'a Ueid,
    /// The serial of the device's certificate, where it has one.
    pub(super) device: Option<String>,
}

impl Service {
    /// Answers a request once.
    ///
    /// `at_the_door` names the reason why the sender may have nothing, whatever it asks for: it is
    /// refused at once, neither kept nor logged, only counted. Else `decide` either grants or
    /// denies; what it writes to the store is durable together with the answer. Before a denial it
    /// may only tidy up: what it writes then is kept as well. Both may be called again, when what
    /// they did was undone with another's failure.
    pub(super) fn answer<T>(
        &self,
        certificate: &ServiceCertificate,
        now: UnixTime,
        asked: &Asked<'_>,
        at_the_door: impl FnOnce(&View) -> Result<Option<Denial>, StoreError>,
        decide: impl Fn(&Change) -> Result<Decision<T>, Fault>,
        seal: impl Fn(&T, &mut ServiceIdentity<'_>, &AnswerHead) -> Result<Vec<u8>, LicenseError>,
    ) -> Result<Vec<u8>, Fault> {
        let id = &asked.exchange.request_id;
        // A repeat needs no turn at the store's one writer, and none of its challenge: it was
        // fresh when the request came first.
        let view = self.store.view()?;
        if let Some(answer) = view.answer(id)?.and_then(|kept| self.repeat(asked, kept)) {
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
        if let Some(denial) = at_the_door(&view)? {
            return self.deny(certificate, now, asked, &denial);
        }
        drop(view);
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
            let share = (self.limits.kept_answers / DEVICE_SHARES).max(LEAST_SHARE);
            if room == 0 || change.answers_of(asked.ueid)? >= share {
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
                let digest = &asked.exchange.request_digest;
                // What a stranger calls itself may be another's name.
                let holder = (!stranger).then_some(asked.ueid);
                change.keep_answer(now, id, digest, &answer, holder)?;
            }
            Ok(done)
        })?;
        // Counted only now, when it is durable.
        match done {
            Done::Repeated(answer) => Ok(answer),
            Done::Granted(answer, event) => {
                if let Some(event) = event {
                    self.count_grant(&event);
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

    fn count_grant(&self, event: &LogEvent) {
        match event {
            LogEvent::License {
                device,
                license,
                sequence,
                content,
                keys,
                level,
                ..
            } => {
                self.metrics.licensed();
                // The ids of keys, which stand in every file, never the keys.
                let key_ids = keys.join(",");
                tracing::info!(%device, %license, sequence, %content, %key_ids, %level, "licence issued");
            }
            LogEvent::Provision {
                device,
                model,
                level,
                tenant,
            } => {
                self.metrics.provisioned();
                tracing::info!(%device, %model, %level, %tenant, "device certified");
            }
            LogEvent::Denial { .. } => {}
        }
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
}

fn denied(asked: &Asked<'_>, denial: &Denial) -> LogEvent {
    LogEvent::Denial {
        device: asked.device.clone(),
        reason: denial.reason.word().to_owned(),
        rule: denial.rule.clone(),
        wanted: denial.wanted.clone(),
        found: denial.found.clone(),
        key: denial.key_id.map(|kid| kid.to_string()),
    }
}

//! Licence requests: acquire, renew, release.

use std::cell::OnceCell;

use keybearer_crypto::Secret;
use keybearer_license::{
    ContentInit, ContentKey, CounterStrength, Denial, DenialReason, KeyId, License, LicenseId,
    LicenseKind, LicenseRef, LicenseRequest, MAX_KEYS, OpenedLicense, Renewal, RequestKind,
    RevokedSerials, SYSTEM_ID, Timing, UnixTime, open_license_request, seal_license,
};

use super::authorise::{Asked as AskedOperator, Candidate};
use super::{Asked, Decision, Fault, Service};
use crate::authorisation::OneUse;
use crate::config::{ContentSpec, KeySource, KeySpec};
use crate::denial::{Because, code, refusal};
use crate::names::Named;
use crate::store::{Change, KeyRules, LicenseRecord, LogEvent, StoreError, StoredKey};
use crate::usage::RuleBook;

/// How long a licence's record is kept for renewals beyond the licence's own end, or from its last
/// issue where it has none, in seconds: 30 days.
const RECORD_SECONDS: u64 = 30 * 24 * 60 * 60;

/// What the log says of a key that was left out because a licence holds those of one content: it
/// is not refused, and a request of its own is answered on its own merits.
const OTHER_CONTENT: &str = "other-content";

/// A content, from wherever it is known.
enum Content<'a> {
    Configured(&'a ContentSpec),
    Stored(Box<ContentSpec>),
}

/// A key that the server knows, with the content it belongs to.
struct Known<'a> {
    content: Content<'a>,
    /// Which of the content's keys it is; always one that is there.
    place: usize,
    /// The key itself, where the content does not hold it.
    sealed: Option<StoredKey>,
}

impl Known<'_> {
    fn content(&self) -> &ContentSpec {
        match &self.content {
            Content::Configured(content) => content,
            Content::Stored(content) => content,
        }
    }

    fn key(&self) -> &KeySpec {
        &self.content().keys[self.place]
    }

    /// The key itself, for the licence that will carry it.
    fn secret(&self, store_key: &Secret<32>) -> Result<Secret<16>, StoreError> {
        match (&self.key().source, &self.sealed) {
            (KeySource::Given(key), _) => Ok(Secret::copied_from(key.expose())),
            (_, Some(sealed)) => sealed.open(store_key, &self.key().kid),
            (_, None) => Err(StoreError::Damaged { table: "keys" }),
        }
    }
}

/// The keys that are granted, all of one content, and those that are not.
struct Granted {
    content: String,
    keys: Vec<ContentKey>,
    refused: Vec<(KeyId, Denial)>,
    /// By which usage rules, for the log.
    rules: Vec<KeyRules>,
    /// Keys that the device may have, but of other contents: it gets them when it asks for them.
    elsewhere: Vec<KeyId>,
    timing: Timing,
    renewal: Option<Renewal>,
    /// The token that the content was granted on, where it counts for one licence and its renewals.
    one_use: Option<OneUse>,
}

impl Service {
    /// Answers a licence request.
    pub(crate) fn license(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let coming = self.store.announce();
        let now = self.now();
        let certificate = self.keys.service();
        let crypto = self.keys.crypto();
        let revoked = RevokedSerials::none();
        let opened = open_license_request(
            crypto,
            &self.keys.service_keys(&certificate),
            &self.trust(now, &revoked),
            message,
        )?;
        let asked = Asked {
            exchange: &opened.exchange,
            challenge: &opened.request.challenge,
            ueid: &opened.device.claims.ueid,
            device: Some(opened.device.claims.serial.to_string()),
        };
        let operator: OnceCell<AskedOperator> = OnceCell::new();
        self.answer(
            &certificate,
            now,
            &asked,
            |view| {
                // An operator's service may take long to say what it thinks.
                drop(coming);
                let barred = Self::barred(view, &opened.device.claims)?;
                if barred.is_none()
                    && let Some(said) = self.ask_operator(view, &opened)?
                {
                    operator.get_or_init(|| said);
                }
                Ok(barred)
            },
            |change| self.decide(change, now, &opened, operator.get()),
            |license, identity, head| {
                seal_license(
                    crypto,
                    &mut crypto.rng(),
                    identity,
                    &opened.exchange,
                    head,
                    license,
                )
            },
        )
    }

    fn decide(
        &self,
        change: &Change,
        now: UnixTime,
        opened: &OpenedLicense,
        asked: Option<&AskedOperator>,
    ) -> Result<Decision<License>, Fault> {
        let (request, device) = (&opened.request, &opened.device.claims);
        change.drop_ended_licenses(now)?;
        if request.token.is_some() {
            change.drop_used_tokens(now)?;
        }
        if Self::is_revoked(change, device)? {
            return Ok(Err(Denial::new(DenialReason::DeviceRevoked)));
        }
        if let Err(denial) = self.check_core(&request.evidence) {
            return Ok(Err(denial));
        }
        let stored = request.wanted == LicenseKind::Stored;
        let renewed = match &request.kind {
            RequestKind::Acquire | RequestKind::Renew(_) if stored => {
                return Ok(Err(Denial::new(DenialReason::StoredNotAllowed)));
            }
            RequestKind::Acquire => None,
            RequestKind::Renew(of) => match renewable(change, of, opened)? {
                Ok(record) => Some((of.license_id, record)),
                Err(denial) => return Ok(Err(denial)),
            },
            // Session licences end with their session; there is no stored one to give back.
            RequestKind::Release(_) => {
                return Ok(Err(refusal(
                    DenialReason::LicenseUnknown,
                    "no-stored-license",
                )));
            }
        };
        let mut wanted = wanted_keys(request);
        if let Some((_, record)) = &renewed
            && wanted.is_empty()
        {
            wanted = record.key_ids();
        }
        let candidate = Candidate::new(opened, change.device(&device.ueid)?, asked);
        let book = self.book();
        let granted = match self.grant(change, &book, &candidate, &wanted, now)? {
            Ok(granted) => granted,
            Err(denial) => return Ok(Err(denial)),
        };
        if let Some(token) = &granted.one_use
            && let Some(license) = change.license_of_token(&token.id)?
            && renewed
                .as_ref()
                .is_none_or(|(renewed, _)| *renewed != license)
        {
            return Ok(Err(refusal(DenialReason::TokenReplayed, "token.jti")
                .because("a token that was not used", "one that brought a licence")
                .public(code::TOKEN_REPLAYED)));
        }
        if renewed.is_some() && granted.renewal.is_none() {
            return Ok(Err(Denial::new(DenialReason::RenewalNotAllowed)));
        }
        let (license_id, sequence) = match renewed {
            Some((id, record)) => (id, record.sequence.saturating_add(1)),
            None => (LicenseId::random(&mut self.keys.crypto().rng())?, 1),
        };
        if let Some(token) = &granted.one_use {
            change.use_token(&token.id, token.ends, &license_id)?;
        }
        let kids: Vec<KeyId> = granted.keys.iter().map(|key| key.key_id).collect();
        if granted.renewal.is_some() {
            let end = license_end(now, &granted.timing).unwrap_or(now);
            let until = end.saturating_add(RECORD_SECONDS);
            let record = LicenseRecord::new(&device.ueid, sequence, kids.clone(), until);
            change.put_license(&license_id, &record)?;
        }
        let elsewhere = granted
            .elsewhere
            .iter()
            .map(|kid| (kid.to_string(), OTHER_CONTENT.to_owned()));
        let event = LogEvent::License {
            device: device.serial.to_string(),
            license: license_id.to_string(),
            sequence,
            content: granted.content,
            keys: kids.iter().map(KeyId::to_string).collect(),
            refused: granted
                .refused
                .iter()
                .map(|(kid, denial)| (kid.to_string(), denial.reason.word().to_owned()))
                .chain(elsewhere)
                .collect(),
            level: candidate.level().to_string(),
            rules: granted.rules,
        };
        let license = License {
            license_id,
            sequence,
            kind: LicenseKind::Session,
            counter: CounterStrength::None,
            max_plays: None,
            timing: granted.timing,
            least_revocation: change.revocation_number()?,
            keys: granted.keys,
            roots: Vec::new(),
            renewal: granted.renewal,
            rotation: None,
        };
        Ok(Ok((license, Some(event))))
    }

    /// The keys that the device may have: those of one content, that of the first key granted,
    /// since a licence has one timing. The others are left out. With none granted, the denial is
    /// that of the first key asked for.
    fn grant(
        &self,
        change: &Change,
        book: &RuleBook,
        candidate: &Candidate<'_>,
        wanted: &[KeyId],
        now: UnixTime,
    ) -> Result<Result<Granted, Denial>, Fault> {
        let mut granted: Option<Granted> = None;
        let mut refused = Vec::new();
        for kid in wanted {
            let known = self.known_key(change, kid)?;
            let checked = match &known {
                None => Err(Denial::new(DenialReason::KeyUnknown)),
                Some(known) => {
                    let (content, key) = (known.content(), known.key());
                    self.check_content(candidate, content, now)
                        .and_then(|ground| {
                            let usage = self.usage(book, candidate, content, key, &ground)?;
                            Ok((ground, usage))
                        })
                }
            };
            match (checked, known) {
                (Ok((ground, usage)), Some(known)) => {
                    let content = known.content();
                    let granted = granted.get_or_insert_with(|| Granted {
                        content: content.id.clone(),
                        keys: Vec::new(),
                        refused: Vec::new(),
                        rules: Vec::new(),
                        elsewhere: Vec::new(),
                        timing: content.timing.timing(),
                        renewal: content
                            .renewal
                            .as_ref()
                            .map(|renewal| renewal.renewal(&self.public_url)),
                        one_use: ground.one_use(),
                    });
                    if granted.content != content.id {
                        granted.elsewhere.push(*kid);
                        continue;
                    }
                    granted.keys.push(ContentKey {
                        key_id: *kid,
                        key: known.secret(self.keys.store_key())?,
                        usage: usage.key,
                        period: None,
                    });
                    granted.rules.extend(usage.rules);
                }
                (Err(mut denial), _) => {
                    denial.key_id = Some(*kid);
                    refused.push((*kid, denial));
                }
                // What is not known was refused above.
                (Ok(_), None) => {}
            }
        }
        match granted {
            Some(granted) => Ok(Ok(Granted { refused, ..granted })),
            None => Ok(Err(refused.into_iter().next().map_or_else(
                || refusal(DenialReason::RequestNotUnderstood, "no-key-id"),
                |(_, denial)| denial,
            ))),
        }
    }

    /// Finds a key in the configuration, then in the store.
    fn known_key(&self, change: &Change, kid: &KeyId) -> Result<Option<Known<'_>>, StoreError> {
        if let Some(&(content, place)) = self.configured_keys.get(kid) {
            let content = Content::Configured(&self.contents[content]);
            return Ok(Some(Known {
                content,
                place,
                sealed: None,
            }));
        }
        let Some(sealed) = change.key(kid)? else {
            return Ok(None);
        };
        let damaged = StoreError::Damaged { table: "keys" };
        let Some(content) = change.content(&sealed.content)? else {
            return Err(damaged);
        };
        let Some(place) = content.keys.iter().position(|key| key.kid == *kid) else {
            return Err(damaged);
        };
        Ok(Some(Known {
            content: Content::Stored(Box::new(content)),
            place,
            sealed: Some(sealed),
        }))
    }
}

/// The licence that a renewal names, if it is one of this device that can go on.
fn renewable(
    change: &Change,
    of: &LicenseRef,
    opened: &OpenedLicense,
) -> Result<Result<LicenseRecord, Denial>, StoreError> {
    let record = change.license(&of.license_id)?;
    // Another device's licence, or a number that was never issued, is as unknown as none.
    Ok(record
        .filter(|record| record.is_of(&opened.device.claims.ueid))
        .filter(|record| of.sequence <= record.sequence)
        .ok_or_else(|| Denial::new(DenialReason::LicenseUnknown)))
}

/// The key ids asked for by themselves and by init data of our own system, each once, as many as
/// fit into a licence. Init data of other systems is not ours to read.
pub(super) fn wanted_keys(request: &LicenseRequest) -> Vec<KeyId> {
    let named = request
        .init_data
        .iter()
        .filter(|init| init.system_id == SYSTEM_ID)
        .filter_map(|init| ContentInit::from_bytes(&init.data).ok())
        .flat_map(|init| init.keys);
    let mut wanted = Vec::new();
    for kid in request.keys.iter().copied().chain(named) {
        if wanted.len() < MAX_KEYS && !wanted.contains(&kid) {
            wanted.push(kid);
        }
    }
    wanted
}

/// When a licence issued now ends at the latest, if it does.
fn license_end(now: UnixTime, timing: &Timing) -> Option<UnixTime> {
    let duration = timing
        .license_seconds
        .map(|seconds| now.saturating_add(seconds.get().into()));
    match (duration, timing.not_after) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

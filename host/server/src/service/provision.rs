//! Provisioning: from a token and a fresh key to a device certificate.
//!
//! A level is certified from evidence and never above what the token is worth: a bare enrolment
//! token Low, a factory token what it names, and only for the very key it names. An attestation that
//! fits what the tenant lists is worth any level, whatever the token is.
//!
//! One token makes one device, and one device has one key and one ueid. The server cannot check
//! what a device calls itself, so it holds each of the two to the first other one it came with:
//! a key that could be certified under a new name would outlive its revocation.

use keybearer_crypto::{Crypto, Digest};
use keybearer_license::{
    CertificateChain, Denial, DenialReason, DeviceClaims, HardwareModel, OpenedProvision,
    ProvisionToken, Serial, UnixTime, key_digest, open_provision_request, seal_provision_answer,
};
use keybearer_rules::Level;

use super::{Asked, Decision, Fault, Service, evidence_level};
use crate::config::text::Text;
use crate::denial::refusal;
use crate::names::Name;
use crate::store::{Change, DeviceRecord, LogEvent, StoreError, TokenKind, TokenRecord, TokenUser};

/// The rule that a token breaks which was never minted, or for something else.
const TOKEN_UNKNOWN: &str = "token-unknown";

impl Service {
    /// Answers a provision request.
    pub(crate) fn provision(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let now = self.now();
        let certificate = self.keys.service();
        let crypto = self.keys.crypto();
        let opened =
            open_provision_request(crypto, &self.keys.service_keys(&certificate), message)?;
        let asked = Asked {
            exchange: &opened.exchange,
            challenge: &opened.request.challenge,
            ueid: &opened.request.ueid,
            device: None,
        };
        let (token, _) = self.token(&opened.request.token);
        self.answer(
            &certificate,
            now,
            &asked,
            // Anybody can make up a token: looking for it costs no turn at the one writer.
            |view| {
                let unknown = || refusal(DenialReason::EnrolmentRefused, TOKEN_UNKNOWN);
                Ok((!view.has_token(&token)?).then(unknown))
            },
            |change| self.certify(change, now, &opened),
            |chain, identity, head| {
                seal_provision_answer(crypto, &mut crypto.rng(), identity, &opened, head, chain)
            },
        )
    }

    /// A token's digest, and whether it is brought as a factory token.
    fn token(&self, token: &ProvisionToken) -> (Digest, bool) {
        let crypto = self.keys.crypto();
        match token {
            ProvisionToken::Enrolment(token) => (crypto.sha256(&[token]), false),
            ProvisionToken::Factory(token) => (crypto.sha256(&[token]), true),
        }
    }

    fn certify(
        &self,
        change: &Change,
        now: UnixTime,
        opened: &OpenedProvision,
    ) -> Result<Decision<CertificateChain>, Fault> {
        let request = &opened.request;
        let crypto = self.keys.crypto();
        let user = TokenUser {
            key_digest: Text(key_digest(crypto, &opened.device_key)?),
            ueid: Text(request.ueid),
        };
        let (token_digest, factory) = self.token(&request.token);
        let token = change.token(&token_digest)?;
        let token = match check_token(token, factory, &user, &request.model, now) {
            Ok(token) => token,
            Err(denial) => return Ok(Err(denial)),
        };
        if let Err(denial) = self.check_core(&request.evidence) {
            return Ok(Err(denial));
        }
        let debug = request.evidence.debug.is_debug();
        let tenant = self.tenants.get(&token.tenant);
        if tenant.is_some_and(|tenant| tenant.barred_models.contains(&request.model)) {
            return Ok(Err(Denial::new(DenialReason::DeviceModelBarred)));
        }
        if debug && !tenant.is_some_and(|tenant| tenant.integration) {
            return Ok(Err(refusal(DenialReason::DebugDevice, "integration-only")));
        }
        let demand = tenant.and_then(|tenant| tenant.attestation.as_ref());
        let attested = match (demand, &opened.attested) {
            (Some(demand), Some(attested)) => match demand.check(Some(attested)) {
                Ok(()) => true,
                Err(denial) => return Ok(Err(denial)),
            },
            // A tenant that lists nothing believes nothing.
            _ => false,
        };
        if let Err(denial) = check_device(change, &user)? {
            return Ok(Err(denial));
        }
        // The device lost the answer and asks anew with the token it has used: it has its
        // certificate already, and nothing is certified twice.
        if token.used_by.is_some() {
            let damaged = StoreError::Damaged { table: "chains" };
            let chain = change
                .chain(&request.ueid)?
                .and_then(|chain| CertificateChain::from_bytes(&chain).ok());
            return Ok(Ok((chain.ok_or(damaged)?, None)));
        }
        let worth = if attested { Level::High } else { token.worth() };
        let level = evidence_level(&request.evidence).min(worth);
        let claims = DeviceClaims {
            ueid: request.ueid,
            oem: request.oem,
            model: request.model.clone(),
            highest_level: level,
            debug: request.evidence.debug,
            signing_key: opened.device_key,
            validity: self.keys.device_validity(now),
            serial: Serial::random(&mut crypto.rng())?,
        };
        let chain = self.keys.certify_device(&claims)?;
        let record = DeviceRecord {
            serial: Text(claims.serial),
            key_digest: user.key_digest,
            tenant: token.tenant.clone(),
            model: Text(claims.model.clone()),
            level: Name(level),
            debug,
            certified: now.0,
            revoked: None,
            suspended: None,
        };
        change.put_device(&request.ueid, &record, &chain.to_bytes()?)?;
        change.put_token(
            &token_digest,
            &TokenRecord {
                used_by: Some(user),
                ..token
            },
        )?;
        change.drop_ended_tokens(now)?;
        Ok(Ok((chain, Some(event(&record)))))
    }
}

impl TokenRecord {
    /// The highest level the token certifies.
    fn worth(&self) -> Level {
        match self.kind {
            TokenKind::Enrolment => Level::Low,
            TokenKind::Factory { level, .. } => level.0,
        }
    }
}

/// Whether key and name belong together as far as is known, and neither is a revoked device's.
fn check_device(change: &Change, user: &TokenUser) -> Result<Result<(), Denial>, StoreError> {
    let of_key = change.device_of_key(&user.key_digest.0)?;
    let of_ueid = change.device(&user.ueid.0)?;
    let revoked = |device: &DeviceRecord| device.revoked.is_some() || device.suspended.is_some();
    // First of all, whatever name it goes by: who holds a revoked key learns just that.
    if of_key.as_ref().is_some_and(revoked) {
        return Ok(Err(Denial::new(DenialReason::DeviceRevoked)));
    }
    let in_use = |rule| Ok(Err(refusal(DenialReason::EnrolmentRefused, rule)));
    match (of_key, of_ueid) {
        (_, Some(known)) if known.key_digest != user.key_digest => in_use("ueid-in-use"),
        (Some(_), None) => in_use("key-in-use"),
        _ => Ok(Ok(())),
    }
}

/// Whether a token stands for this device, here and now.
fn check_token(
    token: Option<TokenRecord>,
    factory: bool,
    user: &TokenUser,
    model: &HardwareModel,
    now: UnixTime,
) -> Result<TokenRecord, Denial> {
    let refused = |rule| Err(refusal(DenialReason::EnrolmentRefused, rule));
    // A factory token offered as an enrolment token, or the other way round, is none.
    let Some(token) =
        token.filter(|token| matches!(token.kind, TokenKind::Factory { .. }) == factory)
    else {
        return refused(TOKEN_UNKNOWN);
    };
    if now.0 >= token.expires {
        return refused("token-expired");
    }
    if let TokenKind::Factory { key_digest, .. } = &token.kind
        && *key_digest != user.key_digest
    {
        return refused("key-digest");
    }
    if token.used_by.is_some_and(|first| first != *user) {
        return refused("token-used");
    }
    if token
        .model
        .as_ref()
        .is_some_and(|wanted| wanted.0 != *model)
    {
        return refused("model");
    }
    Ok(token)
}

fn event(record: &DeviceRecord) -> LogEvent {
    LogEvent::Provision {
        device: record.serial.0.to_string(),
        model: record.model.0.to_string(),
        level: record.level.0.to_string(),
        tenant: record.tenant.clone(),
    }
}

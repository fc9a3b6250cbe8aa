//! Who may have which key: contents, lists, tokens, levels.

use std::cell::RefCell;

use keybearer_license::{
    Attested, Denial, DenialReason, DeviceClaims, Isolation, LicenseRequest, OpenedLicense,
    UnixTime,
};
use keybearer_rules::Level;

use super::{Fault, Service, served_level};
use crate::authorisation::{Bearer, Issuing, OneUse, Right, Token, read_token};
use crate::config::{ContentSpec, Tenant};
use crate::denial::{Because, code, refusal};
use crate::store::{Change, DeviceRecord, StoreError, View};

/// What decides about a device, apart from the content it asks for.
pub(super) struct Candidate<'a> {
    pub(super) device: &'a DeviceClaims,
    pub(super) request: &'a LicenseRequest,
    /// What the platform says of the code that asks.
    attested: Option<&'a Attested>,
    /// The tenant whose token the device was provisioned with, where that was here.
    pub(super) tenant: Option<String>,
    /// Whether the operator suspended it.
    pub(super) suspended: bool,
    /// What the operator's service says, where it was asked.
    pub(super) asked: Option<&'a Asked>,
    /// The request's token as each tenant of the contents asked for reads it: one signature to
    /// verify for all keys.
    read: RefCell<Vec<(String, Result<Token, Denial>)>>,
}

/// On what ground a device may have a content.
pub(super) enum Ground {
    /// It is open, or lists the device.
    Listed,
    /// A token names it.
    Token {
        right: Right,
        one_use: Option<OneUse>,
    },
    /// The operator's service names it.
    Callback(Right),
}

/// What the operator's service said.
pub(super) struct Asked {
    /// The tenant whose service it is.
    pub(super) tenant: String,
    pub(super) rights: Result<Vec<Right>, Denial>,
}

impl Ground {
    /// The token that it is, where that counts for one licence.
    pub(super) const fn one_use(&self) -> Option<OneUse> {
        match self {
            Self::Listed | Self::Callback(_) => None,
            Self::Token { one_use, .. } => *one_use,
        }
    }
}

impl<'a> Candidate<'a> {
    pub(super) fn new(
        opened: &'a OpenedLicense,
        record: Option<DeviceRecord>,
        asked: Option<&'a Asked>,
    ) -> Self {
        Self {
            device: &opened.device.claims,
            request: &opened.request,
            attested: opened.attested.as_ref(),
            suspended: record
                .as_ref()
                .is_some_and(|record| record.suspended.is_some()),
            tenant: record.map(|record| record.tenant),
            asked,
            read: RefCell::new(Vec::new()),
        }
    }

    pub(super) fn level(&self) -> Level {
        served_level(self.device, &self.request.evidence)
    }

    fn is_debug(&self) -> bool {
        self.device.debug.is_debug() || self.request.evidence.debug.is_debug()
    }

    pub(super) fn is_in_process(&self) -> bool {
        self.request.evidence.isolation == Isolation::InProcess
    }

    /// The right that the request's token, or the operator's service, gives to a content of a
    /// tenant.
    fn right(
        &self,
        service: &Service,
        tenant: &Tenant,
        content: &ContentSpec,
        now: UnixTime,
    ) -> Result<Ground, Denial> {
        let not_named = |rule: &str| {
            refusal(DenialReason::NotAuthorised, rule)
                .because(&content.id, "other contents")
                .public(code::UNGRANTED)
        };
        let of = |rights: &[Right]| {
            let named = rights.iter().find(|right| content.is_named(&right.content));
            named.cloned()
        };
        let Some(bytes) = &self.request.token else {
            let asked = self.asked.filter(|asked| asked.tenant == tenant.name);
            let Some(asked) = asked else {
                return Err(refusal(DenialReason::TokenMissing, "token").public(code::NO_TOKEN));
            };
            let rights = asked.rights.as_ref().map_err(Clone::clone)?;
            let right = of(rights).ok_or_else(|| not_named("callback.contentRights"))?;
            return Ok(Ground::Callback(right));
        };
        if tenant.credentials.is_empty() {
            return Err(refusal(DenialReason::TokenInvalid, "no-issuer"));
        }
        let mut read = self.read.borrow_mut();
        let known = read.iter().position(|(name, _)| *name == tenant.name);
        let at = known.unwrap_or_else(|| {
            let issuing = Issuing {
                tenant: &tenant.name,
                credentials: &tenant.credentials,
                endless: tenant.endless_tokens,
            };
            let bearer = Bearer {
                serial: &self.device.serial,
                ueid: &self.device.ueid,
            };
            let token = read_token(service.keys.crypto(), issuing, bearer, now, bytes);
            read.push((tenant.name.clone(), token));
            read.len() - 1
        });
        let token = read[at].1.as_ref().map_err(Clone::clone)?;
        let right = of(&token.rights).ok_or_else(|| not_named("token.contentRights"))?;
        Ok(Ground::Token {
            right,
            one_use: token.one_use,
        })
    }
}

impl Service {
    /// Whether a device was revoked: by this certificate, or whatever certificate it shows.
    pub(super) fn is_revoked(change: &Change, device: &DeviceClaims) -> Result<bool, Fault> {
        if change.is_revoked(&device.serial)? {
            return Ok(true);
        }
        Ok(change
            .device(&device.ueid)?
            .is_some_and(|record| record.revoked.is_some()))
    }

    /// Why the device may have nothing whatever, if so.
    pub(super) fn barred(view: &View, device: &DeviceClaims) -> Result<Option<Denial>, StoreError> {
        let revoked = view.is_revoked(&device.serial, &device.ueid)?;
        Ok(revoked.then(|| Denial::new(DenialReason::DeviceRevoked)))
    }

    /// Whether the device may have this content at all, and on what ground.
    pub(super) fn check_content(
        &self,
        candidate: &Candidate<'_>,
        content: &ContentSpec,
        now: UnixTime,
    ) -> Result<Ground, Denial> {
        let ground = self.ground(candidate, content, now)?;
        let tenant = self.tenants.get(&content.tenant);
        let model = &candidate.device.model;
        if tenant.is_some_and(|tenant| tenant.barred_models.contains(model)) {
            return Err(Denial::new(DenialReason::DeviceModelBarred));
        }
        // A tenant that is not configured any more accepts no debug device either.
        if candidate.is_debug() && !tenant.is_some_and(|tenant| tenant.integration) {
            return Err(refusal(DenialReason::DebugDevice, "integration-only"));
        }
        if let Some(demand) = tenant.and_then(|tenant| tenant.attestation.as_ref())
            && candidate.level() >= Level::Medium
        {
            demand.check(candidate.attested)?;
        }
        // A licence that has ended before it is read helps nobody.
        if content.timing.not_after.is_some_and(|end| end <= now.0) {
            return Err(refusal(DenialReason::NotAuthorised, "not-after"));
        }
        Ok(ground)
    }

    /// On what ground the content lets the device in.
    fn ground(
        &self,
        candidate: &Candidate<'_>,
        content: &ContentSpec,
        now: UnixTime,
    ) -> Result<Ground, Denial> {
        if content.open || !(content.models.is_empty() && content.tenants.is_empty()) {
            return check_lists(candidate, content).map(|()| Ground::Listed);
        }
        // Neither open nor listed. A tenant that is not configured any more authorises nobody.
        let Some(tenant) = self.tenants.get(&content.tenant) else {
            return Err(refusal(DenialReason::NotAuthorised, "tenant"));
        };
        candidate.right(self, tenant, content, now)
    }
}

/// Whether the content's own lists let the device in.
fn check_lists(candidate: &Candidate<'_>, content: &ContentSpec) -> Result<(), Denial> {
    if !content.models.is_empty() && !content.models.contains(&candidate.device.model) {
        return Err(refusal(DenialReason::NotAuthorised, "models"));
    }
    let tenant = candidate.tenant.as_ref();
    if !content.tenants.is_empty() && !tenant.is_some_and(|name| content.tenants.contains(name)) {
        return Err(refusal(DenialReason::NotAuthorised, "tenants"));
    }
    Ok(())
}

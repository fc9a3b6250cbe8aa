//! Who may have which key: tenants, lists, levels.

use keybearer_license::{Denial, DenialReason, DeviceClaims, Evidence, Isolation, UnixTime};
use keybearer_rules::{Level, MinSecurity};

use super::{Fault, Service, refusal, served_level};
use crate::config::{ContentSpec, KeySpec};
use crate::store::{Change, StoreError, View};

/// What decides about a device, apart from the content it asks for.
pub(super) struct Candidate<'a> {
    pub(super) device: &'a DeviceClaims,
    pub(super) evidence: &'a Evidence,
    /// The tenant whose token the device was provisioned with, where that was here.
    pub(super) tenant: Option<String>,
    /// Whether the request carries an authorisation token.
    pub(super) has_token: bool,
}

impl Candidate<'_> {
    pub(super) fn level(&self) -> Level {
        served_level(self.device, self.evidence)
    }

    fn is_debug(&self) -> bool {
        self.device.debug.is_debug() || self.evidence.debug.is_debug()
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

    /// Whether the device may have this content at all.
    pub(super) fn check_content(
        &self,
        candidate: &Candidate<'_>,
        content: &ContentSpec,
        now: UnixTime,
    ) -> Result<(), Denial> {
        check_lists(candidate, content)?;
        let tenant = self.tenants.get(&content.tenant);
        let model = &candidate.device.model;
        if tenant.is_some_and(|tenant| tenant.barred_models.contains(model)) {
            return Err(Denial::new(DenialReason::DeviceModelBarred));
        }
        // A tenant that is not configured any more accepts no debug device either.
        if candidate.is_debug() && !tenant.is_some_and(|tenant| tenant.integration) {
            return Err(refusal(DenialReason::DebugDevice, "integration-only"));
        }
        // A licence that has ended before it is read helps nobody.
        if content.timing.not_after.is_some_and(|end| end <= now.0) {
            return Err(refusal(DenialReason::NotAuthorised, "not-after"));
        }
        Ok(())
    }

    /// Whether the device may have this key of a content that it may have.
    pub(super) fn check_key(candidate: &Candidate<'_>, key: &KeySpec) -> Result<(), Denial> {
        let level = candidate.level();
        let needed = match key.policy.min_security {
            MinSecurity::Deny => return Err(refusal(DenialReason::NotAuthorised, "deny")),
            MinSecurity::AtLeast(least) => least.max(key.lowest_level),
            MinSecurity::Unspecified => key.lowest_level,
        };
        if level < needed {
            let mut denial = Denial::new(DenialReason::LevelTooLow);
            denial.level_needed = Some(needed);
            denial.wanted = Some(needed.to_string());
            denial.found = Some(level.to_string());
            return Err(denial);
        }
        if key.require_worker
            && level <= Level::Low
            && candidate.evidence.isolation == Isolation::InProcess
        {
            return Err(Denial::new(DenialReason::WorkerRequired));
        }
        Ok(())
    }
}

/// Whether the content's own lists let the device in.
fn check_lists(candidate: &Candidate<'_>, content: &ContentSpec) -> Result<(), Denial> {
    if content.open {
        return Ok(());
    }
    if content.models.is_empty() && content.tenants.is_empty() {
        // Neither open nor listed: only a token could authorise, and this server knows no issuer
        // of tokens that it could believe one from.
        return Err(if candidate.has_token {
            refusal(DenialReason::TokenInvalid, "no-issuer")
        } else {
            Denial::new(DenialReason::TokenMissing)
        });
    }
    if !content.models.is_empty() && !content.models.contains(&candidate.device.model) {
        return Err(refusal(DenialReason::NotAuthorised, "models"));
    }
    let tenant = candidate.tenant.as_ref();
    if !content.tenants.is_empty() && !tenant.is_some_and(|name| content.tenants.contains(name)) {
        return Err(refusal(DenialReason::NotAuthorised, "tenants"));
    }
    Ok(())
}

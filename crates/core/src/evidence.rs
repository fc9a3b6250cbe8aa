//! What the core says of itself in a request.

use keybearer_crypto::{Digest, Label};
use keybearer_license::{
    Attestation, BootId, CounterStrength, DebugStatus, Evidence, LicenseError, Ueid,
};
use keybearer_rules::Level;

use crate::config::{Config, VERSION};
use crate::platform::{
    Attester, Counter, CounterKind, Identity, Moment, Parts, Platform, PlatformError,
};

/// The evidence for a request under `anchor`. `instance` stands for the boot identity on a
/// platform without a clock, `level` is the one that really runs: a session's, or this side's own.
///
/// # Errors
/// Those of the platform.
pub(crate) fn collect<P: Platform>(
    parts: &mut Parts<P>,
    config: &Config,
    level: Level,
    anchor: &Digest,
    now: Option<Moment>,
    instance: &[u8; 16],
    anchored: bool,
) -> Result<Evidence, PlatformError> {
    let boot = now.map_or(*instance, |now| now.boot);
    // Under another anchor the same boot has another identity, so that it links nothing.
    let boot = parts.identity.derive(anchor, Label::Boot, &[&boot])?;
    let (boot, _) = boot
        .expose()
        .split_first_chunk()
        .ok_or(PlatformError::Key)?;
    Ok(Evidence {
        level,
        isolation: config.isolation,
        core_version: VERSION,
        ta_version: config.ta_version,
        debug: if config.debug {
            DebugStatus::Enabled
        } else {
            DebugStatus::Disabled
        },
        boot_id: BootId(*boot),
        counter: counter_strength(parts),
        time_anchored: anchored,
    })
}

/// What the platform says of the code that runs, for a request whose nonce this is; `None` where it
/// says nothing.
///
/// # Errors
/// [`LicenseError::Memory`], [`LicenseError::Key`]: what should have been said is never left out.
pub(crate) fn attest<A: Attester>(
    attester: &mut Option<A>,
    nonce: &Digest,
) -> Result<Option<Attestation>, LicenseError> {
    let attester = attester.as_mut();
    let said = attester.map(|attester| attester.attest(nonce)).transpose();
    said.map_err(|error| match error {
        PlatformError::Memory => LicenseError::Memory,
        _ => LicenseError::Key,
    })
}

/// Strength of the platform's counter.
pub(crate) fn counter_strength<P: Platform>(parts: &Parts<P>) -> CounterStrength {
    match parts.counter.as_ref().map(Counter::strength) {
        None => CounterStrength::None,
        Some(CounterKind::Software) => CounterStrength::Software,
        Some(CounterKind::Hardware) => CounterStrength::Hardware,
    }
}

/// The device's identifier under an anchor.
///
/// # Errors
/// Those of the platform.
pub(crate) fn ueid<P: Platform>(
    parts: &mut Parts<P>,
    anchor: &Digest,
) -> Result<Ueid, PlatformError> {
    let secret = parts.identity.derive(anchor, Label::Ueid, &[&anchor.0])?;
    Ok(Ueid::from_device(secret.expose()))
}

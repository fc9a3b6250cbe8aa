//! Whether a request gets a licence under the rules that hold for it (UR-12 to UR-27).

use super::claims::{
    AnalogCapability, Claims, FairPlayClaims, FairPlaySink, PlatformStatus, PrmDevice, Revocation,
    Vulnerability, WidevineClaims,
};
use super::{UsageRule, Violation};
use crate::family::fairplay::{FairPlayHdcp, FairPlayRules};
use crate::family::playready::PlayReadyLevel;
use crate::family::prm::PrmLevel;
use crate::family::widevine::{WidevineHdcp, WidevineLevel, WidevineRules};
use crate::form::{Form, RuleValue};
use crate::rules::Rules;

type Verdict<T> = Result<T, Violation<'static>>;

/// Tests a request against `effective`, the rules after a device model's override, and returns those
/// that the licence is written from. `profile` is what the override was applied to, or the same.
///
/// # Errors
/// The first broken rule in the order of evaluation: consistency, sentinels, level, platform,
/// outputs. Claims in the terms of another DRM than the rules' break UR-29.
pub fn admit(profile: &Rules, effective: &Rules, claims: &Claims) -> Verdict<Rules> {
    effective.check()?;
    if let Some(field) = effective.bars_everyone() {
        let rule = match profile.bars_everyone() {
            Some(_) => UsageRule::Ur17,
            None => UsageRule::Ur12,
        };
        let found = effective.value(field).unwrap_or(Form::Unset);
        return Err(Violation::new(rule, field, Form::Word("another"), found));
    }
    match (*effective, claims) {
        (Rules::Prm(rules), Claims::Prm(device)) => {
            prm_level(rules.min_level, *device)?;
            Ok(rules.into())
        }
        (Rules::PlayReady(mut rules), Claims::PlayReady { level }) => {
            let least = rules.minimum_security_level.number();
            at_least("minimumSecurityLevel", least, u64::from(*level))?;
            // UR-26: what is not in force is not written.
            if !rules.hdcp_type_in_force() {
                rules.hdcp_type = None;
            }
            Ok(rules.into())
        }
        (Rules::FairPlay(rules), Claims::FairPlay(claims)) => {
            fairplay(&rules, claims)?;
            Ok(rules.into())
        }
        (Rules::Widevine(rules), Claims::Widevine(claims)) => {
            widevine(rules, claims).map(Into::into)
        }
        (Rules::TvKeyCloud(rules), Claims::TvKeyCloud) => Ok(rules.into()),
        (Rules::WisePlay(rules), Claims::WisePlay { level }) => {
            at_least(
                "securityLevel",
                rules.security_level.number(),
                u64::from(*level),
            )?;
            Ok(rules.into())
        }
        (Rules::Generic(rules), Claims::Generic { level }) => {
            at_least("minLevel", rules.min_level.number(), u64::from(*level))?;
            Ok(rules.into())
        }
        _ => Err(Violation::new(
            UsageRule::Ur29,
            "drm",
            claims.drm().form(),
            effective.drm().form(),
        )),
    }
}

impl Rules {
    /// Tests the rules against each other, as when they are configured.
    ///
    /// # Errors
    /// UR-24.
    pub fn check(&self) -> Result<(), Violation<'static>> {
        match self {
            Self::FairPlay(rules) if !rules.is_consistent() => Err(Violation::new(
                UsageRule::Ur24,
                "hdcpLevel",
                FairPlayHdcp::NotRequired.form(),
                rules.hdcp_level.form(),
            )),
            _ => Ok(()),
        }
    }

    /// What is odd about the rules and does not keep them from being used: UR-26.
    #[must_use]
    pub fn warning(&self) -> Option<Violation<'static>> {
        match self {
            Self::PlayReady(rules) if rules.hdcp_type.is_some() && !rules.hdcp_type_in_force() => {
                Some(Violation::new(
                    UsageRule::Ur26,
                    "uncompressedDigitalVideoOutputProtection",
                    Form::Word("271 or more"),
                    rules.uncompressed_video.form(),
                ))
            }
            _ => None,
        }
    }

    /// The rule whose value bars every device, if one does (UR-17).
    #[must_use]
    pub fn bars_everyone(&self) -> Option<&'static str> {
        match self {
            Self::Prm(rules) if rules.min_level == PrmLevel::Nobody => Some("minLevel"),
            Self::PlayReady(rules) if rules.minimum_security_level == PlayReadyLevel::Nobody => {
                Some("minimumSecurityLevel")
            }
            Self::Widevine(rules) if rules.minimum_security_level == WidevineLevel::Nobody => {
                Some("minimumSecurityLevel")
            }
            _ => None,
        }
    }
}

/// UR-15.
fn at_least(field: &'static str, least: u64, level: u64) -> Verdict<()> {
    if level >= least {
        return Ok(());
    }
    let (wanted, found) = (Form::Int(least), Form::Int(level));
    Err(Violation::new(UsageRule::Ur15, field, wanted, found))
}

fn prm_level(least: PrmLevel, device: PrmDevice) -> Verdict<()> {
    let compromised = match device {
        PrmDevice::Level(level) => return at_least("minLevel", least.number(), level.into()),
        PrmDevice::Software { compromised } => compromised,
    };
    let passes = match least {
        PrmLevel::Test => true,
        PrmLevel::SoftwareCrypto => !compromised,
        _ => false,
    };
    if passes {
        return Ok(());
    }
    let found = Form::Word(match compromised {
        true => "software PRM, compromised",
        false => "software PRM",
    });
    Err(Violation::new(
        UsageRule::Ur15,
        "minLevel",
        least.form(),
        found,
    ))
}

fn fairplay(rules: &FairPlayRules, claims: &FairPlayClaims) -> Verdict<()> {
    if rules.hdcp_strict_enforcement && !claims.hdcp_enforced {
        return Err(refused(UsageRule::Ur23, "hdcpStrictEnforcement", true));
    }
    let (airplay, adapter) = match claims.sink {
        FairPlaySink::Device => (false, false),
        FairPlaySink::AirPlay => (true, false),
        FairPlaySink::AvAdapter => (false, true),
        // It could be either, so it needs both.
        FairPlaySink::Unknown => (true, true),
    };
    if airplay && !rules.airplay_allowed {
        return Err(refused(UsageRule::Ur25, "airPlayAllowed", false));
    }
    if adapter && !rules.digital_av_adapter {
        return Err(refused(UsageRule::Ur25, "digitalAvAdapter", false));
    }
    Ok(())
}

fn widevine(mut rules: WidevineRules, claims: &WidevineClaims) -> Verdict<WidevineRules> {
    widevine_level(&rules, claims)?;
    widevine_platform(&rules, claims)?;
    if claims.hdcp_excepted {
        // UR-13: neither checked nor written.
        rules.hdcp = WidevineHdcp::None;
    }
    let can_disable = match claims.analog {
        AnalogCapability::None => true,
        AnalogCapability::Present { can_disable } => can_disable,
        AnalogCapability::Unknown => false,
    };
    if rules.disable_analog_output && !can_disable {
        return Err(refused(UsageRule::Ur18, "disableAnalogOutput", true));
    }
    if !claims
        .max_hdcp
        .unwrap_or(WidevineHdcp::None)
        .meets(rules.hdcp)
    {
        let (wanted, found) = (rules.hdcp.form(), claims.max_hdcp.form());
        return Err(Violation::new(UsageRule::Ur27, "hdcp", wanted, found));
    }
    Ok(rules)
}

fn widevine_level(rules: &WidevineRules, claims: &WidevineClaims) -> Verdict<()> {
    // A request that says no level counts as 5 (UR-14).
    let (rule, level) = match claims.level {
        Some(level) => (UsageRule::Ur16, u64::from(level)),
        None => (UsageRule::Ur14, WidevineLevel::Any.number()),
    };
    // 0 is no device level: the smallest number would pass everywhere.
    if (1..=rules.minimum_security_level.number()).contains(&level) {
        return Ok(());
    }
    let found = claims
        .level
        .map_or(Form::Unset, |level| Form::Int(level.into()));
    let wanted = rules.minimum_security_level.form();
    Err(Violation::new(rule, "minimumSecurityLevel", wanted, found))
}

fn widevine_platform(rules: &WidevineRules, claims: &WidevineClaims) -> Verdict<()> {
    let revoked = match claims.revocation {
        Revocation::Good => None,
        Revocation::Revoked if rules.override_device_revocation => None,
        Revocation::Revoked => Some("revoked"),
        Revocation::Permanent => Some("revoked for good"),
    };
    if let Some(found) = revoked {
        let found = Form::Word(found);
        let field = "overrideDeviceRevocation";
        return Err(Violation::new(
            UsageRule::Ur19,
            field,
            Form::Word("not revoked"),
            found,
        ));
    }
    if let Some(status) = claims.platform {
        let unverified = match status {
            PlatformStatus::Unverified => !rules.allow_unverified_platform,
            // The rule speaks of the other status only.
            PlatformStatus::Tampered => true,
            _ => false,
        };
        let found = Form::Word(status.name());
        if unverified {
            let wanted = Form::Word("verified");
            let field = "allowUnverifiedPlatform";
            return Err(Violation::new(UsageRule::Ur20, field, wanted, found));
        }
        let wanted = PlatformStatus::SecureStorageSoftwareVerified;
        if rules.require_l3_secure_storage && status != wanted {
            let wanted = Form::Word(wanted.name());
            let field = "requireL3SecureStorage";
            return Err(Violation::new(UsageRule::Ur21, field, wanted, found));
        }
    }
    let exposed = |field, wanted, found| Err(Violation::new(UsageRule::Ur22, field, wanted, found));
    match (claims.vulnerability, rules.max_device_vulnerability_level) {
        (Vulnerability::Level(level), Some(most)) if !level.within(most) => {
            exposed("maxDeviceVulnerabilityLevel", most.form(), level.form())
        }
        (Vulnerability::Unspecified, _)
            if rules.allow_unspecified_device_vulnerability_level == Some(false) =>
        {
            let field = "allowUnspecifiedDeviceVulnerabilityLevel";
            exposed(field, Form::Word("a level"), Form::Unset)
        }
        _ => Ok(()),
    }
}

/// A demand of the request that is a yes or a no.
const fn refused(rule: UsageRule, field: &'static str, wanted: bool) -> Violation<'static> {
    Violation::new(rule, field, Form::Bool(wanted), Form::Bool(!wanted))
}

//! What a request says of the device, in the terms of each rule family.
//!
//! Two sources speak: the trusted side and the host. What both say counts as the stricter of the
//! two. What the host alone says counts below High; at High it can only be held against the device.
//! What nobody says meets no demand.

use keybearer_license::{
    AnalogOutput, Capabilities, ClientKind, HdcpCapability, LicenseRequest, OutputKind,
    PlatformStatus as Verified, SecureStorage, Vulnerability as Weakness,
};
use keybearer_rules::family::widevine::{VulnerabilityLevel, WidevineHdcp};
use keybearer_rules::ur::{
    AnalogCapability, Claims, FairPlayClaims, FairPlaySink, PlatformStatus, Revocation,
    Vulnerability, WidevineClaims,
};
use keybearer_rules::{Drm, Level};

/// What is known of a device that asks for a licence.
pub(crate) struct Facts<'a> {
    /// The level it is served at.
    pub(crate) level: Level,
    /// What the trusted side says.
    trusted: &'a Capabilities,
    /// What the host says.
    host: &'a Capabilities,
    /// Whether it was suspended. A revoked one gets no further than the door.
    pub(crate) suspended: bool,
}

impl<'a> Facts<'a> {
    pub(crate) const fn new(level: Level, request: &'a LicenseRequest, suspended: bool) -> Self {
        Self {
            level,
            trusted: &request.capabilities,
            host: &request.host_stated,
            suspended,
        }
    }

    /// What counts of what both sides say.
    fn counts<T>(
        &self,
        of: impl Fn(&Capabilities) -> Option<T>,
        stricter: impl FnOnce(T, T) -> T,
    ) -> Option<T> {
        let counts = self.level < Level::High || of(self.trusted).is_some();
        counts.then(|| self.against(of, stricter)).flatten()
    }

    /// What is held against the device, whoever says it.
    fn against<T>(
        &self,
        of: impl Fn(&Capabilities) -> Option<T>,
        stricter: impl FnOnce(T, T) -> T,
    ) -> Option<T> {
        match (of(self.trusted), of(self.host)) {
            (Some(trusted), Some(host)) => Some(stricter(trusted, host)),
            (one, other) => one.or(other),
        }
    }

    /// The system id that the HDCP exceptions are looked up by (UR-13). Two that differ are none.
    pub(crate) fn system_id(&self) -> Option<u32> {
        let stated = self.counts(
            |said| said.system_id.map(Some),
            |a, b| if a == b { a } else { None },
        );
        stated.flatten()
    }
}

/// What a request says, in the terms of a rule family.
pub(crate) fn claims(family: Drm, facts: &Facts<'_>, hdcp_excepted: bool) -> Claims {
    let level = Claims::of_level(family, facts.level);
    match level {
        Claims::FairPlay(_) => Claims::FairPlay(FairPlayClaims {
            hdcp_enforced: facts
                .counts(|said| said.hdcp_enforcement, |a, b| a && b)
                .unwrap_or(false),
            sink: sink(facts),
        }),
        Claims::Widevine(of_level) => Claims::Widevine(WidevineClaims {
            max_hdcp: facts.counts(max_hdcp, |a, b| if a.meets(b) { b } else { a }),
            analog: facts
                .counts(analog, worse_analog)
                .unwrap_or(AnalogCapability::Unknown),
            revocation: if facts.suspended {
                Revocation::Revoked
            } else {
                Revocation::Good
            },
            platform: platform(facts),
            vulnerability: vulnerability(facts),
            hdcp_excepted,
            ..of_level
        }),
        other => other,
    }
}

/// Where the picture goes. "Not there" has to be said, "there" is believed of anyone.
fn sink(facts: &Facts<'_>) -> FairPlaySink {
    let either = |a: bool, b: bool| a || b;
    let in_use = |of: fn(&Capabilities) -> Option<bool>| {
        let held_against = facts.against(of, either).unwrap_or(false);
        held_against.then_some(true).or(facts.counts(of, either))
    };
    match (
        in_use(|said| said.airplay_in_use),
        in_use(|said| said.adapter_in_use),
    ) {
        (Some(false), Some(false)) => FairPlaySink::Device,
        (Some(true), Some(false)) => FairPlaySink::AirPlay,
        (Some(false), Some(true)) => FairPlaySink::AvAdapter,
        _ => FairPlaySink::Unknown,
    }
}

/// The highest HDCP that any digital output reaches. A device without one has to say so: a list
/// without one is not enough, and a list with one speaks against it.
fn max_hdcp(said: &Capabilities) -> Option<WidevineHdcp> {
    let digital = said.outputs.iter().flatten().filter(|output| {
        matches!(
            output.kind,
            OutputKind::Hdmi | OutputKind::DisplayPort | OutputKind::Wireless
        )
    });
    let highest = digital
        .map(|output| match output.hdcp {
            HdcpCapability::None => WidevineHdcp::None,
            HdcpCapability::V1 => WidevineHdcp::V1,
            HdcpCapability::V2_0 => WidevineHdcp::V2_0,
            // A link that cannot carry type 1 is no 2.2 in the sense of any rule.
            HdcpCapability::V2_2 | HdcpCapability::V2_3 if output.stream_type == Some(0) => {
                WidevineHdcp::V2_1
            }
            HdcpCapability::V2_1 => WidevineHdcp::V2_1,
            HdcpCapability::V2_2 => WidevineHdcp::V2_2,
            HdcpCapability::V2_3 => WidevineHdcp::V2_3,
        })
        .reduce(|a, b| if a.meets(b) { a } else { b });
    let without = (said.digital_output == Some(false)).then_some(WidevineHdcp::NoDigitalOutput);
    highest.or(without)
}

fn analog(said: &Capabilities) -> Option<AnalogCapability> {
    let listed = said.outputs.iter().flatten().any(|output| {
        matches!(
            output.kind,
            OutputKind::AnalogComposite | OutputKind::AnalogComponent
        )
    });
    match said.analog {
        Some(AnalogOutput::None) if listed => Some(AnalogCapability::Unknown),
        Some(AnalogOutput::None) => Some(AnalogCapability::None),
        Some(AnalogOutput::CanBeDisabled) => Some(AnalogCapability::Present { can_disable: true }),
        Some(AnalogOutput::Present) => Some(AnalogCapability::Present { can_disable: false }),
        Some(AnalogOutput::Unknown) => Some(AnalogCapability::Unknown),
        None if listed => Some(AnalogCapability::Present { can_disable: false }),
        None => None,
    }
}

fn worse_analog(a: AnalogCapability, b: AnalogCapability) -> AnalogCapability {
    let rank = |analog: AnalogCapability| match analog {
        AnalogCapability::None => 0,
        AnalogCapability::Present { can_disable: true } => 1,
        AnalogCapability::Present { can_disable: false } => 2,
        AnalogCapability::Unknown => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// The platform's status: of a desktop browser, and of whatever states one.
fn platform(facts: &Facts<'_>) -> Option<PlatformStatus> {
    let browser = facts.against(
        |said| said.client.map(|client| client == ClientKind::Browser),
        |a, b| a || b,
    );
    // A status that speaks for the device counts by the common rule, one against it always.
    let worse = |a: Verified, b: Verified| if rank(a) <= rank(b) { a } else { b };
    let held_against = facts
        .against(|said| said.platform, worse)
        .filter(|status| matches!(status, Verified::Unverified | Verified::Tampered));
    let status = held_against.or(facts.counts(|said| said.platform, worse));
    let secure = facts.counts(
        |said| said.secure_storage,
        |a, b| if a == b { a } else { SecureStorage::Unverified },
    );
    match status {
        None => (browser == Some(true)).then_some(PlatformStatus::Unverified),
        Some(Verified::Unverified) => Some(PlatformStatus::Unverified),
        Some(Verified::Tampered) => Some(PlatformStatus::Tampered),
        Some(Verified::NoVerification) => Some(PlatformStatus::NoVerification),
        Some(Verified::HardwareVerified) => Some(PlatformStatus::HardwareVerified),
        Some(Verified::SoftwareVerified) if secure == Some(SecureStorage::SoftwareVerified) => {
            Some(PlatformStatus::SecureStorageSoftwareVerified)
        }
        Some(Verified::SoftwareVerified) => Some(PlatformStatus::SoftwareVerified),
    }
}

/// From the least trusted status to the most.
const fn rank(status: Verified) -> u8 {
    match status {
        Verified::Tampered => 0,
        Verified::Unverified => 1,
        Verified::NoVerification => 2,
        Verified::SoftwareVerified => 3,
        Verified::HardwareVerified => 4,
    }
}

/// How exposed the device is. The rule is one of applications; a browser has its platform's status
/// instead.
fn vulnerability(facts: &Facts<'_>) -> Vulnerability {
    let browser = facts.counts(
        |said| said.client.map(|client| client == ClientKind::Browser),
        |a, b| a && b,
    );
    match facts.against(|said| said.vulnerability, Ord::max) {
        None if browser == Some(true) => Vulnerability::NotAssessed,
        None => Vulnerability::Unspecified,
        Some(level) => Vulnerability::Level(match level {
            Weakness::None => VulnerabilityLevel::None,
            Weakness::Low => VulnerabilityLevel::Low,
            Weakness::Medium => VulnerabilityLevel::Medium,
            Weakness::High => VulnerabilityLevel::High,
            Weakness::Critical => VulnerabilityLevel::Critical,
        }),
    }
}

//! What the trusted side reports, owned, in the client's own words.

use std::fmt;
use std::str::FromStr;

use keybearer_license::{Capabilities, DenialReason, TrackType};
use keybearer_media::Scheme;
use keybearer_rules::Level;
use keybearer_wire::body::{self, Isolation, KeyStatus, Reason};

use crate::{ClientError, explain};

/// A key id (KID), in the order of the file (ISO/IEC 23001-7).
pub type KeyId = keybearer_media::KeyId;

/// A licence id.
pub type LicenseId = [u8; 16];

/// What went wrong when a report holds a number that its room does not define.
const UNKNOWN_NUMBER: &str = "a number in a report is not one of this version";

/// SHA-256 of an operator's root public key: whom a device trusts. It comes with the application or
/// in an enrolment bundle, never over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnchorDigest(pub [u8; 32]);

impl fmt::Display for AnchorDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Takes 64 hexadecimal digits.
impl FromStr for AnchorDigest {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest)?;
        Ok(Self(digest))
    }
}

/// What the trusted side says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Version of the interface it speaks.
    pub abi: u16,
    /// Version of the core.
    pub version: String,
    /// Level of the backend that really runs.
    pub level: Level,
    /// Where it runs.
    pub isolation: Isolation,
    /// A development build, test sink or simulated backend.
    pub debug: bool,
    /// Strength of its counter, a number of the licence protocol; `None`: it has none.
    pub counter: Option<u8>,
    /// It has a clock that the host cannot set.
    pub clock: bool,
    /// Largest media of one call in bytes.
    pub max_media: u32,
    /// The application may name the trust anchor.
    pub application_anchors: bool,
    /// It opens protected sessions, whose media goes to a decoder of its own. Their level is
    /// [`Self::level`]; that of clear sessions is at most Medium.
    pub protected: bool,
}

impl Description {
    pub(crate) fn from_wire(said: &body::Description<'_>) -> Option<Self> {
        Some(Self {
            abi: said.abi,
            version: said.version.0.to_owned(),
            level: Level::from_code(said.level)?,
            isolation: said.isolation,
            debug: said.debug,
            counter: said.counter,
            clock: said.clock,
            max_media: said.max_media,
            application_anchors: said.application_anchors,
            protected: said.protected,
        })
    }
}

/// What a service accepts in return for a certificate.
#[derive(Clone, PartialEq, Eq)]
pub enum ProvisionToken {
    /// One-use token: certifies at most level Low.
    Enrollment(Vec<u8>),
    /// Names the digest of this device's key: certifies up to the level it says.
    Factory(Vec<u8>),
}

/// Says which kind it is, not the token: whoever reads it could use it first.
impl fmt::Debug for ProvisionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enrollment(_) => "Enrollment(..)",
            Self::Factory(_) => "Factory(..)",
        })
    }
}

/// The device's key under an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceKey {
    /// Digest of the public key, as a factory token names it.
    pub digest: [u8; 32],
    /// A certificate for it is held.
    pub provisioned: bool,
}

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Highest level certified.
    pub level: Level,
    /// The device counts as a debug device.
    pub debug: bool,
}

impl Certified {
    pub(crate) fn from_wire(said: &body::Provisioned) -> Option<Self> {
        Some(Self {
            level: Level::from_code(said.level)?,
            debug: said.debug,
        })
    }
}

/// The content of one `pssh` box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitData {
    /// System id.
    pub system_id: [u8; 16],
    /// The box's data.
    pub data: Vec<u8>,
}

/// What a licence is wanted for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LicenseWanted {
    /// Key ids; at most [`keybearer_wire::limits::MAX_KEY_IDS`].
    pub key_ids: Vec<KeyId>,
    /// Init data for the service to read key ids from; at most
    /// [`keybearer_wire::limits::MAX_INIT_DATA_ITEMS`].
    pub init_data: Vec<InitData>,
    /// Authorisation token for the service, opaque to the device.
    pub token: Option<Vec<u8>>,
    /// What the host states about the device. It can only make the service stricter.
    pub capabilities: Capabilities,
    /// The loaded licence that this request shall renew.
    pub renew: Option<LicenseId>,
}

/// Says whether there is a token, not the token: whoever reads it could use it.
impl fmt::Debug for LicenseWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LicenseWanted")
            .field("key_ids", &self.key_ids)
            .field("init_data", &self.init_data)
            .field("token", &self.token.as_ref().map(|_| ".."))
            .field("capabilities", &self.capabilities)
            .field("renew", &self.renew)
            .finish()
    }
}

/// A loaded licence, without secrets. Times are seconds since 1970-01-01T00:00Z by the trusted clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// Its id.
    pub id: LicenseId,
    /// Number of this instance; a renewal has a higher one.
    pub sequence: u64,
    /// Earliest moment at which some limit ends it.
    pub ends: Option<u64>,
    /// When to ask for renewal.
    pub renew_at: Option<u64>,
    /// Where to ask for renewal.
    pub renewal_url: Option<String>,
    /// Seconds to wait after an attempt to renew that failed.
    pub renew_retry: Option<u32>,
    /// Its keys.
    pub keys: Vec<Key>,
}

impl License {
    /// The key with this id.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == *id)
    }

    pub(crate) fn from_wire(report: &body::LicenseReport<'_>) -> Option<Self> {
        Some(Self {
            id: report.license,
            sequence: report.sequence,
            ends: report.ends,
            renew_at: report.renew_at,
            renewal_url: report.renewal_url.map(|url| url.0.to_owned()),
            renew_retry: report.renew_retry,
            keys: report
                .keys
                .0
                .iter()
                .map(Key::from_wire)
                .collect::<Option<_>>()?,
        })
    }
}

/// A key of a licence, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// Its status when it was reported.
    pub status: KeyStatus,
    /// Why; none for a usable key.
    pub reasons: Vec<Reason>,
    /// What tracks it may decrypt.
    pub track_type: TrackType,
    /// Lowest level it may be used at.
    pub lowest_level: Level,
    /// Its protection scheme.
    pub scheme: Scheme,
    /// The largest picture, in pixels, that the outputs allow now: 0 for none, `None` for any. Where the
    /// status is [`KeyStatus::OutputRestricted`], a key for a picture of at most this size would be
    /// usable: switch to the smaller track.
    pub largest_picture: Option<u32>,
}

impl Key {
    fn from_wire(report: &body::KeyReport) -> Option<Self> {
        Some(Self {
            id: report.key_id,
            status: report.status,
            reasons: report.reasons.0.clone(),
            track_type: TrackType::from_code(report.track_type)?,
            lowest_level: Level::from_code(report.level)?,
            scheme: scheme_from_code(report.scheme)?,
            largest_picture: report.largest_picture,
        })
    }
}

/// The licences of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    /// Grows whenever a status changes.
    pub sequence: u64,
    /// Trusted time; `None` before the first anchor.
    pub time: Option<u64>,
    /// The licences, oldest first.
    pub licenses: Vec<License>,
}

impl Statuses {
    /// The key with this id that the trusted side would use: of the newest licence in which it is
    /// usable, or else of the newest that holds it.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&Key> {
        let newest_first = || {
            self.licenses
                .iter()
                .rev()
                .filter_map(|license| license.key(id))
        };
        newest_first()
            .find(|key| matches!(key.status, KeyStatus::Usable | KeyStatus::OutputDownscaled))
            .or_else(|| newest_first().next())
    }

    pub(crate) fn from_wire(report: &body::StatusReport<'_>) -> Option<Self> {
        let licenses = report
            .licenses
            .0
            .iter()
            .map(License::from_wire)
            .collect::<Option<_>>()?;
        Some(Self {
            sequence: report.sequence,
            time: report.time,
            licenses,
        })
    }
}

/// Why a service refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The reason; `None` for a number that this version does not know.
    pub reason: Option<DenialReason>,
    /// The reason's number.
    pub code: u16,
    /// The rule that decided.
    pub rule: Option<String>,
    /// What it wants.
    pub wanted: Option<String>,
    /// What it found.
    pub found: Option<String>,
    /// The level that would suffice.
    pub level_needed: Option<Level>,
    /// The key it is about.
    pub key_id: Option<KeyId>,
    /// Public number of the service, such as 4008.
    pub server_code: Option<u32>,
    /// Seconds to wait before asking again.
    pub retry_after_seconds: Option<u32>,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&explain::denial(self))
    }
}

impl Denial {
    pub(crate) fn from_wire(report: &body::DenialReport<'_>) -> Self {
        Self {
            reason: DenialReason::from_code(report.reason),
            code: report.reason,
            rule: report.rule.map(|rule| rule.0.to_owned()),
            wanted: report.wanted.map(|wanted| wanted.0.to_owned()),
            found: report.found.map(|found| found.0.to_owned()),
            level_needed: report.level_needed.and_then(Level::from_code),
            key_id: report.key_id,
            server_code: report.server_code,
            retry_after_seconds: report.retry_after,
        }
    }
}

/// Turns a report with an unknown number into the error that says so.
pub(crate) fn known<T>(during: &'static str, value: Option<T>) -> Result<T, ClientError> {
    value.ok_or(ClientError::bad_answer(during, UNKNOWN_NUMBER))
}

/// The number of a scheme on the wire.
pub(crate) const fn scheme_code(scheme: Scheme) -> u8 {
    match scheme {
        Scheme::Cenc => 1,
        Scheme::Cens => 2,
        Scheme::Cbc1 => 3,
        Scheme::Cbcs => 4,
    }
}

const fn scheme_from_code(code: u8) -> Option<Scheme> {
    match code {
        1 => Some(Scheme::Cenc),
        2 => Some(Scheme::Cens),
        3 => Some(Scheme::Cbc1),
        4 => Some(Scheme::Cbcs),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

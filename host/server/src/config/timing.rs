//! How long licences count and how they are renewed, in the words of a configuration file.

use std::num::NonZeroU32;

use keybearer_license::{Enforcement, MAX_UNIX_TIME, MAX_URL, Renewal, Timing, UnixTime};
use serde::{Deserialize, Serialize};

use super::text::nonzero;
use crate::names::Name;

/// How long a content's licences count; everything absent is unlimited.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TimingSpec {
    /// First second of use, Unix time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// First second without use, Unix time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<u64>,
    /// Seconds one licence counts from its issue.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nonzero"
    )]
    pub license_seconds: Option<NonZeroU32>,
    /// Seconds from issue within which playback must begin.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nonzero"
    )]
    pub rental_seconds: Option<NonZeroU32>,
    /// Seconds of use from the first.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nonzero"
    )]
    pub playback_seconds: Option<NonZeroU32>,
    /// Seconds a start is not yet counted as the first use.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nonzero"
    )]
    pub start_grace_seconds: Option<NonZeroU32>,
    /// Seconds a device may play after a restart before it has a time again.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nonzero"
    )]
    pub offline_grace_seconds: Option<NonZeroU32>,
    /// How absolute ends and `license_seconds` are enforced: hard unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "enforcement")]
    pub enforce_absolute: Option<Enforcement>,
    /// How `rental_seconds` is enforced: soft unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "enforcement")]
    pub enforce_rental: Option<Enforcement>,
    /// How `playback_seconds` is enforced: hard unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "enforcement")]
    pub enforce_playback: Option<Enforcement>,
}

impl TimingSpec {
    /// The timing as it stands in a licence.
    pub(crate) fn timing(&self) -> Timing {
        let unlimited = Timing::UNLIMITED;
        Timing {
            not_before: self.not_before.map(UnixTime),
            not_after: self.not_after.map(UnixTime),
            license_seconds: self.license_seconds,
            rental_seconds: self.rental_seconds,
            playback_seconds: self.playback_seconds,
            start_grace_seconds: self.start_grace_seconds,
            offline_grace_seconds: self.offline_grace_seconds,
            enforce_absolute: self.enforce_absolute.unwrap_or(unlimited.enforce_absolute),
            enforce_rental: self.enforce_rental.unwrap_or(unlimited.enforce_rental),
            enforce_playback: self.enforce_playback.unwrap_or(unlimited.enforce_playback),
            ..unlimited
        }
    }

    /// What contradicts itself, if anything does.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        if self
            .not_before
            .max(self.not_after)
            .is_some_and(|time| time > MAX_UNIX_TIME)
        {
            return Some("timing: a time after the year 9999");
        }
        match (self.not_before, self.not_after) {
            (Some(from), Some(to)) if from >= to => {
                Some("timing: not_before is not before not_after")
            }
            _ => None,
        }
    }
}

/// When and where a content's licences are renewed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalSpec {
    /// Where; absent: the server's public address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Seconds after issue.
    pub delay_seconds: u32,
    /// Seconds between tries.
    pub retry_seconds: u32,
    /// Seconds use may go on past a renewal that failed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nonzero"
    )]
    pub recovery_seconds: Option<NonZeroU32>,
    /// Whether the first renewal is due at the first use.
    #[serde(default)]
    pub on_first_use: bool,
    /// Whether the request carries usage records.
    #[serde(default)]
    pub with_usage: bool,
}

impl RenewalSpec {
    /// The renewal as it stands in a licence of a server reached at `public_url`.
    ///
    /// An address too long for a licence is left out: the client then asks where it asked first.
    pub(crate) fn renewal(&self, public_url: &str) -> Renewal {
        let url = self.url.clone().unwrap_or_else(|| public_url.to_owned());
        Renewal {
            url: (url.len() <= MAX_URL).then_some(url),
            delay_seconds: self.delay_seconds,
            retry_seconds: self.retry_seconds,
            recovery_seconds: self.recovery_seconds,
            on_first_use: self.on_first_use,
            with_usage: self.with_usage,
        }
    }
}

/// An optional enforcement by name.
mod enforcement {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Enforcement, Name, Serialize};

    // serde's `with` passes a reference to the field, whatever its type.
    #[allow(clippy::ref_option)]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Enforcement>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Enforcement>, D::Error> {
        Ok(Option::<Name<Enforcement>>::deserialize(deserializer)?.map(|name| name.0))
    }
}

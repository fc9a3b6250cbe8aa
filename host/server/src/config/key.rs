//! Content keys: where they come from and how they may be used.
//!
//! Keys go in and never come out: the form that is written has no place for them.

use std::num::NonZeroU32;
use std::path::PathBuf;

use keybearer_crypto::Secret;
use keybearer_license::{
    IvKind, KeyId, KeyUse, Pattern, PolicyOrigin, PolicySource, Scheme, TrackType,
};
use keybearer_rules::{Level, OutputPolicy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::content::{NoExplicitRules, no_explicit_rules};
use super::policy::PolicyForm;
use super::text::{KeyText, Text, nonzero};
use crate::names::Name;

/// Where a content key comes from.
pub enum KeySource {
    /// It is given.
    Given(Secret<16>),
    /// 16 bytes in a private file; in configuration files only.
    File(PathBuf),
    /// The server makes it and shows it once; at the admin interface only.
    Generate,
    /// It lies sealed in the store: what the form without a key reads as.
    Stored,
}

/// A content key and how it may be used.
pub struct KeySpec {
    /// Its identifier, unique in the server.
    pub kid: KeyId,
    /// Where the key comes from.
    pub source: KeySource,
    /// What the track carries.
    pub track: TrackType,
    /// The scheme it decrypts, and no other.
    pub scheme: Scheme,
    /// The IVs it takes, and no others.
    pub iv: IvKind,
    /// The pattern it takes; absent: any.
    pub pattern: Option<Pattern>,
    /// The lowest level it may be used at.
    pub lowest_level: Level,
    /// Whether at Low only a sandboxed worker may have it.
    pub require_worker: bool,
    /// The largest picture, in pixels; absent: any.
    pub max_pixels: Option<NonZeroU32>,
    /// Clear bytes allowed in one sample; absent: any number.
    pub max_clear_bytes: Option<u32>,
    /// What outputs must give.
    pub policy: OutputPolicy,
    /// The usage-rules profile of this track; absent: that of the content.
    pub usage_rules_profile_id: Option<String>,
}

impl KeySpec {
    /// A key that may be used from level Low on, with the scheme's usual IVs and no demand on
    /// outputs.
    #[must_use]
    pub fn new(kid: KeyId, key: Secret<16>, track: TrackType, scheme: Scheme) -> Self {
        Self {
            kid,
            source: KeySource::Given(key),
            track,
            scheme,
            iv: usual_iv(scheme),
            pattern: None,
            lowest_level: Level::Low,
            require_worker: false,
            max_pixels: None,
            max_clear_bytes: None,
            policy: OutputPolicy::UNSPECIFIED,
            usage_rules_profile_id: None,
        }
    }

    /// How a licence says this key may be used.
    pub(crate) fn key_use(&self) -> KeyUse {
        KeyUse {
            track: self.track,
            scheme: self.scheme,
            iv: self.iv,
            pattern: self.pattern,
            lowest_level: self.lowest_level,
            require_worker: self.require_worker,
            policy: self.policy,
            max_pixels: self.max_pixels,
            max_clear_bytes: self.max_clear_bytes,
            source: PolicySource {
                origin: PolicyOrigin::Configured,
                profile: None,
            },
        }
    }

    /// What contradicts itself in this key, if anything does (ISO/IEC 23001-7 sections 9 and 10).
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let patterned = matches!(self.scheme, Scheme::Cens | Scheme::Cbcs);
        let constant = matches!(self.iv, IvKind::Constant8 | IvKind::Constant16);
        if self.pattern.is_some() && !patterned {
            Some("a pattern with cenc or cbc1, which have none")
        } else if constant && self.scheme != Scheme::Cbcs {
            Some("a constant IV with another scheme than cbcs")
        } else if self.scheme == Scheme::Cbc1 && self.iv != IvKind::PerSample16 {
            Some("cbc1 takes 16-byte IVs")
        } else {
            None
        }
    }
}

/// The IVs that packagers use with a scheme unless told otherwise.
const fn usual_iv(scheme: Scheme) -> IvKind {
    match scheme {
        Scheme::Cenc | Scheme::Cens => IvKind::PerSample8,
        Scheme::Cbc1 => IvKind::PerSample16,
        Scheme::Cbcs => IvKind::Constant16,
    }
}

/// A key as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyForm {
    kid: Text<KeyId>,
    key: Option<KeyText>,
    key_file: Option<PathBuf>,
    #[serde(default)]
    generate: bool,
    track: Name<TrackType>,
    scheme: Name<Scheme>,
    iv: Option<Name<IvKind>>,
    pattern: Option<Text<Pattern>>,
    lowest_level: Option<Name<Level>>,
    #[serde(default)]
    require_worker: bool,
    #[serde(default, deserialize_with = "nonzero")]
    max_pixels: Option<NonZeroU32>,
    max_clear_bytes: Option<u32>,
    #[serde(default)]
    policy: PolicyForm,
    #[serde(alias = "usageRulesProfileId")]
    usage_rules_profile_id: Option<String>,
    /// Only refuses them by name.
    #[serde(
        default,
        rename = "usage_rules",
        alias = "usageRules",
        deserialize_with = "no_explicit_rules"
    )]
    _explicit_rules: NoExplicitRules,
}

/// A key as it is written: everything but the key.
#[derive(Serialize)]
struct KeyView {
    kid: Text<KeyId>,
    track: Name<TrackType>,
    scheme: Name<Scheme>,
    iv: Name<IvKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<Text<Pattern>>,
    lowest_level: Name<Level>,
    require_worker: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_pixels: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_clear_bytes: Option<u32>,
    policy: PolicyForm,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_rules_profile_id: Option<String>,
}

impl<'de> Deserialize<'de> for KeySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = KeyForm::deserialize(deserializer)?;
        let source = match (form.key, form.key_file, form.generate) {
            (Some(key), None, false) => KeySource::Given(key.0),
            (None, Some(path), false) => KeySource::File(path),
            (None, None, true) => KeySource::Generate,
            (None, None, false) => KeySource::Stored,
            _ => {
                return Err(de::Error::custom(
                    "more than one of key, key_file and generate, expected exactly one",
                ));
            }
        };
        Ok(Self {
            kid: form.kid.0,
            source,
            track: form.track.0,
            scheme: form.scheme.0,
            iv: form.iv.map_or_else(|| usual_iv(form.scheme.0), |iv| iv.0),
            pattern: form.pattern.map(|pattern| pattern.0),
            lowest_level: form.lowest_level.map_or(Level::Low, |level| level.0),
            require_worker: form.require_worker,
            max_pixels: form.max_pixels,
            max_clear_bytes: form.max_clear_bytes,
            policy: form.policy.policy().map_err(de::Error::custom)?,
            usage_rules_profile_id: form.usage_rules_profile_id,
        })
    }
}

impl Serialize for KeySpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        KeyView {
            kid: Text(self.kid),
            track: Name(self.track),
            scheme: Name(self.scheme),
            iv: Name(self.iv),
            pattern: self.pattern.map(Text),
            lowest_level: Name(self.lowest_level),
            require_worker: self.require_worker,
            max_pixels: self.max_pixels,
            max_clear_bytes: self.max_clear_bytes,
            policy: PolicyForm::of(&self.policy),
            usage_rules_profile_id: self.usage_rules_profile_id.clone(),
        }
        .serialize(serializer)
    }
}

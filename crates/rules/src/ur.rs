//! The numbered decision rules, UR-01 to UR-29: which rules hold for a request, and whether it gets
//! a licence under them.
//!
//! Everything here is pure. What a rule needs of a server (tokens, channels, tenants, its list of
//! HDCP exceptions) comes in as arguments; what is stored where is the server's business. The rules
//! apply in the order of [`Stage`], and the first that is broken decides.

mod admit;
mod claims;
mod select;

use core::fmt;

pub use admit::admit;
pub use claims::{
    AnalogCapability, Claims, FairPlayClaims, FairPlaySink, PlatformStatus, PrmDevice, Revocation,
    Vulnerability, WidevineClaims,
};
pub use select::{
    Choice, Origin, Selected, Stated, check_channel, check_profile_for, check_tenant, check_token,
    select,
};

use crate::form::Form;

/// When a rule is applied, in the order of evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Structure of a token or a channel.
    Structure,
    /// Which profile or rules hold.
    Profile,
    /// Override for the device model.
    Override,
    /// Consistency of the rules.
    Consistency,
    /// Values that bar everyone.
    Sentinel,
    /// Security level.
    Level,
    /// Revocation, platform and known weaknesses.
    Platform,
    /// Outputs.
    Outputs,
}

macro_rules! usage_rules {
    ($($(#[$meta:meta])* $variant:ident = $number:literal $name:literal $stage:ident $code:expr;)+) => {
        /// A numbered decision rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum UsageRule {
            $($(#[$meta])* $variant,)+
        }

        impl UsageRule {
            /// Every rule, by number.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its number.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$variant => $number,)+
                }
            }

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// When it is applied.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self {
                    $(Self::$variant => Stage::$stage,)+
                }
            }

            /// The error code that public servers give for it, where one is known.
            #[must_use]
            pub const fn public_code(self) -> Option<u32> {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

/// "Security level insufficient".
const LEVEL: Option<u32> = Some(4008);
/// "HDCP protection error", of FairPlay.
const FAIRPLAY_HDCP: Option<u32> = Some(4044);
/// "Invalid maximum HDCP version", of Widevine. That it belongs to UR-27 is inferred.
const WIDEVINE_HDCP: Option<u32> = Some(2104);

usage_rules! {
    /// A token names a profile that does not exist: refused.
    Ur01 = 1 "UR-01" Profile None;
    /// A token carries a profile and rules, anywhere in it: refused. That the two may not even stand
    /// at different places in it is inferred, and the strict reading.
    Ur02 = 2 "UR-02" Structure None;
    /// A token carries neither: the column "default" holds.
    Ur03 = 3 "UR-03" Profile None;
    /// A token names a profile for the content and one for the track: the track's holds. Inferred
    /// from channels.
    Ur04 = 4 "UR-04" Profile None;
    /// A token carries generic rules: they are converted, and what they leave out is the generic
    /// column "default". Inferred.
    Ur05 = 5 "UR-05" Profile None;
    /// A channel's definition carries rules: it is refused.
    Ur06 = 6 "UR-06" Structure None;
    /// A channel, or a track of it, names a profile that does not exist: its requests are refused.
    Ur07 = 7 "UR-07" Profile None;
    /// A channel names no profile: the column "default" holds.
    Ur08 = 8 "UR-08" Profile None;
    /// A track of a channel has its own profile: that holds, else the channel's.
    Ur09 = 9 "UR-09" Profile None;
    /// The authorisation callback names no profile: the column "default" holds.
    Ur10 = 10 "UR-10" Profile None;
    /// An override for the device model replaces the rules it names, and no others.
    Ur11 = 11 "UR-11" Override None;
    /// An override bars the device model.
    Ur12 = 12 "UR-12" Override None;
    /// The device is excepted from HDCP: the rule is neither checked nor written.
    Ur13 = 13 "UR-13" Outputs None;
    /// A Widevine request says no level: it counts as 5.
    Ur14 = 14 "UR-14" Level LEVEL;
    /// The device's level is below the least (PRM, PlayReady, WisePlay): refused.
    Ur15 = 15 "UR-15" Level LEVEL;
    /// The device's level number is above the least (Widevine): refused.
    Ur16 = 16 "UR-16" Level LEVEL;
    /// The rules bar everyone.
    Ur17 = 17 "UR-17" Sentinel None;
    /// Analogue outputs have to be switched off and the device cannot: refused.
    Ur18 = 18 "UR-18" Outputs None;
    /// The device is revoked: refused, unless the rules let it pass and it is not revoked for good.
    Ur19 = 19 "UR-19" Platform None;
    /// The browser's platform is not verified: refused, unless the rules let it pass.
    Ur20 = 20 "UR-20" Platform None;
    /// The browser lacks secure storage verified by software: refused. Inferred.
    Ur21 = 21 "UR-21" Platform None;
    /// The device is too exposed to known weaknesses: refused. Inferred.
    Ur22 = 22 "UR-22" Platform None;
    /// The device has to declare that it enforces HDCP and does not: refused.
    Ur23 = 23 "UR-23" Outputs FAIRPLAY_HDCP;
    /// HDCP of a type without strict enforcement: the rules are refused. When is inferred: as soon
    /// as they are configured, and again before they are used.
    Ur24 = 24 "UR-24" Consistency None;
    /// The picture goes to AirPlay or an adapter and may not: refused. Inferred.
    Ur25 = 25 "UR-25" Outputs None;
    /// A HDCP type where uncompressed video does not ask for HDCP: it is not written.
    Ur26 = 26 "UR-26" Consistency None;
    /// The device's highest HDCP is below the least: refused. Inferred.
    Ur27 = 27 "UR-27" Outputs WIDEVINE_HDCP;
    /// The profile "Test" outside integration: refused. Recommended.
    Ur28 = 28 "UR-28" Profile None;
    /// The profile has no rules for the DRM: refused. Not specified; recommended.
    Ur29 = 29 "UR-29" Profile None;
}

impl fmt::Display for UsageRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A broken decision rule: which, about what, what it wants and what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule} {field}: wanted {wanted}, found {found}")]
pub struct Violation<'a> {
    /// The rule.
    pub rule: UsageRule,
    /// The field of the request, or the usage rule, that it is about.
    pub field: &'static str,
    /// What would have passed.
    pub wanted: Form<'a>,
    /// What did not.
    pub found: Form<'a>,
}

impl<'a> Violation<'a> {
    const fn new(rule: UsageRule, field: &'static str, wanted: Form<'a>, found: Form<'a>) -> Self {
        Self {
            rule,
            field,
            wanted,
            found,
        }
    }
}

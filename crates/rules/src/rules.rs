//! The rules of one DRM, whichever it is, and usage rules profiles.

use crate::family::fairplay::FairPlayRules;
use crate::family::generic::GenericRules;
use crate::family::playready::{CompressedAudio, PlayReadyRules};
use crate::family::prm::PrmRules;
use crate::family::tvkey::TvKeyRules;
use crate::family::widevine::WidevineRules;
use crate::family::wiseplay::WisePlayRules;
use crate::family::{Column, Drm};
use crate::form::{Form, RuleError};
use crate::policy::OutputPolicy;

/// How rules are read whose public sources contradict each other. The default is the strict reading
/// of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Readings {
    /// PlayReady's levels above 100 for compressed audio.
    pub compressed_audio: CompressedAudio,
}

/// Declares [`Rules`] and [`Profile`] over the seven families.
macro_rules! rules {
    ($($(#[$meta:meta])* $drm:ident $field:ident $family:ty;)+) => {
        /// The rules of one DRM.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rules {
            $($(#[$meta])* $drm($family),)+
        }

        impl Rules {
            /// A built-in column of a DRM's table.
            #[must_use]
            pub const fn column(drm: Drm, column: Column) -> Self {
                match drm {
                    $(Drm::$drm => Self::$drm(<$family>::column(column)),)+
                }
            }

            /// Whose rules they are.
            #[must_use]
            pub const fn drm(&self) -> Drm {
                match self {
                    $(Self::$drm(_) => Drm::$drm,)+
                }
            }

            /// The names of a DRM's rules, in the order of its table.
            #[must_use]
            pub const fn names(drm: Drm) -> &'static [&'static str] {
                match drm {
                    $(Drm::$drm => <$family>::RULES,)+
                }
            }

            /// The values that a rule takes, in words; one that may be unset also takes `-`.
            #[must_use]
            pub fn expected(drm: Drm, rule: &str) -> Option<&'static str> {
                match drm {
                    $(Drm::$drm => <$family>::expected(rule),)+
                }
            }

            /// The value of a rule by its name in the table.
            #[must_use]
            pub fn value(&self, rule: &str) -> Option<Form<'static>> {
                match self {
                    $(Self::$drm(rules) => rules.value(rule),)+
                }
            }

            /// Sets one rule.
            ///
            /// # Errors
            /// [`RuleError`]; nothing is changed then.
            pub fn amend(&mut self, rule: &str, value: Form<'_>) -> Result<(), RuleError> {
                match self {
                    $(Self::$drm(rules) => rules.amend(rule, value),)+
                }
            }
        }

        $(
            impl From<$family> for Rules {
                fn from(rules: $family) -> Self {
                    Self::$drm(rules)
                }
            }
        )+

        /// A usage rules profile: the rules of each DRM it has any for. Its name is the server's.
        ///
        /// A custom profile begins with the column "default" of each DRM it names and then has its
        /// own values set, so a rule that it leaves out is that column's; a DRM that it leaves out
        /// gets no licence. Both are recommended readings of something not specified (UR-29).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct Profile {
            $($(#[$meta])* pub $field: Option<$family>,)+
        }

        impl Profile {
            /// A built-in profile.
            #[must_use]
            pub const fn built_in(column: Column) -> Self {
                Self { $($field: Some(<$family>::column(column)),)+ }
            }

            /// The rules for a DRM, if the profile has any.
            #[must_use]
            pub fn rules(&self, drm: Drm) -> Option<Rules> {
                match drm {
                    $(Drm::$drm => self.$field.map(Rules::$drm),)+
                }
            }

            /// Takes rules in place of those it has for the same DRM.
            pub fn set(&mut self, rules: Rules) {
                match rules {
                    $(Rules::$drm(rules) => self.$field = Some(rules),)+
                }
            }
        }
    };
}

rules! {
    /// PRM and software PRM.
    Prm prm PrmRules;
    /// PlayReady.
    PlayReady playready PlayReadyRules;
    /// FairPlay.
    FairPlay fairplay FairPlayRules;
    /// Widevine.
    Widevine widevine WidevineRules;
    /// TVkey Cloud.
    TvKeyCloud tvkey TvKeyRules;
    /// WisePlay.
    WisePlay wiseplay WisePlayRules;
    /// The generic rules.
    Generic generic GenericRules;
}

impl Rules {
    /// What the rules demand of the device and its outputs.
    #[must_use]
    pub fn policy(&self, readings: &Readings) -> OutputPolicy {
        match self {
            Self::Prm(rules) => rules.policy(),
            Self::PlayReady(rules) => rules.policy(readings.compressed_audio),
            Self::FairPlay(rules) => rules.policy(),
            Self::Widevine(rules) => rules.policy(),
            Self::TvKeyCloud(rules) => rules.policy(),
            Self::WisePlay(rules) => rules.policy(),
            Self::Generic(rules) => rules.policy(),
        }
    }
}

//! The seven rule families: a type each, the five built-in columns, and what they have in common.
//!
//! The columns are data, one cell beside the other as in the tables, and are never derived from the
//! generic ones: the conversion does not reproduce all of them (`convert`).

pub mod fairplay;
pub mod generic;
pub mod playready;
pub mod prm;
pub mod tvkey;
pub mod widevine;
pub mod wiseplay;

use crate::form::words;

words! {
    /// A DRM, or the generic set that is converted to any of them.
    Drm, "PRM, PlayReady, FairPlay, Widevine, TVKeyCloud, WisePlay or Generic" {
        /// NAGRA PRM and software PRM, which share one table.
        Prm = "PRM",
        /// Microsoft PlayReady.
        PlayReady = "PlayReady",
        /// Apple FairPlay Streaming.
        FairPlay = "FairPlay",
        /// Google Widevine.
        Widevine = "Widevine",
        /// TVkey Cloud.
        TvKeyCloud = "TVKeyCloud",
        /// Huawei WisePlay.
        WisePlay = "WisePlay",
        /// The generic rules, deprecated and still accepted in tokens.
        Generic = "Generic",
    }
}

words! {
    /// A built-in usage rules profile: a column of every table.
    Column, "Test, SD, HD, UHD or default" {
        /// For integration only.
        Test = "Test",
        /// Standard definition.
        Sd = "SD",
        /// High definition.
        Hd = "HD",
        /// Ultra high definition.
        Uhd = "UHD",
        /// What holds where nobody names a profile. It is not "UHD": it equals UHD for FairPlay only.
        Default = "default",
    }
}

/// Defines a rule family: a struct with a field for each rule, its name in the tables and its five
/// cells.
macro_rules! family {
    (
        $(#[$meta:meta])*
        $family:ident {
            $(
                $(#[$field_meta:meta])*
                $field:ident: $ty:ty = $name:literal
                    [$test:expr, $sd:expr, $hd:expr, $uhd:expr, $default:expr];
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $family {
            $($(#[$field_meta])* pub $field: $ty,)+
        }

        impl $family {
            /// The names of the rules, in the order of the table.
            pub const RULES: &[&str] = &[$($name),+];

            /// The built-in column.
            #[must_use]
            pub const fn column(column: $crate::family::Column) -> Self {
                match column {
                    $crate::family::Column::Test => Self { $($field: $test,)+ },
                    $crate::family::Column::Sd => Self { $($field: $sd,)+ },
                    $crate::family::Column::Hd => Self { $($field: $hd,)+ },
                    $crate::family::Column::Uhd => Self { $($field: $uhd,)+ },
                    $crate::family::Column::Default => Self { $($field: $default,)+ },
                }
            }

            /// The value of a rule by its name in the table.
            #[must_use]
            pub fn value(&self, rule: &str) -> Option<$crate::form::Form<'static>> {
                match rule {
                    $($name => Some($crate::form::RuleValue::form(self.$field)),)+
                    _ => None,
                }
            }

            /// The values that a rule takes, in words; one that may be unset also takes `-`.
            #[must_use]
            pub fn expected(rule: &str) -> Option<&'static str> {
                match rule {
                    $($name => Some(<$ty as $crate::form::RuleValue>::EXPECTED),)+
                    _ => None,
                }
            }

            /// Sets one rule.
            ///
            /// # Errors
            /// [`RuleError`](crate::RuleError); nothing is changed then.
            pub fn amend(
                &mut self,
                rule: &str,
                value: $crate::form::Form<'_>,
            ) -> Result<(), $crate::form::RuleError> {
                match rule {
                    $($name => {
                        self.$field = $crate::form::RuleValue::read(value).ok_or(
                            $crate::form::RuleError::Value {
                                rule: $name,
                                expected: <$ty as $crate::form::RuleValue>::EXPECTED,
                            },
                        )?;
                        Ok(())
                    })+
                    _ => Err($crate::form::RuleError::UnknownRule),
                }
            }
        }
    };
}

pub(crate) use family;

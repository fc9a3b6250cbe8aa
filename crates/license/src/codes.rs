//! Closed sets of values with pinned numbers. A number is never reused, an unknown one refused.

/// Defines an enum whose numbers are written down once and pinned by a test.
macro_rules! codes {
    ($(
        $(#[$doc:meta])*
        $name:ident: $repr:ident { $($(#[$item_doc:meta])* $item:ident = $code:literal),+ $(,)? }
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name { $($(#[$item_doc])* $item = $code),+ }

        impl $name {
            /// Every value, by number.
            pub const ALL: &'static [Self] = &[$(Self::$item),+];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> $repr {
                match self { $(Self::$item => $code),+ }
            }

            /// The value of a number, if there is one.
            #[must_use]
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code { $($code => Some(Self::$item),)+ _ => None }
            }

            pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
                e.uint(u64::from(self.code()))
            }

            pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
                Self::from_code(d.$repr()?).ok_or(Cbor::Value)
            }
        }
    )+};
}

/// Defines a set of named bits; unknown bits are refused, never ignored.
macro_rules! bits {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$item_doc:meta])* $item:ident = $bit:literal),+ $(,)? }
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(u8);

        impl $name {
            /// The empty set.
            pub const NONE: Self = Self(0);
            /// Every member.
            pub const ALL: Self = Self($($bit)|+);
            $($(#[$item_doc])* pub const $item: Self = Self($bit);)+

            /// The bits on the wire.
            #[must_use]
            pub const fn bits(self) -> u8 {
                self.0
            }

            /// Whether every member of `other` is in this set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The members of either.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
                e.uint(u64::from(self.0))
            }

            pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
                match Self(d.u8()?) {
                    set if Self::ALL.contains(set) => Ok(set),
                    _ => Err(Cbor::Value),
                }
            }
        }
    )+};
}

pub(crate) mod content;
pub(crate) mod denial;
pub(crate) mod device;
pub(crate) mod roles;

pub use content::{Enforcement, IvKind, LicenseKind, Pattern, PolicyOrigin, Scheme, TrackType};
pub use denial::DenialReason;
pub use device::{
    AnalogOutput, AttestationFormat, ClientKind, Codec, CounterStrength, DebugStatus,
    HdcpCapability, Isolation, OutputKind, PlatformStatus, SecureStorage, Vulnerability,
};
pub use roles::{Issues, Roles};

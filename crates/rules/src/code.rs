//! Enumerations with a number on the wire and a name for people.

/// Defines an enumeration whose variants have a code on the wire and a canonical name.
///
/// The derived order is that of the definition: from lax to strict.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        $enum:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $code:literal $name:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $enum {
            /// Every value, from lax to strict.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The number on the wire. Never changed, only retired.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// The value with this number on the wire.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The canonical name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Writes the number.
            ///
            /// # Errors
            /// What the encoder reports.
            pub fn encode(
                &self,
                encoder: &mut keybearer_cbor::Encoder,
            ) -> Result<(), keybearer_cbor::Error> {
                encoder.uint(self.code().into())
            }

            /// Reads the number.
            ///
            /// # Errors
            /// [`Value`](keybearer_cbor::Error::Value) for one that means nothing here, and what
            /// the decoder reports.
            pub fn decode(
                decoder: &mut keybearer_cbor::Decoder<'_>,
            ) -> Result<Self, keybearer_cbor::Error> {
                Self::from_code(decoder.u8()?).ok_or(keybearer_cbor::Error::Value)
            }
        }

        impl core::fmt::Display for $enum {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use codes;

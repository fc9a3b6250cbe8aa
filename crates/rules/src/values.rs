//! The plain fields of a policy.

use core::fmt;
use core::num::NonZeroU32;

use keybearer_cbor::{Decoder, Encoder, Error, Kind};

use crate::code::codes;

codes! {
    /// Compressed video on a digital output.
    CompressedVideo {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// On any output.
        AllowAny = 1 "allow_any",
        /// Only under HDCP.
        HdcpRequired = 2 "hdcp_required",
        /// On none.
        Block = 3 "block",
    }
}

codes! {
    /// Audio on a digital output.
    DigitalAudio {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// On any output.
        AllowAny = 1 "allow_any",
        /// Under HDCP or with the serial copy management bits set.
        HdcpOrScms = 2 "hdcp_or_scms",
        /// Only under HDCP.
        HdcpRequired = 3 "hdcp_required",
        /// On none.
        Block = 4 "block",
    }
}

codes! {
    /// Whether a way out of the device may be taken.
    Permission {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// It may.
        Allow = 1 "allow",
        /// It may not.
        Block = 2 "block",
    }
}

impl Permission {
    /// [`Allow`](Self::Allow) or [`Block`](Self::Block).
    #[must_use]
    pub const fn allow_if(allowed: bool) -> Self {
        match allowed {
            true => Self::Allow,
            false => Self::Block,
        }
    }
}

codes! {
    /// Recording of the content.
    Recording {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// Without restriction.
        Unrestricted = 1 "unrestricted",
        /// Restricted.
        Restricted = 2 "restricted",
    }
}

codes! {
    /// Marks in the picture. The rules permit them at most; nothing obliges.
    Watermark {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// A licence may ask for one.
        Permitted = 1 "permitted",
        /// None may be embedded.
        Forbidden = 2 "forbidden",
    }
}

codes! {
    /// Whether a licence may be stored.
    Persistence {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// It may.
        Allowed = 1 "allowed",
        /// It may not.
        Forbidden = 2 "forbidden",
    }
}

codes! {
    /// A path for decrypted content that the operating system cannot read.
    SecureMediaPath {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// It need not be there.
        Optional = 1 "optional",
        /// It has to be there.
        Required = 2 "required",
    }
}

codes! {
    /// Whether only a trusted monitor's word about the outputs counts.
    ///
    /// No rule family has this field; it is the server's, and so it is never unspecified. Code 0 stays
    /// free, because it means unspecified in all other fields.
    TrustedOutputs {
        /// The host's report counts where the level allows that.
        Optional = 1 "optional",
        /// Only the platform's trusted monitor counts.
        Required = 2 "required",
    }
}

/// The largest picture that may leave on one kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureLimit {
    /// The rules say nothing.
    Unspecified,
    /// Any size.
    Unlimited,
    /// At most so many pixels, width times height.
    Pixels(NonZeroU32),
}

impl PictureLimit {
    /// At most [`CONSTRAINED_PIXELS`](crate::CONSTRAINED_PIXELS).
    pub const CONSTRAINED: Self = match NonZeroU32::new(crate::CONSTRAINED_PIXELS) {
        Some(pixels) => Self::Pixels(pixels),
        // It is not zero; no limit at all would be the lax way out.
        None => Self::Pixels(NonZeroU32::MIN),
    };

    /// The stricter of both: the smaller number, any number before none, and whatever the rules say
    /// before nothing.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Pixels(one), Self::Pixels(other)) => Self::Pixels(one.min(other)),
            (Self::Pixels(pixels), _) | (_, Self::Pixels(pixels)) => Self::Pixels(pixels),
            (Self::Unlimited, _) | (_, Self::Unlimited) => Self::Unlimited,
            (Self::Unspecified, Self::Unspecified) => Self::Unspecified,
        }
    }

    pub(crate) const fn is_pixels(self) -> bool {
        matches!(self, Self::Pixels(_))
    }

    /// 0 for unspecified, null for unlimited, else the pixels.
    pub(crate) fn encode(self, encoder: &mut Encoder) -> Result<(), Error> {
        match self {
            Self::Unspecified => encoder.uint(0),
            Self::Unlimited => encoder.null(),
            Self::Pixels(pixels) => encoder.uint(pixels.get().into()),
        }
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        if decoder.kind()? == Kind::Null {
            return decoder.null().map(|()| Self::Unlimited);
        }
        Ok(NonZeroU32::new(decoder.u32()?).map_or(Self::Unspecified, Self::Pixels))
    }
}

impl fmt::Display for PictureLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unspecified => f.write_str("unspecified"),
            Self::Unlimited => f.write_str("none"),
            Self::Pixels(pixels) => pixels.fmt(f),
        }
    }
}

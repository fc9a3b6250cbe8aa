//! Video on digital and analogue outputs.
//!
//! Each is one field here and several in the tables and on the wire: what kind of protection, and
//! which. A version of HDCP without a demand for HDCP means nothing and has no value here, nor has a
//! stream type that the version cannot carry.

use keybearer_cbor::Error;

use crate::code::codes;

codes! {
    /// The least version of HDCP, over the whole topology behind an output.
    HdcpVersion {
        /// Any version, 1.0 to 1.4 included.
        V1 = 1 "1.x",
        /// 2.0.
        V2_0 = 2 "2.0",
        /// 2.1.
        V2_1 = 3 "2.1",
        /// 2.2.
        V2_2 = 4 "2.2",
        /// 2.3.
        V2_3 = 5 "2.3",
    }
}

/// The least version of HDCP where the stream is of type 1, which came with version 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type1Version {
    /// 2.2.
    V2_2,
    /// 2.3.
    V2_3,
}

/// What HDCP has to reach: version and stream type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hdcp {
    /// Content stream type 0: may be passed on to any version.
    Type0(HdcpVersion),
    /// Content stream type 1: may not be passed on to versions before 2.2.
    Type1(Type1Version),
}

impl Hdcp {
    /// The least version.
    #[must_use]
    pub const fn version(self) -> HdcpVersion {
        match self {
            Self::Type0(version) => version,
            Self::Type1(Type1Version::V2_2) => HdcpVersion::V2_2,
            Self::Type1(Type1Version::V2_3) => HdcpVersion::V2_3,
        }
    }

    /// The content stream type, 0 or 1.
    #[must_use]
    pub const fn stream_type(self) -> u8 {
        match self {
            Self::Type0(_) => 0,
            Self::Type1(_) => 1,
        }
    }

    /// A version with a content stream type; `None` for a type that the version cannot carry or that
    /// does not exist.
    #[must_use]
    pub const fn from_parts(version: HdcpVersion, stream_type: u8) -> Option<Self> {
        match (stream_type, version) {
            (0, version) => Some(Self::Type0(version)),
            (1, HdcpVersion::V2_2) => Some(Self::Type1(Type1Version::V2_2)),
            (1, HdcpVersion::V2_3) => Some(Self::Type1(Type1Version::V2_3)),
            _ => None,
        }
    }
}

codes! {
    /// The table field `digital_video`, without its HDCP.
    DigitalVideoKind {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// On any output.
        AllowAny = 1 "allow_any",
        /// HDCP if the output has it.
        HdcpBestEffort = 2 "hdcp_best_effort",
        /// HDCP or a small picture.
        HdcpOrConstrain = 3 "hdcp_or_constrain",
        /// HDCP or nothing.
        HdcpRequired = 4 "hdcp_required",
        /// On none.
        Block = 5 "block",
    }
}

/// Uncompressed video on a digital output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigitalVideo {
    /// The rules say nothing.
    Unspecified,
    /// On any output.
    AllowAny,
    /// Under HDCP where the output has it, else without.
    HdcpBestEffort(Hdcp),
    /// Under HDCP, else at most [`CONSTRAINED_PIXELS`](crate::CONSTRAINED_PIXELS).
    HdcpOrConstrain(Hdcp),
    /// Only under HDCP.
    HdcpRequired(Hdcp),
    /// On none.
    Block,
}

impl DigitalVideo {
    /// The HDCP that is asked for, if any.
    #[must_use]
    pub const fn hdcp(self) -> Option<Hdcp> {
        match self {
            Self::HdcpBestEffort(hdcp) | Self::HdcpOrConstrain(hdcp) | Self::HdcpRequired(hdcp) => {
                Some(hdcp)
            }
            Self::Unspecified | Self::AllowAny | Self::Block => None,
        }
    }

    /// The table field without what it asks for.
    #[must_use]
    pub const fn kind(self) -> DigitalVideoKind {
        match self {
            Self::Unspecified => DigitalVideoKind::Unspecified,
            Self::AllowAny => DigitalVideoKind::AllowAny,
            Self::HdcpBestEffort(_) => DigitalVideoKind::HdcpBestEffort,
            Self::HdcpOrConstrain(_) => DigitalVideoKind::HdcpOrConstrain,
            Self::HdcpRequired(_) => DigitalVideoKind::HdcpRequired,
            Self::Block => DigitalVideoKind::Block,
        }
    }

    /// Puts the three fields of the wire together, if they fit together.
    pub(crate) fn from_parts(
        kind: DigitalVideoKind,
        version: Option<HdcpVersion>,
        stream_type: Option<u8>,
    ) -> Result<Self, Error> {
        let hdcp = match (version, stream_type) {
            (None, None) => None,
            (Some(version), Some(stream_type)) => {
                Some(Hdcp::from_parts(version, stream_type).ok_or(Error::Value)?)
            }
            _ => return Err(Error::Value),
        };
        match (kind, hdcp) {
            (DigitalVideoKind::Unspecified, None) => Ok(Self::Unspecified),
            (DigitalVideoKind::AllowAny, None) => Ok(Self::AllowAny),
            (DigitalVideoKind::HdcpBestEffort, Some(hdcp)) => Ok(Self::HdcpBestEffort(hdcp)),
            (DigitalVideoKind::HdcpOrConstrain, Some(hdcp)) => Ok(Self::HdcpOrConstrain(hdcp)),
            (DigitalVideoKind::HdcpRequired, Some(hdcp)) => Ok(Self::HdcpRequired(hdcp)),
            (DigitalVideoKind::Block, None) => Ok(Self::Block),
            _ => Err(Error::Value),
        }
    }
}

codes! {
    /// The copy control that CGMS-A carries (CEA-608, IEC 61880).
    CgmsA {
        /// Copying is not restricted.
        CopyFree = 1 "copy_free",
        /// One generation of copies.
        CopyOnce = 2 "copy_once",
        /// No copies.
        CopyNever = 3 "copy_never",
    }
}

codes! {
    /// The table field `analog_video`, without its CGMS-A.
    AnalogVideoKind {
        /// The rules say nothing.
        Unspecified = 0 "unspecified",
        /// On any output.
        AllowAny = 1 "allow_any",
        /// CGMS-A if the output has it.
        CgmsBestEffort = 2 "cgms_best_effort",
        /// CGMS-A or nothing.
        CgmsRequired = 3 "cgms_required",
        /// On none.
        Block = 4 "block",
    }
}

/// Video on an analogue output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnalogVideo {
    /// The rules say nothing.
    Unspecified,
    /// On any output.
    AllowAny,
    /// With CGMS-A where the output has it, else without.
    CgmsBestEffort(CgmsA),
    /// Only with CGMS-A.
    CgmsRequired(CgmsA),
    /// On none.
    Block,
}

impl AnalogVideo {
    /// The copy control that is asked for, if any.
    #[must_use]
    pub const fn cgms_a(self) -> Option<CgmsA> {
        match self {
            Self::CgmsBestEffort(cgms_a) | Self::CgmsRequired(cgms_a) => Some(cgms_a),
            Self::Unspecified | Self::AllowAny | Self::Block => None,
        }
    }

    /// The table field without what it asks for.
    #[must_use]
    pub const fn kind(self) -> AnalogVideoKind {
        match self {
            Self::Unspecified => AnalogVideoKind::Unspecified,
            Self::AllowAny => AnalogVideoKind::AllowAny,
            Self::CgmsBestEffort(_) => AnalogVideoKind::CgmsBestEffort,
            Self::CgmsRequired(_) => AnalogVideoKind::CgmsRequired,
            Self::Block => AnalogVideoKind::Block,
        }
    }

    /// Puts the two fields of the wire together, if they fit together.
    pub(crate) const fn from_parts(
        kind: AnalogVideoKind,
        cgms_a: Option<CgmsA>,
    ) -> Result<Self, Error> {
        match (kind, cgms_a) {
            (AnalogVideoKind::Unspecified, None) => Ok(Self::Unspecified),
            (AnalogVideoKind::AllowAny, None) => Ok(Self::AllowAny),
            (AnalogVideoKind::CgmsBestEffort, Some(cgms_a)) => Ok(Self::CgmsBestEffort(cgms_a)),
            (AnalogVideoKind::CgmsRequired, Some(cgms_a)) => Ok(Self::CgmsRequired(cgms_a)),
            (AnalogVideoKind::Block, None) => Ok(Self::Block),
            _ => Err(Error::Value),
        }
    }
}

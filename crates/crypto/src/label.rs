//! Domain separation: every derived key belongs to exactly one purpose.

/// What a derived key is for. An ephemeral key never serves two labels (protocol, Foundations).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Label {
    /// Device to service: provision, licence and time requests.
    Request,
    /// Service to device: provision answers, licences and denials.
    Answer,
    /// In-band leaf keys under a root.
    Leaf,
    /// The trusted side's own sealed records.
    Vault,
    /// A device's identifier under one trust anchor.
    Ueid,
    /// A device's boot identity under one trust anchor.
    Boot,
    /// A service's challenge MAC.
    Challenge,
    /// The nonce that a platform's attestation in a request is over.
    Attestation,
}

impl Label {
    /// The label's bytes as they enter a key derivation. Never changed, only retired.
    #[must_use]
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Request => b"keybearer v1 request",
            Self::Answer => b"keybearer v1 answer",
            Self::Leaf => b"keybearer v1 leaf",
            Self::Vault => b"keybearer v1 vault",
            Self::Ueid => b"keybearer v1 ueid",
            Self::Boot => b"keybearer v1 boot",
            Self::Challenge => b"keybearer v1 challenge",
            Self::Attestation => b"keybearer v1 attestation",
        }
    }
}

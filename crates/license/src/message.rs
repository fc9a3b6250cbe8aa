//! What a signed message says it is.

/// The type of a signed object, in its protected header (`typ`, RFC 9596).
///
/// The signature covers it, so one message can never be taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// What a service says about itself.
    ServiceInfo = 1,
    /// A device asks for its certificate.
    ProvisionRequest = 2,
    /// A device's certificate.
    ProvisionAnswer = 3,
    /// A device asks for a licence, its renewal or its release.
    LicenseRequest = 4,
    /// A licence.
    License = 5,
    /// A refusal.
    Denial = 6,
    /// A device asks the time.
    TimeRequest = 7,
    /// The time.
    TimeAnswer = 8,
    /// Revoked serials.
    RevocationList = 9,
    /// A release accepted.
    Released = 10,
    /// Certificate of a service.
    ServiceCertificate = 11,
    /// Certificate of an issuer.
    IssuerCertificate = 12,
    /// Certificate of a device.
    DeviceCertificate = 13,
}

impl MessageType {
    /// Every type.
    pub const ALL: &'static [Self] = &[
        Self::ServiceInfo,
        Self::ProvisionRequest,
        Self::ProvisionAnswer,
        Self::LicenseRequest,
        Self::License,
        Self::Denial,
        Self::TimeRequest,
        Self::TimeAnswer,
        Self::RevocationList,
        Self::Released,
        Self::ServiceCertificate,
        Self::IssuerCertificate,
        Self::DeviceCertificate,
    ];

    /// The media type on the wire.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::ServiceInfo => "application/vnd.keybearer.service-info",
            Self::ProvisionRequest => "application/vnd.keybearer.provision-request",
            Self::ProvisionAnswer => "application/vnd.keybearer.provision-answer",
            Self::LicenseRequest => "application/vnd.keybearer.license-request",
            Self::License => "application/vnd.keybearer.license",
            Self::Denial => "application/vnd.keybearer.denial",
            Self::TimeRequest => "application/vnd.keybearer.time-request",
            Self::TimeAnswer => "application/vnd.keybearer.time-answer",
            Self::RevocationList => "application/vnd.keybearer.revocation-list",
            Self::Released => "application/vnd.keybearer.released",
            Self::ServiceCertificate => "application/vnd.keybearer.service-certificate",
            Self::IssuerCertificate => "application/vnd.keybearer.issuer-certificate",
            Self::DeviceCertificate => "application/vnd.keybearer.device-certificate",
        }
    }

    /// The type of a media type, if there is one.
    #[must_use]
    pub fn from_media_type(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.media_type() == text)
    }
}

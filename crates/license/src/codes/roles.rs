//! What a certificate allows.

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};

bits! {
    /// What a service may sign, and what an issuer may let it sign.
    Roles {
        /// Licences, denials of licence requests, release answers.
        LICENSE = 1,
        /// Time answers; and licences and denials count as time answers.
        TIME = 2,
        /// Revocation lists.
        REVOCATION = 4,
        /// Provision answers.
        PROVISIONING = 8,
    }

    /// What an issuer may issue.
    Issues {
        /// Service certificates.
        SERVICES = 1,
        /// Device certificates.
        DEVICES = 2,
    }
}

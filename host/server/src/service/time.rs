//! Time requests.

use keybearer_license::{
    Denial, DenialReason, RevokedSerials, open_time_request, seal_time_answer,
};

use super::{Asked, Fault, Service};
impl Service {
    /// Answers a time request.
    pub(crate) fn time(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let now = self.now();
        let certificate = self.keys.service();
        let crypto = self.keys.crypto();
        let revoked = RevokedSerials::none();
        let opened = open_time_request(
            crypto,
            &self.keys.service_keys(&certificate),
            &self.trust(now, &revoked),
            message,
        )?;
        let device = &opened.device.claims;
        let asked = Asked {
            exchange: &opened.exchange,
            challenge: &opened.request.challenge,
            ueid: &device.ueid,
            device: Some(device.serial.to_string()),
        };
        self.answer(
            &certificate,
            now,
            &asked,
            |view| Self::barred(view, device),
            |change| {
                if Self::is_revoked(change, device)? {
                    return Ok(Err(Denial::new(DenialReason::DeviceRevoked)));
                }
                Ok(Ok(((), None)))
            },
            |(), identity, head| {
                seal_time_answer(crypto, &mut crypto.rng(), identity, &opened.exchange, head)
            },
        )
    }
}

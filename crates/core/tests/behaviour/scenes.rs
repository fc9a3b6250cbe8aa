//! Scenes that many tests begin with, and shorthands they share.

use keybearer_license::{DenialReason, Renewal, Roles, Timing};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, ReasonField};

use crate::support::{Device, Loaded, Service, cenc_use, key, license, samples};

/// A provisioned device with an open session.
pub(crate) fn ready(seed: u64) -> (Device, Service, u64) {
    let (mut device, mut service) = (Device::new(seed), Service::new(seed));
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    (device, service, session)
}

/// Loads and reports what came of it. The denial that the core makes itself of a licence for a higher
/// level counts as a refusal with that status.
pub(crate) fn outcome(
    device: &mut Device,
    service: &mut Service,
    made: keybearer_license::License,
) -> Result<Vec<KeyStatus>, Status> {
    let session = device.open(service).unwrap();
    let loaded = device.acquire(session, service, made);
    device.close(session).unwrap();
    match loaded? {
        Loaded::License(license) => Ok(license.keys.iter().map(|key| key.status).collect()),
        Loaded::Denied { reason, .. } => {
            assert_eq!(reason, DenialReason::LevelTooLow.code());
            Err(Status::LevelTooLow)
        }
    }
}

pub(crate) fn renewal() -> Renewal {
    Renewal {
        url: Some("https://license.example/renew".into()),
        delay_seconds: 60,
        retry_seconds: 10,
        recovery_seconds: None,
        on_first_use: false,
        with_usage: true,
    }
}

/// A service without the time role beside one that has it, and a device that knows no time.
pub(crate) fn timeless() -> (Device, Service, Service) {
    let mut device = Device::new(1);
    let mut service = Service::with(
        1,
        "service.example",
        Roles::LICENSE
            .union(Roles::PROVISIONING)
            .union(Roles::REVOCATION),
    );
    let clock = service.sibling(2, "time.example", Roles::LICENSE.union(Roles::TIME));
    device.provision(&mut service);
    (device, service, clock)
}

pub(crate) fn limited(id: u8, timing: impl FnOnce(&mut Timing)) -> keybearer_license::License {
    let mut made = license(id, vec![key(7, cenc_use())]);
    timing(&mut made.timing);
    made
}

pub(crate) fn status(device: &mut Device, session: u64) -> (KeyStatus, Option<ReasonField>) {
    let report = device.statuses(session).unwrap();
    let key = &report.licenses[0].keys[0];
    (key.status, key.reasons.0.first().map(|reason| reason.field))
}

pub(crate) fn use_key(device: &mut Device, session: u64) -> Result<u64, Status> {
    device.decrypt(session, [7; 16], &samples(&[16]), &mut [0; 16])
}

/// Flips the last bit of a sealed message's middle, which is ciphertext.
pub(crate) fn unsealed(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    let middle = message.len() / 2;
    message[middle] ^= 1;
    message
}

/// Flips the last bit of a signed message, which is of its signature.
pub(crate) fn spoiled(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    *message.last_mut().unwrap() ^= 1;
    message
}

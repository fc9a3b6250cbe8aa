//! What the platform says of the code goes out with each request, over that request's own nonce.

use keybearer_license::{Attested, Digest};
use keybearer_wire::Status;

use super::scenes::ready;
use crate::support::{Device, FakeAttester, Service};

/// A device whose platform attests.
fn attesting() -> Device {
    Device::with(1, |_, parts| {
        parts.attester = Some(FakeAttester(parts.outputs.0.clone()));
    })
}

/// The nonce that the attestation in a request is over, which is the one that the request has.
fn nonce(attested: Option<Attested>) -> Digest {
    let attested = attested.unwrap();
    assert_eq!(attested.attestation.proof, attested.nonce.0);
    assert_eq!(attested.attestation.measurement, Digest([0x3e; 32]));
    assert_eq!(attested.attestation.key, Digest([0x4e; 32]));
    attested.nonce
}

#[test]
fn each_request_has_its_own_attestation() {
    let (mut device, mut service) = (attesting(), Service::new(1));
    let request = device.begin(service.anchor(), &service.info()).unwrap();
    let provision = nonce(service.read_provision(&request).attested);
    let again = device.begin(service.anchor(), &service.info()).unwrap();
    let again = nonce(service.read_provision(&again).attested);
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    let first = device.request(session, &[[7; 16]]).unwrap();
    let info = service.info();
    let second = device.request_fresh(session, &[[7; 16]], &info).unwrap();
    let [first, second] = [first, second].map(|request| nonce(service.read(&request).attested));
    let all = [provision, again, first, second];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "{at}");
    }
}

#[test]
fn a_platform_without_one_says_nothing() {
    let (mut device, service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    assert_eq!(service.read(&request).attested, None);
}

/// Left out, it would look like a platform that has none.
#[test]
fn no_request_goes_out_when_the_attestation_fails() {
    let (mut device, mut service) = (attesting(), Service::new(1));
    device.world.get().attestation_fails = true;
    let refused = device.begin(service.anchor(), &service.info());
    assert_eq!(refused, Err(Status::Platform));
    device.world.get().attestation_fails = false;
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    device.world.get().attestation_fails = true;
    let refused = device.request(session, &[[7; 16]]);
    assert_eq!(refused, Err(Status::Platform));
    // The challenge was not used up.
    device.world.get().attestation_fails = false;
    assert!(device.request(session, &[[7; 16]]).is_ok());
}

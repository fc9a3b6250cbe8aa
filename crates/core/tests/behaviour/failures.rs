//! Platforms that fail: at every write, at every read, at every draw of random bytes.

use keybearer_core::{Core, PlatformError};
use keybearer_wire::Status;

use super::scenes::ready;
use crate::support::{
    Device, FakePlatform, Service, Shared, cenc_use, key, license, parts, samples,
};

/// Storage that fails at the n-th write, for every n that provisioning needs: afterwards the device
/// is as it was or as it should be, and provisioning again mends it.
#[test]
fn storage_failing_at_any_write_leaves_the_old_state_or_the_new_one() {
    let mut needed = 0;
    for left in 0..14 {
        let (mut device, mut service) = (Device::new(1), Service::new(1));
        let anchor = service.anchor();
        device.world.get().writes_left = Some(left);
        let info = service.info();
        let outcome = device.begin(anchor, &info).and_then(|request| {
            let answer = service.certify(&request);
            device.finish(anchor, &answer)
        });
        device.world.get().writes_left = None;
        device.restart();
        match outcome {
            Ok(_) => assert!(device.open(&mut service).is_ok()),
            Err(status) => {
                assert_eq!(status, Status::Platform);
                assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
                device.provision(&mut service);
                assert!(device.open(&mut service).is_ok());
                needed = left + 1;
            }
        }
    }
    // Four slots cleared, anchor list, identity, version floor, time, certificate.
    assert_eq!(needed, 9);
}

#[test]
fn failing_reads_and_random_sources_are_the_platforms_fault() {
    let (mut device, mut service, session) = ready(1);
    let info = service.info();
    let anchor = service.anchor();
    device.world.get().rng_fails = true;
    assert_eq!(device.request(session, &[[7; 16]]), Err(Status::Platform));
    assert_eq!(device.time_request(session), Err(Status::Platform));
    assert_eq!(device.begin(anchor, &info), Err(Status::Platform));
    let list = service.revocation_list(1, &[]);
    assert_eq!(device.load_list(anchor, &list), Err(Status::Platform));
    device.world.get().rng_fails = false;
    device.world.get().reads_fail = true;
    assert_eq!(device.request(session, &[[7; 16]]), Err(Status::Platform));
    assert_eq!(device.device_key(anchor), Err(Status::Platform));
    assert_eq!(device.begin(anchor, &info), Err(Status::Platform));
    assert_eq!(device.load_list(anchor, &list), Err(Status::Platform));
    device.restart();
    assert_eq!(device.open_with(anchor, &info), Err(Status::Platform));
    device.world.get().reads_fail = false;
    // Nothing stuck.
    assert!(device.open_with(anchor, &info).is_ok());
}

#[test]
fn a_request_that_could_not_be_built_does_not_use_the_challenge_up() {
    let (mut device, _, session) = ready(1);
    device.world.get().rng_fails = true;
    assert_eq!(device.request(session, &[[7; 16]]), Err(Status::Platform));
    device.world.get().rng_fails = false;
    assert!(device.request(session, &[[7; 16]]).is_ok());
}

#[test]
fn a_core_without_random_bytes_is_none() {
    let world = Shared::new(1);
    world.get().rng_fails = true;
    let config = Device::new(1).config;
    let core = Core::<FakePlatform>::new(parts(&world), config);
    assert_eq!(core.err(), Some(PlatformError::Random));
}

/// When the time cannot be sealed, the licence is not loaded, and the request waits on.
#[test]
fn a_licence_is_not_loaded_when_its_time_cannot_be_kept() {
    let (mut device, mut service, session) = ready(1);
    device.advance(200_000);
    service.now += 200;
    let request = device.request(session, &[[7; 16]]).unwrap();
    let answer = service.license(&request, license(1, vec![key(7, cenc_use())]));
    device.world.get().writes_left = Some(0);
    assert_eq!(device.load(session, &answer), Err(Status::Platform));
    device.world.get().writes_left = None;
    assert_eq!(device.statuses(session).unwrap().licenses, []);
    assert!(device.load(session, &answer).is_ok());
    assert_eq!(
        device.decrypt(session, [7; 16], &samples(&[16]), &mut [0; 16]),
        Ok(16)
    );
}

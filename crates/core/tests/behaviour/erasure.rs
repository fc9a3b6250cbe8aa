//! The end of an identity: whole, or not at all, whatever the storage does meanwhile.

use keybearer_core::{Slot, SlotKind};
use keybearer_license::Serial;
use keybearer_wire::Status;

use super::scenes::{ready, use_key};
use crate::support::{cenc_use, key, license};

/// Writes that an erasure takes: identity, list of anchors, and four sealed records.
const WRITES: usize = 6;

/// Storage fails at the n-th write of an erasure, for every n: either the key is another one
/// afterwards or the floors that were sealed under it stand.
#[test]
fn an_erasure_cut_anywhere_makes_another_device_or_keeps_the_floors() {
    for left in 0..WRITES {
        let (mut device, mut service, _) = ready(1);
        let anchor = service.anchor();
        let (before, _) = device.device_key(anchor).unwrap();
        let nine = service.revocation_list(9, &[Serial([9; 16])]);
        let three = service.revocation_list(3, &[]);
        device.load_list(anchor, &nine).unwrap();
        device.world.get().writes_left = Some(left);
        assert_eq!(device.erase(anchor), Err(Status::Platform), "{left}");
        device.world.get().writes_left = None;
        for restart in [false, true] {
            if restart {
                device.restart();
            }
            // Again, as the host would: with the same answer if the key is the same.
            device.provision(&mut service);
            let (after, provisioned) = device.device_key(anchor).unwrap();
            assert!(provisioned);
            assert_eq!(after == before, left == 0, "{left}");
            let older = device.load_list(anchor, &three);
            if after == before {
                assert_eq!(older, Err(Status::StaleRevocationList), "{left}");
            } else {
                assert_eq!(older, Ok(()), "{left}");
            }
            assert!(device.open(&mut service).is_ok(), "{left}");
        }
    }
}

/// What an erasure that failed left behind is cleared before a new key is made, also when that
/// fails at first.
#[test]
fn what_an_erasure_left_behind_never_meets_a_new_key() {
    for left in 0..6 {
        let (mut device, mut service, _) = ready(1);
        let anchor = service.anchor();
        let list = service.revocation_list(9, &[]);
        device.load_list(anchor, &list).unwrap();
        // Only the identity goes; everything sealed stays.
        device.world.get().writes_left = Some(1);
        assert_eq!(device.erase(anchor), Err(Status::Platform));
        let stale = Slot::under(SlotKind::Revocation, &anchor);
        assert!(device.world.get().slots.contains_key(&stale));
        let info = service.info();
        device.world.get().writes_left = Some(left);
        assert_eq!(device.begin(anchor, &info), Err(Status::Platform), "{left}");
        device.world.get().writes_left = None;
        device.restart();
        device.provision(&mut service);
        assert!(device.open(&mut service).is_ok(), "{left}");
        assert!(!device.world.get().slots.contains_key(&stale));
    }
}

/// A refusal changes nothing: as long as the identity stands, so does what belongs to it.
#[test]
fn an_erasure_that_erased_nothing_closes_no_session() {
    let (mut device, mut service, session) = ready(1);
    let made = license(1, vec![key(7, cenc_use())]);
    device.acquire(session, &mut service, made).unwrap();
    device.world.get().writes_left = Some(0);
    assert_eq!(device.erase(service.anchor()), Err(Status::Platform));
    device.world.get().writes_left = None;
    assert_eq!(use_key(&mut device, session), Ok(16));
    // With the key gone, nothing of it goes on.
    device.world.get().writes_left = Some(1);
    assert_eq!(device.erase(service.anchor()), Err(Status::Platform));
    device.world.get().writes_left = None;
    assert_eq!(use_key(&mut device, session), Err(Status::UnknownSession));
    assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
}

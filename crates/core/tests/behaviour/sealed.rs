//! What lies in storage, and what happens when somebody changes it.

use keybearer_core::{Slot, SlotKind};
use keybearer_crypto::Digest;
use keybearer_license::Serial;
use keybearer_wire::Status;

use crate::support::{Device, Service};

/// A sealed record from another slot, another device or another time of writing its bytes.
#[test]
fn sealed_records_open_only_where_they_were_sealed() {
    let (mut one, mut two) = (Device::new(1), Device::new(2));
    let (mut service, mut other) = (Service::new(1), Service::new(2));
    for device in [&mut one, &mut two] {
        device.provision(&mut service);
        device.provision(&mut other);
    }
    let list = service.revocation_list(1, &[Serial([1; 16])]);
    one.load_list(service.anchor(), &list).unwrap();
    let honest = one.world.get().slots.clone();
    let anchor = service.anchor();
    let slot = |kind| Slot::under(kind, &anchor);
    for kind in [SlotKind::Certificate, SlotKind::Time, SlotKind::Revocation] {
        let other_device = two.world.get().slots.get(&slot(kind)).cloned();
        let other_anchor = honest.get(&Slot::under(kind, &other.anchor())).cloned();
        let other_slot = honest[&slot(match kind {
            SlotKind::Time => SlotKind::Certificate,
            _ => SlotKind::Time,
        })]
            .clone();
        let mut damaged = vec![Vec::new(), vec![1; 12]];
        let record = honest[&slot(kind)].clone();
        for at in 0..record.len() {
            let mut flipped = record.clone();
            flipped[at] ^= 0x10;
            damaged.push(flipped);
        }
        damaged.push(record[..record.len() - 1].to_vec());
        damaged.push([&record[..], &[0]].concat());
        let foreign = [other_device, other_anchor, Some(other_slot)]
            .into_iter()
            .flatten();
        for record in foreign.chain(damaged) {
            one.world.get().slots = honest.clone();
            one.world.get().slots.insert(slot(kind), record);
            one.restart();
            assert_eq!(one.open(&mut service), Err(Status::Platform), "{kind:?}");
        }
    }
    one.world.get().slots = honest;
    one.restart();
    assert!(one.open(&mut service).is_ok());
}

#[test]
fn identity_records_of_another_format_are_refused() {
    let mut service = Service::new(1);
    for kind in [SlotKind::Identity, SlotKind::Anchors] {
        let mut device = Device::new(1);
        device.provision(&mut service);
        let slot = match kind {
            SlotKind::Anchors => Slot { kind, id: [0; 32] },
            _ => Slot::under(kind, &service.anchor()),
        };
        let record = device.world.get().slots[&slot].clone();
        let mut other_version = record.clone();
        other_version[0] = 2;
        for bad in [
            Vec::new(),
            other_version,
            record[..record.len() - 1].to_vec(),
        ] {
            device.world.get().slots.insert(slot, bad);
            device.restart();
            // The list is only read when an identity is made.
            let outcome = match kind {
                SlotKind::Anchors => device.device_key(Digest([5; 32])).map(|_| ()),
                _ => device.open(&mut service).map(|_| ()),
            };
            assert_eq!(outcome, Err(Status::Platform));
        }
    }
}

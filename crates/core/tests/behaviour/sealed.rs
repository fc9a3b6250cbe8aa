//! What lies in storage, and what happens when somebody changes it.

use keybearer_core::{Slot, SlotKind};
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
    for kind in [
        SlotKind::Certificate,
        SlotKind::Time,
        SlotKind::Revocation,
        SlotKind::Floor,
    ] {
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
            let refused = one.open(&mut service);
            let newer = one.world.get().slots[&slot(kind)].first() > Some(&1);
            let status = match newer {
                true => Status::UnsupportedVersion,
                false => Status::DamagedRecord,
            };
            assert_eq!(refused, Err(status), "{kind:?}");
            assert_eq!(one.device_key(anchor), Err(status), "{kind:?}");
        }
    }
    one.world.get().slots = honest;
    one.restart();
    assert!(one.open(&mut service).is_ok());
}

/// The status tells a damaged record from a passing fault, and what it advises helps.
#[test]
fn a_damaged_record_is_told_from_a_fault_and_erasing_mends_it() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let anchor = service.anchor();
    device.world.get().reads_fail = true;
    device.restart();
    assert_eq!(device.open(&mut service), Err(Status::Platform));
    device.world.get().reads_fail = false;
    let slot = Slot::under(SlotKind::Certificate, &anchor);
    if let Some(record) = device.world.get().slots.get_mut(&slot) {
        record[20] ^= 1;
    }
    assert_eq!(device.open(&mut service), Err(Status::DamagedRecord));
    device.erase(anchor).unwrap();
    device.provision(&mut service);
    assert!(device.open(&mut service).is_ok());
}

/// Without its version floor nothing that is sealed says which core wrote it.
#[test]
fn sealed_records_without_their_version_floor_are_damaged() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let floor = Slot::under(SlotKind::Floor, &service.anchor());
    assert!(device.world.get().slots.remove(&floor).is_some());
    device.restart();
    assert_eq!(device.open(&mut service), Err(Status::DamagedRecord));
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
                SlotKind::Anchors => {
                    let mut other = Service::new(2);
                    let info = other.info();
                    device.begin(other.anchor(), &info).map(|_| ())
                }
                _ => device.open(&mut service).map(|_| ()),
            };
            assert_eq!(outcome, Err(Status::DamagedRecord));
        }
    }
}

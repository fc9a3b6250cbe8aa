//! A key goes in and never comes out: not a piece of it in any response of any command.

use keybearer_core::{NoMedia, SlotKind};
use keybearer_wire::{Command, Status};

use super::scenes::ready;
use crate::support::{cenc_use, key, license, samples, secret};

/// True when eight bytes in a row of `secret` occur in `bytes`.
fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    secret
        .windows(8)
        .any(|piece| bytes.windows(8).any(|window| window == piece))
}

#[test]
fn no_response_holds_a_piece_of_a_key() {
    let (mut device, mut service, session) = ready(1);
    let anchor = service.anchor();
    for id in 1..=4 {
        device
            .acquire(
                session,
                &mut service,
                license(id, vec![key(id, cenc_use())]),
            )
            .unwrap();
        let renewal = device.renewal(session, [id; 16]).unwrap();
        let mut renewed = license(id, vec![key(id, cenc_use())]);
        renewed.sequence = 2;
        let answer = service.license(&renewal, renewed);
        device.load(session, &answer).unwrap();
        device
            .decrypt(session, [id; 16], &samples(&[64]), &mut [0; 64])
            .unwrap();
        device
            .decrypt(session, [id; 16], &samples(&[64]), &mut [0; 63])
            .unwrap_err();
        device.statuses(session).unwrap();
    }
    device.fetch_time(session, &mut service);
    device.device_key(anchor).unwrap();
    let list = service.revocation_list(1, &[]);
    device.load_list(anchor, &list).unwrap();
    for command in Command::ALL {
        device.raw(command.code(), &[0xa0], &mut NoMedia);
    }
    device.remove(session, [1; 16]).unwrap();
    device.close(session).unwrap();
    assert_eq!(device.statuses(session), Err(Status::UnknownSession));
    let mut secrets: Vec<Vec<u8>> = (1..=4).map(|id| secret(id).to_vec()).collect();
    // The device's own keys, which its storage holds.
    for (slot, record) in &device.world.get().slots {
        if slot.kind == SlotKind::Identity {
            secrets.push(record[1..].to_vec());
        }
    }
    assert_eq!(secrets.len(), 5);
    for secret in &secrets {
        assert!(!holds(device.seen(), secret));
    }
    // The search would find one.
    assert!(device.seen().len() > 5_000);
    assert!(holds(
        &[&[0; 9], &secrets[0][4..], &[1; 9]].concat(),
        &secrets[0]
    ));
}

/// Nor does the storage, in any slot that the core seals.
#[test]
fn no_sealed_record_holds_a_piece_of_what_it_seals() {
    let (mut device, mut service, _) = ready(1);
    let serial = keybearer_license::Serial([0xab; 16]);
    let list = service.revocation_list(1, &[serial]);
    device.load_list(service.anchor(), &list).unwrap();
    let world = device.world.get();
    let sealed: Vec<_> = world
        .slots
        .iter()
        .filter(|(slot, _)| slot.kind >= SlotKind::Certificate)
        .collect();
    assert_eq!(sealed.len(), 4);
    for (slot, record) in sealed {
        assert!(!holds(record, &serial.0), "{slot:?}");
        assert!(!holds(record, b"Model X\0"), "{slot:?}");
        assert!(
            !record.windows(7).any(|window| window == b"Model X"),
            "{slot:?}"
        );
    }
}

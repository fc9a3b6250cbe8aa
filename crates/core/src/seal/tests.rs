use alloc::vec;
use std::collections::BTreeSet;

use super::*;
use crate::fake_platform::{Shared, parts};

const ONE: Digest = Digest([1; 32]);
const TWO: Digest = Digest([2; 32]);
const KINDS: [SlotKind; 4] = [
    SlotKind::Certificate,
    SlotKind::Time,
    SlotKind::Revocation,
    SlotKind::Floor,
];

/// Every slot holds a record with the same content, and each is offered to every slot.
#[test]
fn a_record_opens_only_in_its_own_slot() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    let mut slots = Vec::new();
    for anchor in [ONE, TWO] {
        parts.identity.create(&anchor).unwrap();
        for kind in KINDS {
            store(&mut parts, &anchor, kind, b"content".to_vec()).unwrap();
            slots.push((anchor, kind));
        }
    }
    let honest = shared.get().slots.clone();
    for (anchor, kind) in &slots {
        for (from, other) in &slots {
            let record = honest[&Slot::under(*other, from)].clone();
            shared
                .get()
                .slots
                .insert(Slot::under(*kind, anchor), record);
            let found = load(&mut parts, anchor, *kind, 7);
            if (anchor, kind) == (from, other) {
                assert_eq!(found, Ok(Some(b"content".to_vec())));
            } else {
                assert_eq!(
                    found,
                    Err(PlatformError::Damaged),
                    "{kind:?} from {other:?}"
                );
            }
        }
        shared.get().slots.clone_from(&honest);
    }
}

#[test]
fn an_empty_slot_is_no_error_and_a_record_over_its_cap_is() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    parts.identity.create(&ONE).unwrap();
    assert_eq!(load(&mut parts, &ONE, SlotKind::Time, 7), Ok(None));
    store(&mut parts, &ONE, SlotKind::Time, b"content".to_vec()).unwrap();
    assert_eq!(
        load(&mut parts, &ONE, SlotKind::Time, 6),
        Err(PlatformError::Damaged)
    );
}

/// A nonce is never used twice, and none is made up when the random source fails.
#[test]
fn every_record_has_a_nonce_of_its_own() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    parts.identity.create(&ONE).unwrap();
    let mut nonces = BTreeSet::new();
    for _ in 0..1_000 {
        store(&mut parts, &ONE, SlotKind::Time, b"content".to_vec()).unwrap();
        let record = shared.get().slots[&Slot::under(SlotKind::Time, &ONE)].clone();
        assert!(nonces.insert(record[1..HEAD].to_vec()));
    }
    shared.get().rng_fails = true;
    let refused = store(&mut parts, &ONE, SlotKind::Time, b"content".to_vec());
    assert_eq!(refused, Err(PlatformError::Random));
}

/// A record opens under the key of its slot and version, and under no other context.
#[test]
fn every_slot_and_version_has_a_key_of_its_own() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    parts.identity.create(&ONE).unwrap();
    for kind in KINDS {
        let slot = Slot::under(kind, &ONE);
        store(&mut parts, &ONE, kind, b"content".to_vec()).unwrap();
        let record = shared.get().slots[&slot].clone();
        let (head, sealed) = record.split_at(HEAD);
        let nonce = Nonce(head[1..].try_into().unwrap());
        let mut opens = |context: &[&[u8]]| {
            let key = parts.identity.derive(&ONE, Label::Vault, context).unwrap();
            let mut data = sealed.to_vec();
            parts.crypto.open(&key, &nonce, &aad(&slot), &mut data)
        };
        let name = slot.object_id();
        assert_eq!(opens(&[&name, &[VERSION]]), Ok(()));
        let other = Slot::under(SlotKind::Identity, &ONE).object_id();
        let wrong: [&[&[u8]]; 4] = [
            &[],
            &[&name],
            &[&name, &[VERSION + 1]],
            &[&other, &[VERSION]],
        ];
        for context in wrong {
            assert_eq!(opens(context), Err(CryptoError::Rejected));
        }
    }
}

#[test]
fn a_later_format_is_told_from_a_damaged_record() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    parts.identity.create(&ONE).unwrap();
    store(&mut parts, &ONE, SlotKind::Time, b"content".to_vec()).unwrap();
    let slot = Slot::under(SlotKind::Time, &ONE);
    for (version, expected) in [
        (0, PlatformError::Damaged),
        (VERSION + 1, PlatformError::Version),
        (0xff, PlatformError::Version),
    ] {
        shared.get().slots.get_mut(&slot).unwrap()[0] = version;
        assert_eq!(load(&mut parts, &ONE, SlotKind::Time, 7), Err(expected));
    }
}

/// Version and slot are not only part of the key: who authenticates anything else opens nothing.
#[test]
fn version_and_slot_are_authenticated_with_the_content() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    parts.identity.create(&ONE).unwrap();
    store(&mut parts, &ONE, SlotKind::Time, b"content".to_vec()).unwrap();
    let slot = Slot::under(SlotKind::Time, &ONE);
    let record = shared.get().slots[&slot].clone();
    let (head, sealed) = record.split_at(HEAD);
    let nonce = Nonce(head[1..].try_into().unwrap());
    let key = key(&mut parts, &ONE, &slot).unwrap();
    let mut named = vec![VERSION];
    named.extend_from_slice(&slot.object_id());
    for (aad, opens) in [
        (named.as_slice(), true),
        (&[], false),
        (&[VERSION; 34], false),
    ] {
        let mut sealed = sealed.to_vec();
        let opened = parts.crypto.open(&key, &nonce, aad, &mut sealed);
        assert_eq!(opened.is_ok(), opens, "{aad:02x?}");
    }
}

#[test]
fn a_record_cut_in_its_head_is_damaged_and_not_of_a_later_format() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    parts.identity.create(&ONE).unwrap();
    for len in 0..HEAD {
        let slot = Slot::under(SlotKind::Time, &ONE);
        shared.get().slots.insert(slot, vec![VERSION; len]);
        let found = load(&mut parts, &ONE, SlotKind::Time, 7);
        assert_eq!(found, Err(PlatformError::Damaged), "{len} bytes");
    }
}

#[test]
fn a_lack_of_memory_is_told_from_a_damaged_record() {
    assert_eq!(seal_error(CryptoError::Memory), PlatformError::Memory);
    assert_eq!(seal_error(CryptoError::Rejected), PlatformError::Damaged);
}

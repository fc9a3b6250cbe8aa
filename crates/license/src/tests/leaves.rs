//! Leaves under a root, and the payload that carries them.

use alloc::vec;

use keybearer_crypto::Secret;
use keybearer_rules::OutputPolicy;

use super::samples::{key_use, root_key};
use super::world::{BrokenRng, CRYPTO, TestRng};
use crate::*;

fn leaf(policy: Option<OutputPolicy>) -> Leaf {
    let rng = &mut TestRng::new("leaf");
    let key = Secret::copied_from(&[0x33; 16]);
    seal_leaf(
        &CRYPTO,
        rng,
        &root_key(),
        42,
        KeyId([0x44; 16]),
        policy,
        &key,
    )
    .unwrap()
}

fn refused(leaf: &Leaf) -> LicenseError {
    open_leaf(&CRYPTO, &root_key(), leaf).err().unwrap()
}

#[test]
fn a_leaf_opens_under_its_root() {
    for policy in [None, Some(key_use().policy)] {
        let key = open_leaf(&CRYPTO, &root_key(), &leaf(policy)).unwrap();
        assert_eq!(key.expose(), &[0x33; 16]);
    }
}

#[test]
fn every_field_of_a_leaf_is_bound() {
    let whole = leaf(Some(key_use().policy));
    let other_root = Leaf {
        root_id: RootId([0x71; 16]),
        ..whole.clone()
    };
    assert_eq!(refused(&other_root), LicenseError::WrongRoot);
    let other_period = Leaf {
        period: 43,
        ..whole.clone()
    };
    assert_eq!(refused(&other_period), LicenseError::Sealed);
    let other_key = Leaf {
        key_id: KeyId([0x45; 16]),
        ..whole.clone()
    };
    assert_eq!(refused(&other_key), LicenseError::Sealed);
    let laxer = Leaf {
        policy: Some(OutputPolicy::UNSPECIFIED),
        ..whole.clone()
    };
    assert_eq!(refused(&laxer), LicenseError::Sealed);
    let without = Leaf {
        policy: None,
        ..whole.clone()
    };
    assert_eq!(refused(&without), LicenseError::Sealed);
    let mut nonce = whole.clone();
    nonce.nonce[0] ^= 1;
    assert_eq!(refused(&nonce), LicenseError::Sealed);
    let mut sealed = whole;
    sealed.sealed_key[31] ^= 1;
    assert_eq!(refused(&sealed), LicenseError::Sealed);
}

#[test]
fn a_leaf_under_another_secret_stays_shut() {
    let root = RootKey {
        key: Secret::copied_from(&[0x5f; 32]),
        ..root_key()
    };
    assert_eq!(
        open_leaf(&CRYPTO, &root, &leaf(None)).err(),
        Some(LicenseError::Sealed)
    );
}

#[test]
fn a_period_outside_the_root_s_window_is_refused_on_both_ends() {
    let key = Secret::copied_from(&[0x33; 16]);
    for (period, allowed) in [(40, false), (41, true), (50, true), (51, false)] {
        let rng = &mut TestRng::new("leaf");
        let id = KeyId([0x44; 16]);
        let made = seal_leaf(&CRYPTO, rng, &root_key(), period, id, None, &key);
        assert_eq!(made.is_ok(), allowed);
        let foreign = Leaf {
            period,
            ..leaf(None)
        };
        let expected = if allowed {
            LicenseError::Sealed
        } else {
            LicenseError::PeriodOutsideRoot
        };
        assert_eq!(refused(&foreign), expected);
    }
}

#[test]
fn no_random_bytes_no_leaf() {
    let key = Secret::copied_from(&[0x33; 16]);
    let id = KeyId([0x44; 16]);
    let made = seal_leaf(&CRYPTO, &mut BrokenRng, &root_key(), 42, id, None, &key);
    assert_eq!(made, Err(LicenseError::Random));
}

#[test]
fn init_data_returns_as_it_was() {
    let init = ContentInit {
        keys: vec![KeyId([1; 16]), KeyId([2; 16])],
        leaves: vec![leaf(None), leaf(Some(key_use().policy))],
    };
    assert_eq!(
        ContentInit::from_bytes(&init.to_bytes().unwrap()).unwrap(),
        init
    );
}

#[test]
fn init_data_of_another_version_is_named_as_such() {
    let mut bytes = ContentInit::default().to_bytes().unwrap();
    assert_eq!(bytes[..3], [0xa3, 0x01, 0x01]);
    bytes[2] = 0x02;
    assert_eq!(ContentInit::from_bytes(&bytes), Err(LicenseError::Version));
}

#[test]
fn init_data_keeps_its_caps() {
    let many = ContentInit {
        keys: vec![KeyId([0; 16]); MAX_KEYS + 1],
        leaves: vec![],
    };
    assert!(matches!(many.to_bytes(), Err(LicenseError::Malformed(_))));
    let most = ContentInit {
        keys: vec![KeyId([0; 16]); MAX_KEYS],
        leaves: vec![leaf(Some(key_use().policy)); MAX_LEAVES],
    };
    let bytes = most.to_bytes().unwrap();
    assert!(bytes.len() <= MAX_CONTENT_INIT);
    assert_eq!(ContentInit::from_bytes(&bytes).unwrap(), most);
}

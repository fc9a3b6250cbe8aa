use std::collections::BTreeSet;

use keybearer_crypto::Crypto as _;
use keybearer_crypto_soft::SoftCrypto;

use super::*;
use crate::fake_platform::{FakeRng, FakeVault, Shared};

const ONE: Digest = Digest([1; 32]);
const TWO: Digest = Digest([2; 32]);

fn identity(seed: u64) -> StoredIdentity<FakeVault, FakeRng, SoftCrypto> {
    let shared = Shared::new(seed);
    StoredIdentity::new(FakeVault(shared.clone()), FakeRng(shared), SoftCrypto)
}

#[test]
fn an_identity_signs_with_the_key_it_shows() {
    let mut identity = identity(1);
    assert_eq!(identity.public_key(&ONE), Ok(None));
    assert_eq!(
        identity.sign(&ONE, b"message").err(),
        Some(PlatformError::Key)
    );
    assert_eq!(
        identity.derive(&ONE, Label::Ueid, &[]).err(),
        Some(PlatformError::Key)
    );
    let public = identity.create(&ONE).unwrap();
    assert_eq!(identity.create(&ONE), Ok(public));
    assert_eq!(identity.public_key(&ONE), Ok(Some(public)));
    let signature = identity.sign(&ONE, b"message").unwrap();
    assert_eq!(SoftCrypto.verify(&public, b"message", &signature), Ok(()));
    assert_ne!(identity.create(&TWO), Ok(public));
    identity.erase(&ONE).unwrap();
    assert_eq!(identity.public_key(&ONE), Ok(None));
    assert_ne!(identity.create(&ONE), Ok(public));
}

/// Device, anchor, label and each part of the context change what is derived.
#[test]
fn derived_secrets_belong_to_one_purpose() {
    let mut seen = BTreeSet::new();
    for seed in [1, 2] {
        let mut identity = identity(seed);
        for anchor in [ONE, TWO] {
            identity.create(&anchor).unwrap();
            for label in [Label::Vault, Label::Ueid, Label::Boot] {
                let contexts: [&[&[u8]]; 6] = [
                    &[],
                    &[b""],
                    &[b"abc"],
                    &[b"ab", b"c"],
                    &[b"a", b"bc"],
                    &[b"abc", b""],
                ];
                for context in contexts {
                    let secret = identity.derive(&anchor, label, context).unwrap();
                    assert!(seen.insert(*secret.expose()), "{label:?} {context:?}");
                    let again = identity.derive(&anchor, label, context).unwrap();
                    assert_eq!(again.expose(), secret.expose());
                }
            }
        }
    }
    assert_eq!(seen.len(), 2 * 2 * 3 * 6);
}

//! The code that must treat secrets alike, whatever they are.
//!
//! A case declares how many decisions it may take on what it made of its secrets. Those are the
//! outcomes that are public by what the function is for, accepted or rejected, and the checks of a
//! key's range, which fail once in 2^32 keys.

use core::hint::black_box;

use keybearer_cenc::{ContentKey, Pattern, SampleProtection, Scheme, Subsample};
use keybearer_crypto::{Crypto, PrivateKeys, Rng, Secret};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{
    IvKind, KeyId, KeyUse, Leaf, PolicyOrigin, PolicySource, RootId, RootKey, TrackType, UnixTime,
    check_challenge, make_challenge, open_leaf, seal_leaf,
};
use keybearer_rules::{Level, OutputPolicy};

use crate::inputs::{Fixed, opened_message, sealed_message};
use crate::valgrind::{public, secret};

/// The library takes it, and its caller takes it once more.
const ACCEPTED_OR_REJECTED: usize = 2;
/// Below the order of the group; not zero.
const SCALAR_IN_RANGE: usize = 2;
/// The nonce is below the order and not zero and has an inverse, `r` and `s` are below the order and
/// not zero. Every one is true of all but one signature in 2^32, and `r` and `s` are public.
const SIGNATURE_IN_RANGE: usize = 7;

/// One piece of code, run once with its secrets marked.
pub struct Case {
    /// What it does.
    pub name: &'static str,
    /// Decisions on secrets that it may take at most: a compiler may merge two into one.
    pub decisions: usize,
    /// Marks the secrets and runs the code.
    pub run: fn(),
}

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        name: "compare tags",
        decisions: 0,
        run: || {
            let (a, b): (Secret<32>, Secret<32>) = (key(1), key(2));
            secret(a.expose());
            secret(b.expose());
            let equal = black_box(SoftCrypto.equal(a.expose(), b.expose()));
            public(&equal);
            let equal = black_box(SoftCrypto.equal(a.expose(), a.expose()));
            public(&equal);
        },
    },
    Case {
        name: "compare the digest of a token",
        decisions: 0,
        run: || {
            let (token, known): (Secret<32>, Secret<32>) = (key(3), key(4));
            secret(token.expose());
            secret(known.expose());
            let digest = SoftCrypto.sha256(&[token.expose()]);
            let equal = black_box(SoftCrypto.equal(&digest.0, known.expose()));
            public(&equal);
        },
    },
    Case {
        name: "HMAC",
        decisions: 0,
        run: || {
            let key = key(5);
            secret(key.expose());
            let mac = SoftCrypto.hmac_sha256(&key, &[b"a message"]);
            public(black_box(&mac));
        },
    },
    Case {
        name: "HKDF",
        decisions: 0,
        run: || {
            let key = key(6);
            secret(key.expose());
            let derived = SoftCrypto.hkdf_sha256(b"salt", &key, &[b"info"]);
            public(black_box(derived.expose()));
        },
    },
    Case {
        name: "check a challenge: right MAC, wrong MAC",
        decisions: 2,
        run: || {
            let key = key(7);
            let now = UnixTime(1_700_000_000);
            let Ok(right) = make_challenge(&SoftCrypto, &mut Fixed(8), &key, now) else {
                unreachable!("the fixed generator does not fail");
            };
            let mut wrong = right;
            wrong.0[55] ^= 1;
            secret(key.expose());
            for (challenge, accepted) in [(right, true), (wrong, false)] {
                let checked = check_challenge(&SoftCrypto, &key, &challenge, now);
                assert_eq!(checked.is_ok(), accepted);
            }
        },
    },
    Case {
        name: "AES-256-GCM seal",
        decisions: 0,
        run: || {
            let key = key(9);
            let plain = key.expose().repeat(3);
            secret(key.expose());
            secret(plain.as_slice());
            public(black_box(sealed_message(&key, &plain).as_slice()));
        },
    },
    Case {
        name: "AES-256-GCM open: right tag",
        decisions: ACCEPTED_OR_REJECTED,
        run: || {
            let key = key(10);
            let mut data = sealed_message(&key, &[11; 77]);
            secret(key.expose());
            assert!(opened_message(&key, &mut data).is_ok());
            public(data.as_slice());
            assert_eq!(data, [11; 77]);
        },
    },
    Case {
        name: "AES-256-GCM open: wrong tag",
        decisions: ACCEPTED_OR_REJECTED,
        run: || {
            let key = key(12);
            let mut data = sealed_message(&key, &[13; 77]);
            data[80] ^= 1;
            secret(key.expose());
            assert!(opened_message(&key, &mut data).is_err());
        },
    },
    Case {
        name: "unwrap a content key",
        decisions: ACCEPTED_OR_REJECTED,
        run: || {
            let (root, leaf) = wrapped();
            secret(root.key.expose());
            let Ok(content) = open_leaf(&SoftCrypto, &root, &leaf) else {
                unreachable!("the leaf was sealed under this root");
            };
            public(content.expose());
            assert_eq!(content.expose(), key::<16>(15).expose());
        },
    },
    Case {
        name: "content key schedule, cenc and cbcs samples",
        decisions: 0,
        run: || {
            let key: Secret<16> = key(16);
            secret(key.expose());
            let mut place = None;
            ContentKey::expand(&mut place, key.expose());
            let Some(content) = &place else {
                unreachable!("the key was put there");
            };
            for (scheme, crypt, skip) in [(Scheme::Cenc, 0, 0), (Scheme::Cbcs, 1, 9)] {
                let mut sample = vec![17; 4096];
                let subsamples = [Subsample {
                    clear: 96,
                    protected: 4000,
                }];
                let protection = SampleProtection {
                    scheme,
                    pattern: Pattern { crypt, skip },
                    iv: &[18; 16],
                    subsamples: Some(&subsamples),
                };
                assert!(content.decrypt_sample(&protection, &mut sample).is_ok());
                public(black_box(sample.as_slice()));
            }
        },
    },
    Case {
        name: "P-256 public key",
        decisions: SCALAR_IN_RANGE,
        run: || {
            let private = key(19);
            secret(private.expose());
            let made = SoftCrypto.public_key(&private);
            public(&made);
            assert!(made.is_ok());
        },
    },
    Case {
        name: "P-256 sign",
        decisions: SCALAR_IN_RANGE + SIGNATURE_IN_RANGE,
        run: || {
            let private = key(20);
            secret(private.expose());
            let made = SoftCrypto.sign(&private, b"a message");
            public(&made);
            assert!(made.is_ok());
        },
    },
    Case {
        name: "P-256 agree",
        decisions: SCALAR_IN_RANGE,
        run: || {
            let private = key(21);
            let Ok(peer) = SoftCrypto.public_key(&key(22)) else {
                unreachable!("the scalar is in range");
            };
            secret(private.expose());
            let Ok(shared) = SoftCrypto.agree(&private, &peer) else {
                unreachable!("scalar and point are in range");
            };
            public(black_box(shared.expose()));
        },
    },
];

fn key<const N: usize>(seed: u8) -> Secret<N> {
    match Secret::try_filled(|bytes| Fixed(seed).fill(bytes)) {
        Ok(key) => key,
        Err(_) => unreachable!("the fixed generator does not fail"),
    }
}

/// A content key under a root, as it arrives in band.
fn wrapped() -> (RootKey, Leaf) {
    let root = RootKey {
        root_id: RootId([1; 16]),
        key: key(14),
        usage: KeyUse {
            track: TrackType::Audio,
            scheme: keybearer_license::Scheme::Cenc,
            iv: IvKind::PerSample8,
            pattern: None,
            lowest_level: Level::Low,
            require_worker: false,
            policy: OutputPolicy::UNSPECIFIED,
            max_pixels: None,
            max_clear_bytes: None,
            source: PolicySource {
                origin: PolicyOrigin::TokenProfile,
                profile: None,
            },
        },
        first_period: 0,
        last_period: 9,
    };
    let leaf = seal_leaf(
        &SoftCrypto,
        &mut Fixed(15),
        &root,
        4,
        KeyId([2; 16]),
        None,
        &key(15),
    );
    match leaf {
        Ok(leaf) => (root, leaf),
        Err(_) => unreachable!("the period is the root's"),
    }
}

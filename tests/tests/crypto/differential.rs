//! What one provider makes, the other has to take, for inputs that nobody chose.

use keybearer_crypto::{Crypto, CryptoError, Nonce, PrivateKeys as _, Secret, Signature, Signer};
use keybearer_crypto_ring::{RingCrypto, RingSigner, SystemRng};
use keybearer_crypto_soft::{SoftCrypto, SoftSigner};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::hkdf_from_hmac;

type Seal = fn(&Secret<32>, &Nonce, &[u8], &mut Vec<u8>) -> Result<(), CryptoError>;

/// Seal with the first, open with the second, both ways round.
const PAIRS: [(Seal, Seal); 2] = [
    (
        |key, nonce, aad, data| SoftCrypto.seal(key, nonce, aad, data),
        |key, nonce, aad, data| RingCrypto.open(key, nonce, aad, data),
    ),
    (
        |key, nonce, aad, data| RingCrypto.seal(key, nonce, aad, data),
        |key, nonce, aad, data| SoftCrypto.open(key, nonce, aad, data),
    ),
];

proptest! {
    #[test]
    fn hashes(parts in vec(vec(any::<u8>(), 0..200), 0..5)) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let digest = SoftCrypto.sha256(&parts);
        prop_assert_eq!(digest, RingCrypto.sha256(&parts));
        prop_assert_eq!(digest, RingCrypto.sha256(&[&parts.concat()]));
    }

    #[test]
    fn macs(key: [u8; 32], parts in vec(vec(any::<u8>(), 0..200), 0..5)) {
        let key = Secret::copied_from(&key);
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let tag = SoftCrypto.hmac_sha256(&key, &parts);
        prop_assert_eq!(tag, RingCrypto.hmac_sha256(&key, &parts));
        prop_assert_eq!(tag, RingCrypto.hmac_sha256(&key, &[&parts.concat()]));
    }

    /// The third opinion is HKDF written out over HMAC, which the vectors of RFC 5869 hold.
    #[test]
    fn derived_keys(
        salt in vec(any::<u8>(), 0..33),
        ikm: [u8; 32],
        info in vec(vec(any::<u8>(), 0..100), 0..5),
    ) {
        let secret = Secret::copied_from(&ikm);
        let parts: Vec<&[u8]> = info.iter().map(Vec::as_slice).collect();
        let soft = SoftCrypto.hkdf_sha256(&salt, &secret, &parts);
        let ring = RingCrypto.hkdf_sha256(&salt, &secret, &parts);
        prop_assert_eq!(soft.expose(), ring.expose());
        let written_out = hkdf_from_hmac(&RingCrypto, &salt, &ikm, &info.concat(), 32);
        prop_assert_eq!(Some(soft.expose().to_vec()), written_out.map(|(_, output)| output));
    }

    #[test]
    fn sealed_by_one_and_opened_by_the_other(
        key: [u8; 32],
        nonce: [u8; 12],
        aad in vec(any::<u8>(), 0..100),
        message in vec(any::<u8>(), 0..300),
    ) {
        let (key, nonce) = (Secret::copied_from(&key), Nonce(nonce));
        for (seal, open) in PAIRS {
            let mut data = message.clone();
            prop_assert_eq!(seal(&key, &nonce, &aad, &mut data), Ok(()));
            prop_assert_eq!(data.len(), message.len() + 16);
            prop_assert_eq!(open(&key, &nonce, &aad, &mut data), Ok(()));
            prop_assert_eq!(&data, &message);
        }
    }

    #[test]
    fn any_change_is_rejected(
        mut key: [u8; 32],
        mut nonce: [u8; 12],
        mut aad in vec(any::<u8>(), 1..50),
        message in vec(any::<u8>(), 0..100),
        bit: prop::sample::Index,
        what in 0..4,
    ) {
        for (seal, open) in PAIRS {
            let mut data = message.clone();
            prop_assert_eq!(
                seal(&Secret::copied_from(&key), &Nonce(nonce), &aad, &mut data),
                Ok(())
            );
            let bytes: &mut [u8] = match what {
                0 => &mut key,
                1 => &mut nonce,
                2 => &mut aad,
                _ => &mut data,
            };
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(
                open(&Secret::copied_from(&key), &Nonce(nonce), &aad, &mut data),
                Err(CryptoError::Rejected)
            );
            prop_assert!(data.is_empty());
        }
    }

    #[test]
    fn signed_by_one_and_verified_by_the_other(
        message in vec(any::<u8>(), 0..300),
        bit in 0..512_usize,
    ) {
        let (private, public) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
        let ring = RingSigner::new(&private, &public).unwrap();
        let soft = SoftSigner::new(private).unwrap();
        let signers: [Box<dyn Signer>; 2] = [Box::new(ring), Box::new(soft)];
        for mut signer in signers {
            let signature = signer.sign(&message).unwrap();
            prop_assert_eq!(SoftCrypto.verify(&public, &message, &signature), Ok(()));
            prop_assert_eq!(RingCrypto.verify(&public, &message, &signature), Ok(()));

            let mut changed = signature.0;
            changed[bit / 8] ^= 1 << (bit % 8);
            let rejected = Err(CryptoError::Rejected);
            let changed = Signature(changed);
            prop_assert_eq!(SoftCrypto.verify(&public, &message, &changed), rejected);
            prop_assert_eq!(RingCrypto.verify(&public, &message, &changed), rejected);

            let mut longer = message.clone();
            longer.push(0);
            prop_assert_eq!(SoftCrypto.verify(&public, &longer, &signature), rejected);
            prop_assert_eq!(RingCrypto.verify(&public, &longer, &signature), rejected);
        }
    }

    #[test]
    fn both_sides_agree(_case in 0..64) {
        let mut rng = SystemRng::new();
        let (private, public) = SoftCrypto.generate(&mut rng).unwrap();
        let mut seen = Vec::new();
        for (ephemeral, shared) in [
            RingCrypto.agree_ephemeral(&mut rng, &public).unwrap(),
            SoftCrypto.agree_ephemeral(&mut rng, &public).unwrap(),
        ] {
            let own = SoftCrypto.agree(&private, &ephemeral).unwrap();
            prop_assert_eq!(own.expose(), shared.expose());
            seen.push(ephemeral);
        }
        prop_assert_ne!(seen[0], seen[1]);
    }

    /// Both judge points alike, also those that nobody made on purpose.
    #[test]
    fn points_are_judged_alike(x: [u8; 32], y: [u8; 32], flip in 0..512_usize) {
        let (_, mut public) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
        if flip < 256 {
            public.x[flip / 8] ^= 1 << (flip % 8);
        } else {
            public.y[flip / 8 - 32] ^= 1 << (flip % 8);
        }
        for peer in [public, keybearer_crypto::PublicKey { x, y }] {
            let soft = SoftCrypto.agree_ephemeral(&mut SystemRng::new(), &peer);
            let ring = RingCrypto.agree_ephemeral(&mut SystemRng::new(), &peer);
            prop_assert_eq!(soft.err(), ring.err());
        }
    }
}

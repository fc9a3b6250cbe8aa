//! Keys, scalars and generators that must not be accepted.

use keybearer_crypto::{
    Crypto, CryptoError, Nonce, PrivateKeys as _, PublicKey, Rng, Secret, Signature, Signer as _,
};
use keybearer_crypto_ring::{RingSigner, SystemRng};
use keybearer_crypto_soft::{SoftCrypto, SoftSigner};

use crate::{hex32, secret};

/// The order of the group of P-256 (SP 800-186 section 3.2.1.3).
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// The prime of the field of P-256.
const PRIME: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

/// A coordinate that is out of range or does not satisfy the equation.
pub(crate) fn points_off_the_curve(crypto: &impl Crypto) {
    let (_, good) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
    let mut off_by_one = good;
    off_by_one.y[31] ^= 1;
    let bad = [
        off_by_one,
        PublicKey {
            x: [0; 32],
            y: [0; 32],
        },
        PublicKey {
            x: hex32(PRIME),
            ..good
        },
        PublicKey {
            y: hex32(PRIME),
            ..good
        },
        PublicKey {
            x: [0xff; 32],
            y: [0xff; 32],
        },
    ];
    assert!(crypto.agree_ephemeral(&mut SystemRng::new(), &good).is_ok());
    for key in bad {
        assert_eq!(
            crypto.agree_ephemeral(&mut SystemRng::new(), &key).err(),
            Some(CryptoError::Rejected),
            "{key:02x?}"
        );
        assert_eq!(
            crypto.verify(&key, b"message", &Signature([1; 64])),
            Err(CryptoError::Rejected)
        );
    }
}

/// Fewer bytes than a tag.
pub(crate) fn short_ciphertext(crypto: &impl Crypto) {
    for length in 0..16 {
        let mut data = vec![0; length];
        assert_eq!(
            crypto.open(
                &Secret::copied_from(&[7; 32]),
                &Nonce([0; 12]),
                b"",
                &mut data
            ),
            Err(CryptoError::Rejected)
        );
        assert!(data.is_empty());
    }
}

/// Equal bytes are equal, and nothing else is.
pub(crate) fn equality(crypto: &impl Crypto) {
    assert!(crypto.equal(b"", b""));
    assert!(crypto.equal(b"same", b"same"));
    assert!(!crypto.equal(b"same", b"sane"));
    assert!(!crypto.equal(b"same", b"same "));
    assert!(!crypto.equal(b"same", b""));
}

/// A generator that gives the same byte for ever, or nothing.
struct Stuck(Option<u8>);

impl Rng for Stuck {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        out.fill(self.0.ok_or(CryptoError::Rng)?);
        Ok(())
    }
}

#[test]
fn generators_that_fail_or_are_stuck_outside_the_group() {
    let (_, peer) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
    for rng in [None, Some(0), Some(0xff)] {
        assert_eq!(
            SoftCrypto.generate(&mut Stuck(rng)).err(),
            Some(CryptoError::Rng)
        );
        assert_eq!(
            SoftCrypto.agree_ephemeral(&mut Stuck(rng), &peer).err(),
            Some(CryptoError::Rng)
        );
    }
}

#[test]
fn generated_keys_differ_and_belong_together() {
    let mut rng = SystemRng::new();
    let (private, public) = SoftCrypto.generate(&mut rng).unwrap();
    let (other, _) = SoftCrypto.generate(&mut rng).unwrap();
    assert_ne!(private.expose(), other.expose());
    assert_eq!(SoftCrypto.public_key(&private), Ok(public));
}

#[test]
fn scalars_outside_the_group() {
    let (_, peer) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
    for scalar in [[0; 32], hex32(ORDER), [0xff; 32]] {
        let rejected = Some(CryptoError::Rejected);
        let scalar = Secret::copied_from(&scalar);
        assert_eq!(SoftCrypto.public_key(&scalar).err(), rejected);
        assert_eq!(SoftCrypto.sign(&scalar, b"message").err(), rejected);
        assert_eq!(SoftCrypto.agree(&scalar, &peer).err(), rejected);
        assert_eq!(RingSigner::new(&scalar, &peer).err(), rejected);
        assert_eq!(SoftSigner::new(scalar).err(), rejected);
    }
}

#[test]
fn largest_scalar() {
    // One below the order gives the base point with the other sign of y.
    let mut scalar = hex32(ORDER);
    scalar[31] -= 1;
    let public = SoftCrypto
        .public_key(&Secret::taken_from(&mut scalar))
        .unwrap();
    let base = SoftCrypto
        .public_key(&secret(&format!("{:064x}", 1)))
        .unwrap();
    assert_eq!(public.x, base.x);
    assert_ne!(public.y, base.y);
}

#[test]
fn signer_of_another_public_key() {
    let (private, public) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
    let (_, other) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
    assert!(RingSigner::new(&private, &public).is_ok());
    assert_eq!(
        RingSigner::new(&private, &other).err(),
        Some(CryptoError::Rejected)
    );
}

#[test]
fn signers_show_their_public_key() {
    let (private, public) = SoftCrypto.generate(&mut SystemRng::new()).unwrap();
    let ring = RingSigner::new(&private, &public).unwrap();
    assert_eq!(ring.public_key(), public);
    assert_eq!(SoftSigner::new(private).unwrap().public_key(), public);
}

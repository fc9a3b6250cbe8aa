//! Cryptography for fuzzing only: a provider that costs nothing and keeps nobody out, and one that
//! signs and seals what a fuzzer wants instead of what it was given.

use std::cell::RefCell;

use keybearer_cbor::{decode, encode};
use keybearer_crypto::{
    Crypto, CryptoError, Digest, Nonce, PrivateKeys, PublicKey, Rng, Secret, Signature, Signer,
};
use keybearer_crypto_soft::SoftCrypto;

/// The largest message that is forged, in bytes.
const MAX: usize = 1 << 17;

/// Public-key operations in a group of 61 bits and signatures that anybody can make, everything
/// else as in [`SoftCrypto`]. A thousand times as fast, so that a fuzzer spends its time in the code
/// behind them. What does not verify is refused here too.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Toy;

/// A Mersenne prime; arithmetic modulo it fits 128 bits.
const MODULUS: u64 = (1 << 61) - 1;
const GENERATOR: u64 = 37;

fn power(base: u64, mut exponent: u64) -> u64 {
    let (modulus, mut square, mut result) = (u128::from(MODULUS), u128::from(base), 1_u128);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * square % modulus;
        }
        square = square * square % modulus;
        exponent >>= 1;
    }
    u64::try_from(result).unwrap_or(0)
}

fn exponent(private: &Secret<32>) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&private.expose()[..8]);
    u64::from_be_bytes(first) | 1
}

/// The group's element, which only the last eight bytes of `x` may hold.
fn element(key: &PublicKey) -> Result<u64, CryptoError> {
    let mut last = [0; 8];
    last.copy_from_slice(&key.x[24..]);
    let value = u64::from_be_bytes(last);
    let canonical = key.y == [0; 32] && key.x[..24] == [0; 24];
    if canonical && (1..MODULUS).contains(&value) {
        Ok(value)
    } else {
        Err(CryptoError::Rejected)
    }
}

fn tag(key: &PublicKey, message: &[u8]) -> Signature {
    let digest = SoftCrypto.sha256(&[b"toy signature", &key.x, message]).0;
    let mut both = [0; 64];
    both[..32].copy_from_slice(&digest);
    both[32..].copy_from_slice(&digest);
    Signature(both)
}

impl Crypto for Toy {
    fn sha256(&self, parts: &[&[u8]]) -> Digest {
        SoftCrypto.sha256(parts)
    }
    fn hmac_sha256(&self, key: &Secret<32>, parts: &[&[u8]]) -> [u8; 32] {
        SoftCrypto.hmac_sha256(key, parts)
    }
    fn hkdf_sha256(&self, salt: &[u8], ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
        SoftCrypto.hkdf_sha256(salt, ikm, info)
    }
    fn seal(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        SoftCrypto.seal(key, nonce, aad, data)
    }
    fn open(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        SoftCrypto.open(key, nonce, aad, data)
    }
    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        element(key)?;
        if tag(key, message) == *signature {
            Ok(())
        } else {
            Err(CryptoError::Rejected)
        }
    }
    fn agree_ephemeral(
        &self,
        rng: &mut dyn Rng,
        peer: &PublicKey,
    ) -> Result<(PublicKey, Secret<32>), CryptoError> {
        let (private, public) = self.generate(rng)?;
        Ok((public, self.agree(&private, peer)?))
    }
    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        SoftCrypto.equal(a, b)
    }
}

impl PrivateKeys for Toy {
    fn generate(&self, rng: &mut dyn Rng) -> Result<(Secret<32>, PublicKey), CryptoError> {
        let private = Secret::try_filled(|bytes| rng.fill(bytes))?;
        let public = self.public_key(&private)?;
        Ok((private, public))
    }
    fn public_key(&self, private: &Secret<32>) -> Result<PublicKey, CryptoError> {
        let value = power(GENERATOR, exponent(private));
        let mut x = [0; 32];
        x[24..].copy_from_slice(&value.to_be_bytes());
        Ok(PublicKey { x, y: [0; 32] })
    }
    fn sign(&self, private: &Secret<32>, message: &[u8]) -> Result<Signature, CryptoError> {
        Ok(tag(&self.public_key(private)?, message))
    }
    fn agree(&self, private: &Secret<32>, peer: &PublicKey) -> Result<Secret<32>, CryptoError> {
        let shared = power(element(peer)?, exponent(private));
        Ok(Secret::copied_from(
            &SoftCrypto
                .sha256(&[b"toy agreement", &shared.to_be_bytes()])
                .0,
        ))
    }
}

/// Signs with a private key of any provider.
pub(crate) struct KeySigner<'a, C> {
    /// The provider.
    pub(crate) crypto: &'a C,
    /// The private key.
    pub(crate) private: &'a Secret<32>,
    /// Its public half.
    pub(crate) public: PublicKey,
}

impl<C: PrivateKeys> Signer for KeySigner<'_, C> {
    fn public_key(&self) -> PublicKey {
        self.public
    }
    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        self.crypto.sign(self.private, message)
    }
}

/// What takes the place of a part of a signed message (RFC 9052 section 4.2).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// Nothing does: the message is only looked at.
    Nothing,
    /// The payload, signed anew.
    Body(&'a [u8]),
    /// The protected header, signed anew.
    Header(&'a [u8]),
    /// The whole message.
    Signed(&'a [u8]),
}

/// A signed message taken apart.
pub(crate) struct Pieces {
    /// Protected header.
    pub(crate) protected: Vec<u8>,
    /// Payload.
    pub(crate) payload: Vec<u8>,
}

/// Takes an honest signed message apart.
#[must_use]
pub(crate) fn pieces(signed: &[u8]) -> Pieces {
    decode(signed, MAX, |d| {
        d.array(4..=4, |a| {
            let protected = a.item(|d| d.bytes(MAX))?.to_vec();
            a.item(|d| d.map(|_| Ok(())))?;
            let payload = a.item(|d| d.bytes(MAX))?.to_vec();
            a.item(|d| d.bytes_fixed::<64>())?;
            Ok(Pieces { protected, payload })
        })
    })
    .expect("an honest signer made it")
}

/// The message with `part` in place of its own, signed with `private`. The structures are written
/// down here from RFC 9052 a second time: were they wrong, no forged message would be accepted.
pub(crate) fn forge<C: PrivateKeys>(
    crypto: &C,
    private: &Secret<32>,
    signed: &[u8],
    part: Part<'_>,
) -> Vec<u8> {
    let Pieces { protected, payload } = pieces(signed);
    let (protected, payload) = match part {
        Part::Nothing => return signed.to_vec(),
        Part::Signed(bytes) => return bytes.to_vec(),
        Part::Body(bytes) => (protected, bytes.to_vec()),
        Part::Header(bytes) => (bytes.to_vec(), payload),
    };
    let message = encode(2 * MAX, |e| {
        e.array(|e| {
            e.text("Signature1")?;
            e.bytes(&protected)?;
            e.bytes(&[])?;
            e.bytes(&payload)
        })
    })
    .expect("a fuzzer's input is smaller");
    let signature = crypto.sign(private, &message).expect("the key is sound");
    encode(2 * MAX, |e| {
        e.array(|e| {
            e.bytes(&protected)?;
            e.map(|_| Ok(()))?;
            e.bytes(&payload)?;
            e.bytes(&signature.0)
        })
    })
    .expect("a fuzzer's input is smaller")
}

/// A provider that forges what it is given to seal, and remembers the signed message.
pub(crate) struct Forge<'a, C> {
    crypto: &'a C,
    /// The key that the message was signed with.
    private: &'a Secret<32>,
    part: Part<'a>,
    /// The key pair that [`PrivateKeys::generate`] gives, instead of a fresh one.
    generated: Option<PublicKey>,
    /// The signed message, as it was given.
    pub(crate) given: RefCell<Vec<u8>>,
}

impl<'a, C: PrivateKeys> Forge<'a, C> {
    /// Puts `part` into what is signed with `private`.
    pub(crate) fn new(crypto: &'a C, private: &'a Secret<32>, part: Part<'a>) -> Self {
        Self {
            crypto,
            private,
            part,
            generated: None,
            given: RefCell::new(Vec::new()),
        }
    }

    /// Gives this public key, with a private one that is not its own, when asked for a new pair.
    #[must_use]
    pub(crate) fn generating(mut self, public: PublicKey) -> Self {
        self.generated = Some(public);
        self
    }

    /// The payload of the message that was sealed.
    pub(crate) fn payload(&self) -> Vec<u8> {
        pieces(&self.given.borrow()).payload
    }
}

impl<C: PrivateKeys> Crypto for Forge<'_, C> {
    fn sha256(&self, parts: &[&[u8]]) -> Digest {
        self.crypto.sha256(parts)
    }
    fn hmac_sha256(&self, key: &Secret<32>, parts: &[&[u8]]) -> [u8; 32] {
        self.crypto.hmac_sha256(key, parts)
    }
    fn hkdf_sha256(&self, salt: &[u8], ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
        self.crypto.hkdf_sha256(salt, ikm, info)
    }
    fn seal(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.given.replace(data.clone());
        *data = forge(self.crypto, self.private, data, self.part);
        self.crypto.seal(key, nonce, aad, data)
    }
    fn open(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.crypto.open(key, nonce, aad, data)
    }
    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        self.crypto.verify(key, message, signature)
    }
    fn agree_ephemeral(
        &self,
        rng: &mut dyn Rng,
        peer: &PublicKey,
    ) -> Result<(PublicKey, Secret<32>), CryptoError> {
        self.crypto.agree_ephemeral(rng, peer)
    }
    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        self.crypto.equal(a, b)
    }
}

impl<C: PrivateKeys> PrivateKeys for Forge<'_, C> {
    fn generate(&self, rng: &mut dyn Rng) -> Result<(Secret<32>, PublicKey), CryptoError> {
        match self.generated {
            Some(public) => Ok((Secret::copied_from(&[1; 32]), public)),
            None => self.crypto.generate(rng),
        }
    }
    fn public_key(&self, private: &Secret<32>) -> Result<PublicKey, CryptoError> {
        self.crypto.public_key(private)
    }
    fn sign(&self, private: &Secret<32>, message: &[u8]) -> Result<Signature, CryptoError> {
        self.crypto.sign(private, message)
    }
    fn agree(&self, private: &Secret<32>, peer: &PublicKey) -> Result<Secret<32>, CryptoError> {
        self.crypto.agree(private, peer)
    }
}

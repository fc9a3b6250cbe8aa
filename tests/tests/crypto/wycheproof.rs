//! Wycheproof: hostile inputs that broke other implementations.

use keybearer_crypto::{Crypto, CryptoError, Nonce, PrivateKeys as _, Secret, Signature};
use keybearer_crypto_ring::SystemRng;
use keybearer_crypto_soft::SoftCrypto;
use wycheproof::{TestResult, aead, ecdh, ecdsa, hkdf, mac};

use crate::{hkdf_from_hmac, hmac_key, uncompressed};

/// How many vectors of a set were run, and how many the trait's types cannot express.
#[derive(Default)]
struct Count {
    run: usize,
    ruled_out: usize,
}

impl Count {
    /// Holds the count against the size of the set and a floor.
    fn check(&self, set: usize, least: usize, why_ruled_out: &str) {
        println!(
            "{} run, {} ruled out: {why_ruled_out}",
            self.run, self.ruled_out
        );
        assert_eq!(self.run + self.ruled_out, set, "a vector was passed over");
        assert!(self.run >= least, "only {} vectors were run", self.run);
    }
}

/// AES-256-GCM with 96-bit nonces and 128-bit tags.
pub(crate) fn aes_gcm(crypto: &impl Crypto) {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut count = Count::default();
    for group in set.test_groups {
        for test in group.tests {
            let (Ok(key), Ok(nonce)) = (
                test.key.as_slice().try_into(),
                test.nonce.as_slice().try_into(),
            ) else {
                count.ruled_out += 1;
                continue;
            };
            assert_eq!(group.tag_size, 128);
            count.run += 1;
            let (key, nonce) = (Secret::copied_from(key), Nonce(nonce));
            let sealed = [test.ct.as_slice(), &test.tag].concat();
            let mut data = sealed.clone();
            let opened = crypto.open(&key, &nonce, &test.aad, &mut data);
            if test.result == TestResult::Valid {
                assert_eq!((opened, &data), (Ok(()), &*test.pt), "{}", test.tc_id);
                crypto.seal(&key, &nonce, &test.aad, &mut data).unwrap();
                assert_eq!(data, sealed, "{}", test.tc_id);
            } else {
                assert_eq!(opened, Err(CryptoError::Rejected), "{}", test.tc_id);
                assert!(data.is_empty(), "{}", test.tc_id);
            }
        }
    }
    count.check(
        set.number_of_tests,
        66,
        "keys not of 256 or nonces not of 96 bits",
    );
}

/// HMAC-SHA-256. Truncated tags are compared as far as they reach.
pub(crate) fn hmac(crypto: &impl Crypto) {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut count = Count::default();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let Some(key) = hmac_key(crypto, &test.key) else {
            count.ruled_out += 1;
            continue;
        };
        count.run += 1;
        // In parts, because that is how the protocol calls it.
        let (head, tail) = test.msg.split_at(test.msg.len() / 2);
        let tag = crypto.hmac_sha256(&key, &[head, tail]);
        let matches = crypto.equal(&tag[..test.tag.len()], &test.tag);
        assert_eq!(matches, test.result == TestResult::Valid, "{}", test.tc_id);
    }
    count.check(set.number_of_tests, 174, "keys of 33 to 64 bytes");
}

/// HKDF-SHA-256. Longer outputs are compared as far as 32 bytes reach; input keys of another size
/// than 32 bytes go through the provider's HMAC, and so do all of the output bytes.
pub(crate) fn hkdf(crypto: &impl Crypto) {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut count = Count::default();
    let mut whole = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        if test.result != TestResult::Valid {
            // Asks for more than 255 blocks, which a result of 32 bytes cannot.
            count.ruled_out += 1;
            continue;
        }
        let composed = hkdf_from_hmac(crypto, &test.salt, &test.ikm, &test.info, test.size);
        if let Some((_, output)) = composed {
            assert_eq!(output, *test.okm, "{}", test.tc_id);
            whole += 1;
        }
        let Ok(ikm) = test.ikm.as_slice().try_into() else {
            count.ruled_out += 1;
            continue;
        };
        count.run += 1;
        let (head, tail) = test.info.split_at(test.info.len() / 2);
        let output = crypto.hkdf_sha256(&test.salt, &Secret::copied_from(ikm), &[head, tail]);
        let common = test.size.min(32);
        assert_eq!(
            output.expose()[..common],
            test.okm[..common],
            "{}",
            test.tc_id
        );
    }
    assert!(whole >= 74, "only {whole} outputs were compared as a whole");
    count.check(
        set.number_of_tests,
        36,
        "input keys not of 32 bytes, or outputs beyond 255 blocks",
    );
}

/// ECDH on P-256. Own keys are fixed where a provider can load them, which is the reference below;
/// the provider under test judges each peer and agrees with each own key's public half.
pub(crate) fn ecdh(crypto: &impl Crypto) {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    let mut count = Count::default();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let Some(peer) = uncompressed(&test.public_key) else {
            assert_ne!(test.result, TestResult::Valid, "{}", test.tc_id);
            count.ruled_out += 1;
            continue;
        };
        count.run += 1;
        let judged = crypto.agree_ephemeral(&mut SystemRng::new(), &peer);
        let expected = (test.result != TestResult::Valid).then_some(CryptoError::Rejected);
        assert_eq!(judged.err(), expected, "{}", test.tc_id);

        // Integers of any width, with zeros in front or without.
        let private = test
            .private_key
            .iter()
            .copied()
            .skip_while(|&byte| byte == 0);
        let private: Vec<u8> = private.collect();
        let mut scalar = [0; 32];
        scalar[32 - private.len()..].copy_from_slice(&private);
        let own = Secret::taken_from(&mut scalar);
        let agreed = SoftCrypto.agree(&own, &peer);
        if test.result == TestResult::Valid {
            assert_eq!(
                agreed.unwrap().expose()[..],
                test.shared_secret[..],
                "{}",
                test.tc_id
            );
            let own_public = SoftCrypto.public_key(&own).unwrap();
            let (ephemeral, shared) = crypto
                .agree_ephemeral(&mut SystemRng::new(), &own_public)
                .unwrap();
            let expected = SoftCrypto.agree(&own, &ephemeral).unwrap();
            assert_eq!(shared.expose(), expected.expose(), "{}", test.tc_id);
        } else {
            assert_eq!(agreed.err(), Some(CryptoError::Rejected), "{}", test.tc_id);
        }
    }
    count.check(set.number_of_tests, 346, "points that are not uncompressed");
}

/// ECDSA P-256 SHA-256 with signatures as r || s.
pub(crate) fn ecdsa(crypto: &impl Crypto) {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut count = Count::default();
    for group in set.test_groups {
        let key = uncompressed(&group.key.key).unwrap();
        for test in group.tests {
            let Ok(signature) = test.sig.as_slice().try_into() else {
                assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
                count.ruled_out += 1;
                continue;
            };
            count.run += 1;
            let verified = crypto.verify(&key, &test.msg, &Signature(signature));
            let expected = match test.result {
                TestResult::Valid => Ok(()),
                TestResult::Invalid | TestResult::Acceptable => Err(CryptoError::Rejected),
            };
            assert_eq!(verified, expected, "{}", test.tc_id);
        }
    }
    count.check(set.number_of_tests, 241, "signatures not of 64 bytes");
}

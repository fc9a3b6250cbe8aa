#![allow(clippy::unwrap_used, reason = "a failed call is a failed test")]

use std::vec::Vec;

use zeroize::ZeroizeOnDrop;

use super::*;

// NIST SP 800-38A: key and plaintext are the same in F.2 and F.5.
const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
const CBC_IV: &str = "000102030405060708090a0b0c0d0e0f";
const CBC_CIPHER: &str = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
                          73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7";
const CTR_IV: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
const CTR_CIPHER: &str = "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
                          5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee";

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn nist_key() -> ContentKey {
    ContentKey::new(&unhex(KEY).try_into().unwrap())
}

fn decrypt(scheme: Scheme, iv: &str, cipher: &str) -> Vec<u8> {
    let mut data = unhex(cipher);
    let iv = unhex(iv);
    let whole = SampleProtection {
        scheme,
        pattern: Pattern::default(),
        iv: &iv,
        subsamples: None,
    };
    nist_key().decrypt_sample(&whole, &mut data).unwrap();
    data
}

#[test]
fn nist_sp_800_38a_f_2_2_cbc_aes128_decrypt() {
    for scheme in [Scheme::Cbc1, Scheme::Cbcs] {
        assert_eq!(
            decrypt(scheme, CBC_IV, CBC_CIPHER),
            unhex(PLAIN),
            "{scheme}"
        );
    }
}

#[test]
fn nist_sp_800_38a_f_5_2_ctr_aes128_decrypt() {
    for scheme in [Scheme::Cenc, Scheme::Cens] {
        assert_eq!(
            decrypt(scheme, CTR_IV, CTR_CIPHER),
            unhex(PLAIN),
            "{scheme}"
        );
    }
}

#[test]
fn both_schedules_are_wiped_on_drop() {
    fn wiped<T: ZeroizeOnDrop>(_: &T) {}
    let key = nist_key();
    wiped(&key.forward);
    wiped(&key.inverse);
}

#[test]
fn a_refused_sample_is_untouched() {
    // The second entry is the one that is wrong: the first must not be decrypted either.
    let table = [
        Subsample {
            clear: 0,
            protected: 16,
        },
        Subsample {
            clear: 0,
            protected: 20,
        },
    ];
    let mut data = [0x5a; 36];
    let protection = SampleProtection {
        scheme: Scheme::Cbc1,
        pattern: Pattern::default(),
        iv: &[1; 16],
        subsamples: Some(&table),
    };
    let refused = nist_key().decrypt_sample(&protection, &mut data);
    assert_eq!(refused, Err(CencError::PartialBlock { protected: 20 }));
    assert_eq!(data, [0x5a; 36]);
}

#[test]
fn a_table_larger_than_the_sample_is_refused_and_not_read_past_the_end() {
    let table = [Subsample {
        clear: 4,
        protected: 32,
    }];
    let mut data = [0x5a; 35];
    let protection = SampleProtection {
        scheme: Scheme::Cenc,
        pattern: Pattern::default(),
        iv: &[1; 8],
        subsamples: Some(&table),
    };
    let refused = nist_key().decrypt_sample(&protection, &mut data);
    assert_eq!(
        refused,
        Err(CencError::SubsampleTotal {
            covered: 36,
            sample: 35
        })
    );
    assert_eq!(data, [0x5a; 35]);
}

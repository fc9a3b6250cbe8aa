//! Vectors from the standards that define the algorithms.

use keybearer_crypto::{Crypto, CryptoError, Nonce, PrivateKeys, PublicKey, Secret, Signature};
use keybearer_crypto_soft::SoftCrypto;

use crate::{hex, hex32, hkdf_from_hmac, hmac_key, secret};

/// FIPS 180-4 examples (NIST "SHA256.pdf") and the long messages of FIPS 180-2 appendix B.3.
pub(crate) fn sha256(crypto: &impl Crypto) {
    let million = vec![b'a'; 1_000_000];
    for (message, digest) in [
        (
            &b""[..],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn\
              hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (
            &million,
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        ),
    ] {
        assert_eq!(crypto.sha256(&[message]).0, hex32(digest));
        let parts: Vec<&[u8]> = message.chunks(61).collect();
        assert_eq!(crypto.sha256(&parts).0, hex32(digest));
    }
}

/// RFC 4231 section 4, all seven cases; the fifth has a truncated output.
pub(crate) fn hmac(crypto: &impl Crypto) {
    let cases: [(Vec<u8>, &[u8], &str); 7] = [
        (
            vec![0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            (1..=25).collect(),
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            vec![0x0c; 20],
            b"Test With Truncation",
            "a3b6167473100ee06e0c796c2955552b",
        ),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than \
              block-size data. The key needs to be hashed before being used by the \
              HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, message, tag) in cases {
        let key = hmac_key(crypto, &key).unwrap();
        let tag = hex(tag);
        assert_eq!(crypto.hmac_sha256(&key, &[message])[..tag.len()], tag);
    }
}

/// RFC 5869 appendices A.1 to A.3. Their input keys have 22 and 80 bytes, which the trait does not take;
/// they run through the provider's HMAC, to which the differential tests tie its HKDF.
pub(crate) fn hkdf(crypto: &impl Crypto) {
    let range = |from: u8, to: u8| -> Vec<u8> { (from..=to).collect() };
    let cases = [
        (
            vec![0x0b; 22],
            range(0x00, 0x0c),
            range(0xf0, 0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
             34007208d5b887185865",
        ),
        (
            range(0x00, 0x4f),
            range(0x60, 0xaf),
            range(0xb0, 0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d\
             9d201395faa4b61a96c8",
        ),
    ];
    for (ikm, salt, info, pseudorandom, output) in cases {
        let output = hex(output);
        assert_eq!(
            hkdf_from_hmac(crypto, &salt, &ikm, &info, output.len()),
            Some((hex32(pseudorandom), output))
        );
    }
}

/// AES-256 test cases 13 to 16 of the GCM submission to NIST (McGrew and Viega, appendix B).
pub(crate) fn aes_gcm(crypto: &impl Crypto) {
    const KEY: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                         1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    const SEALED: &str = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                          8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    let zero = "00".repeat(32);
    let cases = [
        (
            &*zero,
            "000000000000000000000000",
            "",
            "",
            "530f8afbc74536b9a963b4f1c4cb738b".to_owned(),
        ),
        (
            &zero,
            "000000000000000000000000",
            "",
            "00000000000000000000000000000000",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919".to_owned(),
        ),
        (
            KEY,
            "cafebabefacedbaddecaf888",
            "",
            PLAIN,
            format!("{SEALED}b094dac5d93471bdec1a502270e3cc6c"),
        ),
        (
            KEY,
            "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            &PLAIN[..120],
            format!("{}76fc6ece0f4e1768cddf8853bb2d551b", &SEALED[..120]),
        ),
    ];
    for (key, nonce, aad, plain, sealed) in cases {
        let (key, nonce) = (secret(key), Nonce(hex(nonce).try_into().unwrap()));
        let mut data = hex(plain);
        crypto.seal(&key, &nonce, &hex(aad), &mut data).unwrap();
        assert_eq!(data, hex(&sealed));
        crypto.open(&key, &nonce, &hex(aad), &mut data).unwrap();
        assert_eq!(data, hex(plain));
    }
}

/// The key of RFC 6979 appendix A.2.5.
fn rfc6979_key() -> (Secret<32>, PublicKey) {
    (
        secret("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"),
        PublicKey {
            x: hex32("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
            y: hex32("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
        },
    )
}

/// Message and signature with SHA-256 of RFC 6979 appendix A.2.5.
const RFC6979: [(&[u8], &str); 2] = [
    (
        b"sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        b"test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
         019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
];

/// The signatures of RFC 6979 verify, and only for their message and key.
pub(crate) fn verify(crypto: &impl Crypto) {
    let (_, public) = rfc6979_key();
    for (message, signature) in RFC6979 {
        let signature = Signature(hex(signature).try_into().unwrap());
        assert_eq!(crypto.verify(&public, message, &signature), Ok(()));
        let rejected = Err(CryptoError::Rejected);
        assert_eq!(crypto.verify(&public, b"another", &signature), rejected);
        // The point with the other sign of y is on the curve as well.
        let mut other = public;
        other.y = hex32("86fc01eef74743675be51616a9d7439b0d0e4df4d28160ae885c3d6b2bb9dd66");
        assert_eq!(crypto.verify(&other, message, &signature), rejected);
    }
}

/// RFC 6979 appendix A.2.5: the nonce is deterministic, so the signature is a vector.
#[test]
fn deterministic_signatures() {
    let (private, public) = rfc6979_key();
    assert_eq!(SoftCrypto.public_key(&private), Ok(public));
    for (message, signature) in RFC6979 {
        assert_eq!(
            SoftCrypto.sign(&private, message),
            Ok(Signature(hex(signature).try_into().unwrap()))
        );
    }
}

/// NIST CAVP, "KAS ECC CDH Primitive", P-256, count 0.
#[test]
fn static_agreement() {
    let private = secret("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534");
    let public = PublicKey {
        x: hex32("ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b230"),
        y: hex32("28af61281fd35e2fa7002523acc85a429cb06ee6648325389f59edfce1405141"),
    };
    let peer = PublicKey {
        x: hex32("700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"),
        y: hex32("db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac"),
    };
    assert_eq!(SoftCrypto.public_key(&private), Ok(public));
    assert_eq!(
        SoftCrypto.agree(&private, &peer).unwrap().expose(),
        &hex32("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b")
    );
}

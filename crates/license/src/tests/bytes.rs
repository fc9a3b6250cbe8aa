//! Bytes that someone altered: every altered message is refused, none makes anything panic.

use alloc::vec;
use alloc::vec::Vec;

use keybearer_cbor::Error as Cbor;
use keybearer_crypto::{Label, Signature};

use super::exchanges::{answer, ask, build};
use super::samples::{bare_acquire, bare_license, info, revocation_list, service};
use super::world::{CRYPTO, TestRng, World, signer};
use crate::LicenseError as E;
use crate::cose::encrypt::{SealContext, Sealed, Shown, enc_structure, seal};
use crate::cose::sign::{Sign1, to_be_signed};
use crate::*;

/// `bytes` with one bit of each byte flipped, one at a time; another bit of the next byte.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).map(|index| {
        let mut altered = bytes.to_vec();
        altered[index] ^= 1 << (index % 8);
        altered
    })
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_certificate_is_refused() {
    let world = World::new();
    let chain = service(&world).chain;
    for index in 0..chain.leaf.len() * 8 {
        let mut altered = chain.clone();
        altered.leaf[index / 8] ^= 1 << (index % 8);
        assert!(verify_service(&CRYPTO, &world.trust(), &altered, Roles::NONE).is_err());
    }
    for issuer in flipped(&chain.issuers[0]) {
        let altered = CertificateChain {
            issuers: vec![issuer],
            ..chain.clone()
        };
        assert!(verify_service(&CRYPTO, &world.trust(), &altered, Roles::NONE).is_err());
    }
}

#[test]
fn a_flipped_bit_or_a_cut_in_an_answer_is_refused() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let bytes = answer(&mut service, &opened, &bare_license());
    let open = |bytes: &[u8]| open_license_answer(&CRYPTO, &pending, &world.trust(), bytes);
    assert!(open(&bytes).is_ok());
    assert!(flipped(&bytes).all(|altered| open(&altered).is_err()));
    assert!((0..bytes.len()).all(|length| open(&bytes[..length]).is_err()));
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(open(&longer).err(), Some(E::Malformed(Cbor::TrailingBytes)));
}

#[test]
fn a_flipped_bit_or_a_cut_in_a_request_is_refused() {
    let world = World::new();
    let service = service(&world);
    let (bytes, _) = build(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let open = |bytes: &[u8]| {
        open_license_request(&CRYPTO, &service.keys(), &world.trust(), bytes).map(|_| ())
    };
    assert_eq!(open(&bytes), Ok(()));
    assert!(flipped(&bytes).all(|altered| open(&altered).is_err()));
    assert!((0..bytes.len()).all(|length| open(&bytes[..length]).is_err()));
}

#[test]
fn a_flipped_bit_in_service_info_or_a_list_is_refused() {
    let world = World::new();
    let mut service = service(&world);
    let identity = &mut service.identity();
    let bytes = seal_service_info(&CRYPTO, identity, &world.anchor, &info()).unwrap();
    let anchor = AnchorRef::Key(&world.anchor);
    for altered in flipped(&bytes) {
        assert!(open_service_info(&CRYPTO, anchor, world.time, &world.revoked, &altered).is_err());
    }
    let bytes = sign_revocation_list(identity, &revocation_list()).unwrap();
    for altered in flipped(&bytes) {
        assert!(open_revocation_list(&CRYPTO, &world.trust(), &altered).is_err());
    }
}

/// An exchange whose signed answer a test may alter before it is sealed.
struct Bench {
    world: World,
    pending: PendingLicense,
    exchange: Exchange,
    signed: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let world = World::new();
        let mut service = service(&world);
        let (pending, opened) = ask(
            &world,
            &service,
            &mut world.device("device"),
            &bare_acquire(),
        );
        let bytes = answer(&mut service, &opened, &bare_license());
        let exchange = opened.exchange;
        let sealed = Sealed::parse(&bytes, 1 << 16).unwrap();
        let key = &pending.common.agreement;
        let context = Self::context(&exchange);
        let public = &exchange.agreement_key;
        let signed = sealed
            .open(&CRYPTO, key, public, &context)
            .unwrap()
            .to_vec();
        Self {
            world,
            pending,
            exchange,
            signed,
        }
    }

    fn context(exchange: &Exchange) -> SealContext<'_> {
        SealContext {
            label: Label::Answer,
            request_id: &exchange.request_id,
            license_id: Some(&LicenseId([0x1c; 16])),
            request: Some(&exchange.request_digest),
            device: exchange.device.as_ref(),
        }
    }

    /// What the device says to `signed`, sealed as the service would.
    fn verdict(&self, signed: &[u8]) -> Option<E> {
        let shown = Shown {
            request_id: false,
            license_id: true,
        };
        let (rng, to) = (&mut TestRng::new("bench"), &self.exchange.agreement_key);
        let context = Self::context(&self.exchange);
        let bytes = seal(&CRYPTO, rng, to, &context, &shown, signed, 1 << 17).unwrap();
        open_license_answer(&CRYPTO, &self.pending, &self.world.trust(), &bytes).err()
    }

    /// What it says to a header and payload that the service itself signed.
    fn verdict_on(&self, protected: &[u8], payload: &[u8]) -> Option<E> {
        use keybearer_crypto::Signer as _;
        let message = to_be_signed(protected, payload).unwrap();
        let signature = signer("service").sign(&message).unwrap();
        self.verdict(&sign1(protected, &[0xa0], payload, &signature))
    }

    fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        keybearer_cbor::decode(&self.signed, 1 << 16, |d| {
            d.array(4..=4, |a| {
                let protected = a.item(|d| d.bytes(1 << 16))?.to_vec();
                a.item(keybearer_cbor::Decoder::raw)?;
                let payload = a.item(|d| d.bytes(1 << 16))?.to_vec();
                a.item(keybearer_cbor::Decoder::raw)?;
                Ok((protected, payload))
            })
        })
        .unwrap()
    }
}

fn sign1(protected: &[u8], unprotected: &[u8], payload: &[u8], signature: &Signature) -> Vec<u8> {
    keybearer_cbor::encode(1 << 16, |e| {
        e.array(|e| {
            e.bytes(protected)?;
            e.raw(unprotected)?;
            e.bytes(payload)?;
            e.bytes(&signature.0)
        })
    })
    .unwrap()
}

#[test]
fn a_flipped_bit_inside_the_seal_is_refused() {
    let bench = Bench::new();
    assert_eq!(bench.verdict(&bench.signed), None);
    assert!(flipped(&bench.signed).all(|altered| bench.verdict(&altered).is_some()));
}

/// Replaces the only occurrence of `from`.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut places = (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from));
    let at = places.next().unwrap();
    assert_eq!(places.next(), None, "not the only occurrence");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// The first entries of an answer's protected header: a map of five, algorithm ESP256.
const HEAD: [u8; 4] = [0xa5, 0x01, 0x28, 0x0d];
/// The version's entry.
const VERSION: [u8; 6] = [0x3a, 0x00, 0x01, 0x00, 0x00, 0x01];

#[test]
fn headers_outside_the_suite_are_refused_by_name() {
    let bench = Bench::new();
    let (protected, payload) = bench.parts();
    assert!(protected.starts_with(&HEAD));
    assert_eq!(bench.verdict_on(&protected, &payload), None);
    // ES256 (-7), which leaves the curve open, and EdDSA (-8).
    for algorithm in [0x26, 0x27] {
        let mut altered = protected.clone();
        altered[2] = algorithm;
        assert_eq!(bench.verdict_on(&altered, &payload), Some(E::Algorithm));
    }
    // The certificates in the header have headers of their own; the message's version stands last.
    let at = protected
        .windows(6)
        .rposition(|window| window == VERSION)
        .unwrap();
    let mut altered = protected.clone();
    altered[at + 5] = 0x02;
    assert_eq!(bench.verdict_on(&altered, &payload), Some(E::Version));
    let typ = b"application/vnd.keybearer.license";
    let at = protected
        .windows(typ.len())
        .rposition(|window| window == typ)
        .unwrap();
    let mut altered = protected.clone();
    altered[at] = b'b';
    assert_eq!(bench.verdict_on(&altered, &payload), Some(E::MessageType));
    // A parameter nobody asked for, for example `crit`.
    let mut altered = protected.clone();
    altered.splice(0..3, [0xa6, 0x01, 0x28, 0x02, 0x80]);
    let unknown = E::Malformed(Cbor::UnknownKey(2));
    assert_eq!(bench.verdict_on(&altered, &payload), Some(unknown));
}

#[test]
fn unprotected_parameters_of_a_signed_message_are_refused() {
    let bench = Bench::new();
    let (protected, payload) = bench.parts();
    let signature = Signature(*bench.signed.last_chunk().unwrap());
    let plain = sign1(&protected, &[0xa0], &payload, &signature);
    assert_eq!(plain, bench.signed);
    let altered = sign1(&protected, &[0xa1, 0x04, 0x40], &payload, &signature);
    assert_eq!(
        bench.verdict(&altered),
        Some(E::Malformed(Cbor::UnknownKey(4)))
    );
}

#[test]
fn a_chain_of_four_in_a_message_is_named_as_such() {
    let bench = Bench::new();
    let (protected, payload) = bench.parts();
    let issuer = bench.world.service_issuer();
    let list = |count: u8| {
        let mut bytes = vec![0x3a, 0x00, 0x01, 0x00, 0x01, 0x80 | count];
        (0..count).for_each(|_| bytes.extend_from_slice(&issuer));
        bytes
    };
    let three = replaced(&protected, &list(1), &list(3));
    assert_eq!(bench.verdict_on(&three, &payload), Some(E::ChainLength));
    let empty = replaced(&protected, &list(1), &list(0));
    assert_eq!(
        bench.verdict_on(&empty, &payload),
        Some(E::Malformed(Cbor::Count))
    );
}

#[test]
fn a_message_without_a_chain_is_refused() {
    let bench = Bench::new();
    let (_, payload) = bench.parts();
    let typ = MessageType::License.media_type();
    let protected = keybearer_cbor::encode(256, |e| {
        e.map(|m| {
            m.entry(1, |e| e.int(-9))?;
            m.entry(16, |e| e.text(typ))?;
            m.entry(-65537, |e| e.uint(1))
        })
    })
    .unwrap();
    let missing = E::Malformed(Cbor::MissingKey(13));
    assert_eq!(bench.verdict_on(&protected, &payload), Some(missing));
}

#[test]
fn bodies_outside_the_schema_are_refused_though_signed() {
    let bench = Bench::new();
    let (protected, payload) = bench.parts();
    assert_eq!(bench.verdict_on(&protected, &payload), None);
    // A claim nobody asked for.
    let mut altered = payload.clone();
    assert_eq!(altered[..2], [0xab, 0x06]);
    altered.splice(0..1, [0xac, 0x01, 0x61, b'x']);
    assert_eq!(
        bench.verdict_on(&protected, &altered),
        Some(E::Malformed(Cbor::UnknownKey(1)))
    );
    // The server's time in more bytes than it needs.
    let time = [0x06, 0x1a, 0x6b, 0x49, 0xd2, 0x00];
    let wide = [0x06, 0x1b, 0x00, 0x00, 0x00, 0x00, 0x6b, 0x49, 0xd2, 0x00];
    let altered = replaced(&payload, &time, &wide);
    assert_eq!(
        bench.verdict_on(&protected, &altered),
        Some(E::Malformed(Cbor::NonMinimal))
    );
    // Something after the body.
    let altered = [payload.as_slice(), &[0xf6]].concat();
    assert_eq!(
        bench.verdict_on(&protected, &altered),
        Some(E::Malformed(Cbor::TrailingBytes))
    );
    // A licence kind that does not exist: -65551.
    let kind = [0x3a, 0x00, 0x01, 0x00, 0x0e, 0x01];
    let altered = replaced(&payload, &kind, &[0x3a, 0x00, 0x01, 0x00, 0x0e, 0x03]);
    assert_eq!(
        bench.verdict_on(&protected, &altered),
        Some(E::Malformed(Cbor::Value))
    );
    // Another request's digest.
    let digest = bench.exchange.request_digest.0;
    let altered = replaced(&payload, &digest, &[0; 32]);
    assert_eq!(
        bench.verdict_on(&protected, &altered),
        Some(E::WrongRequest)
    );
    // Another licence than the envelope's.
    let altered = replaced(&payload, &[0x1c; 16], &[0x1d; 16]);
    assert_eq!(
        bench.verdict_on(&protected, &altered),
        Some(E::WrongLicense)
    );
}

#[test]
fn an_ephemeral_key_off_the_curve_is_refused() {
    let world = World::new();
    let service = service(&world);
    let (bytes, _) = build(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let x = Sealed::parse(&bytes, 1 << 16).unwrap().ephemeral.x;
    let altered = replaced(&bytes, &x, &[0xff; 32]);
    let found = open_license_request(&CRYPTO, &service.keys(), &world.trust(), &altered);
    assert_eq!(found.err(), Some(E::Sealed));
}

#[test]
fn garbage_of_every_length_is_refused() {
    let world = World::new();
    let service = service(&world);
    let (pending, _) = ask(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let anchor = AnchorRef::Key(&world.anchor);
    for length in 0..512 {
        let mut bytes = vec![0; length];
        let mut rng = TestRng::new("garbage");
        keybearer_crypto::Rng::fill(&mut rng, &mut bytes).unwrap();
        assert!(open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes).is_err());
        assert!(open_provision_request(&CRYPTO, &service.keys(), &bytes).is_err());
        assert!(open_revocation_list(&CRYPTO, &world.trust(), &bytes).is_err());
        let info = open_service_info(&CRYPTO, anchor, world.time, &world.revoked, &bytes);
        assert!(info.is_err());
        assert!(ContentInit::from_bytes(&bytes).is_err());
        assert!(CertificateChain::from_bytes(&bytes).is_err());
        assert!(peek_sign1(&bytes).is_err() && peek_encrypt(&bytes).is_err());
        assert!(public_key_from_cose(&bytes).is_err());
    }
}

#[test]
fn a_signature_is_judged_before_the_body() {
    // A body that is no CBOR at all, wrongly signed: the signature is what is wrong with it.
    let bench = Bench::new();
    let (protected, _) = bench.parts();
    let altered = sign1(&protected, &[0xa0], &[0xff, 0xff], &Signature([1; 64]));
    assert_eq!(bench.verdict(&altered), Some(E::Signature));
    assert!(Sign1::parse(&altered, 1 << 16).is_ok());
}

#[test]
fn structures_are_what_they_are_said_to_be() {
    // Enc_structure of the protected header {1: 3}, by hand from RFC 9052 section 5.3.
    let expected = b"\x83\x67Encrypt\x43\xa1\x01\x03\x40";
    assert_eq!(enc_structure(&[0xa1, 0x01, 0x03]).unwrap(), expected);
    // Sig_structure of an empty header and the payload 0x01, from RFC 9052 section 4.4.
    let expected = b"\x84\x6aSignature1\x40\x40\x41\x01";
    assert_eq!(to_be_signed(&[], &[1]).unwrap().as_slice(), expected);
}

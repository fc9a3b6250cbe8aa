//! Envelopes of another shape or suite.

use alloc::vec;
use alloc::vec::Vec;

use keybearer_cbor::Error as Cbor;

use super::exchanges::build;
use super::samples::{bare_acquire, service};
use super::world::{CRYPTO, World};
use crate::LicenseError as E;
use crate::cose::encrypt::Sealed;
use crate::cose::key::encode_key;
use crate::*;

/// A COSE_Encrypt with every part for the test to choose.
struct Envelope {
    protected: Vec<u8>,
    unprotected: Vec<u8>,
    recipient_protected: Vec<u8>,
    recipients: usize,
    wrapped: Vec<u8>,
}

impl Envelope {
    fn good(bytes: &[u8]) -> (Self, Vec<u8>, Vec<u8>) {
        let sealed = Sealed::parse(bytes, 1 << 16).unwrap();
        let header = keybearer_cbor::encode(256, |e| {
            e.map(|m| {
                m.entry(-1, |e| encode_key(e, &sealed.ephemeral))?;
                m.entry(-22, |e| e.bytes(&sealed.request_id.unwrap().0))
            })
        })
        .unwrap();
        let iv = keybearer_cbor::decode(bytes, 1 << 16, |d| {
            d.array(4..=4, |a| {
                a.item(keybearer_cbor::Decoder::raw)?;
                let iv = a.item(keybearer_cbor::Decoder::raw)?.to_vec();
                a.item(keybearer_cbor::Decoder::raw)?;
                a.item(keybearer_cbor::Decoder::raw)?;
                Ok(iv)
            })
        })
        .unwrap();
        let good = Self {
            protected: vec![0xa1, 0x01, 0x03],
            unprotected: iv,
            recipient_protected: vec![0xa1, 0x01, 0x38, 0x18],
            recipients: 1,
            wrapped: vec![],
        };
        (good, header, sealed.ciphertext.to_vec())
    }

    fn bytes(&self, header: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        keybearer_cbor::encode(1 << 16, |e| {
            e.array(|e| {
                e.bytes(&self.protected)?;
                e.raw(&self.unprotected)?;
                e.bytes(ciphertext)?;
                e.list(0..self.recipients, |e, _| {
                    e.array(|e| {
                        e.bytes(&self.recipient_protected)?;
                        e.raw(header)?;
                        e.bytes(&self.wrapped)
                    })
                })
            })
        })
        .unwrap()
    }
}

#[test]
fn envelopes_outside_the_suite_are_refused_by_name() {
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
    let make = || Envelope::good(&bytes);
    let (good, header, ciphertext) = make();
    assert_eq!(good.bytes(&header, &ciphertext), bytes);
    let verdict = |change: fn(&mut Envelope)| {
        let mut envelope = make().0;
        change(&mut envelope);
        open(&envelope.bytes(&header, &ciphertext))
    };
    // A128GCM and ChaCha20/Poly1305 for the content, ECDH-SS and ECDH-ES + A256KW for the key.
    assert_eq!(
        verdict(|e| e.protected = vec![0xa1, 0x01, 0x01]),
        Err(E::Algorithm)
    );
    assert_eq!(
        verdict(|e| e.protected = vec![0xa1, 0x01, 0x18, 0x18]),
        Err(E::Algorithm)
    );
    let ecdh_ss = |e: &mut Envelope| e.recipient_protected = vec![0xa1, 0x01, 0x38, 0x1a];
    assert_eq!(verdict(ecdh_ss), Err(E::Algorithm));
    let wrapping = |e: &mut Envelope| e.recipient_protected = vec![0xa1, 0x01, 0x38, 0x1e];
    assert_eq!(verdict(wrapping), Err(E::Algorithm));
    assert_eq!(
        verdict(|e| e.protected.clear()),
        Err(E::Malformed(Cbor::Truncated))
    );
    assert_eq!(
        verdict(|e| e.recipients = 0),
        Err(E::Malformed(Cbor::Count))
    );
    assert_eq!(
        verdict(|e| e.recipients = 2),
        Err(E::Malformed(Cbor::Count))
    );
    assert_eq!(
        verdict(|e| e.wrapped = vec![0]),
        Err(E::Malformed(Cbor::SizeCap))
    );
    // A nonce of 8 bytes.
    let short = |e: &mut Envelope| e.unprotected = vec![0xa1, 0x05, 0x48, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(verdict(short), Err(E::Malformed(Cbor::Range)));
}

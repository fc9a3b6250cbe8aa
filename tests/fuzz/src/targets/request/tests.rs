//! The seeds reach what they are for, and wrong ways of opening are found out.

use super::*;

#[test]
fn every_golden_request_is_opened_on_every_layer() {
    for (kind, name, body) in bodies(&*TOY) {
        let opened = open(&*TOY, kind, &message(&*TOY, kind, Part::Body(&body)).0);
        assert!(opened.is_ok(), "{name}: {opened:?}");
        judge(&*TOY, kind, Layer::Body, &body, &open).expect("an honest body");
    }
    for (kind, message, signed) in HONEST.iter() {
        assert!(open(&*SOFT, *kind, message).is_ok(), "{kind:?}");
        judge(&*SOFT, *kind, Layer::Message, message, &open).expect("an honest message");
        judge(&*SOFT, *kind, Layer::Signed, signed, &open).expect("an honest message");
    }
}

/// A service that does not look at the message's last byte.
#[test]
fn a_service_that_takes_an_altered_message_is_found_out() {
    let lax = |world: &World<SoftCrypto>, kind, message: &[u8]| {
        let whole = HONEST
            .iter()
            .find(|honest| honest.1.len() == message.len() && honest.1[..20] == message[..20]);
        open(world, kind, whole.map_or(message, |honest| &honest.1))
    };
    let (kind, mut message, mut signed) = HONEST[0].clone();
    message[300] ^= 1;
    assert!(judge(&*SOFT, kind, Layer::Message, &message, &lax).is_err());
    assert!(judge(&*SOFT, kind, Layer::Message, &message, &open).is_ok());
    // The signed form: one that verifies nothing would find the altered claims in it.
    let trusting = |world: &World<SoftCrypto>, kind, _: &[u8]| open(world, kind, &HONEST[0].1);
    signed[300] ^= 1;
    assert!(judge(&*SOFT, kind, Layer::Signed, &signed, &trusting).is_err());
}

/// A service that overlooks a claim, so that it would be lost on writing.
#[test]
fn a_service_that_reads_two_bodies_as_one_is_found_out() {
    let (kind, _, body) = bodies(&*TOY).swap_remove(1);
    let blind = |world: &World<Toy>, kind, message: &[u8]| {
        let mut found = open(world, kind, message)?;
        if let Found::License(opened) = &mut found {
            opened.request.keys.clear();
            opened.request.keys.push(KeyId([0; 16]));
        }
        Ok(found)
    };
    assert!(judge(&*TOY, kind, Layer::Body, &body, &blind).is_err());
}

#[test]
fn a_service_that_holds_too_much_is_found_out() {
    let (kind, message, _) = &HONEST[0];
    let greedy = |world: &World<SoftCrypto>, kind, message: &[u8]| {
        std::hint::black_box(vec![0_u8; 1 << 20]);
        open(world, kind, message)
    };
    assert!(judge(&*SOFT, *kind, Layer::Message, message, &greedy).is_err());
}

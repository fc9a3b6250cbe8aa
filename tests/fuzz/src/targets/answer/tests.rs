//! The seeds reach what they are for, and devices that believe too much are found out.

use super::*;

#[test]
fn every_golden_answer_is_believed_on_every_layer() {
    for (kind, body) in TOY.bodies() {
        let opened = open(&TOY, kind, &message(&TOY, kind, Part::Body(&body)).0);
        assert!(opened.is_ok(), "{kind:?}: {:?}", opened.err());
        judge(&TOY, kind, Layer::Body, &body, &open).expect("an honest body");
    }
    for (kind, message, signed) in HONEST.iter() {
        assert!(open(&SOFT, *kind, message).is_ok(), "{kind:?}");
        judge(&SOFT, *kind, Layer::Message, message, &open).expect("an honest message");
        if sealed(*kind) {
            judge(&SOFT, *kind, Layer::Signed, signed, &open).expect("an honest message");
        }
    }
}

/// A device that verifies no seal and no signature would find the honest claims in these.
#[test]
fn a_device_that_believes_an_altered_message_is_found_out() {
    for (kind, message, signed) in HONEST.iter() {
        let trusting = |asked: &Asked<SoftCrypto>, kind, _: &[u8]| open(asked, kind, message);
        let mut altered = message.clone();
        altered[100] ^= 1;
        assert!(judge(&SOFT, *kind, Layer::Message, &altered, &trusting).is_err());
        assert!(judge(&SOFT, *kind, Layer::Message, &altered, &open).is_ok());
        let mut altered = signed.clone();
        altered[100] ^= 1;
        assert!(judge(&SOFT, *kind, Layer::Signed, &altered, &trusting).is_err());
    }
}

#[test]
fn a_device_that_reads_two_bodies_as_one_is_found_out() {
    let blind = |asked: &Asked<Toy>, kind, message: &[u8]| {
        let mut found = open(asked, kind, message)?;
        if let Found::License(_, license) = &mut found {
            license.least_revocation = 0;
        }
        Ok(found)
    };
    let (kind, body) = TOY.bodies().swap_remove(0);
    assert!(judge(&TOY, kind, Layer::Body, &body, &blind).is_err());
}

#[test]
fn a_device_that_holds_too_much_is_found_out() {
    let (kind, message, _) = &HONEST[0];
    let greedy = |asked: &Asked<SoftCrypto>, kind, message: &[u8]| {
        std::hint::black_box(vec![0_u8; 1 << 20]);
        open(asked, kind, message)
    };
    assert!(judge(&SOFT, *kind, Layer::Message, message, &greedy).is_err());
}

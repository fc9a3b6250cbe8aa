use keybearer_wire::body::MAX_REJECTIONS;

use super::*;
use crate::core::{Caller, Core};
use crate::fake_platform::{FakePlatform, Shared, parts};

const KEY: KeyId = KeyId([1; 16]);
const DECODED: Report = Report {
    rejected: 0,
    decoded: 1,
};

/// Two decoders.
fn decoders() -> [ClientId; 2] {
    let config = crate::anchor::tests::config();
    let mut core = Core::<FakePlatform>::new(parts(&Shared::new(1)), config).unwrap();
    [(); 2].map(|()| core.connect(Caller::Decoder).unwrap())
}

#[test]
fn a_ticket_is_good_once() {
    let [decoder, _] = decoders();
    let mut handover = Handover::new().unwrap();
    handover.issue([1; 16], TrackType::Hd);
    handover.issue([2; 16], TrackType::Audio);
    assert!(handover.waits_for(&[1; 16]) && !handover.waits_for(&[3; 16]));
    assert_eq!(handover.redeem(&[2; 16], decoder, 9), Ok(TrackType::Audio));
    assert!(!handover.waits_for(&[2; 16]));
    let again = handover.redeem(&[2; 16], decoder, 10);
    assert_eq!(again, Err(Status::UnknownTicket));
    assert_eq!(handover.track(decoder, 9), Some(TrackType::Audio));
    assert_eq!(handover.track(decoder, 10), None);
}

#[test]
fn the_oldest_ticket_gives_way() {
    let mut handover = Handover::new().unwrap();
    let names = 1..=u8::try_from(MAX_TICKETS_PER_SESSION).unwrap() + 1;
    for name in names.clone() {
        handover.issue([name; 16], TrackType::Hd);
    }
    let waiting: Vec<bool> = names.map(|name| handover.waits_for(&[name; 16])).collect();
    assert_eq!(waiting, [false, true, true, true, true]);
    assert_eq!(handover.tickets.capacity(), MAX_TICKETS_PER_SESSION);
}

#[test]
fn a_channel_too_many_leaves_the_ticket_good() {
    let [decoder, other] = decoders();
    let mut handover = Handover::new().unwrap();
    for handle in 0..MAX_CHANNELS_PER_SESSION as u64 {
        handover.issue([7; 16], TrackType::Hd);
        handover.redeem(&[7; 16], decoder, handle).unwrap();
    }
    handover.issue([8; 16], TrackType::Hd);
    let full = handover.redeem(&[8; 16], other, 99);
    assert_eq!(full, Err(Status::TooManyChannels));
    handover.close(|handle, _| handle == 2);
    assert_eq!(handover.redeem(&[8; 16], other, 99), Ok(TrackType::Hd));
    assert_eq!(handover.channels.capacity(), MAX_CHANNELS_PER_SESSION);
}

#[test]
fn a_channel_is_its_decoders_own() {
    let [decoder, other] = decoders();
    let mut handover = Handover::new().unwrap();
    for (name, owner) in [(1, decoder), (2, other)] {
        handover.issue([name; 16], TrackType::Sd);
        handover.redeem(&[name; 16], owner, name.into()).unwrap();
    }
    assert_eq!(handover.track(other, 1), None);
    handover.close(|_, owner| owner == decoder);
    assert_eq!(handover.track(decoder, 1), None);
    assert_eq!(handover.track(other, 2), Some(TrackType::Sd));
}

/// What a channel was given and nobody said anything about counts against the key when it goes.
#[test]
fn units_without_a_report_count_as_rejected() {
    let [decoder, _] = decoders();
    let mut handover = Handover::new().unwrap();
    let mut open = |name: u8| {
        handover.issue([name; 16], TrackType::Hd);
        handover.redeem(&[name; 16], decoder, name.into()).unwrap();
        handover.give(name.into(), KEY, 3);
    };
    open(1);
    open(2);
    open(3);
    handover.close(|handle, _| handle != 2);
    assert_eq!(handover.closed(KEY), None, "six of eight");
    handover.report(2, DECODED);
    // Reported once, it is nothing to report again, nor to count.
    handover.report(2, Report::rejected(MAX_REJECTIONS));
    handover.close(|_, _| true);
    assert_eq!(handover.closed(KEY), None);
    handover.issue([4; 16], TrackType::Hd);
    handover.redeem(&[4; 16], decoder, 4).unwrap();
    handover.give(4, KEY, MAX_REJECTIONS as usize);
    handover.close(|_, _| true);
    assert_eq!(handover.closed(KEY), Some(MAX_REJECTIONS));
}

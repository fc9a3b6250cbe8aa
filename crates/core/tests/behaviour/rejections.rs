//! Units that a decoder rejects, and what becomes of their key.

use keybearer_core::ClientId;
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, MAX_REJECTIONS, ReasonField};

use super::protected::{channel, give, playing};
use crate::support::{Device, cenc_use, key, license};

/// Gives a unit under a key and reports on the one before.
fn next(
    device: &mut Device,
    decoder: ClientId,
    at: u64,
    key: u8,
    report: (u32, u32),
) -> Option<Status> {
    let given = give(device, decoder, at, |call| {
        call.key_id = [key; 16];
        (call.rejected, call.decoded) = report;
    });
    given.err()
}

const REJECTED: (u32, u32) = (1, 0);
const DECODED: (u32, u32) = (0, 1);
const NEITHER: (u32, u32) = (0, 0);

fn status(
    device: &mut Device,
    session: u64,
    key: u8,
) -> (KeyStatus, Option<(ReasonField, Option<i64>)>) {
    let report = device.statuses(session).unwrap();
    let keys = report.licenses.iter().flat_map(|license| &license.keys);
    let key = keys
        .into_iter()
        .find(|held| held.key_id == [key; 16])
        .unwrap();
    let reason = key.reasons.0.first();
    (key.status, reason.map(|why| (why.field, why.found)))
}

/// What a closed key says.
fn closed(found: u32) -> (KeyStatus, Option<(ReasonField, Option<i64>)>) {
    let reason = (ReasonField::Rejections, Some(i64::from(found)));
    (KeyStatus::InternalError, Some(reason))
}

#[test]
fn a_row_of_rejections_closes_the_key_and_no_other() {
    let (mut device, mut service, session, decoder) = playing();
    let made = license(2, vec![key(8, cenc_use())]);
    device.acquire(session, &mut service, made).unwrap();
    let at = channel(&mut device, session, decoder);
    assert_eq!(next(&mut device, decoder, at, 7, NEITHER), None);
    for _ in 1..MAX_REJECTIONS {
        assert_eq!(next(&mut device, decoder, at, 7, REJECTED), None);
    }
    assert_eq!(status(&mut device, session, 7), (KeyStatus::Usable, None));
    let sequence = device.statuses(session).unwrap().sequence;
    // The report is heard, and this very call is refused.
    assert_eq!(
        next(&mut device, decoder, at, 7, REJECTED),
        Some(Status::KeyNotUsable)
    );
    assert_eq!(status(&mut device, session, 7), closed(MAX_REJECTIONS));
    assert_eq!(device.statuses(session).unwrap().sequence, sequence + 1);
    assert_eq!(status(&mut device, session, 8).0, KeyStatus::Usable);
    let gave = device.units(
        decoder,
        at,
        &crate::support::samples(&[16]),
        (&[0; 16], &mut [0; 16]),
        |call| {
            call.key_id = [8; 16];
        },
    );
    assert!(gave.is_ok(), "{gave:?}");
    // Another session goes on with its own.
    let other = device.open_kind(&mut service, true).unwrap();
    let made = license(3, vec![key(7, cenc_use())]);
    device.acquire(other, &mut service, made).unwrap();
    let at = channel(&mut device, other, decoder);
    assert_eq!(next(&mut device, decoder, at, 7, NEITHER), None);
}

#[test]
fn only_a_decoded_unit_ends_the_row() {
    let (mut device, _, session, decoder) = playing();
    let at = channel(&mut device, session, decoder);
    let mut play = |report, times| {
        (0..times).for_each(|_| assert_eq!(next(&mut device, decoder, at, 7, report), None));
    };
    for _ in 0..4 {
        play(NEITHER, 3);
        play(REJECTED, MAX_REJECTIONS - 1);
        play(NEITHER, 3);
        play(DECODED, 1);
    }
    play(REJECTED, MAX_REJECTIONS - 1);
    play(NEITHER, 3);
    assert_eq!(
        next(&mut device, decoder, at, 7, REJECTED),
        Some(Status::KeyNotUsable)
    );
}

/// A host that opens decoder after decoder, or lets them die, gains nothing.
#[test]
fn units_of_decoders_that_die_count_and_those_closed_in_order_count_as_told() {
    for in_order in [false, true] {
        let (mut device, _, session, _) = playing();
        for so_far in 0..MAX_REJECTIONS {
            assert_eq!(
                status(&mut device, session, 7).0,
                KeyStatus::Usable,
                "{so_far}"
            );
            let decoder = device.decoder();
            let at = channel(&mut device, session, decoder);
            assert_eq!(next(&mut device, decoder, at, 7, NEITHER), None);
            if in_order {
                device.hang_up(decoder, at, DECODED).unwrap();
            }
            device.core.disconnect(decoder);
        }
        let found = status(&mut device, session, 7);
        let expected = if in_order {
            (KeyStatus::Usable, None)
        } else {
            closed(MAX_REJECTIONS)
        };
        assert_eq!(found, expected);
    }
}

/// Neither a renewal nor another licence, nor one removed and acquired again, opens a closed key.
#[test]
fn a_closed_key_stays_closed_for_its_session() {
    let (mut device, mut service, session, decoder) = playing();
    let at = channel(&mut device, session, decoder);
    assert_eq!(next(&mut device, decoder, at, 7, NEITHER), None);
    assert_eq!(
        next(&mut device, decoder, at, 7, (MAX_REJECTIONS, 0)),
        Some(Status::KeyNotUsable)
    );
    let again = license(2, vec![key(7, cenc_use())]);
    let loaded = device
        .acquire(session, &mut service, again)
        .unwrap()
        .license();
    assert_eq!(
        loaded.keys[0].status,
        KeyStatus::InternalError,
        "told at once"
    );
    device.remove(session, [1; 16]).unwrap();
    device.remove(session, [2; 16]).unwrap();
    let third = license(3, vec![key(7, cenc_use()), key(8, cenc_use())]);
    device.acquire(session, &mut service, third).unwrap();
    assert_eq!(status(&mut device, session, 7), closed(MAX_REJECTIONS));
    assert_eq!(status(&mut device, session, 8).0, KeyStatus::Usable);
    assert_eq!(
        next(&mut device, decoder, at, 7, DECODED),
        Some(Status::KeyNotUsable)
    );
}

/// The part of a row that came before a licence was removed counts after it too.
#[test]
fn a_row_outlives_the_licence_it_began_under() {
    let (mut device, mut service, session, decoder) = playing();
    let at = channel(&mut device, session, decoder);
    next(&mut device, decoder, at, 7, NEITHER);
    next(&mut device, decoder, at, 7, (MAX_REJECTIONS - 1, 0));
    device.remove(session, [1; 16]).unwrap();
    let again = license(2, vec![key(7, cenc_use())]);
    device.acquire(session, &mut service, again).unwrap();
    assert_eq!(
        next(&mut device, decoder, at, 7, REJECTED),
        Some(Status::KeyNotUsable)
    );
}

/// What the decoder says counts even where the rest of its call is refused, and only once.
#[test]
fn a_report_is_heard_in_a_call_that_is_refused() {
    let (mut device, _, session, decoder) = playing();
    let at = channel(&mut device, session, decoder);
    next(&mut device, decoder, at, 7, NEITHER);
    let too_long = |device: &mut Device, report: (u32, u32)| {
        give(device, decoder, at, |call| {
            call.duration_ms = 5_000;
            (call.rejected, call.decoded) = report;
        })
    };
    assert_eq!(
        too_long(&mut device, (MAX_REJECTIONS - 1, 0)),
        Err(Status::DurationTooLong)
    );
    // Nothing was given since, so there is nothing to report on.
    assert_eq!(
        too_long(&mut device, REJECTED),
        Err(Status::DurationTooLong)
    );
    assert_eq!(status(&mut device, session, 7).0, KeyStatus::Usable);
    next(&mut device, decoder, at, 7, NEITHER);
    assert_eq!(
        too_long(&mut device, REJECTED),
        Err(Status::DurationTooLong)
    );
    assert_eq!(status(&mut device, session, 7), closed(MAX_REJECTIONS));
}

//! What waits here of one key's units is shown by what was just said of that key, or not at all.

use super::*;

const OTHER: [u8; 16] = [0x22; 16];
const SMALL: u32 = 32 * 24;

/// Decodes four units of a key that allows small pictures only, some of which wait; from then on what is
/// asked for is unlimited.
fn limited() -> Host {
    let mut host = Host::ready();
    host.keys.state().largest = Some(SMALL);
    for unit in &clip().1[..4] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    assert!(host.shown().len() < 4, "some wait");
    host.keys.state().largest = None;
    host
}

/// How many of the pictures were small, and how many whole.
fn sizes(host: &Host) -> [usize; 2] {
    [(32, 24), (64, 48)].map(|size| {
        let of_size = host.shown().iter().filter(|(_, w, h)| (*w, *h) == size);
        of_size.count()
    })
}

#[test]
fn another_keys_limit_is_not_that_of_what_waits() {
    let units = clip().1;
    let mut host = limited();
    let waiting = 4 - host.shown().len();
    let told = host.decode_under(OTHER, units[8].time, &units[8].bytes);
    let told = told.unwrap();
    assert_eq!(
        told.times.0.len(),
        waiting,
        "they are told with this answer"
    );
    assert_eq!(told.largest, None);
    assert_eq!(sizes(&host), [4, 0]);
    host.flush().unwrap();
    assert_eq!(sizes(&host), [4, 1]);
}

/// A unit of another key could say "as the picture before", even with every byte of it clear.
#[test]
fn another_keys_units_show_nothing_of_what_was_before() {
    let units = clip().1;
    let mut host = limited();
    for unit in &units[4..8] {
        host.decode_under(OTHER, unit.time, &unit.bytes).unwrap();
        assert_eq!(sizes(&host), [4, 0]);
    }
    // And back again: the first key's have to begin anew as well.
    host.decode(units[5].time, &units[5].bytes).unwrap();
    assert_eq!(sizes(&host), [4, 0]);
    for unit in &units[8..] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    host.flush().unwrap();
    assert_eq!(sizes(&host), [4, 2]);
}

/// The same key may have another limit, by a newer licence: it is the same content.
#[test]
fn the_newest_limit_of_the_same_key_holds_for_what_waits() {
    let units = clip().1;
    let mut host = limited();
    let before = host.shown().len();
    for unit in &units[4..] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    host.flush().unwrap();
    assert_eq!(sizes(&host), [before, 10 - before]);
}

#[test]
fn a_key_that_is_refused_changes_nothing_for_the_one_before() {
    let units = clip().1;
    let mut host = limited();
    let before = host.shown().len();
    host.keys.state().refuse = Some(Status::KeyNotUsable);
    let refused = host.decode_under(OTHER, units[8].time, &units[8].bytes);
    assert_eq!(refused, Err(Status::KeyNotUsable));
    assert_eq!(host.shown().len(), before);
    for unit in &units[4..8] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    host.flush().unwrap();
    assert_eq!(host.shown().len(), 8);
}

/// Whoever has lost a key's outputs cannot have the rest of its pictures by asking for them later.
#[test]
fn what_was_allowed_long_ago_is_not_shown() {
    let limit = i64::from(MAX_MEDIA_DURATION_MS);
    for (passed, shown) in [(0, 4), (limit, 4), (limit + 1, 2), (3_600_000, 2), (-1, 2)] {
        let mut host = limited();
        assert_eq!(host.shown().len(), 2, "two wait");
        host.keys.state().refuse = Some(Status::KeyNotUsable);
        let refused = host.decode(9, &clip().1[4].bytes);
        assert_eq!(refused, Err(Status::KeyNotUsable));
        pass(passed);
        let told = host.flush().unwrap().times.0.len();
        assert_eq!((told + 2, host.shown().len()), (shown, shown), "{passed}");
        drop(host);
        // The same where another key's unit comes instead.
        let mut host = limited();
        pass(passed);
        let unit = &clip().1[8];
        host.decode_under(OTHER, unit.time, &unit.bytes).unwrap();
        assert_eq!(sizes(&host), [shown, 0], "{passed}");
        assert_eq!(host.flush().unwrap().times.0.len(), 1);
    }
}

#[test]
fn an_output_that_fails_before_another_key_is_said_and_the_next_unit_is_decoded() {
    let units = clip().1;
    let mut host = limited();
    host.session.output.as_mut().unwrap().broken = true;
    let failed = host.decode_under(OTHER, units[8].time, &units[8].bytes);
    assert_eq!(failed, Err(Status::Platform));
    assert!(host.session.unit.iter().all(|byte| *byte == 0));
    host.session.output.as_mut().unwrap().broken = false;
    host.decode_under(OTHER, units[8].time, &units[8].bytes)
        .unwrap();
    host.flush().unwrap();
    assert_eq!(sizes(&host)[1], 1);
}

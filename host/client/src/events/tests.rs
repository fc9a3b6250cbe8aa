#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::thread;

use KeyStatus::{Expired, OutputRestricted, StatusPending, Usable};
use keybearer_wire::Command;

use super::*;
use crate::fake::{FakeTee, key_report, license, license_of};
use crate::{AnchorDigest, Device, Session, TeeError};

/// Longer than any wait here may last.
const LONG: Duration = Duration::from_secs(60);

fn session(tee: &FakeTee, tick: Duration) -> Session {
    let anchor = AnchorDigest([1; 32]);
    let link = Device::connect(tee).unwrap().open_link(&anchor, b"info");
    Session::with_tick(link.unwrap(), anchor, Cancel::new(), tick)
}

/// A session whose trusted side is asked only when something happens.
fn quiet() -> (FakeTee, Session) {
    let tee = FakeTee::default();
    let session = session(&tee, LONG);
    (tee, session)
}

/// What waits to be read, as (key, old, new).
fn read(events: &StatusEvents) -> Vec<(u8, Option<KeyStatus>, Option<KeyStatus>)> {
    let cancel = Cancel::new();
    std::iter::from_fn(|| events.next(Some(Duration::ZERO), &cancel).unwrap())
        .map(|change| (change.key_id[0], change.old, change.new))
        .collect()
}

#[test]
fn a_subscriber_hears_of_every_change_once_and_in_order() {
    let (tee, session) = quiet();
    tee.hold(vec![license(1, 7, StatusPending)]);
    let events = session.subscribe().unwrap();
    assert_eq!(read(&events), [], "what was before is no change");

    tee.hold(vec![license(1, 7, Usable)]);
    session.statuses().unwrap();
    session.statuses().unwrap();
    tee.hold(vec![license(1, 7, Expired), license(2, 8, Usable)]);
    session.statuses().unwrap();
    tee.hold(vec![license(2, 8, Usable)]);
    session.statuses().unwrap();
    let whole = [
        (7, Some(StatusPending), Some(Usable)),
        (7, Some(Usable), Some(Expired)),
        (8, None, Some(Usable)),
        (7, Some(Expired), None),
    ];
    assert_eq!(read(&events), whole);
    assert_eq!(read(&events), []);
}

#[test]
fn a_change_says_why() {
    let (tee, session) = quiet();
    let events = session.subscribe().unwrap();
    tee.hold(vec![license(1, 7, Expired)]);
    session.statuses().unwrap();
    let change = events.next(None, &Cancel::new()).unwrap().unwrap();
    let field = keybearer_wire::body::ReasonField::NotAfter;
    assert_eq!(
        (change.reasons[0].field, change.reasons[0].wanted),
        (field, Some(5))
    );
}

#[test]
fn each_subscriber_has_changes_of_its_own() {
    let (tee, session) = quiet();
    let first = session.subscribe().unwrap();
    tee.hold(vec![license(1, 7, Usable)]);
    // The second finds the key there already, and its look tells the first.
    let second = session.subscribe().unwrap();
    tee.hold(vec![license(1, 7, Expired)]);
    session.statuses().unwrap();
    assert_eq!(read(&first).len(), 2);
    assert_eq!(read(&second), [(7, Some(Usable), Some(Expired))]);
    drop(first);
    tee.hold(vec![]);
    session.statuses().unwrap();
    assert_eq!(read(&second), [(7, Some(Expired), None)]);
    assert_eq!(second.watch.changes().known().queues.len(), 1);
    drop(second);
    assert!(!session.watch().changes().is_observed());
}

/// Two licences hold the key: what counts is the one it would be used under.
#[test]
fn a_key_is_told_of_by_the_licence_it_would_be_used_under() {
    let (tee, session) = quiet();
    tee.hold(vec![license(1, 7, Usable)]);
    let events = session.subscribe().unwrap();
    tee.hold(vec![license(1, 7, Usable), license(2, 7, OutputRestricted)]);
    session.statuses().unwrap();
    assert_eq!(read(&events), [], "the older one is still usable");
    tee.hold(vec![
        license(1, 7, Expired),
        license(2, 7, OutputRestricted),
    ]);
    session.statuses().unwrap();
    assert_eq!(read(&events), [(7, Some(Usable), Some(OutputRestricted))]);
}

#[test]
fn the_tick_finds_what_time_alone_has_changed() {
    let tee = FakeTee::default();
    let session = session(&tee, Duration::from_millis(1));
    let events = session.subscribe().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| events.next(Some(LONG), &Cancel::new()));
        tee.hold(vec![license(1, 7, Usable)]);
        let change = waiting.join().unwrap().unwrap().unwrap();
        assert_eq!((change.old, change.new), (None, Some(Usable)));
    });
}

#[test]
fn nobody_asks_while_nobody_waits() {
    let tee = FakeTee::default();
    let session = session(&tee, Duration::from_millis(1));
    let events = session.subscribe().unwrap();
    let asked = tee.count(Command::Statuses);
    thread::sleep(Duration::from_millis(30));
    assert_eq!(tee.count(Command::Statuses), asked);
    drop(events);
}

/// Any number of threads wait, and each second is asked for once.
#[test]
fn those_who_wait_share_one_tick() {
    let tee = FakeTee::default();
    let tick = Duration::from_millis(50);
    let session = session(&tee, tick);
    let subscribed = |_| session.subscribe().unwrap();
    let events: Vec<StatusEvents> = (0..8).map(subscribed).collect();
    let before = tee.count(Command::Statuses);
    let start = Instant::now();
    thread::scope(|scope| {
        for events in &events {
            scope.spawn(|| assert_eq!(events.next(Some(tick * 3), &Cancel::new()).unwrap(), None));
        }
    });
    let ticks = start.elapsed().as_millis() / tick.as_millis() + 1;
    let asked = tee.count(Command::Statuses) - before;
    assert!(
        (1..=ticks).contains(&u128::try_from(asked).unwrap()),
        "{asked} of {ticks}"
    );
}

#[test]
fn what_the_client_does_itself_is_heard_of_without_a_tick() {
    let (tee, session) = quiet();
    tee.hold(vec![license(1, 7, Usable)]);
    let events = session.subscribe().unwrap();
    // Between two looks the licence ends, and the renewal that comes makes the key usable again.
    tee.hold(vec![license(1, 7, Expired)]);
    tee.state().grants = vec![license(1, 7, Usable)];
    session.load_license(b"answer").unwrap();
    session.remove_license(&[1; 16]).unwrap();
    let whole = [
        (7, Some(Usable), Some(Expired)),
        (7, Some(Expired), Some(Usable)),
        (7, Some(Usable), None),
    ];
    assert_eq!(read(&events), whole);
}

#[test]
fn statuses_are_not_asked_for_when_nobody_listens() {
    let (tee, session) = quiet();
    tee.state().grants = vec![license(1, 7, Usable)];
    session.load_license(b"answer").unwrap();
    assert_eq!(tee.count(Command::Statuses), 0);
}

#[test]
fn changes_before_the_end_are_still_read_and_then_the_end_is_said() {
    let (tee, session) = quiet();
    let events = session.subscribe().unwrap();
    tee.hold(vec![license(1, 7, Usable)]);
    session.statuses().unwrap();
    drop(session);
    let next = || events.next(Some(LONG), &Cancel::new());
    assert_eq!(next().unwrap().unwrap().new, Some(Usable));
    let ended = next().unwrap_err();
    assert!(
        matches!(
            ended,
            ClientError::Cancelled {
                why: Ended::Session,
                ..
            }
        ),
        "{ended}"
    );
    assert_eq!(tee.state().dropped, 1);
}

#[test]
fn a_trusted_side_that_dies_takes_its_keys_and_a_session_opened_anew_brings_them_back() {
    let tee = FakeTee::default();
    let session = session(&tee, Duration::from_millis(1));
    tee.hold(vec![license(1, 7, Usable)]);
    let events = session.subscribe().unwrap();
    tee.state().dead = 1;
    let next = || events.next(Some(LONG), &Cancel::new());
    assert!(matches!(
        next(),
        Err(ClientError::Tee {
            source: TeeError::Dead,
            ..
        })
    ));
    assert_eq!(read_one(&events), (Some(Usable), None));

    tee.state().held.clear();
    let anchor = AnchorDigest([1; 32]);
    let link = Device::connect(&tee).unwrap().open_link(&anchor, b"info");
    session.replace(link.unwrap()).unwrap();
    tee.hold(vec![license(2, 7, Usable)]);
    assert_eq!(read_one(&events), (None, Some(Usable)));
}

fn read_one(events: &StatusEvents) -> (Option<KeyStatus>, Option<KeyStatus>) {
    let change = events.next(Some(LONG), &Cancel::new()).unwrap().unwrap();
    (change.old, change.new)
}

/// A subscriber that does not read costs no more memory than the session's keys.
#[test]
fn what_nobody_reads_is_drawn_together() {
    let (tee, session) = quiet();
    let events = session.subscribe().unwrap();
    let two = |first, second| {
        let keys = vec![key_report([7; 16], first), key_report([8; 16], second)];
        tee.hold(vec![license_of(1, keys)]);
        session.statuses().unwrap();
    };
    for round in 0..MAX_QUEUED * 2 {
        let status = if round % 2 == 0 { Usable } else { Expired };
        two(status, Usable);
    }
    let queued = events.watch.changes().known().queues[0].1.len();
    assert!(queued <= MAX_QUEUED, "{queued}");
    let read = read(&events);
    // Each begins where the one before it ended, from the beginning to the end.
    let of = |key| read.iter().filter(move |change| change.0 == key);
    assert_eq!(of(8).collect::<Vec<_>>(), [&(8, None, Some(Usable))]);
    let seven: Vec<_> = of(7).collect();
    assert_eq!(
        (seven[0].1, seven[seven.len() - 1].2),
        (None, Some(Expired))
    );
    assert!(seven.windows(2).all(|pair| pair[0].2 == pair[1].1));
}

#[test]
fn drawing_together_keeps_the_order_of_the_last_changes() {
    let change = |key: u8, old, new| KeyChange {
        key_id: [key; 16],
        old,
        new,
        old_largest_picture: None,
        largest_picture: None,
        reasons: vec![],
    };
    let mut queue = VecDeque::from([
        change(1, None, Some(Usable)),
        change(2, Some(Usable), Some(Expired)),
        change(3, Some(Usable), Some(Expired)),
        change(2, Some(Expired), Some(Usable)),
        change(1, Some(Usable), Some(Expired)),
    ]);
    draw_together(&mut queue);
    let whole = [
        change(3, Some(Usable), Some(Expired)),
        change(1, None, Some(Expired)),
    ];
    assert_eq!(queue, whole);
}

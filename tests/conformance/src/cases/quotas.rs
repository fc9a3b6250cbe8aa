//! Nobody takes what belongs to all, and what one takes too much of costs no other anything.

use keybearer_scripted_service::{cenc_use, key, license};
use keybearer_wire::Status;
use keybearer_wire::body::KeyStatus;
use keybearer_wire::limits::{
    MAX_KEYS_PER_SESSION, MAX_LICENSES_PER_SESSION, MAX_SESSIONS, MAX_SESSIONS_PER_CLIENT,
};

use crate::case::{refused, same};
use crate::connection::Connection;
use crate::ground::{Ground, Scene, granting};
use crate::{Case, Fault, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-QUOTA-01",
        promise: "Sessions are limited over all clients; one more is refused and nobody loses one.",
        needs: &[],
        run: all_sessions,
    },
    Case {
        id: "KB-QUOTA-02",
        promise: "One client cannot take every session.",
        needs: &[],
        run: one_clients_sessions,
    },
    Case {
        id: "KB-QUOTA-03",
        promise: "A session holds so many licences and so many keys; one more is refused and those that are there stay.",
        needs: &[],
        run: licences_and_keys,
    },
];

fn all_sessions(ground: &Ground<'_>) -> Verdict {
    let Scene {
        mut service,
        device,
        at,
        ..
    } = ground.ready()?;
    drop(at);
    let tee = device.tee();
    let (anchor, info) = (service.anchor().0, service.info());
    let mut held = Vec::new();
    for _ in 0..MAX_SESSIONS {
        let mut at = Connection::open(&*tee)?;
        let session = at.open_session(anchor, &info)?;
        held.push((at, session));
    }
    let many = Status::TooManySessions;
    let mut late = Connection::open(&*tee)?;
    refused(
        late.open_session(anchor, &info),
        many,
        "one session too many",
    )?;
    for (at, session) in &mut held {
        at.statuses(*session)?;
    }
    // One that is closed makes room for one, and so does one whose connection ends.
    let (at, session) = &mut held[7];
    at.close(*session)?;
    late.open_session(anchor, &info)?;
    refused(late.open_session(anchor, &info), many, "one too many again")?;
    held.remove(0);
    late.open_session(anchor, &info)?;
    refused(
        late.open_session(anchor, &info),
        many,
        "one too many at last",
    )
}

fn one_clients_sessions(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let (anchor, info) = (scene.service.anchor().0, scene.service.info());
    for _ in 1..MAX_SESSIONS_PER_CLIENT {
        scene.at.open_session(anchor, &info)?;
    }
    let many = Status::TooManySessions;
    let greedy = scene.at.open_session(anchor, &info);
    refused(greedy, many, "a greedy client's next session")?;
    let mut other = Connection::open(&*scene.device.tee())?;
    other.open_session(anchor, &info)?;
    scene.at.close(scene.session)?;
    scene.at.open_session(anchor, &info)?;
    refused(
        scene.at.open_session(anchor, &info),
        many,
        "and the next again",
    )
}

fn licences_and_keys(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let number = |count: usize| u8::try_from(count).map_err(|_| Fault("a limit above 255".into()));
    let licenses = number(MAX_LICENSES_PER_SESSION)?;
    for id in 1..=licenses {
        scene.acquire(granting(id, id))?;
    }
    let many = scene.outcome(granting(99, 99))?;
    same(
        many.err(),
        Some(Status::TooManyLicenses),
        "one licence too many",
    )?;
    let held = scene.at.statuses(scene.session)?.licenses;
    let statuses: Vec<_> = held.iter().flat_map(|license| license.statuses()).collect();
    let all = vec![(KeyStatus::Usable, None); usize::from(licenses)];
    same(statuses, all, "the licences that were there")?;

    scene.session = crate::ground::open(&mut scene.at, &mut scene.service)?;
    let keys = |from: u8, to: u8| (from..=to).map(|id| key(id, cenc_use())).collect();
    let most = number(MAX_KEYS_PER_SESSION)?;
    scene.acquire(license(1, keys(1, most - 1)))?;
    let many = scene.outcome(license(2, keys(101, 102)))?;
    same(many.err(), Some(Status::TooManyKeys), "one key too many")?;
    scene.acquire(license(2, keys(101, 101)))?;
    let held = scene.at.statuses(scene.session)?.licenses;
    let count: usize = held.iter().map(|license| license.keys.len()).sum();
    same(count, MAX_KEYS_PER_SESSION, "the keys held")
}

//! Trusted time, and what ends by it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use keybearer_license::{License, Roles, Timing, UnixTime};
use keybearer_scripted_service::seconds;
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, ReasonField};

use crate::case::{hold, refused, same};
use crate::connection::{KEY, Loaded};
use crate::encryption::Batch;
use crate::ground::{Ground, Scene, granting, open};
use crate::{Case, Fault, Need, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-TIME-01",
        promise: "A key that is limited in time waits for trusted time and is usable once it has come.",
        needs: &[Need::Clock, Need::FreshDevice],
        run: limited_keys_wait,
    },
    Case {
        id: "KB-TIME-02",
        promise: "A time answer is for the one request and session that asked, and counts once.",
        needs: &[Need::Clock],
        run: answers_are_for_one_request,
    },
    Case {
        id: "KB-TIME-03",
        promise: "Time comes only from the service that was asked, and only from one with the time role.",
        needs: &[Need::Clock],
        run: only_from_the_service_asked,
    },
    Case {
        id: "KB-TIME-04",
        promise: "A time answer that comes later than 30 seconds brings no time.",
        needs: &[Need::Clock, Need::FreshDevice, Need::MovableClock],
        run: late_answers,
    },
    Case {
        id: "KB-TIME-05",
        promise: "A licence that has ended does not load, and one that begins later is usable in the future.",
        needs: &[Need::Clock],
        run: ended_and_early,
    },
    Case {
        id: "KB-TIME-06",
        promise: "A key ends at the moment that its licence says, by the trusted side's own clock, and the first call after it says why.",
        needs: &[Need::Clock],
        run: ends_at_its_moment,
    },
    Case {
        id: "KB-TIME-07",
        promise: "The playback time runs from the first use, and a refused call is none.",
        needs: &[Need::Clock],
        run: playback_runs_from_the_first_use,
    },
    Case {
        id: "KB-TIME-08",
        promise: "The time that a trusted side goes by never goes back.",
        needs: &[Need::Clock],
        run: never_back,
    },
    Case {
        id: "KB-TIME-09",
        promise: "A service without the time role is not asked for time.",
        needs: &[Need::Clock],
        run: not_asked_without_the_role,
    },
];

fn limited(id: u8, edit: impl FnOnce(&mut Timing)) -> License {
    let mut made = granting(id, 7);
    edit(&mut made.timing);
    made
}

/// Status and first reason of the only key of the only licence.
fn status(scene: &mut Scene) -> Result<(KeyStatus, Option<ReasonField>), Fault> {
    let only = scene.only()?.statuses();
    only.first()
        .copied()
        .ok_or_else(|| Fault("a licence without keys".into()))
}

fn limited_keys_wait(ground: &Ground<'_>) -> Verdict {
    let (mut scene, mut clock) = ground.timeless()?;
    let request = scene.at.request(scene.session, &[KEY])?;
    let evidence = scene.service.read(&request).request.evidence;
    hold(
        !evidence.time_anchored,
        "the evidence claims a time that never came",
    )?;
    let made = limited(1, |timing| timing.license_seconds = seconds(600));
    let answer = scene.service.license(&request, made);
    scene.at.load(scene.session, &answer)?;
    let waiting = (KeyStatus::StatusPending, Some(ReasonField::TrustedTime));
    same(status(&mut scene)?, waiting, "before any time")?;
    let batch = Batch::simple(16);
    let early = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(early, Status::KeyNotUsable, "a use before any time")?;

    let other = open(&mut scene.at, &mut clock)?;
    let request = scene.at.time_request(other, &clock.info())?;
    let answer = clock.time(&request);
    same(
        scene.at.load_time(other, &answer)?,
        None,
        "the time answer's denial",
    )?;
    same(
        status(&mut scene)?,
        (KeyStatus::Usable, None),
        "with the time",
    )?;
    hold(
        batch.comes_out_clear(&mut scene.at, scene.session)?,
        "with the time it decrypts wrongly",
    )
}

fn answers_are_for_one_request(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let Scene {
        service,
        at,
        session,
        ..
    } = &mut scene;
    let request = at.time_request(*session, &service.info())?;
    let answer = service.time(&request);
    let mut damaged = answer.clone();
    damaged[answer.len() / 2] ^= 1;
    refused(
        at.load_time(*session, &damaged),
        Status::BadSignature,
        "a damaged answer",
    )?;
    refused(
        at.load_time(*session, &[0xa0]),
        Status::BadMessage,
        "no message",
    )?;
    let other = open(at, service)?;
    let foreign = at.time_request(other, &service.info())?;
    let foreign = service.time(&foreign);
    let wrong = Status::NotForThisRequest;
    refused(
        at.load_time(*session, &foreign),
        wrong,
        "another session's answer",
    )?;
    refused(
        at.load(*session, &answer),
        wrong,
        "a time answer as a licence",
    )?;
    same(
        at.load_time(*session, &answer)?,
        None,
        "the time answer's denial",
    )?;
    refused(
        at.load_time(*session, &answer),
        wrong,
        "the same answer again",
    )?;
    let request = at.time_request(*session, &service.info())?;
    let denial = service.deny_time(&request);
    hold(
        at.load_time(*session, &denial)?.is_some(),
        "a denial is not reported",
    )
}

fn only_from_the_service_asked(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let Scene {
        service,
        at,
        session,
        ..
    } = &mut scene;
    let request = at.time_request(*session, &service.info())?;
    let cases = [
        (
            "another service",
            service.sibling(ground.number(), "other.example", Roles::TIME),
            Status::WrongService,
        ),
        (
            "a service without the role",
            service.sibling(ground.number(), "service.example", Roles::LICENSE),
            Status::RoleMissing,
        ),
    ];
    for (what, mut signer, status) in cases {
        let answer = service.time_signed_by(&mut signer, &request);
        refused(at.load_time(*session, &answer), status, what)?;
    }
    same(
        at.load_time(*session, &service.time(&request))?,
        None,
        "the denial",
    )
}

fn late_answers(ground: &Ground<'_>) -> Verdict {
    let (mut scene, mut clock) = ground.timeless()?;
    let session = open(&mut scene.at, &mut clock)?;
    let request = scene.at.time_request(session, &clock.info())?;
    let answer = clock.time(&request);
    scene.device.advance(Duration::from_millis(30_500));
    refused(
        scene.at.load_time(session, &answer),
        Status::Late,
        "after 30.5 s",
    )?;
    same(
        scene.at.statuses(session)?.time,
        None,
        "the time after a late answer",
    )?;
    let request = scene.at.time_request(session, &clock.info())?;
    let answer = clock.time(&request);
    scene.device.advance(Duration::from_millis(29_000));
    same(scene.at.load_time(session, &answer)?, None, "after 29 s")?;
    hold(
        scene.at.statuses(session)?.time.is_some(),
        "no time after 29 s",
    )
}

fn ended_and_early(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let now = scene.service.now;
    let ended = limited(1, |timing| timing.not_after = Some(UnixTime(now - 10)));
    same(
        scene.outcome(ended)?.err(),
        Some(Status::LicenseEnded),
        "a licence that has ended",
    )?;
    let early = limited(2, |timing| {
        timing.not_before = Some(UnixTime(now + 3_600));
        timing.not_after = Some(UnixTime(now + 7_200));
    });
    let report = scene.acquire(early)?;
    let future = (KeyStatus::UsableInFuture, Some(ReasonField::NotBefore));
    same(
        report.statuses(),
        vec![future],
        "a licence that begins in an hour",
    )?;
    let used = Batch::simple(16).refusal(&mut scene.at, scene.session, |_| ())?;
    refused(used, Status::KeyNotUsable, "a use before it begins")
}

fn ends_at_its_moment(ground: &Ground<'_>) -> Verdict {
    // On a slow machine the first licence may have ended before it could be used.
    for length in [2, 8, 32] {
        let mut scene = ground.ready()?;
        let asked = Instant::now();
        let made = limited(1, |timing| timing.license_seconds = seconds(length));
        let report = scene.acquire(made)?;
        let loaded = Instant::now();
        let batch = Batch::simple(16);
        let early = batch.refusal(&mut scene.at, scene.session, |_| ())?;
        let length = Duration::from_secs(length.into());
        if asked.elapsed() >= length {
            continue;
        }
        let end = scene.service.now + length.as_secs();
        same(report.ends, Some(end), "the end reported")?;
        same(early?, 16, "a use before its end")?;
        sleep((length + Duration::from_millis(100)).saturating_sub(loaded.elapsed()));
        let over = batch.refusal(&mut scene.at, scene.session, |_| ())?;
        refused(over, Status::KeyNotUsable, "a use after its end")?;
        let expired = (KeyStatus::Expired, Some(ReasonField::LicenseDuration));
        return same(status(&mut scene)?, expired, "after its end");
    }
    Err(Fault("a call takes half a minute: too slow to tell".into()))
}

fn playback_runs_from_the_first_use(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let made = limited(1, |timing| timing.playback_seconds = seconds(1));
    scene.acquire(made)?;
    let batch = Batch::simple(16);
    batch
        .refusal(&mut scene.at, scene.session, |call| {
            call.duration_ms = 5_000
        })?
        .err()
        .ok_or_else(|| Fault("five seconds at once".into()))?;
    sleep(Duration::from_millis(1_100));
    same(
        status(&mut scene)?.0,
        KeyStatus::Usable,
        "before the first use",
    )?;
    hold(
        batch.comes_out_clear(&mut scene.at, scene.session)?,
        "the first use decrypts wrongly",
    )?;
    sleep(Duration::from_millis(1_100));
    let over = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(over, Status::KeyNotUsable, "a use after the playback time")?;
    let expired = (KeyStatus::Expired, Some(ReasonField::PlaybackDuration));
    same(status(&mut scene)?, expired, "after the playback time")
}

fn never_back(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let Scene {
        service,
        at,
        session,
        ..
    } = &mut scene;
    let before = at.statuses(*session)?.time;
    let before = before.ok_or_else(|| Fault("a licence brought no time".into()))?;
    for back in [5, 600] {
        service.now -= back;
        let request = at.time_request(*session, &service.info())?;
        let answer = service.time(&request);
        // Refused or taken: what counts is what the time is then.
        let _ = at.load_time(*session, &answer);
        service.now += back;
        let after = at.statuses(*session)?.time;
        hold(
            after.is_some_and(|after| after >= before),
            "the time went back",
        )?;
    }
    let request = at.request_fresh(*session, &[KEY], &service.info())?;
    let answer = service.license(
        &request,
        limited(2, |timing| {
            timing.not_after = Some(UnixTime(before - 300));
        }),
    );
    match at.load(*session, &answer) {
        Ok(Loaded::License(_)) => Err(Fault("a licence of the past loads".into())),
        other => refused(other, Status::LicenseEnded, "a licence of the past"),
    }
}

fn not_asked_without_the_role(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let mut silent = scene
        .service
        .sibling(ground.number(), "silent.example", Roles::LICENSE);
    let session = open(&mut scene.at, &mut silent)?;
    let info = silent.info();
    let asked = scene.at.time_request(session, &info);
    refused(asked, Status::RoleMissing, "a time request")
}

//! A licence is for one device, session, request and service.

use keybearer_backend::BackendChoice;
use keybearer_license::{DenialReason, Roles, UnixTime, Validity};
use keybearer_scripted_service::Service;
use keybearer_wire::Status;
use keybearer_wire::limits::MAX_PENDING_PER_SESSION;

use crate::case::{hold, refused, same};
use crate::connection::{Connection, Failure, KEY, Loaded};
use crate::ground::{Ground, Scene, granting, open, provision};
use crate::{Case, Chosen, Device, Fault, Need, Subject, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-BIND-01",
        promise: "Of the licences for 4 devices, 4 sessions and 4 keys each loads for the one device, session and request that it answers, and nowhere else.",
        needs: &[],
        run: only_the_diagonal_loads,
    },
    Case {
        id: "KB-BIND-02",
        promise: "An answer loads once, and a second answer to the same request does not load.",
        needs: &[],
        run: an_answer_loads_once,
    },
    Case {
        id: "KB-BIND-03",
        promise: "An answer that was altered or cut anywhere loads nothing and leaves the request waiting for the true one.",
        needs: &[],
        run: altered_answers,
    },
    Case {
        id: "KB-BIND-04",
        promise: "An answer counts only from the service that was asked, under its anchor, with the role and a certificate that has not ended.",
        needs: &[Need::Clock],
        run: only_from_the_service_asked,
    },
    Case {
        id: "KB-BIND-05",
        promise: "A licence request shows its carrier neither key ids nor token nor the device's certificate.",
        needs: &[],
        run: requests_are_sealed,
    },
    Case {
        id: "KB-BIND-06",
        promise: "A challenge serves one request.",
        needs: &[],
        run: a_challenge_serves_once,
    },
    Case {
        id: "KB-BIND-07",
        promise: "A session goes on with the newest certificate of its service and does not go back to an older one, nor to another service.",
        needs: &[],
        run: no_service_downgrade,
    },
    Case {
        id: "KB-BIND-08",
        promise: "No session is opened towards a service that does not lead to the anchor, lacks the role or has ended.",
        needs: &[Need::Clock],
        run: sessions_only_with_services_that_may,
    },
    Case {
        id: "KB-BIND-09",
        promise: "Of too many unanswered requests the oldest is forgotten, and its answer loads no more.",
        needs: &[],
        run: the_oldest_request_is_forgotten,
    },
];

const DEVICES: usize = 4;
const SESSIONS: usize = 4;
const KEYS: u8 = 4;

fn only_the_diagonal_loads(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    // A subject that is one device stands among devices in software.
    let stand_in = Chosen::new(BackendChoice::InProcess);
    let mut devices: Vec<Box<dyn Device>> = Vec::new();
    for number in 0..DEVICES {
        let many = number == 0 || !ground.subject.only_one();
        let from: &dyn Subject = if many { ground.subject } else { &stand_in };
        devices.push(from.device().map_err(Fault)?);
    }
    // A connection for each session: client, device and session are all somebody else's.
    let mut askers: Vec<(Connection, u64)> = Vec::new();
    for device in &devices {
        let tee = device.tee();
        let mut first = Connection::open(&*tee)?;
        let known = first.device_key(service.anchor().0);
        if !known.is_ok_and(|(_, provisioned)| provisioned) {
            provision(&mut first, &mut service)?;
        }
        for _ in 0..SESSIONS {
            let mut at = Connection::open(&*tee)?;
            let session = open(&mut at, &mut service)?;
            askers.push((at, session));
        }
    }
    let mut answers = Vec::new();
    for (asker, (at, session)) in askers.iter_mut().enumerate() {
        for number in 1..=KEYS {
            let info = service.info();
            let request = at.request_fresh(*session, &[[number; 16]], &info)?;
            answers.push((
                asker,
                number,
                service.license(&request, granting(number, number)),
            ));
        }
    }
    for (owner, _, answer) in &answers {
        for (asker, (at, session)) in askers.iter_mut().enumerate() {
            if asker != *owner {
                refused(
                    at.load(*session, answer),
                    Status::NotForThisRequest,
                    &format!("the licence of session {owner} in session {asker}"),
                )?;
            }
        }
    }
    for (owner, number, answer) in &answers {
        let (at, session) = &mut askers[*owner];
        let Loaded::License(license) = at.load(*session, answer)? else {
            return Err(Fault("a licence is loaded as a denial".into()));
        };
        let held: Vec<_> = license.keys.iter().map(|key| key.key_id).collect();
        same(held, vec![[*number; 16]], "the keys of a licence")?;
        let again = at.load(*session, answer);
        refused(again, Status::NotForThisRequest, "the same licence again")?;
    }
    for (at, session) in &mut askers {
        let held = at.statuses(*session)?.licenses.len();
        same(held, usize::from(KEYS), "the licences of a session")?;
    }
    Ok(())
}

fn an_answer_loads_once(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let request = scene.at.request(scene.session, &[KEY])?;
    let answer = scene.service.license(&request, granting(1, 7));
    let another = scene.service.license(&request, granting(2, 7));
    scene.at.load(scene.session, &answer)?;
    let foreign = Status::NotForThisRequest;
    refused(
        scene.at.load(scene.session, &answer),
        foreign,
        "the same answer again",
    )?;
    refused(
        scene.at.load(scene.session, &another),
        foreign,
        "a second answer",
    )?;
    let denial = scene.service.deny(&request, DenialReason::NotAuthorised);
    refused(
        scene.at.load(scene.session, &denial),
        foreign,
        "a denial after the licence",
    )?;
    scene.only().map(|_| ())
}

fn altered_answers(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let request = scene.at.request(scene.session, &[KEY])?;
    let answer = scene.service.license(&request, granting(1, 7));
    let cuts = (0..answer.len())
        .step_by(31)
        .map(|end| answer[..end].to_vec());
    let flips = (0..answer.len()).step_by(13).map(|at| {
        let mut altered = answer.clone();
        altered[at] ^= 1 << (at % 8);
        altered
    });
    for altered in cuts.chain(flips) {
        match scene.at.load(scene.session, &altered) {
            Err(Failure::Refused(
                Status::BadMessage
                | Status::BadSignature
                | Status::NotForThisRequest
                | Status::UnsupportedVersion,
            )) => {}
            Err(other) => return Err(other.into()),
            Ok(_) => return Err(Fault("an altered answer loads".into())),
        }
    }
    hold(
        scene.at.statuses(scene.session)?.licenses.is_empty(),
        "something of an altered answer was kept",
    )?;
    scene.at.load(scene.session, &answer)?;
    Ok(())
}

/// A certificate that ended a minute ago, by the service's clock.
fn ended(service: &Service) -> Validity {
    Validity {
        not_before: UnixTime(service.now - 3_600),
        not_after: UnixTime(service.now - 60),
    }
}

fn only_from_the_service_asked(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let Scene {
        service,
        at,
        session,
        ..
    } = &mut scene;
    // The first answer has told the device the time.
    let request = at.request_fresh(*session, &[KEY], &service.info())?;
    let mut over = service.sibling(ground.number(), "service.example", Roles::LICENSE);
    over.recertify(Roles::LICENSE, ended(service));
    let cases = [
        (
            "another service",
            service.sibling(ground.number(), "other.example", Roles::LICENSE),
            Status::WrongService,
        ),
        (
            "a service without the role",
            service.sibling(ground.number(), "service.example", Roles::TIME),
            Status::RoleMissing,
        ),
        (
            "a stranger",
            Service::new(ground.number()),
            Status::BadChain,
        ),
        (
            "a certificate that has ended",
            over,
            Status::OutsideValidity,
        ),
    ];
    for (what, mut signer, status) in cases {
        let answer = service.license_signed_by(&mut signer, &request, &granting(2, 8));
        refused(at.load(*session, &answer), status, what)?;
    }
    same(
        at.statuses(*session)?.licenses.len(),
        1,
        "the licences held",
    )?;
    let answer = service.license(&request, granting(2, 8));
    at.load(*session, &answer)?;
    Ok(())
}

fn requests_are_sealed(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let kid: [u8; 16] = crate::encryption::noise(16, 3)[..]
        .try_into()
        .unwrap_or(KEY);
    let request = scene.at.request(scene.session, &[kid])?;
    let (key, _) = scene.at.device_key(scene.service.anchor().0)?;
    let secrets: [(&str, &[u8]); 3] = [
        ("a key id", &kid),
        ("the token", b"authorisation token"),
        ("the device's key", &key),
    ];
    for (what, secret) in secrets {
        let shows = secret
            .windows(8)
            .any(|piece| request.windows(8).any(|window| window == piece));
        hold(!shows, format!("the request shows {what}"))?;
    }
    let read = scene.service.read(&request);
    same(read.request.keys.len(), 1, "the keys asked for")?;
    let info = scene.service.info();
    let second = scene.at.request_fresh(scene.session, &[kid], &info)?;
    hold(request != second, "two requests are the same")
}

fn a_challenge_serves_once(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let first = scene.at.request(scene.session, &[KEY])?;
    let none = scene.at.request(scene.session, &[KEY]);
    refused(none, Status::NoChallenge, "a second request")?;
    // An answer brings the next challenge, and so does a newer service info.
    let denial = scene.service.deny(&first, DenialReason::NotAuthorised);
    scene.at.load(scene.session, &denial)?;
    let second = scene.at.request(scene.session, &[KEY])?;
    let info = scene.service.info();
    let third = scene.at.request_fresh(scene.session, &[KEY], &info)?;
    let said = [&first, &second, &third].map(|r| scene.service.read(r).request.challenge);
    hold(
        said[0] != said[1] && said[1] != said[2],
        "two requests with one challenge",
    )
}

fn no_service_downgrade(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let Scene {
        service,
        at,
        session,
        ..
    } = &mut scene;
    let old = service.info();
    let since = |seconds| Validity {
        not_before: UnixTime(service.now - seconds),
        not_after: UnixTime(service.now + 86_400),
    };
    let (newer, newest) = (since(20), since(10));
    service.recertify(Roles::TIME, newer);
    let unfit = service.info();
    service.recertify(Roles::LICENSE, newest);
    let new = service.info();
    let mut sibling = service.sibling(ground.number(), "other.example", Roles::LICENSE);
    let mut ask = |info: &[u8]| at.request_fresh(*session, &[KEY], info);
    refused(
        ask(&sibling.info()),
        Status::WrongService,
        "another service",
    )?;
    let stranger = Service::new(ground.number()).info();
    refused(ask(&stranger), Status::BadChain, "a stranger")?;
    refused(
        ask(&unfit),
        Status::RoleMissing,
        "a certificate without the role",
    )?;
    let request = ask(&new)?;
    refused(ask(&old), Status::StaleServiceInfo, "an older certificate")?;
    same(
        service.read(&request).request.keys.len(),
        1,
        "the request to the newest",
    )
}

fn sessions_only_with_services_that_may(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let anchor = scene.service.anchor().0;
    let service = &mut scene.service;
    let mut spoiled = service.info();
    if let Some(last) = spoiled.last_mut() {
        *last ^= 1;
    }
    let mut unfit = service.sibling(ground.number(), "other.example", Roles::PROVISIONING);
    let mut over = service.sibling(ground.number(), "ended.example", Roles::LICENSE);
    over.recertify(Roles::LICENSE, ended(service));
    let cases = [
        (
            "a stranger",
            Service::new(ground.number()).info(),
            Status::BadChain,
        ),
        ("no message", vec![0xa0], Status::BadMessage),
        ("a spoiled signature", spoiled, Status::BadSignature),
        (
            "a service without the role",
            unfit.info(),
            Status::RoleMissing,
        ),
        (
            "a certificate that has ended",
            over.info(),
            Status::OutsideValidity,
        ),
    ];
    for (what, info, status) in cases {
        refused(scene.at.open_session(anchor, &info), status, what)?;
    }
    Ok(())
}

fn the_oldest_request_is_forgotten(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let mut requests = Vec::new();
    for _ in 0..=MAX_PENDING_PER_SESSION {
        let info = scene.service.info();
        requests.push(scene.at.request_fresh(scene.session, &[KEY], &info)?);
    }
    for (number, request) in (0_u8..).zip(&requests) {
        let answer = scene.service.license(request, granting(number + 1, 7));
        let loaded = scene.at.load(scene.session, &answer);
        if number == 0 {
            refused(
                loaded,
                Status::NotForThisRequest,
                "the oldest request's answer",
            )?;
        } else {
            loaded?;
        }
    }
    Ok(())
}

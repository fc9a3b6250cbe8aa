//! Revocation lists: who has gone wrong, and that nobody forgets it.

use keybearer_license::{Roles, Serial};
use keybearer_rules::Level;
use keybearer_scripted_service::Service;
use keybearer_wire::Status;

use crate::case::{hold, refused, same};
use crate::connection::{Connection, KEY};
use crate::ground::{Ground, Scene, granting};
use crate::{Case, Fault, Need, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-REV-01",
        promise: "A licence that names a newer revocation list waits until that list is loaded.",
        needs: &[],
        run: licences_name_a_list,
    },
    Case {
        id: "KB-REV-02",
        promise: "A revocation list never gives way to an older one, nor to another of the same number.",
        needs: &[],
        run: numbers_rise,
    },
    Case {
        id: "KB-REV-03",
        promise: "A revocation list counts only whole, under the anchor and from a service with the role.",
        needs: &[],
        run: only_true_lists,
    },
    Case {
        id: "KB-REV-04",
        promise: "A service that is revoked opens no session, gets no request and brings no licence.",
        needs: &[],
        run: revoked_services,
    },
    Case {
        id: "KB-REV-05",
        promise: "What was revoked stays revoked across a restart.",
        needs: &[Need::Restart],
        run: revocation_outlives_a_restart,
    },
    Case {
        id: "KB-REV-06",
        promise: "At level Medium no licence loads when a newer revocation list has been due for more than seven days.",
        needs: &[Need::Level(Level::Medium), Need::Clock, Need::Disposable],
        run: lists_age,
    },
];

const DAY: u64 = 24 * 60 * 60;

fn licences_name_a_list(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let (older, number) = (ground.number(), ground.number());
    let anchor = scene.service.anchor().0;
    let request = scene.at.request(scene.session, &[KEY])?;
    let mut made = granting(1, 7);
    made.least_revocation = number;
    let answer = scene.service.license(&request, made);
    let needed = Status::RevocationListNeeded;
    refused(
        scene.at.load(scene.session, &answer),
        needed,
        "without the list",
    )?;
    let list = scene.service.revocation_list(older, &[]);
    scene.at.load_list(anchor, &list)?;
    refused(
        scene.at.load(scene.session, &answer),
        needed,
        "with an older list",
    )?;
    let list = scene.service.revocation_list(number, &[]);
    scene.at.load_list(anchor, &list)?;
    scene.at.load(scene.session, &answer)?;
    Ok(())
}

fn numbers_rise(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let (older, number) = (ground.number(), ground.number());
    let anchor = scene.service.anchor().0;
    let serials = [Serial([1; 16]), Serial([2; 16])];
    let list = scene.service.revocation_list(number, &serials);
    scene.at.load_list(anchor, &list)?;
    let stale = Status::StaleRevocationList;
    let old = scene.service.revocation_list(older, &serials);
    refused(scene.at.load_list(anchor, &old), stale, "an older list")?;
    for fewer in [&serials[..1], &[]] {
        let other = scene.service.revocation_list(number, fewer);
        refused(
            scene.at.load_list(anchor, &other),
            stale,
            "another of the same number",
        )?;
    }
    scene.at.load_list(anchor, &list)?;
    Ok(())
}

fn only_true_lists(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let anchor = scene.service.anchor().0;
    let number = ground.number();
    let right = scene.service.revocation_list(number, &[]);
    let mut spoiled = right.clone();
    if let Some(last) = spoiled.last_mut() {
        *last ^= 1;
    }
    let mut unfit = scene
        .service
        .sibling(ground.number(), "other.example", Roles::LICENSE);
    let stranger = Service::new(ground.number()).revocation_list(number, &[]);
    let cases = [
        ("no message", vec![0xa0], Status::BadMessage),
        ("a spoiled signature", spoiled, Status::BadSignature),
        (
            "a list without the role",
            unfit.revocation_list(number, &[]),
            Status::RoleMissing,
        ),
        ("a stranger's list", stranger, Status::BadChain),
    ];
    for (what, list, status) in cases {
        refused(scene.at.load_list(anchor, &list), status, what)?;
    }
    scene.at.load_list(anchor, &right)?;
    Ok(())
}

/// Revokes the scene's service by the word of another under the anchor.
fn revoke(ground: &Ground<'_>, scene: &mut Scene) -> Verdict {
    let mut other = scene
        .service
        .sibling(ground.number(), "list.example", Roles::REVOCATION);
    let list = other.revocation_list(ground.number(), &[scene.service.serial]);
    scene.at.load_list(scene.service.anchor().0, &list)?;
    Ok(())
}

fn revoked_services(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let anchor = scene.service.anchor().0;
    let request = scene.at.request(scene.session, &[KEY])?;
    let answer = scene.service.license(&request, granting(1, 7));
    revoke(ground, &mut scene)?;
    let revoked = Status::Revoked;
    let info = scene.service.info();
    refused(
        scene.at.load(scene.session, &answer),
        revoked,
        "its licence",
    )?;
    let request = scene.at.request_fresh(scene.session, &[KEY], &info);
    refused(request, revoked, "a request to it")?;
    refused(
        scene.at.open_session(anchor, &info),
        revoked,
        "a session towards it",
    )?;
    refused(
        scene.at.begin(anchor, &info),
        revoked,
        "provisioning with it",
    )?;
    hold(
        scene.at.statuses(scene.session)?.licenses.is_empty(),
        "something of a revoked service's licence was kept",
    )
}

fn revocation_outlives_a_restart(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    revoke(ground, &mut scene)?;
    let Scene {
        mut service,
        mut device,
        at,
        ..
    } = scene;
    drop(at);
    device.restart().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    let session = at.open_session(service.anchor().0, &service.info());
    refused(session, Status::Revoked, "after a restart")
}

fn lists_age(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let anchor = scene.service.anchor().0;
    let list = scene.service.revocation_list(ground.number(), &[]);
    scene.at.load_list(anchor, &list)?;
    // The next list is due in a day, and it may be late by seven. An answer brings the time.
    ground.jump(&mut scene.service, 8 * DAY - 600);
    scene.acquire(granting(2, 8))?;
    ground.jump(&mut scene.service, 1_200);
    let late = scene.outcome(granting(3, 9))?;
    same(
        late.err(),
        Some(Status::RevocationListNeeded),
        "eight days and more",
    )?;
    let list = scene.service.revocation_list(ground.number(), &[]);
    scene.at.load_list(anchor, &list)?;
    scene.acquire(granting(3, 9))?;
    Ok(())
}

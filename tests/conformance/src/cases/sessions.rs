//! Handles and connections: whose is what.

use keybearer_wire::Status;
use keybearer_wire::limits::MAX_SESSIONS;

use crate::case::{hold, refused, same};
use crate::connection::{Connection, KEY};
use crate::encryption::Batch;
use crate::ground::{Ground, Scene, granting, open};
use crate::{Case, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-SESS-01",
        promise: "A session's handle means nothing to another connection, in any command.",
        needs: &[],
        run: foreign_handles,
    },
    Case {
        id: "KB-SESS-02",
        promise: "A handle of a closed session, or an invented one, names no session, in any command.",
        needs: &[],
        run: stale_handles,
    },
    Case {
        id: "KB-SESS-03",
        promise: "However often sessions are closed and opened, no handle comes back.",
        needs: &[],
        run: handles_do_not_come_back,
    },
    Case {
        id: "KB-SESS-04",
        promise: "A connection that ends frees its sessions for others.",
        needs: &[],
        run: connections_free_what_they_held,
    },
    Case {
        id: "KB-SESS-05",
        promise: "Closing a session erases its keys and no other session's.",
        needs: &[],
        run: closing_erases,
    },
];

/// Every command that takes a session's handle is refused as naming none.
fn names_nothing(scene: &mut Scene, at: &mut Connection, session: u64, what: &str) -> Verdict {
    let unknown = Status::UnknownSession;
    let info = scene.service.info();
    refused(at.statuses(session), unknown, &format!("{what}: Statuses"))?;
    refused(
        at.request_fresh(session, &[KEY], &info),
        unknown,
        &format!("{what}: BuildRequest"),
    )?;
    refused(
        at.load(session, &[0xa0]),
        unknown,
        &format!("{what}: LoadAnswer"),
    )?;
    refused(
        at.remove(session, [1; 16]),
        unknown,
        &format!("{what}: RemoveLicense"),
    )?;
    refused(
        at.time_request(session, &info),
        unknown,
        &format!("{what}: BuildTimeRequest"),
    )?;
    refused(
        at.load_time(session, &[0xa0]),
        unknown,
        &format!("{what}: LoadTimeAnswer"),
    )?;
    let decrypted = Batch::simple(64).refusal(at, session, |_| ())?;
    refused(decrypted, unknown, &format!("{what}: Decrypt"))?;
    refused(at.close(session), unknown, &format!("{what}: CloseSession"))
}

fn foreign_handles(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let mut thief = Connection::open(&*scene.device.tee())?;
    let session = scene.session;
    names_nothing(&mut scene, &mut thief, session, "another's handle")?;
    // A session of the thief's own makes the other's no better known.
    let own = open(&mut thief, &mut scene.service)?;
    names_nothing(
        &mut scene,
        &mut thief,
        session,
        "another's handle beside an own",
    )?;
    let none = Batch::simple(64).refusal(&mut thief, own, |_| ())?;
    refused(none, Status::UnknownKey, "another's key in an own session")?;
    hold(
        Batch::simple(64).comes_out_clear(&mut scene.at, session)?,
        "the owner's key decrypts wrongly",
    )
}

fn stale_handles(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let stale = scene.session;
    scene.at.close(stale)?;
    let mut at = Connection::open(&*scene.device.tee())?;
    std::mem::swap(&mut at, &mut scene.at);
    names_nothing(&mut scene, &mut at, stale, "a closed handle")?;
    let next = open(&mut at, &mut scene.service)?;
    hold(
        next != stale,
        "the next session has the handle of the closed one",
    )?;
    names_nothing(
        &mut scene,
        &mut at,
        stale,
        "a closed handle, its place taken",
    )?;
    for invented in [
        0,
        1,
        u64::MAX,
        next ^ 1,
        next ^ (1 << 32),
        next.swap_bytes(),
    ] {
        if invented != next {
            names_nothing(&mut scene, &mut at, invented, "an invented handle")?;
        }
    }
    at.statuses(next)?;
    Ok(())
}

fn handles_do_not_come_back(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let (anchor, info) = (scene.service.anchor().0, scene.service.info());
    let mut known = std::collections::HashSet::new();
    for _ in 0..200 {
        let session = scene.at.open_session(anchor, &info)?;
        hold(known.insert(session), "a handle came back")?;
        scene.at.close(session)?;
    }
    for stale in known {
        refused(
            scene.at.statuses(stale),
            Status::UnknownSession,
            "a closed handle",
        )?;
    }
    Ok(())
}

fn connections_free_what_they_held(ground: &Ground<'_>) -> Verdict {
    let scene = ground.licensed()?;
    let Scene {
        mut service,
        device,
        at,
        ..
    } = scene;
    drop(at);
    let tee = device.tee();
    let (anchor, info) = (service.anchor().0, service.info());
    // More than there are, if connections that have gone kept theirs.
    for _ in 0..3 {
        let mut held = Vec::new();
        for number in 0..MAX_SESSIONS {
            if number % 8 == 0 {
                held.push(Connection::open(&*tee)?);
            }
            let last = held.len() - 1;
            held[last].open_session(anchor, &info)?;
        }
    }
    Ok(())
}

fn closing_erases(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let first = scene.session;
    scene.session = open(&mut scene.at, &mut scene.service)?;
    scene.acquire(granting(1, 7))?;
    scene.at.close(first)?;
    let closed = Batch::simple(16).refusal(&mut scene.at, first, |_| ())?;
    refused(closed, Status::UnknownSession, "the closed session's key")?;
    hold(
        Batch::simple(16).comes_out_clear(&mut scene.at, scene.session)?,
        "the other session's key decrypts wrongly",
    )?;
    let held = scene.at.statuses(scene.session)?.licenses;
    same(held.len(), 1, "the other session's licences")
}

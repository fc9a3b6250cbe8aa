//! Identities: how a device gets one, and what it is bound to.

use keybearer_license::{Denial, DenialReason, Roles};
use keybearer_rules::Level;
use keybearer_scripted_service::Service;
use keybearer_wire::Status;
use keybearer_wire::limits::MAX_ANCHORS;

use crate::case::{hold, refused, same};
use crate::connection::{Connection, KEY, Provisioned};
use crate::ground::{Ground, open, provision};
use crate::{Case, Fault, Need, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-PROV-01",
        promise: "A device without a certificate opens no session and asks for no licence.",
        needs: &[Need::FreshDevice],
        run: nothing_without_a_certificate,
    },
    Case {
        id: "KB-PROV-02",
        promise: "A device is certified at the level that its service certifies, and keeps its key when it is certified again.",
        needs: &[Need::FreshDevice],
        run: certified_as_answered,
    },
    Case {
        id: "KB-PROV-03",
        promise: "An answer that is damaged, of another request, or from another than the service asked certifies nothing.",
        needs: &[Need::FreshDevice],
        run: wrong_answers_certify_nothing,
    },
    Case {
        id: "KB-PROV-04",
        promise: "A provisioning answer counts once, and only for the connection that asked.",
        needs: &[],
        run: an_answer_counts_once,
    },
    Case {
        id: "KB-PROV-05",
        promise: "A denial of provisioning is reported with its reason and certifies nothing.",
        needs: &[Need::FreshDevice],
        run: denials_are_reported,
    },
    Case {
        id: "KB-PROV-06",
        promise: "No provisioning request is made for a service that does not lead to the anchor or lacks the role.",
        needs: &[],
        run: only_for_services_that_may,
    },
    Case {
        id: "KB-PROV-07",
        promise: "A valid certificate is not replaced by one of a lower level.",
        needs: &[Need::FreshDevice, Need::Level(Level::Low)],
        run: no_lower_level,
    },
    Case {
        id: "KB-PROV-08",
        promise: "Erasing an identity closes its sessions and makes another device.",
        needs: &[Need::FreshDevice],
        run: erasing_makes_another_device,
    },
    Case {
        id: "KB-PROV-09",
        promise: "An identity outlives the trusted side's restart, and a session does not.",
        needs: &[Need::Restart],
        run: identities_outlive_a_restart,
    },
    Case {
        id: "KB-PROV-10",
        promise: "A trusted side with built-in anchors serves no other, whoever names it.",
        needs: &[Need::BuiltInAnchors],
        run: only_built_in_anchors,
    },
    Case {
        id: "KB-PROV-11",
        promise: "Under two anchors a device has two keys, two identifiers and two boot identities.",
        needs: &[Need::OwnAnchors],
        run: two_anchors_do_not_link,
    },
    Case {
        id: "KB-PROV-12",
        promise: "Identities are limited in number, and one that is refused costs no other.",
        needs: &[Need::OwnAnchors],
        run: identities_are_limited,
    },
];

fn nothing_without_a_certificate(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    let device = ground.fresh(&service)?;
    let mut at = Connection::open(&*device.tee())?;
    let (anchor, info) = (service.anchor().0, service.info());
    let what = "a session without a certificate";
    refused(at.open_session(anchor, &info), Status::NotProvisioned, what)?;
    at.begin(anchor, &info)?;
    refused(at.open_session(anchor, &info), Status::NotProvisioned, what)?;
    let list = service.revocation_list(ground.number(), &[]);
    refused(
        at.load_list(anchor, &list),
        Status::NotProvisioned,
        "a revocation list",
    )
}

fn certified_as_answered(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    let anchor = service.anchor().0;
    let device = ground.fresh(&service)?;
    let mut at = Connection::open(&*device.tee())?;
    let mut first = None;
    for _ in 0..2 {
        let request = at.begin(anchor, &service.info())?;
        let asked = service.read_provision(&request).request;
        same(
            asked.evidence.level,
            ground.ceiling(),
            "the level in the evidence",
        )?;
        let answer = service.certify(&request);
        let certified = Provisioned::Certified {
            level: ground.ceiling().code(),
            debug: ground.described.debug,
        };
        same(at.finish(anchor, &answer)?, certified, "the certificate")?;
        let (key, provisioned) = at.device_key(anchor)?;
        hold(provisioned, "certified and not provisioned")?;
        let known = *first.get_or_insert((key, asked.ueid));
        same((key, asked.ueid), known, "the key, certified again")?;
    }
    Ok(())
}

fn wrong_answers_certify_nothing(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    let anchor = service.anchor().0;
    let device = ground.fresh(&service)?;
    let mut at = Connection::open(&*device.tee())?;
    let earlier = at.begin(anchor, &service.info())?;
    let stale = service.certify(&earlier);
    let request = at.begin(anchor, &service.info())?;
    let right = service.certify(&request);
    let mut damaged = right.clone();
    damaged[right.len() / 2] ^= 1;
    let mut sibling = service.sibling(ground.number(), "other.example", Roles::PROVISIONING);
    let mut unfit = service.sibling(ground.number(), "service.example", Roles::LICENSE);
    let mut stranger = Service::new(ground.number());
    let cases = [
        ("no message", vec![0xa0], Status::BadMessage),
        ("a damaged answer", damaged, Status::BadSignature),
        (
            "an answer to another request",
            stale,
            Status::NotForThisRequest,
        ),
        (
            "another service's answer",
            service.certify_signed_by(&mut sibling, &request),
            Status::WrongService,
        ),
        (
            "an answer without the role",
            service.certify_signed_by(&mut unfit, &request),
            Status::RoleMissing,
        ),
        (
            "an answer under another anchor",
            service.certify_signed_by(&mut stranger, &request),
            Status::BadChain,
        ),
        (
            "a certificate under another anchor",
            service.certify_under(&stranger, &request),
            Status::BadChain,
        ),
    ];
    for (what, answer, status) in cases {
        refused(at.finish(anchor, &answer), status, what)?;
        let (_, provisioned) = at.device_key(anchor)?;
        hold(!provisioned, format!("{what} certified"))?;
    }
    at.finish(anchor, &right)?;
    Ok(())
}

fn an_answer_counts_once(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    let anchor = service.anchor().0;
    let device = ground.subject.device().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    let mut other = Connection::open(&*device.tee())?;
    let request = at.begin(anchor, &service.info())?;
    let answer = service.certify(&request);
    let none = Status::NoPendingProvisioning;
    refused(
        other.finish(anchor, &answer),
        none,
        "another connection's answer",
    )?;
    at.finish(anchor, &answer)?;
    refused(at.finish(anchor, &answer), none, "the same answer again")
}

fn denials_are_reported(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    let anchor = service.anchor().0;
    let device = ground.fresh(&service)?;
    let mut at = Connection::open(&*device.tee())?;
    let request = at.begin(anchor, &service.info())?;
    let reason = DenialReason::TokenReplayed;
    let answer = service.refuse_provisioning(&request, &Denial::new(reason));
    same(
        at.finish(anchor, &answer)?,
        Provisioned::Denied(reason.code()),
        "the denial",
    )?;
    hold(!at.device_key(anchor)?.1, "denied and provisioned")?;
    let none = Status::NoPendingProvisioning;
    refused(at.finish(anchor, &answer), none, "the same denial again")
}

fn only_for_services_that_may(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    let anchor = service.anchor().0;
    let device = ground.subject.device().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    let mut spoiled = service.info();
    if let Some(last) = spoiled.last_mut() {
        *last ^= 1;
    }
    let mut unfit = service.sibling(ground.number(), "license.example", Roles::LICENSE);
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
    ];
    for (what, info, status) in cases {
        refused(at.begin(anchor, &info), status, what)?;
    }
    Ok(())
}

fn no_lower_level(ground: &Ground<'_>) -> Verdict {
    let mut service = ground.service();
    let anchor = service.anchor().0;
    let device = ground.fresh(&service)?;
    let mut at = Connection::open(&*device.tee())?;
    provision(&mut at, &mut service)?;
    let right = service.certifies;
    service.certifies.0 = Level::None;
    let request = at.begin(anchor, &service.info())?;
    let lower = service.certify(&request);
    refused(
        at.finish(anchor, &lower),
        Status::LowerLevel,
        "a lower level",
    )?;
    service.certifies = right;
    let answer = service.certify(&request);
    at.finish(anchor, &answer)?;
    Ok(())
}

fn erasing_makes_another_device(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let anchor = scene.service.anchor().0;
    let (key, _) = scene.at.device_key(anchor)?;
    let request = scene.at.begin(anchor, &scene.service.info())?;
    let before = scene.service.read_provision(&request).request.ueid;
    let old = scene.service.certify(&request);
    scene.at.erase(anchor)?;
    let gone = scene.at.statuses(scene.session);
    refused(
        gone,
        Status::UnknownSession,
        "a session of the erased identity",
    )?;
    let info = scene.service.info();
    let session = scene.at.open_session(anchor, &info);
    refused(session, Status::NotProvisioned, "a session after erasure")?;
    let request = scene.at.begin(anchor, &info)?;
    let (other, provisioned) = scene.at.device_key(anchor)?;
    hold(key != other && !provisioned, "the key is the same")?;
    let after = scene.service.read_provision(&request).request.ueid;
    hold(before != after, "the device's identifier is the same")?;
    let late = scene.at.finish(anchor, &old);
    refused(late, Status::NotForThisRequest, "a certificate of before")?;
    // Erasing nothing is no error; and the ground is as it was.
    let answer = scene.service.certify(&request);
    scene.at.finish(anchor, &answer)?;
    Ok(())
}

fn identities_outlive_a_restart(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let anchor = scene.service.anchor().0;
    let before = scene.at.device_key(anchor)?;
    let session = scene.session;
    drop(scene.at);
    scene.device.restart().map_err(Fault)?;
    let mut at = Connection::open(&*scene.device.tee())?;
    same(at.device_key(anchor)?, before, "the key after a restart")?;
    let gone = at.statuses(session);
    refused(gone, Status::UnknownSession, "a session of before")?;
    let session = open(&mut at, &mut scene.service)?;
    at.request(session, &[KEY])?;
    Ok(())
}

fn only_built_in_anchors(ground: &Ground<'_>) -> Verdict {
    let device = ground.subject.device().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    let mut stranger = Service::new(ground.number());
    let (anchor, info) = (stranger.anchor().0, stranger.info());
    let unknown = Status::UnknownAnchor;
    refused(at.begin(anchor, &info), unknown, "provisioning")?;
    refused(at.device_key(anchor), unknown, "the device's key")?;
    refused(at.open_session(anchor, &info), unknown, "a session")
}

fn two_anchors_do_not_link(ground: &Ground<'_>) -> Verdict {
    let (mut one, mut other) = (ground.service(), ground.service());
    let device = ground.subject.device().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    let mut said = Vec::new();
    for service in [&mut one, &mut other] {
        provision(&mut at, service)?;
        let session = open(&mut at, service)?;
        let request = at.request(session, &[KEY])?;
        let read = service.read(&request).request;
        let (key, _) = at.device_key(service.anchor().0)?;
        let provisioning = at.begin(service.anchor().0, &service.info())?;
        let ueid = service.read_provision(&provisioning).request.ueid;
        said.push((key, ueid, read.evidence.boot_id));
    }
    hold(said[0].0 != said[1].0, "one key for two anchors")?;
    hold(said[0].1 != said[1].1, "one identifier for two anchors")?;
    hold(said[0].2 != said[1].2, "one boot identity for two anchors")
}

fn identities_are_limited(ground: &Ground<'_>) -> Verdict {
    let device = ground.subject.device().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    let mut kept = Vec::new();
    for _ in 0..MAX_ANCHORS {
        let mut service = ground.service();
        provision(&mut at, &mut service)?;
        kept.push(service);
    }
    let mut beyond = ground.service();
    let (anchor, info) = (beyond.anchor().0, beyond.info());
    refused(
        at.begin(anchor, &info),
        Status::LimitExceeded,
        "one identity too many",
    )?;
    for service in &kept {
        hold(
            at.device_key(service.anchor().0)?.1,
            "an identity was lost for it",
        )?;
    }
    Ok(())
}

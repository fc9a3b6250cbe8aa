//! What a key demands of the place where it is used.

use keybearer_license::{DenialReason, KeyUse};
use keybearer_rules::{DigitalVideo, Level, MinSecurity, TrustedOutputs};
use keybearer_scripted_service::{cenc_use, key, license};
use keybearer_wire::Status;
use keybearer_wire::body::{Isolation, KeyStatus, ReasonField};

use crate::case::{hold, refused, same};
use crate::connection::Loaded;
use crate::encryption::Batch;
use crate::ground::Ground;
use crate::{Case, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-LEVEL-01",
        promise: "A key above the session's level is not kept: a licence with only such keys is answered with the level needed, and beside others such a key is reported with the level wanted and found.",
        needs: &[],
        run: keys_above_this_level,
    },
    Case {
        id: "KB-LEVEL-02",
        promise: "A key at the session's own level is usable.",
        needs: &[],
        run: keys_at_this_level,
    },
    Case {
        id: "KB-LEVEL-03",
        promise: "A key that demands the sandboxed worker is refused in the application's own process and nowhere else.",
        needs: &[],
        run: demands_for_a_worker,
    },
    Case {
        id: "KB-LEVEL-04",
        promise: "A licence that denies its keys at every level is refused as such.",
        needs: &[],
        run: denied_at_every_level,
    },
    Case {
        id: "KB-LEVEL-05",
        promise: "Without a trusted report of outputs a key that demands one is restricted, says so, decrypts nothing and stops no other key.",
        needs: &[],
        run: outputs_without_a_report,
    },
];

/// Every level above that of the subject's clear sessions.
fn above(ground: &Ground<'_>) -> Vec<Level> {
    let all = [Level::Low, Level::Medium, Level::High];
    all.into_iter()
        .filter(|level| *level > ground.level())
        .collect()
}

fn with(edit: impl FnOnce(&mut KeyUse)) -> KeyUse {
    let mut usage = cenc_use();
    edit(&mut usage);
    usage
}

fn keys_above_this_level(ground: &Ground<'_>) -> Verdict {
    for level in above(ground) {
        let mut scene = ground.ready()?;
        let demands = [
            with(|usage| usage.lowest_level = level),
            with(|usage| usage.policy.min_security = MinSecurity::AtLeast(level)),
        ];
        for (id, usage) in (2..).zip(demands) {
            let made = license(1, vec![key(7, usage.clone())]);
            let what = format!("a licence for level {}", level.name());
            let denied = Loaded::Denied {
                reason: DenialReason::LevelTooLow.code(),
                level_needed: Some(level.code()),
            };
            same(scene.answered(made)?, denied, &what)?;

            let mixed = license(id, vec![key(7, usage), key(8, cenc_use())]);
            let report = scene.acquire(mixed)?;
            let expected = vec![
                (KeyStatus::OutputRestricted, Some(ReasonField::Level)),
                (KeyStatus::Usable, None),
            ];
            same(report.statuses(), expected, &what)?;
            let reason = &report.keys[0].reasons.0[0];
            let (wanted, found) = (level.code().into(), ground.level().code().into());
            same(
                (reason.wanted, reason.found),
                (Some(wanted), Some(found)),
                &what,
            )?;
            let barred = Batch::simple(16).refusal(&mut scene.at, scene.session, |_| ())?;
            refused(barred, Status::KeyNotUsable, &what)?;
        }
    }
    Ok(())
}

fn keys_at_this_level(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let usage = with(|usage| usage.lowest_level = ground.level());
    let report = scene.acquire(license(1, vec![key(7, usage)]))?;
    same(
        report.statuses(),
        vec![(KeyStatus::Usable, None)],
        "the key",
    )?;
    same(
        report.keys[0].level,
        ground.level().code(),
        "the level reported",
    )?;
    hold(
        Batch::simple(48).comes_out_clear(&mut scene.at, scene.session)?,
        "the key decrypts wrongly",
    )
}

fn demands_for_a_worker(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let usage = with(|usage| usage.require_worker = true);
    let outcome = scene.outcome(license(1, vec![key(7, usage.clone())]))?;
    if ground.described.isolation == Isolation::InProcess {
        same(
            outcome.err(),
            Some(Status::WorkerRequired),
            "in this process",
        )?;
        let report = scene.acquire(license(2, vec![key(7, usage), key(8, cenc_use())]))?;
        let expected = vec![
            (KeyStatus::OutputRestricted, Some(ReasonField::Worker)),
            (KeyStatus::Usable, None),
        ];
        return same(report.statuses(), expected, "beside another key");
    }
    let found = outcome.map(|report| report.statuses());
    same(
        found,
        Ok(vec![(KeyStatus::Usable, None)]),
        "outside this process",
    )
}

fn denied_at_every_level(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let usage = with(|usage| usage.policy.min_security = MinSecurity::Deny);
    let outcome = scene.outcome(license(1, vec![key(7, usage)]))?;
    same(outcome.err(), Some(Status::UseDenied), "a denied key")
}

fn outputs_without_a_report(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let demanding = with(|usage| {
        usage.policy.digital_video = DigitalVideo::Block;
        usage.policy.trusted_outputs = TrustedOutputs::Required;
    });
    let report = scene.acquire(license(1, vec![key(7, demanding), key(8, cenc_use())]))?;
    let expected = vec![
        (KeyStatus::OutputRestricted, Some(ReasonField::Outputs)),
        (KeyStatus::Usable, None),
    ];
    same(report.statuses(), expected, "the keys")?;
    let batch = Batch::simple(16);
    let restricted = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(restricted, Status::KeyNotUsable, "the restricted key")?;
    batch.refusal(&mut scene.at, scene.session, |call| call.key_id = [8; 16])??;
    Ok(())
}

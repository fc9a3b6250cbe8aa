//! What becomes of a licence: loaded, denied, renewed, removed.

use keybearer_license::{
    DenialReason, LicenseKind, RootId, RootKey, Rotation, TrackType, UnixTime,
};
use keybearer_rules::Level;
use keybearer_scripted_service::{cenc_use, key, license, seconds};
use keybearer_tee::Media;
use keybearer_wire::Status;
use keybearer_wire::body::KeyStatus;

use crate::case::{hold, refused, same};
use crate::connection::{KEY, Loaded};
use crate::encryption::Batch;
use crate::ground::{Ground, granting};
use crate::{Case, Fault, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-LIC-01",
        promise: "A licence is reported with its keys, their use and their status, and the session's report is the same.",
        needs: &[],
        run: reported_as_granted,
    },
    Case {
        id: "KB-LIC-02",
        promise: "A denial is reported with its reason and the level that would suffice, brings no key and ends its request.",
        needs: &[],
        run: denials_are_reported,
    },
    Case {
        id: "KB-LIC-03",
        promise: "Before a licence is loaded, and for keys that no licence holds, nothing is decrypted.",
        needs: &[],
        run: nothing_without_the_key,
    },
    Case {
        id: "KB-LIC-04",
        promise: "A renewal replaces its predecessor at once, with the keys that it names and no others, and must be newer.",
        needs: &[],
        run: renewals_replace,
    },
    Case {
        id: "KB-LIC-05",
        promise: "Unrelated licences stand side by side, and a use is granted under the newest or under the one that the host names.",
        needs: &[],
        run: side_by_side,
    },
    Case {
        id: "KB-LIC-06",
        promise: "A licence that is removed takes its keys along.",
        needs: &[],
        run: removed_with_its_keys,
    },
    Case {
        id: "KB-LIC-07",
        promise: "What this trusted side cannot keep it refuses: stored licences, roots for in-band keys, rotating keys.",
        needs: &[],
        run: what_cannot_be_kept_is_refused,
    },
    Case {
        id: "KB-LIC-08",
        promise: "Every change of a status shows in the session's sequence number.",
        needs: &[],
        run: changes_show,
    },
];

fn reported_as_granted(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let mut sound = cenc_use();
    sound.track = TrackType::Audio;
    let made = license(3, vec![key(7, cenc_use()), key(8, sound)]);
    let report = scene.acquire(made)?;
    same(
        (report.id, report.sequence, report.ends),
        ([3; 16], 1, None),
        "the licence",
    )?;
    let found: Vec<_> = report
        .keys
        .iter()
        .map(|key| {
            (
                key.key_id,
                key.status,
                key.track_type,
                key.scheme,
                key.reasons.0.len(),
            )
        })
        .collect();
    let (hd, audio) = (TrackType::Hd.code(), TrackType::Audio.code());
    let granted = vec![
        (KEY, KeyStatus::Usable, hd, 1, 0),
        ([8; 16], KeyStatus::Usable, audio, 1, 0),
    ];
    same(found, granted, "the keys")?;
    same(scene.only()?, report, "the session's report")
}

fn denials_are_reported(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let request = scene.at.request(scene.session, &[KEY])?;
    let denial = scene.service.deny(&request, DenialReason::LevelTooLow);
    let denied = Loaded::Denied {
        reason: DenialReason::LevelTooLow.code(),
        level_needed: Some(Level::High.code()),
    };
    same(scene.at.load(scene.session, &denial)?, denied, "the denial")?;
    let late = scene.service.license(&request, granting(1, 7));
    let loaded = scene.at.load(scene.session, &late);
    refused(
        loaded,
        Status::NotForThisRequest,
        "a licence after the denial",
    )?;
    let held = scene.at.statuses(scene.session)?.licenses;
    hold(held.is_empty(), "a denied session holds a licence")
}

fn nothing_without_the_key(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let batch = Batch::simple(64);
    let unknown = Status::UnknownKey;
    let before = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(before, unknown, "before any licence")?;
    scene.at.request(scene.session, &[KEY])?;
    let asked = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(asked, unknown, "while the request is under way")?;
    scene.acquire(granting(1, 8))?;
    let other = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(other, unknown, "with a licence for another key")?;
    scene.acquire(granting(2, 7))?;
    let clear = batch.comes_out_clear(&mut scene.at, scene.session)?;
    hold(clear, "with the licence it decrypts wrongly")
}

fn renewals_replace(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let both = license(1, vec![key(7, cenc_use()), key(8, cenc_use())]);
    scene.acquire(both)?;
    let info = scene.service.info();
    let request = scene.at.renewal(scene.session, [1; 16], &info)?;
    let stale = scene.service.license(&request, granting(1, 7));
    let stale = scene.at.load(scene.session, &stale);
    refused(stale, Status::StaleSequence, "a renewal of the same number")?;
    let mut newer = granting(1, 7);
    newer.sequence = 2;
    let answer = scene.service.license(&request, newer);
    scene.at.load(scene.session, &answer)?;
    let held = scene.only()?;
    same(
        (held.sequence, held.keys.len()),
        (2, 1),
        "the licence after the renewal",
    )?;
    let batch = Batch::simple(32);
    let dropped = batch.refusal(&mut scene.at, scene.session, |call| call.key_id = [8; 16])?;
    refused(
        dropped,
        Status::UnknownKey,
        "a key that the renewal left out",
    )?;
    hold(
        batch.comes_out_clear(&mut scene.at, scene.session)?,
        "the renewed key decrypts wrongly",
    )?;
    let info = scene.service.info();
    let none = scene.at.renewal(scene.session, [9; 16], &info);
    refused(none, Status::UnknownLicense, "a renewal of no licence")
}

fn side_by_side(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    // The same key id under two licences, of which the newer leaves less clear.
    scene.acquire(granting(1, 7))?;
    let mut strict = cenc_use();
    strict.max_clear_bytes = Some(4);
    scene.acquire(license(2, vec![key(7, strict)]))?;
    same(
        scene.at.statuses(scene.session)?.licenses.len(),
        2,
        "the licences held",
    )?;
    let secret = keybearer_scripted_service::secret(7);
    let batch = Batch::new(secret, &cenc_use(), &[&[(16, 32)]]);
    let newest = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(
        newest,
        Status::ClearRangeTooLarge,
        "under the newest licence",
    )?;
    let mut request = batch.request(scene.session);
    request.license = Some([1; 16]);
    let mut data = batch.protected.clone();
    scene.at.decrypt(&request, Media::InPlace(&mut data))?;
    hold(
        data == batch.clear,
        "under the licence named it decrypts wrongly",
    )?;
    let none = batch.refusal(&mut scene.at, scene.session, |call| {
        call.license = Some([3; 16])
    })?;
    refused(none, Status::UnknownLicense, "under no licence")
}

fn removed_with_its_keys(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let unknown = Status::UnknownLicense;
    refused(
        scene.at.remove(scene.session, [2; 16]),
        unknown,
        "another licence",
    )?;
    scene.at.remove(scene.session, [1; 16])?;
    refused(
        scene.at.remove(scene.session, [1; 16]),
        unknown,
        "the same again",
    )?;
    let gone = Batch::simple(16).refusal(&mut scene.at, scene.session, |_| ())?;
    refused(gone, Status::UnknownKey, "a key of a removed licence")?;
    hold(
        scene.at.statuses(scene.session)?.licenses.is_empty(),
        "a removed licence is still reported",
    )
}

fn what_cannot_be_kept_is_refused(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let mut stored = granting(1, 7);
    stored.kind = LicenseKind::Stored;
    let mut rooted = granting(1, 7);
    rooted.roots.push(RootKey {
        root_id: RootId([1; 16]),
        key: keybearer_crypto::Secret::copied_from(&[3; 32]),
        usage: cenc_use(),
        first_period: 0,
        last_period: 9,
    });
    let mut rotating = granting(1, 7);
    rotating.rotation = Some(Rotation {
        period_index: 4,
        period_start: UnixTime(scene.service.now),
        period_seconds: seconds(60).ok_or_else(|| Fault("sixty is not zero".into()))?,
    });
    let cases = [
        ("a stored licence", stored, Status::StoredNotSupported),
        ("a root", rooted, Status::NotSupported),
        ("rotating keys", rotating, Status::NotSupported),
    ];
    for (what, made, status) in cases {
        same(scene.outcome(made)?.err(), Some(status), what)?;
    }
    let stored = scene
        .at
        .request_with(scene.session, &[KEY], |ask| ask.stored = true);
    refused(
        stored,
        Status::StoredNotSupported,
        "a request for a stored licence",
    )?;
    hold(
        scene.at.statuses(scene.session)?.licenses.is_empty(),
        "something of a refused licence was kept",
    )
}

fn changes_show(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let mut last = scene.at.statuses(scene.session)?.sequence;
    let mut risen = |sequence: u64, what: &str| {
        let rose = sequence > last;
        last = sequence;
        hold(rose, format!("{what} does not show"))
    };
    scene.acquire(granting(1, 7))?;
    risen(scene.at.statuses(scene.session)?.sequence, "a licence")?;
    scene.at.remove(scene.session, [1; 16])?;
    risen(scene.at.statuses(scene.session)?.sequence, "its removal")
}

//! Keys that change while a file is played, licences that make room, and a trusted side that dies.

use keybearer_media::{MediaReader, Part};
use keybearer_wire::body::LicenseReport;

use super::*;
use crate::fake::{self, FakeNetwork, FakeTee, key_report};
use crate::{Cancel, Ended};

/// A licence with one key, `usable`; the file's own key is number 0.
fn granted(id: u8, key: u8) -> LicenseReport<'static> {
    let key_id = if key == 0 { KEY_ID } else { [key; 16] };
    fake::license_of(id, vec![key_report(key_id, KeyStatus::Usable)])
}

struct Scene {
    tee: FakeTee,
    network: FakeNetwork,
    client: Client,
    session: Session,
}

fn scene(grants: Vec<LicenseReport<'static>>) -> Scene {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    tee.state().grants = grants;
    let client = fake::client(&tee, &network);
    let session = client.open_session().unwrap();
    Scene {
        tee,
        network,
        client,
        session,
    }
}

impl Scene {
    fn licensed(&self) -> Licensed<'_> {
        Licensed::new(&self.client, &self.session, Some(b"grant".to_vec())).unwrap()
    }

    /// The key ids of every request so far, by their first bytes.
    fn asked(&self) -> Vec<Vec<u8>> {
        let state = self.tee.state();
        let ids = |ids: &Vec<KeyId>| ids.iter().map(|id| id[0]).collect();
        state.asked.iter().map(ids).collect()
    }

    fn held(&self) -> Vec<u8> {
        let state = self.tee.state();
        state.held.iter().map(|held| held.license[0]).collect()
    }
}

/// Decrypts the first batch of the file.
fn decrypt(licensed: &mut Licensed<'_>) -> Result<(), ClientError> {
    let mut reader = MediaReader::open(std::fs::File::open(FILE).unwrap()).unwrap();
    let presentation = reader.shared_presentation();
    loop {
        if let Some(Part::Fragment(fragment)) = reader.next_part().unwrap() {
            let (tracks, media) = fragment.split();
            let track = &tracks[0];
            let batch = track.batches(licensed.limit()).next().unwrap();
            let data = &mut media[batch.range()];
            let entry = &presentation.tracks[track.track].entries[track.entry];
            let batch = TrackBatch {
                track: &presentation.tracks[track.track],
                entry,
                protection: batch.protection().unwrap(),
                batch,
            };
            return licensed.decrypt(&batch, data);
        }
    }
}

#[test]
fn only_what_is_missing_is_asked_for_and_all_of_it_at_once() {
    let both = fake::license_of(
        2,
        vec![
            key_report([2; 16], KeyStatus::Usable),
            key_report([3; 16], KeyStatus::Usable),
        ],
    );
    let scene = scene(vec![granted(1, 1), both]);
    let mut licensed = scene.licensed();
    licensed.prepare(&[[1; 16]], &[]).unwrap();
    licensed.prepare(&[[1; 16], [2; 16], [3; 16]], &[]).unwrap();
    licensed.prepare(&[[3; 16], [1; 16]], &[]).unwrap();
    licensed.prepare(&[], &[]).unwrap();
    assert_eq!(scene.asked(), [vec![1], vec![2, 3]]);
    let ids: Vec<u8> = licensed
        .licenses()
        .iter()
        .map(|license| license.id[0])
        .collect();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn what_another_thread_has_acquired_meanwhile_is_used() {
    let scene = scene(vec![granted(1, 0)]);
    let mut licensed = scene.licensed();
    let wanted = LicenseWanted {
        key_ids: vec![KEY_ID],
        ..LicenseWanted::default()
    };
    scene.client.acquire(&scene.session, &wanted).unwrap();
    licensed.prepare(&[KEY_ID], &[]).unwrap();
    decrypt(&mut licensed).unwrap();
    assert_eq!(scene.asked().len(), 1);
}

#[test]
fn a_key_that_has_ended_is_asked_for_again() {
    let scene = scene(vec![granted(2, 0)]);
    let ended = key_report(KEY_ID, KeyStatus::Expired);
    scene.tee.hold(vec![fake::license_of(1, vec![ended])]);
    let mut licensed = scene.licensed();
    licensed.prepare(&[KEY_ID], &[]).unwrap();
    decrypt(&mut licensed).unwrap();
    assert_eq!(scene.asked().len(), 1);
}

/// Keys rotate for longer than a session has room: what was of use longest ago goes, and comes back when
/// it is needed.
#[test]
fn a_session_that_is_full_gives_up_what_was_of_use_longest_ago() {
    let grants = [(1, 0), (2, 2), (3, 3), (4, 4), (5, 0)];
    let scene = scene(grants.map(|(id, key)| granted(id, key)).to_vec());
    scene.tee.state().room = Some(2);
    let mut licensed = scene.licensed();
    licensed.prepare(&[KEY_ID], &[]).unwrap();
    licensed.prepare(&[[2; 16]], &[]).unwrap();
    // The first is used after the second came, so the second goes.
    decrypt(&mut licensed).unwrap();
    licensed.prepare(&[[3; 16]], &[]).unwrap();
    assert_eq!(scene.held(), [1, 3]);
    licensed.prepare(&[[4; 16]], &[]).unwrap();
    assert_eq!(scene.held(), [3, 4]);
    // One answer, loaded again once there was room.
    assert_eq!(scene.network.count("/v1/license"), 4);
    decrypt(&mut licensed).unwrap();
    assert_eq!(scene.asked().len(), 5);
    assert_eq!(scene.held(), [4, 5]);
}

#[test]
fn licences_that_are_needed_together_do_not_push_each_other_out() {
    let scene = scene(vec![granted(1, 1), granted(2, 2)]);
    scene.tee.state().room = Some(1);
    // Nor does one that somebody else has acquired.
    for foreign in [false, true] {
        if foreign {
            scene.tee.state().grants = vec![granted(3, 3)];
        }
        let mut licensed = scene.licensed();
        let wanted: &[KeyId] = if foreign {
            &[[3; 16]]
        } else {
            &[[1; 16], [2; 16]]
        };
        let full = licensed.prepare(wanted, &[]).unwrap_err();
        assert!(is_refusal(&full, Status::TooManyLicenses), "{full}");
        assert_eq!(scene.held(), [1]);
    }
}

#[test]
fn a_key_that_nobody_asked_for_is_named_and_not_sent() {
    let scene = scene(vec![granted(1, 1)]);
    let mut licensed = scene.licensed();
    licensed.prepare(&[[1; 16]], &[]).unwrap();
    let missing = decrypt(&mut licensed).unwrap_err();
    assert!(
        matches!(&missing, ClientError::KeysMissing { key_ids, .. } if *key_ids == [KEY_ID]),
        "{missing}"
    );
    assert_eq!(scene.tee.count(Command::Decrypt), 0);
}

#[test]
fn time_that_alone_is_missing_is_brought() {
    let mut pending = key_report(KEY_ID, KeyStatus::StatusPending);
    pending.reasons.0[0].field = ReasonField::TrustedTime;
    let pending = fake::license_of(1, vec![pending]);
    let scene = scene(vec![pending]);
    let mut licensed = scene.licensed();
    // The licence came too late to bring it.
    licensed.prepare(&[KEY_ID], &[]).unwrap();
    assert_eq!(scene.network.count("/v1/time"), 1);
    // It is found to be missing when the key is used: the same call again, then.
    scene.tee.state().refuse = Some((Command::Decrypt, Status::KeyNotUsable));
    decrypt(&mut licensed).unwrap();
    assert_eq!(scene.network.count("/v1/time"), 2);
    assert_eq!(scene.tee.count(Command::Decrypt), 2);
}

#[test]
fn a_trusted_side_that_dies_is_opened_anew_with_the_same_keys() {
    let scene = scene(vec![granted(1, 0), granted(2, 0)]);
    let events = scene.session.subscribe().unwrap();
    scene.tee.state().dies_after = Some(1);
    let mut licensed = scene.licensed();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mp4");
    let played = decrypt_file(Path::new(FILE), &output, &mut licensed, &mut |_| ()).unwrap();
    assert_eq!(played.key_ids, [KEY_ID]);
    assert_eq!(scene.asked(), [[KEY_ID[0]], [KEY_ID[0]]]);
    assert_eq!(scene.held(), [2]);
    assert_eq!(scene.tee.state().connections, 2);
    // Whoever watches the session sees the key go and come back.
    let next = || events.next(Some(Duration::ZERO), &Cancel::new());
    let seen = std::iter::from_fn(|| next().unwrap().map(|change| change.new));
    let (usable, gone) = (Some(KeyStatus::Usable), None);
    assert_eq!(seen.collect::<Vec<_>>(), [usable, gone, usable]);
}

fn dead() -> ClientError {
    ClientError::Tee {
        during: "decrypting",
        source: TeeError::Dead,
    }
}

/// One that dies of what it is given would die of it for ever.
#[test]
fn a_trusted_side_that_keeps_dying_is_given_up() {
    let scene = scene((1..20).map(|id| granted(id, 0)).collect());
    let mut licensed = scene.licensed();
    licensed.prepare(&[KEY_ID], &[]).unwrap();
    for _ in 0..RECOVERIES {
        scene.tee.state().held.clear();
        assert!(licensed.recover(&dead()));
    }
    assert!(!licensed.recover(&dead()));
    // After a while it may live again.
    let before = Instant::now().checked_sub(RECOVERY_TIME * 2).unwrap();
    licensed.recoveries.iter_mut().for_each(|at| *at = before);
    assert!(licensed.recover(&dead()));
}

#[test]
fn only_death_is_recovered_from() {
    let scene = scene(vec![]);
    let mut licensed = scene.licensed();
    let refused = |status| ClientError::Refused {
        during: "decrypting",
        status,
    };
    assert!(!licensed.recover(&refused(Status::KeyNotUsable)));
    assert_eq!(scene.tee.state().connections, 1);
    // Somebody erased the identity and with it the session: as good as dead.
    assert!(licensed.recover(&refused(Status::UnknownSession)));
}

#[test]
fn why_a_dead_trusted_side_stays_so_is_told() {
    let scene = scene(vec![granted(1, 0)]);
    let mut licensed = scene.licensed();
    licensed.prepare(&[KEY_ID], &[]).unwrap();
    scene.network.state().down = true;
    assert!(!licensed.recover(&dead()));
    assert!(matches!(
        licensed.unrecovered(),
        Some(ClientError::Http { .. })
    ));
    scene.network.state().down = false;
    // The service refuses: nothing is granted any more.
    assert!(!licensed.recover(&dead()));
    assert!(matches!(
        licensed.unrecovered(),
        Some(ClientError::Denied(_))
    ));
}

#[test]
fn keys_of_times_gone_by_do_not_keep_the_others_from_coming_back() {
    let scene = scene(vec![granted(1, 1), granted(2, 0)]);
    let mut licensed = scene.licensed();
    licensed.prepare(&[[1; 16], KEY_ID], &[]).unwrap();
    scene.tee.state().grants = vec![granted(3, 0)];
    scene.tee.state().held.clear();
    // The service gives the one key and refuses the other.
    assert!(licensed.recover(&dead()));
    decrypt(&mut licensed).unwrap();
}

#[test]
fn the_trigger_ends_play_wherever_it_is() {
    let scene = scene(vec![granted(1, 0)]);
    scene.network.state().silent = true;
    let cancel = Cancel::new();
    let client = scene.client.cancelled_by(&cancel);
    let mut licensed = Licensed::new(&client, &scene.session, None).unwrap();
    licensed.go_on().unwrap();
    let asking = std::thread::scope(|scope| {
        let asking = scope.spawn(|| licensed.prepare(&[KEY_ID], &[]));
        while scene.network.count("/v1/license") == 0 {
            std::thread::yield_now();
        }
        cancel.cancel();
        asking.join().unwrap()
    });
    for ended in [asking, licensed.go_on()] {
        assert!(
            matches!(
                ended,
                Err(ClientError::Cancelled {
                    why: Ended::Caller,
                    ..
                })
            ),
            "{ended:?}"
        );
    }
}

//! Keys of different levels in one content: each where it may be, and nothing quietly for less.

use keybearer_client::{
    ClientError, DenialReason, KeyStatus, Level, LicenseWanted, Licensed, PlaybackError, Route,
    SampleDecryptor, Status, play_protected,
};

use crate::world::{Shown, World, sample};

const BOTH: &str = "cenc-both.mp4";

fn split(key: &mut keybearer_server::KeySpec, picture: bool) {
    key.lowest_level = if picture { Level::High } else { Level::Medium };
}

/// One licence, in the session of level High, holds both keys; the one of the clear session what Medium
/// may have, and the service says why not more.
#[test]
fn keys_of_two_levels_lie_in_one_licence_and_play_side_by_side() {
    let world = World::high(&[BOTH], split);
    let (protected, clear) = world.sessions();
    let file = keybearer_tests::samples::all();
    let file = file.iter().find(|file| file.file == BOTH).expect("there");
    let wanted = LicenseWanted {
        key_ids: file.tracks.iter().map(|track| track.kid).collect(),
        ..LicenseWanted::default()
    };
    let both = world.client.acquire(protected.session(), &wanted);
    let both = both.expect("High may have both");
    let levels: Vec<Level> = both.keys.iter().map(|key| key.lowest_level).collect();
    assert_eq!((both.keys.len(), levels.contains(&Level::High)), (2, true));
    assert!(both.keys.iter().all(|key| key.status == KeyStatus::Usable));

    let fewer = world.client.acquire_keys(&clear, &wanted);
    let fewer = fewer.expect_err("Medium may not have the picture's");
    let ClientError::KeysMissing {
        key_ids,
        denial: Some(denial),
    } = &fewer
    else {
        panic!("{fewer}")
    };
    assert_eq!(key_ids[..], [file.tracks[0].kid]);
    assert_eq!(denial.reason, Some(DenialReason::LevelTooLow));
    assert_eq!(denial.level_needed, Some(Level::High));
    assert!(fewer.to_string().contains("level needed high"), "{fewer}");
    let held = clear.statuses().expect("told");
    assert_eq!(held.licenses[0].keys.len(), 1, "the sound's");

    let mut player = world.player(&protected, &clear, Route::AsNeeded);
    let mut shown = Shown::default();
    let summary = play_protected(&sample(BOTH), &mut player, &mut shown).expect("side by side");
    assert_eq!((summary.accepted, summary.clear_samples), (50, 95));
}

/// Where no key needs it, the decoder gets nothing: all is played in the clear session.
#[test]
fn what_needs_no_decoder_gets_none() {
    let world = World::high(&[BOTH], |key, _| key.lowest_level = Level::Medium);
    let (protected, clear) = world.sessions();
    let mut player = world.player(&protected, &clear, Route::AsNeeded);
    let mut shown = Shown::default();
    let summary = play_protected(&sample(BOTH), &mut player, &mut shown).expect("all clear");
    assert_eq!(
        (summary.track, summary.units, summary.clear_samples),
        (None, 0, 145)
    );
    assert_eq!(world.levels_in_the_log(), ["medium"]);
}

/// A clear session is refused such a key before the first sample, with the level it needs.
#[test]
fn a_clear_session_is_told_the_level_before_anything_is_played() {
    let world = World::high(&[BOTH], split);
    let clear = world.client.open_session().expect("open");
    let mut licensed = Licensed::new(&world.client, &clear, None).expect("open");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.mp4");
    let played =
        keybearer_client::decrypt_file(&sample(BOTH), &out, &mut licensed, &mut |progress| {
            panic!("nothing is played: {progress:?}")
        });
    let Err(PlaybackError::Decryptor(error)) = played else {
        panic!("{played:?}")
    };
    assert!(error.to_string().contains("level needed high"), "{error}");
    assert!(!out.exists());
}

/// Where the certificate says less than the trusted side could, that decides, and no session helps.
#[test]
fn a_device_certified_for_less_is_told_so_in_a_protected_session_too() {
    let world = World::high(&[BOTH], split);
    let tee = std::sync::Arc::new(keybearer_tee_optee::OpteeTee);
    // A fresh identity, certified for Medium.
    let mut device = keybearer_client::Device::connect(&*tee).expect("a device");
    device
        .erase_identity(&world.service.anchor())
        .expect("erased");
    drop(device);
    let token = world.service.factory_token(&*tee, Level::Medium);
    let certified = world
        .client
        .provision(&token.expect("a token"), keybearer_tests::service::MODEL);
    assert_eq!(certified.expect("certified").level, Level::Medium);
    let (protected, clear) = world.sessions();
    let mut player = world.player(&protected, &clear, Route::AsNeeded);
    let refused = play_protected(&sample(BOTH), &mut player, &mut Shown::default());
    let Err(PlaybackError::Decryptor(ClientError::Denied(denial))) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(denial.level_needed, Some(Level::High));
    assert_eq!(
        world.levels_in_the_log(),
        ["medium"],
        "never more than that"
    );
}

/// The kinds of session are told apart on this side already, and by the trusted side for whoever lies.
#[test]
fn a_protected_session_gives_nothing_clear_back() {
    let world = World::high(&[BOTH], split);
    let (protected, clear) = world.sessions();
    let mut licensed =
        Licensed::new(&world.client, protected.session(), None).expect("it has licences");
    let name = sample(BOTH);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.mp4");
    let played = keybearer_client::decrypt_file(&name, &out, &mut licensed, &mut |_| ());
    let Err(PlaybackError::Decryptor(ClientError::Refused { status, .. })) = played else {
        panic!("{played:?}")
    };
    assert_eq!(status, Status::WrongSessionKind);
    assert!(licensed.memory(4096).is_none(), "and it lends no memory");
    assert!(!out.exists());
    drop(clear);
}

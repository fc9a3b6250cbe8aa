//! What is refused: each by name, and never with a file.

use std::num::NonZeroU32;
use std::time::Duration;

use keybearer_client::{
    AnchorDigest, Cancel, Client, ClientError, Denial, DenialReason, KeyStatus, Level, ReasonField,
    Status, TeeError,
};
use keybearer_license::{Scheme, TrackType};
use keybearer_server::ContentSpec;

use crate::world::{MODEL, World, content, sample_file, wanted};

fn denial(error: ClientError) -> Denial {
    match error {
        ClientError::Denied(denial) => denial,
        other => panic!("expected a denial: {other}"),
    }
}

fn status(error: ClientError) -> Status {
    match error {
        ClientError::Refused { status, .. } => status,
        other => panic!("expected a refusal: {other}"),
    }
}

/// A content of one file with something changed.
fn changed(file: &str, change: impl Fn(&mut ContentSpec)) -> (World, Client) {
    let world = World::new();
    let client = world.device("device");
    let mut spec = content(&sample_file(file));
    change(&mut spec);
    world.put(spec);
    (world, client)
}

#[test]
fn a_device_without_certificate_is_told_to_get_one() {
    let world = World::new();
    let client = world.new_device("device");
    let error = client.open_session().unwrap_err();
    assert!(
        error.to_string().contains("provision the device"),
        "{error}"
    );
    assert_eq!(status(error), Status::NotProvisioned);
}

#[test]
fn a_token_serves_one_device_once() {
    let world = World::new();
    let token = world.token();
    world.new_device("one").provision(&token, MODEL).unwrap();
    let other = world.new_device("other");
    let refused = denial(other.provision(&token, MODEL).unwrap_err());
    assert_eq!(refused.reason, Some(DenialReason::EnrolmentRefused));
    assert_eq!(refused.rule.as_deref(), Some("token-used"));
    assert!(!other.device_key().unwrap().provisioned);
    // A device that has never begun has no key to show either.
    let error = world.new_device("third").device_key().unwrap_err();
    assert_eq!(status(error), Status::NotProvisioned);
}

#[test]
fn a_service_of_another_operator_is_not_trusted() {
    let world = World::new();
    let stranger = AnchorDigest([0x5a; 32]);
    let client = Client::new(
        world.tee("device"),
        world.server.url().parse().unwrap(),
        stranger,
    );
    let error = client.provision(&world.token(), MODEL).unwrap_err();
    assert!(error.to_string().contains("anchor"), "{error}");
    assert_eq!(status(error), Status::BadChain);
    assert_eq!(world.server.registry().totals().unwrap().provisions, 0);
}

#[test]
fn a_key_that_the_service_does_not_know_is_denied() {
    let world = World::new();
    let client = world.device("device");
    let refused = denial(world.refused(&client, "cenc-video.mp4"));
    assert_eq!(refused.reason, Some(DenialReason::KeyUnknown));
}

#[test]
fn half_the_keys_are_not_enough() {
    let (world, client) = changed("cenc-both.mp4", |spec| spec.keys.truncate(1));
    let missing = sample_file("cenc-both.mp4").keys[1].id;
    let error = world.refused(&client, "cenc-both.mp4");
    assert!(
        matches!(&error, ClientError::KeysMissing { key_ids, denial: Some(denial) }
            if *key_ids == [missing] && denial.reason == Some(DenialReason::KeyUnknown)),
        "{error}"
    );
    assert!(error.to_string().contains(&hex::encode(missing)), "{error}");
    // Once for both, once for what was left out, and no more.
    let totals = world.server.registry().totals().unwrap();
    assert_eq!((totals.licenses, totals.denials), (1, 1));
}

#[test]
fn a_key_of_another_scheme_is_refused() {
    let (world, client) = changed("cenc-video.mp4", |spec| spec.keys[0].scheme = Scheme::Cens);
    assert_eq!(
        status(world.refused(&client, "cenc-video.mp4")),
        Status::WrongScheme
    );
}

#[test]
fn a_key_of_another_iv_size_is_refused() {
    use keybearer_license::IvKind;
    let (world, client) = changed("cenc-video.mp4", |spec| {
        spec.keys[0].iv = IvKind::PerSample8
    });
    assert_eq!(
        status(world.refused(&client, "cenc-video.mp4")),
        Status::WrongIv
    );
}

#[test]
fn a_key_for_sound_does_not_open_pictures() {
    let (world, client) = changed("cenc-video.mp4", |spec| {
        spec.keys[0].track = TrackType::Audio
    });
    assert_eq!(
        status(world.refused(&client, "cenc-video.mp4")),
        Status::WrongTrackType
    );
    let (world, client) = changed("cbcs-audio.mp4", |spec| spec.keys[0].track = TrackType::Hd);
    assert_eq!(
        status(world.refused(&client, "cbcs-audio.mp4")),
        Status::WrongTrackType
    );
}

#[test]
fn a_picture_larger_than_the_key_allows_is_refused() {
    let (world, client) = changed("cenc-video.mp4", |spec| {
        spec.keys[0].max_pixels = NonZeroU32::new(100)
    });
    assert_eq!(
        status(world.refused(&client, "cenc-video.mp4")),
        Status::PictureTooLarge
    );
}

#[test]
fn a_key_for_a_higher_level_is_denied_with_the_level_needed() {
    let (world, client) = changed("cenc-video.mp4", |spec| {
        spec.keys[0].lowest_level = Level::Medium
    });
    let refused = denial(world.refused(&client, "cenc-video.mp4"));
    assert_eq!(refused.reason, Some(DenialReason::LevelTooLow));
    assert_eq!(refused.level_needed, Some(Level::Medium));
}

#[test]
fn a_content_that_needs_a_token_is_denied_without_one() {
    let (world, client) = changed("cenc-video.mp4", |spec| spec.open = false);
    let refused = denial(world.refused(&client, "cenc-video.mp4"));
    assert_eq!(refused.reason, Some(DenialReason::TokenMissing));
    assert!(
        refused
            .to_string()
            .contains("obtain a new authorisation token"),
        "{refused}"
    );
}

/// The end is said with its reason, and whoever plays once more asks the service, which may have more
/// time for it.
#[test]
fn a_licence_that_has_ended_is_explained_and_asked_for_anew() {
    let (world, client) = changed("cenc-video.mp4", |spec| {
        spec.timing.license_seconds = NonZeroU32::new(1);
    });
    let sample = sample_file("cenc-video.mp4");
    let session = client.open_session().unwrap();
    let (cancel, key) = (Cancel::new(), [sample.keys[0].id]);
    let events = session.subscribe().unwrap();
    client.acquire(&session, &wanted(&sample)).unwrap();
    let next = || events.next(Some(Duration::from_secs(60)), &cancel);
    let heard = [next(), next()].map(|change| change.unwrap().unwrap().new);
    assert_eq!(heard, [Some(KeyStatus::Usable), Some(KeyStatus::Expired)]);
    let refused = session.wait_usable(&key, Some(Duration::ZERO), &cancel);
    let refused = refused.unwrap_err();
    let ClientError::KeyNotUsable {
        status, reasons, ..
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (*status, reasons[0].field),
        (KeyStatus::Expired, ReasonField::LicenseDuration)
    );
    assert!(refused.to_string().contains("duration"), "{refused}");
    world.play(&client, &session, &sample.file).unwrap();
    assert_eq!(world.server.registry().totals().unwrap().licenses, 2);
}

/// One licence, offered to whom it is not for.
#[test]
fn a_licence_serves_one_device_one_session_and_one_request() {
    let world = World::new();
    let sample = sample_file("cenc-video.mp4");
    world.serve(&sample);
    let [one, two] = ["one", "two"].map(|name| world.device(name));
    let session = one.open_session().unwrap();
    let request = session.license_request(&wanted(&sample)).unwrap();
    let answer = world.post("/v1/license", &request).body;

    let foreign = |client: &Client, ask: bool| {
        let session = client.open_session().unwrap();
        if ask {
            session.license_request(&wanted(&sample)).unwrap();
        }
        let refused = status(session.load_license(&answer).unwrap_err());
        assert_eq!(refused, Status::NotForThisRequest);
        assert!(session.statuses().unwrap().licenses.is_empty());
    };
    for ask in [false, true] {
        foreign(&two, ask);
        foreign(&one, ask);
    }
    assert!(session.load_license(&answer).is_ok());
    assert_eq!(
        status(session.load_license(&answer).unwrap_err()),
        Status::NotForThisRequest
    );
    assert_eq!(session.statuses().unwrap().licenses.len(), 1);
}

/// A changed or cut answer is refused and spoils nothing: the right one still loads.
#[test]
fn a_damaged_answer_is_refused_and_the_right_one_still_loads() {
    let world = World::new();
    let sample = sample_file("cenc-video.mp4");
    world.serve(&sample);
    let client = world.device("device");
    let session = client.open_session().unwrap();
    let request = session.license_request(&wanted(&sample)).unwrap();
    let answer = world.post("/v1/license", &request).body;
    for at in (0..answer.len()).step_by(7) {
        let mut changed = answer.clone();
        changed[at] ^= 0x10;
        assert!(session.load_license(&changed).is_err(), "byte {at} changed");
        assert!(session.load_license(&answer[..at]).is_err(), "cut at {at}");
    }
    assert!(session.statuses().unwrap().licenses.is_empty());
    assert!(session.load_license(&answer).is_ok());
}

#[test]
fn more_than_an_interface_takes_is_refused_before_it_is_sent() {
    let world = World::new();
    let client = world.device("device");
    let session = client.open_session().unwrap();
    let mut too_many = wanted(&sample_file("cenc-video.mp4"));
    too_many.key_ids = (0..65).map(|n: u8| [n; 16]).collect();
    let error = session.license_request(&too_many).unwrap_err();
    assert!(matches!(error, ClientError::Input { .. }), "{error}");
}

#[test]
fn a_second_program_on_one_state_directory_is_refused() {
    use keybearer_backend::{BackendChoice, BackendOptions, detect};
    let world = World::new();
    let _client = world.device("device");
    let options = BackendOptions::new(world.folder.path().join("device"));
    let error = detect(BackendChoice::Auto, &options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("in use by another process"), "{error}");
    // The kind of error that it is not: a core that died.
    assert!(!error.contains(&TeeError::Dead.to_string()));
}

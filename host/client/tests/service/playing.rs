//! What works: from a token to a clear file.

use keybearer_client::{Client, Enrollment, Isolation, KeyStatus, Level, TrackType};
use keybearer_server::EnrolmentToken;

use crate::world::{MODEL, World, content, media, sample_file, sample_files, sample_path, wanted};

#[test]
fn every_sample_file_is_licensed_and_decrypted_to_its_clear_counterpart() {
    let world = World::new();
    let client = world.device("device");
    let mut played = 0;
    for sample in sample_files().iter().filter(|sample| !sample.rotation) {
        world.serve(sample);
        let session = client.open_session().unwrap();
        let summary = world.play(&client, &session, &sample.file).unwrap();
        assert_eq!(summary.key_ids.len(), sample.keys.len(), "{}", sample.file);
        assert_eq!(
            media(&world.output()),
            media(&sample_path(&sample.clear)),
            "{}",
            sample.file
        );
        played += 1;
    }
    assert!(played > 20);
    let totals = world.server.registry().totals().unwrap();
    assert_eq!(
        (totals.provisions, totals.licenses, totals.denials),
        (1, played, 0)
    );
}

#[test]
fn a_device_says_what_it_is_and_is_certified_for_no_more() {
    let world = World::new();
    let client = world.new_device("device");
    let said = client.describe().unwrap();
    assert_eq!(
        (said.level, said.isolation),
        (Level::Low, Isolation::InProcess)
    );
    let certified = client.provision(&world.token(), MODEL).unwrap();
    assert_eq!((certified.level, certified.debug), (Level::Low, false));
    assert!(client.device_key().unwrap().provisioned);
}

/// The file that an operator hands out is all that a device needs.
#[test]
fn an_enrolment_bundle_leads_to_a_certificate() {
    let world = World::new();
    let registry = world.server.registry();
    let wanted = EnrolmentToken {
        tenant: "default".into(),
        model: None,
        valid_seconds: 60,
    };
    let minted = registry.mint_enrolment(&wanted).unwrap();
    let bundle = registry.bundle(&minted).unwrap().to_string();
    let enrollment = Enrollment::parse(bundle.as_bytes()).unwrap();
    assert_eq!(enrollment.anchor, world.anchor());
    let client = Client::new(world.tee("device"), enrollment.url, enrollment.anchor);
    let certified = client.provision(&enrollment.token.unwrap(), MODEL).unwrap();
    assert_eq!(certified.level, Level::Low);
}

#[test]
fn a_certificate_outlives_the_program() {
    let world = World::new();
    let sample = sample_file("cbcs-video.mp4");
    world.serve(&sample);
    drop(world.device("device"));
    let client = world.new_device("device");
    let session = client.open_session().unwrap();
    assert!(world.play(&client, &session, &sample.file).is_ok());
}

#[test]
fn a_licence_brings_statuses_and_trusted_time() {
    let world = World::new();
    let client = world.device("device");
    let sample = sample_file("cenc-both.mp4");
    world.serve(&sample);
    let session = client.open_session().unwrap();
    assert!(session.statuses().unwrap().licenses.is_empty());
    let license = client.acquire(&session, &wanted(&sample)).unwrap();
    assert_eq!((license.sequence, license.keys.len()), (1, 2));

    let statuses = session.statuses().unwrap();
    let time = statuses.time.expect("the licence came with a time");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(time.abs_diff(now.as_secs()) <= 2, "{time}");
    for key in &sample.keys {
        let held = statuses.key(&key.id).unwrap();
        assert_eq!((held.status, held.reasons.len()), (KeyStatus::Usable, 0));
        assert_eq!(
            held.track_type,
            if key.audio {
                TrackType::Audio
            } else {
                TrackType::Sd
            }
        );
    }

    session.remove_license(&license.id).unwrap();
    assert!(session.statuses().unwrap().licenses.is_empty());
}

#[test]
fn time_alone_can_be_fetched() {
    let world = World::new();
    let client = world.device("device");
    let session = client.open_session().unwrap();
    client.sync_time(&session).unwrap();
    assert!(session.statuses().unwrap().time.is_some());
}

/// The same session plays on with the keys it has; nothing is asked for twice.
#[test]
fn keys_that_are_held_are_not_asked_for_again() {
    let world = World::new();
    let client = world.device("device");
    let sample = sample_file("cens-video.mp4");
    world.serve(&sample);
    let session = client.open_session().unwrap();
    for _ in 0..3 {
        world.play(&client, &session, &sample.file).unwrap();
    }
    assert_eq!(world.server.registry().totals().unwrap().licenses, 1);
}

#[test]
fn sessions_in_many_threads_do_not_disturb_each_other() {
    let world = World::new();
    let client = world.device("device");
    let sample = sample_file("cbc1-video.mp4");
    world.serve(&sample);
    let clear = media(&sample_path(&sample.clear));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (client, sample, clear, world) = (&client, &sample, &clear, &world);
            scope.spawn(move || {
                let session = client.open_session().unwrap();
                let mut decryptor =
                    keybearer_client::Licensed::new(client, &session, None).unwrap();
                let output = world.folder.path().join(format!("clear-{thread}.mp4"));
                let input = sample_path(&sample.file);
                keybearer_client::decrypt_file(&input, &output, &mut decryptor, &mut |_| ())
                    .unwrap();
                assert_eq!(media(&output), *clear);
            });
        }
    });
    assert_eq!(world.server.registry().totals().unwrap().licenses, 8);
}

#[test]
fn a_file_whose_keys_change_is_played_with_all_of_them() {
    for name in ["cenc-periods-video.mp4", "cbcs-periods-video.mp4"] {
        let world = World::new();
        let client = world.device("device");
        let sample = sample_file(name);
        world.put(content(&sample));
        let session = client.open_session().unwrap();
        let summary = world.play(&client, &session, name).unwrap();
        let keys: Vec<_> = sample.keys.iter().map(|key| key.id).collect();
        assert_eq!(summary.key_ids, keys, "{name}");
        assert_eq!(media(&world.output()), media(&sample_path(&sample.clear)));
    }
}

#[test]
fn a_file_whose_tracks_belong_to_two_contents_is_played_with_two_licences() {
    let world = World::new();
    let client = world.device("device");
    let sample = sample_file("cenc-both.mp4");
    let [mut first, mut second] = [content(&sample), content(&sample)];
    first.keys.truncate(1);
    second.keys.remove(0);
    second.id = "second".into();
    world.put(first);
    world.put(second);
    let session = client.open_session().unwrap();
    world.play(&client, &session, &sample.file).unwrap();
    assert_eq!(media(&world.output()), media(&sample_path(&sample.clear)));
    assert_eq!(session.statuses().unwrap().licenses.len(), 2);
}

//! Sessions that end or are used at awkward moments.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use keybearer_client::{Cancel, ClientError, Ended};
use keybearer_interop::crafted::{self, NUL_KEY};
use keybearer_interop::product::{World, decrypt_sample};
use keybearer_license::Scheme;

use super::{assert_same_media, assert_unknown};

/// A player that is closed while a thread waits for the key must not hang, crash, or wait for a time-out:
/// the wait ends because the session did, and the device goes on.
#[test]
fn destroying_a_session_ends_the_wait_for_its_key() {
    let world = World::new();
    let destroy: [fn(keybearer_client::Session); 2] = [drop, |session| {
        session.close().unwrap();
    }];
    for end in destroy {
        let session = world.session();
        let watch = session.watch();
        let (waiting, begun) = mpsc::channel();
        let waiter = thread::spawn(move || {
            waiting.send(()).unwrap();
            watch.wait_usable(&[NUL_KEY.id], None, &Cancel::new())
        });
        begun.recv().unwrap();
        // Long enough to be in the wait, whose ticks are a second apart.
        thread::sleep(Duration::from_millis(300));
        assert!(!waiter.is_finished(), "there is no such key yet");
        let before = Instant::now();
        end(session);
        let ended = waiter.join().unwrap();
        assert!(before.elapsed() < Duration::from_secs(5), "at once");
        assert!(
            matches!(
                ended,
                Err(ClientError::Cancelled {
                    why: Ended::Session,
                    ..
                })
            ),
            "{ended:?}"
        );
    }
    plays_a_file(&world);
}

/// Samples that come before their licence are refused by name and stay as they are; the licence that
/// comes later opens them.
#[test]
fn decrypting_before_a_licence_is_refused_and_harmless() {
    let world = World::new();
    let session = world.session();
    let protected = [0x77; 64];
    let mut data = protected;
    let error = decrypt_sample(&session, NUL_KEY.id, &[1; 16], &mut data).unwrap_err();
    assert_unknown(&error);
    assert_eq!(data, protected);
    plays_a_file(&world);
}

/// The device is as good as new.
fn plays_a_file(world: &World) {
    let crafted = crafted::iv_only(Scheme::Cenc);
    let file = crafted.store(&world.path(""));
    world.grant("later", file.scheme, file.iv, &file.keys);
    let output = world.path("out.mp4");
    world.play(&file.path, &output).unwrap();
    assert_same_media(&output, &file);
}

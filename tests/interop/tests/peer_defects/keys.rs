//! Keys and which of them opens what.

use keybearer_client::{ClientError, LicenseWanted, PlaybackError};
use keybearer_interop::crafted::{self, NUL_KEY, SECOND_KEY};
use keybearer_interop::encrypt::encrypt;
use keybearer_interop::files::Key;
use keybearer_interop::product::{World, decrypt_sample, play_licensed};
use keybearer_license::{IvKind, Scheme};

use super::{assert_same_media, assert_unknown, comes_out_clear, shipped};

const IV: [u8; 16] = [0x24; 16];

/// A licence request for one key.
fn wanted(key: &Key) -> LicenseWanted {
    LicenseWanted {
        key_ids: vec![key.id],
        ..LicenseWanted::default()
    }
}

/// A sample of some bytes under a key, and the same clear.
fn sample(key: &Key) -> (Vec<u8>, Vec<u8>) {
    let clear: Vec<u8> = (0..100).collect();
    let mut protected = clear.clone();
    encrypt(Scheme::Cenc, (0, 0), &key.key, &IV, None, &mut protected);
    (protected, clear)
}

/// Keys and key ids are bytes: 0 in any place means nothing. Clients that handle a key as a C string
/// cut it there, which one key in sixteen has.
#[test]
fn a_binary_key_with_nuls_is_whole() {
    assert!(NUL_KEY.key.starts_with(&[0]) && NUL_KEY.id.starts_with(&[0]));
    assert!(NUL_KEY.key[1..15].contains(&0), "and one within");
    comes_out_clear(&crafted::iv_only(Scheme::Cenc));
}

/// A second licence on a session adds its keys; both keys open their samples from then on, in any order.
#[test]
fn a_key_change_on_a_live_session_keeps_both_keys() {
    let world = World::new();
    let (cenc, iv) = (Scheme::Cenc, IvKind::PerSample16);
    world.grant("first", cenc, iv, &[NUL_KEY]);
    world.grant("second", cenc, iv, &[SECOND_KEY]);
    let session = world.session();
    let opens = |key: &Key| {
        let (mut data, clear) = sample(key);
        decrypt_sample(&session, key.id, &IV, &mut data).map(|()| assert_eq!(data, clear))
    };
    world.client().acquire(&session, &wanted(&NUL_KEY)).unwrap();
    opens(&NUL_KEY).unwrap();
    assert!(opens(&SECOND_KEY).is_err(), "no licence holds it yet");
    world
        .client()
        .acquire(&session, &wanted(&SECOND_KEY))
        .unwrap();
    for key in [&SECOND_KEY, &NUL_KEY, &SECOND_KEY] {
        opens(key).unwrap();
    }
    // Whole files on the same session, whose keys are loaded by now.
    let crafted = crafted::groups(cenc);
    let folder = tempfile::tempdir().unwrap();
    let file = crafted.store(folder.path());
    let output = folder.path().join("out.mp4");
    world.play_in(&session, &file.path, &output).unwrap();
    assert_same_media(&output, &file);
    assert_eq!(session.statuses().unwrap().licenses.len(), 2);
}

/// Files of Shaka Packager with four keys, one after the other, with and without a clear lead. Neither
/// Packager nor FFmpeg nor Bento4 decrypts any of them, and all but Packager report success for some.
#[test]
fn keys_change_between_fragments_of_a_file() {
    for scheme in ["cenc", "cbcs"] {
        for form in ["periods", "periods-lead"] {
            let file = shipped(&format!("{scheme}-{form}-video"));
            assert_eq!(file.keys.len(), 4);
            let folder = tempfile::tempdir().unwrap();
            let output = folder.path().join("out.mp4");
            let summary = play_licensed(&file, &output).unwrap();
            assert_same_media(&output, &file);
            let used: Vec<[u8; 16]> = file.keys.iter().map(|key| key.id).collect();
            assert_eq!(summary.key_ids, used, "every key, in the order of the file");
        }
    }
}

/// A licence without the file's key is none for this file: neither a file nor a byte comes out.
#[test]
fn a_licence_with_only_other_keys_opens_nothing() {
    let world = World::new();
    let (cenc, iv) = (Scheme::Cenc, IvKind::PerSample16);
    world.grant("other", cenc, iv, &[SECOND_KEY]);
    let session = world.session();
    world
        .client()
        .acquire(&session, &wanted(&SECOND_KEY))
        .unwrap();
    let (protected, _) = sample(&NUL_KEY);
    let mut data = protected.clone();
    let error = decrypt_sample(&session, NUL_KEY.id, &IV, &mut data).unwrap_err();
    assert_unknown(&error);
    assert_eq!(data, protected, "the samples stay as they were");

    let file = crafted::iv_only(cenc).store(&world.path(""));
    let output = world.path("out.mp4");
    let error = world.play_in(&session, &file.path, &output).unwrap_err();
    assert!(
        matches!(error, PlaybackError::Decryptor(ClientError::Denied(_))),
        "{error}"
    );
    assert!(!output.exists());
    // The licence that is there is not harmed.
    let (mut data, clear) = sample(&SECOND_KEY);
    decrypt_sample(&session, SECOND_KEY.id, &IV, &mut data).unwrap();
    assert_eq!(data, clear);
}

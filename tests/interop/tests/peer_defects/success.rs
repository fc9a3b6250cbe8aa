//! Success means that every protected sample is clear.

use std::fs;

use keybearer_client::PlaybackError;
use keybearer_interop::crafted;
use keybearer_interop::product::{World, decrypt_with_key_file};
use keybearer_license::Scheme;

use super::shipped;

/// Bento4 gives such a file out with status 0, the samples of the missing key still encrypted.
#[test]
fn a_file_with_a_key_missing_later_on_never_counts_as_done() {
    for scheme in ["cenc", "cbcs"] {
        let file = shipped(&format!("{scheme}-periods-video"));
        let (held, missing) = file.keys.split_at(3);
        let missing = hex::encode(missing[0].id);
        let world = World::new();

        let output = world.path("by-key-file.mp4");
        let ran = decrypt_with_key_file(&file.path, held, &output);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(
            ran.status.code(),
            Some(3),
            "an input cannot be used: {said}"
        );
        assert!(said.contains(&missing), "{said}");
        assert!(!output.exists());

        world.grant("half", file.scheme, file.iv, held);
        let output = world.path("licensed.mp4");
        let error = world.play(&file.path, &output).unwrap_err();
        assert!(matches!(error, PlaybackError::Decryptor(_)), "{error}");
        assert!(!output.exists());
    }
}

/// A scheme of the future is refused by name; copying it through would call it decrypted.
#[test]
fn an_unknown_scheme_is_no_clear_file() {
    let world = World::new();
    let crafted = crafted::iv_only(Scheme::Cenc);
    let file = crafted.store(&world.path(""));
    world.grant("file", file.scheme, file.iv, &file.keys);
    let mut bytes = crafted.protected;
    let schm = bytes.windows(4).position(|kind| kind == b"schm").unwrap();
    bytes[schm + 8..schm + 12].copy_from_slice(b"cenz");
    fs::write(&file.path, bytes).unwrap();

    let output = world.path("out.mp4");
    let ran = decrypt_with_key_file(&file.path, &file.keys, &output);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("cenz"), "{said}");
    let error = world.play(&file.path, &output).unwrap_err();
    assert!(error.to_string().contains("cenz"), "{error}");
    assert!(!output.exists());
}

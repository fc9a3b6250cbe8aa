//! A test for each defect that decryptors and licence clients are known for, through the product:
//! a protected file in and a clear one out, or a session as an application holds it.
//!
//! | defect | test |
//! |---|---|
//! | a binary key ends at its first NUL | `keys::a_binary_key_with_nuls_is_whole` |
//! | a second key on a live session is lost, or replaces the first | `keys::a_key_change_on_a_live_session_keeps_both_keys`, `keys::keys_change_between_fragments_of_a_file` |
//! | a licence that holds other keys counts as one | `keys::a_licence_with_only_other_keys_opens_nothing` |
//! | several subsamples: the key stream or the chain begins anew, or does not | `samples::several_subsamples_come_out_clear_in_every_scheme` |
//! | counters carry beyond 64 bits, or wrap at 32 | `samples::counters_wrap_at_32_and_64_bits` |
//! | 8-byte IVs put in the wrong half of the counter | `samples::short_initialisation_vectors_wrap_too` |
//! | an incomplete run of encrypted blocks (5:5) is left as it is | `samples::an_incomplete_crypt_run_is_decrypted` |
//! | the size in `saiz` is taken for more than its eight bits | `samples::more_than_40_subsamples_with_saiz_modulo_256` |
//! | more than 255 subsamples | `samples::more_than_255_subsamples` |
//! | `senc` without subsamples | `samples::senc_with_initialisation_vectors_only` |
//! | sample group index 0, 0x10001, a clear group | `samples::seig_index_0_and_0x10001_and_a_clear_group` |
//! | destroying a session while a thread waits for its key | `sessions::destroying_a_session_ends_the_wait_for_its_key` |
//! | decrypting before there is a licence | `sessions::decrypting_before_a_licence_is_refused_and_harmless` |
//! | success reported with samples still encrypted | `success::a_file_with_a_key_missing_later_on_never_counts_as_done`, `success::an_unknown_scheme_is_no_clear_file` |
//!
//! What other decryptors make of the same files stands in the table of `tests/interop/README.md`.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod keys;
mod samples;
mod sessions;
mod success;

use std::fs;
use std::path::Path;

use keybearer_client::{ClientError, Status};
use keybearer_interop::crafted::Crafted;
use keybearer_interop::files::{self, ProtectedFile};
use keybearer_interop::product::{decrypt_with_key_file, play_licensed};
use keybearer_tests::payloads::media_data;

/// Plays the file under a licence in the worker, and decrypts it with a key file on the command line;
/// each time the samples are what they were before protection.
#[track_caller]
fn comes_out_clear(crafted: &Crafted) {
    let folder = tempfile::tempdir().unwrap();
    let file = crafted.store(folder.path());
    assert!(
        media_data(&crafted.protected) != media_data(&crafted.clear),
        "{}: was never protected",
        file.name
    );
    let output = folder.path().join("licensed.mp4");
    play_licensed(&file, &output).unwrap_or_else(|error| panic!("{}: {error}", file.name));
    assert_same_media(&output, &file);
    let output = folder.path().join("by-key-file.mp4");
    let ran = decrypt_with_key_file(&file.path, &file.keys, &output);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}: {said}", file.name);
    assert_same_media(&output, &file);
}

#[track_caller]
fn assert_same_media(output: &Path, file: &ProtectedFile) {
    let media = |path: &Path| media_data(&fs::read(path).unwrap());
    assert!(
        media(output) == media(&file.clear),
        "{}: differs from what it was before protection",
        file.name
    );
}

/// The refusal of a key that no loaded licence holds.
#[track_caller]
fn assert_unknown(error: &ClientError) {
    let status = match error {
        ClientError::Refused { status, .. } => Some(*status),
        _ => None,
    };
    assert_eq!(status, Some(Status::UnknownKey), "{error}");
}

/// A shipped file by name.
fn shipped(name: &str) -> ProtectedFile {
    let mut files = files::shipped().into_iter();
    files.find(|file| file.name == name).unwrap()
}

//! Inside the QEMU machine, before anything else has called the trusted application: what is not
//! installed, or not signed by whom the TEE trusts, is named and is not run.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::fs;
use std::path::{Path, PathBuf};

use keybearer_backend::{BackendChoice, BackendError, BackendOptions, Detection, detect};
use keybearer_tee::TeeError;

/// The key TA; repeated here, so that a change of the identifier does not go unseen.
const KEY_TA: &str = "609b2559-aca2-44ce-882b-c9764cbad139";
/// Where OP-TEE's helper in the normal world looks for trusted applications.
const INSTALLED: &str = "/lib/optee_armtz";

fn asked_for(choice: BackendChoice) -> Result<Detection, BackendError> {
    let folder = tempfile::tempdir().unwrap();
    detect(choice, &BackendOptions::new(folder.path().join("device"))).map(|found| found.1)
}

/// What the backend says when it is asked for by name and cannot be used; and without being asked
/// for, the next one is taken, with the same reason on record.
fn unavailable() -> String {
    let error = asked_for(BackendChoice::Optee).unwrap_err();
    let BackendError::Unusable { backend, source } = &error else {
        panic!("{error}");
    };
    assert_eq!(*backend, "optee");
    let Some(TeeError::Unavailable(why)) = source.downcast_ref() else {
        panic!("{source}");
    };
    assert!(why.contains(KEY_TA), "{why}");

    let detection = asked_for(BackendChoice::Auto).unwrap();
    assert_eq!(detection.taken.name, "in-process");
    assert!(detection.considered[0].reason.contains(why.as_str()));
    why.clone()
}

/// Puts the genuine application back, whatever becomes of this test: others follow in this boot.
struct Genuine {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Drop for Genuine {
    fn drop(&mut self) {
        fs::write(&self.path, &self.bytes).unwrap();
    }
}

/// One test, because its steps need their order: a trusted application that has once run stays in
/// the TEE's memory, whatever becomes of its file.
#[test]
fn a_missing_foreign_or_altered_application_is_refused_by_name() {
    let installed = Path::new(INSTALLED).join(format!("{KEY_TA}.ta"));
    let genuine = Genuine {
        bytes: fs::read(&installed).unwrap(),
        path: installed.clone(),
    };
    let foreign = PathBuf::from(std::env::var_os("KEYBEARER_FOREIGN_TA").unwrap());

    fs::remove_file(&installed).unwrap();
    let why = unavailable();
    assert!(why.contains("does not find"), "{why}");

    fs::copy(foreign, &installed).unwrap();
    let why = unavailable();
    assert!(why.contains("signature"), "signed by a stranger: {why}");

    let mut altered = genuine.bytes.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(&installed, &altered).unwrap();
    let why = unavailable();
    assert!(why.contains("signature"), "one bit of the code: {why}");

    drop(genuine);
    let detection = asked_for(BackendChoice::Auto).unwrap();
    assert_eq!(detection.taken.name, "optee", "{detection}");
}

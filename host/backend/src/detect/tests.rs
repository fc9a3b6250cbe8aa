#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;
use keybearer_tee::{Media, TeeError, TeeSession};
use keybearer_wire::body::{Description, Isolation};
use keybearer_wire::field::Text;
use keybearer_wire::{Status, encode_answer, encode_status};

/// A backend that gives every call the same answer.
struct Fixed(Vec<u8>);

impl Tee for Fixed {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "fixed",
            detail: "made for a test".into(),
        }
    }
    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(Self(self.0.clone())))
    }
}

impl TeeSession for Fixed {
    fn call<'a>(
        &mut self,
        _command: u32,
        _request: &[u8],
        response: &mut Vec<u8>,
        _media: Media<'a>,
    ) -> Result<(), TeeError> {
        response.clone_from(&self.0);
        Ok(())
    }
}

fn describes(abi: u16) -> Vec<u8> {
    let description = Description {
        abi,
        version: Text("7.8.9"),
        level: 1,
        isolation: Isolation::InProcess,
        debug: false,
        counter: None,
        clock: true,
        max_media: 1,
        application_anchors: true,
        protected: false,
    };
    encode_answer(&description).unwrap()
}

fn good(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Ok(Arc::new(Fixed(describes(ABI_VERSION))))
}

fn other_release(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Ok(Arc::new(Fixed(describes(ABI_VERSION + 1))))
}

fn refusing(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Ok(Arc::new(Fixed(encode_status(Status::Platform).unwrap())))
}

fn absent(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Err(BackendError::from((
        "optee",
        TeeError::Unavailable("no /dev/tee0".into()),
    )))
}

fn choose_from(
    choice: BackendChoice,
    optee: probe::Start,
    in_process: probe::Start,
) -> Result<Detection, BackendError> {
    let backends = [
        (BackendChoice::Optee, optee),
        (BackendChoice::InProcess, in_process),
    ];
    choose(choice, &BackendOptions::new("/nowhere"), &backends).map(|(_, detection)| detection)
}

#[test]
fn the_highest_level_that_answers_is_taken_and_ends_the_search() {
    let detection = choose_from(BackendChoice::Auto, good, good).unwrap();
    assert_eq!(detection.taken.name, "fixed");
    assert_eq!(
        detection.to_string(),
        "optee: taken: the first that answers; core version 7.8.9; made for a test"
    );
}

#[test]
fn what_was_passed_over_is_said() {
    for (start, failing, why) in [
        (absent as probe::Start, false, "no /dev/tee0"),
        (
            other_release,
            true,
            "install the trusted side and the program from one release",
        ),
        (refusing, true, "Platform"),
    ] {
        let detection = choose_from(BackendChoice::Auto, start, good).unwrap();
        let [first, second] = &detection.considered[..] else {
            panic!("two were considered")
        };
        assert_eq!((first.backend, first.taken), ("optee", false));
        assert!(first.reason.contains(why), "{}", first.reason);
        // What is there and does not work is another matter than what is not there.
        assert_eq!((first.failing, second.failing), (failing, false), "{why}");
        assert_eq!((second.backend, second.taken), ("in-process", true));
    }
}

#[test]
fn a_choice_by_name_never_becomes_another() {
    let refused = choose_from(BackendChoice::Optee, absent, good).unwrap_err();
    assert!(
        matches!(
            refused,
            BackendError::Unusable {
                backend: "optee",
                ..
            }
        ),
        "{refused}"
    );
    let refused = choose_from(BackendChoice::Optee, other_release, good).unwrap_err();
    assert!(matches!(
        refused,
        BackendError::AbiMismatch {
            found,
            expected: ABI_VERSION,
            ..
        } if found == ABI_VERSION + 1
    ));
    let taken = choose_from(BackendChoice::InProcess, good, good).unwrap();
    assert_eq!(taken.considered.len(), 1);
    assert!(taken.considered[0].reason.starts_with("asked for"));
}

#[test]
fn with_none_left_each_reason_is_named() {
    let refused = choose_from(BackendChoice::Auto, absent, refusing)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("optee: not taken: ") && refused.contains("/dev/tee0"),
        "{refused}"
    );
    assert!(refused.contains("in-process: not taken: "), "{refused}");
}

#[cfg(feature = "worker")]
#[test]
fn a_worker_that_is_not_there_is_said_and_never_replaced_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = BackendOptions::new(dir.path().join("state"));
    options.worker = crate::WorkerProgram::At(dir.path().join("nothing"));
    let refused = detect(BackendChoice::Worker, &options)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("backend worker"), "{refused}");
    assert!(refused.contains("nothing"), "{refused}");
    // Whatever comes after it: that it does not work is told as something to be seen to.
    let considered = match detect(BackendChoice::Auto, &options) {
        Ok((_, detection)) => detection.considered,
        Err(BackendError::NoneUsable { considered }) => considered,
        Err(other) => panic!("{other}"),
    };
    let worker = considered.iter().find(|one| one.backend == "worker");
    assert!(worker.is_some_and(|worker| !worker.taken && worker.failing));
}

#[cfg(feature = "in-process")]
#[test]
fn the_software_backend_is_real() {
    let dir = tempfile::tempdir().unwrap();
    let options = BackendOptions::new(dir.path().join("state"));
    let (tee, detection) = detect(BackendChoice::InProcess, &options).unwrap();
    assert_eq!(detection.taken.name, "in-process");
    // Its directory is taken, and that is the reason the next one gets.
    let refused = detect(BackendChoice::InProcess, &options)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("in use by another process"), "{refused}");
    drop(tee);
    assert!(detect(BackendChoice::InProcess, &options).is_ok());
}

#[cfg(not(feature = "optee"))]
#[test]
fn a_backend_that_is_not_built_in_says_how_to_get_it() {
    let refused = detect(BackendChoice::Optee, &BackendOptions::new("/nowhere")).unwrap_err();
    assert!(
        refused.to_string().contains("cargo feature `optee`"),
        "{refused}"
    );
}

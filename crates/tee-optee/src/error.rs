//! What libteec's result codes mean here.

use crate::{
    KEY_TA,
    sys::{Failure, Step},
};
use keybearer_tee::TeeError;
use optee_teec::ErrorKind;

/// `TEE_ERROR_CORRUPT_OBJECT` (TEE Internal Core API 1.3.1, section 3.3): the client API has no
/// name for it, but OP-TEE passes it on when its record of trusted applications is damaged.
const CORRUPT_OBJECT: u32 = 0xf010_0001;

/// The transport error of a failed call.
///
/// What the core thinks of a command comes in band, so whatever arrives here is the transport's:
/// the key TA's own glue fails a call only for parameters that this crate never sends.
pub(crate) fn of(failure: Failure) -> TeeError {
    let Failure { step, code } = failure;
    match (step, ErrorKind::from(code)) {
        (Step::Device, ErrorKind::ItemNotFound) => {
            unavailable("no TEE device (/dev/tee0), or no permission to open it")
        }
        (Step::Session, ErrorKind::ItemNotFound) => unavailable("OP-TEE does not find it"),
        (Step::Session, ErrorKind::Security) => unavailable("OP-TEE refuses its signature"),
        (Step::Session, ErrorKind::AccessConflict) => {
            unavailable("OP-TEE has run a newer version of it and refuses to go back")
        }
        (Step::Session, ErrorKind::Unknown(CORRUPT_OBJECT)) => {
            unavailable("OP-TEE's secure storage is damaged or was rolled back")
        }
        (_, ErrorKind::TargetDead) => TeeError::Dead,
        _ => TeeError::Io {
            what: attempt(step),
            code,
        },
    }
}

fn unavailable(why: &str) -> TeeError {
    TeeError::Unavailable(format!("trusted application {KEY_TA}: {why}"))
}

fn attempt(step: Step) -> &'static str {
    match step {
        Step::Device => "opening the TEE device",
        Step::Session => "opening a session of the key TA",
        Step::Memory => "registering shared memory",
        Step::Command => "calling the key TA",
    }
}

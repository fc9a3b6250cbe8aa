//! What libteec's result codes mean here.

use crate::{
    DECODER_TA,
    application::Application,
    sys::{Failure, Step},
};
use keybearer_tee::TeeError;
use optee_teec::{ErrorKind, raw};

/// `TEE_ERROR_CORRUPT_OBJECT` (TEE Internal Core API 1.3.1, section 3.3): the client API has no
/// name for it, but OP-TEE passes it on when its record of trusted applications is damaged.
const CORRUPT_OBJECT: u32 = 0xf010_0001;

/// The transport error of a failed call.
///
/// What the core thinks of a command comes in band, so whatever arrives here is the transport's:
/// the trusted application's own glue fails a call only for parameters that this crate never sends.
pub(crate) fn of(application: &Application, failure: Failure) -> TeeError {
    let Failure { step, code } = failure;
    let Application { name, uuid, .. } = application;
    let told = |why: &str| format!("trusted application {uuid} ({name}): {why}");
    let unavailable = |why: &str| TeeError::Unavailable(told(why));
    match (step, ErrorKind::from(code)) {
        (Step::Thread, _) => io(step, code),
        (Step::Device, ErrorKind::ItemNotFound) => {
            unavailable("no TEE device (/dev/tee0), or no permission to open it")
        }
        // A device need not have one, and what is there and cannot be run is another matter.
        (Step::Session, ErrorKind::ItemNotFound) if *uuid == DECODER_TA => {
            TeeError::NoDecoder(told("OP-TEE does not find it"))
        }
        (Step::Session, ErrorKind::ItemNotFound) => unavailable("OP-TEE does not find it"),
        (Step::Session, ErrorKind::Security) => unavailable("OP-TEE refuses its signature"),
        (Step::Session, ErrorKind::AccessConflict) => {
            unavailable("OP-TEE has run a newer version of it and refuses to go back")
        }
        // Each of its instances has a heap of megabytes, and OP-TEE's usual image has room for one.
        (Step::Session, ErrorKind::OutOfMemory) if *uuid == DECODER_TA => TeeError::NoDecoderMemory,
        (Step::Session, ErrorKind::Unknown(CORRUPT_OBJECT)) => {
            unavailable("OP-TEE's secure storage is damaged or was rolled back")
        }
        (Step::Buffer, _) => TeeError::NoProtectedBuffer(format!(
            "this TEE takes no such descriptor (code {code:#010x})"
        )),
        (Step::Command, ErrorKind::Cancel | ErrorKind::ExternalCancel) => TeeError::Cancelled,
        (_, ErrorKind::TargetDead) => TeeError::Dead,
        _ => io(step, code),
    }
}

/// True when the instance of the trusted application that was spoken to is no more.
pub(crate) fn is_death(failure: Failure) -> bool {
    failure.step != Step::Thread && failure.code == raw::TEEC_ERROR_TARGET_DEAD
}

fn io(step: Step, code: u32) -> TeeError {
    let what = match step {
        Step::Device => "opening the TEE device",
        Step::Session => "opening a session of the trusted application",
        Step::Memory => "registering shared memory",
        Step::Buffer => "registering a protected buffer",
        Step::Command => "calling the trusted application",
        Step::Thread => "starting the connection's thread",
    };
    TeeError::Io { what, code }
}

//! The trusted applications that this backend speaks to.

use keybearer_tee::TeeError;
use keybearer_wire::Command;
use optee_teec::Uuid;

use crate::{DECODER_TA, KEY_TA};

/// What a command leaves behind, and so what follows when the application dies under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, or the second time nothing: it may be repeated.
    None,
    /// Something in the instance, which dies with it: it may be repeated, but the connection that has
    /// run it means the one instance.
    InInstance,
    /// What outlives the instance, or nobody can tell: it is never repeated.
    Lasting,
}

/// What this side knows of a trusted application.
#[derive(Debug)]
pub(crate) struct Application {
    /// In errors.
    pub(crate) name: &'static str,
    /// As its signed header carries it.
    pub(crate) uuid: &'static str,
    /// What each command leaves behind.
    pub(crate) effect: fn(u32) -> Effect,
}

/// The key TA.
pub(crate) static KEY: Application = Application {
    name: "key TA",
    uuid: KEY_TA,
    effect: |command| match Command::from_code(command) {
        // A device key is made where there is none, and then stays.
        Some(Command::Describe | Command::DeviceKey | Command::WipeBuffer) => Effect::None,
        Some(Command::OpenSession) => Effect::InInstance,
        _ => Effect::Lasting,
    },
};

/// The decoder. Its state is the order of what it was sent, so that nothing is ever repeated.
pub(crate) static DECODER: Application = Application {
    name: "decoder TA",
    uuid: DECODER_TA,
    effect: |_| Effect::Lasting,
};

/// The test monitor: what it is told last counts, but telling it twice may be wrong.
#[cfg(feature = "test-monitor")]
pub(crate) static TEST_MONITOR: Application = Application {
    name: "test monitor TA",
    uuid: include_str!("../../../ta/monitor/uuid.txt").trim_ascii(),
    effect: |_| Effect::Lasting,
};

impl Application {
    pub(crate) fn uuid(&self) -> Result<Uuid, TeeError> {
        Uuid::parse_str(self.uuid)
            .map_err(|_| TeeError::Unavailable(format!("{} is not a UUID", self.uuid)))
    }
}

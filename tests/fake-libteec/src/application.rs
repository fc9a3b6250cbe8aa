//! The trusted application on a board: one instance for all sessions, kept alive, as the genuine
//! one's flags have it.

use keybearer_core::{Anchors, Caller, ClientId, Config, Core};
use keybearer_license::Isolation;
use keybearer_rules::Level;
use keybearer_ta::command::run;
use keybearer_ta_entry::params::GivenSlots;
use keybearer_wire::limits::OPTEE_MAX_MEDIA;
use optee_teec_sys as raw;

use crate::board::Outcome;
use crate::platform::{Machine, Simulated};

/// What answers a command in the trusted application's place.
pub struct Answer {
    /// The result of the call, such as `TEEC_ERROR_TARGET_DEAD`.
    pub code: u32,
    /// Bytes for the response slot; no more than fit are copied.
    pub response: Vec<u8>,
    /// Bytes for the media output slot; no more than fit are copied.
    pub media: Vec<u8>,
    /// Sizes of response and media that the client is told, where they are not the true ones.
    pub claimed: Option<(usize, usize)>,
}

/// An instance; gone once it has died.
pub(crate) struct Application {
    core: Core<Simulated>,
}

impl Application {
    /// Starts an instance; `None` when there is no memory or no randomness.
    pub(crate) fn start(machine: &Machine) -> Option<Self> {
        let (level, isolation, anchors) = match machine.posed() {
            Some(anchors) => (Level::High, Isolation::Tee, Anchors::Fixed(anchors)),
            None => (Level::None, Isolation::InProcess, Anchors::Application),
        };
        let config = Config {
            level,
            decoder: true,
            isolation,
            debug: true,
            ta_version: None,
            anchors,
            max_media: u32::try_from(OPTEE_MAX_MEDIA).unwrap_or(u32::MAX),
            oem: None,
        };
        let core = Core::new(machine.parts(), config).ok()?;
        Some(Self { core })
    }

    /// Opens a session for `caller`, whom the TEE vouches for; `None` when all are in use.
    pub(crate) fn open(&mut self, caller: Caller) -> Option<ClientId> {
        self.core.connect(caller)
    }

    pub(crate) fn close(&mut self, client: ClientId) {
        self.core.disconnect(client);
    }

    /// Runs a command, as `ta/keybearer`'s entry point does it.
    pub(crate) fn invoke(
        &mut self,
        client: ClientId,
        command: u32,
        slots: &mut GivenSlots<'_>,
    ) -> Outcome {
        match run(&mut self.core, client, command, slots) {
            Ok(()) => raw::TEEC_SUCCESS.into(),
            Err(error) => error.raw_code().into(),
        }
    }
}

//! What is connected, in the word of the platform's monitor.

use keybearer_core::{OutputList, OutputSource, Outputs, PlatformError};
use keybearer_ta_entry::session::{TaSession, uuid};
use keybearer_wire::{
    Body, decode_response,
    limits::MAX_REQUEST,
    monitor::{Exchange, MAX_MONITOR_RESPONSE, body},
};
use optee_utee::raw;

/// The outputs of this platform: what its monitor tells, a trusted application of its own. It is asked
/// at each call; without one there is nobody to ask, and no panel is declared.
///
/// That the answer is the monitor's is the TEE's word: it runs no application under the UUID of this
/// build but a signed one, and lets nobody between the two. The monitor, for its part, answers the key
/// TA only.
pub struct MonitoredOutputs {
    monitor: Option<raw::TEE_UUID>,
    /// Kept from call to call: opening one takes longer than asking.
    session: Option<TaSession>,
}

impl MonitoredOutputs {
    /// Outputs that this monitor sees.
    ///
    /// # Panics
    /// When `monitor` is no UUID; that of the build is one.
    #[must_use]
    pub fn of(monitor: Option<&str>) -> Self {
        Self {
            monitor: monitor.map(uuid),
            session: None,
        }
    }
}

impl Outputs for MonitoredOutputs {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        None
    }

    fn has_monitor(&self) -> bool {
        self.monitor.is_some()
    }

    fn monitor(&mut self, seen: &mut OutputList) -> Result<(), PlatformError> {
        let monitor = self.monitor.as_ref().ok_or(PlatformError::Monitor)?;
        // A session whose application has died is of no use; another one starts a new instance, which
        // says what it sees itself. Whether this one has died is only known by asking.
        if let Some(mut session) = self.session.take()
            && ask(&mut session, seen).is_ok()
        {
            self.session = Some(session);
            return Ok(());
        }
        seen.clear();
        let mut session = TaSession::open(monitor).map_err(|_| PlatformError::Monitor)?;
        ask(&mut session, seen)?;
        self.session = Some(session);
        Ok(())
    }
}

/// Asks once. What is not a whole answer is none.
fn ask(session: &mut TaSession, seen: &mut OutputList) -> Result<(), PlatformError> {
    let request = body::Look {};
    let bytes = request
        .encode(MAX_REQUEST)
        .map_err(|_| PlatformError::Memory)?;
    let mut response = [0; MAX_MONITOR_RESPONSE];
    let command = body::Look::COMMAND.code();
    let sizes = session
        .call(command, &bytes, &mut response, None, &mut [])
        .map_err(|_| PlatformError::Monitor)?;
    let response = response
        .get(..sizes.response)
        .ok_or(PlatformError::Monitor)?;
    match decode_response::<body::Seen>(response) {
        Ok(Ok(answer)) => {
            for output in &answer.outputs.0 {
                seen.push_stated(output);
            }
            Ok(())
        }
        _ => Err(PlatformError::Monitor),
    }
}

#[cfg(test)]
mod tests;

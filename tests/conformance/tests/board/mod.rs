//! The genuine OP-TEE backend on simulated devices.

use std::sync::Arc;
use std::time::Duration;

use keybearer_conformance::{Device, Need, Subject};
use keybearer_fake_libteec::Board;
use keybearer_tee::{BackendInfo, Tee, TeeError, TeeSession};
use keybearer_tee_optee::OpteeTee;

/// `keybearer-tee-optee` over `keybearer-fake-libteec`.
pub(crate) struct Simulated;

impl Subject for Simulated {
    fn name(&self) -> &str {
        "fake-libteec"
    }

    fn device(&self) -> Result<Box<dyn Device>, String> {
        Ok(Box::new(OnBoard(Board::new())))
    }

    fn can(&self, _: Need) -> bool {
        true
    }
}

struct OnBoard(Board);

impl Device for OnBoard {
    fn tee(&self) -> Arc<dyn Tee> {
        Arc::new(OpteeOn(self.0.clone()))
    }

    fn restart(&mut self) -> Result<(), String> {
        self.0.reboot();
        Ok(())
    }

    fn kill(&self) {
        self.0.kill();
    }

    fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

/// The backend, finding this board wherever it looks for a TEE.
struct OpteeOn(Board);

impl Tee for OpteeOn {
    fn info(&self) -> BackendInfo {
        OpteeTee.info()
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        let _plugged = self.0.plug();
        OpteeTee.connect()
    }

    fn connect_decoder(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        let _plugged = self.0.plug();
        OpteeTee.connect_decoder()
    }
}

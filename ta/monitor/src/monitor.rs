//! What is shown, and to whom it is told.

use alloc::{borrow::Cow, vec::Vec};

use keybearer_wire::{
    Body, Status, encode_answer, encode_status, fallback_response,
    field::List,
    limits::{MAX_OUTPUTS, MAX_REQUEST},
    monitor::{Command, body},
};

/// Who opened a session, as the TEE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The key TA.
    KeyTa,
    /// Anybody else: the test, on the host.
    Host,
}

/// An encoded response.
pub type Response = Cow<'static, [u8]>;

/// The state that all sessions share.
#[derive(Debug, Default)]
pub struct Monitor {
    /// What is connected; `None`: no test has said it.
    shown: Option<Vec<body::OutputReport>>,
}

impl Monitor {
    /// Nothing is shown yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { shown: None }
    }

    /// Runs one command. `request` is private memory.
    ///
    /// # Panics
    /// On [`Command::Die`].
    pub fn call(&mut self, asker: Asker, command: u32, request: &[u8]) -> Response {
        let encoded = match self.dispatch(asker, command, request) {
            Ok(bytes) => Ok(bytes),
            Err(status) => encode_status(status),
        };
        encoded.map_or(Cow::Borrowed(fallback_response()), Cow::Owned)
    }

    fn dispatch(&mut self, asker: Asker, command: u32, request: &[u8]) -> Result<Vec<u8>, Status> {
        let command = Command::from_code(command).ok_or(Status::UnknownCommand)?;
        let of = match command {
            Command::Look => Asker::KeyTa,
            Command::Show | Command::Die => Asker::Host,
        };
        if asker != of {
            return Err(Status::NotPermitted);
        }
        match command {
            Command::Look => {
                let body::Look {} = decoded(request)?;
                // Without an answer only what demands nothing of outputs may be used.
                let shown = self.shown.as_ref().ok_or(Status::NotSupported)?;
                let mut outputs = Vec::new();
                outputs
                    .try_reserve_exact(shown.len())
                    .map_err(|_| Status::OutOfMemory)?;
                outputs.extend(shown.iter().cloned());
                answer(&body::Seen {
                    outputs: List::<_, MAX_OUTPUTS>(outputs),
                })
            }
            Command::Show => {
                let body::Show { outputs } = decoded(request)?;
                self.shown = outputs.map(|outputs| outputs.0);
                answer(&body::Empty {})
            }
            Command::Die => {
                let body::Die {} = decoded(request)?;
                panic!("a test asked for it");
            }
        }
    }
}

fn decoded<'a, B: Body<'a>>(request: &'a [u8]) -> Result<B, Status> {
    B::decode(request, MAX_REQUEST).map_err(|_| Status::Malformed)
}

fn answer<'a>(body: &impl Body<'a>) -> Result<Vec<u8>, Status> {
    encode_answer(body).map_err(|_| Status::OutOfMemory)
}

#[cfg(test)]
mod tests;

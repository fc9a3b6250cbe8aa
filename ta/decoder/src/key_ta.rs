//! What the decoder asks of the key TA, and the typed form of it.

pub use keybearer_ta_entry::session::{Failure, Sizes};

use keybearer_ta_entry::params::SharedInput;
use keybearer_wire::{Body, Exchange, Status, decode_response, limits::MAX_REQUEST};

/// A session of the key TA. It ends when it is dropped, and with it every channel that it opened.
pub trait Connection {
    /// Runs one command. The protected media are the host's own memory, named and not copied.
    ///
    /// # Errors
    /// The TEE's code; the session is of no more use then.
    fn call(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut [u8],
        protected: Option<&SharedInput<'_>>,
        clear: &mut [u8],
    ) -> Result<Sizes, Failure>;
}

/// How the key TA is reached.
pub trait Connect {
    /// What comes of it.
    type Connection: Connection;

    /// Opens a session of the key TA.
    ///
    /// # Errors
    /// The TEE's code.
    fn connect(&mut self) -> Result<Self::Connection, Failure>;
}

/// Why the key TA gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It refused. What it says depends on the licence and on the request, never on content.
    Status(Status),
    /// It was asked and gave no answer.
    Failure,
    /// There was no memory to ask it: it has heard nothing.
    Unasked,
}

/// Bytes of the longest answer that the key TA has for a decoder.
const ANSWER: usize = 64;

/// Runs one command of the key TA: the answer, and how many bytes of `clear` are filled.
pub(crate) fn exchange<'r, R, A>(
    connection: &mut impl Connection,
    request: &R,
    protected: Option<&SharedInput<'_>>,
    clear: &mut [u8],
) -> Result<(A, usize), Refusal>
where
    R: Exchange<'r>,
    A: for<'a> Body<'a>,
{
    // Too long it cannot be: `keybearer_wire::body` asserts that a full `DecryptUnit` fits, and the other
    // requests of a decoder are a few numbers. So what fails is the memory.
    let bytes = request.encode(MAX_REQUEST).map_err(|_| Refusal::Unasked)?;
    let mut response = [0; ANSWER];
    let sizes = connection
        .call(R::COMMAND.code(), &bytes, &mut response, protected, clear)
        .map_err(|_| Refusal::Failure)?;
    let response = response.get(..sizes.response).ok_or(Refusal::Failure)?;
    match decode_response(response) {
        Ok(Ok(answer)) => Ok((answer, sizes.media)),
        Ok(Err(status)) => Err(Refusal::Status(status)),
        Err(_) => Err(Refusal::Failure),
    }
}

//! Who opens a session: a program of the normal world, or the decoder.

use keybearer_core::Caller;
use keybearer_ta_entry::caller::is_application;

/// Who opens the session that the TEE is opening right now. `decoder` is the UUID of the decoder that
/// this build is for, as text in lower case.
///
/// Whoever is not known to be the decoder is a host, which is given nothing clear.
#[must_use]
pub fn caller(decoder: Option<&str>) -> Caller {
    match decoder {
        Some(decoder) if is_application(decoder) => Caller::Decoder,
        _ => Caller::Host,
    }
}

#[cfg(test)]
mod tests;

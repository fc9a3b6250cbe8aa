//! Who opens a session: a program of the normal world, or the decoder.

use keybearer_core::Caller;
use keybearer_ta_entry::caller::application;

/// Who opens the session that the TEE is opening right now. `decoder` is the UUID of the decoder that
/// this build is for, as text in lower case.
///
/// `None` is another trusted application, which gets no session: its own memory would pass for a
/// protected buffer, and clear content is not for it. Whom the TEE does not describe is a host.
#[must_use]
pub fn caller(decoder: Option<&str>) -> Option<Caller> {
    match application() {
        None => Some(Caller::Host),
        Some(uuid) if Some(uuid.as_str()) == decoder => Some(Caller::Decoder),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;

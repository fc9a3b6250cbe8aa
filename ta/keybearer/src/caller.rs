//! Who opens a session: a program of the normal world, or the decoder.
//!
//! The TEE says it, and nothing that arrives in a message can. A client of the normal world cannot
//! state the login of a trusted application: OP-TEE's entry from the normal world knows only public,
//! user, group, application and kernel logins and refuses the rest (`get_open_session_meta` in
//! `core/tee/entry_std.c`); `TEE_LOGIN_TRUSTED_APP`, with the UUID of the signed application, it
//! states itself where one application opens a session of another.

use alloc::string::ToString;
use keybearer_core::Caller;
use optee_utee::{
    LoginType,
    property::{ClientIdentity, PropertyKey},
};

/// Who opens the session that the TEE is opening right now (TEE Internal Core API 1.3.1, section
/// 4.7.3, `gpd.client.identity`). `decoder` is the UUID of the decoder that this build is for, as text
/// in lower case.
///
/// Whoever is not known to be the decoder is a host, which is given nothing clear.
#[must_use]
pub fn caller(decoder: Option<&str>) -> Caller {
    let Some(decoder) = decoder else {
        return Caller::Host;
    };
    let is_decoder = ClientIdentity.get().is_ok_and(|identity| {
        // A UUID of the wrapper shows its parts in no other way than as text.
        matches!(identity.login_type(), LoginType::TrustedApp)
            && identity.uuid().to_string() == decoder
    });
    if is_decoder {
        Caller::Decoder
    } else {
        Caller::Host
    }
}

#[cfg(test)]
mod tests;

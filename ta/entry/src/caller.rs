//! Which trusted application opens a session, if one does.
//!
//! The TEE says it, and nothing that arrives in a message can. A client of the normal world cannot
//! state the login of a trusted application: OP-TEE's entry from the normal world knows only public,
//! user, group, application and kernel logins and refuses the rest (`get_open_session_meta` in
//! `core/tee/entry_std.c`); `TEE_LOGIN_TRUSTED_APP`, with the UUID of the signed application, it
//! states itself where one application opens a session of another.

use alloc::string::{String, ToString};
use optee_utee::{
    LoginType,
    property::{ClientIdentity, PropertyKey},
};

/// The UUID of the trusted application that opens the session which the TEE is opening right now, as
/// text in lower case (TEE Internal Core API 1.3.1, section 4.7.3, `gpd.client.identity`). `None` for a
/// client of the normal world, and for whom the TEE does not describe.
#[must_use]
pub fn application() -> Option<String> {
    let identity = ClientIdentity.get().ok()?;
    // A UUID of the wrapper shows its parts in no other way than as text.
    matches!(identity.login_type(), LoginType::TrustedApp).then(|| identity.uuid().to_string())
}

/// Whether it is this one.
#[must_use]
pub fn is_application(uuid: &str) -> bool {
    application().as_deref() == Some(uuid)
}

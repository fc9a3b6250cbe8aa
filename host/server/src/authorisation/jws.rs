//! The envelope of a token: JSON Web Signature in compact form (RFC 7515 sections 3.1 and 7.1),
//! with the two algorithms that issuers of such tokens use (RFC 7518 sections 3.2 and 3.4).
//!
//! The verification itself is ring's and that of the project's own provider. The libraries that
//! would do the rest bring other providers with them (RSA, or a C build) or want theirs installed
//! for the whole process, read the system's clock where this server has its own, and leave the
//! header's unknown members unread: the splitting that is left is below.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::{Crypto, Signature};
use keybearer_license::{Denial, DenialReason};
use serde::Deserialize;

use super::credential::{Algorithm, Credential, TokenKey};
use crate::denial::{Because, refusal};
use crate::names::Named;

/// Largest token read, in bytes. The protocol carries more, so that what is larger can be refused
/// with this reason.
pub(super) const MAX_TOKEN: usize = 6 * 1024;
/// What the header's `typ` must be.
const HEADER_TYPE: &str = "JWT";

/// The header. A member that is not known here (`crit`, `jwk`, `b64` ...) may change what the
/// token means, so it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: Option<String>,
    alg: String,
    kid: Option<String>,
}

/// A verified token: its payload, and the name of the credential that signed it.
pub(super) struct Verified<'a> {
    pub(super) credential: &'a Credential,
    pub(super) payload: Vec<u8>,
}

fn invalid(rule: &str) -> Denial {
    refusal(DenialReason::TokenInvalid, rule)
}

/// Verifies a token with the credential that it names.
///
/// # Errors
/// A denial that names the part at fault: `token.size`, `token.form`, `token.typ`, `token.kid`,
/// `token.alg` or `token.signature`.
pub(super) fn verify<'a>(
    crypto: &impl Crypto,
    credentials: &'a [Credential],
    token: &[u8],
) -> Result<Verified<'a>, Denial> {
    if token.len() > MAX_TOKEN {
        return Err(invalid("token.size").because(
            format_args!("at most {MAX_TOKEN} bytes"),
            format_args!("{} bytes", token.len()),
        ));
    }
    let form = || {
        invalid("token.form").because("header.payload.signature, each base64url", "something else")
    };
    let text = std::str::from_utf8(token).map_err(|_| form())?;
    let mut parts = text.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(form());
    };
    let signed = &text.as_bytes()[..header.len() + 1 + payload.len()];
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| form());
    let (header, payload, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);
    let header: Header = serde_json::from_slice(&header)
        .map_err(|error| invalid("token.header").because("alg, kid and typ alone", error))?;
    if header.typ.as_deref() != Some(HEADER_TYPE) {
        let found = header.typ.as_deref().unwrap_or("none");
        return Err(invalid("token.typ").because(HEADER_TYPE, found));
    }
    let algorithm = Algorithm::from_word(&header.alg)
        .ok_or_else(|| invalid("token.alg").because(Algorithm::expected(), &header.alg))?;
    let kid = header
        .kid
        .ok_or_else(|| invalid("token.kid").because("the name of a credential", "none"))?;
    let credential = credentials
        .iter()
        .find(|credential| credential.kid == kid)
        .ok_or_else(|| invalid("token.kid").because("a credential of the tenant", &kid))?;
    // The credential decides, not the token: a public key is never taken for a shared secret.
    let expected = credential.key.algorithm();
    if algorithm != expected {
        return Err(invalid("token.alg").because(expected.word(), &header.alg));
    }
    let holds = match &credential.key {
        TokenKey::Hs256(secret) => {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.expose());
            ring::hmac::verify(&key, signed, &signature).is_ok()
        }
        // Read when the server starts: a secret that is still in its file verifies nothing.
        TokenKey::SecretFile(_) => false,
        TokenKey::Es256(public) => <[u8; 64]>::try_from(signature.as_slice())
            .is_ok_and(|fixed| crypto.verify(public, signed, &Signature(fixed)).is_ok()),
    };
    if !holds {
        return Err(invalid("token.signature"));
    }
    Ok(Verified {
        credential,
        payload,
    })
}

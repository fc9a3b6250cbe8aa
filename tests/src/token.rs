//! Content authorisation tokens of the issuer that the test service believes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::{Crypto, Secret};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_server::{Credential, TokenKey};
use serde_json::{Value, json};

/// The secret that the issuer shares with the service.
const SECRET: [u8; 32] = [0x5a; 32];
/// The issuer's name in a token's header.
const ISSUER: &str = "issuer";
/// How long a token is good for.
const VALID: Duration = Duration::from_secs(600);

/// What the service has to know of the issuer.
///
/// # Panics
/// Never: the secret is long enough.
#[must_use]
pub fn credential() -> Credential {
    Credential {
        kid: ISSUER.into(),
        key: TokenKey::hs256(&SECRET).expect("32 bytes are enough"),
    }
}

/// A token (JWT with HS256, RFC 7519 and RFC 7518 section 3.2) for one content under a usage-rules
/// profile.
///
/// # Panics
/// When this machine's clock stands before 1970.
#[must_use]
pub fn token(content: &str, profile: &str) -> Vec<u8> {
    let expires = (SystemTime::now() + VALID).duration_since(UNIX_EPOCH);
    let claims = json!({
        "typ": "ContentAuthZ",
        "ver": "1.0",
        "exp": expires.expect("the clock is later than 1970").as_secs(),
        "contentRights": [{ "contentId": content, "usageRulesProfileId": profile }],
    });
    let header = json!({ "typ": "JWT", "alg": "HS256", "kid": ISSUER });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let tag = SoftCrypto.hmac_sha256(&Secret::copied_from(&SECRET), &[signed.as_bytes()]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)).into_bytes()
}

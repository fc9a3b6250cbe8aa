#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::{Crypto, PrivateKeys, PublicKey, Secret};
use keybearer_license::{Denial, DenialReason, Serial, TrackType, Ueid, UnixTime};
use serde_json::{Value, json};

use super::claims::read_token;
use super::jws::{MAX_TOKEN, verify};
use super::*;
use crate::crypto::ServiceCrypto;

const NOW: u64 = 1_800_000_000;
const SECRET: [u8; 32] = [7; 32];
const SERIAL: Serial = Serial([0xab; 16]);

/// The credentials of the tests' tenant, and the private half of the second.
struct Issuer {
    credentials: Vec<Credential>,
    private: Secret<32>,
    public: PublicKey,
}

impl Issuer {
    fn new() -> Self {
        let crypto = ServiceCrypto::new();
        let (private, public) = crypto.generate(&mut crypto.rng()).unwrap();
        let credentials = vec![
            Credential {
                kid: "hs".into(),
                key: TokenKey::hs256(&SECRET).unwrap(),
            },
            Credential {
                kid: "es".into(),
                key: TokenKey::Es256(public),
            },
        ];
        Self {
            credentials,
            private,
            public,
        }
    }

    fn hs256(&self, header: &Value, claims: &Value, secret: &[u8]) -> Vec<u8> {
        let signed = signed(header, claims);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let tag = ring::hmac::sign(&key, signed.as_bytes());
        joined(&signed, tag.as_ref())
    }

    fn es256(&self, header: &Value, claims: &Value) -> Vec<u8> {
        let signed = signed(header, claims);
        let signature = ServiceCrypto::new()
            .sign(&self.private, signed.as_bytes())
            .unwrap();
        joined(&signed, &signature.0)
    }

    fn token(&self, claims: &Value) -> Vec<u8> {
        self.hs256(&header("hs", "HS256"), claims, &SECRET)
    }

    fn read(&self, token: &[u8]) -> Result<Token, Denial> {
        let ueid = Ueid::from_device(&[1; 32]);
        let bearer = Bearer {
            serial: &SERIAL,
            ueid: &ueid,
        };
        let crypto = ServiceCrypto::new();
        let tenant = Issuing {
            tenant: "default",
            credentials: &self.credentials,
            endless: false,
        };
        read_token(&crypto, tenant, bearer, UnixTime(NOW), token)
    }

    fn read_claims(&self, claims: &Value) -> Result<Token, Denial> {
        self.read(&self.token(claims))
    }
}

fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn joined(signed: &str, signature: &[u8]) -> Vec<u8> {
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes()
}

fn header(kid: &str, alg: &str) -> Value {
    json!({ "typ": "JWT", "alg": alg, "kid": kid })
}

/// Claims for one content, changed by `change`.
fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = json!({
        "typ": "ContentAuthZ",
        "ver": "1.0",
        "exp": NOW + 60,
        "contentRights": [{ "contentId": "film" }],
    });
    change(&mut claims);
    claims
}

/// The denial, which names `rule`.
fn refused(result: Result<Token, Denial>, rule: &str) -> Denial {
    let denial = result.unwrap_err();
    assert_eq!(denial.rule.as_deref(), Some(rule), "{denial:?}");
    denial
}

#[test]
fn the_worked_examples_of_rfc_7515_verify() {
    // Appendix A.1, HMAC with SHA-256.
    let key =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = URL_SAFE_NO_PAD.decode(key).unwrap();
    let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let tag = URL_SAFE_NO_PAD
        .decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        .unwrap();
    let TokenKey::Hs256(secret) = TokenKey::hs256(&secret).unwrap() else {
        panic!("a shared secret")
    };
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.expose());
    assert!(ring::hmac::verify(&key, signed.as_bytes(), &tag).is_ok());

    // Appendix A.3, ECDSA on P-256 with SHA-256; its header has no kid, so the key is tried as
    // the provider takes it.
    let coordinate = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        <[u8; 32]>::try_from(bytes).unwrap()
    };
    let public = PublicKey {
        x: coordinate("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        y: coordinate("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    };
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = URL_SAFE_NO_PAD
        .decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
        .unwrap();
    let fixed = keybearer_crypto::Signature(<[u8; 64]>::try_from(signature).unwrap());
    let crypto = ServiceCrypto::new();
    assert!(crypto.verify(&public, signed.as_bytes(), &fixed).is_ok());
}

#[test]
fn both_algorithms_verify_with_their_own_credential() {
    let issuer = Issuer::new();
    let claims = claims(|_| {});
    assert_eq!(
        issuer.read_claims(&claims).unwrap().rights[0].content,
        "film"
    );
    let token = issuer.es256(&header("es", "ES256"), &claims);
    assert_eq!(issuer.read(&token).unwrap().rights[0].content, "film");
}

#[test]
fn no_algorithm_and_a_swapped_one_are_refused() {
    let issuer = Issuer::new();
    let claims = claims(|_| {});
    let unsigned = [
        signed(&header("hs", "none"), &claims).as_bytes(),
        b".".as_slice(),
    ]
    .concat();
    let denial = refused(issuer.read(&unsigned), "token.alg");
    assert_eq!(denial.found.as_deref(), Some("none"));
    assert_eq!(denial.wanted.as_deref(), Some("HS256 or ES256"));
    for alg in ["None", "hs256", "HS512", "RS256", ""] {
        let token = issuer.hs256(&header("hs", alg), &claims, &SECRET);
        refused(issuer.read(&token), "token.alg");
    }
    // The public key taken for a shared secret, in the forms that libraries have confused.
    let point = [[4].as_slice(), &issuer.public.x, &issuer.public.y].concat();
    for secret in [point.as_slice(), &issuer.public.x] {
        let token = issuer.hs256(&header("es", "HS256"), &claims, secret);
        let denial = refused(issuer.read(&token), "token.alg");
        assert_eq!(denial.wanted.as_deref(), Some("ES256"));
    }
    let token = issuer.es256(&header("hs", "ES256"), &claims);
    refused(issuer.read(&token), "token.alg");
}

#[test]
fn a_wrong_signature_is_refused() {
    let issuer = Issuer::new();
    let claims = claims(|_| {});
    let other = issuer.hs256(&header("hs", "HS256"), &claims, &[8; 32]);
    assert_eq!(
        refused(issuer.read(&other), "token.signature").reason,
        DenialReason::TokenInvalid
    );
    let mut cut = issuer.token(&claims);
    cut.truncate(cut.len() - 4);
    refused(issuer.read(&cut), "token.signature");
    let mut token = String::from_utf8(issuer.token(&claims)).unwrap();
    let at = token.find('.').unwrap() + 5;
    let flipped = if &token[at..=at] == "A" { "B" } else { "A" };
    token.replace_range(at..=at, flipped);
    refused(issuer.read(token.as_bytes()), "token.signature");
    // A point that is not on the curve verifies nothing.
    let credentials = [Credential {
        kid: "es".into(),
        key: TokenKey::Es256(PublicKey {
            x: [1; 32],
            y: [1; 32],
        }),
    }];
    let token = issuer.es256(&header("es", "ES256"), &claims);
    let denial = verify(&ServiceCrypto::new(), &credentials, &token)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(denial.rule.as_deref(), Some("token.signature"));
}

#[test]
fn what_is_no_token_is_refused() {
    let issuer = Issuer::new();
    let good = String::from_utf8(issuer.token(&claims(|_| {}))).unwrap();
    for bad in [
        String::new(),
        "some token".into(),
        "a.b".into(),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        good.replace('.', "|"),
    ] {
        refused(issuer.read(bad.as_bytes()), "token.form");
    }
    refused(issuer.read(&[0xff, b'.', b'.']), "token.form");
    let denial = refused(issuer.read(&vec![b'a'; MAX_TOKEN + 1]), "token.size");
    assert_eq!(denial.found, Some(format!("{} bytes", MAX_TOKEN + 1)));
    let large = claims(|claims| claims["iss"] = "x".repeat(4000).into());
    assert!(issuer.read_claims(&large).is_ok());
}

#[test]
fn header_members_that_could_change_the_meaning_are_refused() {
    let issuer = Issuer::new();
    for member in ["crit", "b64", "jwk", "jku", "x5c", "zip"] {
        let mut header = header("hs", "HS256");
        header[member] = json!(["exp"]);
        let token = issuer.hs256(&header, &claims(|_| {}), &SECRET);
        refused(issuer.read(&token), "token.header");
    }
    for (header, rule) in [
        (json!({ "alg": "HS256", "kid": "hs" }), "token.typ"),
        (
            json!({ "typ": "JOSE", "alg": "HS256", "kid": "hs" }),
            "token.typ",
        ),
        (json!({ "typ": "JWT", "alg": "HS256" }), "token.kid"),
        (
            json!({ "typ": "JWT", "alg": "HS256", "kid": "who" }),
            "token.kid",
        ),
        (json!({ "typ": "JWT", "kid": "hs" }), "token.header"),
        (json!(["HS256"]), "token.header"),
    ] {
        let token = issuer.hs256(&header, &claims(|_| {}), &SECRET);
        refused(issuer.read(&token), rule);
    }
}

#[test]
fn type_and_version_are_those_of_the_published_form() {
    let issuer = Issuer::new();
    let changed = |member: &str, value: Value| claims(|claims| claims[member] = value);
    for (claims, rule) in [
        (changed("typ", "Session".into()), "token.claims.typ"),
        (changed("ver", "2.0".into()), "token.ver"),
        (changed("ver", 1.into()), "token.payload"),
        (changed("exp", "soon".into()), "token.payload"),
        // A limit that this server would not keep.
        (changed("sessionControl", json!({})), "token.payload"),
        (changed("contentRights", json!([])), "token.contentRights"),
        (json!({}), "token.payload"),
    ] {
        refused(issuer.read_claims(&claims), rule);
    }
}

#[test]
fn time_counts_to_the_second() {
    let issuer = Issuer::new();
    let ends = |end: u64| claims(|claims| claims["exp"] = end.into());
    assert!(issuer.read_claims(&ends(NOW + 1)).is_ok());
    for end in [0, NOW - 1, NOW] {
        let denial = refused(issuer.read_claims(&ends(end)), "token.exp");
        assert_eq!(denial.reason, DenialReason::TokenExpired);
        assert_eq!(denial.public_code, Some(4005));
        assert_eq!(denial.found, Some(end.to_string()));
    }
    let begins = |begin: u64| claims(|claims| claims["nbf"] = begin.into());
    assert!(issuer.read_claims(&begins(NOW)).is_ok());
    refused(issuer.read_claims(&begins(NOW + 1)), "token.nbf");
    let endless = claims(|claims| {
        claims.as_object_mut().unwrap().remove("exp");
    });
    let denial = refused(issuer.read_claims(&endless), "token.exp");
    assert_eq!(denial.reason, DenialReason::TokenInvalid);
}

#[test]
fn a_token_with_an_id_and_an_end_counts_once_and_ends_within_a_day() {
    let issuer = Issuer::new();
    let with_id = |id: &str, end: u64| {
        claims(|claims| {
            claims["jti"] = id.into();
            claims["exp"] = end.into();
        })
    };
    let day = NOW + 24 * 60 * 60;
    let one_use = |claims: &Value| issuer.read_claims(claims).unwrap().one_use;
    let first = one_use(&with_id("1", day)).unwrap();
    assert_eq!(first.ends, day);
    assert_ne!(first.id, one_use(&with_id("2", day)).unwrap().id);
    assert_eq!(first.id, one_use(&with_id("1", NOW + 5)).unwrap().id);
    assert_eq!(one_use(&claims(|_| {})), None);
    let denial = refused(issuer.read_claims(&with_id("1", day + 1)), "token.exp");
    assert_eq!(denial.public_code, Some(4005));
    refused(issuer.read_claims(&with_id("", day)), "token.jti");
    refused(
        issuer.read_claims(&with_id(&"x".repeat(65), day)),
        "token.jti",
    );
    // Another credential has ids of its own.
    let token = issuer.es256(&header("es", "ES256"), &with_id("1", day));
    assert_ne!(issuer.read(&token).unwrap().one_use.unwrap().id, first.id);
}

#[test]
fn a_token_for_another_device_is_refused() {
    let issuer = Issuer::new();
    let bound = |device: Value| claims(|claims| claims["device"] = device);
    let ueid = Ueid::from_device(&[1; 32]).to_string();
    for name in [SERIAL.to_string(), SERIAL.to_string().to_uppercase(), ueid] {
        assert!(
            issuer
                .read_claims(&bound(json!({ "deviceUniqueId": name })))
                .is_ok()
        );
    }
    let other = json!({ "deviceUniqueId": "0".repeat(32) });
    let denial = refused(
        issuer.read_claims(&bound(other)),
        "token.device.deviceUniqueId",
    );
    assert_eq!(denial.reason, DenialReason::TokenOtherDevice);
    assert_eq!(denial.public_code, Some(4007));
    assert_eq!(denial.found, Some(SERIAL.to_string()));
    // An account is the operator's own affair; a binding that is not known is no affair of ours.
    assert!(
        issuer
            .read_claims(&bound(json!({ "accountId": "a" })))
            .is_ok()
    );
    refused(
        issuer.read_claims(&bound(json!({ "serialNumber": "a" }))),
        "token.payload",
    );
}

#[test]
fn a_token_states_terms_for_contents_and_for_tracks() {
    let issuer = Issuer::new();
    let token = issuer
        .read_claims(&claims(|claims| {
            claims["contentRights"] = json!([{
                "contentId": "film",
                "usageRulesProfileId": "SD",
                "tracks": [
                    { "type": "UHD", "usageRulesProfileId": "UHD" },
                    { "trackType": "hd" },
                ],
            }]);
        }))
        .unwrap();
    let right = &token.rights[0];
    let profile = |name: &str| Terms::Profile(name.to_owned());
    assert_eq!(right.terms, profile("SD"));
    assert_eq!(*right.own_terms(TrackType::Uhd1), profile("UHD"));
    assert_eq!(*right.own_terms(TrackType::Uhd2), profile("UHD"));
    assert_eq!(*right.own_terms(TrackType::Hd), Terms::Unstated);
    assert_eq!(*right.own_terms(TrackType::Audio), Terms::Unstated);
}

#[test]
fn profile_and_rules_do_not_go_together_anywhere_in_a_token() {
    let issuer = Issuer::new();
    let rights = |rights: Value| claims(|claims| claims["contentRights"] = rights);
    for both in [
        json!([{ "contentId": "a", "usageRulesProfileId": "HD", "usageRules": {} }]),
        json!([{ "contentId": "a", "usageRulesProfileId": "HD",
                 "tracks": [{ "type": "HD", "usageRules": {} }] }]),
        json!([{ "contentId": "a", "usageRulesProfileId": "HD" },
               { "contentId": "b", "usageRules": { "hdcp": true } }]),
    ] {
        let denial = refused(issuer.read_claims(&rights(both)), "UR-02");
        assert_eq!(denial.reason, DenialReason::ProfileAndRules);
    }
    let rules = json!([{ "contentId": "a", "usageRules": { "minLevel": 2 } }]);
    let token = issuer.read_claims(&rights(rules)).unwrap();
    assert!(matches!(token.rights[0].terms, Terms::Rules(_)));
}

#[test]
fn lists_have_an_end() {
    let issuer = Issuer::new();
    let many: Vec<Value> = (0..=MAX_RIGHTS)
        .map(|n| json!({ "contentId": n.to_string() }))
        .collect();
    refused(
        issuer.read_claims(&claims(|claims| claims["contentRights"] = many.into())),
        "token.contentRights",
    );
    let twice = json!([{ "contentId": "a", "usageRulesProfileId": "UHD" }, { "contentId": "a" }]);
    refused(
        issuer.read_claims(&claims(|claims| claims["contentRights"] = twice)),
        "token.contentRights",
    );
    for tracks in [
        json!(vec![json!({ "type": "HD" }); MAX_TRACKS + 1]),
        json!([{ "type": "HD" }, { "type": "hd" }]),
        json!([{ "type": "UHD1" }, { "type": "UHD" }]),
        json!([{ "type": "4K" }]),
    ] {
        let claims = claims(|claims| {
            claims["contentRights"] = json!([{ "contentId": "a", "tracks": tracks }]);
        });
        let denial = issuer.read_claims(&claims).unwrap_err();
        assert_eq!(denial.reason, DenialReason::TokenInvalid, "{claims}");
    }
}

#[test]
fn a_shared_secret_is_as_long_as_the_hash_and_never_shown() {
    assert!(TokenKey::hs256(&[1; 31]).is_none());
    let key = TokenKey::hs256(&[0xee; 32]).unwrap();
    assert_eq!(format!("{key:?}"), "Hs256(SharedSecret)");
}

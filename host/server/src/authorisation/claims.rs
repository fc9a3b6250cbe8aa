//! What a content authorisation token says: the payload that NAGRA publishes as `ContentAuthZ`
//! version 1.0 (docs.nagra.com, "Content Authorization Token"), in the part that this server can
//! fulfil. A claim beyond it is refused by name: it may be a limit.

use keybearer_crypto::Crypto;
use keybearer_license::{Denial, DenialReason, Serial, TrackType, Ueid, UnixTime};
use serde::Deserialize;

use super::credential::Credential;
use super::{
    ExplicitRules, MAX_ID, MAX_RIGHTS, MAX_TRACKS, OneUse, Right, Terms, jws, tracks_named,
};
use crate::denial::{Because, code, refusal};

/// What `typ` must be.
const TYPE: &str = "ContentAuthZ";
/// What `ver` must be.
const VERSION: &str = "1.0";
/// Longest life of a token that counts once, in seconds: its id must be remembered as long.
const MAX_ONE_USE_SECONDS: u64 = 24 * 60 * 60;

/// The tenant in whose name a token counts.
#[derive(Clone, Copy)]
pub(crate) struct Issuing<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) credentials: &'a [Credential],
    /// Whether a token without an end counts as well.
    pub(crate) endless: bool,
}

/// The device that brings a token.
#[derive(Clone, Copy)]
pub(crate) struct Bearer<'a> {
    /// The serial of its certificate, which is what operators see of it.
    pub(crate) serial: &'a Serial,
    pub(crate) ueid: &'a Ueid,
}

/// A token that was verified and counts now, for this device.
#[derive(Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) rights: Vec<Right>,
    /// Present where the token counts for one licence.
    pub(crate) one_use: Option<OneUse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Claims {
    typ: String,
    ver: String,
    exp: Option<u64>,
    nbf: Option<u64>,
    // Who issued the token and when decides nothing: the credential says who, `exp` until when.
    #[serde(rename = "iat")]
    _iat: Option<u64>,
    #[serde(rename = "iss")]
    _iss: Option<String>,
    jti: Option<String>,
    device: Option<Device>,
    content_rights: Vec<RightForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Device {
    device_unique_id: Option<String>,
    /// The operator's name for its customer. No device proves it, so it binds nothing.
    #[serde(rename = "accountId")]
    _account_id: Option<String>,
}

/// What is authorised for one content, as tokens and the operator's service write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RightForm {
    content_id: String,
    usage_rules_profile_id: Option<String>,
    usage_rules: Option<ExplicitRules>,
    #[serde(default)]
    tracks: Vec<TrackForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TrackForm {
    #[serde(alias = "type")]
    track_type: String,
    usage_rules_profile_id: Option<String>,
    usage_rules: Option<ExplicitRules>,
}

/// Verifies a token and reads what it grants to the device that brings it.
///
/// Replays are the store's to find, by [`Token::one_use`].
///
/// # Errors
/// A denial that names the claim at fault, what it must be and what was found.
pub(crate) fn read_token(
    crypto: &impl Crypto,
    issuing: Issuing<'_>,
    bearer: Bearer<'_>,
    now: UnixTime,
    token: &[u8],
) -> Result<Token, Denial> {
    let verified = jws::verify(crypto, issuing.credentials, token)?;
    let claims: Claims = serde_json::from_slice(&verified.payload).map_err(|error| {
        invalid("token.payload").because("the claims of ContentAuthZ 1.0", error)
    })?;
    if claims.typ != TYPE {
        return Err(invalid("token.claims.typ").because(TYPE, &claims.typ));
    }
    if claims.ver != VERSION {
        return Err(invalid("token.ver").because(VERSION, &claims.ver));
    }
    check_time(&claims, !issuing.endless, now)?;
    let one_use = one_use(
        crypto,
        issuing.tenant,
        &verified.credential.kid,
        &claims,
        now,
    )?;
    check_device(claims.device.as_ref(), bearer)?;
    let rights = rights(claims.content_rights, "token.contentRights")?;
    if rights.is_empty() {
        return Err(invalid("token.contentRights").because("at least one", "none"));
    }
    Ok(Token { rights, one_use })
}

fn invalid(rule: &str) -> Denial {
    refusal(DenialReason::TokenInvalid, rule)
}

/// A time in a refusal: Unix time, as the token has it.
fn check_time(claims: &Claims, expiry_needed: bool, now: UnixTime) -> Result<(), Denial> {
    match claims.exp {
        Some(end) if end <= now.0 => {
            return Err(refusal(DenialReason::TokenExpired, "token.exp")
                .because(format_args!("after {}", now.0), end)
                .public(code::BAD_EXPIRY));
        }
        None if expiry_needed => {
            return Err(invalid("token.exp")
                .because("an expiry", "none")
                .public(code::BAD_EXPIRY));
        }
        Some(_) | None => {}
    }
    match claims.nbf {
        Some(begin) if begin > now.0 => Err(refusal(DenialReason::NotAuthorised, "token.nbf")
            .because(format_args!("at most {}", now.0), begin)),
        Some(_) | None => Ok(()),
    }
}

/// What a token that counts once is remembered by. It counts once where it has both an id and an
/// end, and then the end is at most a day away.
fn one_use(
    crypto: &impl Crypto,
    tenant: &str,
    kid: &str,
    claims: &Claims,
    now: UnixTime,
) -> Result<Option<OneUse>, Denial> {
    let (Some(id), Some(ends)) = (&claims.jti, claims.exp) else {
        return Ok(None);
    };
    if id.is_empty() || id.len() > MAX_ID {
        return Err(invalid("token.jti").because(
            format_args!("1 to {MAX_ID} bytes"),
            format_args!("{} bytes", id.len()),
        ));
    }
    if ends.saturating_sub(now.0) > MAX_ONE_USE_SECONDS {
        return Err(invalid("token.exp")
            .because(
                format_args!("at most {MAX_ONE_USE_SECONDS} s away, with jti"),
                format_args!("{} s", ends.saturating_sub(now.0)),
            )
            .public(code::BAD_EXPIRY));
    }
    // Lengths between the parts: no two tokens can be joined to the same text.
    let id = crypto.sha256(&[
        &length(tenant),
        tenant.as_bytes(),
        &length(kid),
        kid.as_bytes(),
        id.as_bytes(),
    ]);
    Ok(Some(OneUse { id, ends }))
}

fn length(of: &str) -> [u8; 8] {
    u64::try_from(of.len()).unwrap_or(u64::MAX).to_be_bytes()
}

/// Refuses a token for another device.
fn check_device(device: Option<&Device>, bearer: Bearer<'_>) -> Result<(), Denial> {
    let Some(wanted) = device.and_then(|device| device.device_unique_id.as_deref()) else {
        return Ok(());
    };
    let names = [bearer.serial.to_string(), bearer.ueid.to_string()];
    if names.iter().any(|name| name.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    Err(refusal(
        DenialReason::TokenOtherDevice,
        "token.device.deviceUniqueId",
    )
    .because(wanted, bearer.serial)
    .public(code::DEVICE_MISMATCH))
}

/// Reads rights, and refuses profile and rules in one authorisation (UR-02), wherever in it they
/// stand: at the same place, or one for the content and the other for a track or another content.
pub(super) fn rights(forms: Vec<RightForm>, rule: &str) -> Result<Vec<Right>, Denial> {
    let too_many = |what: &str, most: usize, found: usize| {
        invalid(rule).because(
            format_args!("at most {most} {what}"),
            format_args!("{found} {what}"),
        )
    };
    if forms.len() > MAX_RIGHTS {
        return Err(too_many("contents", MAX_RIGHTS, forms.len()));
    }
    let of_tracks = format!("{rule}.tracks");
    let (mut profiles, mut explicit) = (false, false);
    let mut terms = |profile: Option<String>, rules: Option<ExplicitRules>| {
        profiles |= profile.is_some();
        explicit |= rules.is_some();
        match (profile, rules) {
            (Some(profile), _) => Terms::Profile(profile),
            (None, Some(rules)) => Terms::Rules(rules),
            (None, None) => Terms::Unstated,
        }
    };
    let mut rights: Vec<Right> = Vec::with_capacity(forms.len());
    for form in forms {
        if rights.iter().any(|right| right.content == form.content_id) {
            return Err(invalid(rule).because("each content once", &form.content_id));
        }
        if form.tracks.len() > MAX_TRACKS {
            return Err(too_many("tracks", MAX_TRACKS, form.tracks.len()));
        }
        let mut tracks: Vec<(TrackType, Terms)> = Vec::new();
        for track in form.tracks {
            let named = tracks_named(&track.track_type);
            if named.is_empty() {
                return Err(invalid(&of_tracks)
                    .because("Audio, SD, HD, UHD, UHD1, UHD2 or other", &track.track_type));
            }
            let own = terms(track.usage_rules_profile_id, track.usage_rules);
            for of in named {
                if tracks.iter().any(|(known, _)| known == of) {
                    return Err(invalid(&of_tracks).because("each track once", &track.track_type));
                }
                tracks.push((*of, own.clone()));
            }
        }
        rights.push(Right {
            content: form.content_id,
            terms: terms(form.usage_rules_profile_id, form.usage_rules),
            tracks,
        });
    }
    if profiles && explicit {
        return Err(refusal(DenialReason::ProfileAndRules, "UR-02")
            .because("a profile or explicit rules", "both"));
    }
    Ok(rights)
}

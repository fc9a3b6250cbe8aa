//! Everything that can be explained. Meanings come from the rooms that say the words; only what these
//! leave to common knowledge is written here.

use keybearer_client::{DenialReason, KeyStatus, ReasonField, Status, explain};
use keybearer_rules::Level;
use serde::Serialize;

use crate::exit;

/// One word or number.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Topic {
    /// The part that says it.
    pub(super) group: &'static str,
    pub(super) name: String,
    pub(super) number: Option<u32>,
    pub(super) meaning: String,
    pub(super) advice: Option<&'static str>,
}

/// The parts, in the order of the list.
pub(super) const GROUPS: &[(&str, &str)] = &[
    (
        "key-status",
        "what a licence's key may do now (W3C Encrypted Media Extensions)",
    ),
    ("reason", "why a key has its status"),
    ("status", "what the trusted side answers"),
    ("denial", "why the service refused; sealed and signed by it"),
    (
        "service-code",
        "public numbers of licence services, which may come with a denial",
    ),
    ("level", "where keys and content are kept"),
    ("exit", "exit codes of this command"),
];

/// Numbers that licence services in use give for the same reasons.
const SERVICE_CODES: &[(u32, &str)] = &[
    (
        2104,
        "the request states an HDCP version that does not exist",
    ),
    (4000, "not granted"),
    (4001, "no authorisation token"),
    (4003, "more than one authorisation token"),
    (4005, "the authorisation token's expiry cannot be used"),
    (4006, "the authorisation token was used before"),
    (4007, "the authorisation token is for another device"),
    (4008, "the device's security level is too low"),
    (4011, "there is no key for this content"),
    (4017, "the device is disabled"),
    (4044, "the device does not declare that it enforces HDCP"),
];

pub(super) fn all() -> Vec<Topic> {
    let mut topics = Vec::new();
    topics.extend(KeyStatus::ALL.iter().map(|status| {
        let (meaning, advice) = key_status(*status);
        Topic {
            group: "key-status",
            name: status.text().replace(" the ", " ").replace(' ', "-"),
            number: Some(status.code().into()),
            meaning: meaning.to_owned(),
            advice,
        }
    }));
    topics.extend(ReasonField::ALL.iter().map(|field| Topic {
        group: "reason",
        name: format!("{field:?}"),
        number: Some(field.code().into()),
        meaning: field.text().to_owned(),
        advice: None,
    }));
    topics.extend(Status::ALL.iter().map(|status| Topic {
        group: "status",
        name: status.name().to_owned(),
        number: Some(status.code().into()),
        meaning: status.to_string(),
        advice: explain::status_advice(*status),
    }));
    topics.extend(DenialReason::ALL.iter().map(|reason| Topic {
        group: "denial",
        name: format!("{reason:?}"),
        number: Some(reason.code().into()),
        meaning: explain::denial_text(*reason).to_owned(),
        advice: Some(explain::denial_advice(*reason)),
    }));
    topics.extend(SERVICE_CODES.iter().map(|(code, meaning)| Topic {
        group: "service-code",
        name: code.to_string(),
        number: Some(*code),
        meaning: (*meaning).to_owned(),
        advice: None,
    }));
    topics.extend(Level::ALL.iter().map(|level| Topic {
        group: "level",
        name: level.name().to_owned(),
        number: None,
        meaning: level_meaning(*level).to_owned(),
        advice: None,
    }));
    topics.extend(exit::CODES.iter().map(|(code, name, meaning)| Topic {
        group: "exit",
        name: (*name).to_owned(),
        number: Some((*code).into()),
        meaning: (*meaning).to_owned(),
        advice: None,
    }));
    topics
}

fn key_status(status: KeyStatus) -> (&'static str, Option<&'static str>) {
    match status {
        KeyStatus::Usable => ("the key may be used now", None),
        KeyStatus::UsableInFuture => ("the licence begins later", Some("wait for its beginning")),
        KeyStatus::Expired => (
            "a time limit of the licence has passed",
            Some("acquire a new licence"),
        ),
        KeyStatus::Released => ("the key was given back", Some("acquire a new licence")),
        KeyStatus::OutputRestricted => (
            "a connected output is not protected as the key demands",
            Some("disconnect it, or use a protected one"),
        ),
        KeyStatus::OutputDownscaled => (
            "the key may be used, but only for smaller pictures",
            Some("connect a protected output for the full size"),
        ),
        KeyStatus::StatusPending => (
            "something that decides is not known yet, such as the time",
            Some("see the reasons; a time answer or a licence may bring it"),
        ),
        KeyStatus::InternalError => ("the trusted side failed with this key", None),
    }
}

const fn level_meaning(level: Level) -> &'static str {
    match level {
        Level::None => "simulated; only for keys made for testing",
        Level::Low => "keys and decryption in the operating system",
        Level::Medium => "keys and decryption in the TEE, content in the operating system",
        Level::High => "keys, decryption and content processing in the TEE",
    }
}

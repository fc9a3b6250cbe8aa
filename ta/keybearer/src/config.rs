//! What the builder of the trusted application fixes at build time.

use keybearer_core::{Anchors, Config};
use keybearer_crypto::Digest;
use keybearer_license::{Isolation, Version};
use keybearer_rules::Level;
use keybearer_ta_entry::debug::DEBUG;
use keybearer_wire::limits::OPTEE_MAX_MEDIA;

/// Trust anchors this trusted application accepts: SHA-256 digests of operators' root keys.
///
/// `KEYBEARER_TA_ANCHORS` at build time: digests in hexadecimal, separated by commas. Without it
/// the list is empty and the application provisions with nobody: an anchor never comes from
/// outside the signed image.
pub const ANCHORS: &[Digest] = &parse::<{ count(ANCHOR_LIST) }>(ANCHOR_LIST);

/// UUID of the decoder whose sessions are given clear media; `None`: nobody's are, and the highest
/// level is Medium.
///
/// `KEYBEARER_TA_DECODER` at build time: a UUID in lower case, or nothing at all for none. Without
/// the variable it is that of the decoder which is built from these sources. Whoever can sign an
/// application under this UUID can read the content of protected sessions: the UUID is no
/// secret, the signing key is.
pub const DECODER: Option<&str> = match option_env!("KEYBEARER_TA_DECODER") {
    Some(uuid) if uuid.is_empty() => None,
    Some(uuid) => Some(uuid_text(uuid)),
    None => Some(uuid_text(
        include_str!("../../decoder/uuid.txt").trim_ascii_end(),
    )),
};

/// UUID of the platform's monitor of the outputs, which this application asks at each call; `None`: the
/// platform has none.
///
/// `KEYBEARER_TA_MONITOR` at build time: a UUID in lower case, or nothing. Whoever can sign an
/// application under this UUID says what is connected: as with the decoder, the signing key is the secret.
pub const MONITOR: Option<&str> = match option_env!("KEYBEARER_TA_MONITOR") {
    Some(uuid) if !uuid.is_empty() => Some(uuid_text(uuid)),
    _ => None,
};

/// UUID of the monitor that tells what a test says.
const TEST_MONITOR: &str = include_str!("../../monitor/uuid.txt").trim_ascii_end();

/// Whether a build with this switch and this monitor has to say that it is one for development: the
/// test monitor's word protects nothing.
fn is_debug(switch: bool, monitor: Option<&str>) -> bool {
    switch || monitor == Some(TEST_MONITOR)
}

/// What the core shall say about this build.
#[must_use]
pub fn config() -> Config {
    Config {
        level: if DECODER.is_some() {
            Level::High
        } else {
            Level::Medium
        },
        decoder: DECODER.is_some(),
        isolation: Isolation::Tee,
        debug: is_debug(DEBUG, MONITOR),
        ta_version: Some(VERSION),
        anchors: Anchors::Fixed(ANCHORS),
        max_media: u32::try_from(OPTEE_MAX_MEDIA).unwrap_or(u32::MAX),
        oem: None,
    }
}

/// Version of the trusted application.
const VERSION: Version = Version {
    major: number(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: number(env!("CARGO_PKG_VERSION_MINOR")),
    patch: number(env!("CARGO_PKG_VERSION_PATCH")),
};

const fn number(text: &str) -> u16 {
    match u16::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a part of the version exceeds 65535"),
    }
}

const ANCHOR_LIST: &[u8] = match option_env!("KEYBEARER_TA_ANCHORS") {
    Some(list) => list.as_bytes(),
    None => b"",
};

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// How many digests a list holds.
const fn count(list: &[u8]) -> usize {
    list.len().div_ceil(DIGITS + 1)
}

/// Reads a list; a build with a malformed one stops here.
const fn parse<const N: usize>(list: &[u8]) -> [Digest; N] {
    assert!(
        list.is_empty() || list.len() % (DIGITS + 1) == DIGITS,
        "KEYBEARER_TA_ANCHORS: 64 hexadecimal digits an anchor, separated by single commas"
    );
    let mut anchors = [Digest([0; 32]); N];
    let mut at = 0;
    while at < list.len() {
        let (anchor, digit) = (at / (DIGITS + 1), at % (DIGITS + 1));
        if digit == DIGITS {
            assert!(
                list[at] == b',',
                "KEYBEARER_TA_ANCHORS: a comma between two anchors"
            );
        } else {
            let byte = &mut anchors[anchor].0[digit / 2];
            *byte = *byte << 4 | nibble(list[at]);
        }
        at += 1;
    }
    anchors
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => panic!("KEYBEARER_TA_ANCHORS: not a hexadecimal digit"),
    }
}

/// A UUID as the TEE's text for one is; a build with another form stops here.
const fn uuid_text(text: &str) -> &str {
    let bytes = text.as_bytes();
    assert!(
        bytes.len() == 36,
        "a UUID in the environment: a text of 36 characters"
    );
    let mut at = 0;
    while at < bytes.len() {
        match (at, bytes[at]) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => {
                panic!("a UUID in the environment: five groups parted by hyphens")
            }
            (_, b'0'..=b'9' | b'a'..=b'f') => {}
            _ => panic!("a UUID in the environment: digits 0 to 9 and a to f"),
        }
        at += 1;
    }
    text
}

#[cfg(test)]
mod tests;

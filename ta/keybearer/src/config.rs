//! What the builder of the trusted application fixes at build time.

/// Trust anchors this trusted application accepts: SHA-256 digests of operators' root keys.
///
/// `KEYBEARER_TA_ANCHORS` at build time: digests in hexadecimal, separated by commas. Without it
/// the list is empty and the application provisions with nobody: an anchor never comes from
/// outside the signed image.
pub const ANCHORS: [[u8; 32]; count(ANCHOR_LIST)] = parse(ANCHOR_LIST);

/// True for development builds (`KEYBEARER_TA_DEBUG=1` at build time). Every licence request says
/// so, and a service that is not marked as a test service refuses it.
pub const DEBUG: bool = is_set(option_env!("KEYBEARER_TA_DEBUG"));

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
const fn parse<const N: usize>(list: &[u8]) -> [[u8; 32]; N] {
    assert!(
        list.is_empty() || list.len() % (DIGITS + 1) == DIGITS,
        "KEYBEARER_TA_ANCHORS: 64 hexadecimal digits an anchor, separated by single commas"
    );
    let mut anchors = [[0; 32]; N];
    let mut at = 0;
    while at < list.len() {
        let (anchor, digit) = (at / (DIGITS + 1), at % (DIGITS + 1));
        if digit == DIGITS {
            assert!(
                list[at] == b',',
                "KEYBEARER_TA_ANCHORS: a comma between two anchors"
            );
        } else {
            let byte = &mut anchors[anchor][digit / 2];
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

const fn is_set(value: Option<&str>) -> bool {
    match value {
        None => false,
        Some(text) => match text.as_bytes() {
            b"1" => true,
            b"" | b"0" => false,
            _ => panic!("KEYBEARER_TA_DEBUG: 1 or 0"),
        },
    }
}

#[cfg(test)]
mod tests;

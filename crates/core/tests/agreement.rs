//! Where the wire and the licence protocol speak of the same thing, they say the same: only the
//! core sees both, so it is here that they are compared.

use keybearer_license as license;
use keybearer_wire::limits as wire;

#[test]
fn the_wires_limits_are_the_protocols() {
    assert_eq!(wire::MAX_MODEL, license::MAX_HARDWARE_MODEL);
    assert_eq!(wire::MAX_CAPABILITIES, license::MAX_CAPABILITIES);
    assert_eq!(wire::MAX_TOKEN, license::MAX_TOKEN);
    assert_eq!(wire::MAX_PROVISION_TOKEN, license::MAX_PROVISION_TOKEN);
    assert_eq!(wire::MAX_KEY_IDS, license::MAX_KEYS);
    assert_eq!(wire::MAX_INIT_DATA_ITEMS, license::MAX_INIT_DATA);
    assert_eq!(wire::MAX_INIT_DATA, license::MAX_INIT_DATA_BYTES);
    assert_eq!(wire::MAX_URL, license::MAX_URL);
    assert_eq!(wire::MAX_TEXT, license::MAX_TEXT);
}

/// The largest message of the protocol, and the fullest licence, go through.
#[test]
fn what_the_protocol_allows_fits_the_wire() {
    let messages = [
        license::MAX_SERVICE_INFO,
        license::MAX_PROVISION_REQUEST,
        license::MAX_PROVISION_ANSWER,
        license::MAX_LICENSE_REQUEST,
        license::MAX_LICENSE_ANSWER,
        license::MAX_TIME_REQUEST,
        license::MAX_TIME_ANSWER,
        license::MAX_REVOCATION_LIST,
    ];
    assert_eq!(messages.into_iter().max(), Some(wire::MAX_SERVICE_MESSAGE));
    const { assert!(wire::MAX_KEYS_PER_SESSION >= license::MAX_KEYS) };
}

/// Schemes cross the wire as numbers, and the core compares those of a key with those of a call.
#[test]
fn schemes_have_the_same_numbers_and_names_everywhere() {
    use keybearer_cenc::Scheme as Cenc;
    use license::Scheme;
    let pairs = [
        (Cenc::Cenc, Scheme::Cenc, 1),
        (Cenc::Cens, Scheme::Cens, 2),
        (Cenc::Cbc1, Scheme::Cbc1, 3),
        (Cenc::Cbcs, Scheme::Cbcs, 4),
    ];
    assert_eq!(pairs.map(|(_, scheme, _)| scheme), *Scheme::ALL);
    for (cenc, scheme, number) in pairs {
        assert_eq!((cenc as u8, scheme.code()), (number, number));
        assert_eq!(cenc.to_string().as_bytes(), scheme.fourcc());
    }
}

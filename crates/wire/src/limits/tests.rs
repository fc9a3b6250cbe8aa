use super::*;

/// Both ends of the interface are built with these: one that changes changes the interface.
#[test]
fn sizes_are_those_of_this_version_of_the_interface() {
    let sizes = [
        (MAX_REQUEST, 131_072),
        (MAX_RESPONSE, 65_536),
        (MAX_MEDIA, 67_108_864),
        (OPTEE_MAX_MEDIA, 4_194_304),
        (MAX_INIT_DATA, 4_096),
        (MAX_TOKEN, 8_192),
        (MAX_PROVISION_TOKEN, 4_096),
        (MAX_SERVICE_MESSAGE, 65_536),
    ];
    for (limit, bytes) in sizes {
        assert_eq!(limit, bytes);
    }
    assert_eq!(ABI_VERSION, 2);
}

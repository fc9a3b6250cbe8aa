use alloc::format;

use super::*;

#[test]
fn the_version_is_the_packages() {
    let Version {
        major,
        minor,
        patch,
    } = VERSION;
    assert_eq!(
        format!("{major}.{minor}.{patch}"),
        env!("CARGO_PKG_VERSION")
    );
}

//! Whether a build is for development, which its builder decides.

/// True for development builds (`KEYBEARER_TA_DEBUG=1` at build time).
pub const DEBUG: bool = is_set(option_env!("KEYBEARER_TA_DEBUG"));

/// Reads the switch; a build with anything but 1 or 0 stops here.
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
mod tests {
    extern crate std;

    use super::is_set;

    #[test]
    fn debug_is_one_or_nothing() {
        assert!(is_set(Some("1")));
        assert!(!is_set(Some("0")) && !is_set(Some("")) && !is_set(None));
        assert!(std::panic::catch_unwind(|| is_set(Some("yes"))).is_err());
    }
}

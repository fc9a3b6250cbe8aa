use super::Status;
use alloc::{format, string::String};

/// Pins every number: a change here breaks firmware in the field.
#[test]
fn numbers_are_pinned() {
    let mut table = String::new();
    for status in Status::ALL {
        table += &format!("{} {}\n", status.code(), status.name());
    }
    assert_eq!(table, include_str!("pinned.txt"));
}

#[test]
fn codes_round_trip_and_unknown_ones_are_refused() {
    for status in Status::ALL {
        assert_eq!(Status::from_code(status.code()), Some(*status));
    }
    assert_eq!(Status::from_code(31), None);
    assert_eq!(Status::from_code(u16::MAX), None);
}

use std::collections::HashSet;
use std::fmt::Debug;

use keybearer_license::{DenialReason, Enforcement, IvKind, Scheme, TrackType};
use keybearer_rules::Level;

use super::Named;

/// Every value of the licence room has a word, no word stands for two, and each reads back.
fn complete<T: Named + Debug>(all: &[T]) {
    assert_eq!(T::all(), all, "{}", T::WHAT);
    let words: HashSet<&str> = all.iter().map(|value| value.word()).collect();
    assert_eq!(words.len(), all.len(), "{}", T::WHAT);
    for value in all {
        assert_eq!(T::from_word(value.word()), Some(*value));
    }
    assert_eq!(T::from_word("no such word"), None);
}

#[test]
fn every_value_has_one_word() {
    complete(DenialReason::ALL);
    complete(TrackType::ALL);
    complete(Scheme::ALL);
    complete(IvKind::ALL);
    complete(Enforcement::ALL);
    complete(Level::ALL);
}

#[test]
fn what_is_expected_reads_as_a_sentence() {
    assert_eq!(Enforcement::expected(), "soft or hard");
    assert_eq!(Level::expected(), "none, low, medium or high");
}

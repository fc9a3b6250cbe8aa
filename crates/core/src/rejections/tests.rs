use super::*;

const KEY: KeyId = KeyId([1; 16]);
const OTHER: KeyId = KeyId([2; 16]);
/// One unit that became a picture.
const DECODED: Report = Report {
    rejected: 0,
    decoded: 1,
};
/// One unit that is content and became no picture.
const NEITHER: Report = Report {
    rejected: 0,
    decoded: 0,
};

fn rejections() -> Rejections {
    Rejections::new().unwrap()
}

#[test]
fn as_many_as_the_limit_in_a_row_close_a_key_and_no_other() {
    let mut rejections = rejections();
    for so_far in 1..MAX_REJECTIONS {
        rejections.note(KEY, Report::rejected(1));
        assert_eq!(rejections.closed(KEY), None, "{so_far}");
    }
    rejections.note(KEY, Report::rejected(1));
    assert_eq!(rejections.closed(KEY), Some(MAX_REJECTIONS));
    assert_eq!(rejections.closed(OTHER), None);
    rejections.note(OTHER, Report::rejected(MAX_REJECTIONS + 3));
    assert_eq!(rejections.closed(OTHER), Some(MAX_REJECTIONS + 3));
}

#[test]
fn only_a_picture_ends_a_row() {
    let mut rejections = rejections();
    for _ in 0..5 {
        rejections.note(KEY, Report::rejected(MAX_REJECTIONS - 1));
        rejections.note(OTHER, Report::rejected(MAX_REJECTIONS - 1));
        rejections.note(KEY, NEITHER);
        rejections.note(KEY, DECODED);
        rejections.note(OTHER, DECODED);
        assert_eq!(rejections.rows, [], "an ended row takes no room");
    }
    rejections.note(KEY, Report::rejected(MAX_REJECTIONS - 1));
    rejections.note(KEY, NEITHER);
    rejections.note(OTHER, DECODED);
    rejections.note(KEY, Report::rejected(1));
    assert_eq!(rejections.closed(KEY), Some(MAX_REJECTIONS));
}

/// A closed key stays closed: nothing is decrypted under it any more, but a report may come late.
#[test]
fn nothing_opens_a_closed_key() {
    let mut rejections = rejections();
    rejections.note(KEY, Report::rejected(MAX_REJECTIONS));
    rejections.note(KEY, DECODED);
    rejections.note(KEY, NEITHER);
    assert_eq!(rejections.closed(KEY), Some(MAX_REJECTIONS));
    rejections.note(KEY, Report::rejected(u32::MAX));
    assert_eq!(rejections.closed(KEY), Some(u32::MAX));
}

#[test]
fn a_report_on_both_counts_the_rejected_ones_where_they_weigh_most() {
    let both = |rejected| Report {
        rejected,
        decoded: 3,
    };
    let mut rejections = rejections();
    rejections.note(KEY, Report::rejected(2));
    rejections.note(KEY, both(5));
    assert_eq!(rejections.rows, [(KEY, 5)]);
    rejections.note(KEY, both(3));
    assert_eq!(rejections.closed(KEY), Some(MAX_REJECTIONS));
}

/// More keys with a row than a session holds keys: only a host that loads and removes licences to
/// begin its rows anew gets there.
#[test]
fn where_no_row_can_be_kept_every_other_key_is_closed() {
    let mut rejections = rejections();
    let key = |n: usize| KeyId([u8::try_from(n).unwrap(); 16]);
    for n in 0..MAX_KEYS_PER_SESSION {
        rejections.note(key(n), Report::rejected(1));
    }
    let capacity = rejections.rows.capacity();
    assert_eq!(rejections.closed(key(MAX_KEYS_PER_SESSION)), None);
    rejections.note(key(MAX_KEYS_PER_SESSION), DECODED);
    assert_eq!(rejections.closed(key(MAX_KEYS_PER_SESSION)), None);
    rejections.note(key(MAX_KEYS_PER_SESSION), Report::rejected(1));
    assert_eq!(
        rejections.closed(key(MAX_KEYS_PER_SESSION)),
        Some(MAX_REJECTIONS)
    );
    assert_eq!(rejections.closed(key(200)), Some(MAX_REJECTIONS));
    assert_eq!(rejections.closed(key(0)), None, "its row is still known");
    assert_eq!(rejections.rows.capacity(), capacity);
}

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use super::Wanted;

#[test]
fn no_answer_holds_more_devices_than_it_may_whatever_is_asked_for() {
    let limit = |limit| {
        let wanted = Wanted {
            search: None,
            before: None,
            limit,
        };
        wanted.query().unwrap().limit
    };
    let asked = [None, Some(0), Some(1000), Some(1001), Some(usize::MAX)];
    assert_eq!(asked.map(limit), [100, 0, 1000, 1000, 1000]);
}

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;

#[test]
fn names_come_back_and_others_are_refused_by_name() {
    for choice in BackendChoice::ALL {
        assert_eq!(choice.to_string().parse(), Ok(*choice));
    }
    let refused = "opti".parse::<BackendChoice>().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no backend is called \"opti\"; expected auto, optee, worker or in-process"
    );
}

#[test]
fn state_stands_where_the_specification_says() {
    let path = |text: &str| Some(PathBuf::from(text));
    assert_eq!(state_dir_of(path("/s"), path("/h")), path("/s/keybearer"));
    assert_eq!(
        state_dir_of(None, path("/h")),
        path("/h/.local/state/keybearer")
    );
    assert_eq!(
        state_dir_of(path("relative"), path("/h")),
        path("/h/.local/state/keybearer")
    );
    assert_eq!(state_dir_of(path("relative"), path("")), None);
    assert_eq!(state_dir_of(None, None), None);
}

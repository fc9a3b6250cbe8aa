//! What stands in place of a content's keys.

use std::path::Path;

use super::ContentSpec;
use crate::config::Config;

/// Found by fuzzing: a key beside its content rather than in it was quoted by the parser.
#[test]
fn a_misplaced_key_is_not_repeated() {
    let key = "000102030405060708090a0b0c0d0e0f";
    let toml = format!(
        "key_dir = \"keys\"\nstore = \"store.redb\"\n[[content]]\nid = \"film\"\nkey = \"{key}\"\n"
    );
    let json = format!(r#"{{"id": "film", "key": "{key}"}}"#);
    let errors = [
        Config::parse(&toml, Path::new("."))
            .err()
            .map(|error| format!("{error} {error:?}")),
        serde_json::from_str::<ContentSpec>(&json)
            .err()
            .map(|error| format!("{error} {error:?}")),
    ];
    for error in errors {
        let words = error.expect("a key is no list of keys");
        assert!(
            words.contains("a list of keys") && !words.contains(key),
            "{words}"
        );
    }
}

use crate::run::keybearer;

#[test]
fn words_and_numbers_are_explained() {
    let ran = keybearer(["explain", "LevelTooLow"]).exits(0);
    assert!(
        ran.out.contains("status 128") && ran.out.contains("denial 9"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("What to do:"), "{}", ran.out);
    let ran = keybearer(["explain", "WrongIv"]).exits(0);
    assert!(
        ran.out.contains("What to do: set the key's `iv`"),
        "{}",
        ran.out
    );
    let ran = keybearer(["explain", "4008", "--json"]).exits(0);
    assert_eq!(ran.json()[0]["group"], "service-code");
    let ran = keybearer(["explain"]).exits(0);
    for word in [
        "output-restricted",
        "RevocationListNeeded",
        "DeviceModelBarred",
        "4044",
        "interrupted",
    ] {
        assert!(ran.out.contains(word), "{word}");
    }
    keybearer(["explain", "LevelTooLo"])
        .exits(2)
        .says("did you mean LevelTooLow?");
    keybearer(["explain", "xyzzy"])
        .exits(2)
        .says("lists everything");
}

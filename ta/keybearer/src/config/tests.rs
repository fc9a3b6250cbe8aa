extern crate std;

use super::*;
use std::{format, string::String, vec::Vec};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_empty_list_trusts_nobody() {
    assert_eq!(count(b""), 0);
    assert!(parse::<0>(b"").is_empty());
}

#[test]
fn digests_come_out_as_they_went_in() {
    let digests: Vec<Digest> = (0..3)
        .map(|i| {
            Digest(core::array::from_fn(|at| {
                (at * 7 + i * 91).to_le_bytes()[0]
            }))
        })
        .collect();
    let list = digests
        .iter()
        .map(|d| hex(&d.0))
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(count(list.as_bytes()), 3);
    assert_eq!(parse::<3>(list.as_bytes()), digests[..]);
    assert_eq!(parse::<3>(list.to_uppercase().as_bytes()), digests[..]);
}

#[test]
fn a_malformed_list_stops_the_build() {
    let good = hex(&[0x5a; 32]);
    let bad = [
        good[1..].into(),
        format!("{good},"),
        format!(",{good}"),
        format!("{good},,{good}"),
        format!("{good} {good}"),
        format!("{good},{}", &good[2..]),
        good.replace('5', "g"),
        format!("0x{good}"),
    ];
    for list in bad {
        let parsed = std::panic::catch_unwind(|| parse::<2>(list.as_bytes()));
        assert!(parsed.is_err(), "{list}");
    }
}

/// The two applications are built from the same sources: they must know each other.
#[test]
fn the_decoder_is_the_one_built_from_these_sources() {
    assert_eq!(DECODER, Some("a5fb7ad7-f5b3-4f6c-ac81-1116537ddde5"));
    let config = config();
    assert!(config.decoder);
    assert_eq!(config.level, Level::High);
}

/// The test monitor tells what a test says: whoever builds for it cannot pass for a product.
#[test]
fn a_build_for_the_test_monitor_is_a_debug_build_whatever_the_switch_says() {
    let test = include_str!("../../../monitor/uuid.txt").trim();
    assert!(is_debug(false, Some(test)) && is_debug(true, None));
    assert!(!is_debug(false, None));
    assert!(!is_debug(
        false,
        Some("609b2559-aca2-44ce-882b-c9764cbad139")
    ));
    assert_eq!(MONITOR, None, "nobody asked for one");
    assert_eq!(uuid_text(test), test);
}

#[test]
fn a_malformed_uuid_stops_the_build() {
    let good = "a5fb7ad7-f5b3-4f6c-ac81-1116537ddde5";
    assert_eq!(uuid_text(good), good);
    let bad = [
        good.to_uppercase(),
        good[1..].into(),
        format!("{good}0"),
        good.replace('-', "0"),
        good.replacen("a5", "g5", 1),
        good.replacen("7-f5", "-7f5", 1),
        "{a5fb7ad7-f5b3-4f6c-ac81-1116537ddde5}".into(),
    ];
    for text in bad {
        let parsed = std::panic::catch_unwind(|| uuid_text(&text).len());
        assert!(parsed.is_err(), "{text}");
    }
}

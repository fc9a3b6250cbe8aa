#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use std::path::Path;

use keybearer_license::{Enforcement, IvKind, Pattern, Scheme, TrackType};
use keybearer_rules::{
    AnalogVideo, CgmsA, DigitalVideo, Hdcp, Level, OutputPolicy, PictureLimit, Type1Version,
};

use super::{Config, ConfigError, KeySource};
use crate::names::Named;

const MINIMAL: &str = "key_dir = \"keys\"\nstore = \"store.redb\"\n";

const CONTENT: &str = r#"key_dir = "keys"
store = "store.redb"

[[content]]
id = "film"
open = true

[[content.key]]
kid = "01010101010101010101010101010101"
key = "000102030405060708090a0b0c0d0e0f"
track = "hd"
scheme = "cenc"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/keybearer"))
}

fn error(text: &str) -> String {
    parse(text).map(drop).unwrap_err().to_string()
}

#[test]
fn a_minimal_file_is_enough() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:7480");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:7481");
    assert_eq!(config.key_dir, Path::new("/etc/keybearer/keys"));
    assert_eq!(config.store, Path::new("/etc/keybearer/store.redb"));
    let [tenant] = config.tenants.as_slice() else {
        panic!("one tenant")
    };
    assert_eq!(
        (tenant.name.as_str(), tenant.integration),
        ("default", false)
    );
}

#[test]
fn every_field_is_read() {
    let config = parse(
        r#"
listen = "0.0.0.0:1"
admin_listen = "[::1]:2"
public_url = "https://license.example"
key_dir = "/keys"
store = "/store"
admin_token_file = "token"
minimum_core = "1.2.3"

[limits]
max_connections = 1
concurrent_requests = 2
header_seconds = 3
body_seconds = 4
request_seconds = 5
kept_answers = 6
log_entries = 7
store_cache_bytes = 8

[[tenant]]
name = "default"

[[tenant]]
name = "lab"
integration = true
barred_models = ["old-box"]

[[content]]
id = "film"
tenant = "lab"
models = ["box"]
tenants = ["default", "lab"]

[content.timing]
not_before = 1
not_after = 2
license_seconds = 3
rental_seconds = 4
playback_seconds = 5
start_grace_seconds = 6
offline_grace_seconds = 7
enforce_absolute = "soft"
enforce_rental = "hard"
enforce_playback = "soft"

[content.renewal]
url = "https://renew.example"
delay_seconds = 8
retry_seconds = 9
recovery_seconds = 10
on_first_use = true
with_usage = true

[[content.key]]
kid = "01020304-0506-0708-090a-0b0c0d0e0f10"
key = "000102030405060708090a0b0c0d0e0f"
track = "uhd1"
scheme = "cbcs"
iv = "constant-8"
pattern = "1:9"
lowest_level = "high"
require_worker = true
max_pixels = 11
max_clear_bytes = 12

[content.key.policy]
min_security = "medium"
digital_video = "hdcp_required"
hdcp_min = "2.2"
hdcp_stream_type = 1
analog_video = "cgms_required"
cgms_a = "copy_never"
agc = true
max_res_analog = 520000
max_res_device = "none"
airplay = "block"
trusted_outputs = "required"
"#,
    )
    .unwrap();
    assert_eq!(config.minimum_core.unwrap().to_string(), "1.2.3");
    assert_eq!(config.limits.log_entries, 7);
    assert_eq!(config.limits.store_cache_bytes, 8);
    assert_eq!(config.tenants[1].barred_models[0].as_str(), "old-box");
    assert_eq!(
        config.admin_token_file.as_deref(),
        Some(Path::new("/etc/keybearer/token"))
    );
    let content = &config.contents[0];
    assert_eq!(
        (
            content.tenant.as_str(),
            content.tenants.len(),
            content.models.len()
        ),
        ("lab", 2, 1)
    );
    let timing = content.timing.timing();
    assert_eq!(timing.offline_grace_seconds.unwrap().get(), 7);
    assert_eq!(
        (
            timing.enforce_absolute,
            timing.enforce_rental,
            timing.enforce_playback
        ),
        (Enforcement::Soft, Enforcement::Hard, Enforcement::Soft)
    );
    let renewal = content.renewal.as_ref().unwrap().renewal("unused");
    assert_eq!(renewal.url.as_deref(), Some("https://renew.example"));
    assert!(renewal.on_first_use && renewal.with_usage);
    let key = &content.keys[0];
    assert_eq!(key.kid.0[15], 0x10);
    assert_eq!(
        (key.track, key.scheme, key.iv),
        (TrackType::Uhd1, Scheme::Cbcs, IvKind::Constant8)
    );
    assert_eq!(key.pattern, Some(Pattern { crypt: 1, skip: 9 }));
    assert_eq!((key.lowest_level, key.require_worker), (Level::High, true));
    let KeySource::Given(secret) = &key.source else {
        panic!("a key was given")
    };
    assert_eq!(secret.expose()[15], 15);
    let policy = key.policy;
    assert_eq!(
        policy.digital_video,
        DigitalVideo::HdcpRequired(Hdcp::Type1(Type1Version::V2_2))
    );
    assert_eq!(
        policy.analog_video,
        AnalogVideo::CgmsRequired(CgmsA::CopyNever)
    );
    assert_eq!(
        policy.max_res_analog,
        PictureLimit::Pixels(520_000.try_into().unwrap())
    );
    assert_eq!(policy.max_res_device, PictureLimit::Unlimited);
    assert!(policy.trusted_outputs_required());
}

#[test]
fn the_scheme_says_which_ivs_are_usual() {
    for (scheme, iv) in [
        ("cenc", IvKind::PerSample8),
        ("cens", IvKind::PerSample8),
        ("cbc1", IvKind::PerSample16),
        ("cbcs", IvKind::Constant16),
    ] {
        let config = parse(&CONTENT.replace("\"cenc\"", &format!("\"{scheme}\""))).unwrap();
        assert_eq!(config.contents[0].keys[0].iv, iv);
        assert_eq!(config.contents[0].keys[0].policy, OutputPolicy::UNSPECIFIED);
    }
}

#[test]
fn unknown_fields_are_refused_with_their_line() {
    for (text, line, name) in [
        (format!("{MINIMAL}colour = \"red\"\n"), 3, "colour"),
        (
            format!("{MINIMAL}[limits]\nmax_conections = 1\n"),
            4,
            "max_conections",
        ),
        (CONTENT.replace("open = true", "opne = true"), 6, "opne"),
        (CONTENT.replace("track =", "trak ="), 11, "trak"),
        (
            format!("{CONTENT}[content.key.policy]\nhdcp = \"2.2\"\n"),
            14,
            "hdcp",
        ),
    ] {
        let error = error(&text);
        assert!(error.starts_with(&format!("line {line}, ")), "{error}");
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn bad_values_are_refused_with_their_line_and_what_was_expected() {
    for (good, bad, line, expected) in [
        (
            "\"cenc\"",
            "\"ctr\"",
            12,
            "expected cenc, cens, cbc1 or cbcs",
        ),
        (
            "\"hd\"",
            "\"4k\"",
            11,
            "expected audio, sd, hd, uhd1, uhd2 or other",
        ),
        ("\"hd\"", "4", 11, "audio, sd, hd"),
        (
            "\"01010101010101010101010101010101\"",
            "\"0101\"",
            9,
            "32 hexadecimal digits",
        ),
        ("open = true", "open = \"yes\"", 6, "boolean"),
        (
            "open = true",
            "open = true\nmodels = [\"\"]",
            7,
            "1 to 32 printable",
        ),
        ("track", "pattern = \"1-9\"\ntrack", 11, "such as \"1:9\""),
        ("track", "pattern = \"1:16\"\ntrack", 11, "0 to 15 each"),
        ("track", "max_pixels = 0\ntrack", 11, "expected 1 or more"),
        (
            "track",
            "lowest_level = \"top\"\ntrack",
            11,
            "none, low, medium or high",
        ),
        (
            "key_dir",
            "minimum_core = \"1.2\"\nkey_dir",
            1,
            "such as \"1.2.3\"",
        ),
        (
            "key_dir",
            "listen = \"somewhere\"\nkey_dir",
            1,
            "socket address",
        ),
        ("key_dir = \"keys\"", "", 1, "key_dir"),
    ] {
        let error = error(&CONTENT.replacen(good, bad, 1));
        assert!(
            error.starts_with(&format!("line {line}, ")),
            "{bad}: {error}"
        );
        assert!(error.contains(expected), "{bad}: {error}");
    }
}

#[test]
fn an_error_never_repeats_a_key() {
    const KEY: &str = "\"000102030405060708090a0b0c0d0e0f\"";
    for bad in [
        "\"000102030405060708090a0b0c0d0e\"",
        "\"000102030405060708090a0b0c0d0e0g\"",
        "000102030405060708090a0b0c0d0e0f",
        "102030405060708090",
        "\"000102030405060708090a0b0c0d0e0f",
        "[\"000102030405060708090a0b0c0d0e0f\"]",
        "1020304050607080.5",
    ] {
        let error = error(&CONTENT.replace(KEY, bad));
        assert!(!error.contains("020304050607"), "{bad}: {error}");
        assert!(error.starts_with("line 10, "), "{bad}: {error}");
    }
    // Nor does an error elsewhere on the way past a key.
    let error = error(&CONTENT.replace("scheme = \"cenc\"", ""));
    assert!(
        !error.contains("020304050607") && error.contains("scheme"),
        "{error}"
    );
}

#[test]
fn contradictions_are_refused_by_name() {
    let twice = format!("{CONTENT}\n{}", CONTENT.split_once("\n\n").unwrap().1);
    for (text, expected) in [
        (twice.clone(), "its id is used twice"),
        (
            twice.replacen("\"film\"", "\"other\"", 1),
            "its kid is used twice",
        ),
        (
            CONTENT.replace("open = true", "open = true\nmodels = [\"box\"]"),
            "open lets all in",
        ),
        (
            CONTENT.replace("open = true", "tenants = [\"nobody\"]"),
            "no tenant \"nobody\"",
        ),
        (
            CONTENT.replace("open = true", "tenant = \"nobody\""),
            "no tenant \"nobody\"",
        ),
        (CONTENT.replace("\"film\"", "\"a film\""), "a-z A-Z 0-9"),
        (
            CONTENT.replace("key = ", "generate = true\nkey = "),
            "expected exactly one",
        ),
        (
            CONTENT.replace("key = ", "key_file = \"k\"\nkey = "),
            "expected exactly one",
        ),
        (
            CONTENT.replace("key = \"000102030405060708090a0b0c0d0e0f\"", ""),
            "expected key or key_file",
        ),
        (
            CONTENT.replace("track", "pattern = \"1:9\"\ntrack"),
            "a pattern with cenc",
        ),
        (
            CONTENT.replace("track", "iv = \"constant-16\"\ntrack"),
            "a constant IV",
        ),
        (
            CONTENT.replace("\"cenc\"", "\"cbc1\"\niv = \"per-sample-8\""),
            "cbc1 takes 16-byte IVs",
        ),
        (
            format!("{CONTENT}[content.timing]\nnot_before = 5\nnot_after = 5\n"),
            "not_before is not before",
        ),
        (
            format!("{CONTENT}[content.timing]\nnot_after = 999999999999\n"),
            "year 9999",
        ),
        (
            format!("{CONTENT}[content.key.policy]\nhdcp_min = \"2.2\"\n"),
            "hdcp_min",
        ),
        (
            format!(
                "{CONTENT}[content.key.policy]\ndigital_video = \"hdcp_required\"\nhdcp_stream_type = 1\n"
            ),
            "needs hdcp_min 2.2",
        ),
        (
            format!(
                "{CONTENT}[content.key.policy]\ndigital_video = \"hdcp_required\"\nhdcp_stream_type = 2\n"
            ),
            "0 or 1",
        ),
        (
            format!("{CONTENT}[content.key.policy]\nanalog_video = \"cgms_required\"\n"),
            "cgms_a must say",
        ),
        (
            format!("{CONTENT}[content.key.policy]\ncgms_a = \"copy_once\"\n"),
            "without an analog_video",
        ),
        (
            format!("{MINIMAL}[limits]\nbody_seconds = 0\n"),
            "body_seconds = 0",
        ),
        (
            format!("{MINIMAL}public_url = \"license.example\"\n"),
            "https://",
        ),
        (
            format!("{MINIMAL}public_url = \"https://me@license.example\"\n"),
            "user name",
        ),
        (
            format!("{MINIMAL}public_url = \"https://license.example?x=1\"\n"),
            "query or fragment",
        ),
        (
            format!("{MINIMAL}public_url = \"https://license example\"\n"),
            "https://",
        ),
        (
            format!("{MINIMAL}listen = \"0.0.0.0:7480\"\n"),
            "public_url",
        ),
        (format!("{MINIMAL}listen = \"[::]:7480\"\n"), "public_url"),
        (
            format!("{MINIMAL}[[tenant]]\nname = \"a\"\n[[tenant]]\nname = \"a\"\n"),
            "named twice",
        ),
        (
            format!("{MINIMAL}[[tenant]]\nname = \"\"\n"),
            "its name must be",
        ),
        (
            format!("{MINIMAL}[[content]]\nid = \"film\"\nkeys = []\n"),
            "it has no key",
        ),
    ] {
        let error = error(&text);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_policy_reads_back_as_it_was_written() {
    let texts = [
        "",
        "digital_video = \"hdcp_best_effort\"",
        "digital_video = \"hdcp_or_constrain\"\nhdcp_min = \"2.3\"\nhdcp_stream_type = 1",
        "digital_video = \"block\"\nanalog_video = \"block\"",
        "digital_video = \"allow_any\"\nanalog_video = \"cgms_best_effort\"\ncgms_a = \"copy_free\"",
        "min_security = \"deny\"\nagc = true\ncolor_stripe = true\nmax_res_compressed_digital = 1",
        "compressed_digital_video = \"hdcp_required\"\ndigital_audio_compressed = \"hdcp_or_scms\"\n\
         digital_audio_uncompressed = \"block\"\nairplay = \"allow\"\nav_adapter = \"block\"\n\
         export_dtcp = \"block\"\nrecording = \"restricted\"\nwatermark = \"permitted\"\n\
         persistence = \"forbidden\"\nsecure_media_path = \"required\"\n\
         max_res_uncompressed_digital = \"none\"",
    ];
    for text in texts {
        let config = parse(&format!("{CONTENT}[content.key.policy]\n{text}\n")).unwrap();
        let written = serde_json::to_string(&config.contents[0]).unwrap();
        assert!(!written.contains("000102030405"), "the key is not written");
        let read: super::ContentSpec = serde_json::from_str(&written).unwrap();
        assert_eq!(
            read.keys[0].policy, config.contents[0].keys[0].policy,
            "{text}"
        );
        assert!(matches!(read.keys[0].source, KeySource::Stored));
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }
}

mod example;
mod tenants;
mod usage_rules;

//! The results of the seven rule tables for five profiles each, field by field. The tables
//! themselves are not here yet; whatever they will give has to fit the type, without remainder.

use alloc::string::ToString;
use alloc::vec::Vec;

use keybearer_cbor::{decode, encode};

use super::shown;
use crate::{
    AnalogVideo, AnalogVideoKind, CgmsA, CompressedVideo, DigitalAudio, DigitalVideo,
    DigitalVideoKind, HdcpVersion, Level, MinSecurity, OutputPolicy, Permission, Persistence,
    PictureLimit, Recording, SecureMediaPath, TrustedOutputs, Watermark,
};

/// A header with the field names, then a line for each table and profile.
const TABLES: &str = include_str!("canonical.txt");

/// The value with this name.
fn named<T: Copy + ToString>(all: &[T], name: &str) -> T {
    *all.iter()
        .find(|value| value.to_string() == name)
        .unwrap_or_else(|| panic!("no value is called {name}"))
}

fn named_or_none<T: Copy + ToString>(all: &[T], name: &str) -> Option<T> {
    (name != "none").then(|| named(all, name))
}

fn limit(name: &str) -> PictureLimit {
    match name {
        "unspecified" => PictureLimit::Unspecified,
        "none" => PictureLimit::Unlimited,
        pixels => PictureLimit::Pixels(pixels.parse().expect("a number of pixels")),
    }
}

fn policy(values: &[&str; 22]) -> OutputPolicy {
    let [
        min_security,
        digital_video,
        hdcp_min,
        hdcp_stream_type,
        compressed_digital_video,
        digital_audio_uncompressed,
        digital_audio_compressed,
        analog_video,
        cgms_a,
        agc,
        color_stripe,
        max_res_analog,
        max_res_uncompressed_digital,
        max_res_compressed_digital,
        max_res_device,
        airplay,
        av_adapter,
        export_dtcp,
        recording,
        watermark,
        persistence,
        secure_media_path,
    ] = *values;
    OutputPolicy {
        min_security: match min_security {
            "unspecified" => MinSecurity::Unspecified,
            "deny" => MinSecurity::Deny,
            level => MinSecurity::AtLeast(named(Level::ALL, level)),
        },
        digital_video: DigitalVideo::from_parts(
            named(DigitalVideoKind::ALL, digital_video),
            named_or_none(HdcpVersion::ALL, hdcp_min),
            named_or_none(&[0_u8, 1], hdcp_stream_type),
        )
        .expect("a combination that means something"),
        compressed_digital_video: named(CompressedVideo::ALL, compressed_digital_video),
        digital_audio_uncompressed: named(DigitalAudio::ALL, digital_audio_uncompressed),
        digital_audio_compressed: named(DigitalAudio::ALL, digital_audio_compressed),
        analog_video: AnalogVideo::from_parts(
            named(AnalogVideoKind::ALL, analog_video),
            named_or_none(CgmsA::ALL, cgms_a),
        )
        .expect("a combination that means something"),
        agc: agc.parse().expect("true or false"),
        color_stripe: color_stripe.parse().expect("true or false"),
        max_res_analog: limit(max_res_analog),
        max_res_uncompressed_digital: limit(max_res_uncompressed_digital),
        max_res_compressed_digital: limit(max_res_compressed_digital),
        max_res_device: limit(max_res_device),
        airplay: named(Permission::ALL, airplay),
        av_adapter: named(Permission::ALL, av_adapter),
        export_dtcp: named(Permission::ALL, export_dtcp),
        recording: named(Recording::ALL, recording),
        watermark: named(Watermark::ALL, watermark),
        persistence: named(Persistence::ALL, persistence),
        secure_media_path: named(SecureMediaPath::ALL, secure_media_path),
        trusted_outputs: TrustedOutputs::Optional,
    }
}

/// Table, profile and values of every line.
fn lines() -> Vec<(&'static str, &'static str, [&'static str; 22])> {
    let lines: Vec<_> = TABLES
        .lines()
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let values = words[2..].try_into().expect("22 fields");
            (words[0], words[1], values)
        })
        .collect();
    assert_eq!(lines.len(), 1 + 7 * 5);
    lines
}

#[test]
fn every_result_is_a_policy() {
    let lines = lines();
    let names = lines[0].2;
    for (table, profile, values) in &lines[1..] {
        let policy = policy(values);
        let fields = shown(&policy);
        let (own, tables) = fields.split_last().expect("23 fields");
        assert_eq!(own.0, "trusted_outputs");
        for ((name, value), (field, shown)) in names.iter().zip(values).zip(tables) {
            assert_eq!((name, value), (field, &shown.as_str()), "{table} {profile}");
        }
        let bytes = encode(OutputPolicy::MAX_ENCODED, |e| policy.encode(e)).expect("fits");
        assert_eq!(
            decode(&bytes, OutputPolicy::MAX_ENCODED, OutputPolicy::decode),
            Ok(policy)
        );
    }
}

#[test]
fn results_that_demand_nothing_of_outputs() {
    let nothing: Vec<_> = lines()[1..]
        .iter()
        .filter(|(_, _, values)| policy(values).demands_nothing())
        .map(|(table, profile, _)| (*table, *profile))
        .collect();
    assert_eq!(
        nothing,
        [
            ("PRM", "Test"),
            ("PRM", "SD"),
            ("FairPlay", "Test"),
            ("FairPlay", "SD"),
            ("Widevine", "Test"),
            ("TVKeyCloud", "Test"),
            ("TVKeyCloud", "SD"),
            ("TVKeyCloud", "default"),
            ("WisePlay", "Test"),
            ("WisePlay", "SD"),
            ("Generic", "Test"),
            ("Generic", "SD"),
        ]
    );
}

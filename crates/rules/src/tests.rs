//! Golden encodings, refusals, and the results of all rule tables as policies.

mod canonical;
mod codec;

use core::num::NonZeroU32;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::*;

use crate::{
    AnalogVideo, CgmsA, CompressedVideo, DigitalAudio, DigitalVideo, Hdcp, HdcpVersion, Level,
    MinSecurity, OutputPolicy, Permission, Persistence, PictureLimit, Recording, SecureMediaPath,
    TrustedOutputs, Type1Version, Watermark,
};

/// A policy's fields as the tables write them.
fn shown(policy: &OutputPolicy) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    let result: Result<(), core::convert::Infallible> = policy.fields(|name, value| {
        fields.push((name, value.to_string()));
        Ok(())
    });
    assert!(result.is_ok());
    fields
}

fn min_security() -> impl Strategy<Value = MinSecurity> {
    prop_oneof![
        Just(MinSecurity::Unspecified),
        proptest::sample::select(Level::ALL).prop_map(MinSecurity::AtLeast),
        Just(MinSecurity::Deny),
    ]
}

fn digital_video() -> impl Strategy<Value = DigitalVideo> {
    let hdcp = prop_oneof![
        proptest::sample::select(HdcpVersion::ALL).prop_map(Hdcp::Type0),
        Just(Hdcp::Type1(Type1Version::V2_2)),
        Just(Hdcp::Type1(Type1Version::V2_3)),
    ];
    hdcp.prop_flat_map(|hdcp| {
        proptest::sample::select(alloc::vec![
            DigitalVideo::Unspecified,
            DigitalVideo::AllowAny,
            DigitalVideo::HdcpBestEffort(hdcp),
            DigitalVideo::HdcpOrConstrain(hdcp),
            DigitalVideo::HdcpRequired(hdcp),
            DigitalVideo::Block,
        ])
    })
}

fn analog_video() -> impl Strategy<Value = AnalogVideo> {
    proptest::sample::select(CgmsA::ALL).prop_flat_map(|cgms_a| {
        proptest::sample::select(alloc::vec![
            AnalogVideo::Unspecified,
            AnalogVideo::AllowAny,
            AnalogVideo::CgmsBestEffort(cgms_a),
            AnalogVideo::CgmsRequired(cgms_a),
            AnalogVideo::Block,
        ])
    })
}

fn picture_limit() -> impl Strategy<Value = PictureLimit> {
    prop_oneof![
        Just(PictureLimit::Unspecified),
        Just(PictureLimit::Unlimited),
        any::<NonZeroU32>().prop_map(PictureLimit::Pixels),
    ]
}

prop_compose! {
    /// Any policy there is.
    fn policies()(
        (min_security, digital_video, analog_video) in
            (min_security(), digital_video(), analog_video()),
        compressed_digital_video in proptest::sample::select(CompressedVideo::ALL),
        audio in proptest::array::uniform2(proptest::sample::select(DigitalAudio::ALL)),
        (agc, color_stripe) in any::<(bool, bool)>(),
        limits in proptest::array::uniform4(picture_limit()),
        permissions in proptest::array::uniform3(proptest::sample::select(Permission::ALL)),
        recording in proptest::sample::select(Recording::ALL),
        watermark in proptest::sample::select(Watermark::ALL),
        persistence in proptest::sample::select(Persistence::ALL),
        secure_media_path in proptest::sample::select(SecureMediaPath::ALL),
        trusted_outputs in proptest::sample::select(TrustedOutputs::ALL),
    ) -> OutputPolicy {
        OutputPolicy {
            min_security,
            digital_video,
            compressed_digital_video,
            digital_audio_uncompressed: audio[0],
            digital_audio_compressed: audio[1],
            analog_video,
            agc,
            color_stripe,
            max_res_analog: limits[0],
            max_res_uncompressed_digital: limits[1],
            max_res_compressed_digital: limits[2],
            max_res_device: limits[3],
            airplay: permissions[0],
            av_adapter: permissions[1],
            export_dtcp: permissions[2],
            recording,
            watermark,
            persistence,
            secure_media_path,
            trusted_outputs,
        }
    }
}

#[test]
fn levels_are_ordered() {
    assert!(Level::ALL.is_sorted());
    assert_eq!(Level::ALL.len(), 4);
    for (code, level) in (0..).zip(Level::ALL) {
        assert_eq!(level.code(), code);
        assert_eq!(Level::from_code(code), Some(*level));
    }
    assert_eq!(Level::from_code(4), None);
}

#[test]
fn least_level() {
    for level in Level::ALL.iter().copied() {
        assert!(MinSecurity::Unspecified.permits(level));
        assert!(!MinSecurity::Deny.permits(level));
        for least in Level::ALL.iter().copied() {
            assert_eq!(MinSecurity::AtLeast(least).permits(level), level >= least);
        }
    }
}

#[test]
fn a_secure_media_path_needs_high() {
    for (min_security, path, least) in [
        (
            MinSecurity::Unspecified,
            SecureMediaPath::Optional,
            Some(Level::None),
        ),
        (
            MinSecurity::Unspecified,
            SecureMediaPath::Required,
            Some(Level::High),
        ),
        (
            MinSecurity::AtLeast(Level::Low),
            SecureMediaPath::Unspecified,
            Some(Level::Low),
        ),
        (
            MinSecurity::AtLeast(Level::Low),
            SecureMediaPath::Required,
            Some(Level::High),
        ),
        (
            MinSecurity::AtLeast(Level::High),
            SecureMediaPath::Optional,
            Some(Level::High),
        ),
        (MinSecurity::Deny, SecureMediaPath::Unspecified, None),
        (MinSecurity::Deny, SecureMediaPath::Required, None),
    ] {
        let policy = OutputPolicy {
            min_security,
            secure_media_path: path,
            ..OutputPolicy::UNSPECIFIED
        };
        assert_eq!(policy.least_level(), least, "{min_security:?} {path:?}");
    }
}

#[test]
fn secure_media_path_needs_a_trusted_monitor() {
    for (path, own, needed) in [
        (
            SecureMediaPath::Unspecified,
            TrustedOutputs::Optional,
            false,
        ),
        (SecureMediaPath::Optional, TrustedOutputs::Optional, false),
        (SecureMediaPath::Required, TrustedOutputs::Optional, true),
        (SecureMediaPath::Unspecified, TrustedOutputs::Required, true),
        (SecureMediaPath::Required, TrustedOutputs::Required, true),
    ] {
        let policy = OutputPolicy {
            secure_media_path: path,
            trusted_outputs: own,
            ..OutputPolicy::UNSPECIFIED
        };
        assert_eq!(policy.trusted_outputs_required(), needed);
        assert_eq!(policy.demands_nothing(), !needed);
    }
}

/// Each field that concerns outputs is a demand by itself, in its least demanding value.
#[test]
fn every_single_demand_counts() {
    let nothing = OutputPolicy {
        min_security: MinSecurity::AtLeast(Level::High),
        digital_video: DigitalVideo::AllowAny,
        compressed_digital_video: CompressedVideo::AllowAny,
        digital_audio_uncompressed: DigitalAudio::AllowAny,
        digital_audio_compressed: DigitalAudio::AllowAny,
        analog_video: AnalogVideo::AllowAny,
        agc: false,
        color_stripe: false,
        max_res_analog: PictureLimit::Unlimited,
        max_res_uncompressed_digital: PictureLimit::Unlimited,
        max_res_compressed_digital: PictureLimit::Unlimited,
        max_res_device: PictureLimit::Pixels(NonZeroU32::MIN),
        airplay: Permission::Allow,
        av_adapter: Permission::Allow,
        export_dtcp: Permission::Allow,
        recording: Recording::Unrestricted,
        watermark: Watermark::Forbidden,
        persistence: Persistence::Forbidden,
        secure_media_path: SecureMediaPath::Optional,
        trusted_outputs: TrustedOutputs::Optional,
    };
    assert!(nothing.demands_nothing());
    assert!(OutputPolicy::UNSPECIFIED.demands_nothing());

    let hdcp = Hdcp::Type0(HdcpVersion::V1);
    let limit = PictureLimit::Pixels(NonZeroU32::MAX);
    let demands: [fn(&mut OutputPolicy, Hdcp, PictureLimit); 15] = [
        |p, hdcp, _| p.digital_video = DigitalVideo::HdcpBestEffort(hdcp),
        |p, _, _| p.digital_video = DigitalVideo::Block,
        |p, _, _| p.compressed_digital_video = CompressedVideo::HdcpRequired,
        |p, _, _| p.digital_audio_uncompressed = DigitalAudio::HdcpOrScms,
        |p, _, _| p.digital_audio_compressed = DigitalAudio::HdcpOrScms,
        |p, _, _| p.analog_video = AnalogVideo::CgmsBestEffort(CgmsA::CopyFree),
        |p, _, _| p.agc = true,
        |p, _, _| p.color_stripe = true,
        |p, _, limit| p.max_res_analog = limit,
        |p, _, limit| p.max_res_uncompressed_digital = limit,
        |p, _, limit| p.max_res_compressed_digital = limit,
        |p, _, _| p.airplay = Permission::Block,
        |p, _, _| p.av_adapter = Permission::Block,
        |p, _, _| p.export_dtcp = Permission::Block,
        |p, _, _| p.recording = Recording::Restricted,
    ];
    for (index, demand) in demands.iter().enumerate() {
        let mut policy = nothing;
        demand(&mut policy, hdcp, limit);
        assert_ne!(policy, nothing);
        assert!(!policy.demands_nothing(), "demand {index}");
    }
}

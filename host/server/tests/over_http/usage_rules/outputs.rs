//! Outputs: what the request says of them, and what stands in the licence.

use keybearer_license::{
    AnalogOutput, Capabilities, DenialReason, HdcpCapability, OutputCapability, OutputKind,
};
use keybearer_rules::{AnalogVideo, Column, DigitalVideo, Drm};
use serde_json::json;

use super::setting::{Ask, Setting, broken, channel_under, policy};

/// An HDMI output that reaches a version of HDCP.
fn hdmi(hdcp: HdcpCapability) -> Option<Vec<OutputCapability>> {
    Some(vec![OutputCapability {
        kind: OutputKind::Hdmi,
        hdcp,
        stream_type: Some(1),
        cgms_a: None,
        max_pixels: None,
    }])
}

/// What satisfies every demand that a request can satisfy.
pub(crate) fn capable() -> Capabilities {
    Capabilities {
        outputs: hdmi(HdcpCapability::V2_3),
        analog: Some(AnalogOutput::CanBeDisabled),
        hdcp_enforcement: Some(true),
        airplay_in_use: Some(false),
        adapter_in_use: Some(false),
        ..Capabilities::default()
    }
}

fn saying(change: impl FnOnce(&mut Capabilities)) -> Ask {
    let mut says = capable();
    change(&mut says);
    Ask {
        says,
        ..Ask::default()
    }
}

#[test]
fn ur_13_a_device_on_the_skip_list_is_not_asked_about_hdcp() {
    let setting = Setting::new(vec![channel_under("hd", 1, Some("HD"))]);
    let player = setting.player(Drm::Widevine);
    let old_phone = |said: &mut Capabilities| {
        said.outputs = None;
        said.system_id = Some(4711);
    };
    broken(player.acquire(&[1], saying(old_phone)), "UR-27");
    setting.done("PUT", "/admin/v1/hdcp-skip-list", &json!([4711]));
    assert_eq!(player.acquire(&[1], saying(old_phone)).unwrap(), [1]);
    let usage = setting.usage(Drm::Widevine, 1, |request| {
        request.host_stated = saying(old_phone).says;
    });
    // Not written either; every other rule stands.
    assert_eq!(usage.policy.digital_video, DigitalVideo::AllowAny);
    assert_eq!(usage.policy.analog_video, AnalogVideo::Block);
    let analog = saying(|said| {
        old_phone(said);
        said.analog = Some(AnalogOutput::Present);
    });
    broken(player.acquire(&[1], analog), "UR-18");
    let other = saying(|said| {
        said.outputs = None;
        said.system_id = Some(4712);
    });
    broken(player.acquire(&[1], other), "UR-27");
}

#[test]
fn ur_18_an_analogue_output_that_cannot_be_switched_off_is_refused() {
    let setting = Setting::new(vec![
        channel_under("hd", 1, Some("HD")),
        channel_under("sd", 2, Some("SD")),
    ]);
    let player = setting.player(Drm::Widevine);
    for analog in [
        Some(AnalogOutput::Present),
        Some(AnalogOutput::Unknown),
        None,
    ] {
        let ask = || saying(|said| said.analog = analog);
        let denial = broken(
            player.acquire(&[1], ask()),
            "UR-18 Widevine.disableAnalogOutput",
        );
        assert_eq!(denial.reason, Some(DenialReason::OutputNotProtected));
        assert_eq!(
            player.acquire(&[2], ask()).unwrap(),
            [2],
            "SD has no such rule"
        );
    }
    for analog in [AnalogOutput::None, AnalogOutput::CanBeDisabled] {
        let asked = player.acquire(&[1], saying(|said| said.analog = Some(analog)));
        assert_eq!(asked.unwrap(), [1]);
    }
}

#[test]
fn ur_23_a_fairplay_device_has_to_enforce_hdcp() {
    let setting = Setting::new(vec![
        channel_under("hd", 1, Some("HD")),
        channel_under("sd", 2, Some("SD")),
    ]);
    let player = setting.player(Drm::FairPlay);
    for enforced in [None, Some(false)] {
        let ask = || saying(|said| said.hdcp_enforcement = enforced);
        let denial = broken(
            player.acquire(&[1], ask()),
            "UR-23 FairPlay.hdcpStrictEnforcement",
        );
        assert_eq!(denial.reason, Some(DenialReason::OutputNotProtected));
        assert_eq!(denial.server_code, Some(4044));
        assert_eq!(player.acquire(&[2], ask()).unwrap(), [2]);
    }
    assert_eq!(player.acquire(&[1], saying(|_| {})).unwrap(), [1]);
}

#[test]
fn ur_25_airplay_and_adapters_are_refused_where_they_are_not_allowed() {
    let setting = Setting::new(vec![
        channel_under("uhd", 1, Some("UHD")),
        channel_under("hd", 2, Some("HD")),
        channel_under("none", 3, Some("none")),
    ]);
    setting.profile(
        "none",
        &json!({ "FairPlay": { "digitalAvAdapter": false } }),
    );
    let player = setting.player(Drm::FairPlay);
    let airplay = || saying(|said| said.airplay_in_use = Some(true));
    let denial = broken(
        player.acquire(&[1], airplay()),
        "UR-25 FairPlay.airPlayAllowed",
    );
    assert_eq!(denial.reason, Some(DenialReason::OutputNotProtected));
    assert_eq!(player.acquire(&[2], airplay()).unwrap(), [2]);
    let adapter = || saying(|said| said.adapter_in_use = Some(true));
    broken(
        player.acquire(&[3], adapter()),
        "UR-25 FairPlay.digitalAvAdapter",
    );
    assert_eq!(player.acquire(&[1], adapter()).unwrap(), [1]);
    assert_eq!(player.acquire(&[1], saying(|_| {})).unwrap(), [1]);
}

#[test]
fn ur_26_a_type_without_hdcp_warns_and_is_not_written() {
    let setting = Setting::new(vec![channel_under("news", 1, Some("odd"))]);
    let odd = json!({ "PlayReady": { "hdcpType": 1,
                                     "uncompressedDigitalVideoOutputProtection": 250 } });
    let answer = setting.profile("odd", &odd);
    assert_eq!(answer["warnings"][0]["rule"], "UR-26");
    assert_eq!(
        answer["warnings"][0]["about"],
        "profiles/odd/PlayReady/uncompressedDigitalVideoOutputProtection"
    );
    let usage = setting.usage(Drm::PlayReady, 1, |_| {});
    let hdcp = usage.policy.digital_video.hdcp();
    assert!(hdcp.is_none_or(|hdcp| hdcp.stream_type() == 0), "{hdcp:?}");
    // At 271 and above it has an effect, and stands in the licence.
    let even = json!({ "PlayReady": { "hdcpType": 1,
                                      "uncompressedDigitalVideoOutputProtection": 300 } });
    assert_eq!(setting.profile("odd", &even)["warnings"], json!([]));
    let usage = setting.usage(Drm::PlayReady, 1, |_| {});
    let hdcp = usage.policy.digital_video.hdcp().unwrap();
    assert_eq!(hdcp.stream_type(), 1);
}

#[test]
fn ur_27_a_device_whose_hdcp_is_too_low_is_refused() {
    let setting = Setting::new(vec![
        channel_under("default", 1, None),
        channel_under("hd", 2, Some("HD")),
    ]);
    let player = setting.player(Drm::Widevine);
    let with = |hdcp: HdcpCapability| saying(|said| said.outputs = hdmi(hdcp));
    let denial = broken(
        player.acquire(&[1], with(HdcpCapability::V2_2)),
        "UR-27 Widevine.hdcp",
    );
    assert_eq!(denial.reason, Some(DenialReason::OutputNotProtected));
    assert_eq!(denial.server_code, Some(2104));
    assert_eq!(denial.wanted.as_deref(), Some("5"));
    assert_eq!(denial.found.as_deref(), Some("4"));
    assert_eq!(
        player.acquire(&[1], with(HdcpCapability::V2_3)).unwrap(),
        [1]
    );
    assert_eq!(player.acquire(&[2], with(HdcpCapability::V1)).unwrap(), [2]);
    broken(player.acquire(&[2], with(HdcpCapability::None)), "UR-27");
    let without = saying(|said| {
        said.outputs = None;
        said.digital_output = Some(false);
    });
    assert_eq!(
        player.acquire(&[1], without).unwrap(),
        [1],
        "no digital output"
    );
    let usage = setting.usage(Drm::Widevine, 2, |request| request.host_stated = capable());
    assert_eq!(usage.policy, policy(Drm::Widevine, Column::Hd));
}

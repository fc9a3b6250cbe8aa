//! Which profile or rules hold: UR-01 to UR-10, UR-28 and UR-29.

use keybearer_rules::family::generic::GenericRules;
use keybearer_rules::ur::{
    Choice, Claims, Origin, Selected, Stated, UsageRule, check_channel, check_profile_for,
    check_tenant, check_token, select,
};
use keybearer_rules::{Column, Drm, Form, Profile, Rules};

use crate::{amended, passes};

const NOTHING: Stated<'_> = Stated {
    profile: None,
    rules: false,
};
const RULES: Stated<'_> = Stated {
    profile: None,
    rules: true,
};

const fn profile(name: &str) -> Stated<'_> {
    Stated {
        profile: Some(name),
        rules: false,
    }
}

fn known(name: &str) -> bool {
    Column::from_name(name).is_some()
}

fn chosen<'a>(origin: Origin, whole: Stated<'a>, track: Stated<'a>) -> Selected<'a> {
    select(origin, whole, track, known).unwrap()
}

const fn selected(choice: Choice<'_>, rule: Option<UsageRule>) -> Selected<'_> {
    Selected { choice, rule }
}

#[test]
fn ur_01_unknown_profile_in_a_token() {
    for (whole, track) in [
        (profile("4K"), NOTHING),
        (NOTHING, profile("4K")),
        // The other one would hold, and the token is refused nonetheless.
        (profile("4K"), profile("HD")),
        (profile("HD"), profile("4K")),
    ] {
        let violation = select(Origin::Token, whole, track, known).unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur01);
        assert_eq!(violation.found, Form::Word("4K"));
    }
    // Names are compared as they are.
    for name in ["uhd", "Default", "", "UHD "] {
        let violation = select(Origin::Token, profile(name), NOTHING, known).unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur01, "{name:?}");
    }
}

#[test]
fn ur_02_profile_and_rules_in_one_token() {
    let both = Stated {
        profile: Some("HD"),
        rules: true,
    };
    for places in [
        [both, NOTHING],
        [profile("HD"), RULES],
        [RULES, profile("HD")],
    ] {
        assert_eq!(check_token(places).unwrap_err().rule, UsageRule::Ur02);
        let violation = select(Origin::Token, places[0], places[1], known).unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur02);
    }
    check_token([profile("HD"), profile("SD"), NOTHING]).unwrap();
    check_token([RULES, RULES, NOTHING]).unwrap();
    // Structure comes before the question whether the profile exists.
    let unknown = select(Origin::Token, profile("4K"), RULES, known).unwrap_err();
    assert_eq!(unknown.rule, UsageRule::Ur02);
}

#[test]
fn ur_03_neither_profile_nor_rules() {
    let wanted = selected(Choice::Default, Some(UsageRule::Ur03));
    assert_eq!(chosen(Origin::Token, NOTHING, NOTHING), wanted);
}

#[test]
fn ur_04_profile_of_the_track_before_that_of_the_content() {
    let wanted = selected(Choice::TrackProfile("UHD"), Some(UsageRule::Ur04));
    assert_eq!(chosen(Origin::Token, profile("HD"), profile("UHD")), wanted);
    let others = selected(Choice::Profile("HD"), None);
    assert_eq!(chosen(Origin::Token, profile("HD"), NOTHING), others);
    let alone = selected(Choice::TrackProfile("UHD"), None);
    assert_eq!(chosen(Origin::Token, NOTHING, profile("UHD")), alone);
}

#[test]
fn ur_05_rules_in_a_token() {
    let by = Some(UsageRule::Ur05);
    assert_eq!(
        chosen(Origin::Token, RULES, NOTHING),
        selected(Choice::Rules, by)
    );
    assert_eq!(
        chosen(Origin::Token, RULES, RULES),
        selected(Choice::TrackRules, by)
    );
    assert_eq!(
        chosen(Origin::Token, NOTHING, RULES),
        selected(Choice::TrackRules, by)
    );
    // What they leave out is the generic column "default"; then they are converted.
    let mut generic = GenericRules::column(Column::Default);
    generic.amend("minLevel", Form::Int(3)).unwrap();
    let widevine = generic.convert(Drm::Widevine);
    assert_eq!(widevine.value("minimumSecurityLevel"), Some(Form::Int(1)));
    assert_eq!(widevine.value("hdcp"), Some(Form::Int(5)));
    assert_eq!(
        widevine.value("disableAnalogOutput"),
        Some(Form::Bool(true))
    );
}

#[test]
fn ur_06_rules_in_a_channel() {
    for places in [[RULES, NOTHING], [profile("HD"), RULES]] {
        assert_eq!(check_channel(places).unwrap_err().rule, UsageRule::Ur06);
        let violation = select(Origin::Channel, places[0], places[1], known).unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur06);
    }
    check_channel([profile("HD"), profile("4K"), NOTHING]).unwrap();
}

#[test]
fn ur_07_unknown_profile_in_a_channel() {
    for (whole, track) in [
        (profile("4K"), NOTHING),
        (NOTHING, profile("4K")),
        (profile("4K"), profile("HD")),
    ] {
        // The definition may be stored; the request is refused.
        check_channel([whole, track]).unwrap();
        let violation = select(Origin::Channel, whole, track, known).unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur07);
    }
}

#[test]
fn ur_08_channel_without_a_profile() {
    let wanted = selected(Choice::Default, Some(UsageRule::Ur08));
    assert_eq!(chosen(Origin::Channel, NOTHING, NOTHING), wanted);
}

#[test]
fn ur_09_profile_of_a_channels_track() {
    let wanted = selected(Choice::TrackProfile("UHD"), Some(UsageRule::Ur09));
    assert_eq!(
        chosen(Origin::Channel, profile("HD"), profile("UHD")),
        wanted
    );
    assert_eq!(chosen(Origin::Channel, NOTHING, profile("UHD")), wanted);
    let others = selected(Choice::Profile("HD"), None);
    assert_eq!(chosen(Origin::Channel, profile("HD"), NOTHING), others);
}

#[test]
fn ur_10_callback_without_a_profile() {
    let wanted = selected(Choice::Default, Some(UsageRule::Ur10));
    assert_eq!(chosen(Origin::Callback, NOTHING, NOTHING), wanted);
    let named = selected(Choice::Profile("SD"), None);
    assert_eq!(chosen(Origin::Callback, profile("SD"), NOTHING), named);
    let unknown = select(Origin::Callback, profile("4K"), NOTHING, known).unwrap_err();
    assert_eq!(unknown.rule, UsageRule::Ur01);
}

#[test]
fn ur_28_profile_test_in_production() {
    assert_eq!(
        check_tenant("Test", false).unwrap_err().rule,
        UsageRule::Ur28
    );
    check_tenant("Test", true).unwrap();
    for name in ["SD", "HD", "UHD", "default", "test"] {
        check_tenant(name, false).unwrap();
    }
}

#[test]
fn ur_29_profile_without_rules_for_the_drm() {
    let mut custom = Profile::default();
    custom.set(amended(Drm::Widevine, Column::Default, "hdcp", "4"));
    let rules = check_profile_for(&custom, Drm::Widevine).unwrap();
    // What it leaves out is the column "default".
    let default = Rules::column(Drm::Widevine, Column::Default);
    for rule in Rules::names(Drm::Widevine)
        .iter()
        .filter(|rule| **rule != "hdcp")
    {
        assert_eq!(rules.value(rule), default.value(rule));
    }
    for drm in Drm::ALL.iter().filter(|drm| **drm != Drm::Widevine) {
        let violation = check_profile_for(&custom, *drm).unwrap_err();
        assert_eq!(violation.rule, UsageRule::Ur29);
    }
    // Claims in the terms of another DRM are none for these rules.
    let violation = passes(&rules, &Claims::TvKeyCloud).unwrap_err();
    assert_eq!(violation.rule, UsageRule::Ur29);
    assert_eq!(
        violation.to_string(),
        "UR-29 drm: wanted TVKeyCloud, found Widevine"
    );
}

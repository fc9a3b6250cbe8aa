//! Which profile or rules hold for a request (UR-01 to UR-10, UR-28, UR-29).

use super::{UsageRule, Violation};
use crate::family::{Column, Drm};
use crate::form::{Form, RuleValue};
use crate::rules::{Profile, Rules};

/// Where the statements about usage rules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A content authorisation token.
    Token,
    /// The definition of a live channel.
    Channel,
    /// The answer of the authorisation callback.
    Callback,
}

/// What one place says: the content, the channel, or one track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stated<'a> {
    /// The profile it names.
    pub profile: Option<&'a str>,
    /// Whether it carries rules of its own.
    pub rules: bool,
}

/// What holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// The profile that the track names.
    TrackProfile(&'a str),
    /// The profile that the content, the channel or the callback names.
    Profile(&'a str),
    /// The generic rules that the track carries (UR-05).
    TrackRules,
    /// The generic rules that the content carries (UR-05).
    Rules,
    /// The column "default" of the DRM.
    Default,
}

/// What holds, and the rule that made it so; none where a profile simply is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected<'a> {
    /// What holds.
    pub choice: Choice<'a>,
    /// By which rule.
    pub rule: Option<UsageRule>,
}

/// Tests all that a token says, of the content and of each track.
///
/// # Errors
/// UR-02: a profile and rules in one token, wherever.
pub fn check_token<'a>(places: impl IntoIterator<Item = Stated<'a>>) -> Result<(), Violation<'a>> {
    let (mut profile, mut rules) = (None, false);
    for place in places {
        profile = profile.or(place.profile);
        rules |= place.rules;
    }
    match profile {
        Some(name) if rules => Err(Violation::new(
            UsageRule::Ur02,
            "usageRules",
            Form::Word("a profile or rules"),
            Form::Word(name),
        )),
        _ => Ok(()),
    }
}

/// Tests all that a channel's definition says, of the channel and of each track.
///
/// # Errors
/// UR-06: rules.
pub fn check_channel<'a>(
    places: impl IntoIterator<Item = Stated<'a>>,
) -> Result<(), Violation<'a>> {
    if places.into_iter().any(|place| place.rules) {
        return Err(Violation::new(
            UsageRule::Ur06,
            "usageRules",
            Form::Word("a profile"),
            Form::Word("rules"),
        ));
    }
    Ok(())
}

/// Chooses what holds for one track. `whole` is what the content, the channel or the callback says;
/// `known` tells whether a profile of that name exists.
///
/// # Errors
/// UR-01 or UR-07: a profile that does not exist is named, at either place, even where the other one
/// would hold. UR-02 and UR-06, see [`check_token`] and [`check_channel`].
pub fn select<'a>(
    origin: Origin,
    whole: Stated<'a>,
    track: Stated<'a>,
    known: impl Fn(&str) -> bool,
) -> Result<Selected<'a>, Violation<'a>> {
    let places = [whole, track];
    match origin {
        Origin::Token | Origin::Callback => check_token(places)?,
        Origin::Channel => check_channel(places)?,
    }
    for name in places.iter().filter_map(|place| place.profile) {
        if !known(name) {
            let rule = match origin {
                Origin::Token | Origin::Callback => UsageRule::Ur01,
                Origin::Channel => UsageRule::Ur07,
            };
            let wanted = Form::Word("a profile that exists");
            return Err(Violation::new(
                rule,
                "usageRulesProfileId",
                wanted,
                Form::Word(name),
            ));
        }
    }
    let (choice, rule) = match (track, whole) {
        (
            Stated {
                profile: Some(name),
                ..
            },
            _,
        ) => {
            let rule = match (origin, whole.profile) {
                (Origin::Channel, _) => Some(UsageRule::Ur09),
                (_, Some(_)) => Some(UsageRule::Ur04),
                (_, None) => None,
            };
            (Choice::TrackProfile(name), rule)
        }
        (Stated { rules: true, .. }, _) => (Choice::TrackRules, Some(UsageRule::Ur05)),
        (
            _,
            Stated {
                profile: Some(name),
                ..
            },
        ) => (Choice::Profile(name), None),
        (_, Stated { rules: true, .. }) => (Choice::Rules, Some(UsageRule::Ur05)),
        _ => {
            let rule = match origin {
                Origin::Token => UsageRule::Ur03,
                Origin::Channel => UsageRule::Ur08,
                Origin::Callback => UsageRule::Ur10,
            };
            (Choice::Default, Some(rule))
        }
    };
    Ok(Selected { choice, rule })
}

/// Tests that a tenant may use a profile.
///
/// # Errors
/// UR-28: the profile "Test" with a tenant that is not for integration.
pub fn check_tenant(profile: &str, integration: bool) -> Result<(), Violation<'static>> {
    if profile == Column::Test.name() && !integration {
        return Err(Violation::new(
            UsageRule::Ur28,
            "usageRulesProfileId",
            Form::Word("a profile for production"),
            Column::Test.form(),
        ));
    }
    Ok(())
}

/// The rules of a profile for a DRM.
///
/// # Errors
/// UR-29: it has none.
pub fn check_profile_for(profile: &Profile, drm: Drm) -> Result<Rules, Violation<'static>> {
    profile.rules(drm).ok_or(Violation::new(
        UsageRule::Ur29,
        "drm",
        drm.form(),
        Form::Unset,
    ))
}

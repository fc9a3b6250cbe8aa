//! Usage rules at the time of a request: which hold for a key, whether the request meets them, and
//! what of them stands in the licence.
//!
//! The order is that of the rules room: profile, override for the device model, consistency, values
//! that bar everyone, level, platform, outputs. The first rule that is broken is the denial.

use keybearer_license::{Denial, DenialReason, KeyUse, PolicyOrigin, PolicySource};
use keybearer_rules::family::Column;
use keybearer_rules::ur::{
    Choice, Origin, Stated, UsageRule, Violation, admit, check_tenant, select,
};
use keybearer_rules::{Drm, Level, Persistence, Readings, Rules};

use super::authorise::{Candidate, Ground};
use super::{Service, level_needed};
use crate::authorisation::{ExplicitRules, Terms};
use crate::config::{ContentSpec, KeySpec};
use crate::denial::{Because, code, refusal};
use crate::store::KeyRules;
use crate::usage::{Facts, LicenseType, RuleBook, amended, claims};

/// How a key may be used, and what the log says of why.
pub(super) struct Usage {
    pub(super) key: KeyUse,
    pub(super) rules: Option<KeyRules>,
}

/// What usage rules say of one key.
struct Applied {
    rules: Rules,
    source: PolicySource,
}

impl Service {
    /// How a device may use a key of a content that it may have.
    pub(super) fn usage(
        &self,
        book: &RuleBook,
        candidate: &Candidate<'_>,
        content: &ContentSpec,
        key: &KeySpec,
        ground: &Ground,
    ) -> Result<Usage, Denial> {
        let mut usage = key.key_use();
        let mut rules = None;
        let suspended = candidate.suspended;
        if content.kind.is_some() || !matches!(ground, Ground::Listed) {
            let family = book.family(&candidate.device.model);
            let applied = self.applied(book, candidate, content, key, ground, family)?;
            // A profile's own word about revoked devices was heard; others have none.
            if suspended && family != Drm::Widevine {
                return Err(refusal(DenialReason::DeviceRevoked, "UR-19 device"));
            }
            usage.policy = applied
                .rules
                .policy(&Readings::default())
                .stricter(&usage.policy);
            rules = Some(KeyRules {
                key: key.kid.to_string(),
                family: family.name().to_owned(),
                origin: origin_word(applied.source.origin).to_owned(),
                profile: applied.source.profile.clone(),
            });
            usage.source = applied.source;
        } else if suspended {
            return Err(refusal(DenialReason::DeviceRevoked, "UR-19 device"));
        }
        if let Some(id) = &content.drm_group {
            let group = book.drm_group(id).ok_or_else(|| {
                refusal(DenialReason::NotAuthorised, "drm-group").because("a group that exists", id)
            })?;
            usage.lowest_level = usage.lowest_level.max(group.level);
            if group.license_type == LicenseType::NonPersistent {
                usage.policy.persistence = Persistence::Forbidden;
            }
        }
        Self::check_level(candidate, &usage)?;
        Ok(Usage { key: usage, rules })
    }

    /// The rules that a licence for this key is written from.
    fn applied(
        &self,
        book: &RuleBook,
        candidate: &Candidate<'_>,
        content: &ContentSpec,
        key: &KeySpec,
        ground: &Ground,
        family: Drm,
    ) -> Result<Applied, Denial> {
        let unstated = Terms::Unstated;
        let (authorised, whole, track) = match ground {
            Ground::Listed => (None, &unstated, &unstated),
            Ground::Token { right, .. } => (
                Some(Origin::Token),
                &right.terms,
                right.own_terms(key.track),
            ),
            Ground::Callback(right) => (
                Some(Origin::Callback),
                &right.terms,
                right.own_terms(key.track),
            ),
        };
        let defined = [&content.usage_rules_profile_id, &key.usage_rules_profile_id];
        let said = *whole != Terms::Unstated || *track != Terms::Unstated;
        // Who authorises a device may state the terms; where that is left open, the definition of
        // the content does, and at last the default profile.
        let (origin, whole_stated, track_stated) = match authorised {
            Some(origin) if said || defined.iter().all(|id| id.is_none()) => {
                (origin, stated(whole), stated(track))
            }
            _ => {
                let [whole, track] = defined.map(|id| Stated {
                    profile: id.as_deref(),
                    rules: false,
                });
                (Origin::Channel, whole, track)
            }
        };
        let known = |id: &str| book.profiles().contains_key(id);
        let selected = select(origin, whole_stated, track_stated, known)
            .map_err(|broken| denied(&broken, None))?;
        let authorised = origin != Origin::Channel;
        let (profile, from) = match selected.choice {
            Choice::TrackRules => return explicit(book, candidate, track, family),
            Choice::Rules => return explicit(book, candidate, whole, family),
            Choice::TrackProfile(id) if !authorised => (id, PolicyOrigin::TrackProfile),
            Choice::Profile(id) if !authorised => (id, PolicyOrigin::ChannelProfile),
            Choice::TrackProfile(id) | Choice::Profile(id) => (id, PolicyOrigin::TokenProfile),
            Choice::Default => (Column::Default.name(), PolicyOrigin::Default),
        };
        let integration = self
            .tenants
            .get(&content.tenant)
            .is_some_and(|tenant| tenant.integration);
        check_tenant(profile, integration).map_err(|broken| denied(&broken, None))?;
        let model = &candidate.device.model;
        let missing = || {
            refusal(
                DenialReason::UnknownProfile,
                &format!("{} {family}", UsageRule::Ur29),
            )
            .because(format_args!("rules for {family}"), profile)
        };
        let base = book
            .profiles()
            .get(profile)
            .and_then(|profile| profile.rules(family))
            .ok_or_else(missing)?;
        let effective = book.rules(profile, family, model).ok_or_else(missing)?;
        let rules = admitted(book, candidate, &base, &effective)?;
        Ok(Applied {
            rules,
            source: PolicySource {
                origin: from,
                profile: Some(profile.to_owned()),
            },
        })
    }

    /// Whether the device's level and isolation suffice for a key under these terms.
    fn check_level(candidate: &Candidate<'_>, usage: &KeyUse) -> Result<(), Denial> {
        let level = candidate.level();
        let Some(least) = usage.policy.least_level() else {
            return Err(refusal(DenialReason::NotAuthorised, "deny"));
        };
        let needed = least.max(usage.lowest_level);
        if level < needed {
            let denial = refusal(DenialReason::LevelTooLow, "level")
                .because(needed, level)
                .public(code::LEVEL);
            return Err(level_needed(denial, needed));
        }
        if usage.require_worker && level <= Level::Low && candidate.is_in_process() {
            return Err(Denial::new(DenialReason::WorkerRequired));
        }
        Ok(())
    }
}

fn stated(terms: &Terms) -> Stated<'_> {
    match terms {
        Terms::Unstated => Stated::default(),
        Terms::Profile(id) => Stated {
            profile: Some(id),
            rules: false,
        },
        Terms::Rules(_) => Stated {
            profile: None,
            rules: true,
        },
    }
}

/// Explicit generic rules, converted for the family (UR-05). What they leave out is the generic
/// default.
fn explicit(
    book: &RuleBook,
    candidate: &Candidate<'_>,
    terms: &Terms,
    family: Drm,
) -> Result<Applied, Denial> {
    let none = ExplicitRules::new();
    let stated = match terms {
        Terms::Rules(rules) => rules,
        Terms::Unstated | Terms::Profile(_) => &none,
    };
    let wrong = |what: String| {
        refusal(DenialReason::TokenInvalid, "UR-05 usageRules").because("generic rules", what)
    };
    let generic = amended(Rules::column(Drm::Generic, Column::Default), stated)
        // A denial has room for one.
        .map_err(|bad| {
            wrong(
                bad.into_iter()
                    .map(|bad| bad.what)
                    .next()
                    .unwrap_or_default(),
            )
        })?;
    let rules = match generic {
        Rules::Generic(generic) => generic.convert(family),
        other => other,
    };
    let rules = admitted(book, candidate, &rules, &rules)?;
    Ok(Applied {
        rules,
        source: PolicySource {
            origin: PolicyOrigin::TokenRules,
            profile: None,
        },
    })
}

/// The rules as they are written into the licence, if the request meets them.
fn admitted(
    book: &RuleBook,
    candidate: &Candidate<'_>,
    base: &Rules,
    effective: &Rules,
) -> Result<Rules, Denial> {
    let facts = Facts::new(candidate.level(), candidate.request, candidate.suspended);
    let excepted = book.skips_hdcp(facts.system_id());
    let claims = claims(effective.drm(), &facts, excepted);
    admit(base, effective, &claims).map_err(|broken| denied(&broken, Some(effective)))
}

/// A broken rule as a denial: its number, what it is about, what it wants and what was found.
fn denied(broken: &Violation<'_>, rules: Option<&Rules>) -> Denial {
    let reason = match broken.rule {
        UsageRule::Ur01 | UsageRule::Ur07 | UsageRule::Ur29 => DenialReason::UnknownProfile,
        UsageRule::Ur02 => DenialReason::ProfileAndRules,
        UsageRule::Ur14 | UsageRule::Ur15 | UsageRule::Ur16 => DenialReason::LevelTooLow,
        UsageRule::Ur18 | UsageRule::Ur23 | UsageRule::Ur25 | UsageRule::Ur27 => {
            DenialReason::OutputNotProtected
        }
        UsageRule::Ur19 => DenialReason::DeviceRevoked,
        UsageRule::Ur20 => DenialReason::PlatformNotVerified,
        UsageRule::Ur21 => DenialReason::SecureStorageMissing,
        UsageRule::Ur22 => DenialReason::VulnerableDevice,
        _ => DenialReason::NotAuthorised,
    };
    let rule = match rules {
        Some(rules) => format!("{} {}.{}", broken.rule, rules.drm(), broken.field),
        None => format!("{} {}", broken.rule, broken.field),
    };
    let mut denial = refusal(reason, &rule).because(broken.wanted, broken.found);
    denial.public_code = broken.rule.public_code();
    let needed = rules.and_then(|rules| rules.policy(&Readings::default()).least_level());
    match (reason, needed) {
        (DenialReason::LevelTooLow, Some(level)) => level_needed(denial, level),
        _ => denial,
    }
}

/// How the log calls where a policy came from.
const fn origin_word(origin: PolicyOrigin) -> &'static str {
    match origin {
        PolicyOrigin::TokenProfile => "token-profile",
        PolicyOrigin::TokenRules => "token-rules",
        PolicyOrigin::TrackProfile => "track-profile",
        PolicyOrigin::ChannelProfile => "channel-profile",
        PolicyOrigin::Default => "default",
        PolicyOrigin::Configured => "configured",
    }
}

use alloc::vec::Vec;
use core::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn span(seconds: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(seconds)
}

fn now(seconds: u64) -> Option<Interval> {
    Some(Interval {
        earliest: seconds * 1_000,
        latest: seconds * 1_000,
    })
}

fn terms(timing: Timing, first_use: Option<u64>) -> Terms {
    Terms {
        timing,
        issued: UnixTime(1_000),
        first_use: first_use.map(UnixTime),
        overdue: None,
    }
}

#[test]
fn a_licence_without_limits_needs_no_clock() {
    let terms = terms(Timing::UNLIMITED, None);
    assert!(!terms.limited());
    assert_eq!((terms.end(), terms.standing(None)), (None, Standing::Runs));
}

#[test]
fn a_limited_licence_waits_for_a_clock() {
    let timing = Timing {
        license_seconds: span(10),
        ..Timing::UNLIMITED
    };
    assert_eq!(terms(timing, None).standing(None), Standing::Waits);
    assert_eq!(terms(timing, None).standing(now(1_000)), Standing::Runs);
}

#[test]
fn grace_alone_limits_nothing() {
    let timing = Timing {
        start_grace_seconds: span(5),
        offline_grace_seconds: span(5),
        store_until: Some(UnixTime(1)),
        ..Timing::UNLIMITED
    };
    assert!(!terms(timing, Some(1_000)).limited());
    assert_eq!(terms(timing, Some(1_000)).end(), None);
}

#[test]
fn a_licence_that_has_ended_does_not_begin() {
    let timing = Timing {
        not_before: Some(UnixTime(2_000)),
        not_after: Some(UnixTime(3_000)),
        license_seconds: span(10),
        ..Timing::UNLIMITED
    };
    assert_eq!(
        terms(timing, None).standing(now(1_005)),
        Standing::Begins(UnixTime(2_000))
    );
    let end = End {
        field: ReasonField::LicenseDuration,
        at: UnixTime(1_010),
    };
    assert_eq!(
        terms(timing, None).standing(now(1_010)),
        Standing::Ended(end)
    );
}

prop_compose! {
    fn any_timing()(
        not_after in prop::option::of(900..1_200_u64),
        license in 0..200_u32,
        rental in 0..200_u32,
        playback in 0..200_u32,
        grace in 0..20_u32,
        soft in any::<[bool; 3]>(),
    ) -> Timing {
        let kind = |soft| if soft { Enforcement::Soft } else { Enforcement::Hard };
        Timing {
            not_after: not_after.map(UnixTime),
            license_seconds: span(license),
            rental_seconds: span(rental),
            playback_seconds: span(playback),
            start_grace_seconds: span(grace),
            enforce_absolute: kind(soft[0]),
            enforce_rental: kind(soft[1]),
            enforce_playback: kind(soft[2]),
            ..Timing::UNLIMITED
        }
    }
}

/// A second reading of the rules: the end as the rule tables' formula has it, with soft limits
/// left out once the licence is in use and a hard rental kept.
fn end_by_the_tables(timing: &Timing, issue: u64, first_play: Option<u64>) -> Option<u64> {
    let add = |from: u64, span: Option<NonZeroU32>| span.map(|span| from + u64::from(span.get()));
    let hard = |kind| kind == Enforcement::Hard;
    let mut ends = Vec::new();
    if first_play.is_none() || hard(timing.enforce_absolute) {
        ends.push(timing.not_after.map(|time| time.0));
        ends.push(add(issue, timing.license_seconds));
    }
    match first_play {
        Some(first) => {
            let grace = timing
                .start_grace_seconds
                .map_or(0, |grace| u64::from(grace.get()));
            if hard(timing.enforce_playback) {
                ends.push(add(first + grace, timing.playback_seconds));
            }
            if hard(timing.enforce_rental) {
                ends.push(add(issue, timing.rental_seconds));
            }
        }
        None => ends.push(add(issue, timing.rental_seconds)),
    }
    ends.into_iter().flatten().min()
}

proptest! {
    #[test]
    fn ends_are_those_of_the_rule_tables(
        timing in any_timing(),
        first_play in prop::option::of(1_000..1_100_u64),
    ) {
        let terms = terms(timing, first_play);
        let expected = end_by_the_tables(&timing, 1_000, first_play);
        prop_assert_eq!(terms.end().map(|end| end.at.0), expected);
        let Some(end) = expected else { return Ok(()) };
        prop_assert_eq!(terms.standing(now(end - 1)), Standing::Runs);
        prop_assert!(matches!(terms.standing(now(end)), Standing::Ended(at) if at.at.0 == end));
    }
}

#[test]
fn each_limit_alone_needs_a_clock() {
    let free = Timing::UNLIMITED;
    let timings = [
        Timing {
            not_before: Some(UnixTime(1)),
            ..free
        },
        Timing {
            not_after: Some(UnixTime(9_000)),
            ..free
        },
        Timing {
            license_seconds: span(10),
            ..free
        },
        Timing {
            rental_seconds: span(10),
            ..free
        },
        Timing {
            playback_seconds: span(10),
            ..free
        },
    ];
    for timing in timings {
        assert!(terms(timing, None).limited(), "{timing:?}");
        assert_eq!(terms(timing, None).standing(None), Standing::Waits);
    }
    let mut overdue = terms(free, None);
    overdue.overdue = Overdue::of(&renewal(false, span(5)));
    assert_eq!(
        (overdue.limited(), overdue.standing(None)),
        (true, Standing::Waits)
    );
}

#[test]
fn a_licence_begins_in_its_first_second() {
    let timing = Timing {
        not_before: Some(UnixTime(2_000)),
        ..Timing::UNLIMITED
    };
    let begins = Standing::Begins(UnixTime(2_000));
    assert_eq!(terms(timing, None).standing(now(1_999)), begins);
    assert_eq!(terms(timing, None).standing(now(2_000)), Standing::Runs);
}

/// Due after 30 seconds, and so long after that.
fn renewal(on_first_use: bool, recovery_seconds: Option<NonZeroU32>) -> Renewal {
    Renewal {
        delay_seconds: 30,
        recovery_seconds,
        on_first_use,
        url: None,
        retry_seconds: 10,
        with_usage: false,
    }
}

#[test]
fn an_overdue_renewal_ends_the_licence_after_its_recovery() {
    let end = |renewal: &Renewal, first_use| {
        let mut terms = terms(Timing::UNLIMITED, first_use);
        terms.overdue = Overdue::of(renewal);
        terms.end().map(|end| (end.field, end.at.0))
    };
    let recovery = |at| Some((ReasonField::Recovery, at));
    let (timed, used) = (renewal(false, span(5)), renewal(true, span(5)));
    assert_eq!(end(&timed, None), recovery(1_035));
    assert_eq!(end(&timed, Some(1_500)), recovery(1_035));
    assert_eq!(end(&used, None), None);
    assert_eq!(end(&used, Some(1_500)), recovery(1_505));
    assert_eq!(end(&renewal(false, None), None), None);
}

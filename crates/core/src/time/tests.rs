use super::*;

const BOOT: [u8; 16] = [1; 16];

fn at(millis: u64) -> Moment {
    Moment { boot: BOOT, millis }
}

#[test]
fn an_answer_gives_an_interval_as_wide_as_it_took() {
    let mut time = TrustedTime::default();
    assert_eq!(time.view(), TimeView::Unknown);
    assert!(time.anchor(UnixTime(100), at(1_000), at(4_000)));
    assert_eq!(
        time.known(),
        Some(Interval {
            earliest: 100_000,
            latest: 103_000
        })
    );
    let later = time.observe(Some(at(5_500)));
    assert_eq!(
        later,
        Some(Interval {
            earliest: 101_500,
            latest: 104_500
        })
    );
    let seen = TimeView::Interval {
        earliest: UnixTime(101),
        latest: UnixTime(104),
    };
    assert_eq!(time.view(), seen);
}

#[test]
fn two_answers_narrow_the_interval_to_what_both_say() {
    let mut time = TrustedTime::default();
    time.anchor(UnixTime(100), at(0), at(20_000));
    // Now 100..120 by the first; 110..115 by the second.
    assert!(time.anchor(UnixTime(110), at(15_000), at(20_000)));
    assert_eq!(
        time.known(),
        Some(Interval {
            earliest: 110_000,
            latest: 115_000
        })
    );
    // 105..135 says nothing new.
    assert!(time.anchor(UnixTime(105), at(0), at(20_000)));
    assert_eq!(
        time.known(),
        Some(Interval {
            earliest: 110_000,
            latest: 115_000
        })
    );
}

#[test]
fn an_answer_that_contradicts_moves_time_forward_only() {
    let mut time = TrustedTime::default();
    time.anchor(UnixTime(1_000), at(0), at(0));
    assert!(time.anchor(UnixTime(2_000), at(0), at(0)));
    assert_eq!(
        time.known(),
        Some(Interval {
            earliest: 2_000_000,
            latest: 2_000_000
        })
    );
    assert!(time.anchor(UnixTime(500), at(0), at(0)));
    assert_eq!(
        time.known(),
        Some(Interval {
            earliest: 2_000_000,
            latest: 2_000_000
        })
    );
}

/// What the first answer said bounds the second one nowhere: not even its upper edge, at which ends
/// are tested.
#[test]
fn an_answer_that_contradicts_is_as_wide_as_it_took() {
    let mut time = TrustedTime::default();
    time.anchor(UnixTime(1_000), at(0), at(0));
    assert!(time.answered(Some(UnixTime(2_000)), Some(at(0)), Some(at(5_000))));
    assert_eq!(
        time.known(),
        Some(Interval {
            earliest: 2_000_000,
            latest: 2_005_000
        })
    );
}

#[test]
fn late_answers_and_other_boots_count_for_nothing() {
    let mut time = TrustedTime::default();
    assert!(!time.anchor(UnixTime(100), at(0), at(30_001)));
    assert!(!time.anchor(UnixTime(100), at(2), at(1)));
    let other = Moment {
        boot: [2; 16],
        millis: 5,
    };
    assert!(!time.anchor(UnixTime(100), at(0), other));
    assert!(!time.answered(Some(UnixTime(100)), None, Some(at(0))));
    assert!(!time.answered(Some(UnixTime(100)), Some(at(0)), None));
    assert!(!time.answered(None, Some(at(0)), Some(at(0))));
    assert_eq!((time.known(), time.view()), (None, TimeView::Unknown));
    assert!(time.anchor(UnixTime(100), at(0), at(30_000)));
}

#[test]
fn a_clock_that_lies_takes_the_anchor_and_leaves_the_floor() {
    for lie in [
        Some(at(9)),
        Some(Moment {
            boot: [2; 16],
            millis: 99_999,
        }),
        None,
    ] {
        let mut time = TrustedTime::default();
        time.anchor(UnixTime(100), at(0), at(10));
        assert_eq!(time.observe(lie), None);
        assert_eq!(time.view(), TimeView::Floor(UnixTime(100)));
        assert_eq!(time.observe(Some(at(20))), None);
        // The next anchor cannot fall below it.
        assert!(time.anchor(UnixTime(50), at(20), at(20)));
        assert_eq!(
            time.known(),
            Some(Interval {
                earliest: 100_000,
                latest: 100_000
            })
        );
    }
}

#[test]
fn the_record_is_due_before_time_passes_its_ceiling() {
    let mut time = TrustedTime::default();
    assert_eq!(time.seal_due(), None);
    time.anchor(UnixTime(100), at(0), at(0));
    let due = time.seal_due().unwrap();
    assert_eq!(
        due,
        SealedTime {
            seen: 100,
            ceiling: 160
        }
    );
    time.note_sealed(due);
    time.observe(Some(at(60_000)));
    assert_eq!((time.give_out(), time.seal_due()), (Some(160), None));
    time.observe(Some(at(61_000)));
    assert_eq!(
        time.seal_due(),
        Some(SealedTime {
            seen: 161,
            ceiling: 221
        })
    );
}

#[test]
fn after_a_restart_no_report_is_lower_than_one_before() {
    let sealed = SealedTime {
        seen: 100,
        ceiling: 160,
    };
    let mut time = TrustedTime::restored(Some(sealed));
    assert_eq!(time.view(), TimeView::Floor(UnixTime(100)));
    assert_eq!(time.give_out(), None);
    time.anchor(UnixTime(110), at(0), at(0));
    // Limits go by what the server says, reports by what may have been reported.
    assert_eq!(
        time.known(),
        Some(Interval {
            earliest: 110_000,
            latest: 110_000
        })
    );
    assert_eq!((time.give_out(), time.seal_due()), (Some(160), None));
    time.observe(Some(at(55_000)));
    assert_eq!(time.give_out(), Some(165));
}

#[test]
fn edges_are_tested_where_they_do_not_help_the_holder() {
    let now = Interval {
        earliest: 10_000,
        latest: 20_000,
    };
    assert!(now.has_begun(UnixTime(10)) && !now.has_begun(UnixTime(11)));
    assert!(now.may_have_reached(UnixTime(20)) && !now.may_have_reached(UnixTime(21)));
    let validity = |from, to| Validity {
        not_before: UnixTime(from),
        not_after: UnixTime(to),
    };
    assert!(now.inside(&validity(10, 21)));
    assert!(!now.inside(&validity(11, 21)));
    assert!(!now.inside(&validity(10, 20)));
    assert_eq!(
        now.before(5_000),
        Interval {
            earliest: 5_000,
            latest: 15_000
        }
    );
    assert_eq!(
        now.before(15_000),
        Interval {
            earliest: 0,
            latest: 5_000
        }
    );
}

#[test]
fn a_chain_may_be_relied_on_as_far_as_time_is_known() {
    let validity = Validity {
        not_before: UnixTime(50),
        not_after: UnixTime(200),
    };
    assert!(TrustedTime::default().allows(&validity));
    let restored = |seen| {
        TrustedTime::restored(Some(SealedTime {
            seen,
            ceiling: seen + 60,
        }))
    };
    // A floor says nothing about beginnings.
    assert!(restored(10).allows(&validity) && restored(199).allows(&validity));
    assert!(!restored(200).allows(&validity));
    for (server, allowed) in [(49, false), (50, true), (199, true), (200, false)] {
        let mut time = TrustedTime::default();
        time.anchor(UnixTime(server), at(0), at(0));
        assert_eq!(time.allows(&validity), allowed, "{server}");
    }
}

#[test]
fn the_end_of_numbers_is_not_the_end_of_the_core() {
    let mut time = TrustedTime::restored(Some(SealedTime {
        seen: u64::MAX,
        ceiling: u64::MAX,
    }));
    time.anchor(UnixTime(u64::MAX), at(0), at(1));
    time.observe(Some(at(u64::MAX)));
    assert!(time.give_out().is_some());
    assert_eq!(time.seal_due(), None);
}

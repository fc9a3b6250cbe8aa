use std::time::{Duration, Instant};

use super::{LOOK, Lookout, SHORT};

/// How often it looks for something that is never there.
fn looks(lookout: &Lookout) -> usize {
    let mut looks = 0;
    lookout.look(|| {
        looks += 1;
        false
    });
    looks
}

fn ago(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(time).unwrap_or(now)
}

#[test]
fn it_looks_only_after_a_short_wait() {
    let mut lookout = Lookout::with(true);
    assert_eq!(looks(&lookout), 0, "nothing is known yet");
    lookout.came(Instant::now());
    assert!(looks(&lookout) > 0);
    lookout.came(ago(SHORT));
    assert_eq!(looks(&lookout), 0, "the last one took its time");
}

#[test]
fn it_stops_looking_when_something_is_there_or_the_time_is_over() {
    let mut lookout = Lookout::with(true);
    lookout.came(Instant::now());
    let mut looks = 0;
    lookout.look(|| {
        looks += 1;
        looks == 3
    });
    assert_eq!(looks, 3);
    let begin = lookout.look(|| false);
    assert!(begin.elapsed() >= LOOK);
}

#[test]
fn one_processor_is_left_to_the_peer() {
    let mut lookout = Lookout::with(false);
    lookout.came(Instant::now());
    assert_eq!(looks(&lookout), 0);
}

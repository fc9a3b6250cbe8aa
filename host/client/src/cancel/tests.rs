use std::sync::atomic::AtomicUsize;

use super::*;

/// Longer than any test here may take.
const LONG: Duration = Duration::from_secs(60);

fn listed(cancel: &Cancel) -> usize {
    cancel
        .flags
        .iter()
        .map(|flag| flag.wakers().listed.len())
        .sum()
}

#[test]
fn a_pause_ends_at_the_trigger_and_leaves_nothing_listed() {
    let cancel = Cancel::new();
    let other = cancel.clone();
    let start = Instant::now();
    thread::scope(|scope| {
        let pausing = scope.spawn(|| cancel.pause(LONG));
        while listed(&cancel) == 0 {
            thread::yield_now();
        }
        other.cancel();
        assert!(!pausing.join().expect("it ends"));
    });
    assert!(start.elapsed() < LONG / 10);
    assert!(cancel.is_cancelled() && other.is_cancelled());
    assert_eq!(listed(&cancel), 0);
    // What was triggered stays so.
    assert!(!cancel.pause(LONG));
}

#[test]
fn a_pause_that_nobody_ends_lasts_as_long_as_said() {
    let cancel = Cancel::new();
    // A wake-up that means something else does not cut it short.
    thread::current().unpark();
    let start = Instant::now();
    assert!(cancel.pause(Duration::from_millis(20)));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(cancel.pause(Duration::ZERO));
}

#[test]
fn a_joined_handle_follows_both_and_leads_neither() {
    let (first, second) = (Cancel::new(), Cancel::new());
    let joined = first.joined(&second);
    joined.cancel();
    assert!(joined.is_cancelled() && !first.is_cancelled() && !second.is_cancelled());
    for lead in [&first, &second] {
        let joined = first.joined(&second);
        assert_eq!(joined.is_cancelled(), first.is_cancelled());
        lead.cancel();
        assert!(joined.is_cancelled());
    }
    // A handle joined with itself lists its flag once.
    assert_eq!(first.joined(&first).flags.len(), 2);
}

#[test]
fn a_waker_is_called_once_for_each_trigger_and_at_once_when_late() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = |cancel: &Cancel| {
        let calls = Arc::clone(&calls);
        let registration = cancel.on_cancel(move || {
            calls.fetch_add(1, Ordering::SeqCst);
        });
        drop(registration);
    };
    let lead = Cancel::new();
    let cancel = Cancel::new().joined(&lead);
    count(&cancel);
    lead.cancel();
    assert_eq!(calls.load(Ordering::SeqCst), 0, "it was taken off the list");
    count(&cancel);
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the trigger came before");
}

/// Whoever begins to wait while another triggers never misses it.
#[test]
fn no_trigger_is_lost_to_one_that_begins_to_wait() {
    for _ in 0..500 {
        let cancel = Cancel::new();
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| cancel.cancel());
            assert!(!cancel.pause(LONG));
        });
        assert!(start.elapsed() < LONG / 10);
    }
}

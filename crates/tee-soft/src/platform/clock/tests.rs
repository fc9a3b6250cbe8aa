#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;
use keybearer_crypto_soft::SoftCrypto;
use std::time::{Duration, Instant};

#[test]
fn time_advances_as_the_systems_does() {
    let mut clock = BootClock::new(&SoftCrypto).unwrap();
    let (start, first) = (Instant::now(), clock.now().unwrap());
    std::thread::sleep(Duration::from_millis(30));
    let second = clock.now().unwrap();
    let passed = u64::try_from(start.elapsed().as_millis()).unwrap();
    let counted = second.millis - first.millis;
    // A reading is a whole millisecond, so either end may be one off.
    assert!(
        (29..=passed + 1).contains(&counted),
        "{counted} ms counted, {passed} ms passed"
    );
}

#[test]
fn one_boot_is_one_identity() {
    let mut first = BootClock::new(&SoftCrypto).unwrap();
    let mut second = BootClock::new(&SoftCrypto).unwrap();
    assert_eq!(first.now().unwrap().boot, second.now().unwrap().boot);
    assert_ne!(first.now().unwrap().boot, [0; 16]);
}

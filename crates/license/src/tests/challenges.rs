//! Challenges.

use super::world::{BrokenRng, CRYPTO, NOW, TestRng, challenge, mac_key, private};
use crate::*;

fn check(challenge: &Challenge, now: u64) -> Result<(), LicenseError> {
    check_challenge(&CRYPTO, &mac_key(), challenge, UnixTime(now))
}

#[test]
fn a_challenge_counts_for_five_minutes() {
    let challenge = challenge("a");
    assert_eq!(check(&challenge, NOW.0), Ok(()));
    assert_eq!(check(&challenge, NOW.0 + 300), Ok(()));
    assert_eq!(
        check(&challenge, NOW.0 + 301),
        Err(LicenseError::ChallengeExpired)
    );
}

#[test]
fn a_challenge_from_the_future_counts_within_the_skew_of_two_servers() {
    let challenge = challenge("a");
    assert_eq!(check(&challenge, NOW.0 - 10), Ok(()));
    assert_eq!(
        check(&challenge, NOW.0 - 11),
        Err(LicenseError::ChallengeExpired)
    );
}

#[test]
fn every_bit_of_a_challenge_counts() {
    let made = challenge("a");
    for index in 0..made.0.len() * 8 {
        let mut bytes = made.0;
        bytes[index / 8] ^= 1 << (index % 8);
        assert_eq!(
            check(&Challenge(bytes), NOW.0),
            Err(LicenseError::ChallengeForged)
        );
    }
}

#[test]
fn another_service_s_challenge_is_forged() {
    let made = make_challenge(&CRYPTO, &mut TestRng::new("a"), &private("other"), NOW).unwrap();
    assert_eq!(check(&made, NOW.0), Err(LicenseError::ChallengeForged));
}

#[test]
fn no_random_bytes_no_challenge() {
    let made = make_challenge(&CRYPTO, &mut BrokenRng, &mac_key(), NOW);
    assert_eq!(made, Err(LicenseError::Random));
}

//! Challenges: freshness for the service without a table of what it handed out.

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};
use keybearer_crypto::{Crypto, Label, Rng, Secret};

use crate::error::LicenseError;
use crate::ids::random_bytes;
use crate::limits::CHALLENGE_LIFETIME;
use crate::time::UnixTime;

/// How far ahead of this server another server of the same service may be, in seconds.
const CLOCK_SKEW: u64 = 10;

/// A service's challenge: 16 random bytes, the time of issue (8 bytes, big-endian seconds) and
/// HMAC-SHA-256 over label, random bytes and time. Opaque to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge(pub [u8; 56]);

impl Challenge {
    pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
        e.bytes(&self.0)
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        Ok(Self(*d.bytes_fixed()?))
    }

    fn compose(random: &[u8; 16], issued: &[u8; 8], mac: &[u8; 32]) -> Self {
        let mut bytes = [0; 56];
        for (to, from) in bytes.iter_mut().zip(random.iter().chain(issued).chain(mac)) {
            *to = *from;
        }
        Self(bytes)
    }
}

/// A fresh challenge under the service's `mac_key`.
///
/// # Errors
/// [`LicenseError::Random`].
pub fn make_challenge<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    mac_key: &Secret<32>,
    now: UnixTime,
) -> Result<Challenge, LicenseError> {
    let random = random_bytes(rng)?;
    let issued = now.0.to_be_bytes();
    let mac = crypto.hmac_sha256(mac_key, &[Label::Challenge.bytes(), &random, &issued]);
    Ok(Challenge::compose(&random, &issued, &mac))
}

/// Whether `challenge` was made under `mac_key` at most [`CHALLENGE_LIFETIME`] seconds ago.
///
/// # Errors
/// [`LicenseError::ChallengeForged`], [`LicenseError::ChallengeExpired`].
pub fn check_challenge<C: Crypto + ?Sized>(
    crypto: &C,
    mac_key: &Secret<32>,
    challenge: &Challenge,
    now: UnixTime,
) -> Result<(), LicenseError> {
    let (random, rest) = challenge
        .0
        .split_first_chunk::<16>()
        .ok_or(LicenseError::ChallengeForged)?;
    let (issued, mac) = rest
        .split_first_chunk::<8>()
        .ok_or(LicenseError::ChallengeForged)?;
    let expected = crypto.hmac_sha256(mac_key, &[Label::Challenge.bytes(), random, issued]);
    if !crypto.equal(mac, &expected) {
        return Err(LicenseError::ChallengeForged);
    }
    let issued = u64::from_be_bytes(*issued);
    let ahead = issued.saturating_sub(now.0);
    let age = now.0.saturating_sub(issued);
    if ahead > CLOCK_SKEW || age > CHALLENGE_LIFETIME {
        return Err(LicenseError::ChallengeExpired);
    }
    Ok(())
}

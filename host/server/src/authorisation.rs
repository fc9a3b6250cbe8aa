//! Who says that a device may have a content that neither is open nor lists devices: a content
//! authorisation token that the device brings, or the operator's own service when it is asked.
//!
//! Promises that what is not understood is refused, never passed over: an unknown claim may be a
//! limit. Distrusts the token until its signature is verified with the credential that its tenant
//! has under that name, and then only as far as the algorithm of that credential goes.

pub(crate) mod callback;
mod claims;
mod credential;
mod jws;

use keybearer_crypto::Digest;
use keybearer_license::TrackType;

pub(crate) use claims::{Bearer, Issuing, Token, read_token};
pub use credential::{Credential, SharedSecret, TokenKey};
pub(crate) use credential::{CredentialForm, MIN_SECRET};

/// Most contents that one authorisation names.
const MAX_RIGHTS: usize = 64;
/// Most tracks that one right names.
const MAX_TRACKS: usize = 16;
/// Longest id of a content, a profile or a token, in bytes.
const MAX_ID: usize = 64;

/// Explicit generic usage rules, by rule; read by the rules room when they are applied.
pub(crate) type ExplicitRules = serde_json::Map<String, serde_json::Value>;

/// Under which terms something is authorised. Profile and rules together cannot be said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Terms {
    /// Nothing is said: what stands above decides, at last the default profile.
    #[default]
    Unstated,
    /// A usage-rules profile by its id.
    Profile(String),
    /// Explicit generic rules.
    Rules(ExplicitRules),
}

/// What is authorised for one content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Right {
    /// The content, or a file of it.
    pub(crate) content: String,
    /// For every track that has no terms of its own.
    pub(crate) terms: Terms,
    /// For tracks of a type.
    pub(crate) tracks: Vec<(TrackType, Terms)>,
}

impl Right {
    /// The terms that a track has of its own.
    pub(crate) fn own_terms(&self, track: TrackType) -> &Terms {
        const UNSTATED: &Terms = &Terms::Unstated;
        let own = self.tracks.iter().find(|(of, _)| *of == track);
        own.map_or(UNSTATED, |(_, terms)| terms)
    }
}

/// A token that counts for one licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OneUse {
    /// SHA-256 of tenant, credential and token id.
    pub(crate) id: Digest,
    /// First second the token no longer counts, Unix time.
    pub(crate) ends: u64,
}

/// The tracks that a word in a token names: NAGRA's tokens know one UHD, licences know two.
fn tracks_named(word: &str) -> &'static [TrackType] {
    const WORDS: [(&str, &[TrackType]); 7] = [
        ("audio", &[TrackType::Audio]),
        ("sd", &[TrackType::Sd]),
        ("hd", &[TrackType::Hd]),
        ("uhd", &[TrackType::Uhd1, TrackType::Uhd2]),
        ("uhd1", &[TrackType::Uhd1]),
        ("uhd2", &[TrackType::Uhd2]),
        ("other", &[TrackType::Other]),
    ];
    WORDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word))
        .map_or(&[], |(_, tracks)| tracks)
}

#[cfg(test)]
mod tests;

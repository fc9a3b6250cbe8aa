//! Why the client could not do what it was asked, and what to do next.

use keybearer_tee::{CallError, TeeError};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, Reason, ReasonField};

use crate::{DecoderProblem, Denial, Key, KeyId, TransportError, explain};

/// Why the client could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The trusted side could not be reached or died. After [`TeeError::Dead`] open a new session:
    /// keys and unanswered requests are gone, the device's identity is not.
    #[error("{during}: {source}")]
    Tee {
        /// What was being done.
        during: &'static str,
        /// The transport's failure.
        source: TeeError,
    },
    /// The trusted side refused.
    #[error("{during}: {}", refusal(*.status))]
    Refused {
        /// What was being done.
        during: &'static str,
        /// Its answer.
        status: Status,
    },
    /// The service refused, in an answer that the trusted side has verified.
    #[error("the service refused: {0}")]
    Denied(Denial),
    /// No answer of the service came back.
    #[error("{during}: {source}")]
    Http {
        /// What was being done.
        during: &'static str,
        /// What went wrong on the way.
        source: TransportError,
    },
    /// A key is loaded, but its status does not allow its use now.
    #[error(
        "key {} may not be used: {}",
        hex::encode(key_id),
        explain::standing(*status, reasons, *largest_picture)
    )]
    KeyNotUsable {
        /// The key.
        key_id: KeyId,
        /// Its status.
        status: KeyStatus,
        /// Why it has it.
        reasons: Vec<Reason>,
        /// The largest picture, in pixels, that its outputs allow now, see
        /// [`crate::Key::largest_picture`].
        largest_picture: Option<u32>,
    },
    /// The service gave licences, but none with these keys.
    #[error(
        "no licence holds {}; {}",
        listed(.key_ids),
        match .denial {
            Some(denial) => format!("asked for the rest, the service refused: {denial}"),
            None => "the service does not know the rest or may not give it to this device".into(),
        }
    )]
    KeysMissing {
        /// The keys still missing.
        key_ids: Vec<KeyId>,
        /// What the service said when it was asked for these alone.
        denial: Option<Box<Denial>>,
    },
    /// A protected sample lasts longer than one call to the trusted side may cover.
    #[error(
        "track {track}: sample {sample} of the fragment{} lasts {duration_ms} ms; by a licence only \
         samples of up to {limit_ms} ms can be decrypted, since the rules are looked at that often",
        .decode_time.map(|at| format!(" at {:.3} s", seconds(at, *.timescale))).unwrap_or_default()
    )]
    SampleTooLong {
        /// `track_ID`.
        track: u32,
        /// Number of the sample in its track fragment, from 1.
        sample: usize,
        /// Decoding time of the fragment's first sample, in units of the timescale.
        decode_time: Option<u64>,
        /// Units in one second.
        timescale: u32,
        /// How long it lasts, in milliseconds.
        duration_ms: u64,
        /// How long it may last, in milliseconds.
        limit_ms: u64,
    },
    /// A wait was ended before what it waited for came. Nothing is left behind of it.
    #[error("{during}: {why}")]
    Cancelled {
        /// What was being waited for.
        during: &'static str,
        /// Who ended it.
        why: Ended,
    },
    /// Keys did not become usable in the time allowed, and no licence holds them.
    #[error("no licence with {} came in the time allowed", listed(.key_ids))]
    KeysNotInTime {
        /// The keys that nothing is known of.
        key_ids: Vec<KeyId>,
    },
    /// The decoder in the trusted side, or what it was given, is the trouble.
    #[error("{during}: {problem}")]
    Decoder {
        /// What was being done.
        during: &'static str,
        /// What is wrong.
        #[source]
        problem: DecoderProblem,
    },
    /// A track whose key is for the decoder in the trusted side, which plays another: one that has no
    /// key of its own, as sound under the key of the pictures, or a second one that demands the decoder.
    #[error(
        "track {track} cannot be played: its key {} is for the protected path alone, which gives nothing \
         clear back and plays one track, here track {playing}",
        hex::encode(key_id)
    )]
    ProtectedPathTaken {
        /// `track_ID`.
        track: u32,
        /// Its key.
        key_id: KeyId,
        /// `track_ID` of the one that the decoder plays.
        playing: u32,
    },
    /// What the caller gave exceeds a limit of the interface.
    #[error("{during}: {what}")]
    Input {
        /// What was being done.
        during: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

/// Who ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// The handle that the caller gave was triggered.
    #[error("cancelled")]
    Caller,
    /// The session was closed meanwhile.
    #[error("the session was closed")]
    Session,
    /// The client was shut down or dropped meanwhile.
    #[error("the client was shut down")]
    Client,
}

impl ClientError {
    /// True when a wait was ended, by whomever.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }

    /// The error for a key that stands like this.
    pub(crate) fn of_key(key: &Key) -> Self {
        Self::KeyNotUsable {
            key_id: key.id,
            status: key.status,
            reasons: key.reasons.clone(),
            largest_picture: key.largest_picture,
        }
    }

    /// True when a key may not be used for what its outputs are now. Others may be usable, and this one
    /// will be with other outputs.
    #[must_use]
    pub fn is_restricted_by_outputs(&self) -> bool {
        let for_good =
            |reason: &Reason| matches!(reason.field, ReasonField::Level | ReasonField::Worker);
        match self {
            Self::KeyNotUsable {
                status, reasons, ..
            } => *status == KeyStatus::OutputRestricted && !reasons.iter().any(for_good),
            _ => false,
        }
    }

    /// True when the trusted side died: open a new session and acquire its licences anew.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        matches!(
            self,
            Self::Tee {
                source: TeeError::Dead,
                ..
            }
        )
    }

    /// The trusted side answered outside its interface.
    pub(crate) const fn bad_answer(during: &'static str, what: &'static str) -> Self {
        Self::Tee {
            during,
            source: TeeError::BadAnswer(what),
        }
    }

    /// Says during what a call failed.
    pub(crate) fn of_call(during: &'static str) -> impl FnOnce(CallError) -> Self {
        move |error| match error {
            CallError::Transport(source) => Self::Tee { during, source },
            CallError::Refused(status) => Self::Refused { during, status },
            CallError::Request(source) => Self::Input {
                during,
                what: source.to_string(),
            },
            // `CallError` may grow; its text is then all there is.
            other => Self::Input {
                during,
                what: other.to_string(),
            },
        }
    }
}

fn listed(key_ids: &[KeyId]) -> String {
    let ids: Vec<String> = key_ids.iter().map(hex::encode).collect();
    let keys = if ids.len() == 1 { "key" } else { "keys" };
    format!("{keys} {}", ids.join(", "))
}

/// A time for people: a double is exact enough to find a place in a film.
#[allow(clippy::cast_precision_loss, reason = "shown with three decimals")]
fn seconds(units: u64, timescale: u32) -> f64 {
    units as f64 / f64::from(timescale)
}

/// A status with what to do about it.
fn refusal(status: Status) -> String {
    match explain::status_advice(status) {
        Some(advice) => format!("{status}; {advice}"),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests;

//! What can be wrong with a decoder in the trusted side.

use keybearer_tee::{CallError, ProtectedError, TeeError};
use keybearer_wire::Status;

use crate::ClientError;

/// What is wrong with a decoder, or with what it was given. No unit's fate ends a protected session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecoderProblem {
    /// `content-rejected`: the unit is no content that decodes. No more is told, since it would tell what
    /// the unit decrypts to. Several in a row close the key.
    #[error(
        "content-rejected: the decoder does not take this unit; decoding goes on at the next IDR"
    )]
    ContentRejected,
    /// `decoder-failed`: the decoder has died. Keys and other sessions live on.
    #[error("decoder-failed: another decoder goes on with the next IDR picture")]
    Failed,
    /// `no-decoder-memory`: the device has no memory for another decoder, or for pictures of this size.
    #[error("no-decoder-memory: the device has no memory for another decoder or for such pictures")]
    NoMemory,
    /// `unsupported-codec`: only H.264 of 8 bits, 4:2:0 and full frames is decoded.
    #[error("unsupported-codec: the decoder does not take what this track is made of")]
    UnsupportedCodec,
    /// No decoder could be started.
    #[error("no decoder could be started: {0}")]
    Unavailable(#[source] TeeError),
    /// The unit was left out: a decoder was lost, and decoding begins again with the next IDR picture.
    #[error("left out: decoding begins again with the next IDR picture")]
    AwaitingIdr,
    /// No track is configured.
    #[error("no track is configured")]
    NotConfigured,
}

impl DecoderProblem {
    /// What a refusal says of decoder or content; `None`: it is the keys' side's.
    const fn of_status(status: Status) -> Option<Self> {
        Some(match status {
            Status::ContentRejected => Self::ContentRejected,
            Status::NoDecoderMemory => Self::NoMemory,
            Status::UnsupportedCodec => Self::UnsupportedCodec,
            Status::NotConfigured | Status::NotAttached => Self::NotConfigured,
            _ => return None,
        })
    }
}

impl ClientError {
    /// Says during what a call of a protected session failed.
    pub(crate) fn of_decoder(during: &'static str) -> impl FnOnce(ProtectedError) -> Self {
        move |error| {
            let problem = match error {
                ProtectedError::Call(CallError::Refused(status)) => {
                    match DecoderProblem::of_status(status) {
                        Some(problem) => problem,
                        None => return Self::Refused { during, status },
                    }
                }
                ProtectedError::Call(error) => return Self::of_call(during)(error),
                ProtectedError::DecoderFailed => DecoderProblem::Failed,
                ProtectedError::NoDecoder(TeeError::NoDecoderMemory) => DecoderProblem::NoMemory,
                ProtectedError::NoDecoder(source) => DecoderProblem::Unavailable(source),
                ProtectedError::AwaitingIdr => DecoderProblem::AwaitingIdr,
                ProtectedError::NotConfigured => DecoderProblem::NotConfigured,
                // It may grow; its text is then all there is.
                other => {
                    let what = other.to_string();
                    return Self::Input { during, what };
                }
            };
            Self::Decoder { during, problem }
        }
    }

    /// What is wrong with the decoder, where that is what the error is about.
    #[must_use]
    pub const fn decoder_problem(&self) -> Option<&DecoderProblem> {
        match self {
            Self::Decoder { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

//! Typed calls for content that the host never sees clear: a connection to the keys and one to a
//! decoder.
//!
//! The host holds two connections of its own and knows of no other. It asks the keys' side for a
//! ticket, hands the ticket to the decoder and then the protected units; what the decoder and the
//! keys' side say to each other it does not see. No method here returns media, and none takes room
//! for any:
//!
//! ```compile_fail,E0599
//! fn clear(session: &mut keybearer_tee::ProtectedSession, unit: &mut [u8]) {
//!     let request: keybearer_wire::body::Decrypt<'_> = todo!();
//!     session.decrypt(&request, keybearer_tee::Media::InPlace(unit));
//! }
//! ```
//!
//! ```compile_fail,E0308
//! fn clear(session: &mut keybearer_tee::ProtectedSession, output: &mut [u8]) {
//!     let request: keybearer_wire::decoder::body::Decode<'_> = todo!();
//!     let media = keybearer_tee::Media::Into { input: b"unit", output };
//!     session.submit(&request, media, true);
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn clear(session: keybearer_tee::ProtectedSession) {
//!     // Nor can the connection be had to be called otherwise.
//!     session.into_connection();
//! }
//! ```
//!
//! On a board with a hardware decoder units are decrypted into protected buffers instead of being
//! submitted. Such a buffer has a name here, and no bytes:
//!
//! ```compile_fail,E0308
//! fn clear(session: &mut keybearer_tee::ProtectedSession, unit: &[u8], output: &mut [u8]) {
//!     let request: keybearer_wire::body::Decrypt<'_> = todo!();
//!     session.deliver(&request, unit, output);
//! }
//! ```
//!
//! What does compile:
//!
//! ```no_run
//! fn play(session: &mut keybearer_tee::ProtectedSession, unit: &[u8]) {
//!     let request: keybearer_wire::decoder::body::Decode<'_> = todo!();
//!     let presented = session.submit(&request, unit, true);
//! }
//! ```

mod buffers;

use std::sync::Arc;

use keybearer_wire::decoder::{self, body as unit};
use keybearer_wire::field::Blob;
use keybearer_wire::{Exchange, body};

use crate::call::call;
use crate::{CallError, Media, Tee, TeeError, TeeSession};

/// Why a protected session did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtectedError {
    /// The keys' side or the decoder refused, or the keys' side cannot be reached.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The decoder has died: this session's pictures stop, its keys and all other sessions go on. The
    /// next unit that begins with an IDR starts another decoder.
    #[error("the decoder failed; decoding goes on with the next IDR picture")]
    DecoderFailed,
    /// No decoder could be started.
    #[error("no decoder could be started")]
    NoDecoder(#[source] TeeError),
    /// The unit was left out: a decoder was lost, and decoding begins again with the next IDR.
    #[error("left out: decoding begins again with the next IDR picture")]
    AwaitingIdr,
    /// No track is configured.
    #[error("no track is configured")]
    NotConfigured,
}

/// What a decoder is to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Handle of the protected licence session.
    pub session: u64,
    /// Track type, a number of the licence protocol.
    pub track_type: u8,
    /// Code of the sample entry without protection, such as `avc1`.
    pub codec: [u8; 4],
    /// The decoder configuration record, for H.264 the content of `avcC`.
    pub record: Vec<u8>,
}

/// A connection to the keys, and one to a decoder that is started when a track is configured.
pub struct ProtectedSession {
    tee: Arc<dyn Tee>,
    keys: Box<dyn TeeSession>,
    /// Where those keys' side has died: the next instance of it, which wipes what the last one wrote.
    next: Option<Box<dyn TeeSession>>,
    decoder: Option<Box<dyn TeeSession>>,
    track: Option<Track>,
    buffers: Vec<buffers::Held>,
    response: Vec<u8>,
}

impl std::fmt::Debug for ProtectedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProtectedSession")
            .field("track", &self.track)
            .field("decoder", &self.decoder.is_some())
            .finish_non_exhaustive()
    }
}

impl ProtectedSession {
    /// Connects to the keys' side.
    ///
    /// # Errors
    /// As [`Tee::connect`].
    pub fn open(tee: Arc<dyn Tee>) -> Result<Self, TeeError> {
        let keys = tee.connect()?;
        Ok(Self {
            tee,
            keys,
            next: None,
            decoder: None,
            track: None,
            buffers: Vec::new(),
            response: Vec::new(),
        })
    }

    /// Runs one command of the keys' side, without media.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the trusted side's status, or the transport's failure.
    pub fn exchange<'r, R: Exchange<'r>>(
        &mut self,
        request: &R,
    ) -> Result<R::Answer<'_>, CallError> {
        let command = R::COMMAND.code();
        let Self { keys, response, .. } = self;
        call(&mut **keys, response, command, request, Media::None)
    }

    /// Configures the decoder for a track: starts one where there is none, gives it a ticket to the
    /// track's session unless it has that track already, and its parameter sets.
    ///
    /// # Errors
    /// [`ProtectedError::NoDecoder`], [`ProtectedError::DecoderFailed`]; [`ProtectedError::Call`] with
    /// the refusal of either side, such as `UnsupportedCodec` and `NoDecoderMemory`. Then no track is
    /// configured.
    pub fn configure(&mut self, track: Track) -> Result<unit::Configured, ProtectedError> {
        let bound =
            |held: &Track| (held.session, held.track_type) == (track.session, track.track_type);
        let attached = self.decoder.is_some() && self.track.as_ref().is_some_and(bound);
        self.track = None;
        let configured = self.prepare(&track, attached)?;
        self.track = Some(track);
        Ok(configured)
    }

    /// Submits one protected access unit; `idr` says, by the container, that decoding can begin with
    /// it. The answer tells which pictures were presented, and nothing of what is in them.
    ///
    /// # Errors
    /// [`ProtectedError::Call`] with `ContentRejected` for a unit that is no content that decodes, or
    /// another refusal; [`ProtectedError::DecoderFailed`] when the decoder died of it,
    /// [`ProtectedError::AwaitingIdr`] for units after that up to the next IDR, and
    /// [`ProtectedError::NoDecoder`] where none could be started for that one;
    /// [`ProtectedError::NotConfigured`].
    pub fn submit(
        &mut self,
        request: &unit::Decode<'_>,
        media: &[u8],
        idr: bool,
    ) -> Result<unit::Presented, ProtectedError> {
        if self.decoder.is_none() {
            let track = self.track.clone().ok_or(ProtectedError::NotConfigured)?;
            if !idr {
                return Err(ProtectedError::AwaitingIdr);
            }
            self.prepare(&track, false)?;
        }
        self.ask(request, Media::Input(media))
    }

    /// Has every picture presented that still waits for its turn. Two seconds after the last unit they are
    /// dropped instead: nobody knows then whether they are still allowed.
    ///
    /// # Errors
    /// As [`Self::submit`]; where the decoder was lost nothing waits, and that is no error.
    pub fn flush(&mut self) -> Result<unit::Presented, ProtectedError> {
        self.between(&unit::Flush {}).map(|presented| {
            presented.unwrap_or(unit::Presented {
                times: keybearer_wire::field::List(Vec::new()),
                largest: None,
                sequence: None,
                digests: None,
            })
        })
    }

    /// Says that units are missing, as after a seek: what waits is dropped, and decoding goes on at
    /// the next IDR.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn skip(&mut self) -> Result<(), ProtectedError> {
        self.between(&unit::Skip {}).map(drop)
    }

    /// A command for a decoder that may have been lost.
    fn between<'r, R: decoder::Exchange<'r>>(
        &mut self,
        request: &R,
    ) -> Result<Option<R::Answer<'_>>, ProtectedError> {
        match (&self.decoder, &self.track) {
            (_, None) => Err(ProtectedError::NotConfigured),
            (None, Some(_)) => Ok(None),
            (Some(_), Some(_)) => self.ask(request, Media::None).map(Some),
        }
    }

    /// Makes a decoder ready for a track, or lets go of it.
    fn prepare(
        &mut self,
        track: &Track,
        attached: bool,
    ) -> Result<unit::Configured, ProtectedError> {
        let ready = self.make_ready(track, attached);
        if ready.is_err() {
            self.decoder = None;
        }
        ready
    }

    fn make_ready(
        &mut self,
        track: &Track,
        attached: bool,
    ) -> Result<unit::Configured, ProtectedError> {
        if self.decoder.is_none() {
            let started = self.tee.connect_decoder();
            self.decoder = Some(started.map_err(ProtectedError::NoDecoder)?);
        }
        if !attached {
            let issue = body::IssueTicket {
                session: track.session,
                track_type: track.track_type,
            };
            let ticket = self.exchange(&issue)?.ticket;
            self.ask(&unit::Attach { ticket }, Media::None)?;
        }
        let configure = unit::Configure {
            codec: track.codec,
            record: Blob(&track.record),
        };
        self.ask(&configure, Media::None)
    }

    /// Runs one command of the decoder. One that has died is let go.
    fn ask<'r, R: decoder::Exchange<'r>>(
        &mut self,
        request: &R,
        media: Media<'_>,
    ) -> Result<R::Answer<'_>, ProtectedError> {
        let Self {
            decoder, response, ..
        } = self;
        let Some(connection) = decoder else {
            return Err(ProtectedError::NotConfigured);
        };
        let command = R::COMMAND.code();
        match call(&mut **connection, response, command, request, media) {
            Err(CallError::Transport(TeeError::Dead)) => {
                *decoder = None;
                Err(ProtectedError::DecoderFailed)
            }
            other => Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests;

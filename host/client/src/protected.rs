//! Sessions for content that this side never sees clear: the decoder in the trusted side gets each
//! protected unit, and what comes back is whether it was accepted and which pictures were presented.
//!
//! A protected session is another type than a clear one, since its level is another: the request for a
//! licence says the level that really runs, High, and a key that demands it is given to no clear session.
//! Keys for less may be played beside it in a clear session of the same client.

mod config;
mod error;
mod player;

use keybearer_media::{IvSource, Protection};
use keybearer_tee::{ProtectedError, Track};
use keybearer_wire::SampleTableBuilder;
use keybearer_wire::decoder::body as unit;
use keybearer_wire::field::Blob;
use keybearer_wire::limits::SAMPLE_RECORD;

pub use self::error::DecoderProblem;
pub use self::player::{
    ProtectedPlayer, ProtectedSummary, Route, UnitReport, Viewer, play_protected,
};
use crate::session::Link;
use crate::values::scheme_code;
use crate::{ClientError, Device, LicenseId, Session, TrackType};

/// A licence session whose media goes to a decoder in the trusted side. Dropping it erases its keys and
/// ends the decoder.
///
/// One track is played at a time. A decoder that dies takes nothing along: the keys stay, and another
/// decoder goes on with the next IDR picture.
#[derive(Debug)]
pub struct ProtectedSession(Session);

/// What a decoder is to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderTrack {
    /// What the track is, as its key's licence says.
    pub track_type: TrackType,
    /// Code of the sample entry without protection, such as `avc1`.
    pub codec: [u8; 4],
    /// The decoder configuration record: for H.264 the content of `avcC` (ISO/IEC 14496-15 section
    /// 5.3.3.1).
    pub record: Vec<u8>,
}

/// One access unit. Nothing of it is trusted: a wrong statement is refused, or gives garbage that no
/// decoder accepts.
#[derive(Clone, Copy, Debug)]
pub struct ProtectedUnit<'a> {
    /// A time in the caller's own units, by which answers name the picture.
    pub time: u64,
    /// Milliseconds that it lasts.
    pub duration_ms: u32,
    /// How it is protected, and the table that describes this one sample; `None`: it is clear, as in a
    /// track's clear lead.
    pub protection: Option<(&'a Protection, &'a SampleTableBuilder)>,
    /// Licence to use; `None`: the newest in which the key is usable.
    pub license: Option<LicenseId>,
    /// Whether decoding can begin with it.
    pub idr: bool,
}

/// What a unit that was accepted brought to the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presented {
    /// The times of the pictures that were presented during this call, in the order of presentation: those
    /// of this unit or of units before it.
    pub times: Vec<u64>,
    /// Most pixels of a picture that the key allows now; larger ones were scaled down. `None`: any.
    pub largest_picture: Option<u64>,
    /// SHA-256 of the samples of each picture, from test builds of the decoder alone, which mark the
    /// device as a debug device.
    pub digests: Option<Vec<[u8; 32]>>,
}

impl Presented {
    fn from_wire(said: unit::Presented) -> Self {
        Self {
            times: said.times.0,
            largest_picture: said.largest,
            digests: said.digests.map(|digests| digests.0),
        }
    }
}

impl ProtectedSession {
    pub(crate) const fn new(session: Session) -> Self {
        Self(session)
    }

    /// The session's licences, statuses and events: whatever is asked of a session but decryption, which
    /// this one refuses with `WrongSessionKind`.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.0
    }

    /// Makes a decoder ready for a track, and starts one where there is none.
    ///
    /// # Errors
    /// [`ClientError::Decoder`]: what the track is made of is not supported or does not fit the decoder's
    /// memory, or there is no decoder to be had. No track is configured then.
    pub fn configure(&self, track: &DecoderTrack) -> Result<(), ClientError> {
        let during = "making the decoder ready";
        self.0.protected(during, |link| {
            let track = Track {
                session: link.handle(),
                track_type: track.track_type.code(),
                codec: track.codec,
                record: track.record.clone(),
            };
            let configured = link.decoder(during)?.configure(track);
            configured
                .map(|unit::Configured { .. }| ())
                .map_err(ClientError::of_decoder(during))
        })
    }

    /// Submits one unit, whose bytes are NAL units with their lengths, as the configuration record says.
    ///
    /// # Errors
    /// [`ClientError::Decoder`] with [`DecoderProblem::ContentRejected`] for what does not decode,
    /// [`DecoderProblem::Failed`] when the decoder died of it, and [`DecoderProblem::AwaitingIdr`] for
    /// those that follow, up to the next IDR picture; none of them ends the session.
    /// [`ClientError::Refused`] for what the keys' side refuses, with `KeyNotUsable` when
    /// [`Session::statuses`] has the reasons.
    pub fn submit(&self, unit: &ProtectedUnit<'_>, media: &[u8]) -> Result<Presented, ClientError> {
        let during = "submitting a unit";
        let protection = unit.protection.map(|protection| stated(unit, protection));
        let request = unit::Decode {
            time: unit.time,
            duration_ms: unit.duration_ms,
            protection: protection.transpose()?,
        };
        self.asks_decoder(during, |decoder| decoder.submit(&request, media, unit.idr))
    }

    /// Has every picture presented that still waits for its turn, as at the end of the track: within two
    /// seconds of the last unit, or they are dropped, since nobody knows whether they are still allowed.
    ///
    /// # Errors
    /// As [`Self::submit`]; where the decoder was lost nothing waits, and that is no error.
    pub fn flush(&self) -> Result<Presented, ClientError> {
        self.asks_decoder(
            "presenting what waits",
            keybearer_tee::ProtectedSession::flush,
        )
    }

    /// Says that units are missing, as after a seek: what waits is dropped, and decoding goes on at the
    /// next IDR picture.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn skip(&self) -> Result<(), ClientError> {
        let during = "passing units over";
        self.0.protected(during, |link| {
            let skipped = link.decoder(during)?.skip();
            skipped.map_err(ClientError::of_decoder(during))
        })
    }

    /// Closes the session, which erases its keys and ends its decoder.
    ///
    /// # Errors
    /// See [`Session::close`].
    pub fn close(self) -> Result<Device, ClientError> {
        self.0.close()
    }

    /// Runs a command that may let pictures out, and tells of statuses that have changed.
    fn asks_decoder(
        &self,
        during: &'static str,
        call: impl FnOnce(
            &mut keybearer_tee::ProtectedSession,
        ) -> Result<unit::Presented, ProtectedError>,
    ) -> Result<Presented, ClientError> {
        self.0.protected(during, |link: &mut Link| {
            let said = call(link.decoder(during)?);
            let said = said.map_err(ClientError::of_decoder(during))?;
            self.0.heard(link, said.sequence);
            Ok(Presented::from_wire(said))
        })
    }
}

/// How a unit is protected, as it goes over the wire.
fn stated<'a>(
    unit: &ProtectedUnit<'_>,
    (protection, table): (&'a Protection, &'a SampleTableBuilder),
) -> Result<unit::Protection<'a>, ClientError> {
    let during = "submitting a unit";
    let wrong = |what: &str| ClientError::Input {
        during,
        what: what.to_owned(),
    };
    let (iv_size, constant_iv) = match &protection.iv {
        IvSource::PerSample { size } => (*size, None),
        IvSource::Constant(iv) => (0, Some(Blob(iv.as_slice()))),
        IvSource::None => return Err(wrong("the unit is not protected")),
    };
    let sample: [u8; SAMPLE_RECORD] = table
        .samples()
        .try_into()
        .map_err(|_| wrong("a unit is one sample"))?;
    Ok(unit::Protection {
        key_id: protection.kid,
        license: unit.license,
        scheme: scheme_code(protection.scheme),
        iv_size,
        constant_iv,
        crypt_blocks: protection.pattern.crypt,
        skip_blocks: protection.pattern.skip,
        sample,
        subsamples: Blob(table.subsamples()),
    })
}

#[cfg(test)]
mod tests;

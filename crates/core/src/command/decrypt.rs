//! `Decrypt`: a batch of samples of one track under one key; and what it shares with `DecryptUnit`.
//!
//! Everything is checked before the first byte is read: session, key and its status, track type,
//! scheme, initialisation vectors, pattern, picture, clear ranges, the sample table and the media
//! slots, and whose memory they are. After that only a dead platform can fail, and what has been written by then is the
//! correct beginning. The path allocates nothing.

mod check;
mod stream;

use core::num::NonZeroU32;

use keybearer_license::{KeyId, LicenseId};
use keybearer_wire::body::{Decrypt, Decrypted, KeyStatus};
use keybearer_wire::limits::MAX_MEDIA_DURATION_MS;
use keybearer_wire::{SampleTable, Status};

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::media::{self, Media};
use crate::outputs;
use crate::platform::Platform;
use crate::response::Response;
use crate::session::{Session, Sessions};

/// Samples of one track under one key, as whoever asks describes them.
pub(crate) struct Batch<'a> {
    pub(crate) key: KeyId,
    /// The licence to use; `None`: the newest that serves.
    pub(crate) license: Option<LicenseId>,
    pub(crate) track: u8,
    pub(crate) scheme: u8,
    pub(crate) iv_size: u8,
    pub(crate) constant_iv: Option<&'a [u8]>,
    pub(crate) crypt_blocks: u8,
    pub(crate) skip_blocks: u8,
    pub(crate) duration_ms: u32,
    pub(crate) samples: &'a [u8],
    pub(crate) subsamples: &'a [u8],
}

/// Who gets the clear media.
#[derive(Clone, Copy)]
pub(crate) enum Receiver {
    /// The host, of a clear session, or of a protected one a buffer that the host cannot read; with the
    /// picture's size as it states it.
    Host {
        width: Option<u32>,
        height: Option<u32>,
    },
    /// A decoder, over a channel to a protected session.
    Decoder { channel: u64 },
}

/// What was decrypted.
pub(crate) struct Done {
    pub(crate) bytes: u64,
    pub(crate) sequence: u64,
    /// Largest picture in pixels that may be shown; `None`: any.
    pub(crate) largest_picture: Option<NonZeroU32>,
}

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: Decrypt<'_>,
    media: &mut dyn Media,
) -> Outcome {
    call.now()?;
    let batch = Batch {
        key: KeyId(request.key_id),
        license: request.license.map(LicenseId),
        track: request.track_type,
        scheme: request.scheme,
        iv_size: request.iv_size,
        constant_iv: request.constant_iv.as_ref().map(|iv| iv.0),
        crypt_blocks: request.crypt_blocks,
        skip_blocks: request.skip_blocks,
        duration_ms: request.duration_ms,
        samples: request.samples.0,
        subsamples: request.subsamples.0,
    };
    let receiver = Receiver::Host {
        width: request.width,
        height: request.height,
    };
    let done = decrypt(
        core,
        |sessions| sessions.get(call.client, request.session),
        &batch,
        receiver,
        media,
    )?;
    Ok(Response::decrypted(&Decrypted {
        bytes: done.bytes,
        sequence: done.sequence,
    }))
}

/// Decrypts a batch of the session that `find` finds.
///
/// # Errors
/// [`Status::UnprotectedOutput`] where clear media of a protected session would go to memory that the
/// normal world can read, whatever a key would allow and whoever asks; [`Status::WrongSessionKind`] for
/// a channel of a clear session. The refusals of either command; then nothing was read or written.
pub(crate) fn decrypt<P: Platform>(
    core: &mut Core<P>,
    find: impl FnOnce(&mut Sessions) -> Result<&mut Session, Status>,
    batch: &Batch<'_>,
    receiver: Receiver,
    media: &mut dyn Media,
) -> Result<Done, Status> {
    let session = find(&mut core.sessions)?;
    let protected = session.handover.is_some();
    if protected && !media.output_is_protected() {
        return Err(Status::UnprotectedOutput);
    }
    if !protected && matches!(receiver, Receiver::Decoder { .. }) {
        return Err(Status::WrongSessionKind);
    }
    if batch.duration_ms > MAX_MEDIA_DURATION_MS {
        return Err(Status::DurationTooLong);
    }
    let table = SampleTable::parse(batch.samples, batch.subsamples)?;
    let room = usize::try_from(core.config.max_media).unwrap_or(usize::MAX);
    let in_buffer = protected && matches!(receiver, Receiver::Host { .. });
    if media.input_len() > room || in_buffer && media.output_len() > room {
        return Err(Status::MediaTooLarge);
    }
    if media.input_len() != table.total_size() || media.output_len() < table.total_size() {
        return Err(Status::MediaMismatch);
    }
    let (license, key) = session.grant(batch.key, batch.license)?;
    let license = session
        .licenses
        .get_mut(license)
        .ok_or(Status::UnknownKey)?;
    let held = license.keys.get(key).ok_or(Status::UnknownKey)?;
    let protection = check::protection(&held.usage, batch)?;
    let largest_picture = outputs::largest_picture(&held.usage, held.allowed);
    if let Receiver::Host { width, height } = receiver {
        // Nobody here makes a picture smaller that a hardware decoder takes from a protected buffer.
        let downscaled = held.status == KeyStatus::OutputDownscaled;
        if downscaled || outputs::picture_too_large(largest_picture, width, height) {
            return Err(Status::PictureTooLarge);
        }
    }
    check::samples(&held.usage, &protection, &table)?;

    let state = anchor::under(
        &mut core.states,
        &mut core.parts,
        &core.config,
        &session.anchor,
    )?;
    state.settle_time(&mut core.parts, state.time)?;
    // The first use is on record before the first byte is out, and so is who has to say what became
    // of it.
    license.note_use(state.time.known());
    let held = license.keys.get(key).ok_or(Status::UnknownKey)?;
    let cipher = held.cipher().ok_or(Status::KeyNotUsable)?;
    if let (Receiver::Decoder { channel }, Some(handover)) = (receiver, &mut session.handover) {
        handover.give(channel, batch.key, table.len());
    }
    stream::decrypt(cipher, &protection, &table, &mut core.scratch, media)?;
    if in_buffer {
        // What an earlier and longer unit left behind must not outlast it.
        media::wipe(media, table.total_size(), &mut core.scratch)?;
    }
    Ok(Done {
        bytes: u64::try_from(table.total_size()).unwrap_or(u64::MAX),
        sequence: session.sequence,
        largest_picture,
    })
}

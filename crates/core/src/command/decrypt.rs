//! `Decrypt`: a batch of samples of one track under one key.
//!
//! Everything is checked before the first byte is read: session, key and its status, track type,
//! scheme, initialisation vectors, pattern, picture, clear ranges, the sample table and the media
//! slots. After that only a dead platform can fail, and what has been written by then is the
//! correct beginning. The path allocates nothing.

mod check;
mod stream;

use keybearer_license::{KeyId, LicenseId};
use keybearer_rules::Level;
use keybearer_wire::body::{Decrypt, Decrypted};
use keybearer_wire::limits::MAX_MEDIA_DURATION_MS;
use keybearer_wire::{SampleTable, Status};

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::media::Media;
use crate::platform::Platform;
use crate::response::Response;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: Decrypt<'_>,
    media: &mut dyn Media,
) -> Outcome {
    call.now()?;
    let session = core.sessions.get(call.client, request.session)?;
    if core.config.level > Level::Medium {
        // Above Medium no call gives clear media to the host, whatever a key would allow.
        return Err(Status::NotSupported);
    }
    if request.duration_ms > MAX_MEDIA_DURATION_MS {
        return Err(Status::DurationTooLong);
    }
    let table = SampleTable::parse(request.samples.0, request.subsamples.0)?;
    let room = usize::try_from(core.config.max_media).unwrap_or(usize::MAX);
    if media.input_len() > room {
        return Err(Status::MediaTooLarge);
    }
    if media.input_len() != table.total_size() || media.output_len() < table.total_size() {
        return Err(Status::MediaMismatch);
    }
    let (license, key) = session.grant(KeyId(request.key_id), request.license.map(LicenseId))?;
    let license = session
        .licenses
        .get_mut(license)
        .ok_or(Status::UnknownKey)?;
    let held = license.keys.get(key).ok_or(Status::UnknownKey)?;
    let protection = check::protection(&held.usage, &request)?;
    check::samples(&held.usage, &protection, &table)?;

    let state = anchor::under(
        &mut core.states,
        &mut core.parts,
        &core.config,
        &session.anchor,
    )?;
    state.settle_time(&mut core.parts, state.time)?;
    // The first use is on record before the first byte is out.
    license.note_use(state.time.known());
    let held = license.keys.get(key).ok_or(Status::UnknownKey)?;
    let cipher = held.cipher().ok_or(Status::KeyNotUsable)?;
    stream::decrypt(cipher, &protection, &table, &mut core.scratch, media)?;
    Ok(Response::decrypted(&Decrypted {
        bytes: u64::try_from(table.total_size()).unwrap_or(u64::MAX),
        sequence: session.sequence,
    }))
}

//! `DecryptUnit`: units of a protected session's track, into the memory of the decoder that redeemed
//! a ticket for it. This is the only command by which clear media of a protected session leaves the
//! core, and nobody but a decoder can give it.
//!
//! The checks are those of `Decrypt`. What the decoder says of the units it got before is taken in
//! first, and stands whatever becomes of the rest.

use keybearer_license::{KeyId, LicenseId};
use keybearer_wire::body::{DecryptUnit, UnitDecrypted};

use crate::command::Outcome;
use crate::command::decrypt::{self, Batch, Receiver};
use crate::core::{Call, Core};
use crate::media::Media;
use crate::platform::Platform;
use crate::rejections::Report;
use crate::response::Response;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: DecryptUnit<'_>,
    media: &mut dyn Media,
) -> Outcome {
    let (session, track) = core.sessions.of_channel(call.client, request.channel)?;
    let report = Report {
        rejected: request.rejected,
        decoded: request.decoded,
    };
    session.hear(request.channel, report);
    call.now()?;
    let batch = Batch {
        key: KeyId(request.key_id),
        license: request.license.map(LicenseId),
        track: track.code(),
        scheme: request.scheme,
        iv_size: request.iv_size,
        constant_iv: request.constant_iv.as_ref().map(|iv| iv.0),
        crypt_blocks: request.crypt_blocks,
        skip_blocks: request.skip_blocks,
        duration_ms: request.duration_ms,
        samples: request.samples.0,
        subsamples: request.subsamples.0,
    };
    let channel = request.channel;
    let done = decrypt::decrypt(
        core,
        |sessions| Ok(sessions.of_channel(call.client, channel)?.0),
        &batch,
        Receiver::Decoder { channel },
        media,
    )?;
    Ok(Response::unit_decrypted(&UnitDecrypted {
        bytes: done.bytes,
        sequence: done.sequence,
        largest_picture: done.largest_picture.map(core::num::NonZeroU32::get),
    }))
}

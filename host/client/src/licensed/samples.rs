//! From a batch of a file to a call of the trusted side.

use keybearer_media::{Batch, PictureSize, TrackKind};
use keybearer_wire::limits::MAX_MEDIA_DURATION_MS;
use keybearer_wire::{SampleTableBuilder, SubsampleEntry};

use crate::{ClientError, TrackBatch, TrackType};

/// Lists the samples of a batch.
///
/// # Errors
/// [`ClientError::Refused`] for more than fits one call.
pub(crate) fn list(table: &mut SampleTableBuilder, batch: &Batch<'_>) -> Result<(), ClientError> {
    let full = |status| ClientError::Refused {
        during: "listing samples",
        status,
    };
    table.clear();
    for sample in batch.samples() {
        let subsamples = batch.subsamples(sample).iter();
        let subsamples = subsamples.map(|part| SubsampleEntry {
            clear: part.clear,
            protected: part.protected,
        });
        table
            .push(sample.iv.as_slice(), sample.size, subsamples)
            .map_err(full)?;
    }
    Ok(())
}

/// A sample cannot be split, and the trusted side looks at its rules at least every two seconds of
/// media: said here, where the sample can be named.
pub(super) fn refuse_long_sample(batch: &TrackBatch<'_>) -> Result<(), ClientError> {
    let duration_ms = batch.batch.duration_ms();
    let limit_ms = u64::from(MAX_MEDIA_DURATION_MS);
    if duration_ms <= limit_ms {
        return Ok(());
    }
    let fragment = batch.batch.fragment();
    let first = batch.batch.samples().first().map(|sample| sample.range());
    let before = fragment
        .samples()
        .iter()
        .take_while(|sample| Some(sample.range()) != first);
    Err(ClientError::SampleTooLong {
        track: batch.track.id,
        sample: before.count().saturating_add(1),
        decode_time: fragment.decode_time,
        timescale: fragment.timescale,
        duration_ms,
        limit_ms,
    })
}

/// What to call the track when asking for its decryption. A file knows sound from pictures, but not
/// what a service counts as high definition: there the key's own type is taken, and the trusted side
/// compares the picture size. Where the two contradict each other the file's word goes out and is
/// refused.
pub(crate) fn track_type(
    kind: TrackKind,
    picture: Option<PictureSize>,
    licensed: TrackType,
) -> TrackType {
    match (kind, licensed) {
        (TrackKind::Audio, _) => TrackType::Audio,
        (TrackKind::Other, _) => TrackType::Other,
        (TrackKind::Video, TrackType::Audio | TrackType::Other) => {
            match picture.map(|picture| u32::from(picture.width) * u32::from(picture.height)) {
                // Up to 1024 x 576, the largest standard-definition picture in use.
                Some(pixels) if pixels > 1024 * 576 => TrackType::Hd,
                _ => TrackType::Sd,
            }
        }
        (TrackKind::Video, video) => video,
    }
}

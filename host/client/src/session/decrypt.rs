//! What one call for decryption says.

use keybearer_media::{PictureSize, Protection};
use keybearer_wire::SampleTableBuilder;

use crate::{KeyId, LicenseId, TrackType};

/// One batch of samples to decrypt. Nothing of it is trusted: a wrong statement is refused, or gives
/// other bytes than the right ones, never more than the licence allows.
#[derive(Clone, Copy, Debug)]
pub struct DecryptCall<'a> {
    /// Key id.
    pub key_id: KeyId,
    /// Licence to use; `None`: the newest in which the key is usable.
    pub license: Option<LicenseId>,
    /// What the track is.
    pub track_type: TrackType,
    /// How the samples are protected.
    pub protection: &'a Protection,
    /// Milliseconds of media; at most [`keybearer_wire::limits::MAX_MEDIA_DURATION_MS`].
    pub duration_ms: u32,
    /// Picture size as the container states it.
    pub picture: Option<PictureSize>,
    /// Sizes, IVs and subsamples.
    pub samples: &'a SampleTableBuilder,
}

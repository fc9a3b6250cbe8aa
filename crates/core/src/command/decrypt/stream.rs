//! The media itself, piece by piece through one fixed buffer.

use keybearer_cenc::{CencError, ContentKey, SampleDecryptor};
use keybearer_wire::{SampleTable, Status};

use super::check::Protection;
use crate::media::{Media, MediaError};

/// Decrypts a checked table of samples.
///
/// # Errors
/// [`Status::Platform`] when the media cannot be reached.
pub(super) fn decrypt(
    key: &ContentKey,
    protection: &Protection,
    table: &SampleTable<'_>,
    scratch: &mut [u8],
    media: &mut dyn Media,
) -> Result<(), Status> {
    let mut stream = Stream {
        scratch,
        media,
        at: 0,
    };
    for (sample, subsamples) in table.iter() {
        let iv = protection.iv(&sample.iv);
        let mut decryptor = key
            .sample(protection.scheme, protection.pattern, iv)
            .map_err(impossible)?;
        if sample.subsamples == 0 {
            decryptor
                .whole(u64::from(sample.size))
                .map_err(impossible)?;
            stream.protected(sample.size, &mut decryptor)?;
            continue;
        }
        for entry in subsamples {
            stream.clear(entry.clear)?;
            decryptor
                .range(u64::from(entry.protected))
                .map_err(impossible)?;
            stream.protected(entry.protected, &mut decryptor)?;
        }
    }
    Ok(())
}

/// A place in the media.
struct Stream<'a> {
    scratch: &'a mut [u8],
    media: &'a mut dyn Media,
    at: usize,
}

impl Stream<'_> {
    /// Copies clear bytes.
    fn clear(&mut self, len: u32) -> Result<(), Status> {
        self.pieces(len, |_| Ok(()))
    }

    /// Decrypts protected bytes. All pieces but the last are whole blocks, as the buffer is.
    fn protected(&mut self, len: u32, sample: &mut SampleDecryptor<'_>) -> Result<(), Status> {
        self.pieces(len, |piece| sample.piece(piece).map_err(impossible))
    }

    fn pieces(
        &mut self,
        len: u32,
        mut each: impl FnMut(&mut [u8]) -> Result<(), Status>,
    ) -> Result<(), Status> {
        let mut left = usize::try_from(len).map_err(|_| Status::BadSampleTable)?;
        while left > 0 {
            let size = left.min(self.scratch.len());
            let (piece, _) = self.scratch.split_at_mut(size);
            self.media.read(self.at, piece).map_err(dead)?;
            each(piece)?;
            self.media.write(self.at, piece).map_err(dead)?;
            self.at = self.at.saturating_add(size);
            left = left.saturating_sub(size);
        }
        Ok(())
    }
}

/// The checks before the first byte rule these errors out.
fn impossible(_: CencError) -> Status {
    Status::BadSampleTable
}

fn dead(_: MediaError) -> Status {
    Status::Platform
}

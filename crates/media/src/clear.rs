//! Writes the clear file: what the reader gave, with every trace of protection taken out.
//!
//! `moov` and `moof` keep their sizes: what is removed from inside them (`sinf`, `pssh`, `senc`, ...)
//! comes back as one `free` box of zeros at their end. So nothing behind them moves, and everything that
//! counts bytes stays right without being touched or even understood: `trun` and `tfhd` offsets, `sidx`,
//! `mfra`, and byte ranges in manifests outside the file. It also means that a fragment can be written
//! before the next one has been read. `free` may stand in any box (ISO/IEC 14496-12 section 8.1.2) and
//! players skip it; `moof` is still followed by `mdat` at once, as CMAF wants. The price is the size of
//! the removed tables, two or three per cent of a file at low bit rates.

use std::io::{Read, Write};

use crate::boxes::{Boxes, Mp4Box, SHORT_HEADER};
use crate::layout::TrackFragmentHeader;
use crate::movie::{description_boxes, track_id};
use crate::protection::original_format;
use crate::sample_entry::{entry_children, is_protected_type};
use crate::{FourCc, Fragment, MediaError, MediaReader, Presentation, auxiliary, groups};

/// Writes a clear file to any [`Write`], in the order in which [`MediaReader`] gives its parts.
#[derive(Debug)]
pub struct ClearWriter<W> {
    output: W,
    protected: ProtectedTracks,
}

impl<W: Write> ClearWriter<W> {
    /// Starts the file: writes what the reader has read so far, up to and including `moov`, in clear.
    ///
    /// # Errors
    /// The output fails.
    pub fn start<R: Read>(output: W, reader: &MediaReader<R>) -> Result<Self, MediaError> {
        let mut writer = Self::resume(output, reader.presentation());
        writer.output.write_all(&clear_init(reader.init())?)?;
        Ok(writer)
    }

    /// Writes media segments whose initialisation segment is elsewhere (see [`clear_init`]).
    #[must_use]
    pub fn resume(output: W, presentation: &Presentation) -> Self {
        Self {
            output,
            protected: ProtectedTracks::of(presentation),
        }
    }

    /// Writes bytes that protection has nothing to do with.
    ///
    /// # Errors
    /// The output fails.
    pub fn write_other(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        Ok(self.output.write_all(bytes)?)
    }

    /// Writes a fragment whose samples have been decrypted in place.
    ///
    /// # Errors
    /// The output fails.
    pub fn write_fragment(&mut self, fragment: &Fragment) -> Result<(), MediaError> {
        let moof = Mp4Box::whole(&fragment.moof, fragment.offset)?;
        self.output.write_all(&self.protected.clear_moof(&moof)?)?;
        Ok(self.output.write_all(fragment.media())?)
    }

    /// Flushes the output and gives it back.
    ///
    /// # Errors
    /// The output fails.
    pub fn finish(mut self) -> Result<W, MediaError> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// The clear form of an initialisation segment: same length, `moov` without any protection.
///
/// # Errors
/// No `moov`, or anything that is wrong in it.
pub fn clear_init(init: &[u8]) -> Result<Vec<u8>, MediaError> {
    let protected = ProtectedTracks::of(&Presentation::parse(init)?);
    if protected.0.is_empty() {
        return Ok(init.to_vec());
    }
    let mut out = Vec::with_capacity(init.len());
    for found in Boxes::top_level(init, 0) {
        let found = found?;
        if found.kind == FourCc::MOOV {
            out.extend(protected.clear_moov(&found)?);
        } else {
            out.extend(found.bytes);
        }
    }
    Ok(out)
}

/// Numbers of the tracks that have protection. All others keep every byte.
#[derive(Debug)]
struct ProtectedTracks(Vec<u32>);

impl ProtectedTracks {
    fn of(presentation: &Presentation) -> Self {
        let tracks = presentation.tracks.iter();
        Self(
            tracks
                .filter(|track| track.protection().is_some())
                .map(|track| track.id)
                .collect(),
        )
    }

    fn clear_moov(&self, moov: &Mp4Box<'_>) -> Result<Vec<u8>, MediaError> {
        same_size(moov, |out, child| match child.kind {
            FourCc::PSSH => Ok(()),
            FourCc::TRAK if self.0.contains(&track_id(&child.required(FourCc::TKHD)?)?) => {
                rebuild(out, child, descend)
            }
            _ => keep(out, child),
        })
    }

    fn clear_moof(&self, moof: &Mp4Box<'_>) -> Result<Vec<u8>, MediaError> {
        same_size(moof, |out, child| match child.kind {
            FourCc::PSSH => Ok(()),
            FourCc::TRAF => {
                let tfhd = TrackFragmentHeader::parse(&child.required(FourCc::TFHD)?)?;
                if self.0.contains(&tfhd.track_id) {
                    rebuild(out, child, keep_unless_protection)
                } else {
                    keep(out, child)
                }
            }
            _ => keep(out, child),
        })
    }
}

/// From `trak` down to the sample descriptions.
fn descend(out: &mut Vec<u8>, found: &Mp4Box<'_>) -> Result<(), MediaError> {
    match found.kind {
        FourCc::MDIA | FourCc::MINF => rebuild(out, found, descend),
        FourCc::STBL => rebuild(out, found, |out, child| match child.kind {
            FourCc::STSD => descriptions(out, child),
            _ => keep_unless_protection(out, child),
        }),
        _ => keep(out, found),
    }
}

fn descriptions(out: &mut Vec<u8>, stsd: &Mp4Box<'_>) -> Result<(), MediaError> {
    let (_, entries) = description_boxes(stsd)?;
    let fields = stsd.payload.len().saturating_sub(entries.rest().len());
    resized(out, stsd, |out| {
        out.extend(stsd.payload.get(..fields).unwrap_or_default());
        for entry in entries {
            let entry = entry?;
            if is_protected_type(entry.kind) {
                clear_entry(out, &entry)?
            } else {
                keep(out, &entry)?
            }
        }
        Ok(())
    })
}

/// The sample entry under its original name and without `sinf`.
fn clear_entry(out: &mut Vec<u8>, entry: &Mp4Box<'_>) -> Result<(), MediaError> {
    let start = out.len();
    let mut original = None;
    resized(out, entry, |out| {
        let (fields, mut children) = entry_children(entry)?;
        out.extend(fields);
        for child in children.by_ref() {
            let child = child?;
            if child.kind == FourCc::SINF {
                original = Some(original_format(&child.required(FourCc::FRMA)?)?);
            } else {
                keep(out, &child)?;
            }
        }
        out.extend(children.rest());
        Ok(())
    })?;
    let original = original.ok_or_else(|| entry.missing(FourCc::SINF))?;
    if let Some(place) = out.get_mut(start..).and_then(|entry| entry.get_mut(4..8)) {
        place.copy_from_slice(&original.0);
    }
    Ok(())
}

fn keep(out: &mut Vec<u8>, found: &Mp4Box<'_>) -> Result<(), MediaError> {
    out.extend(found.bytes);
    Ok(())
}

fn keep_unless_protection(out: &mut Vec<u8>, found: &Mp4Box<'_>) -> Result<(), MediaError> {
    let protection = match found.kind {
        FourCc::SENC => true,
        FourCc::SAIZ | FourCc::SAIO => auxiliary::is_protection_info(found)?,
        _ => groups::is_key_group(found)?,
    };
    if protection { Ok(()) } else { keep(out, found) }
}

/// Copies a container, `child` writing (or leaving out) each box in it.
fn rebuild(
    out: &mut Vec<u8>,
    source: &Mp4Box<'_>,
    mut child: impl FnMut(&mut Vec<u8>, &Mp4Box<'_>) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    resized(out, source, |out| {
        for found in source.children() {
            child(out, &found?)?;
        }
        Ok(())
    })
}

/// Like [`rebuild`], with what was left out made up for by a `free` box at the end.
fn same_size(
    source: &Mp4Box<'_>,
    child: impl FnMut(&mut Vec<u8>, &Mp4Box<'_>) -> Result<(), MediaError>,
) -> Result<Vec<u8>, MediaError> {
    let mut out = Vec::with_capacity(source.bytes.len());
    rebuild(&mut out, source, child)?;
    // Whole boxes are left out, so this is nothing or at least a header.
    let removed = source.bytes.len().saturating_sub(out.len());
    if removed >= SHORT_HEADER {
        // `moov` and `moof` are bounded by limits far below 32 bits of size.
        out.extend(u32::try_from(removed).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(FourCc::FREE.0);
        out.resize(source.bytes.len(), 0);
    }
    if let Some(header) = out.get_mut(..source.header().len()) {
        header.copy_from_slice(source.header());
    }
    Ok(out)
}

/// Writes a box with the header form of `source` and the size that `payload` comes to.
fn resized(
    out: &mut Vec<u8>,
    source: &Mp4Box<'_>,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let start = out.len();
    out.extend(source.header());
    payload(out)?;
    let size = out.len().saturating_sub(start);
    let place = out.get_mut(start..).unwrap_or_default();
    if source.header().len() == SHORT_HEADER {
        // Not larger than `source`, whose size is in 32 bits.
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        if let Some(field) = place.first_chunk_mut() {
            *field = size.to_be_bytes();
        }
    } else if let Some(field) = place.get_mut(8..16) {
        field.copy_from_slice(&crate::cursor::to_u64(size).to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests;

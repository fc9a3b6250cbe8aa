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

use crate::boxes::{Boxes, Mp4Box};
use crate::layout::TrackFragmentHeader;
use crate::movie::{description_boxes, track_id};
use crate::rewrite::Rewrite;
use crate::sample_entry::{entry_children, is_protected_type, protection_of};
use crate::{FourCc, Fragment, MediaError, MediaReader, Presentation, auxiliary, groups};

/// Writes a clear file to any [`Write`], in the order in which [`MediaReader`] gives its parts.
#[derive(Debug)]
pub struct ClearWriter<W> {
    output: W,
    protected: ProtectedTracks,
}

impl<W: Write> ClearWriter<W> {
    /// Starts the file: writes what comes before the first part that the reader gives, in clear. That is
    /// everything up to and including `moov`, unless `moov` is behind the media data.
    ///
    /// # Errors
    /// The output fails.
    pub fn start<R: Read>(output: W, reader: &MediaReader<R>) -> Result<Self, MediaError> {
        let mut writer = Self::resume(output, reader.presentation());
        write_clear(&writer.protected, reader.head(), &mut writer.output)?;
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
        // A piece of a progressive file has none.
        if !fragment.moof.is_empty() {
            let moof = Mp4Box::whole(&fragment.moof, fragment.offset)?;
            let clear = self.protected.clear_moof(&moof)?;
            clear.write(&fragment.moof, &mut self.output)?;
        }
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
    let mut out = Vec::with_capacity(init.len());
    write_clear(&protected, init, &mut out)?;
    Ok(out)
}

/// Writes whole boxes, `moov` in its clear form.
fn write_clear(
    protected: &ProtectedTracks,
    boxes: &[u8],
    output: &mut impl Write,
) -> Result<(), MediaError> {
    for found in Boxes::top_level(boxes, 0) {
        let found = found?;
        if found.kind == FourCc::MOOV {
            protected.clear_moov(&found)?.write(found.bytes, output)?;
        } else {
            output.write_all(found.bytes)?;
        }
    }
    Ok(())
}

/// The clear form of a `moov`, whose bytes these are.
pub(crate) fn clear_moov(moov: &[u8], presentation: &Presentation) -> Result<Rewrite, MediaError> {
    ProtectedTracks::of(presentation).clear_moov(&Mp4Box::whole(moov, 0)?)
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

    fn clear_moov(&self, moov: &Mp4Box<'_>) -> Result<Rewrite, MediaError> {
        let mut out = Rewrite::new(moov.offset);
        if self.0.is_empty() {
            out.keep(moov);
            return Ok(out);
        }
        out.same_size(moov, |out, child| match child.kind {
            FourCc::PSSH => Ok(()),
            FourCc::TRAK if self.0.contains(&track_id(&child.required(FourCc::TKHD)?)?) => {
                out.container(child, descend)
            }
            _ => keep(out, child),
        })?;
        Ok(out)
    }

    fn clear_moof(&self, moof: &Mp4Box<'_>) -> Result<Rewrite, MediaError> {
        let mut out = Rewrite::new(moof.offset);
        out.same_size(moof, |out, child| match child.kind {
            FourCc::PSSH => Ok(()),
            FourCc::TRAF => {
                let tfhd = TrackFragmentHeader::parse(&child.required(FourCc::TFHD)?)?;
                if self.0.contains(&tfhd.track_id) {
                    out.container(child, keep_unless_protection)
                } else {
                    keep(out, child)
                }
            }
            _ => keep(out, child),
        })?;
        Ok(out)
    }
}

/// From `trak` down to the sample descriptions.
fn descend(out: &mut Rewrite, found: &Mp4Box<'_>) -> Result<(), MediaError> {
    match found.kind {
        FourCc::MDIA | FourCc::MINF => out.container(found, descend),
        FourCc::STBL => out.container(found, |out, child| match child.kind {
            FourCc::STSD => descriptions(out, child),
            _ => keep_unless_protection(out, child),
        }),
        _ => keep_unless_protection(out, found),
    }
}

fn descriptions(out: &mut Rewrite, stsd: &Mp4Box<'_>) -> Result<(), MediaError> {
    let (_, entries) = description_boxes(stsd)?;
    let behind = entries.rest().len();
    let fields = stsd.payload.len().saturating_sub(behind);
    out.resized(stsd, |out| {
        out.keep_part(stsd, stsd.payload.get(..fields).unwrap_or_default(), behind);
        for entry in entries {
            let entry = entry?;
            if is_protected_type(entry.kind) {
                clear_entry(out, &entry)?;
            } else {
                keep(out, &entry)?;
            }
        }
        Ok(None)
    })
}

/// The sample entry under its original name and without `sinf`.
fn clear_entry(out: &mut Rewrite, entry: &Mp4Box<'_>) -> Result<(), MediaError> {
    out.resized(entry, |out| {
        let (fields, mut children) = entry_children(entry)?;
        out.keep_part(entry, fields, children.rest().len());
        for child in children.by_ref() {
            let child = child?;
            if child.kind != FourCc::SINF {
                keep(out, &child)?;
            }
        }
        out.keep_part(entry, children.rest(), 0);
        Ok(Some(protection_of(entry)?.original))
    })
}

fn keep(out: &mut Rewrite, found: &Mp4Box<'_>) -> Result<(), MediaError> {
    out.keep(found);
    Ok(())
}

fn keep_unless_protection(out: &mut Rewrite, found: &Mp4Box<'_>) -> Result<(), MediaError> {
    let protection = match found.kind {
        FourCc::SENC => true,
        FourCc::SAIZ | FourCc::SAIO => auxiliary::is_protection_info(found)?,
        _ => groups::is_key_group(found)?,
    };
    if protection { Ok(()) } else { keep(out, found) }
}

#[cfg(test)]
mod tests;

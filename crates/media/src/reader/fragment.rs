//! Reads a fragment: up to its media, which may then be handed out in pieces, and the rest of it.

use std::io::Read;

use super::{MediaReader, Next};
use crate::cursor::to_u64;
use crate::input::RawHeader;
use crate::limits::{MAX_FRAGMENT_BYTES, MAX_MOOF_BYTES};
use crate::{FourCc, MediaError};

impl<R: Read> MediaReader<R> {
    /// Reads from a `moof` on to the header of its `mdat`.
    pub(super) fn begin_fragment(&mut self, moof: &RawHeader) -> Result<(), MediaError> {
        self.division = None;
        let fragment = &mut self.fragment;
        fragment.start(moof.offset);
        self.input
            .append_box(&mut fragment.moof, moof, MAX_MOOF_BYTES)?;
        let limit = MAX_FRAGMENT_BYTES.saturating_sub(to_u64(fragment.moof.len()));
        loop {
            let Some(raw) = self.input.header()? else {
                self.next = Next::Fragment(None);
                return Ok(());
            };
            match raw.header.kind {
                // All but the first start something new: the fragment has no media data.
                FourCc::MDAT
                | FourCc::MOOF
                | FourCc::MOOV
                | FourCc::STYP
                | FourCc::SIDX
                | FourCc::MFRA => {
                    self.next = Next::Fragment(Some(raw));
                    return self.divide(&raw);
                }
                _ => self.input.append_media(&mut fragment.media, &raw, limit)?,
            }
        }
    }

    /// Reads the rest of a fragment, and its tables. `raw` is the header that its reading stopped at.
    pub(super) fn end_fragment(&mut self, raw: Option<RawHeader>) -> Result<(), MediaError> {
        let fragment = &mut self.fragment;
        self.next = Next::Box;
        match raw {
            Some(raw) if raw.header.kind == FourCc::MDAT => {
                let limit = MAX_FRAGMENT_BYTES.saturating_sub(to_u64(fragment.moof.len()));
                let start = fragment.media.len().saturating_add(raw.header.header);
                self.input.append_media(&mut fragment.media, &raw, limit)?;
                fragment.payload = start..fragment.media.len();
            }
            Some(raw) => self.next = Next::Header(raw),
            None => {}
        }
        fragment.media_size = fragment.media.len();
        fragment.index(&self.presentation)
    }
}

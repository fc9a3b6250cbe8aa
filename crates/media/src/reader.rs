//! Reads a file or a stream from front to back, one fragment in memory at a time.

use std::io::{Read, Seek};
use std::sync::Arc;

use crate::boxes::{BoxSize, Mp4Box};
use crate::cursor::to_u64;
use crate::input::{Input, RawHeader};
use crate::limits::{MAX_FRAGMENT_BYTES, MAX_INIT_BYTES, MAX_MOOF_BYTES};
use crate::{FourCc, Fragment, FragmentMemory, MediaError, Presentation, Unsupported};

/// Pieces in which boxes are passed on that are of no interest here.
const PIECE_BYTES: u64 = 64 << 10;

/// A piece of the input, in order.
#[derive(Debug)]
pub enum Part<'a> {
    /// Bytes to be passed on as they are: whole boxes or pieces of them.
    Other(&'a [u8]),
    /// A fragment with its samples.
    Fragment(&'a mut Fragment),
}

/// Reads ISO base media from any [`Read`]; it should not be buffered (reads are large).
#[derive(Debug)]
pub struct MediaReader<R> {
    input: Input<R>,
    init: Vec<u8>,
    presentation: Arc<Presentation>,
    fragment: Fragment,
    piece: Vec<u8>,
    next: Next,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// A box of which nothing was read.
    Box,
    /// A box of which the header was read.
    Header(RawHeader),
    /// What is left of a box that is being passed on.
    Passing(Passing),
    /// The rest of a fragment, from this header on: of its `mdat`, or of the box behind it.
    Fragment(Option<RawHeader>),
}

/// A box on its way through.
#[derive(Clone, Copy, Debug)]
struct Passing {
    kind: FourCc,
    offset: u64,
    left: BoxSize,
}

impl<R: Read + Seek> MediaReader<R> {
    /// Like [`Self::open`], for an input that can seek: a fragment of it can be read again
    /// ([`Self::reread`]).
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn open_seekable(input: R) -> Result<Self, MediaError> {
        Self::open_input(Input::seekable(input))
    }
}

impl<R: Read> MediaReader<R> {
    /// Reads up to and including `moov`.
    ///
    /// # Errors
    /// The input fails, has no `moov` before its media data, or one that is wrong.
    pub fn open(input: R) -> Result<Self, MediaError> {
        Self::open_input(Input::new(input))
    }

    fn open_input(mut input: Input<R>) -> Result<Self, MediaError> {
        let mut init = Vec::new();
        loop {
            let Some(raw) = input.header()? else {
                let (kind, parent) = (FourCc::MOOV, FourCc::FILE);
                return Err(MediaError::Missing {
                    kind,
                    parent,
                    offset: 0,
                });
            };
            let (kind, offset) = (raw.header.kind, raw.offset);
            match kind {
                FourCc::MDAT => {
                    let what = Unsupported::ProgressiveFile;
                    return Err(MediaError::Unsupported { what, offset });
                }
                FourCc::MOOF => {
                    let (kind, parent) = (FourCc::MOOV, FourCc::FILE);
                    return Err(MediaError::Missing {
                        kind,
                        parent,
                        offset,
                    });
                }
                _ => {}
            }
            let start = init.len();
            input.append_box(&mut init, &raw, MAX_INIT_BYTES)?;
            if kind == FourCc::MOOV {
                let moov = Mp4Box::whole(init.get(start..).unwrap_or_default(), offset)?;
                let presentation = Presentation::from_moov(&moov)?;
                return Ok(Self::new(input, init, presentation));
            }
        }
    }

    /// Reads media segments of a presentation whose initialisation segment came separately.
    pub fn resume(input: R, presentation: Presentation) -> Self {
        Self::new(Input::new(input), Vec::new(), presentation)
    }

    fn new(input: Input<R>, init: Vec<u8>, presentation: Presentation) -> Self {
        Self {
            input,
            init,
            presentation: Arc::new(presentation),
            fragment: Fragment::default(),
            piece: Vec::new(),
            next: Next::Box,
        }
    }

    /// What the movie header says.
    pub fn presentation(&self) -> &Presentation {
        &self.presentation
    }

    /// What the movie header says, to keep while the reader goes on.
    pub fn shared_presentation(&self) -> Arc<Presentation> {
        Arc::clone(&self.presentation)
    }

    /// Lets go of the bytes of [`Self::init`] once they are written: they may be megabytes.
    pub fn forget_init(&mut self) {
        self.init = Vec::new();
    }

    /// The bytes up to and including `moov`, as they were read; empty after [`Self::resume`] and
    /// [`Self::forget_init`].
    pub fn init(&self) -> &[u8] {
        &self.init
    }

    /// Bytes read so far, for showing progress.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Puts media data into another memory from now on, beginning with the next part. Those of the
    /// fragment that [`Self::next_part`] gave last are gone, unless they are read again.
    ///
    /// # Errors
    /// [`MediaError::OutOfMemory`] when it cannot grow as is needed.
    pub fn set_memory(&mut self, memory: Box<dyn FragmentMemory>) -> Result<(), MediaError> {
        let fragment = &mut self.fragment;
        if !matches!(self.next, Next::Fragment(_)) {
            fragment.media.clear();
        }
        let bytes = to_u64(fragment.media.len());
        let out_of_memory = MediaError::OutOfMemory {
            kind: FourCc::MOOF,
            offset: fragment.offset,
            bytes,
        };
        fragment.media.move_to(memory).map_err(|_| out_of_memory)
    }

    /// How many bytes of memory the next part will need, where it is a fragment and that many bytes are
    /// sure to be there: a good moment for [`Self::set_memory`]. `None` for any other part, and where
    /// the input cannot tell its length.
    ///
    /// # Errors
    /// See [`Self::next_part`].
    pub fn needed_memory(&mut self) -> Result<Option<usize>, MediaError> {
        if let Some(header) = self.next_header()? {
            self.next = Next::Header(header);
            if self.starts_fragment(&header) {
                self.begin_fragment(&header)?;
            }
        }
        let Next::Fragment(Some(mdat)) = &self.next else {
            return Ok(None);
        };
        let BoxSize::Bytes(size) = mdat.payload() else {
            return Ok(None);
        };
        if mdat.header.kind != FourCc::MDAT || size > MAX_FRAGMENT_BYTES || !self.input.holds(size)
        {
            return Ok(None);
        }
        let more = usize::try_from(size).ok();
        let before = self.fragment.media.len().saturating_add(mdat.header.header);
        Ok(more.and_then(|more| more.checked_add(before)))
    }

    /// The next piece, or `None` at the end. If no track is protected there are no fragments to be
    /// decrypted, and everything comes as [`Part::Other`].
    ///
    /// # Errors
    /// The input fails or is wrong. Nothing sensible follows then.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>, MediaError> {
        self.piece.clear();
        if let Some(raw) = self.next_header()? {
            if self.starts_fragment(&raw) {
                self.begin_fragment(&raw)?;
            } else if raw.header.kind == FourCc::MOOV && self.presentation.is_protected() {
                let (what, offset) = (Unsupported::SecondMovie, raw.offset);
                return Err(MediaError::Unsupported { what, offset });
            } else {
                self.piece.extend(raw.bytes());
                self.next = Next::Passing(Passing {
                    kind: raw.header.kind,
                    offset: raw.offset,
                    left: raw.payload(),
                });
            }
        }
        match self.next {
            Next::Fragment(mdat) => {
                self.end_fragment(mdat)?;
                Ok(Some(Part::Fragment(&mut self.fragment)))
            }
            Next::Passing(passing) => {
                self.pass(passing)?;
                Ok(Some(Part::Other(&self.piece)))
            }
            // No header at the beginning of a box: the end of the input.
            Next::Box | Next::Header(_) => Ok(None),
        }
    }

    /// The fragment that [`Self::next_part`] gave last.
    pub fn fragment(&mut self) -> &mut Fragment {
        &mut self.fragment
    }

    /// Whether [`Self::reread`] can be used: the input can seek.
    pub fn can_reread(&self) -> bool {
        self.input.can_seek()
    }

    /// Reads the media data of the fragment that [`Self::next_part`] gave last once more, over whatever
    /// has become of them.
    ///
    /// # Errors
    /// The input cannot seek, fails, or is not any more what it was.
    pub fn reread(&mut self) -> Result<(), MediaError> {
        let (fragment, position) = (&mut self.fragment, self.input.position());
        let start = fragment.offset.saturating_add(to_u64(fragment.moof.len()));
        let size = to_u64(fragment.media_size);
        fragment.media.clear();
        self.input.go_to(start)?;
        self.input
            .fill(&mut fragment.media, size, FourCc::MDAT, start)?;
        self.input.go_to(position)?;
        fragment.index(&self.presentation)
    }

    /// The header of the next box, if nothing else comes first.
    fn next_header(&mut self) -> Result<Option<RawHeader>, MediaError> {
        match self.next {
            Next::Box => self.input.header(),
            Next::Header(raw) => Ok(Some(raw)),
            Next::Passing(_) | Next::Fragment(_) => Ok(None),
        }
    }

    fn starts_fragment(&self, raw: &RawHeader) -> bool {
        raw.header.kind == FourCc::MOOF && self.presentation.is_protected()
    }

    /// Adds the next piece of a box to `self.piece`.
    fn pass(&mut self, passing: Passing) -> Result<(), MediaError> {
        let Passing { kind, offset, left } = passing;
        let left = match left {
            BoxSize::Bytes(left) => {
                let now = left.min(PIECE_BYTES);
                self.input.append(&mut self.piece, now, kind, offset)?;
                BoxSize::Bytes(left.saturating_sub(now))
            }
            BoxSize::ToEndOfFile => {
                let now = self.input.append_some(&mut self.piece, PIECE_BYTES)?;
                if now < PIECE_BYTES {
                    BoxSize::Bytes(0)
                } else {
                    BoxSize::ToEndOfFile
                }
            }
        };
        self.next = match left {
            BoxSize::Bytes(0) => Next::Box,
            left => Next::Passing(Passing { kind, offset, left }),
        };
        Ok(())
    }

    /// Reads from a `moof` on to the header of its `mdat`.
    fn begin_fragment(&mut self, moof: &RawHeader) -> Result<(), MediaError> {
        let fragment = &mut self.fragment;
        fragment.moof.clear();
        fragment.media.clear();
        fragment.offset = moof.offset;
        fragment.payload = 0..0;
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
                    return Ok(());
                }
                _ => self.input.append_media(&mut fragment.media, &raw, limit)?,
            }
        }
    }

    /// Reads the rest of a fragment, and its tables. `raw` is the header that its reading stopped at.
    fn end_fragment(&mut self, raw: Option<RawHeader>) -> Result<(), MediaError> {
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

#[cfg(test)]
mod tests;

//! Reads a file or a stream from front to back, one fragment in memory at a time.

use std::io::Read;
use std::sync::Arc;

use crate::boxes::{BoxHeader, BoxSize, LONG_HEADER, Mp4Box, SHORT_HEADER};
use crate::cursor::to_u64;
use crate::limits::{MAX_FRAGMENT_BYTES, MAX_INIT_BYTES, MAX_MOOF_BYTES};
use crate::{FourCc, Fragment, MediaError, Presentation, Unsupported};

/// Memory is asked for in steps of at least this size, and never more than has arrived already.
const STEP_BYTES: u64 = 1 << 20;
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

/// Reads ISO base media from any [`Read`]; it need not seek and should not be buffered (reads are large).
#[derive(Debug)]
pub struct MediaReader<R> {
    input: Input<R>,
    init: Vec<u8>,
    presentation: Arc<Presentation>,
    fragment: Fragment,
    piece: Vec<u8>,
    /// Header that has been read, of a box that has not.
    pending: Option<RawHeader>,
    /// What is left of the box that is being passed on.
    passing: Option<Passing>,
}

/// A box on its way through.
#[derive(Clone, Copy, Debug)]
struct Passing {
    kind: FourCc,
    offset: u64,
    left: BoxSize,
}

impl<R: Read> MediaReader<R> {
    /// Reads up to and including `moov`.
    ///
    /// # Errors
    /// The input fails, has no `moov` before its media data, or one that is wrong.
    pub fn open(input: R) -> Result<Self, MediaError> {
        let mut input = Input {
            source: input,
            position: 0,
        };
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
        Self::new(
            Input {
                source: input,
                position: 0,
            },
            Vec::new(),
            presentation,
        )
    }

    fn new(input: Input<R>, init: Vec<u8>, presentation: Presentation) -> Self {
        Self {
            input,
            init,
            presentation: Arc::new(presentation),
            fragment: Fragment::default(),
            piece: Vec::new(),
            pending: None,
            passing: None,
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
        self.input.position
    }

    /// The next piece, or `None` at the end. If no track is protected there are no fragments to be
    /// decrypted, and everything comes as [`Part::Other`].
    ///
    /// # Errors
    /// The input fails or is wrong. Nothing sensible follows then.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>, MediaError> {
        self.piece.clear();
        let passing = match self.passing.take() {
            Some(passing) => passing,
            None => {
                let raw = match self.pending.take() {
                    Some(raw) => Some(raw),
                    None => self.input.header()?,
                };
                let Some(raw) = raw else { return Ok(None) };
                let protected = self.presentation.is_protected();
                match raw.header.kind {
                    FourCc::MOOF if protected => return self.read_fragment(&raw).map(Some),
                    FourCc::MOOV if protected => {
                        let (what, offset) = (Unsupported::SecondMovie, raw.offset);
                        return Err(MediaError::Unsupported { what, offset });
                    }
                    _ => {}
                }
                self.piece.extend(raw.bytes());
                Passing {
                    kind: raw.header.kind,
                    offset: raw.offset,
                    left: raw.payload(),
                }
            }
        };
        self.pass(passing)?;
        Ok(Some(Part::Other(&self.piece)))
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
        self.passing = (left != BoxSize::Bytes(0)).then_some(Passing { kind, offset, left });
        Ok(())
    }

    /// Reads from a `moof` on to the end of its `mdat`.
    fn read_fragment(&mut self, moof: &RawHeader) -> Result<Part<'_>, MediaError> {
        let fragment = &mut self.fragment;
        fragment.buffer.clear();
        fragment.offset = moof.offset;
        self.input
            .append_box(&mut fragment.buffer, moof, MAX_MOOF_BYTES)?;
        fragment.moof = fragment.buffer.len();
        fragment.payload = fragment.moof..fragment.moof;
        while let Some(raw) = self.input.header()? {
            // Boxes that start something new: the fragment has no media data.
            if matches!(
                raw.header.kind,
                FourCc::MOOF | FourCc::MOOV | FourCc::STYP | FourCc::SIDX | FourCc::MFRA
            ) {
                self.pending = Some(raw);
                break;
            }
            let start = fragment.buffer.len().saturating_add(raw.header.header);
            self.input
                .append_box(&mut fragment.buffer, &raw, MAX_FRAGMENT_BYTES)?;
            if raw.header.kind == FourCc::MDAT {
                fragment.payload = start..fragment.buffer.len();
                break;
            }
        }
        fragment.index(&self.presentation)?;
        Ok(Part::Fragment(fragment))
    }
}

/// The header of a box, parsed and as bytes.
#[derive(Clone, Copy, Debug)]
struct RawHeader {
    header: BoxHeader,
    offset: u64,
    raw: [u8; LONG_HEADER],
}

impl RawHeader {
    fn bytes(&self) -> &[u8] {
        self.raw.get(..self.header.header).unwrap_or(&self.raw)
    }

    /// Size without the header.
    fn payload(&self) -> BoxSize {
        match self.header.size {
            BoxSize::Bytes(size) => BoxSize::Bytes(size.saturating_sub(to_u64(self.header.header))),
            BoxSize::ToEndOfFile => BoxSize::ToEndOfFile,
        }
    }
}

/// The input with its position.
#[derive(Debug)]
struct Input<R> {
    source: R,
    position: u64,
}

impl<R: Read> Input<R> {
    /// Reads a box header; `None` at the end of the input.
    fn header(&mut self) -> Result<Option<RawHeader>, MediaError> {
        let offset = self.position;
        let mut bytes = Vec::with_capacity(LONG_HEADER);
        self.append_some(&mut bytes, to_u64(SHORT_HEADER))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes
            .first_chunk()
            .is_some_and(|first| BoxHeader::is_long(*first))
        {
            self.append_some(&mut bytes, to_u64(LONG_HEADER - SHORT_HEADER))?;
        }
        let header = BoxHeader::parse(&bytes, offset)?;
        let mut raw = [0; LONG_HEADER];
        raw.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        Ok(Some(RawHeader {
            header,
            offset,
            raw,
        }))
    }

    /// Appends a box, header and all, if `buffer` does not grow over `limit` bytes by it.
    fn append_box(
        &mut self,
        buffer: &mut Vec<u8>,
        raw: &RawHeader,
        limit: u64,
    ) -> Result<(), MediaError> {
        let (kind, offset) = (raw.header.kind, raw.offset);
        let room = limit.saturating_sub(to_u64(buffer.len()));
        let too_large = |found: u64| MediaError::TooLarge {
            kind,
            offset,
            field: "size, with the boxes it belongs to,",
            found: found.saturating_add(limit.saturating_sub(room)),
            limit,
        };
        buffer.extend(raw.bytes());
        match (raw.header.size, raw.payload()) {
            (BoxSize::Bytes(size), _) if size > room => Err(too_large(size)),
            (_, BoxSize::Bytes(size)) => self.append(buffer, size, kind, offset),
            (_, BoxSize::ToEndOfFile) => loop {
                let got = self.append_some(buffer, STEP_BYTES)?;
                if to_u64(buffer.len()) > limit {
                    return Err(too_large(to_u64(buffer.len())));
                }
                if got < STEP_BYTES {
                    return Ok(());
                }
            },
        }
    }

    /// Appends exactly `count` bytes of a box. Memory follows the bytes that arrive: the box's word for
    /// its size allocates nothing beyond one step.
    fn append(
        &mut self,
        buffer: &mut Vec<u8>,
        count: u64,
        kind: FourCc,
        offset: u64,
    ) -> Result<(), MediaError> {
        let mut left = count;
        while left > 0 {
            let step = left.min(STEP_BYTES.max(to_u64(buffer.len())));
            let out_of_memory = MediaError::OutOfMemory {
                kind,
                offset,
                bytes: step,
            };
            if usize::try_from(step).map(|step| buffer.try_reserve_exact(step)) != Ok(Ok(())) {
                return Err(out_of_memory);
            }
            let got = self.append_some(buffer, step)?;
            if got < step {
                let available = self.position.saturating_sub(offset);
                let needed = available.saturating_add(left.saturating_sub(got));
                return Err(MediaError::Truncated {
                    kind,
                    offset,
                    needed,
                    available,
                });
            }
            left = left.saturating_sub(got);
        }
        Ok(())
    }

    /// Appends up to `count` bytes, fewer only at the end of the input.
    fn append_some(&mut self, buffer: &mut Vec<u8>, count: u64) -> Result<u64, MediaError> {
        let got = to_u64(self.source.by_ref().take(count).read_to_end(buffer)?);
        self.position = self.position.saturating_add(got);
        Ok(got)
    }
}

#[cfg(test)]
mod tests;

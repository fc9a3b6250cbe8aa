//! Reads a file or a stream from front to back, one fragment in memory at a time.

mod divide;
mod fragment;
mod open;

use std::io::Read;
use std::sync::Arc;

use crate::boxes::BoxSize;
use crate::cursor::to_u64;
use crate::division::Division;
use crate::input::{Input, RawHeader};
use crate::limits::MAX_FRAGMENT_BYTES;
use crate::memory::PAGE;
use crate::progressive::Progressive;
use crate::rewrite::Rewrite;
use crate::{
    Expected, FourCc, Fragment, FragmentMemory, MediaError, Presentation, Unsupported, clear,
};

/// Pieces in which boxes are passed on that are of no interest here.
const PIECE_BYTES: u64 = 64 << 10;

/// Where samples listed in `moov` must be.
const IN_MDAT: Expected = Expected::Words("inside 'mdat'");

/// A piece of the input, in order.
#[derive(Debug)]
pub enum Part<'a> {
    /// Bytes to be passed on as they are: whole boxes or pieces of them.
    Other(&'a [u8]),
    /// A fragment with its samples, or a piece of a progressive file with those in it.
    Fragment(&'a mut Fragment),
}

/// Reads ISO base media from any [`Read`]; it should not be buffered (reads are large).
#[derive(Debug)]
pub struct MediaReader<R> {
    input: Input<R>,
    /// All of `moov`, behind the boxes that come before the first media data.
    init: Vec<u8>,
    movie: Movie,
    /// The clear form of a `moov` behind the media data, and how much of it was passed on.
    clear_moov: Option<(Rewrite, usize)>,
    /// Samples listed in `moov`.
    progressive: Option<Progressive>,
    presentation: Arc<Presentation>,
    fragment: Fragment,
    /// What is to come of the fragment, where that comes in pieces.
    division: Option<Division>,
    /// Bytes of which a fragment comes in pieces.
    divide_from: usize,
    piece: Vec<u8>,
    next: Next,
}

/// Where `moov` is.
#[derive(Clone, Copy, Debug, Default)]
struct Movie {
    /// In `init`.
    start: usize,
    /// In the file, if it is behind media data.
    behind: Option<u64>,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// A box of which nothing was read.
    Box,
    /// A box of which the header was read.
    Header(RawHeader),
    /// What is left of the clear form of `moov`.
    Movie,
    /// What is left of a box that is being passed on.
    Passing(Passing),
    /// A piece of a progressive file whose bytes are not there yet, in this box.
    Piece(Passing),
    /// The rest of a fragment, from this header on: of its `mdat`, or of the box behind it.
    Fragment(Option<RawHeader>),
    /// The next piece of a fragment with this `mdat`.
    Divided(RawHeader),
    /// The same, its samples known and its bytes not there yet.
    Part(RawHeader),
}

/// A box on its way through.
#[derive(Clone, Copy, Debug)]
struct Passing {
    kind: FourCc,
    offset: u64,
    left: BoxSize,
}

impl Passing {
    /// Where the box ends in the file; as far as can be where it goes to the end of that.
    fn end(&self, position: u64) -> u64 {
        match self.left {
            BoxSize::Bytes(left) => position.saturating_add(left),
            BoxSize::ToEndOfFile => u64::MAX,
        }
    }
}

impl<R: Read> MediaReader<R> {
    /// Reads media segments of a presentation whose initialisation segment came separately.
    pub fn resume(input: R, presentation: Presentation) -> Self {
        Self::new(Input::new(input), Vec::new(), presentation)
    }

    fn new(input: Input<R>, init: Vec<u8>, presentation: Presentation) -> Self {
        Self {
            input,
            init,
            movie: Movie::default(),
            clear_moov: None,
            progressive: None,
            presentation: Arc::new(presentation),
            fragment: Fragment::default(),
            division: None,
            divide_from: usize::MAX,
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

    /// Lets go of the bytes of [`Self::init`] once they are written: they may be megabytes. Of a file
    /// whose samples are listed in `moov` they stay, since they are needed.
    pub fn forget_init(&mut self) {
        if self.progressive.is_none() && self.movie.behind.is_none() {
            self.init = Vec::new();
        }
    }

    /// The boxes before the media data, and `moov`, as they were read; empty after [`Self::resume`] and
    /// [`Self::forget_init`].
    pub fn init(&self) -> &[u8] {
        &self.init
    }

    /// What has been read of the file and will not come as a part: [`Self::init`], but for a `moov` behind
    /// the media data.
    pub(crate) fn head(&self) -> &[u8] {
        match self.movie.behind {
            Some(_) => self.init.get(..self.movie.start).unwrap_or_default(),
            None => &self.init,
        }
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
        if !matches!(self.next, Next::Fragment(_) | Next::Part(_)) {
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

    /// How many bytes of memory the next part will need, a page to choose their place in among them, where
    /// it is a fragment and all of it is sure to be there: a good moment for [`Self::set_memory`]. `None`
    /// for any other part, and where the input cannot tell its length.
    ///
    /// # Errors
    /// See [`Self::next_part`].
    pub fn needed_memory(&mut self) -> Result<Option<usize>, MediaError> {
        self.advance()?;
        let (before, more) = match &self.next {
            Next::Fragment(Some(mdat)) if mdat.header.kind == FourCc::MDAT => {
                let before = self.fragment.media.len().saturating_add(mdat.header.header);
                match mdat.payload() {
                    BoxSize::Bytes(size) => (before, size),
                    BoxSize::ToEndOfFile => return Ok(None),
                }
            }
            Next::Piece(_) | Next::Part(_) => {
                let there = self.fragment.media.len();
                let more = self.fragment.media_size.saturating_sub(there);
                (there, to_u64(more))
            }
            _ => return Ok(None),
        };
        if more > MAX_FRAGMENT_BYTES || !self.input.holds(more) {
            return Ok(None);
        }
        let more = usize::try_from(more).ok();
        let needed = more.and_then(|more| more.checked_add(before));
        Ok(needed.and_then(|needed| needed.checked_add(PAGE)))
    }

    /// The next piece, or `None` at the end. If no track is protected there are no fragments to be
    /// decrypted, and everything comes as [`Part::Other`].
    ///
    /// # Errors
    /// The input fails or is wrong. Nothing sensible follows then.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>, MediaError> {
        self.piece.clear();
        self.advance()?;
        match self.next {
            Next::Fragment(mdat) => {
                self.end_fragment(mdat)?;
                Ok(Some(Part::Fragment(&mut self.fragment)))
            }
            Next::Divided(mdat) | Next::Part(mdat) => {
                self.end_part(mdat)?;
                Ok(Some(Part::Fragment(&mut self.fragment)))
            }
            Next::Piece(passing) => {
                self.end_piece(passing)?;
                Ok(Some(Part::Fragment(&mut self.fragment)))
            }
            Next::Header(raw) if self.movie.behind == Some(raw.offset) => {
                let clear = clear::clear_moov(self.moov(), &self.presentation)?;
                let len = to_u64(self.moov().len());
                self.input.go_to(raw.offset.saturating_add(len))?;
                self.clear_moov = Some((clear, 0));
                self.next = Next::Movie;
                self.pass_movie();
                Ok(Some(Part::Other(&self.piece)))
            }
            Next::Movie => {
                self.pass_movie();
                Ok(Some(Part::Other(&self.piece)))
            }
            Next::Header(raw) => {
                self.piece.extend(raw.bytes());
                let passing = Passing {
                    kind: raw.header.kind,
                    offset: raw.offset,
                    left: raw.payload(),
                };
                self.pass(passing)?;
                Ok(Some(Part::Other(&self.piece)))
            }
            Next::Passing(passing) => {
                self.pass(passing)?;
                // A box to the end of the file may have ended with the piece before.
                Ok((!self.piece.is_empty()).then_some(Part::Other(&self.piece)))
            }
            Next::Box => Ok(None),
        }
    }

    /// Finds out what the next part is; a [`Next::Box`] that stays is the end.
    fn advance(&mut self) -> Result<(), MediaError> {
        if let Next::Box = self.next {
            match self.input.header()? {
                Some(raw) => self.next = Next::Header(raw),
                None => return self.refuse_samples(u64::MAX, IN_MDAT),
            }
        }
        match self.next {
            Next::Header(raw) if self.presentation.is_protected() => {
                let before = raw.offset.saturating_add(to_u64(raw.header.header));
                match raw.header.kind {
                    FourCc::MOOF => self.begin_fragment(&raw),
                    FourCc::MOOV if self.movie.behind != Some(raw.offset) => {
                        let (what, offset) = (Unsupported::SecondMovie, raw.offset);
                        Err(MediaError::Unsupported { what, offset })
                    }
                    FourCc::MDAT => self.refuse_samples(before, IN_MDAT),
                    _ => self.refuse_samples(raw.end().unwrap_or(u64::MAX), IN_MDAT),
                }
            }
            Next::Divided(mdat) => {
                self.begin_part(mdat);
                Ok(())
            }
            Next::Passing(passing) => {
                let position = self.input.position();
                match self.sample_in(&passing) {
                    Some(next) if next == position => self.begin_piece(&passing),
                    Some(next) if next < position => {
                        self.refuse_samples(position, Expected::AtLeast(position))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Where the next listed sample is, if that is in the box that is being passed on.
    fn sample_in(&self, passing: &Passing) -> Option<u64> {
        let next = self.progressive.as_ref()?.next_sample()?;
        let inside = passing.kind == FourCc::MDAT && next < passing.end(self.input.position());
        inside.then_some(next)
    }

    /// Refuses a listed sample that begins before `end`, where none can be.
    fn refuse_samples(&self, end: u64, expected: Expected) -> Result<(), MediaError> {
        match &self.progressive {
            Some(progressive) if progressive.next_sample().is_some_and(|next| next < end) => {
                progressive.refuse_next(self.moov(), expected)
            }
            _ => Ok(()),
        }
    }

    fn moov(&self) -> &[u8] {
        self.init.get(self.movie.start..).unwrap_or_default()
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
        if fragment.moof.is_empty() || self.division.is_some() {
            // The tables of a piece are not in its media data.
            return Ok(());
        }
        fragment.index(&self.presentation)
    }

    /// Adds the next piece of a box to `self.piece`, up to the next listed sample in it.
    fn pass(&mut self, passing: Passing) -> Result<(), MediaError> {
        let Passing { kind, offset, left } = passing;
        let until = match self.sample_in(&passing) {
            Some(next) => next.saturating_sub(self.input.position()),
            None => PIECE_BYTES,
        };
        let now = until.min(PIECE_BYTES);
        let left = match left {
            BoxSize::Bytes(left) => {
                let now = left.min(now);
                self.input.append(&mut self.piece, now, kind, offset)?;
                BoxSize::Bytes(left.saturating_sub(now))
            }
            BoxSize::ToEndOfFile => {
                let got = self.input.append_some(&mut self.piece, now)?;
                if got < now {
                    BoxSize::Bytes(0)
                } else {
                    BoxSize::ToEndOfFile
                }
            }
        };
        self.next = Next::Passing(Passing { kind, offset, left });
        self.end_box();
        Ok(())
    }

    /// Goes on behind a box of which nothing is left.
    fn end_box(&mut self) {
        if let Next::Passing(Passing {
            left: BoxSize::Bytes(0),
            ..
        }) = self.next
        {
            self.next = Next::Box;
        }
    }

    /// Gives the next bytes of the clear form of a `moov` that was read before, in place of the file's.
    fn pass_movie(&mut self) {
        let moov = self.init.get(self.movie.start..).unwrap_or_default();
        let Some((clear, position)) = &mut self.clear_moov else {
            return;
        };
        let limit = usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX);
        clear.copy(moov, *position, limit, &mut self.piece);
        *position = position.saturating_add(self.piece.len());
        if *position < clear.len() {
            return;
        }
        self.clear_moov = None;
        self.next = Next::Box;
        // Sample tables are needed as long as there are samples to come.
        let listed = self.progressive.as_ref();
        if listed.is_none_or(|listed| listed.next_sample().is_none()) {
            self.init = Vec::new();
        }
    }

    /// Finds the samples of the next piece of a progressive file, which begins here.
    fn begin_piece(&mut self, passing: &Passing) -> Result<(), MediaError> {
        let position = self.input.position();
        let limit = passing.end(position);
        let moov = self.init.get(self.movie.start..).unwrap_or_default();
        let Some(progressive) = &mut self.progressive else {
            return Ok(());
        };
        let input = &mut self.input;
        let mut read_at = |offset, size| input.read_at(offset, size);
        let piece = progressive.next_piece(moov, &self.presentation, limit, &mut read_at)?;
        self.input.go_back(position)?;
        let size = piece.range.end.saturating_sub(piece.range.start);
        let fragment = &mut self.fragment;
        fragment.set_piece(piece.range.start, piece.tracks);
        // At most the limit of a fragment, which `usize` holds.
        fragment.media_size = usize::try_from(size).unwrap_or(usize::MAX);
        self.next = Next::Piece(*passing);
        Ok(())
    }

    /// Reads the bytes of a piece.
    fn end_piece(&mut self, passing: Passing) -> Result<(), MediaError> {
        let Passing { kind, offset, left } = passing;
        let size = to_u64(self.fragment.media_size);
        self.input
            .fill(&mut self.fragment.media, size, kind, offset)?;
        let left = match left {
            BoxSize::Bytes(left) => BoxSize::Bytes(left.saturating_sub(size)),
            BoxSize::ToEndOfFile => BoxSize::ToEndOfFile,
        };
        self.next = Next::Passing(Passing { kind, offset, left });
        self.end_box();
        Ok(())
    }
}

#[cfg(test)]
mod tests;

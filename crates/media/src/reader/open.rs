//! Finds and reads `moov`, wherever it is.

use std::io::{Read, Seek};

use super::{MediaReader, Movie};
use crate::boxes::Mp4Box;
use crate::cursor::to_u64;
use crate::input::Input;
use crate::limits::{MAX_INIT_BYTES, MAX_MOOV_BYTES};
use crate::progressive::Progressive;
use crate::{FourCc, MediaError, Presentation, Unsupported};

impl<R: Read + Seek> MediaReader<R> {
    /// Like [`Self::open`], for an input that can seek: `moov` may be anywhere in it, and a fragment can
    /// be read again ([`Self::reread`]). An input that turns out not to seek is read as by `open`.
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
        let mut head = None;
        let missing = |offset| MediaError::Missing {
            kind: FourCc::MOOV,
            parent: FourCc::FILE,
            offset,
        };
        loop {
            let raw = input.header()?.ok_or_else(|| missing(0))?;
            let (kind, offset) = (raw.header.kind, raw.offset);
            if kind == FourCc::MOOV {
                let start = init.len();
                let limit = MAX_MOOV_BYTES.saturating_add(to_u64(start));
                input.append_box(&mut init, &raw, limit)?;
                if let Some(head) = head {
                    input.go_to(head)?;
                }
                let behind = head.map(|_| offset);
                return Self::with_movie(input, init, Movie { start, behind });
            }
            match (kind, head) {
                (FourCc::MDAT | FourCc::MOOF, None) if input.can_seek() => head = Some(offset),
                (FourCc::MDAT, None) => {
                    let what = Unsupported::MovieAtEnd;
                    return Err(MediaError::Unsupported { what, offset });
                }
                (FourCc::MOOF, None) => return Err(missing(offset)),
                (_, None) => {
                    input.append_box(&mut init, &raw, MAX_INIT_BYTES)?;
                    continue;
                }
                (_, Some(_)) => {}
            }
            // Behind the first media data only `moov` is sought.
            let end = raw.end().filter(|end| input.reaches(*end));
            input.go_to(end.ok_or_else(|| missing(0))?)?;
        }
    }

    fn with_movie(input: Input<R>, init: Vec<u8>, movie: Movie) -> Result<Self, MediaError> {
        let offset = movie.behind.unwrap_or(to_u64(movie.start));
        let moov = Mp4Box::whole(init.get(movie.start..).unwrap_or_default(), offset)?;
        let presentation = Presentation::from_moov(&moov)?;
        let progressive = if presentation.is_protected() {
            Progressive::find(&moov, &presentation)?
        } else {
            None
        };
        Ok(Self {
            movie,
            progressive,
            ..Self::new(input, init, presentation)
        })
    }
}

//! The bytes of a file or a stream, with their position.

use std::io::{self, Read, Seek, SeekFrom};

use crate::boxes::{BoxHeader, BoxSize, LONG_HEADER, SHORT_HEADER};
use crate::cursor::to_u64;
use crate::memory::MediaData;
use crate::{FourCc, MediaError, Unsupported};

/// Memory is asked for in steps of at least this size, and never more than has arrived already or is
/// known to be there.
const STEP_BYTES: u64 = 1 << 20;

/// The header of a box, parsed and as bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawHeader {
    pub(crate) header: BoxHeader,
    pub(crate) offset: u64,
    raw: [u8; LONG_HEADER],
}

impl RawHeader {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.raw.get(..self.header.header).unwrap_or(&self.raw)
    }

    /// Size without the header.
    pub(crate) fn payload(&self) -> BoxSize {
        match self.header.size {
            BoxSize::Bytes(size) => BoxSize::Bytes(size.saturating_sub(to_u64(self.header.header))),
            BoxSize::ToEndOfFile => BoxSize::ToEndOfFile,
        }
    }

    /// Where the box ends; `None` for the end of the file.
    pub(crate) fn end(&self) -> Option<u64> {
        match self.header.size {
            BoxSize::Bytes(size) => Some(self.offset.saturating_add(size)),
            BoxSize::ToEndOfFile => None,
        }
    }
}

/// How to reach any place of an input that can seek.
#[derive(Debug)]
struct Places<R> {
    seek: fn(&mut R, SeekFrom) -> io::Result<u64>,
    /// Where the input was when it was handed over; offsets count from there.
    start: u64,
    /// Bytes from there on.
    len: u64,
}

/// The input with its position.
#[derive(Debug)]
pub(crate) struct Input<R> {
    source: R,
    position: u64,
    places: Option<Places<R>>,
}

impl<R: Read + Seek> Input<R> {
    /// An input that can seek; one that turns out not to is read from front to back.
    pub(crate) fn seekable(mut source: R) -> Self {
        let places = Self::places(&mut source).ok();
        Self {
            places,
            ..Self::new(source)
        }
    }

    fn places(source: &mut R) -> io::Result<Places<R>> {
        let start = source.stream_position()?;
        let len = source.seek(SeekFrom::End(0))?.saturating_sub(start);
        source.seek(SeekFrom::Start(start))?;
        Ok(Places {
            seek: R::seek,
            start,
            len,
        })
    }
}

impl<R: Read> Input<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            position: 0,
            places: None,
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn can_seek(&self) -> bool {
        self.places.is_some()
    }

    /// Whether this many more bytes are known to be there.
    pub(crate) fn holds(&self, count: u64) -> bool {
        self.places
            .as_ref()
            .is_some_and(|places| places.len.saturating_sub(self.position) >= count)
    }

    /// Whether the input is known to go as far as this place.
    pub(crate) fn reaches(&self, position: u64) -> bool {
        self.places
            .as_ref()
            .is_some_and(|places| places.len >= position)
    }

    /// Reads so many bytes at another place. The position is anywhere afterwards.
    pub(crate) fn read_at(&mut self, offset: u64, size: usize) -> Result<Vec<u8>, MediaError> {
        if !self.can_seek() {
            let what = Unsupported::ScatteredAuxiliaryInformation;
            return Err(MediaError::Unsupported { what, offset });
        }
        self.go_to(offset)?;
        let mut bytes = Vec::new();
        self.append(&mut bytes, to_u64(size), FourCc::SAIO, offset)?;
        Ok(bytes)
    }

    /// Goes to a place unless it is there.
    pub(crate) fn go_back(&mut self, position: u64) -> Result<(), MediaError> {
        if self.position == position {
            return Ok(());
        }
        self.go_to(position)
    }

    /// Goes on at another place, which only an input that can seek does.
    pub(crate) fn go_to(&mut self, position: u64) -> Result<(), MediaError> {
        let Some(places) = &self.places else {
            return Err(io::Error::from(io::ErrorKind::NotSeekable).into());
        };
        let target = places.start.checked_add(position);
        let target = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        (places.seek)(&mut self.source, SeekFrom::Start(target))?;
        self.position = position;
        Ok(())
    }

    /// Reads a box header; `None` at the end of the input.
    pub(crate) fn header(&mut self) -> Result<Option<RawHeader>, MediaError> {
        let offset = self.position;
        let mut raw = [0; LONG_HEADER];
        let (first, second) = raw.split_at_mut(SHORT_HEADER);
        let mut got = self.read(first)?;
        if got == 0 {
            return Ok(None);
        }
        if got == SHORT_HEADER && first.first_chunk().copied().is_some_and(BoxHeader::is_long) {
            got = got.saturating_add(self.read(second)?);
        }
        let header = BoxHeader::parse(raw.get(..got).unwrap_or_default(), offset)?;
        Ok(Some(RawHeader {
            header,
            offset,
            raw,
        }))
    }

    /// Appends a box, header and all, if `buffer` does not grow over `limit` bytes by it.
    pub(crate) fn append_box(
        &mut self,
        buffer: &mut Vec<u8>,
        raw: &RawHeader,
        limit: u64,
    ) -> Result<(), MediaError> {
        let room = limit.saturating_sub(to_u64(buffer.len()));
        let too_large = |found: u64| too_large(raw, found, room, limit);
        buffer.extend(raw.bytes());
        match (raw.header.size, raw.payload()) {
            (BoxSize::Bytes(size), _) if size > room => Err(too_large(size)),
            (_, BoxSize::Bytes(size)) => self.append(buffer, size, raw.header.kind, raw.offset),
            (_, BoxSize::ToEndOfFile) => loop {
                let got = self.append_some(buffer, STEP_BYTES)?;
                if to_u64(buffer.len()) > limit {
                    return Err(too_large(self.position.saturating_sub(raw.offset)));
                }
                if got < STEP_BYTES {
                    return Ok(());
                }
            },
        }
    }

    /// Like [`Self::append_box`], into the memory of a fragment.
    pub(crate) fn append_media(
        &mut self,
        data: &mut MediaData,
        raw: &RawHeader,
        limit: u64,
    ) -> Result<(), MediaError> {
        let (kind, offset) = (raw.header.kind, raw.offset);
        let room = limit.saturating_sub(to_u64(data.len()));
        if let BoxSize::Bytes(size) = raw.header.size
            && size > room
        {
            return Err(too_large(raw, size, room, limit));
        }
        append_header(data, raw)?;
        match raw.payload() {
            BoxSize::Bytes(size) => self.fill(data, size, kind, offset),
            BoxSize::ToEndOfFile => loop {
                let got = self.fill_some(data, STEP_BYTES, kind, offset)?;
                if to_u64(data.len()) > limit {
                    let found = self.position.saturating_sub(offset);
                    return Err(too_large(raw, found, room, limit));
                }
                if got < STEP_BYTES {
                    return Ok(());
                }
            },
        }
    }

    /// Appends exactly `count` bytes of a box. Memory follows the bytes that arrive: the box's word for
    /// its size allocates nothing beyond one step.
    pub(crate) fn append(
        &mut self,
        buffer: &mut Vec<u8>,
        count: u64,
        kind: FourCc,
        offset: u64,
    ) -> Result<(), MediaError> {
        let mut left = count;
        while left > 0 {
            let step = self.step(left, buffer.len());
            if usize::try_from(step).map(|step| buffer.try_reserve_exact(step)) != Ok(Ok(())) {
                return Err(out_of_memory(kind, offset, step));
            }
            let got = self.append_some(buffer, step)?;
            left = self.less(left, got, step, kind, offset)?;
        }
        Ok(())
    }

    /// Like [`Self::append`], into the memory of a fragment.
    pub(crate) fn fill(
        &mut self,
        data: &mut MediaData,
        count: u64,
        kind: FourCc,
        offset: u64,
    ) -> Result<(), MediaError> {
        let mut left = count;
        while left > 0 {
            let step = self.step(left, data.capacity());
            let got = self.fill_some(data, step, kind, offset)?;
            left = self.less(left, got, step, kind, offset)?;
        }
        Ok(())
    }

    /// How much to take at once of what is left.
    fn step(&self, left: u64, held: usize) -> u64 {
        if self.holds(left) {
            left
        } else {
            left.min(STEP_BYTES.max(to_u64(held)))
        }
    }

    fn less(
        &self,
        left: u64,
        got: u64,
        step: u64,
        kind: FourCc,
        offset: u64,
    ) -> Result<u64, MediaError> {
        let left = left.saturating_sub(got);
        if got < step {
            let available = self.position.saturating_sub(offset);
            let needed = available.saturating_add(left);
            return Err(MediaError::Truncated {
                kind,
                offset,
                needed,
                available,
            });
        }
        Ok(left)
    }

    /// Appends up to `count` bytes, fewer only at the end of the input.
    pub(crate) fn append_some(
        &mut self,
        buffer: &mut Vec<u8>,
        count: u64,
    ) -> Result<u64, MediaError> {
        let got = to_u64(self.source.by_ref().take(count).read_to_end(buffer)?);
        self.position = self.position.saturating_add(got);
        Ok(got)
    }

    fn fill_some(
        &mut self,
        data: &mut MediaData,
        count: u64,
        kind: FourCc,
        offset: u64,
    ) -> Result<u64, MediaError> {
        let no_memory = out_of_memory(kind, offset, count);
        let at = self.position;
        let Some(place) = usize::try_from(count)
            .ok()
            .and_then(|count| data.room(count, at).ok())
        else {
            return Err(no_memory);
        };
        let got = self.read(place)?;
        data.filled(got);
        Ok(to_u64(got))
    }

    /// Reads into the whole of `place`, less only at the end of the input.
    fn read(&mut self, place: &mut [u8]) -> Result<usize, MediaError> {
        let mut got = 0_usize;
        while let Some(rest) = place.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) => break,
                Ok(more) => got = got.saturating_add(more),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.position = self.position.saturating_add(to_u64(got));
        Ok(got)
    }
}

/// Appends the header of a box to the memory of a fragment.
pub(crate) fn append_header(data: &mut MediaData, raw: &RawHeader) -> Result<(), MediaError> {
    let header = raw.bytes();
    let place = data.room(header.len(), raw.offset);
    place
        .map_err(|_| out_of_memory(raw.header.kind, raw.offset, to_u64(header.len())))?
        .copy_from_slice(header);
    data.filled(header.len());
    Ok(())
}

fn out_of_memory(kind: FourCc, offset: u64, bytes: u64) -> MediaError {
    MediaError::OutOfMemory {
        kind,
        offset,
        bytes,
    }
}

fn too_large(raw: &RawHeader, found: u64, room: u64, limit: u64) -> MediaError {
    MediaError::TooLarge {
        kind: raw.header.kind,
        offset: raw.offset,
        field: "size, with the boxes it belongs to,",
        found: found.saturating_add(limit.saturating_sub(room)),
        limit,
    }
}

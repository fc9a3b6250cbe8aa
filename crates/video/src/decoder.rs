//! From access units to presented pictures.

use alloc::vec::Vec;

use crate::bits::Read;
use crate::budget::{Budget, SLICE_BYTES};
use crate::engine::{Engine, Samples};
use crate::nal::{Nal, split};
use crate::order::{Order, Waiting};
use crate::record::Record;
use crate::refusal::{ContentRejected, DecodeError, Refusal, Unsupported};
use crate::scale::{ChromaSiting, Scaler};
use crate::sets::Sets;
use crate::sink::{Picture, Plane, Sink, SinkFailed};
use crate::slice::{HEADER_BYTES, Header, Kind, PictureHeader, picture_set};
use crate::sps::Sps;

/// The most slices of a picture: each costs reference lists and tables of its own.
pub const MAX_SLICES: usize = 256;

/// A codec that this room decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264, with parameter sets in the record, in band or both.
    H264,
}

impl Codec {
    /// The codec of an ISO-BMFF sample entry: `avc1` or `avc3`.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnsupportedCodec`] for every other.
    pub const fn from_sample_entry(name: [u8; 4]) -> Result<Self, Refusal> {
        match &name {
            b"avc1" | b"avc3" => Ok(Self::H264),
            _ => Err(Refusal::UnsupportedCodec(Unsupported::Codec)),
        }
    }
}

/// What a configuration record announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configured {
    /// What its first sequence parameter set says; `None` if all of them come in band.
    pub format: Option<Format>,
}

/// What a sequence parameter set says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Width shown, in luma samples.
    pub width: u32,
    /// Height shown, in luma samples.
    pub height: u32,
    /// How many pictures wait at most until one is shown.
    pub reorder: u32,
    /// Bytes of the budget that its decoding takes.
    pub memory: usize,
    /// Bytes that the slices of one picture take at most; larger ones are rejected.
    pub largest_picture: usize,
}

/// A unit was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whether it was decoded. Units that come before an IDR picture, at the start or after a loss or
    /// a rejection, are passed over: they are no rejections, and no proof of good content either.
    pub decoded: bool,
    /// The pictures that have gone to the sink since the last answer, in presentation order.
    pub presented: Vec<Presented>,
}

/// A picture has gone to the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The time that came with its unit.
    pub time: u64,
    /// Width presented, in luma samples.
    pub width: u32,
    /// Height presented, in luma samples.
    pub height: u32,
    /// It was made smaller, because of the largest picture allowed.
    pub scaled: bool,
}

/// Decodes one stream, one access unit at a time.
pub struct Decoder {
    budget: Budget,
    /// Bytes of the length field in front of each NAL unit; `None` before the first configuration.
    length_size: Option<usize>,
    sets: Sets,
    /// `None` until the next IDR picture.
    engine: Option<Engine>,
    output: Output,
}

impl Decoder {
    /// A decoder that stays within `budget`. It takes memory when it is configured.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            length_size: None,
            sets: Sets::default(),
            engine: None,
            output: Output::default(),
        }
    }

    /// Takes a track's configuration, the payload of its `avcC` box; decoding starts at the next IDR
    /// picture. Pictures of an earlier configuration still waiting are shown before that one.
    ///
    /// # Errors
    ///
    /// Why it is refused: one of its sets is malformed, not decoded here, or too large for the
    /// budget. The decoder is then as it was.
    pub fn configure(&mut self, codec: Codec, record: &[u8]) -> Result<Configured, Refusal> {
        let Codec::H264 = codec;
        let record = Record::parse(record)?;
        let mut sets = Sets::default();
        for nal in &record.sets {
            sets.store(nal, self.budget)?;
        }
        let format = match sets.first_sequence() {
            Some(sps) => Some(Format {
                width: sps.width,
                height: sps.height,
                reorder: sps.reorder,
                memory: self.budget.reserve(sps)?,
                largest_picture: largest_picture(sps),
            }),
            None => None,
        };
        self.length_size = Some(record.length_size);
        self.sets = sets;
        self.engine = None;
        Ok(Configured { format })
    }

    /// Decodes one access unit: the NAL units of one frame, each behind its length field.
    ///
    /// `time` comes back with the picture; it is not interpreted. `largest` is the most luma samples
    /// that a picture may have which is shown during this call; larger ones are made smaller as
    /// [`Scaler::fit`] says, and one that no size fits is not shown at all.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Rejected`] if the unit is void, for whatever reason; decoding goes on at the next
    /// IDR picture. [`DecodeError::Sink`] if the unit was decoded but the sink refused a picture.
    pub fn decode<S: Sink + ?Sized>(
        &mut self,
        unit: &[u8],
        time: u64,
        largest: Option<u64>,
        sink: &mut S,
    ) -> Result<Accepted, DecodeError> {
        let mut shown = Showing {
            sink,
            largest,
            failed: false,
        };
        let decoded = self.picture(unit, time, &mut shown).map_err(|reason| {
            self.engine = None;
            ContentRejected::new(reason)
        })?;
        let presented = self.presented();
        if shown.failed {
            return Err(SinkFailed.into());
        }
        Ok(Accepted { decoded, presented })
    }

    /// Shows everything that waits: the stream has ended.
    ///
    /// # Errors
    ///
    /// [`SinkFailed`] if the sink refused one; the others have been offered to it.
    pub fn flush<S: Sink + ?Sized>(
        &mut self,
        largest: Option<u64>,
        sink: &mut S,
    ) -> Result<Vec<Presented>, SinkFailed> {
        let finished = self.finish(largest, sink);
        let presented = self.presented();
        finished.map(|()| presented)
    }

    /// Shows everything that waits, and leaves it to the next answer to tell: other rules hold for what
    /// follows, which gets nothing of what was before. Decoding goes on at the next IDR picture.
    ///
    /// # Errors
    ///
    /// As [`Self::flush`].
    pub fn finish<S: Sink + ?Sized>(
        &mut self,
        largest: Option<u64>,
        sink: &mut S,
    ) -> Result<(), SinkFailed> {
        let mut shown = Showing {
            sink,
            largest,
            failed: false,
        };
        self.output.drain(&mut shown);
        self.engine = None;
        if shown.failed {
            return Err(SinkFailed);
        }
        Ok(())
    }

    /// The pictures that have gone to the sink since the last answer, in presentation order.
    pub fn presented(&mut self) -> Vec<Presented> {
        core::mem::take(&mut self.output.presented)
    }

    /// Takes note that units are missing, as after a jump: what waits is not shown, and decoding goes
    /// on at the next IDR picture.
    pub fn lost(&mut self) {
        self.engine = None;
        self.output.order.clear();
    }

    /// Decodes the picture of a unit, if it holds one that can be decoded now.
    fn picture<S: Sink + ?Sized>(
        &mut self,
        unit: &[u8],
        time: u64,
        shown: &mut Showing<'_, S>,
    ) -> Read<bool> {
        let length_size = self.length_size.ok_or(Refusal::ContentRejected)?;
        let mut begun: Option<Begun> = None;
        for nal in split(unit, length_size) {
            let nal = nal?;
            match nal.kind {
                Nal::SPS | Nal::PPS => self.parameters(&nal)?,
                Nal::IDR | Nal::SLICE => {
                    // Without a picture before it, only an IDR picture can be decoded.
                    if nal.kind == Nal::SLICE && self.engine.is_none() {
                        continue;
                    }
                    begun = Some(self.slice(&nal, begun, shown)?);
                }
                Nal::PARTITION_A..=Nal::PARTITION_C => {
                    return Err(Refusal::UnsupportedCodec(Unsupported::DataPartitioning));
                }
                // Delimiters, supplemental information, filler, and layers on top of this one.
                _ => {}
            }
        }
        let (Some(_), Some(engine)) = (begun, &mut self.engine) else {
            return Ok(false);
        };
        let samples = engine.end()?;
        let depth = engine.sequence().set.reorder;
        self.output.siting = engine.sequence().set.siting;
        self.output.order.push(Waiting { samples, time });
        self.output.show(usize::try_from(depth).unwrap_or(0), shown);
        Ok(true)
    }

    fn parameters(&mut self, nal: &Nal<'_>) -> Read<()> {
        self.sets.store(nal, self.budget)?;
        if let (Nal::PPS, Some(engine), Some(stored)) =
            (nal.kind, &mut self.engine, self.sets.last_picture())
            && stored.set.sps == engine.sequence().set.id
        {
            engine.parameters(&stored.payload)?;
        }
        Ok(())
    }

    /// Reads the header of a slice, and decodes it if nothing speaks against it.
    fn slice<S: Sink + ?Sized>(
        &mut self,
        nal: &Nal<'_>,
        begun: Option<Begun>,
        shown: &mut Showing<'_, S>,
    ) -> Read<Begun> {
        let head = nal.head(HEADER_BYTES)?;
        let (sequence, picture_set) = self.sets.of_slice(picture_set(&head)?)?;
        let header = Header::parse(&head, nal, &sequence.set, picture_set)?;
        drop(head);
        let begun = match begun {
            None => {
                if header.first != 0 {
                    return Err(Refusal::UnsupportedCodec(Unsupported::SliceOrder));
                }
                if header.picture.idr {
                    // Everything that came before is shown before, and its memory is free again.
                    self.output.drain(shown);
                    self.engine = None;
                    self.engine = Some(Engine::new(sequence, &self.sets)?);
                }
                let engine = self.engine.as_mut().ok_or(Refusal::ContentRejected)?;
                engine.begin(&header.picture)?;
                Begun::new(&header)
            }
            Some(begun) => begun.with(&header)?,
        };
        let engine = self.engine.as_mut().ok_or(Refusal::ContentRejected)?;
        // A sequence parameter set changes at an IDR picture only.
        if engine.sequence().payload != sequence.payload {
            return Err(Refusal::ContentRejected);
        }
        if header.kind != Kind::I && !engine.predicts() {
            return Err(Refusal::ContentRejected);
        }
        let begun = begun.holding(nal.len(), largest_picture(&sequence.set))?;
        engine.slice(nal)?;
        Ok(begun)
    }
}

/// The most bytes of all slices of a picture: its macroblocks, and one long header.
fn largest_picture(sps: &Sps) -> usize {
    usize::try_from(sps.macroblocks())
        .unwrap_or(usize::MAX)
        .saturating_mul(SLICE_BYTES)
        .saturating_add(HEADER_BYTES)
}

/// A picture whose first slice has been read.
struct Begun {
    picture: PictureHeader,
    /// Where its latest slice starts.
    first: u32,
    deblocking: (u32, i32, i32),
    slices: usize,
    bytes: usize,
}

impl Begun {
    fn new(header: &Header) -> Self {
        Self {
            picture: header.picture.clone(),
            first: header.first,
            deblocking: header.deblocking,
            slices: 1,
            bytes: 0,
        }
    }

    /// The same picture, after one more slice.
    fn with(mut self, header: &Header) -> Read<Self> {
        if header.picture != self.picture {
            return Err(Refusal::ContentRejected);
        }
        if header.first <= self.first {
            return Err(Refusal::UnsupportedCodec(Unsupported::SliceOrder));
        }
        // The decoder filters the whole picture by what its last slice says.
        if header.deblocking != self.deblocking {
            return Err(Refusal::UnsupportedCodec(Unsupported::Deblocking));
        }
        self.slices = self.slices.saturating_add(1);
        if self.slices > MAX_SLICES {
            return Err(Refusal::UnsupportedCodec(Unsupported::Slices));
        }
        self.first = header.first;
        Ok(self)
    }

    /// With that many bytes more, of at most `most` in all.
    fn holding(mut self, bytes: usize, most: usize) -> Read<Self> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > most {
            return Err(Refusal::ContentRejected);
        }
        Ok(self)
    }
}

/// The sink during one call.
struct Showing<'a, S: ?Sized> {
    sink: &'a mut S,
    largest: Option<u64>,
    failed: bool,
}

/// Pictures after decoding.
#[derive(Default)]
struct Output {
    order: Order,
    scaler: Scaler,
    siting: ChromaSiting,
    presented: Vec<Presented>,
}

impl Output {
    /// Shows all that waits.
    fn drain<S: Sink + ?Sized>(&mut self, shown: &mut Showing<'_, S>) {
        self.show(0, shown);
    }

    /// Shows what comes before all but `depth` of those that wait.
    fn show<S: Sink + ?Sized>(&mut self, depth: usize, shown: &mut Showing<'_, S>) {
        while let Some(next) = self.order.next(depth) {
            match self.present(&next, shown) {
                Ok(Some(presented)) => self.presented.push(presented),
                Ok(None) => {}
                Err(SinkFailed) => shown.failed = true,
            }
        }
    }

    /// Gives one picture to the sink, in the size allowed. `None` if none is.
    fn present<S: Sink + ?Sized>(
        &mut self,
        waiting: &Waiting,
        shown: &mut Showing<'_, S>,
    ) -> Result<Option<Presented>, SinkFailed> {
        let Samples {
            width: whole_width,
            height: whole_height,
            planes: [luma, cb, cr],
            ..
        } = &waiting.samples;
        let (whole_width, whole_height) = (*whole_width, *whole_height);
        let plane = |samples, shift: u32| Plane {
            samples,
            width: whole_width.wrapping_shr(shift),
            height: whole_height.wrapping_shr(shift),
        };
        let mut picture = Picture {
            time: waiting.time,
            luma: plane(luma, 0),
            cb: plane(cb, 1),
            cr: plane(cr, 1),
            siting: self.siting,
        };
        let largest = shown.largest.unwrap_or(u64::MAX);
        let Some((width, height)) = Scaler::fit(whole_width, whole_height, largest) else {
            return Ok(None);
        };
        let scaled = (width, height) != (whole_width, whole_height);
        if scaled {
            // The budget has the memory, and the planes are as large as they say: neither fails.
            picture = self
                .scaler
                .scale(&picture, width, height)
                .map_err(|_| SinkFailed)?;
        }
        shown.sink.present(&picture)?;
        Ok(Some(Presented {
            time: waiting.time,
            width,
            height,
            scaled,
        }))
    }
}

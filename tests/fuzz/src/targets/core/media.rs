//! The media of a story's decrypt calls: batches of all sizes, in all kinds of memory.

use arbitrary::Unstructured;
use keybearer_core::{Buffers, InPlace, Media, MediaError};
use keybearer_license::{IvKind, Scheme};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, body};

use super::grants::{KEYS, key_use};

/// The memory that a call may reach.
pub(crate) struct Slots {
    /// Input as it was before the call.
    pub(crate) media: Vec<u8>,
    before: Vec<u8>,
    after: Vec<u8>,
    form: Form,
    /// Whose memory it is.
    pub(crate) place: Place,
}

/// Which of a call's memory the normal world cannot read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) input: bool,
    pub(crate) output: bool,
    pub(crate) response: bool,
}

/// Memory with what the platform says of it.
struct Placed<'a> {
    memory: Box<dyn Media + 'a>,
    place: Place,
}

impl Media for Placed<'_> {
    fn input_len(&self) -> usize {
        self.memory.input_len()
    }
    fn output_len(&self) -> usize {
        self.memory.output_len()
    }
    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        self.memory.read(offset, into)
    }
    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        self.memory.write(offset, from)
    }
    fn input_is_protected(&self) -> bool {
        self.place.input
    }
    fn output_is_protected(&self) -> bool {
        self.place.output
    }
    fn response_is_protected(&self) -> bool {
        self.place.response
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    None,
    InPlace,
    Apart,
    /// Memory that is gone after so many accesses.
    Failing(u8),
}

/// Memory whose owner takes it away.
struct Failing<'a> {
    memory: InPlace<'a>,
    left: u8,
}

impl Failing<'_> {
    fn access(&mut self) -> Result<(), MediaError> {
        self.left = self.left.checked_sub(1).ok_or(MediaError)?;
        Ok(())
    }
}

impl Media for Failing<'_> {
    fn input_len(&self) -> usize {
        self.memory.input_len()
    }
    fn output_len(&self) -> usize {
        self.memory.output_len()
    }
    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        self.access()?;
        self.memory.read(offset, into)
    }
    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        self.access()?;
        self.memory.write(offset, from)
    }
}

impl Slots {
    /// A call without media.
    pub(crate) fn none() -> Self {
        Self {
            media: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            form: Form::None,
            place: Place::default(),
        }
    }

    /// What the core gets to see.
    pub(crate) fn access(&mut self) -> Option<Box<dyn Media + '_>> {
        let memory: Box<dyn Media + '_> = match self.form {
            Form::None => return None,
            Form::InPlace => Box::new(InPlace(&mut self.after)),
            Form::Apart => Box::new(Buffers {
                input: &self.media,
                output: &mut self.after,
            }),
            Form::Failing(left) => Box::new(Failing {
                memory: InPlace(&mut self.after),
                left,
            }),
        };
        let place = self.place;
        Some(Box::new(Placed { memory, place }))
    }

    /// A decoder's call: what is its own is protected, but for the output of a few.
    pub(crate) fn of_a_decoder(&mut self) {
        self.place = Place {
            input: !self.place.input,
            output: !self.place.input,
            response: true,
        };
    }

    /// Room for output before and after the call.
    pub(crate) fn room(&self) -> Option<(&[u8], &[u8])> {
        (self.form != Form::None).then_some((&self.before, &self.after))
    }
}

const SIZES: [u32; 12] = [
    0, 1, 15, 16, 17, 64, 160, 1000, 65_535, 65_537, 70_000, 140_000,
];

/// A decrypt request with its media: right in most of its parts.
pub(crate) fn batch(u: &mut Unstructured<'_>, session: u64) -> (Vec<u8>, Slots) {
    let mut byte = || u.arbitrary::<u8>().unwrap_or(0);
    let (id, wrong, form, samples) = (byte() % KEYS, byte(), byte(), byte());
    // Mostly the host's, now and then a buffer that it cannot read.
    let place = Place {
        input: samples & 0xe0 == 0xe0,
        output: samples & 0x04 != 0,
        response: samples & 0x18 == 0x18,
    };
    let samples = samples % 4 + 1;
    let usage = key_use(id);
    let (iv_size, constant): (u8, Option<&[u8]>) = match usage.iv {
        IvKind::PerSample8 => (8, None),
        IvKind::PerSample16 => (16, None),
        IvKind::Constant8 => (0, Some(&[9; 8])),
        IvKind::Constant16 => (0, Some(&[9; 16])),
    };
    let (mut table, mut subsamples, mut total) = (Vec::new(), Vec::new(), 0_usize);
    for sample in 0..samples {
        let (size, entries) = (byte(), byte());
        // The large ones once a batch, or the story would take too long.
        let places = if sample == 0 { SIZES.len() } else { 8 };
        let mut size = SIZES[usize::from(size) % places] & !u32::from(size >> 4 & 1);
        let count = entries % 4;
        let mut covered = 0;
        for entry in 0..count {
            let (clear, protected) = (u32::from(byte() % 24), u32::from(byte()) * 16);
            let protected = protected.min(size.saturating_sub(covered + clear));
            covered += clear + protected;
            // The last entry takes what is left, unless the table is to be wrong.
            let rest = match size.saturating_sub(covered) {
                _ if entry + 1 < count || entries & 0x80 != 0 => 0,
                rest if usage.scheme == Scheme::Cbc1 => rest / 16 * 16,
                rest => rest,
            };
            covered += rest;
            subsamples.extend(clear.to_be_bytes());
            subsamples.extend((protected + rest).to_be_bytes());
        }
        if count > 0 && entries & 0x40 == 0 {
            size = covered;
        }
        total += size as usize;
        table.extend([sample ^ form; 16]);
        table.extend(size.to_be_bytes());
        table.extend(u32::from(count).to_be_bytes());
    }
    // Each of the upper bits makes one part wrong; most batches have none.
    let flaw = |bit: u8| wrong >= 0xc0 && wrong & bit != 0;
    let pattern = usage.pattern.map_or((0, 0), |p| (p.crypt, p.skip));
    let request = body::Decrypt {
        session,
        key_id: [if flaw(1) { id ^ 1 } else { id }; 16],
        license: flaw(2).then_some([1; 16]),
        track_type: usage.track.code() ^ u8::from(flaw(4)),
        scheme: usage.scheme.code() ^ u8::from(flaw(8)),
        iv_size,
        constant_iv: constant.map(Blob),
        crypt_blocks: pattern.0,
        skip_blocks: pattern.1 ^ u8::from(flaw(16)),
        duration_ms: if flaw(32) { 2_001 } else { 40 },
        width: Some(u32::from(wrong) * 8),
        height: Some(360),
        samples: Blob(&table),
        subsamples: Blob(&subsamples),
    };
    let request = request.encode(MAX_REQUEST).expect("a story's requests fit");
    // Bytes that differ from one another and from call to call.
    let media: Vec<u8> = (0..total)
        .map(|at| (at.wrapping_mul(167) >> 3).to_le_bytes()[0] ^ form)
        .collect();
    let (form, mut room) = match form % 8 {
        0..=3 => (Form::InPlace, media.clone()),
        4 => (Form::Apart, vec![0x5a; total]),
        5 => (Form::Apart, vec![0x5a; total + usize::from(form)]),
        6 => (Form::Failing(form >> 3), media.clone()),
        _ => (Form::Apart, vec![0x5a; total.saturating_sub(1)]),
    };
    let mut media = media;
    if wrong == 0xbf {
        // One byte more than the table says.
        media.push(0);
        room.push(0);
    }
    let slots = Slots {
        media,
        before: room.clone(),
        after: room,
        form,
        place,
    };
    (request, slots)
}

//! Streams written bit by bit: what no encoder at hand makes, of any size, in a few bytes a picture.

#![allow(dead_code, reason = "each test binary uses some of it")]

/// Writes from the most significant bit on.
#[derive(Clone, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    free: u32,
}

impl Writer {
    pub(crate) fn bit(&mut self, bit: bool) -> &mut Self {
        if self.free == 0 {
            self.bytes.push(0);
            self.free = 8;
        }
        self.free -= 1;
        *self.bytes.last_mut().expect("there is a byte") |= u8::from(bit) << self.free;
        self
    }

    pub(crate) fn bits(&mut self, value: u32, count: u32) -> &mut Self {
        for place in (0..count).rev() {
            self.bit(value >> place & 1 != 0);
        }
        self
    }

    pub(crate) fn ue(&mut self, value: u32) -> &mut Self {
        let value = u64::from(value) + 1;
        let length = 64 - value.leading_zeros();
        self.bits(0, length - 1);
        for place in (0..length).rev() {
            self.bit(value >> place & 1 != 0);
        }
        self
    }

    pub(crate) fn se(&mut self, value: i32) -> &mut Self {
        let magnitude = value.unsigned_abs();
        self.ue(if value > 0 {
            2 * magnitude - 1
        } else {
            2 * magnitude
        })
    }

    /// The stop bit and zeros up to a whole byte.
    pub(crate) fn stop(&mut self) -> &mut Self {
        self.bit(true);
        self.free = 0;
        self
    }

    pub(crate) fn align(&mut self) -> &mut Self {
        self.free = 0;
        self
    }

    /// A NAL unit: `header`, and the payload with emulation prevention.
    pub(crate) fn nal(&self, header: u8) -> Vec<u8> {
        let mut nal = vec![header];
        let mut zeros = 0;
        for &byte in &self.bytes {
            if zeros == 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            nal.push(byte);
        }
        nal
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        assert_eq!(self.free, 0, "at a whole byte");
        self.bytes.extend(bytes);
        self
    }

    pub(crate) fn payload(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// A sequence parameter set, field by field; the defaults are the simplest that there is.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) profile: u8,
    pub(crate) constraints: u8,
    pub(crate) level: u8,
    pub(crate) id: u32,
    pub(crate) chroma_format: u32,
    pub(crate) depth: u32,
    pub(crate) lossless: bool,
    pub(crate) frame_num_bits: u32,
    pub(crate) order_type: u32,
    pub(crate) references: u32,
    pub(crate) gaps: bool,
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) frames_only: bool,
    /// MBAFF, where fields are allowed.
    pub(crate) adaptive: bool,
    /// Left, right, top, bottom.
    pub(crate) crop: Option<[u32; 4]>,
    pub(crate) reorder: Option<u32>,
}

impl Default for Sequence {
    fn default() -> Self {
        Self {
            profile: 77,
            constraints: 0,
            level: 51,
            id: 0,
            chroma_format: 1,
            depth: 0,
            lossless: false,
            frame_num_bits: 8,
            order_type: 0,
            references: 1,
            gaps: false,
            columns: 4,
            rows: 3,
            frames_only: true,
            adaptive: false,
            crop: None,
            reorder: None,
        }
    }
}

impl Sequence {
    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.bits(self.profile.into(), 8)
            .bits(self.constraints.into(), 8)
            .bits(self.level.into(), 8)
            .ue(self.id);
        if self.profile >= 100 {
            w.ue(self.chroma_format);
            if self.chroma_format == 3 {
                w.bit(false);
            }
            w.ue(self.depth)
                .ue(self.depth)
                .bit(self.lossless)
                .bit(false);
        }
        w.ue(self.frame_num_bits - 4).ue(self.order_type);
        match self.order_type {
            0 => {
                w.ue(8);
            }
            1 => {
                w.bit(true).se(0).se(0).ue(1).se(2);
            }
            _ => {}
        }
        let units = if self.frames_only {
            self.rows
        } else {
            (self.rows / 2).max(1)
        };
        w.ue(self.references)
            .bit(self.gaps)
            .ue(self.columns - 1)
            .ue(units - 1)
            .bit(self.frames_only);
        if !self.frames_only {
            w.bit(self.adaptive);
        }
        w.bit(true).bit(self.crop.is_some());
        for cut in self.crop.iter().flatten() {
            w.ue(*cut);
        }
        w.bit(self.reorder.is_some());
        if let Some(reorder) = self.reorder {
            // No aspect ratio, overscan, signal, chroma location, timing, two decoders, structure.
            w.bits(0, 8).bit(true).bit(true);
            w.ue(0)
                .ue(0)
                .ue(10)
                .ue(10)
                .ue(reorder)
                .ue(reorder.max(self.references));
        }
        w.stop().nal(0x67)
    }

    pub(crate) fn macroblocks(&self) -> u32 {
        self.columns.saturating_mul(self.rows)
    }
}

/// A picture parameter set for variable-length coding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    pub(crate) id: u32,
    pub(crate) sequence: u32,
    pub(crate) cabac: bool,
    pub(crate) groups: u32,
    pub(crate) entries: [u32; 2],
    pub(crate) weighted: bool,
    pub(crate) weighted_bi: u32,
    pub(crate) redundant: bool,
    /// `second_chroma_qp_index_offset`, behind a first of 0.
    pub(crate) second_chroma: Option<i32>,
    /// `deblocking_filter_control_present_flag`.
    pub(crate) deblocking: bool,
}

impl Set {
    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.ue(self.id).ue(self.sequence).bit(self.cabac).bit(false);
        w.ue(self.groups);
        if self.groups > 0 {
            // Interleaved slice groups, one macroblock each.
            w.ue(0);
            for _ in 0..=self.groups {
                w.ue(0);
            }
        }
        for entries in self.entries {
            w.ue(entries.max(1) - 1);
        }
        w.bit(self.weighted).bits(self.weighted_bi, 2);
        w.se(0).se(0).se(0);
        w.bit(self.deblocking).bit(false).bit(self.redundant);
        if let Some(offset) = self.second_chroma {
            w.bit(false).bit(false).se(offset);
        }
        w.stop().nal(0x68)
    }
}

/// The start of a slice, up to what only some slices have.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) first: u32,
    /// `slice_type`: 0 P, 1 B, 2 I.
    pub(crate) kind: u32,
    pub(crate) set: u32,
    pub(crate) frame_num: u32,
    /// `pic_order_cnt_lsb`, of 12 bits.
    pub(crate) order: u32,
    pub(crate) idr: bool,
    pub(crate) reference: bool,
    /// `num_ref_idx_active` where it is not the default.
    pub(crate) entries: Option<[u32; 2]>,
    /// Operations with their operands; `None` is the sliding window.
    pub(crate) marking: Option<Vec<Vec<u32>>>,
    /// `field_pic_flag`, where the sequence has it.
    pub(crate) field: bool,
    /// `disable_deblocking_filter_idc`, where the set has it.
    pub(crate) filter: u32,
}

impl Slice {
    pub(crate) fn idr() -> Self {
        Self {
            first: 0,
            kind: 2,
            set: 0,
            frame_num: 0,
            order: 0,
            idr: true,
            reference: true,
            entries: None,
            marking: None,
            field: false,
            filter: 0,
        }
    }

    pub(crate) fn p(number: u32) -> Self {
        Self {
            kind: 0,
            frame_num: number & 0xff,
            order: (2 * number) & 0xfff,
            idr: false,
            ..Self::idr()
        }
    }

    /// Everything in front of the macroblocks.
    fn header(&self, sequence: &Sequence, set: &Set) -> Writer {
        let mut w = Writer::default();
        w.ue(self.first).ue(self.kind).ue(self.set);
        w.bits(self.frame_num, sequence.frame_num_bits);
        if !sequence.frames_only {
            w.bit(self.field);
        }
        if self.idr {
            w.ue(0);
        }
        if sequence.order_type == 0 {
            w.bits(self.order, 12);
        }
        if self.kind == 1 {
            w.bit(true);
        }
        if self.kind < 2 {
            w.bit(self.entries.is_some());
            if let Some(entries) = self.entries {
                for list in entries.iter().take(self.kind as usize + 1) {
                    w.ue(list.wrapping_sub(1));
                }
            }
            for _ in 0..=self.kind {
                w.bit(false);
            }
        }
        if self.idr {
            w.bit(false).bit(false);
        } else if self.reference {
            w.bit(self.marking.is_some());
            if let Some(operations) = &self.marking {
                for value in operations.iter().flatten() {
                    w.ue(*value);
                }
                w.ue(0);
            }
        }
        if set.cabac && self.kind != 2 {
            w.ue(0);
        }
        w.se(0);
        if set.deblocking {
            w.ue(self.filter);
            if self.filter != 1 {
                w.se(0).se(0);
            }
        }
        w
    }

    fn name(&self) -> u8 {
        match (self.idr, self.reference) {
            (true, _) => 0x65,
            (false, true) => 0x41,
            (false, false) => 0x01,
        }
    }

    /// The slice with `count` macroblocks: skipped ones in P and B slices, flat ones in I slices.
    pub(crate) fn nal(&self, sequence: &Sequence, count: u32) -> Vec<u8> {
        self.nal_under(sequence, &Set::default(), count)
    }

    /// The same under a set that is not the default.
    pub(crate) fn nal_under(&self, sequence: &Sequence, set: &Set, count: u32) -> Vec<u8> {
        let mut w = self.header(sequence, set);
        if self.kind < 2 {
            w.ue(count);
        } else {
            for _ in 0..count {
                // I_16x16 predicted from the mean, chroma likewise, quantiser as it is, no residual.
                w.ue(3).ue(0).se(0).bit(true);
            }
        }
        w.stop().nal(self.name())
    }

    /// The slice with `count` macroblocks of raw samples, 385 bytes each or a little more.
    pub(crate) fn nal_of_samples(&self, sequence: &Sequence, count: u32) -> Vec<u8> {
        let mut w = self.header(sequence, &Set::default());
        for place in 0..count {
            if self.kind < 2 {
                w.ue(0);
            }
            // I_PCM, as it is numbered in each kind of slice.
            w.ue([30, 48, 25][self.kind as usize]).align();
            w.raw(&[0x50 + (place % 100) as u8; 384]);
        }
        w.stop().nal(self.name())
    }

    /// The header of the slice under any set, and 200 bytes of whatever comes.
    pub(crate) fn nal_under_any(
        &self,
        sequence: &Sequence,
        set: &Set,
        byte: &mut dyn FnMut() -> u8,
    ) -> Vec<u8> {
        let mut w = self.header(sequence, set);
        w.align();
        for _ in 0..200 {
            w.raw(&[byte()]);
        }
        w.nal(self.name())
    }
}

//! The parameter sets that a stream has sent, by their identifiers.

use alloc::vec::Vec;

use crate::bits::Read;
use crate::budget::Budget;
use crate::nal::Nal;
use crate::pps::Pps;
use crate::refusal::Refusal;
use crate::sps::Sps;

/// The longest sequence parameter set accepted, in bytes: about 2,000 of them can be picture order
/// offsets, 700 scaling lists and 1,100 parameters of hypothetical decoders.
const MAX_SPS: usize = 4_096;

/// The longest picture parameter set accepted: about 500 bytes can be scaling lists.
const MAX_PPS: usize = 1_024;

/// The most bytes of all sets kept; streams have some hundred.
const MAX_BYTES: usize = 16 * 1_024;

/// A set and what it was read from, which the decoder is given when it is used.
#[derive(Clone, Debug)]
pub(crate) struct Stored<T> {
    pub(crate) set: T,
    pub(crate) payload: Vec<u8>,
}

/// The sets of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    sequence: Vec<Stored<Sps>>,
    picture: Vec<Stored<Pps>>,
}

impl Sets {
    /// Keeps the set that `nal` holds, in place of an earlier one of its number.
    ///
    /// # Errors
    ///
    /// What reading it says; [`Refusal::NoDecoderMemory`] for a sequence that does not fit `budget`;
    /// [`Refusal::ContentRejected`] for more sets than anyone needs.
    pub(crate) fn store(&mut self, nal: &Nal<'_>, budget: Budget) -> Read<()> {
        if nal.kind == Nal::SPS {
            let payload = nal.payload(MAX_SPS)?;
            let set = Sps::parse(&payload)?;
            budget.reserve(&set)?;
            self.sequence.retain(|other| other.set.id != set.id);
            self.room(&payload)?;
            self.sequence.push(Stored { set, payload });
        } else {
            let payload = nal.payload(MAX_PPS)?;
            let set = Pps::parse(&payload)?;
            self.picture.retain(|other| other.set.id != set.id);
            self.room(&payload)?;
            self.picture.push(Stored { set, payload });
        }
        Ok(())
    }

    /// The sets that a slice is read under, by the picture parameter set it names.
    pub(crate) fn of_slice(&self, picture: u8) -> Read<(&Stored<Sps>, &Pps)> {
        let picture = self
            .picture
            .iter()
            .find(|stored| stored.set.id == picture)
            .ok_or(Refusal::ContentRejected)?;
        let sequence = self
            .sequence
            .iter()
            .find(|stored| stored.set.id == picture.set.sps)
            .ok_or(Refusal::ContentRejected)?;
        Ok((sequence, &picture.set))
    }

    /// The picture parameter sets of a sequence.
    pub(crate) fn of_sequence(&self, sequence: u8) -> impl Iterator<Item = &Stored<Pps>> {
        self.picture
            .iter()
            .filter(move |stored| stored.set.sps == sequence)
    }

    /// The picture parameter set that came last.
    pub(crate) fn last_picture(&self) -> Option<&Stored<Pps>> {
        self.picture.last()
    }

    /// The sequence parameter set that came first.
    pub(crate) fn first_sequence(&self) -> Option<&Sps> {
        self.sequence.first().map(|stored| &stored.set)
    }

    fn room(&self, payload: &[u8]) -> Read<()> {
        let sequence = self.sequence.iter().map(|stored| stored.payload.len());
        let picture = self.picture.iter().map(|stored| stored.payload.len());
        let kept = sequence.chain(picture).fold(0, usize::saturating_add);
        if kept.saturating_add(payload.len()) > MAX_BYTES {
            return Err(Refusal::ContentRejected);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

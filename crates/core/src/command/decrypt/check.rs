//! What a decrypt call says about its samples, against what the key was licensed for. The
//! decryptor is no keystream oracle: a key serves its own track type, scheme, kind of
//! initialisation vector and pattern, and nothing else.

use keybearer_cenc::{CencError, Pattern, Scheme, Subsample};
use keybearer_license::{self as license, IvKind, KeyUse};
use keybearer_wire::{SampleTable, Status};

use super::Batch;

/// How the samples of one call are protected.
pub(super) struct Protection {
    pub(super) scheme: Scheme,
    pub(super) pattern: Pattern,
    /// Bytes of an initialisation vector.
    pub(super) iv_size: usize,
    /// The one that all samples share, if they do.
    pub(super) constant: Option<[u8; 16]>,
}

impl Protection {
    /// The initialisation vector of a sample: its own, or the constant one.
    pub(super) fn iv<'a>(&'a self, own: &'a [u8; 16]) -> &'a [u8] {
        let iv = self.constant.as_ref().unwrap_or(own);
        iv.get(..self.iv_size).unwrap_or_default()
    }
}

/// Compares the call with the key's licensed use.
pub(super) fn protection(usage: &KeyUse, call: &Batch<'_>) -> Result<Protection, Status> {
    if usage.track.code() != call.track {
        return Err(Status::WrongTrackType);
    }
    if usage.scheme.code() != call.scheme {
        return Err(Status::WrongScheme);
    }
    let (iv_size, constant) = match (usage.iv, call.iv_size, call.constant_iv) {
        (IvKind::PerSample8, 8, None) => (8, None),
        (IvKind::PerSample16, 16, None) => (16, None),
        (IvKind::Constant8, 0, Some(iv)) if iv.len() == 8 => (8, Some(padded(iv))),
        (IvKind::Constant16, 0, Some(iv)) if iv.len() == 16 => (16, Some(padded(iv))),
        _ => return Err(Status::WrongIv),
    };
    let pattern = Pattern {
        crypt: call.crypt_blocks,
        skip: call.skip_blocks,
    };
    let licensed =
        |wanted: license::Pattern| wanted.crypt == pattern.crypt && wanted.skip == pattern.skip;
    if !usage.pattern.is_none_or(licensed) {
        return Err(Status::WrongPattern);
    }
    let scheme = match usage.scheme {
        license::Scheme::Cenc => Scheme::Cenc,
        license::Scheme::Cens => Scheme::Cens,
        license::Scheme::Cbc1 => Scheme::Cbc1,
        license::Scheme::Cbcs => Scheme::Cbcs,
    };
    Ok(Protection {
        scheme,
        pattern,
        iv_size,
        constant,
    })
}

/// Checks every sample of the table.
pub(super) fn samples(
    usage: &KeyUse,
    protection: &Protection,
    table: &SampleTable<'_>,
) -> Result<(), Status> {
    for (sample, subsamples) in table.iter() {
        let entries = subsamples.map(|entry| Subsample {
            clear: entry.clear,
            protected: entry.protected,
        });
        let clear: u64 = entries.clone().map(|entry| u64::from(entry.clear)).sum();
        if usage
            .max_clear_bytes
            .is_some_and(|bound| clear > u64::from(bound))
        {
            return Err(Status::ClearRangeTooLarge);
        }
        keybearer_cenc::check(
            protection.scheme,
            protection.pattern,
            protection.iv_size,
            u64::from(sample.size),
            (sample.subsamples != 0).then_some(entries),
        )
        .map_err(refusal)?;
    }
    Ok(())
}

fn refusal(error: CencError) -> Status {
    match error {
        CencError::IvSize { .. } => Status::WrongIv,
        CencError::PatternRange { .. }
        | CencError::PatternNotAllowed { .. }
        | CencError::PatternEncryptsNothing { .. } => Status::WrongPattern,
        _ => Status::BadSampleTable,
    }
}

/// A constant vector at the left of a full block.
fn padded(iv: &[u8]) -> [u8; 16] {
    let mut block = [0; 16];
    for (to, from) in block.iter_mut().zip(iv) {
        *to = *from;
    }
    block
}

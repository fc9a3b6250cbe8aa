//! Everything that can be refused before a byte of a sample is touched.

use crate::{Block, CencError, Pattern, Scheme, Subsample};

/// Checks that a sample can be decrypted as described; nothing is decrypted.
///
/// `iv_size` and `sample_size` are in bytes. `subsamples` is `None` for a sample encrypted as a
/// whole (sections 9.4 and 9.7); a table that is present must cover the sample exactly, so an
/// empty one fits only a sample without bytes.
///
/// Alignment: a `cbc1` range must consist of whole blocks, since the standard gives a trailing part
/// no meaning there (section 10.2). `cenc` ranges may have any length, the keystream goes on within
/// the block (section 9.5.1). So may `cbcs` and `cens` ranges, whose trailing part stays clear
/// (section 9.6.1); section 10.3 asks writers of `cens` for whole blocks, but what a file that has
/// others means is not in doubt. Nor need a whole sample be aligned (sections 9.4.3 and 9.7).
///
/// # Errors
///
/// The first of, in this order: [`CencError::IvSize`], [`CencError::PatternRange`],
/// [`CencError::PatternNotAllowed`], [`CencError::PatternEncryptsNothing`],
/// [`CencError::PartialBlock`] or [`CencError::SubsampleOverflow`] by position in the table,
/// [`CencError::SubsampleTotal`].
pub fn check<I>(
    scheme: Scheme,
    pattern: Pattern,
    iv_size: usize,
    sample_size: u64,
    subsamples: Option<I>,
) -> Result<(), CencError>
where
    I: IntoIterator<Item = Subsample>,
{
    iv_size_known(iv_size)?;
    pattern_fits(scheme, pattern)?;
    let Some(subsamples) = subsamples else {
        return Ok(());
    };
    let mut covered = 0_u64;
    for Subsample { clear, protected } in subsamples {
        range_fits(scheme, protected.into())?;
        covered = add(covered, clear, protected, sample_size)?;
    }
    if covered != sample_size {
        return Err(CencError::SubsampleTotal {
            covered,
            sample: sample_size,
        });
    }
    Ok(())
}

/// The bytes covered up to and with one more entry.
fn add(covered: u64, clear: u32, protected: u32, sample: u64) -> Result<u64, CencError> {
    covered
        .checked_add(clear.into())
        .and_then(|sum| sum.checked_add(protected.into()))
        .ok_or(CencError::SubsampleOverflow { sample })
}

/// The counter block or chain start that an IV stands for: 8 bytes are the upper half, the lower
/// half is zero; 16 bytes are taken as they are (section 9.1, for per-sample and constant IVs).
pub(crate) fn expand_iv(iv: &[u8]) -> Result<Block, CencError> {
    if let Ok(full) = <[u8; 16]>::try_from(iv) {
        return Ok(full.into());
    }
    let upper = <[u8; 8]>::try_from(iv).map_err(|_| CencError::IvSize { found: iv.len() })?;
    Ok((u128::from(u64::from_be_bytes(upper)) << 64)
        .to_be_bytes()
        .into())
}

/// Sizes that `tenc` and `seig` can state for a protected sample.
fn iv_size_known(size: usize) -> Result<(), CencError> {
    match size {
        8 | 16 => Ok(()),
        found => Err(CencError::IvSize { found }),
    }
}

/// Pattern counts against their field and against the scheme.
pub(crate) fn pattern_fits(scheme: Scheme, pattern: Pattern) -> Result<(), CencError> {
    let Pattern { crypt, skip } = pattern;
    if crypt > 15 || skip > 15 {
        return Err(CencError::PatternRange { crypt, skip });
    }
    match (scheme, crypt, skip) {
        (_, 0, 0) => Ok(()),
        (Scheme::Cenc | Scheme::Cbc1, ..) => Err(CencError::PatternNotAllowed {
            scheme,
            crypt,
            skip,
        }),
        (_, 0, _) => Err(CencError::PatternEncryptsNothing { skip }),
        _ => Ok(()),
    }
}

/// The length of one subsample's protected range against the scheme.
pub(crate) fn range_fits(scheme: Scheme, protected: u64) -> Result<(), CencError> {
    if scheme == Scheme::Cbc1 && !protected.is_multiple_of(16) {
        return Err(CencError::PartialBlock { protected });
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! Subsample tables and the decryption of samples.

use arbitrary::{Result, Unstructured};
use keybearer_cenc::{CencError, ContentKey, Pattern, SampleProtection, Scheme, Subsample, check};

use crate::Seed;
use crate::reference::Protected;
use crate::verdict::{Verdict, claim};

const SCHEMES: [Scheme; 4] = [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs];
/// Largest sample: many turns of any pattern, and small enough for the reference.
const MAX_SAMPLE: usize = 4096;
/// What the sample's bytes are where the input gives none.
const FILLING: u8 = 0xa5;

/// A sample with its key and its cuts.
#[derive(Debug)]
struct Case {
    protected: Protected,
    key: [u8; 16],
    data: Vec<u8>,
    /// Where the sample is cut when it is fed in pieces.
    cuts: Vec<u8>,
}

impl Case {
    fn take(u: &mut Unstructured<'_>) -> Result<Self> {
        let scheme = SCHEMES[usize::from(u.arbitrary::<u8>()?) % SCHEMES.len()];
        let (crypt, skip) = (u.arbitrary()?, u.arbitrary()?);
        let iv = u.arbitrary::<[u8; 16]>()?;
        // Mostly of a size that there is.
        let iv_size = [8, 16, 16, 8, 0, 7, 15, 8][usize::from(u.arbitrary::<u8>()? % 8)];
        let key = u.arbitrary()?;
        let size = usize::from(u.arbitrary::<u16>()?) % MAX_SAMPLE;
        let entries = u.arbitrary::<u8>()?;
        let mut table = (entries > 0).then(Vec::new);
        let mut left = size;
        for entry in 1..entries {
            // The sizes as they come, or cut to what the sample has.
            let (form, clear, protected) = (u.arbitrary::<u8>()?, u.arbitrary()?, u.arbitrary()?);
            let (clear, protected) = sizes(form, clear, protected, &mut left, entry + 1 == entries);
            table
                .get_or_insert_default()
                .push(Subsample { clear, protected });
        }
        let cuts = (0..8).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        let mut data = u.bytes(u.len())?.to_vec();
        data.resize(size, FILLING);
        let iv = iv[..iv_size].to_vec();
        Ok(Self {
            protected: Protected {
                scheme,
                pattern: Pattern { crypt, skip },
                iv,
                table,
            },
            key,
            data,
            cuts,
        })
    }

    fn iter(&self) -> Option<impl Iterator<Item = Subsample> + '_> {
        let table = self.protected.table.as_ref();
        table.map(|table| table.iter().copied())
    }
}

/// One entry's sizes. Even forms fit the sample, as most tables do that come near anything; the
/// last entry then takes what is left.
fn sizes(form: u8, clear: u32, protected: u32, left: &mut usize, last: bool) -> (u32, u32) {
    if form % 2 == 1 {
        return (clear, protected);
    }
    let room = u32::try_from(*left).unwrap_or(u32::MAX);
    let clear = clear % (room + 1);
    let room = room - clear;
    let protected = match form % 8 {
        _ if last => room,
        0 => protected % (room + 1),
        _ => protected % (room + 1) / 16 * 16,
    };
    *left = left.saturating_sub((clear + protected) as usize);
    (clear, protected)
}

/// **Claim**: a sample is decrypted exactly when its parameters and its table are sound by the
/// standard's prose, and [`check`] says beforehand which; it then becomes what the reference makes of
/// it, byte for byte, in one go and in pieces; and what is refused is left as it was.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    // Inputs that end too early are padded with zeros; nothing is left out.
    let Ok(case) = Case::take(&mut Unstructured::new(data)) else {
        return;
    };
    judge(&case, &in_one_go).unwrap_or_else(|words| panic!("{words}: {case:x?}"));
}

/// A way of decrypting a sample as a whole.
type Decrypt = dyn Fn(&Case, &mut [u8]) -> std::result::Result<(), CencError>;

/// The same about any of them.
fn judge(case: &Case, decrypt: &Decrypt) -> Verdict {
    let sound = case.protected.sound(case.data.len());
    let mut clear = case.data.clone();
    if sound {
        case.protected.decrypt(&case.key, &mut clear);
    }
    let checked = check(
        case.protected.scheme,
        case.protected.pattern,
        case.protected.iv.len(),
        case.data.len() as u64,
        case.iter(),
    );
    claim!(
        checked.is_ok() == sound,
        "checked as {checked:?}, by the standard {sound}"
    );
    let mut data = case.data.clone();
    let decrypted = decrypt(case, &mut data);
    claim!(
        decrypted == checked,
        "decrypted as {decrypted:?}, checked as {checked:?}"
    );
    claim!(data == clear, "other bytes than the reference's");
    if sound {
        let mut data = case.data.clone();
        let pieces = in_pieces(case, &mut data);
        claim!(pieces.is_ok(), "refused in pieces: {pieces:?}");
        claim!(data == clear, "other bytes in pieces");
    }
    Ok(())
}

fn in_one_go(case: &Case, data: &mut [u8]) -> std::result::Result<(), CencError> {
    let protection = SampleProtection {
        scheme: case.protected.scheme,
        pattern: case.protected.pattern,
        iv: &case.protected.iv,
        subsamples: case.protected.table.as_deref(),
    };
    ContentKey::new(&case.key).decrypt_sample(&protection, data)
}

/// Feeds each range in pieces of whole blocks, as many as the cuts say.
fn in_pieces(case: &Case, data: &mut [u8]) -> std::result::Result<(), CencError> {
    let key = ContentKey::new(&case.key);
    let Protected {
        scheme,
        pattern,
        iv,
        table,
    } = &case.protected;
    let mut sample = key.sample(*scheme, *pattern, iv)?;
    let mut cuts = case.cuts.iter().cycle();
    let mut feed = |sample: &mut keybearer_cenc::SampleDecryptor<'_>, mut range: &mut [u8]| {
        while !range.is_empty() {
            let blocks = 16 * usize::from(*cuts.next().unwrap_or(&1));
            let (piece, rest) = range.split_at_mut(blocks.clamp(16, 1024).min(range.len()));
            sample.piece(piece)?;
            range = rest;
        }
        Ok::<_, CencError>(())
    };
    let Some(table) = table else {
        sample.whole(data.len() as u64)?;
        return feed(&mut sample, data);
    };
    let mut rest = data;
    for entry in table {
        let (_, behind) = rest.split_at_mut(entry.clear as usize);
        let (range, behind) = behind.split_at_mut(entry.protected as usize);
        sample.range(entry.protected.into())?;
        feed(&mut sample, range)?;
        rest = behind;
    }
    Ok(())
}

/// Each scheme, whole and in subsamples, with the patterns that packagers write.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for scheme in 0..4_u8 {
        for (name, crypt, skip) in [
            ("plain", 0, 0),
            ("1-9", 1, 9),
            ("5-5", 5, 5),
            ("10-0", 10, 0),
        ] {
            if scheme % 2 == 0 && crypt != 0 {
                continue;
            }
            for (kind, entries) in [("whole", 0_u8), ("table", 4)] {
                let mut bytes = vec![scheme, crypt, skip];
                // The counter wraps soon, in both halves.
                bytes.extend([0xff; 16]);
                bytes.push(1);
                bytes.extend([0x3c; 16]);
                bytes.extend(700_u16.to_le_bytes());
                bytes.push(entries);
                for _ in 1..entries {
                    bytes.push(2);
                    bytes.extend(9_u32.to_le_bytes());
                    bytes.extend(210_u32.to_le_bytes());
                }
                bytes.extend([1, 2, 0, 5, 1, 1, 3, 40]);
                bytes.extend((0..64).map(|at: u8| at.wrapping_mul(37)));
                let scheme = SCHEMES[usize::from(scheme)];
                seeds.push(Seed::new(&format!("{scheme}-{name}-{kind}"), bytes));
            }
        }
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases() -> Vec<Case> {
        let case = |seed: Seed| Case::take(&mut Unstructured::new(&seed.bytes));
        seeds()
            .into_iter()
            .map(|seed| case(seed).expect("enough bytes"))
            .collect()
    }

    /// Every seed but those whose last entry cannot be aligned for `cbc1` is sound.
    #[test]
    fn the_seeds_reach_the_ciphers() {
        let sound = |case: &Case| case.protected.sound(case.data.len());
        let sound = cases().iter().filter(|case| sound(case)).count();
        assert!(sound + 1 >= cases().len(), "{sound}");
    }

    #[test]
    fn wrong_decryption_is_found_out() {
        let forgetful = |case: &Case, data: &mut [u8]| {
            let mut other = Case::take(&mut Unstructured::new(&[])).expect("zeros");
            other.protected = case.protected.clone();
            other.protected.iv[7] ^= 1;
            other.key = case.key;
            in_one_go(&other, data)
        };
        let keen = |case: &Case, data: &mut [u8]| {
            let result = in_one_go(case, data);
            if result.is_err() {
                data.fill(0);
            }
            result
        };
        for case in &cases() {
            let sound = case.protected.sound(case.data.len());
            assert_eq!(judge(case, &forgetful).is_err(), sound, "{case:x?}");
        }
        // A refusal that has touched the sample, and one that is none.
        let mut case = cases().swap_remove(1);
        case.protected.table.get_or_insert_default().pop();
        assert!(judge(&case, &in_one_go).is_ok());
        assert!(judge(&case, &keen).is_err());
        assert!(judge(&case, &|_, _| Ok(())).is_err());
    }
}

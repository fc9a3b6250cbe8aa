//! The strict codec against `ciborium`.

use ciborium::Value;
use keybearer_cbor::{Decoder, Encoder, Error, Kind, MAX_DEPTH, decode, encode};

use crate::Seed;
use crate::verdict::{Verdict, bytes as count, claim, peak};

/// Largest input read.
const CAP: usize = 1 << 16;

/// **Claim**: an input is accepted exactly when it is the one deterministic encoding of an item
/// within the profile by `ciborium`'s account; both readers then find the same item; it encodes to
/// the same bytes again; and reading holds no more than the tables of eight nested arrays that each
/// claim to have as many items as there are bytes.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    judge(data, &|bytes| decode(bytes, CAP, read)).unwrap_or_else(|words| panic!("{words}"));
}

/// The same about any reader of items.
pub(crate) fn judge(data: &[u8], reader: &dyn Fn(&[u8]) -> Result<Value, Error>) -> Verdict {
    let (ours, peak) = peak(|| reader(data));
    let table = count(data.len() * size_of::<Value>());
    let bound = count(MAX_DEPTH) * table + 1024;
    claim!(peak <= bound, "{peak} bytes of memory, at most {bound}");
    if data.len() > CAP {
        claim!(ours.is_err(), "read beyond the cap");
        return Ok(());
    }
    let theirs = deterministic(data);
    claim!(
        ours.as_ref().ok() == theirs.as_ref(),
        "read as {ours:?}, by ciborium as {theirs:?}"
    );
    claim!(
        decode(data, CAP, Decoder::raw).is_ok() == ours.is_ok(),
        "judged otherwise when passed over"
    );
    if let Ok(value) = ours {
        let again = encode(CAP, |e| write(e, &value));
        claim!(again.as_deref() == Ok(data), "written again as {again:?}");
    }
    Ok(())
}

/// Reads any item with the strict decoder.
fn read(d: &mut Decoder<'_>) -> Result<Value, Error> {
    Ok(match d.kind()? {
        Kind::Uint => d.uint()?.into(),
        Kind::Negative => negative(d.raw()?)?,
        Kind::Bytes => Value::Bytes(d.bytes(CAP)?.into()),
        Kind::Text => Value::Text(d.text(CAP)?.into()),
        Kind::Bool => Value::Bool(d.bool()?),
        Kind::Null => {
            d.null()?;
            Value::Null
        }
        Kind::Array => Value::Array(d.list(CAP, read)?),
        Kind::Map => Value::Map(d.map(|m| {
            let mut entries = Vec::new();
            while let Some(entry) = m.any(|key, d| Ok((key.into(), read(d)?)))? {
                entries.push(entry);
            }
            Ok(entries)
        })?),
    })
}

/// A negative integer; those below -2^63 are accepted as items and have no method to read them.
fn negative(item: &[u8]) -> Result<Value, Error> {
    match decode(item, CAP, Decoder::int) {
        Ok(number) => Ok(number.into()),
        Err(Error::Range) => ciborium::from_reader(item).map_err(|_| Error::Type),
        Err(other) => Err(other),
    }
}

/// Writes any item with the strict encoder.
fn write(e: &mut Encoder, value: &Value) -> Result<(), Error> {
    match value {
        Value::Integer(number) => match (u64::try_from(*number), i64::try_from(*number)) {
            (Ok(number), _) => e.uint(number),
            (_, Ok(number)) => e.int(number),
            _ => e.raw(&by_ciborium(value)),
        },
        Value::Bytes(bytes) => e.bytes(bytes),
        Value::Text(text) => e.text(text),
        Value::Bool(value) => e.bool(*value),
        Value::Null => e.null(),
        Value::Array(items) => e.list(items, write),
        Value::Map(entries) => e.map(|m| {
            entries.iter().try_for_each(|(key, value)| {
                let key = key.as_integer().and_then(|key| i64::try_from(key).ok());
                m.entry(key.ok_or(Error::KeyType)?, |e| write(e, value))
            })
        }),
        _ => Err(Error::Type),
    }
}

fn by_ciborium(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a vector takes everything");
    bytes
}

/// `ciborium`'s reading, if the input is one item of the profile in the only encoding it has.
fn deterministic(data: &[u8]) -> Option<Value> {
    let value: Value = ciborium::from_reader(data).ok()?;
    (by_ciborium(&value) == data && in_profile(&value, 0)).then_some(value)
}

fn in_profile(value: &Value, depth: usize) -> bool {
    match value {
        Value::Integer(_) | Value::Bytes(_) | Value::Text(_) | Value::Bool(_) | Value::Null => true,
        Value::Array(items) => {
            depth < MAX_DEPTH && items.iter().all(|item| in_profile(item, depth + 1))
        }
        Value::Map(entries) => {
            let keys: Vec<_> = entries.iter().map(|(key, _)| by_ciborium(key)).collect();
            depth < MAX_DEPTH
                && keys.is_sorted_by(|a, b| a < b)
                && entries.iter().all(|(key, value)| {
                    key.as_integer()
                        .is_some_and(|key| i64::try_from(key).is_ok())
                        && in_profile(value, depth + 1)
                })
        }
        _ => false,
    }
}

/// One of each type, nesting, and what the decoder refuses for a reason of its own.
pub(crate) fn seeds() -> Vec<Seed> {
    let hex = [
        ("uint", "1903e8"),
        ("negative-wide", "3bffffffffffffffff"),
        ("bytes", "4401020304"),
        ("text", "6449455446"),
        ("nested", "8301820203820405"),
        ("map", "a301f502f42063666f6f"),
        ("deep", "8181818181818180"),
        ("too-deep", "818181818181818180"),
        ("null", "f6"),
        ("not-shortest", "1800"),
        ("indefinite", "9f01ff"),
        ("unordered", "a220010102"),
        ("duplicate", "a201010101"),
        ("tag", "c074323031332d30332d32315432303a30343a30305a"),
        ("float", "f90000"),
        ("count-beyond", "9b0000000100000000"),
    ];
    hex.into_iter()
        .map(|(name, hex)| Seed::new(name, hex::decode(hex).expect("hexadecimal digits")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ciborium` takes what is not deterministic, so it cannot pass for the strict reader.
    #[test]
    fn a_lenient_reader_is_found_out() {
        let lenient = |bytes: &[u8]| ciborium::from_reader(bytes).map_err(|_| Error::Type);
        assert!(judge(&[0x18, 0x17], &lenient).is_err());
        assert!(judge(&[0x17], &lenient).is_ok());
    }

    #[test]
    fn a_reader_that_misreads_or_refuses_too_much_is_found_out() {
        assert!(judge(&[0x17], &|_| Ok(Value::Null)).is_err());
        assert!(judge(&[0x17], &|_| Err(Error::Type)).is_err());
    }

    #[test]
    fn a_greedy_reader_is_found_out() {
        let greedy = |bytes: &[u8]| {
            std::hint::black_box(vec![0_u8; 1 << 13]);
            decode(bytes, CAP, read)
        };
        assert!(judge(&[0x17], &greedy).is_err_and(|words| words.contains("memory")));
    }
}

//! ciborium as an independent reader and writer: what is accepted here means the same there and
//! has no second encoding, and nothing deterministic is refused.

use alloc::string::String;
use alloc::vec::Vec;

use ciborium::Value;
use proptest::prelude::*;

use crate::{Decoder, Encoder, Error, Kind, MAX_DEPTH, decode, encode, key_order};

const CAP: usize = 1 << 16;

/// Items of this profile as ciborium has them, maps already in order.
fn items() -> impl Strategy<Value = Value> {
    let integers = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Close to the places where the head grows.
        prop_oneof![Just(0_i64), Just(23), Just(255), Just(65535), Just(1 << 32)]
            .prop_flat_map(|edge| (edge - 2..edge + 3).prop_map(Value::from)),
    ];
    let leaves = prop_oneof![
        4 => integers,
        2 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        2 => any::<String>().prop_map(Value::Text),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    let depth = u32::try_from(MAX_DEPTH).expect("small");
    leaves.prop_recursive(depth, 64, 30, |inner| {
        let key = prop_oneof![-30_i64..30, any::<i64>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..30).prop_map(Value::Array),
            proptest::collection::vec((key, inner), 0..30).prop_map(|mut entries| {
                entries.sort_by(|a, b| key_order(a.0, b.0));
                entries.dedup_by_key(|entry| entry.0);
                Value::Map(entries.into_iter().map(|(k, v)| (k.into(), v)).collect())
            }),
        ]
    })
}

/// Writes `value` with this crate.
fn write(e: &mut Encoder, value: &Value) -> Result<(), Error> {
    match value {
        Value::Integer(n) => match (u64::try_from(*n), i64::try_from(*n)) {
            (Ok(n), _) => e.uint(n),
            (_, Ok(n)) => e.int(n),
            // Below -2^63 there is no method to write with; the item is taken as it is.
            _ => e.raw(&with_ciborium(value)),
        },
        Value::Bytes(bytes) => e.bytes(bytes),
        Value::Text(text) => e.text(text),
        Value::Bool(value) => e.bool(*value),
        Value::Null => e.null(),
        Value::Array(items) => e.list(items, write),
        Value::Map(entries) => e.map(|m| {
            entries.iter().try_for_each(|(key, value)| {
                let key = key.as_integer().and_then(|n| i64::try_from(n).ok());
                m.entry(key.ok_or(Error::KeyType)?, |e| write(e, value))
            })
        }),
        _ => Err(Error::Type),
    }
}

/// Reads any item with this crate.
fn read(d: &mut Decoder<'_>) -> Result<Value, Error> {
    Ok(match d.kind()? {
        Kind::Uint => d.uint()?.into(),
        Kind::Negative => {
            let item = d.raw()?;
            match decode(item, CAP, Decoder::int) {
                Ok(n) => n.into(),
                Err(_) => ciborium::from_reader(item).expect("an integer below -2^63"),
            }
        }
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

fn with_ciborium(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a vector takes everything");
    bytes
}

/// Whether `value` belongs to the profile, by ciborium's account alone.
fn in_profile(value: &Value, depth: usize) -> bool {
    match value {
        Value::Integer(_) | Value::Bytes(_) | Value::Text(_) | Value::Bool(_) | Value::Null => true,
        Value::Array(items) => {
            depth < MAX_DEPTH && items.iter().all(|item| in_profile(item, depth + 1))
        }
        Value::Map(entries) => {
            let keys: Vec<_> = entries.iter().map(|(key, _)| with_ciborium(key)).collect();
            depth < MAX_DEPTH
                && keys.is_sorted_by(|a, b| a < b)
                && entries.iter().all(|(key, value)| {
                    key.as_integer().is_some_and(|n| i64::try_from(n).is_ok())
                        && in_profile(value, depth + 1)
                })
        }
        _ => false,
    }
}

/// ciborium's reading of `bytes`, if they are one item in the only encoding it has.
fn deterministic(bytes: &[u8]) -> Option<Value> {
    let value: Value = ciborium::from_reader(bytes).ok()?;
    (with_ciborium(&value) == bytes && in_profile(&value, 0)).then_some(value)
}

/// Both readers have to agree about `bytes`, whatever they are.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = decode(bytes, CAP, read);
    prop_assert_eq!(decode(bytes, CAP, Decoder::raw).err(), ours.clone().err());
    prop_assert_eq!(ours.clone().ok(), deterministic(bytes));
    if let Ok(value) = ours {
        prop_assert_eq!(encode(CAP, |e| write(e, &value)), Ok(bytes.to_vec()));
    }
    Ok(())
}

/// A change to valid bytes: at a place, one of flip, insert, remove, cut, widen a head.
fn mutate(bytes: &mut Vec<u8>, (place, kind, byte): (usize, u8, u8)) {
    let place = place % (bytes.len() + 1);
    match (kind % 5, bytes.get(place).copied()) {
        (0, Some(old)) => bytes[place] = old ^ byte,
        (1, _) => bytes.insert(place, byte),
        (2, Some(_)) => {
            bytes.remove(place);
        }
        (3, _) => bytes.truncate(place),
        (_, Some(old)) if old & 0x1f < 24 => {
            bytes[place] = old & 0xe0 | 24;
            bytes.insert(place + 1, old & 0x1f);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn items_mean_the_same_to_both(value in items()) {
        let bytes = encode(CAP, |e| write(e, &value)).expect("generated within the profile");
        prop_assert_eq!(&bytes, &with_ciborium(&value));
        prop_assert_eq!(decode(&bytes, CAP, read), Ok(value));
    }

    #[test]
    fn mutated_bytes_are_judged_alike(
        value in items(),
        changes in proptest::collection::vec(any::<(usize, u8, u8)>(), 1..4),
    ) {
        let mut bytes = with_ciborium(&value);
        for change in changes {
            mutate(&mut bytes, change);
        }
        agree(&bytes)?;
    }

    #[test]
    fn random_bytes_are_judged_alike(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
        agree(&bytes)?;
    }

    #[test]
    fn key_order_is_that_of_the_bytes(a in any::<i64>(), b in any::<i64>()) {
        let [a_bytes, b_bytes] = [a, b].map(|key| with_ciborium(&key.into()));
        prop_assert_eq!(key_order(a, b), a_bytes.cmp(&b_bytes));
    }
}

/// All inputs of one, two and three bytes: small enough to leave nothing to chance.
#[test]
fn short_inputs_are_judged_alike() {
    let judge = |bytes: &[u8]| {
        agree(bytes).unwrap_or_else(|error| panic!("{bytes:02x?}: {error}"));
    };
    for first in 0..=255 {
        judge(&[first]);
        for second in 0..=255 {
            judge(&[first, second]);
            for third in 0..=255 {
                judge(&[first, second, third]);
            }
        }
    }
}

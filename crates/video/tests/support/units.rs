//! NAL units put together as a container holds them.

/// An access unit of these NAL units, with length fields of four bytes.
pub(crate) fn with_lengths<N: AsRef<[u8]>>(nals: &[N]) -> Vec<u8> {
    let mut unit = Vec::new();
    for nal in nals {
        let nal = nal.as_ref();
        unit.extend(u32::try_from(nal.len()).unwrap().to_be_bytes());
        unit.extend(nal);
    }
    unit
}

/// A configuration record of these parameter sets.
pub(crate) fn record(sequence: &[Vec<u8>], picture: &[Vec<u8>]) -> Vec<u8> {
    let mut record = vec![
        1,
        0,
        0,
        0,
        0xff,
        0xe0 | u8::try_from(sequence.len()).unwrap(),
    ];
    if let Some(set) = sequence.first() {
        record[1..4].copy_from_slice(&set[1..4]);
    }
    let add = |sets: &[Vec<u8>], record: &mut Vec<u8>| {
        for set in sets {
            record.extend(u16::try_from(set.len()).unwrap().to_be_bytes());
            record.extend(set);
        }
    };
    add(sequence, &mut record);
    record.push(u8::try_from(picture.len()).unwrap());
    add(picture, &mut record);
    record
}

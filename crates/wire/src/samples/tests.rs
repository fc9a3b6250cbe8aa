use alloc::vec;

use super::*;

/// One sample record with a recognisable IV.
fn record(size: u32, subsamples: u32) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0xa0..0xb0).collect();
    bytes.extend(size.to_be_bytes());
    bytes.extend(subsamples.to_be_bytes());
    bytes
}

/// Subsample records in the form of the table.
fn pairs(list: &[(u32, u32)]) -> Vec<u8> {
    list.iter()
        .flat_map(|(c, p)| [c.to_be_bytes(), p.to_be_bytes()])
        .flatten()
        .collect()
}

fn refusal(samples: &[u8], subsamples: &[u8]) -> Status {
    SampleTable::parse(samples, subsamples).expect_err("the table is one to refuse")
}

#[test]
fn a_table_reads_as_it_was_built() {
    let mut builder = SampleTableBuilder::default();
    assert!(builder.is_empty());
    let two = [
        SubsampleEntry {
            clear: 5,
            protected: 96,
        },
        SubsampleEntry {
            clear: 1,
            protected: 0x0102_0304,
        },
    ];
    builder.push(&[7; 8], 0x0102_0367, two.into_iter()).unwrap();
    assert!(!builder.is_empty());
    builder.push(&[9; 16], 33, [].into_iter()).unwrap();
    builder.push(&[], 40, two[..1].iter().copied()).unwrap();
    assert_eq!(
        (builder.len(), builder.total_size()),
        (3, 0x0102_0367 + 33 + 40)
    );

    let table = SampleTable::parse(builder.samples(), builder.subsamples()).unwrap();
    assert_eq!((table.len(), table.is_empty()), (3, false));
    assert_eq!(table.total_size(), builder.total_size());
    let read: Vec<(SampleEntry, Vec<SubsampleEntry>)> = table
        .iter()
        .map(|(sample, own)| (sample, own.collect()))
        .collect();
    let mut short_iv = [0; 16];
    short_iv[..8].fill(7);
    assert_eq!(
        read,
        [
            (
                SampleEntry {
                    iv: short_iv,
                    size: 0x0102_0367,
                    subsamples: 2
                },
                two.to_vec()
            ),
            (
                SampleEntry {
                    iv: [9; 16],
                    size: 33,
                    subsamples: 0
                },
                vec![]
            ),
            (
                SampleEntry {
                    iv: [0; 16],
                    size: 40,
                    subsamples: 1
                },
                vec![two[0]]
            ),
        ]
    );

    builder.clear();
    assert!(builder.is_empty() && builder.subsamples().is_empty());
    assert_eq!(builder.total_size(), 0);
}

/// Pins the layout that the module's table describes.
#[test]
fn records_are_big_endian_and_of_fixed_layout() {
    let mut builder = SampleTableBuilder::default();
    let iv: Vec<u8> = (0xa0..0xb0).collect();
    builder
        .push(
            &iv,
            0x0a0b,
            [SubsampleEntry {
                clear: 1,
                protected: 2,
            }]
            .into_iter(),
        )
        .unwrap();
    assert_eq!(builder.samples(), record(0x0a0b, 1));
    assert_eq!(builder.subsamples(), [0, 0, 0, 1, 0, 0, 0, 2]);
}

#[test]
fn partial_sample_records_are_refused() {
    let mut bytes = record(1, 0);
    bytes.push(0);
    assert_eq!(refusal(&bytes, &[]), Status::BadSampleTable);
    assert_eq!(refusal(&bytes[..23], &[]), Status::BadSampleTable);
}

#[test]
fn partial_subsample_records_are_refused() {
    assert_eq!(refusal(&record(1, 1), &[0; 7]), Status::BadSampleTable);
    assert_eq!(refusal(&record(1, 1), &[0; 9]), Status::BadSampleTable);
}

#[test]
fn an_empty_table_is_refused() {
    assert_eq!(refusal(&[], &[]), Status::BadSampleTable);
    assert_eq!(refusal(&[], &[0; 8]), Status::BadSampleTable);
}

#[test]
fn subsamples_that_no_sample_claims_are_refused() {
    assert_eq!(
        refusal(&record(9, 1), &pairs(&[(1, 2), (3, 4)])),
        Status::BadSampleTable
    );
}

#[test]
fn subsamples_that_do_not_exist_are_refused() {
    assert_eq!(
        refusal(&record(9, 2), &pairs(&[(1, 2)])),
        Status::BadSampleTable
    );
    assert_eq!(
        refusal(&record(9, u32::MAX), &pairs(&[(1, 2)])),
        Status::BadSampleTable
    );
    // The first sample leaves the second nothing.
    let both = [record(9, 1), record(9, 1)].concat();
    assert_eq!(refusal(&both, &pairs(&[(1, 2)])), Status::BadSampleTable);
}

#[test]
fn more_samples_than_the_limit_are_refused() {
    let full = record(1, 0).repeat(MAX_SAMPLES);
    assert_eq!(SampleTable::parse(&full, &[]).unwrap().len(), MAX_SAMPLES);
    let over = record(1, 0).repeat(MAX_SAMPLES + 1);
    assert_eq!(refusal(&over, &[]), Status::LimitExceeded);
}

#[test]
fn more_subsamples_than_the_limit_are_refused() {
    let full = pairs(&[(1, 0)]).repeat(MAX_SUBSAMPLES);
    let count = u32::try_from(MAX_SUBSAMPLES).unwrap();
    assert!(SampleTable::parse(&record(1, count), &full).is_ok());
    let over = pairs(&[(1, 0)]).repeat(MAX_SUBSAMPLES + 1);
    assert_eq!(refusal(&record(1, count + 1), &over), Status::LimitExceeded);
}

/// 2048 samples of 4 GiB each would overflow the 32-bit `usize` of a small trusted side; here the
/// sum must come out exact instead.
#[test]
fn sizes_add_up_without_wrapping() {
    let full = record(u32::MAX, 0).repeat(MAX_SAMPLES);
    match SampleTable::parse(&full, &[]) {
        Ok(table) => assert_eq!(table.total_size() as u128, u128::from(u32::MAX) * 2048),
        Err(status) => assert_eq!((usize::BITS, status), (32, Status::BadSampleTable)),
    }
}

#[test]
fn a_full_builder_refuses_and_stays_as_it_was() {
    let one = SubsampleEntry {
        clear: 0,
        protected: 1,
    };
    let mut builder = SampleTableBuilder::default();
    for _ in 0..MAX_SAMPLES {
        builder.push(&[0; 8], 1, [].into_iter()).unwrap();
    }
    assert_eq!(
        builder.push(&[0; 8], 1, [].into_iter()),
        Err(Status::LimitExceeded)
    );
    assert_eq!(
        (builder.len(), builder.total_size()),
        (MAX_SAMPLES, MAX_SAMPLES)
    );

    builder.clear();
    builder
        .push(&[], 8, vec![one; MAX_SUBSAMPLES - 1].into_iter())
        .unwrap();
    let before = builder.clone();
    assert_eq!(
        builder.push(&[], 8, vec![one; 2].into_iter()),
        Err(Status::LimitExceeded)
    );
    assert_eq!(
        builder.push(&[0; 17], 8, [].into_iter()),
        Err(Status::WrongIv)
    );
    assert_eq!(builder.samples(), before.samples());
    assert_eq!(builder.subsamples(), before.subsamples());
    assert_eq!(builder.total_size(), before.total_size());
}

#[test]
fn a_table_is_built_as_large_as_one_may_be() {
    let entry = SubsampleEntry {
        clear: 1,
        protected: 0,
    };
    let all = core::iter::repeat_n(entry, MAX_SUBSAMPLES);
    let mut builder = SampleTableBuilder::default();
    let size = u32::try_from(MAX_SUBSAMPLES).unwrap();
    builder.push(&[7; 8], size, all).unwrap();
    let one = [entry].into_iter();
    assert_eq!(builder.push(&[7; 8], 1, one), Err(Status::LimitExceeded));
}

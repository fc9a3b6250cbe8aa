use super::*;

const RECORD: &[u8] = &[
    1, 100, 0, 13, 0xff, 0xe2, 0, 2, 0x67, 1, 0, 1, 0x67, 1, 0, 3, 0x68, 2, 3, 0xfd, 0xf8,
];

#[test]
fn a_record_names_its_sets_and_its_length_field() {
    let record = Record::parse(RECORD).unwrap();
    assert_eq!(record.length_size, 4);
    let kinds: Vec<_> = record.sets.iter().map(|set| set.kind).collect();
    assert_eq!(kinds, [7, 7, 8]);
}

#[test]
fn every_truncation_within_the_sets_is_refused() {
    for length in 0..RECORD.len() - 2 {
        assert!(Record::parse(&RECORD[..length]).is_err(), "{length}");
    }
}

#[test]
fn another_version_length_size_or_kind_of_set_is_refused() {
    for (place, value) in [(0, 2), (4, 0xfe), (8, 0x68), (16, 0x67), (8, 0xe7)] {
        let mut record = RECORD.to_vec();
        record[place] = value;
        assert_eq!(
            Record::parse(&record).err(),
            Some(Refusal::ContentRejected),
            "byte {place} = {value:#x}"
        );
    }
}

use alloc::vec;

use super::*;

fn payload(bytes: &[u8]) -> Vec<u8> {
    Nal::new(bytes).unwrap().payload(100).unwrap()
}

#[test]
fn the_header_is_read_and_the_forbidden_bit_refused() {
    let nal = Nal::new(&[0x65, 1, 2]).unwrap();
    assert_eq!((nal.ref_idc, nal.kind), (3, Nal::IDR));
    assert!(Nal::new(&[0xe5, 1]).is_err());
    assert!(Nal::new(&[]).is_err());
}

#[test]
fn emulation_prevention_bytes_go_and_nothing_else() {
    assert_eq!(payload(&[1, 0, 0, 3, 1]), [0, 0, 1]);
    assert_eq!(payload(&[1, 0, 0, 3, 0, 0, 3, 0, 0, 3]), [0, 0, 0, 0, 0, 0]);
    assert_eq!(payload(&[1, 0, 3, 0, 3]), [0, 3, 0, 3]);
    assert_eq!(payload(&[1, 0, 0, 3, 3]), [0, 0, 3]);
}

#[test]
fn a_payload_above_its_bound_is_refused() {
    let nal = Nal::new(&[1, 2, 3, 4]).unwrap();
    assert!(nal.payload(3).is_ok());
    assert_eq!(nal.payload(2), Err(Refusal::ContentRejected));
}

#[test]
fn units_are_cut_at_their_lengths() {
    for size in [1, 2, 4] {
        let mut unit = vec![0; size - 1];
        unit.extend([2, 0x67, 9]);
        unit.extend(vec![0; size - 1]);
        unit.extend([1, 0x68]);
        let kinds: Vec<_> = split(&unit, size).map(|nal| nal.unwrap().kind).collect();
        assert_eq!(kinds, [Nal::SPS, Nal::PPS]);
    }
    assert_eq!(split(&[], 4).count(), 0);
}

#[test]
fn a_length_that_does_not_fit_ends_the_unit_with_an_error() {
    for unit in [
        &[0_u8, 0, 0][..],
        &[0, 0, 0, 2, 0x67],
        &[0, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x67],
    ] {
        let cut: Vec<_> = split(unit, 4).collect();
        assert_eq!(cut, [Err(Refusal::ContentRejected)], "{unit:?}");
    }
    let trailing: Vec<_> = split(&[0, 1, 0x67, 0], 2).collect();
    assert_eq!(trailing.len(), 2);
    assert!(trailing[0].is_ok() && trailing[1].is_err());
}

use super::*;

#[test]
fn bits_come_from_the_most_significant_end() {
    let mut bits = Bits::new(&[0b1010_0000, 0xff]);
    assert_eq!(bits.flag(), Ok(true));
    assert_eq!(bits.flag(), Ok(false));
    assert_eq!(bits.unsigned(6), Ok(0b10_0000));
    assert_eq!(bits.unsigned(8), Ok(0xff));
    assert_eq!(bits.flag(), Err(Refusal::ContentRejected));
}

/// The codes of ITU-T H.264 table 9-2 and, for signed values, table 9-3.
#[test]
fn exp_golomb_codes_are_those_of_the_standard() {
    // 1 010 011 00100 00101 00110 00111 0001000
    let bytes = [0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0010, 0];
    let mut bits = Bits::new(&bytes);
    for value in 0..8 {
        assert_eq!(bits.exp_golomb(u32::MAX), Ok(value));
    }
    let mut bits = Bits::new(&bytes);
    for value in [0, 1, -1, 2, -2, 3, -3, 4] {
        assert_eq!(bits.signed_exp_golomb(4), Ok(value));
    }
}

#[test]
fn a_value_above_its_range_is_refused() {
    assert_eq!(Bits::new(&[0b0010_1000]).exp_golomb(4), Ok(4));
    assert!(Bits::new(&[0b0010_1000]).exp_golomb(3).is_err());
    assert!(Bits::new(&[0b0010_1000]).signed_exp_golomb(1).is_err());
}

#[test]
fn the_longest_code_is_read_and_a_longer_one_is_refused() {
    // 31 zeros, a one, 31 bits: 2^32 - 2 is the largest value of ue(v).
    let longest = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe];
    assert_eq!(Bits::new(&longest).exp_golomb(u32::MAX), Ok(u32::MAX - 1));
    assert!(Bits::new(&longest).signed_exp_golomb(u32::MAX >> 1).is_ok());
    assert!(
        Bits::new(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff])
            .exp_golomb(u32::MAX)
            .is_err()
    );
    assert!(Bits::new(&[0; 64]).exp_golomb(u32::MAX).is_err());
    assert!(
        Bits::new(&[0, 1]).exp_golomb(u32::MAX).is_err(),
        "cut short"
    );
}

#[test]
fn the_stop_bit_is_not_data() {
    let mut bits = Bits::new(&[0b1100_0000, 0, 0]);
    assert!(bits.more());
    bits.flag().unwrap();
    assert!(!bits.more());
    assert!(!Bits::new(&[0b1000_0000]).more());
    assert!(!Bits::new(&[0, 0]).more());
    assert!(!Bits::new(&[]).more());
    assert!(Bits::new(&[0, 1]).more());
}

use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Variable-length set `id` of sequence `sequence`, as short as there is.
fn picture_set(id: u8, sequence: u8) -> Vec<u8> {
    let code = |value: u8| {
        let value = u32::from(value) + 1;
        let length = 32 - value.leading_zeros();
        (0..2 * length - 1)
            .rev()
            .map(move |place| value >> place & 1 != 0)
            .collect::<Vec<_>>()
    };
    let mut bits = code(id);
    bits.extend(code(sequence));
    // Entropy coding to redundant pictures, and the stop bit.
    bits.extend([false, false, true, true, true, false, false, false]);
    bits.extend([true, true, true, false, false, false, true]);
    let mut bytes = vec![0x68];
    for chunk in bits.chunks(8) {
        bytes.push(
            chunk
                .iter()
                .enumerate()
                .fold(0, |byte, (place, &bit)| byte | u8::from(bit) << (7 - place)),
        );
    }
    bytes
}

fn store(sets: &mut Sets, bytes: &[u8]) -> Read<()> {
    sets.store(&Nal::new(bytes).unwrap(), Budget::of_heap(1 << 20))
}

#[test]
fn the_set_that_came_last_counts() {
    let mut sets = Sets::default();
    store(&mut sets, &picture_set(3, 0)).unwrap();
    store(&mut sets, &picture_set(4, 0)).unwrap();
    store(&mut sets, &picture_set(3, 1)).unwrap();
    assert_eq!(sets.of_sequence(0).count(), 1);
    assert_eq!(sets.of_sequence(1).count(), 1);
    assert_eq!(sets.last_picture().unwrap().set.id, 3);
}

#[test]
fn a_slice_needs_both_of_its_sets() {
    let mut sets = Sets::default();
    assert!(sets.of_slice(0).is_err());
    store(&mut sets, &picture_set(0, 0)).unwrap();
    assert!(sets.of_slice(0).is_err(), "its sequence is missing");
}

#[test]
fn more_bytes_of_sets_than_anyone_needs_are_refused() {
    let mut sets = Sets::default();
    let mut kept = 0;
    for id in 0..=255 {
        let mut long = picture_set(id, 0);
        long.resize(600, 0);
        if store(&mut sets, &long).is_err() {
            break;
        }
        kept += 1;
    }
    assert_eq!(kept, MAX_BYTES / 599);
    // A set in place of one that is there takes no more.
    let mut again = picture_set(0, 0);
    again.resize(600, 0);
    assert!(store(&mut sets, &again).is_ok());
    let mut longer = picture_set(0, 0);
    longer.resize(MAX_PPS + 2, 0);
    assert!(store(&mut sets, &longer).is_err());
}

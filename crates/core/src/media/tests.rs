use super::*;

#[test]
fn nothing_is_reached_outside_a_slot() {
    let mut output = [0; 4];
    let mut media = Buffers {
        input: &[1, 2, 3],
        output: &mut output,
    };
    assert_eq!((media.input_len(), media.output_len()), (3, 4));
    let mut two = [0; 2];
    assert_eq!(media.read(1, &mut two), Ok(()));
    assert_eq!(two, [2, 3]);
    assert_eq!(media.read(2, &mut two), Err(MediaError));
    assert_eq!(media.read(usize::MAX, &mut two), Err(MediaError));
    assert_eq!(media.write(2, &two), Ok(()));
    assert_eq!(media.write(3, &two), Err(MediaError));
    assert_eq!(media.write(usize::MAX, &two), Err(MediaError));
    assert_eq!(output, [0, 0, 2, 3]);
}

#[test]
fn one_buffer_is_both_slots() {
    let mut data = [1, 2, 3];
    let mut media = InPlace(&mut data);
    assert_eq!((media.input_len(), media.output_len()), (3, 3));
    let mut one = [0];
    assert_eq!(media.read(2, &mut one), Ok(()));
    assert_eq!(media.write(0, &one), Ok(()));
    assert_eq!(media.read(3, &mut one), Err(MediaError));
    assert_eq!(media.write(3, &one), Err(MediaError));
    assert_eq!(data, [3, 2, 3]);
}

#[test]
fn no_media_has_no_bytes() {
    let mut media = NoMedia;
    assert_eq!((media.input_len(), media.output_len()), (0, 0));
    assert_eq!(
        (media.read(0, &mut []), media.write(0, &[])),
        (Ok(()), Ok(()))
    );
    assert_eq!(
        (media.read(0, &mut [0]), media.write(0, &[0])),
        (Err(MediaError), Err(MediaError))
    );
}

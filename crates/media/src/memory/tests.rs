use super::{FragmentMemory, MediaData, PAGE};

/// Where in its page the first byte is.
fn in_page(data: &MediaData) -> usize {
    data.bytes().as_ptr().addr() % PAGE
}

fn put(data: &mut MediaData, at: u64, bytes: &[u8]) {
    let room = data.room(bytes.len(), at).expect("there is memory");
    room.copy_from_slice(bytes);
    data.filled(bytes.len());
}

#[test]
fn data_lie_in_a_page_as_they_do_in_the_file() {
    let mut data = MediaData::default();
    for at in [0_u64, 1, 4095, 4096, 70_001, u64::MAX] {
        data.clear();
        put(&mut data, at, &[1; 300]);
        put(&mut data, at.wrapping_add(300), &[2; 9000]);
        assert_eq!(data.len(), 9300);
        assert_eq!(data.bytes()[..300], [1; 300]);
        assert_eq!(data.bytes()[300..], [2; 9000]);
        assert_eq!(data.bytes_mut().len(), 9300);
    }
    // What was too small at first has grown by a page.
    for at in [0_u64, 1, 4095, 70_001] {
        data.clear();
        put(&mut data, at, &[3; 9300]);
        assert_eq!(in_page(&data), usize::try_from(at).expect("small") % PAGE);
    }
}

#[test]
fn they_do_so_in_another_memory_as_well() {
    let mut data = MediaData::default();
    put(&mut data, 123, &[7; 500]);
    data.move_to(Box::new(vec![0; 500 + PAGE]))
        .expect("there is room");
    assert_eq!(in_page(&data), 123);
    assert_eq!(data.bytes(), [7; 500]);
}

#[test]
fn no_memory_grows_for_the_sake_of_it() {
    let full: Box<dyn FragmentMemory> = Box::new(vec![0; 500]);
    let begin = full.bytes().as_ptr();
    let mut data = MediaData::default();
    data.move_to(full).expect("nothing is moved");
    put(&mut data, 1, &[7; 500]);
    assert_eq!(data.capacity(), 500);
    assert_eq!(data.bytes().as_ptr(), begin);
}

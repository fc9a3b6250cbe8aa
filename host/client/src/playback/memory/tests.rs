use super::*;

struct Shared(Vec<u8>);

impl SharedMemory for Shared {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[test]
fn shared_memory_serves_until_more_is_needed_and_own_memory_goes_on_with_what_is_kept() {
    let mut memory = MediaMemory::new(Some(Box::new(Shared(vec![7; 100]))));
    assert_eq!(memory.grow(100, 0), Ok(()));
    assert!(memory.shared.is_some());
    memory.bytes_mut()[..3].copy_from_slice(b"abc");
    assert_eq!(memory.grow(200, 3), Ok(()));
    assert!(memory.shared.is_none());
    assert!(memory.bytes().starts_with(b"abc\0") && memory.bytes().len() >= 200);
    assert_eq!(memory.grow(300, 200), Ok(()));
    assert!(memory.bytes().starts_with(b"abc\0") && memory.bytes().len() >= 300);
}

#[test]
fn memory_that_cannot_be_had_changes_nothing() {
    let mut memory = MediaMemory::new(Some(Box::new(Shared(vec![7; 100]))));
    assert_eq!(memory.grow(usize::MAX, 50), Err(NoMemory));
    assert_eq!(memory.grow(200, 101), Err(NoMemory));
    assert_eq!(memory.bytes(), [7; 100]);
    let mut own = MediaMemory::new(None);
    assert!(own.bytes().is_empty());
    assert_eq!(own.grow(usize::MAX, 0), Err(NoMemory));
}

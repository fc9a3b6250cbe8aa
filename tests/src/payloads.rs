//! What a file carries, for comparison with another file.

/// The payloads of all `mdat` boxes one behind the other, found without the product's help.
///
/// # Panics
/// When the file is not a sequence of boxes with 32-bit sizes, as the samples are.
#[must_use]
pub fn media_data(mut file: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(size) = file.first_chunk() {
        let size = u32::from_be_bytes(*size) as usize;
        let (this, rest) = file
            .split_at_checked(size)
            .expect("a box ends inside its file");
        if this.get(4..8) == Some(b"mdat") {
            out.extend_from_slice(&this[8..]);
        }
        file = rest;
    }
    out
}

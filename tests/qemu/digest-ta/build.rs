//! Header, heap, linker script and libraries, as the trusted applications that ship have them.

fn main() {
    #[cfg(feature = "ta")]
    {
        use keybearer_ta_image::{Image, SECURE_DATA_PATH};
        let image = Image {
            uuid: include_str!("uuid.txt").trim(),
            heap: 128 * 1024,
            stack: 16 * 1024,
            flags: SECURE_DATA_PATH,
        };
        image.build();
    }
}

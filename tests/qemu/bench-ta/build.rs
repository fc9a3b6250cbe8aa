//! Header, heap, linker script and libraries, as the trusted applications that ship have them.

fn main() {
    #[cfg(feature = "ta")]
    {
        use keybearer_ta_image::{INSTANCE_KEEP_ALIVE, Image, MULTI_SESSION, SINGLE_INSTANCE};
        let image = Image {
            uuid: include_str!("uuid.txt").trim(),
            heap: 256 * 1024,
            stack: 64 * 1024,
            flags: SINGLE_INSTANCE | MULTI_SESSION | INSTANCE_KEEP_ALIVE,
        };
        image.build();
    }
}

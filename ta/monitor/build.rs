//! Header, heap, linker script and libraries of the trusted application. The library and its tests
//! need none of this.

fn main() {
    #[cfg(feature = "ta")]
    image::build();
}

#[cfg(feature = "ta")]
mod image {
    use keybearer_ta_image::{INSTANCE_KEEP_ALIVE, Image, MULTI_SESSION, SINGLE_INSTANCE};

    pub(super) fn build() {
        let image = Image {
            uuid: include_str!("uuid.txt").trim(),
            heap: 32 * 1024,
            stack: 16 * 1024,
            // One instance for the test and the key TA: what the one says the other is told.
            flags: SINGLE_INSTANCE | MULTI_SESSION | INSTANCE_KEEP_ALIVE,
        };
        image.build();
    }
}

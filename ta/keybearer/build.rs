//! Header, heap, linker script and libraries of the trusted application. The library and its tests
//! need none of this.

fn main() {
    #[cfg(feature = "ta")]
    image::build();
}

#[cfg(feature = "ta")]
mod image {
    use keybearer_ta_image::{
        INSTANCE_KEEP_ALIVE, Image, MULTI_SESSION, SECURE_DATA_PATH, SINGLE_INSTANCE,
    };

    /// Licences, keys, revocation lists, and one call at a time. A test of the core reads this line
    /// and shows that the quotas fit four fifths of it.
    const HEAP: u32 = 1536 * 1024;
    /// P-256 and the decoders' recursion; 60 KiB of it were usable when measured.
    const STACK: u32 = 64 * 1024;

    pub(super) fn build() {
        let image = Image {
            uuid: include_str!("uuid.txt").trim(),
            heap: HEAP,
            stack: STACK,
            flags: SINGLE_INSTANCE | MULTI_SESSION | INSTANCE_KEEP_ALIVE | SECURE_DATA_PATH,
        };
        image.build();
    }
}

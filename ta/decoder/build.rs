//! Header, heap, linker script and libraries of the trusted application. The library and its tests
//! need none of this.

fn main() {
    #[cfg(feature = "ta")]
    image::build();
}

#[cfg(feature = "ta")]
#[path = "src/memory.rs"]
#[allow(unreachable_pub, reason = "public in the library, whose file it is")]
mod memory;

#[cfg(feature = "ta")]
mod image {
    use super::memory::{HEAP, STACK};
    use keybearer_ta_image::Image;

    pub(super) fn build() {
        let image = Image {
            uuid: include_str!("uuid.txt").trim(),
            heap: HEAP,
            stack: STACK,
            // Each session has an instance of its own, which ends with it: one that dies takes no
            // other along, and pictures of two sessions never share an address space.
            flags: 0,
        };
        image.build();
    }
}

//! Header, heap, linker script and libraries, as the trusted applications that ship have them.

fn main() {
    #[cfg(feature = "ta")]
    {
        use keybearer_ta_image::Image;
        let image = Image {
            uuid: include_str!("uuid.txt").trim(),
            // As the decoder TA. OP-TEE's usual image has room for one of the two at a time.
            heap: 9 * 1024 * 1024,
            stack: 128 * 1024,
            // An instance a session: its memory is free again when the session closes.
            flags: 0,
        };
        image.build();
    }
}

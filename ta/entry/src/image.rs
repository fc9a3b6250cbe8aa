//! What every image of a trusted application holds beside its entry points.

use optee_utee::raw;

/// Ends this instance. A panic is a mistake in here and must not become a message to the host: the TEE
/// ends the instance, and with it everything in its memory.
#[inline]
pub fn end() -> ! {
    // SAFETY: may be called at any time; does not return.
    unsafe { raw::TEE_Panic(0) };
    #[allow(clippy::empty_loop, reason = "only for its type: nothing gets here")]
    loop {}
}

/// The panic handler, and the signed header with heap and properties, as the build script wrote it by
/// `keybearer-ta-image`. For the root of an image's program.
#[macro_export]
macro_rules! image {
    () => {
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            $crate::image::end()
        }

        mod header {
            #![allow(
                unused_qualifications,
                clippy::undocumented_unsafe_blocks,
                reason = "generated"
            )]
            include!(concat!(env!("OUT_DIR"), "/user_ta_header.rs"));
        }
    };
}

//! What the header asks the TEE for; the build script reads it too.

/// Bytes of heap. They hold the pictures of 352x288 with four references; and with the image itself,
/// the memory of a call and the key TA they stay within the 13 MiB that OP-TEE's usual image has for
/// all trusted applications together, and within the 16 MiB of address space that it gives to one.
pub const HEAP: u32 = 9 * 1024 * 1024;
/// Bytes of stack. Decoding alone takes 52 to 56 KiB of it, measured on x86-64 in a release build.
pub const STACK: u32 = 128 * 1024;

//! Requests to valgrind, which are an instruction sequence that does nothing on a bare processor.
//!
//! The sequence and the numbers are those of `valgrind.h` and `memcheck.h` on x86_64, an interface
//! that has not changed since 2007. Written here, it needs neither headers nor a C compiler.

#![allow(
    unsafe_code,
    reason = "a request to valgrind is an instruction sequence"
)]

const RUNNING_ON_VALGRIND: usize = 0x1001;
const COUNT_ERRORS: usize = 0x1201;
const MAKE_MEM_UNDEFINED: usize = 0x4d43_0001;
const MAKE_MEM_DEFINED: usize = 0x4d43_0002;

/// Asks valgrind; 0 where there is none.
fn request(number: usize, address: usize, len: usize) -> usize {
    let arguments = [number, address, len, 0, 0, 0];
    let mut answer = 0_usize;
    // SAFETY: the four rotations add up to 128 bits and so leave rdi as it was, the exchange of rbx
    // with itself does nothing, and only the flags change. Valgrind recognises the sequence, reads
    // the six words at rax, which outlive it, and writes its answer to rdx. It changes what it knows
    // about the memory at `address`, and no byte of it.
    unsafe {
        core::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

/// Whether valgrind runs this program.
#[must_use]
pub fn running() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) > 0
}

/// How many errors valgrind has reported so far.
#[must_use]
pub fn errors() -> usize {
    request(COUNT_ERRORS, 0, 0)
}

/// From now on nothing may depend on these bytes but other bytes.
pub fn secret<T: ?Sized>(value: &T) {
    request(MAKE_MEM_UNDEFINED, address(value), size_of_val(value));
}

/// These bytes may be known: results that leave the code under test.
pub fn public<T: ?Sized>(value: &T) {
    request(MAKE_MEM_DEFINED, address(value), size_of_val(value));
}

fn address<T: ?Sized>(value: &T) -> usize {
    core::ptr::from_ref(value).cast::<u8>().expose_provenance()
}

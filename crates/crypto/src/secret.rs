//! A fixed-size secret that cannot be copied, printed or compared by accident.

use alloc::boxed::Box;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes on the heap, wiped when dropped.
///
/// There is no `Clone`, `Debug` or `PartialEq`: a copy, a log line or a variable-time comparison
/// of a key must not compile. The bytes are boxed so that moving the value leaves no copy behind.
///
/// ```compile_fail
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<keybearer_crypto::Secret<32>>();
/// ```
/// ```compile_fail
/// fn needs_debug<T: core::fmt::Debug>() {}
/// needs_debug::<keybearer_crypto::Secret<32>>();
/// ```
/// ```compile_fail
/// fn needs_eq<T: PartialEq>() {}
/// needs_eq::<keybearer_crypto::Secret<32>>();
/// ```
#[derive(ZeroizeOnDrop)]
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// An all-zero secret whose bytes `fill` then writes in place, so that no copy stays on the
    /// stack.
    ///
    /// # Errors
    /// Whatever `fill` returns; the half-filled secret is wiped.
    pub fn try_filled<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Takes a copy of `bytes`; wiping the source is the caller's.
    #[must_use]
    pub fn copied_from(bytes: &[u8; N]) -> Self {
        let mut secret = Self(Box::new([0; N]));
        secret.0.copy_from_slice(bytes);
        secret
    }

    /// Takes a copy of `bytes` and wipes them.
    #[must_use]
    pub fn taken_from(bytes: &mut [u8; N]) -> Self {
        let secret = Self::copied_from(bytes);
        bytes.zeroize();
        secret
    }

    /// The bytes, for the one call that needs them. Grep for this name to review every use.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

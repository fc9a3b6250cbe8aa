//! Shared memory for tests: `TEE_MemMove`, the only way to it, is replaced and watched, and so is the
//! question whether it is mapped.

extern crate std;

use optee_utee::raw;
use optee_utee_sys::{
    mock_api::{
        __TEE_CheckMemoryAccessRights::Context as RightsContext, __TEE_MemMove::Context,
        TEE_CheckMemoryAccessRights_context, TEE_MemMove_context,
    },
    mock_utils::SERIAL_TEST_LOCK,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec::Vec,
};

/// A memory reference as the TEE hands it over.
pub fn memref(buffer: *mut u8, size: usize) -> raw::TEE_Param {
    raw::TEE_Param {
        memref: raw::Memref {
            buffer: buffer.cast(),
            size,
        },
    }
}

/// One copy: address of the shared end, bytes.
pub type Copy = (usize, usize);

/// Replaces `TEE_MemMove` for as long as it lives. Stack and heap of the test count as the trusted
/// application's; what is shared is known by the test.
pub struct SharedMemory {
    copies: Arc<Mutex<Vec<(usize, usize, usize)>>>,
    unmapped: Arc<Mutex<Vec<(usize, u32)>>>,
    _mock: Context,
    _rights: RightsContext,
    // Mocks are global: one test at a time. Last, so that it is released after the mock is gone.
    _turn: MutexGuard<'static, ()>,
}

impl SharedMemory {
    /// Copies as the real one does, and remembers.
    pub fn recording() -> Self {
        Self::hostile(|_, _| {})
    }

    /// As [`Self::recording`]; after each copy the normal world does what `meddle` says, which
    /// gets the source and the number of bytes.
    pub fn hostile(mut meddle: impl FnMut(*mut u8, usize) + Send + 'static) -> Self {
        let turn = SERIAL_TEST_LOCK
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let copies = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&copies);
        let mock = TEE_MemMove_context();
        mock.expect().returning(move |to, from, len| {
            // SAFETY: the code under test passes ranges that it proved valid; were they not, the
            // test would crash, which is a failed test.
            unsafe { core::ptr::copy(from.cast::<u8>(), to.cast::<u8>(), len) };
            log.lock().unwrap_or_else(PoisonError::into_inner).push((
                to as usize,
                from as usize,
                len,
            ));
            meddle(from.cast_mut().cast(), len);
        });
        let unmapped = Arc::new(Mutex::new(Vec::<(usize, u32)>::new()));
        let table = Arc::clone(&unmapped);
        let rights = TEE_CheckMemoryAccessRights_context();
        rights.expect().returning(move |access, start, len| {
            let start = start as usize;
            let table = table.lock().unwrap_or_else(PoisonError::into_inner);
            let reaches = |byte: usize| byte >= start && byte - start < len;
            let denied = |(byte, denied): &(usize, u32)| reaches(*byte) && access & denied != 0;
            if table.iter().any(denied) {
                raw::TEE_ERROR_ACCESS_DENIED
            } else {
                raw::TEE_SUCCESS
            }
        });
        Self {
            copies,
            unmapped,
            _mock: mock,
            _rights: rights,
            _turn: turn,
        }
    }

    /// From now on the TEE denies `access` to every range that holds the byte at `place`.
    #[allow(dead_code, reason = "not every room that includes this file asks")]
    pub fn deny(&self, place: *const u8, access: u32) {
        let mut table = self.unmapped.lock().unwrap_or_else(PoisonError::into_inner);
        table.push((place as usize, access));
    }

    /// Copies so far.
    pub fn count(&self) -> usize {
        self.copies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Copies out of a shared range so far, in order.
    pub fn reads(&self, start: *const u8, len: usize) -> Vec<Copy> {
        self.touching(start, len, |(_, from, len)| (from, len))
    }

    /// Copies into a shared range so far, in order.
    pub fn writes(&self, start: *const u8, len: usize) -> Vec<Copy> {
        self.touching(start, len, |(to, _, len)| (to, len))
    }

    fn touching(
        &self,
        start: *const u8,
        len: usize,
        end: impl Fn((usize, usize, usize)) -> Copy,
    ) -> Vec<Copy> {
        let start = start as usize;
        self.copies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|copy| end(*copy))
            .filter(|(at, n)| *at < start + len && start < at + n)
            .map(|(at, n)| (at - start, n))
            .collect()
    }
}

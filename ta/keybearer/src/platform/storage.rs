//! Records in the trusted application's own storage.

mod object;

use alloc::vec::Vec;
use keybearer_core::{PlatformError, Slot, Vault};
use optee_utee::raw;

use self::object::{Code, Object};

/// `TEE_STORAGE_PRIVATE` (TEE Internal Core API 1.3.1, section 5): only this application on this
/// device reads what it wrote, and a slot is one object.
///
/// Creating an object over an old one replaces it atomically (section 5.7.2), and OP-TEE commits
/// it before it returns. The files lie in the normal world, which can remove them or put old ones
/// back: against that there is only what the core does with counters.
///
/// The normal world carries out the reading and writing, in a service of its own, and may fail at it:
/// for a client that has been killed from then on, and for others when that service is started anew. Each
/// operation leads to the same end however often it is begun, so it is begun up to three times.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrivateStorage;

/// What a service that has come back needs: one attempt to notice what went with it, one to succeed, one
/// for whoever lost it twice.
const ATTEMPTS: usize = 3;

impl Vault for PrivateStorage {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        match persistently(|| read(slot, cap)) {
            Err(Failure::Code(Code(raw::TEE_ERROR_ITEM_NOT_FOUND))) => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        Ok(persistently(|| {
            Object::create(&slot.object_id(), record)?;
            Ok(())
        })?)
    }

    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        let removed = persistently(|| {
            let object = Object::open(&slot.object_id(), raw::TEE_DATA_FLAG_ACCESS_WRITE_META)?;
            object.remove()?;
            Ok(())
        });
        match removed {
            Err(Failure::Code(Code(raw::TEE_ERROR_ITEM_NOT_FOUND))) => Ok(()),
            removed => Ok(removed?),
        }
    }
}

/// Why an attempt failed.
enum Failure {
    /// What the TEE said.
    Code(Code),
    /// What was found.
    Found(PlatformError),
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

fn read(slot: &Slot, cap: usize) -> Result<Vec<u8>, Failure> {
    let object = Object::open(&slot.object_id(), raw::TEE_DATA_FLAG_ACCESS_READ)?;
    let size = object.size()?;
    if size > cap {
        return Err(Failure::Found(PlatformError::Damaged));
    }
    let mut record = Vec::new();
    record
        .try_reserve_exact(size)
        .map_err(|_| Failure::Found(PlatformError::Memory))?;
    record.resize(size, 0);
    if object.read(&mut record)? == size {
        Ok(record)
    } else {
        Err(Failure::Found(PlatformError::Storage))
    }
}

/// Makes another attempt as long as there are any, and it was the normal world that failed.
fn persistently<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut result = attempt();
    for _ in 1..ATTEMPTS {
        match result {
            Err(Failure::Code(code)) if !code.is_of_storage() => result = attempt(),
            _ => break,
        }
    }
    result
}

impl Code {
    /// Whether it says something of the storage, rather than of the way to it.
    fn is_of_storage(self) -> bool {
        matches!(
            self.0,
            raw::TEE_ERROR_ITEM_NOT_FOUND
                | raw::TEE_ERROR_CORRUPT_OBJECT
                | raw::TEE_ERROR_CORRUPT_OBJECT_2
                | raw::TEE_ERROR_ACCESS_CONFLICT
                | raw::TEE_ERROR_STORAGE_NO_SPACE
        )
    }
}

/// A damaged object is a failure and not an empty slot: the difference is whether an identity was
/// never made or was destroyed.
impl From<Failure> for PlatformError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Found(error) => error,
            Failure::Code(Code(raw::TEE_ERROR_OUT_OF_MEMORY)) => Self::Memory,
            Failure::Code(Code(
                raw::TEE_ERROR_CORRUPT_OBJECT | raw::TEE_ERROR_CORRUPT_OBJECT_2,
            )) => Self::Damaged,
            Failure::Code(_) => Self::Storage,
        }
    }
}

#[cfg(test)]
mod tests;

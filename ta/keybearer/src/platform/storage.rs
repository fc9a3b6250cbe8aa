//! Records in the trusted application's own storage.

use alloc::vec::Vec;
use keybearer_core::{PlatformError, Slot, Vault};
use optee_utee::{
    DataFlag, Error, ErrorKind, GenericObject, ObjectStorageConstants, PersistentObject,
};

/// `TEE_STORAGE_PRIVATE` (TEE Internal Core API 1.3.1, section 5): only this application on this
/// device reads what it wrote, and a slot is one object.
///
/// Creating an object over an old one replaces it atomically (section 5.7.2), and OP-TEE commits
/// it before it returns. The files lie in the normal world, which can remove them or put old ones
/// back: against that there is only what the core does with counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrivateStorage;

impl Vault for PrivateStorage {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        let mut object = match open(slot, DataFlag::ACCESS_READ) {
            Ok(object) => object,
            Err(error) if error.kind() == ErrorKind::ItemNotFound => return Ok(None),
            Err(error) => return Err(failure(&error)),
        };
        let size = object.info().map_err(|error| failure(&error))?.data_size();
        if size > cap {
            return Err(PlatformError::Damaged);
        }
        let record = object
            .read_remaining_to_vec()
            .map_err(|error| failure(&error))?;
        if record.len() == size {
            Ok(Some(record))
        } else {
            Err(PlatformError::Storage)
        }
    }

    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        let created = PersistentObject::create(
            ObjectStorageConstants::Private,
            &slot.object_id(),
            DataFlag::ACCESS_WRITE | DataFlag::OVERWRITE,
            None,
            record,
        );
        created.map(drop).map_err(|error| failure(&error))
    }

    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        match open(slot, DataFlag::ACCESS_WRITE_META) {
            Ok(object) => object.close_and_delete().map_err(|error| failure(&error)),
            Err(error) if error.kind() == ErrorKind::ItemNotFound => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }
}

fn open(slot: &Slot, access: DataFlag) -> optee_utee::Result<PersistentObject> {
    PersistentObject::open(ObjectStorageConstants::Private, &slot.object_id(), access)
}

/// A damaged object is a failure and not an empty slot: the difference is whether an identity was
/// never made or was destroyed.
fn failure(error: &Error) -> PlatformError {
    match error.kind() {
        ErrorKind::OutOfMemory => PlatformError::Memory,
        ErrorKind::CorruptObject | ErrorKind::CorruptObject2 => PlatformError::Damaged,
        _ => PlatformError::Storage,
    }
}

#[cfg(test)]
mod tests;

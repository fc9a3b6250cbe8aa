//! Persistent objects, by the system calls of OP-TEE that GlobalPlatform's functions are made of
//! (`utee_syscalls.h` of its development kit).
//!
//! Those functions end the trusted application at every result that the standard does not list for
//! them. One such result any client can bring about: what OP-TEE asks of the normal world in the middle
//! of a read or a write it asks in the name of the client, and for a client that has been killed it
//! gets `TEE_ERROR_COMMUNICATION`. One dead client would so end the sessions of all. Another one is in
//! the host's power alone: a file that it damages closes its handle when it is read, and closing it
//! once more is such a result too. The system calls return what there is to say.

use optee_utee::raw;

/// A code of the TEE that is not success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) u32);

/// An open object of this application's private storage; closed when it is dropped.
pub(super) struct Object(u32);

/// What `_utee_cryp_obj_get_info` tells, `struct utee_object_info` of `utee_types.h`: seven numbers, of
/// which this one is the size of the data in bytes.
type Info = [u32; 7];
const DATA_SIZE: usize = 4;

impl Object {
    /// Opens the object `name` for `access`, a set of `TEE_DATA_FLAG_ACCESS_*`.
    pub(super) fn open(name: &[u8], access: u32) -> Result<Self, Code> {
        let mut object = 0;
        // SAFETY: the name is readable for its length, and `object` is a place for the number.
        let code = unsafe {
            raw::_utee_storage_obj_open(
                raw::TEE_STORAGE_PRIVATE.into(),
                name.as_ptr().cast(),
                name.len(),
                access.into(),
                &raw mut object,
            )
        };
        succeeded(code)?;
        Ok(Self(object))
    }

    /// Makes an object of `data`, in place of the one that may be there.
    pub(super) fn create(name: &[u8], data: &[u8]) -> Result<(), Code> {
        let mut object = 0;
        let flags = raw::TEE_DATA_FLAG_ACCESS_WRITE | raw::TEE_DATA_FLAG_OVERWRITE;
        // SAFETY: name and data are readable for their lengths, and `object` is a place for the
        // number; there are no attributes to copy.
        let code = unsafe {
            raw::_utee_storage_obj_create(
                raw::TEE_STORAGE_PRIVATE.into(),
                name.as_ptr().cast(),
                name.len(),
                flags.into(),
                0,
                data.as_ptr().cast(),
                data.len(),
                &raw mut object,
            )
        };
        succeeded(code)?;
        drop(Self(object));
        Ok(())
    }

    /// Bytes of data that it has.
    pub(super) fn size(&self) -> Result<usize, Code> {
        let mut info: Info = [0; 7];
        // SAFETY: a place for what is told, in the form that it has.
        let code = unsafe { raw::_utee_cryp_obj_get_info(self.0.into(), (&raw mut info).cast()) };
        succeeded(code)?;
        usize::try_from(info[DATA_SIZE]).map_err(|_| Code(raw::TEE_ERROR_OVERFLOW))
    }

    /// Reads from its beginning; gives the number of bytes that there were.
    pub(super) fn read(&self, to: &mut [u8]) -> Result<usize, Code> {
        let mut count = 0;
        // SAFETY: as many bytes may be written, and `count` is a place for their number.
        let code = unsafe {
            raw::_utee_storage_obj_read(
                self.0.into(),
                to.as_mut_ptr().cast(),
                to.len(),
                &raw mut count,
            )
        };
        succeeded(code)?;
        usize::try_from(count).map_err(|_| Code(raw::TEE_ERROR_OVERFLOW))
    }

    /// Removes it from the storage. It must have been opened for `TEE_DATA_FLAG_ACCESS_WRITE_META`.
    pub(super) fn remove(self) -> Result<(), Code> {
        // SAFETY: a number, whatever it names.
        let code = unsafe { raw::_utee_storage_obj_del(self.0.into()) };
        // It is closed, also where it could not be removed.
        core::mem::forget(self);
        succeeded(code)
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: a number, whatever it names.
        let _ = unsafe { raw::_utee_cryp_obj_close(self.0.into()) };
        // One that reading found damaged has been closed by that: nothing is lost.
    }
}

fn succeeded(code: u32) -> Result<(), Code> {
    match code {
        raw::TEE_SUCCESS => Ok(()),
        code => Err(Code(code)),
    }
}

//! The one parameter layout of every command, and the only code that touches the host's memory.
//!
//! The host chooses the type word, the pointers' sizes and, at any moment, the bytes behind them.
//! So the whole type word is compared before a union is read as anything; the TEE is asked whether it
//! mapped each slot whole; shared bytes are only ever copied, never borrowed; and nothing here decides
//! from a byte that it did not copy.

use optee_utee::{ErrorKind, FromRawParameters, RawParamTypes, RawParams, Result, raw};

/// The only type word a command may have: request in, response out, media in, media out.
///
/// GlobalPlatform TEE Internal Core API 1.3.1, section 4.3.6.1: four bits a parameter, the rest zero.
pub const COMMAND_TYPES: RawParamTypes = raw::TEE_PARAM_TYPE_MEMREF_INPUT
    | raw::TEE_PARAM_TYPE_MEMREF_OUTPUT << 4
    | raw::TEE_PARAM_TYPE_MEMREF_INPUT << 8
    | raw::TEE_PARAM_TYPE_MEMREF_OUTPUT << 12;

/// Memory that the host lets a command read, and may change while it does.
pub struct SharedInput<'a>(&'a raw::Memref);

impl SharedInput<'_> {
    /// Size of the slot in bytes; an absent one (no buffer) is empty.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.0.buffer.is_null() {
            0
        } else {
            self.0.size
        }
    }

    /// True when nothing was handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether any of it may be protected memory, which the normal world cannot read: unless the TEE says
    /// that all of it is the normal world's.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        !self.is_empty()
            && !allows(
                raw::TEE_MEMORY_ACCESS_READ | MEMORY_ACCESS_NONSECURE,
                self.0.buffer,
                self.len(),
            )
    }

    /// The slot as the TEE handed it over, to be named as it is to another trusted application: its
    /// bytes go there without a copy of this one's. Whoever gets it must not make a reference of it.
    #[must_use]
    pub fn reference(&self) -> raw::Memref {
        raw::Memref {
            buffer: self.0.buffer,
            size: self.len(),
        }
    }

    /// Copies `to.len()` bytes from `offset` on.
    ///
    /// # Errors
    /// `BadParameters` when the range does not lie in the slot; nothing is copied then.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = slice_of(self.0, self.len(), offset, to.len())?;
        if !to.is_empty() {
            // SAFETY: `slice_of` proved that `to.len()` bytes from `from` lie in a range that the
            // TEE mapped for this call; `to` is the TA's own and cannot overlap it. Both are raw
            // copies: no reference to shared memory is ever made.
            unsafe { raw::TEE_MemMove(to.as_mut_ptr().cast(), from, to.len()) };
        }
        Ok(())
    }
}

/// Memory that the host lets a command write, and may read or change at any moment.
pub struct SharedOutput<'a> {
    memref: &'a mut raw::Memref,
    capacity: usize,
}

impl SharedOutput<'_> {
    /// Bytes that fit; an absent slot (no buffer) takes none.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether the TEE says that all of it is protected memory, which the normal world cannot read.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        let access =
            raw::TEE_MEMORY_ACCESS_READ | raw::TEE_MEMORY_ACCESS_WRITE | MEMORY_ACCESS_SECURE;
        self.capacity > 0 && allows(access, self.memref.buffer, self.capacity)
    }

    /// Copies `from` into the slot at `offset`. What the host is told of the size is set apart,
    /// with [`Self::set_len`].
    ///
    /// # Errors
    /// `ShortBuffer` when the range does not lie in the slot; nothing is copied then.
    pub fn write(&mut self, offset: usize, from: &[u8]) -> Result<()> {
        let to = slice_of(self.memref, self.capacity, offset, from.len())
            .map_err(|_| ErrorKind::ShortBuffer)?;
        if !from.is_empty() {
            // SAFETY: as in `SharedInput::read`, with the directions exchanged.
            unsafe { raw::TEE_MemMove(to, from.as_ptr().cast(), from.len()) };
        }
        Ok(())
    }

    /// Tells the host how many bytes it finds in the slot.
    ///
    /// # Errors
    /// `ShortBuffer` when that many do not fit.
    pub fn set_len(&mut self, len: usize) -> Result<()> {
        if len > self.capacity {
            return Err(ErrorKind::ShortBuffer.into());
        }
        self.memref.size = len;
        Ok(())
    }
}

/// The address of `len` bytes at `offset` in a slot of `size` bytes.
fn slice_of(
    memref: &raw::Memref,
    size: usize,
    offset: usize,
    len: usize,
) -> Result<*mut core::ffi::c_void> {
    let end = offset.checked_add(len).ok_or(ErrorKind::BadParameters)?;
    if end > size {
        return Err(ErrorKind::BadParameters.into());
    }
    // `wrapping_add` so that an empty range of an absent slot needs no proof; it is not read.
    Ok(memref.buffer.wrapping_byte_add(offset))
}

/// The four slots of a command.
pub struct CommandSlots<'a> {
    /// The encoded request.
    pub request: SharedInput<'a>,
    /// Takes the encoded response.
    pub response: SharedOutput<'a>,
    /// Protected samples, or nothing.
    pub media_in: SharedInput<'a>,
    /// Takes the clear samples; may be the same memory as `media_in`.
    pub media_out: SharedOutput<'a>,
}

impl<'a> FromRawParameters<'a> for CommandSlots<'a> {
    unsafe fn from_raw(types: RawParamTypes, params: &'a mut RawParams) -> Result<Self> {
        // All 32 bits before anything else: what a slot's union holds is known only now.
        if types != COMMAND_TYPES {
            return Err(ErrorKind::BadParameters.into());
        }
        let [request, response, media_in, media_out] = params;
        // SAFETY: the caller passes what the TEE gave the entry point, and the type word says that
        // all four unions hold memory references.
        unsafe {
            Ok(Self {
                request: input(request)?,
                response: output(response)?,
                media_in: input(media_in)?,
                media_out: output(media_out)?,
            })
        }
    }
}

/// The slots of a command as they came: a refusal of them is the command's to give, for an application
/// that takes note of each call.
pub struct GivenSlots<'a>(pub Result<CommandSlots<'a>>);

impl<'a> FromRawParameters<'a> for GivenSlots<'a> {
    unsafe fn from_raw(types: RawParamTypes, params: &'a mut RawParams) -> Result<Self> {
        // SAFETY: by this function's contract, which is the same.
        Ok(Self(unsafe { CommandSlots::from_raw(types, params) }))
    }
}

/// # Safety
/// `param` must hold a memory reference of type input.
unsafe fn input(param: &raw::TEE_Param) -> Result<SharedInput<'_>> {
    // SAFETY: by this function's contract.
    let memref = unsafe { &param.memref };
    mapped(memref)?;
    Ok(SharedInput(memref))
}

/// # Safety
/// `param` must hold a memory reference of type output.
unsafe fn output(param: &mut raw::TEE_Param) -> Result<SharedOutput<'_>> {
    // SAFETY: by this function's contract.
    let memref = unsafe { &mut param.memref };
    mapped(memref)?;
    let capacity = if memref.buffer.is_null() {
        0
    } else {
        memref.size
    };
    // An answer that is never written has no length.
    memref.size = 0;
    Ok(SharedOutput { memref, capacity })
}

/// Whether every byte of a slot is mapped.
///
/// A memory reference promises that by the standard, but OP-TEE 4.5 maps too little where one slot's
/// range of a registered memory lies within another's: the longer one ends where the shorter does, and
/// the first copy beyond would end the application and with it everybody's sessions.
///
/// Reading is what is asked for, of outputs too: what is mapped can be written, and the right to write
/// is denied to an output that shares its memory with an input, as media decrypted in place does.
///
/// # Errors
/// `AccessDenied` where the TEE says no.
fn mapped(memref: &raw::Memref) -> Result<()> {
    if memref.buffer.is_null() || memref.size == 0 {
        return Ok(());
    }
    if allows(raw::TEE_MEMORY_ACCESS_READ, memref.buffer, memref.size) {
        Ok(())
    } else {
        Err(ErrorKind::AccessDenied.into())
    }
}

/// Memory that the normal world can reach, and memory that it cannot: OP-TEE's own rights
/// (`tee_api_defines_extensions.h`), beside those of the standard.
const MEMORY_ACCESS_NONSECURE: u32 = 0x1000_0000;
const MEMORY_ACCESS_SECURE: u32 = 0x2000_0000;

/// Whether the TEE says all of `access` of a range (GlobalPlatform TEE Internal Core API 1.3.1, section
/// 4.11.1), whoever owns it: the caller may be another trusted application.
fn allows(access: u32, start: *mut core::ffi::c_void, len: usize) -> bool {
    let access = access | raw::TEE_MEMORY_ACCESS_ANY_OWNER;
    // SAFETY: the TEE looks at its own tables for the range and reads none of it.
    let code = unsafe { raw::TEE_CheckMemoryAccessRights(access, start, len) };
    code == raw::TEE_SUCCESS
}

/// The parameters of opening a session: none, and all 32 bits of the type word say so.
pub struct NoSlots;

impl<'a> FromRawParameters<'a> for NoSlots {
    unsafe fn from_raw(types: RawParamTypes, _: &'a mut RawParams) -> Result<Self> {
        if types == 0 {
            Ok(Self)
        } else {
            Err(ErrorKind::BadParameters.into())
        }
    }
}

#[cfg(test)]
mod tests;

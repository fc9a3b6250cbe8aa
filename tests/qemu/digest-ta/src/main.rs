//! What a test knows of a protected buffer: its digest, as another trusted application finds it, which
//! stands for the hardware that would decode what is there.
//!
//! It breaks the rule that nothing goes from protected memory to the normal world, by 32 bytes a call.
//! So it takes nothing but a development build, and no device has it.

#![no_std]
#![no_main]
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    reason = "what the entry point macros write is theirs"
)]

extern crate alloc;

use alloc::vec;

use keybearer_ta_entry::debug::DEBUG;
use keybearer_ta_entry::params::{CommandSlots, NoSlots};
use optee_utee::{
    AlgorithmId, Digest, ErrorKind, Result, ta_close_session, ta_create, ta_destroy,
    ta_invoke_command, ta_open_session,
};

/// SHA-256 of the media input.
const DIGEST: u32 = 0;
/// Whether the TEE says that the media input is protected memory, a byte.
const PROTECTED: u32 = 1;

const PIECE: usize = 16 * 1024;

#[ta_create]
fn create() -> Result<()> {
    if DEBUG {
        Ok(())
    } else {
        Err(ErrorKind::AccessDenied.into())
    }
}

#[ta_destroy]
fn destroy() {}

#[ta_open_session]
fn open(_: &mut NoSlots) -> Result<()> {
    Ok(())
}

#[ta_close_session]
fn close() {}

#[ta_invoke_command]
fn invoke(command: u32, slots: &mut CommandSlots<'_>) -> Result<()> {
    match command {
        DIGEST => {
            let digest = Digest::allocate(AlgorithmId::Sha256)?;
            let mut piece = vec![0; PIECE];
            let mut at = 0;
            while at < slots.media_in.len() {
                let now = PIECE.min(slots.media_in.len() - at);
                slots.media_in.read(at, &mut piece[..now])?;
                digest.update(&piece[..now]);
                at += now;
            }
            let mut value = [0; 32];
            digest.do_final(&[], &mut value)?;
            answer(slots, &value)
        }
        PROTECTED => {
            let protected = u8::from(slots.media_in.is_protected());
            answer(slots, &[protected])
        }
        _ => Err(ErrorKind::BadParameters.into()),
    }
}

fn answer(slots: &mut CommandSlots<'_>, value: &[u8]) -> Result<()> {
    slots.response.write(0, value)?;
    slots.response.set_len(value.len())
}

keybearer_ta_entry::image!();

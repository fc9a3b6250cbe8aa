//! What a trusted application reaches with AES and nothing else: no core, no licence, no rules. The
//! same slots and the same pieces of private memory as the key TA, so that the difference between the
//! two is the product's.

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

use aes::cipher::{KeyIvInit, StreamCipher};
use keybearer_ta_entry::params::{CommandSlots, NoSlots};
use optee_utee::{
    AlgorithmId, AttributeId, AttributeMemref, Cipher, ErrorKind, OperationMode, Result,
    TransientObject, TransientObjectType, ta_close_session, ta_create, ta_destroy,
    ta_invoke_command, ta_open_session,
};

/// Nothing is done.
const NOTHING: u32 = 0;
/// Media in, AES-128-CTR by the crate, media out.
const CRATE: u32 = 1;
/// The same by `TEE_CipherUpdate`.
const TEE: u32 = 2;

/// What is copied, ciphered and copied back at a time: as much as the key TA's scratch holds.
const PIECE: usize = 64 * 1024;
const KEY: [u8; 16] = [7; 16];
const IV: [u8; 16] = [9; 16];

#[ta_create]
fn create() -> Result<()> {
    Ok(())
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
        NOTHING => Ok(()),
        CRATE => {
            let mut cipher = ctr::Ctr64BE::<aes::Aes128>::new(&KEY.into(), &IV.into());
            in_pieces(slots, |data, _| {
                cipher.apply_keystream(data);
                Ok(())
            })
        }
        TEE => {
            let cipher = Cipher::allocate(AlgorithmId::AesCtr, OperationMode::Decrypt, 128)?;
            let mut key = TransientObject::allocate(TransientObjectType::Aes, 128)?;
            let value = AttributeMemref::from_ref(AttributeId::SecretValue, &KEY);
            key.populate(&[value.into()])?;
            cipher.set_key(&key)?;
            cipher.init(&IV);
            in_pieces(slots, |data, out| {
                cipher.update(data, out)?;
                data.copy_from_slice(out);
                Ok(())
            })
        }
        _ => Err(ErrorKind::BadParameters.into()),
    }
}

/// Runs the media through `cipher`, piece by piece; the second buffer is for those that cannot work in
/// place.
fn in_pieces(
    slots: &mut CommandSlots<'_>,
    mut cipher: impl FnMut(&mut [u8], &mut [u8]) -> Result<()>,
) -> Result<()> {
    let (mut piece, mut out) = (vec![0; PIECE], vec![0; PIECE]);
    let len = slots.media_in.len().min(slots.media_out.capacity());
    let mut at = 0;
    while at < len {
        let now = PIECE.min(len - at);
        let (piece, out) = (&mut piece[..now], &mut out[..now]);
        slots.media_in.read(at, piece)?;
        cipher(piece, out)?;
        slots.media_out.write(at, piece)?;
        at += now;
    }
    slots.media_out.set_len(len)
}

keybearer_ta_entry::image!();

//! What a trusted application reaches with an H.264 decoder and nothing else: no key, no licence, no
//! second application, no limits. And what `crates/video` makes of the same decoder, so that the
//! difference between the two, and that to the decoder TA, can be told apart.
//!
//! Both are in one image, so that they run the same machine code of that decoder.

#![no_std]
#![no_main]
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    reason = "what the entry point macros write is theirs"
)]

extern crate alloc;

use alloc::vec::Vec;

use keybearer_ta_entry::params::{CommandSlots, NoSlots};
use keybearer_video::{Budget, Codec, DigestSink};
use optee_utee::{
    ErrorKind, Result, ta_close_session, ta_create, ta_destroy, ta_invoke_command, ta_open_session,
};
use sha2::{Digest, Sha256};

/// Both decoders begin anew; the request is the configuration record that `crates/video` needs.
const BEGIN: u32 = 0;
/// The media are access units as the bare decoder takes them, with start codes. The response is SHA-256
/// of each picture, as the digest sink has it, in the order of decoding.
const BARE: u32 = 1;
/// The same without digests: pictures are dropped.
const SILENT: u32 = 2;
/// The media are access units as containers hold them; without any, what waits is presented. The response
/// is what the digest sink has, in the order of presentation.
const ROOM: u32 = 3;

/// Bytes of the length, most significant first, in front of each access unit of the media.
const LENGTH: usize = 4;
/// Bytes of heap that are the pictures'; the rest holds a unit and the digests.
const PICTURES: usize = 8 * 1024 * 1024;

#[ta_create]
fn create() -> Result<()> {
    Ok(())
}

#[ta_destroy]
fn destroy() {}

/// The two decoders of a session.
#[derive(Default)]
struct Decoders {
    bare: rusty_h264_decoder::Decoder,
    room: Option<keybearer_video::Decoder>,
    sink: DigestSink,
    /// Private memory for one access unit.
    unit: Vec<u8>,
}

#[ta_open_session]
fn open(_: &mut NoSlots, _: &mut Decoders) -> Result<()> {
    Ok(())
}

#[ta_close_session]
fn close(decoders: &mut Decoders) {
    *decoders = Decoders::default();
}

#[ta_invoke_command]
fn invoke(decoders: &mut Decoders, command: u32, slots: &mut CommandSlots<'_>) -> Result<()> {
    let Decoders {
        bare,
        room,
        sink,
        unit,
    } = decoders;
    match command {
        BEGIN => {
            *bare = rusty_h264_decoder::Decoder::new();
            let mut record = Vec::from_iter(core::iter::repeat_n(0, slots.request.len()));
            slots.request.read(0, &mut record)?;
            let mut configured = keybearer_video::Decoder::new(Budget::of_heap(PICTURES));
            let done = configured.configure(Codec::H264, &record);
            done.map_err(|_| ErrorKind::BadFormat)?;
            *room = Some(configured);
            Ok(())
        }
        BARE | SILENT => {
            let mut digests = Vec::new();
            each_unit(slots, unit, |unit| {
                let frame = bare.decode(unit).map_err(|_| ErrorKind::BadFormat)?;
                let frame = frame.ok_or(ErrorKind::BadFormat)?;
                if command == BARE {
                    let mut hash = Sha256::new();
                    for plane in [&frame.y, &frame.u, &frame.v] {
                        hash.update(plane);
                    }
                    digests.push(hash.finalize().into());
                }
                Ok(())
            })?;
            answer(slots, &digests)
        }
        ROOM => {
            let room = room.as_mut().ok_or(ErrorKind::BadState)?;
            if slots.media_in.is_empty() {
                let flushed = room.flush(None, sink);
                flushed.map_err(|_| ErrorKind::Generic)?;
            } else {
                each_unit(slots, unit, |unit| {
                    let accepted = room.decode(unit, 0, None, sink);
                    accepted.map(drop).map_err(|_| ErrorKind::BadFormat.into())
                })?;
            }
            answer(slots, &sink.take())
        }
        _ => Err(ErrorKind::BadParameters.into()),
    }
}

/// Copies each access unit of the media into private memory and has it decoded there.
fn each_unit(
    slots: &CommandSlots<'_>,
    unit: &mut Vec<u8>,
    mut decode: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut at = 0;
    while at < slots.media_in.len() {
        let mut length = [0; LENGTH];
        slots.media_in.read(at, &mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > slots.media_in.len() {
            return Err(ErrorKind::BadParameters.into());
        }
        unit.clear();
        unit.resize(length, 0);
        slots.media_in.read(at + LENGTH, unit)?;
        decode(unit)?;
        at += LENGTH + length;
    }
    Ok(())
}

fn answer(slots: &mut CommandSlots<'_>, digests: &[[u8; 32]]) -> Result<()> {
    let digests = digests.as_flattened();
    slots.response.write(0, digests)?;
    slots.response.set_len(digests.len())
}

keybearer_ta_entry::image!();

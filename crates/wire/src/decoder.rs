//! The interface between the host and the decoder of a High session: a command table of its own.
//!
//! The host sends protected access units and gets back whether they were accepted, the order in which
//! pictures were presented, and what the licence allows now. Nothing else of the content comes back:
//! what a decoder says about bytes that the host chose would tell the host their decryption. Pictures
//! go to the platform's protected sink; only a test build, which marks the device as a debug device in
//! every licence request, answers with a digest of each.

pub mod body;

use crate::table::commands;

/// The largest response of the decoder in bytes.
pub const MAX_DECODER_RESPONSE: usize = 2 * 1024;
/// The largest access unit in bytes. Samples that are not compressed at all take 384 bytes a
/// macroblock, so that no sensible unit of the pictures that fit the decoder's memory is as large.
pub const MAX_UNIT: usize = 256 * 1024;

commands! {
    "A command of the decoder of a High session.";
    0x40 => Attach, Attach, Empty, "Redeems a ticket of the key TA: binds this decoder to a licence session and a track.";
    0x41 => Configure, Configure<'a>, Configured, "Takes the track's codec and parameter sets, if there is memory for its pictures.";
    0x42 => Decode, Decode<'a>, Presented, "Decrypts and decodes one access unit; media in, nothing out.";
    0x43 => Flush, Flush, Presented, "Presents every picture that still waits for its turn.";
    0x44 => Skip, Skip, Empty, "Says that units are missing, as after a seek: what waits is dropped, and decoding goes on at the next IDR.";

    0x4f => Die, Die, Empty, "Ends the decoder as a fault of its own would, in test builds only.";
}

#[cfg(test)]
mod tests;

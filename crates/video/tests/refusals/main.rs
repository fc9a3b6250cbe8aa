//! What is not decoded is refused by name before the decoder sees a byte of it, and what is decoded
//! goes on after it.

#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod configurations;
#[path = "../support/mod.rs"]
mod support;
mod units;

use keybearer_video::{Accepted, Budget, Codec, DecodeError, Decoder, Refusal, Unsupported};
use support::writer::{Sequence, Set, Slice};
use support::{Keep, record, with_lengths};

/// What the decoder application has in the stock image, less the access unit and itself.
const HEAP: usize = 9 << 20;

fn configure(sequence: &Sequence) -> Result<Decoder, Refusal> {
    configure_with(sequence, &Set::default())
}

fn configure_with(sequence: &Sequence, set: &Set) -> Result<Decoder, Refusal> {
    let mut decoder = Decoder::new(Budget::of_heap(HEAP));
    decoder.configure(Codec::H264, &record(&[sequence.nal()], &[set.nal()]))?;
    Ok(decoder)
}

fn refusal(sequence: &Sequence) -> Option<Refusal> {
    configure(sequence).err()
}

fn lacks(what: Unsupported) -> Option<Refusal> {
    Some(Refusal::UnsupportedCodec(what))
}

fn decode<N: AsRef<[u8]>>(decoder: &mut Decoder, nals: &[N]) -> Result<Accepted, Refusal> {
    match decoder.decode(&with_lengths(nals), 0, None, &mut Keep::default()) {
        Ok(accepted) => Ok(accepted),
        Err(DecodeError::Rejected(rejected)) => Err(rejected.reason()),
        Err(DecodeError::Sink(_)) => panic!("the sink takes everything"),
    }
}

/// A decoder that has decoded an IDR picture.
fn begun(sequence: &Sequence, set: &Set) -> Decoder {
    let mut decoder = configure_with(sequence, set).unwrap();
    let idr = Slice::idr().nal_under(sequence, set, sequence.macroblocks());
    assert!(decode(&mut decoder, &[idr]).unwrap().decoded);
    decoder
}

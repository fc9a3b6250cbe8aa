//! What stands in a file about its samples.

use keybearer_interop::crafted;
use keybearer_license::Scheme::{Cbc1, Cbcs, Cenc, Cens};

use super::comes_out_clear;

/// In `cenc` the key stream goes on in the middle of a block, in `cbc1` the chain goes on, in `cbcs` it
/// begins anew. Bento4 (`cens`) and the crate vsd-mp4 (`cbc1`) give wrong bytes and report success.
#[test]
fn several_subsamples_come_out_clear_in_every_scheme() {
    for scheme in [Cenc, Cens, Cbc1, Cbcs] {
        comes_out_clear(&crafted::several_subsamples(scheme));
    }
}

/// The counter is the lower 64 bits of the block: it carries out of 32 bits and not out of 64. Bento4
/// (`cenc`) and vsd-mp4 give wrong bytes behind the end of 64 and report success.
#[test]
fn counters_wrap_at_32_and_64_bits() {
    for scheme in [Cenc, Cens] {
        for bits in [32, 64] {
            comes_out_clear(&crafted::counter_wrap(scheme, bits));
        }
    }
}

/// An 8-byte IV is the upper half, whatever it counts to, and each sample begins at 0 in the lower.
#[test]
fn short_initialisation_vectors_wrap_too() {
    for bits in [32, 64] {
        comes_out_clear(&crafted::short_iv_wrap(bits));
    }
}

/// A range may end within a run of encrypted blocks; the blocks there are encrypted. FFmpeg 5 and 8
/// leave them as they are and report success.
#[test]
fn an_incomplete_crypt_run_is_decrypted() {
    for scheme in [Cens, Cbcs] {
        comes_out_clear(&crafted::incomplete_run(scheme));
    }
}

/// From 41 subsamples on (8-byte IVs) eight bits cannot hold the size; Shaka Packager writes it modulo
/// 256, which for 41 is 0. FFmpeg 5 and 8 decrypt that sample and those behind it wrongly.
#[test]
fn more_than_40_subsamples_with_saiz_modulo_256() {
    comes_out_clear(&crafted::saiz_overflow());
}

/// The number of subsamples has 16 bits in `senc`.
#[test]
fn more_than_255_subsamples() {
    for scheme in [Cenc, Cbcs] {
        comes_out_clear(&crafted::many_subsamples(scheme));
    }
}

/// Samples that are protected as a whole have no subsamples to read.
#[test]
fn senc_with_initialisation_vectors_only() {
    for scheme in [Cenc, Cbc1] {
        comes_out_clear(&crafted::iv_only(scheme));
    }
}

/// Index 0 is the track's own key, 0x10001 the first group of the fragment itself, and a group can say
/// that its samples are clear. No peer at hand decrypts these files; some report success.
#[test]
fn seig_index_0_and_0x10001_and_a_clear_group() {
    for scheme in [Cenc, Cbcs] {
        comes_out_clear(&crafted::groups(scheme));
    }
}

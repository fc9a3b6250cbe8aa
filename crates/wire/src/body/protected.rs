//! Bodies of protected sessions: how media gets from the host through a decoder to the core and
//! what comes back, which is never for the host.
//!
//! The host asks for a ticket ([`IssueTicket`]) and hands it to a decoder, which redeems it
//! ([`RedeemTicket`]) for a channel of its own. Only a decoder may redeem one, decrypt into its
//! memory ([`DecryptUnit`]) and close a channel ([`CloseChannel`]); who is one, the trusted side
//! knows from the platform and never from a message.
//!
//! On a board with a hardware decoder media goes by [`super::Decrypt`] into protected buffers instead,
//! which the host knows by name and cannot look into; they are wiped ([`WipeBuffer`]) before they go
//! back to their pool.

use super::{MAX_SAMPLE_RECORDS, MAX_SUBSAMPLE_RECORDS};
use crate::field::{Blob, body};

/// Rejected units in a row that close a key for its session.
pub const MAX_REJECTIONS: u32 = 8;

body! {
    /// Asks for a ticket to one track of a protected session.
    IssueTicket {
        /// The session's handle.
        0 => session: u64,
        /// Track type, a number of the licence protocol: what the decoder will be given is of keys
        /// for this type only.
        1 => track_type: u8,
    }
}

body! {
    /// A ticket: random, redeemed at most once, of no worth to anybody but a decoder, and dead when
    /// its session is.
    Ticket {
        /// The ticket.
        0 => ticket: [u8; 16],
    }
}

body! {
    /// Redeems a ticket.
    RedeemTicket {
        /// The ticket, as the host handed it over.
        0 => ticket: [u8; 16],
        /// A test build, whose answers tell more of the content than accepted or rejected. Only a
        /// trusted side that says so in its own evidence gives it anything.
        1 => debug: bool,
    }
}

body! {
    /// A channel to one track of one session.
    ChannelOpened {
        /// Its handle; means nothing to another decoder.
        0 => channel: u64,
        /// The track's type, as the ticket was issued for.
        1 => track_type: u8,
    }
}

body! {
    /// Units of a channel's track under one key, to be decrypted into the decoder's memory.
    ///
    /// The fields are those of [`super::Decrypt`], but for the track type, which the channel has,
    /// and the picture's size, which the decoder reads from the stream and not from the host.
    DecryptUnit<'a> {
        /// The channel's handle.
        0 => channel: u64,
        /// Key id.
        1 => key_id: [u8; 16],
        /// Licence to use; absent: the newest under which the key may be used.
        2 => license: Option<[u8; 16]>,
        // 3 would be the track type.
        /// Protection scheme, a `Scheme` number.
        4 => scheme: u8,
        /// Size of the per-sample initialisation vectors: 8 or 16, or 0 with a constant one.
        5 => iv_size: u8,
        /// Constant initialisation vector, 8 or 16 bytes.
        6 => constant_iv: Option<Blob<'a, 16>>,
        /// `crypt_byte_block` of the pattern.
        7 => crypt_blocks: u8,
        /// `skip_byte_block` of the pattern.
        8 => skip_blocks: u8,
        /// Milliseconds of media in this call, by the container.
        9 => duration_ms: u32,
        // 10 and 11 would be the picture's width and height.
        /// Sample records, see [`crate::SampleTable`]; a sample is a unit.
        12 => samples: Blob<'a, MAX_SAMPLE_RECORDS>,
        /// Subsample records.
        13 => subsamples: Blob<'a, MAX_SUBSAMPLE_RECORDS>,
        /// How many of the units that this channel's last call decrypted the decoder rejected, as no
        /// content that decodes. [`MAX_REJECTIONS`] in a row close the key. This field and the next
        /// are taken note of even where the rest of the call is refused, as long as the channel is
        /// known.
        14 => rejected: u32,
        /// How many of them became a picture: only that ends a row of rejections.
        15 => decoded: u32,
    }
}

body! {
    /// The units are decrypted.
    UnitDecrypted {
        /// Bytes of clear media.
        0 => bytes: u64,
        /// Status sequence number, see [`super::StatusReport::sequence`].
        1 => sequence: u64,
        /// Largest picture in pixels that may be shown now; absent: any.
        2 => largest_picture: Option<u32>,
    }
}

body! {
    /// Overwrites the whole media output, a protected buffer or a part of one, with zeros.
    ///
    /// Needs no session: what is wiped may have been written by one that has gone. The pool that
    /// protected buffers come from gives them out again with what is in them.
    WipeBuffer {}
}

body! {
    /// Closes a channel. One that goes away in another way, as by its decoder's death, counts what
    /// its last call decrypted as rejected.
    CloseChannel {
        /// The channel's handle.
        0 => channel: u64,
        /// As in [`DecryptUnit`].
        1 => rejected: u32,
        /// As in [`DecryptUnit`].
        2 => decoded: u32,
    }
}

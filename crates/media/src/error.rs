//! What can be wrong with a file, in terms a person can look up in it: box, offset, found, expected.

use core::fmt;
use std::io;

use crate::FourCc;

/// Why a file cannot be read or written. Offsets are bytes from the start of the input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The input or the output failed.
    #[error("input or output failed: {0}")]
    Io(#[from] io::Error),
    /// A box or a table ends before what it must hold.
    #[error("box '{kind}' at byte {offset} is cut short: {needed} bytes needed, {available} there")]
    Truncated {
        /// The box.
        kind: FourCc,
        /// Where the box starts.
        offset: u64,
        /// Bytes needed.
        needed: u64,
        /// Bytes there.
        available: u64,
    },
    /// A field has a value that the standard, or another table of the file, rules out.
    #[error("box '{kind}' at byte {offset}: {field} is {found}, expected {expected}")]
    Invalid {
        /// The box.
        kind: FourCc,
        /// Where the box starts.
        offset: u64,
        /// The field, in the standard's words.
        field: &'static str,
        /// Its value.
        found: u64,
        /// What it may be.
        expected: Expected,
    },
    /// A box that must be there is not.
    #[error("box '{parent}' at byte {offset} has no '{kind}'")]
    Missing {
        /// The box that is missing.
        kind: FourCc,
        /// The box that should hold it.
        parent: FourCc,
        /// Where that box starts.
        offset: u64,
    },
    /// A box that may be there once is there again.
    #[error("box '{kind}' at byte {offset} is there for the second time")]
    Repeated {
        /// The box.
        kind: FourCc,
        /// Where the second one starts.
        offset: u64,
    },
    /// The protection scheme (`schm` scheme_type) is none of the four of ISO/IEC 23001-7.
    #[error("protection scheme '{found}' at byte {offset}, expected cenc, cens, cbc1 or cbcs")]
    UnknownScheme {
        /// The scheme found.
        found: FourCc,
        /// Where its `schm` starts.
        offset: u64,
    },
    /// Something is larger than this implementation is ready to hold.
    #[error("box '{kind}' at byte {offset}: {field} is {found}, at most {limit} are taken")]
    TooLarge {
        /// The box.
        kind: FourCc,
        /// Where it starts.
        offset: u64,
        /// What is too large.
        field: &'static str,
        /// How large it is.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Valid, but not something this implementation can turn into clear samples.
    #[error("unsupported at byte {offset}: {what}")]
    Unsupported {
        /// What it is.
        what: Unsupported,
        /// Where it was met.
        offset: u64,
    },
    /// The machine has no memory left for bytes that have arrived.
    #[error("no memory for {bytes} more bytes of box '{kind}' at byte {offset}")]
    OutOfMemory {
        /// The box.
        kind: FourCc,
        /// Where it starts.
        offset: u64,
        /// Bytes asked for.
        bytes: u64,
    },
}

/// What a field may hold, see [`MediaError::Invalid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This value.
    Exactly(u64),
    /// This value or a larger one.
    AtLeast(u64),
    /// This value or a smaller one.
    AtMost(u64),
    /// What the words say.
    Words(&'static str),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(value) => write!(f, "{value}"),
            Self::AtLeast(value) => write!(f, "at least {value}"),
            Self::AtMost(value) => write!(f, "at most {value}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// Valid features that are refused rather than got wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// `moov` behind the media data, in an input that cannot seek: what the samples are would be known
    /// only after they have gone by.
    MovieAtEnd,
    /// Auxiliary information (IVs and subsamples) outside `moov`, of samples listed in `moov`, in an
    /// input that cannot seek.
    ScatteredAuxiliaryInformation,
    /// Protected samples in other files than this one (`dref`): decrypting this one would not decrypt them.
    SamplesInOtherFiles,
    /// Samples with several keys each (ISO/IEC 23001-7:2023): their tables have another form.
    SeveralKeysInSample,
    /// A second `moov` in the same stream: samples behind it would mean something else than those before.
    /// Several presentations one behind the other must be cut apart first.
    SecondMovie,
    /// Several `sinf` in one sample entry that say different things, all of which could be true.
    ContradictoryProtections,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MovieAtEnd => {
                "'moov' is not before the media data, and the input cannot seek; give it as a file"
            }
            Self::ScatteredAuxiliaryInformation => {
                "auxiliary information outside 'moov' in an input that cannot seek; give it as a file"
            }
            Self::SamplesInOtherFiles => "protected samples in other files ('dref')",
            Self::SeveralKeysInSample => "several keys in one sample",
            Self::SecondMovie => "a second 'moov' in one stream",
            Self::ContradictoryProtections => {
                "several 'sinf' in one sample entry that contradict each other"
            }
        })
    }
}

//! What the host side and the worker say to each other: small messages, each one packet of a
//! `SOCK_SEQPACKET` socket; bodies and media lie in shared memory and are named by place.
//!
//! Both sides trust nothing they receive: a message of another length than its kind has, an unknown
//! kind or a number out of its range does not decode. All numbers are little-endian.
//!
//! One control socket carries [`FromHost`] and its answers; each connection of a client has a socket
//! of its own, which carries [`Call`] and [`Answer`] only, and whose closing frees the connection.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE};

mod bytes;

use bytes::{Reader, Writer};

/// Version of this channel. A worker of another version is refused by name.
pub const VERSION: u32 = 1;

/// Bytes of the largest message.
pub const MAX_MESSAGE: usize = 8 * 1024;

/// Largest path of a state directory in bytes (`PATH_MAX`).
pub const MAX_PATH: usize = 4096;

/// Size in bytes of the memory that each connection shares: its request, then its response.
pub const ARENA: usize = MAX_REQUEST + MAX_RESPONSE;

/// Where in a connection's memory the response begins.
pub const RESPONSE_AT: usize = MAX_REQUEST;

/// Pieces of media memory that a worker maps at once.
pub const MAX_REGIONS: usize = 1024;

/// Size in bytes of the largest piece of media memory.
pub const MAX_REGION: usize = 1 << 30;

/// First bytes of every hello, in all versions.
const MAGIC: [u8; 8] = *b"KBworker";

/// A message that is not what this channel prescribes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is not well formed")]
pub struct Malformed;

/// The first message, from the worker, unasked. Its form never changes, so that versions can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Of the channel: [`VERSION`].
    pub version: u32,
    /// Of the interface to the core: [`keybearer_wire::limits::ABI_VERSION`].
    pub abi: u16,
}

impl Hello {
    /// As bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.u32(self.version);
        out.u16(self.abi);
        out.0
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`Malformed`]: whoever sent this is no worker.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        if from.take(MAGIC.len())? != MAGIC {
            return Err(Malformed);
        }
        let hello = Self {
            version: from.u32()?,
            abi: from.u16()?,
        };
        from.end(hello)
    }
}

/// From the host, on the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromHost {
    /// Open the state directory, close the sandbox, serve. Answered by [`FromWorker::Ready`] or
    /// [`FromWorker::Failed`].
    Start {
        /// Absolute path of the state directory.
        state_dir: PathBuf,
        /// The application says that the device has a built-in panel.
        internal_panel: bool,
    },
    /// A new connection, with two descriptors: its socket and its memory of [`ARENA`] bytes.
    /// Answered by [`FromWorker::Done`] or [`FromWorker::Refused`].
    Connect,
    /// Media memory, with its descriptor. Answered as [`Self::Connect`].
    Share {
        /// Its name from now on; never used twice.
        region: u64,
        /// Its size in bytes.
        len: u64,
    },
    /// Forget media memory. Not answered.
    Release {
        /// Its name.
        region: u64,
    },
}

/// From the worker, on the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// The core is there and the sandbox is closed.
    Ready {
        /// What of the worker's memory can no longer be swapped out.
        locked: Locked,
    },
    /// It did not start; the worker ends.
    Failed(Failure),
    /// Done as asked.
    Done,
    /// Not done: no room.
    Refused,
}

/// How much of the worker's memory is kept from being swapped out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// Nothing: the limit on locked memory (`RLIMIT_MEMLOCK`) is too low.
    Nothing,
    /// Heap and stack: all that keys can lie in.
    HeapAndStack,
}

/// Why a worker did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another process uses the state directory.
    InUse,
    /// The state directory or its file can be read by others.
    Permissions {
        /// Its permission bits.
        mode: u32,
    },
    /// The state is damaged.
    Damaged,
    /// A file operation failed.
    Io {
        /// What was attempted, as a verb.
        what: String,
        /// The system's error number.
        number: i32,
    },
    /// The core could not be made.
    Core(String),
    /// The sandbox could not be closed.
    Sandbox(String),
}

/// A place in media memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which memory.
    pub region: u64,
    /// Where in it, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl Place {
    /// What stands where no place is named.
    const NONE: Self = Self {
        region: 0,
        offset: 0,
        len: 0,
    };
}

/// One command, on a connection's socket; its request lies at the beginning of the connection's
/// memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Counts up from 1 on each connection.
    pub sequence: u64,
    /// Number of the command.
    pub command: u32,
    /// Bytes of the request.
    pub request: u32,
    /// Media in and media out, which may be the same place.
    pub media: Option<(Place, Place)>,
}

/// The answer to a call; its response lies at [`RESPONSE_AT`] of the connection's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// That of the call.
    pub sequence: u64,
    /// Bytes of the response.
    pub response: u32,
}

impl FromHost {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        match self {
            Self::Start {
                state_dir,
                internal_panel,
            } => {
                out.u32(1);
                out.u32(u32::from(*internal_panel));
                out.0.extend_from_slice(state_dir.as_os_str().as_bytes());
            }
            Self::Connect => out.u32(2),
            Self::Share { region, len } => {
                out.u32(3);
                out.u64(*region);
                out.u64(*len);
            }
            Self::Release { region } => {
                out.u32(4);
                out.u64(*region);
            }
        }
        out.0
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        let message = match from.u32()? {
            1 => Self::Start {
                internal_panel: match from.u32()? {
                    0 => false,
                    1 => true,
                    _ => return Err(Malformed),
                },
                state_dir: PathBuf::from(OsString::from_vec(from.rest(MAX_PATH)?)),
            },
            2 => Self::Connect,
            3 => Self::Share {
                region: from.u64()?,
                len: from.u64()?,
            },
            4 => Self::Release {
                region: from.u64()?,
            },
            _ => return Err(Malformed),
        };
        from.end(message)
    }
}

impl FromWorker {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        match self {
            Self::Ready { locked } => {
                out.u32(1);
                out.u32(match locked {
                    Locked::Nothing => 0,
                    Locked::HeapAndStack => 1,
                });
            }
            Self::Failed(failure) => {
                out.u32(2);
                failure.write(&mut out);
            }
            Self::Done => out.u32(3),
            Self::Refused => out.u32(4),
        }
        out.0
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        let message = match from.u32()? {
            1 => Self::Ready {
                locked: match from.u32()? {
                    0 => Locked::Nothing,
                    1 => Locked::HeapAndStack,
                    _ => return Err(Malformed),
                },
            },
            2 => Self::Failed(Failure::read(&mut from)?),
            3 => Self::Done,
            4 => Self::Refused,
            _ => return Err(Malformed),
        };
        from.end(message)
    }
}

impl Failure {
    /// Longest text of a failure in bytes; the rest is cut off.
    const MAX_TEXT: usize = 1024;

    fn write(&self, out: &mut Writer) {
        let text = |out: &mut Writer, text: &str| {
            let cut = text.floor_char_boundary(Self::MAX_TEXT);
            out.0.extend_from_slice(&text.as_bytes()[..cut]);
        };
        match self {
            Self::InUse => out.u32(1),
            Self::Permissions { mode } => {
                out.u32(2);
                out.u32(*mode);
            }
            Self::Damaged => out.u32(3),
            Self::Io { what, number } => {
                out.u32(4);
                out.u32(number.cast_unsigned());
                text(out, what);
            }
            Self::Core(why) => {
                out.u32(5);
                text(out, why);
            }
            Self::Sandbox(why) => {
                out.u32(6);
                text(out, why);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match from.u32()? {
            1 => Self::InUse,
            2 => Self::Permissions { mode: from.u32()? },
            3 => Self::Damaged,
            4 => Self::Io {
                number: from.u32()?.cast_signed(),
                what: from.text(Self::MAX_TEXT)?,
            },
            5 => Self::Core(from.text(Self::MAX_TEXT)?),
            6 => Self::Sandbox(from.text(Self::MAX_TEXT)?),
            _ => return Err(Malformed),
        })
    }
}

impl Call {
    /// Bytes of every call.
    pub const SIZE: usize = 72;

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut out = Writer(Vec::with_capacity(Self::SIZE));
        out.u32(5);
        out.u32(u32::from(self.media.is_some()));
        out.u64(self.sequence);
        out.u32(self.command);
        out.u32(self.request);
        let (input, output) = self.media.unwrap_or((Place::NONE, Place::NONE));
        for place in [input, output] {
            out.u64(place.region);
            out.u64(place.offset);
            out.u64(place.len);
        }
        let mut bytes = [0; Self::SIZE];
        bytes.copy_from_slice(&out.0);
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        if from.u32()? != 5 {
            return Err(Malformed);
        }
        let with_media = match from.u32()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed),
        };
        let sequence = from.u64()?;
        let command = from.u32()?;
        let request = from.u32()?;
        let mut place = || -> Result<Place, Malformed> {
            Ok(Place {
                region: from.u64()?,
                offset: from.u64()?,
                len: from.u64()?,
            })
        };
        let places = (place()?, place()?);
        // A call without media names no place, so that each call has one form.
        if !with_media && places != (Place::NONE, Place::NONE) {
            return Err(Malformed);
        }
        let call = Self {
            sequence,
            command,
            request,
            media: with_media.then_some(places),
        };
        from.end(call)
    }
}

impl Answer {
    /// Bytes of every answer.
    pub const SIZE: usize = 16;

    /// As bytes.
    #[must_use]
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut out = Writer(Vec::with_capacity(Self::SIZE));
        out.u32(6);
        out.u32(self.response);
        out.u64(self.sequence);
        let mut bytes = [0; Self::SIZE];
        bytes.copy_from_slice(&out.0);
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        if from.u32()? != 6 {
            return Err(Malformed);
        }
        let answer = Self {
            response: from.u32()?,
            sequence: from.u64()?,
        };
        from.end(answer)
    }
}

#[cfg(test)]
mod tests;

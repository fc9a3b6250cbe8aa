//! Transport failures between a host and its trusted core.

/// Why a call did not reach the trusted core or brought no answer back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TeeError {
    /// The trusted core is not there: no device, no trusted application, not permitted.
    #[error("trusted core unavailable: {0}")]
    Unavailable(String),
    /// The trusted core died under this call; open a new connection, keys are gone.
    #[error("trusted core died; its keys are gone, connect again")]
    Dead,
    /// The call was cancelled; what it was to do is not done.
    #[error("cancelled")]
    Cancelled,
    /// There is no decoder here at all, which is no fault: then there are no protected sessions that play.
    #[error("no decoder: {0}")]
    NoDecoder(String),
    /// Another decoder does not fit the trusted side's memory; close one.
    #[error("no memory for a further decoder: close a protected session first")]
    NoDecoderMemory,
    /// There is no protected memory here, or what was named is none. Nothing takes its place: clear media
    /// of a protected session goes nowhere else.
    #[error("no protected buffer: {0}")]
    NoProtectedBuffer(String),
    /// A body or the media exceeds what this transport carries.
    #[error("{what} of {found} bytes exceeds the transport's limit of {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its size in bytes.
        found: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The transport failed with the platform's own code.
    #[error("transport failed: {what} (code {code:#010x})")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// The platform's code, such as a `TEEC_Result`.
        code: u32,
    },
    /// The answer is not what the interface prescribes.
    #[error("the trusted core answered outside its interface: {0}")]
    BadAnswer(&'static str),
}

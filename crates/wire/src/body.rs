//! Requests and answers, one struct each, in the order of the command table.
//!
//! Identifiers, levels, track types and schemes of the licence protocol travel as the numbers
//! that their own rooms define; the core refuses unknown ones.

use crate::field::{Blob, List, Text, body, coded};
use crate::limits::{
    MAX_CAPABILITIES, MAX_INIT_DATA, MAX_INIT_DATA_ITEMS, MAX_KEY_IDS, MAX_KEYS_PER_SESSION,
    MAX_LICENSES_PER_SESSION, MAX_MODEL, MAX_PROVISION_TOKEN, MAX_REQUEST, MAX_SAMPLES,
    MAX_SERVICE_MESSAGE, MAX_SUBSAMPLES, MAX_TEXT, MAX_TOKEN, MAX_URL, MAX_VERSION, SAMPLE_RECORD,
    SUBSAMPLE_RECORD,
};

/// Bytes of all sample records at most.
pub const MAX_SAMPLE_RECORDS: usize = MAX_SAMPLES.saturating_mul(SAMPLE_RECORD);
/// Bytes of all subsample records at most.
pub const MAX_SUBSAMPLE_RECORDS: usize = MAX_SUBSAMPLES.saturating_mul(SUBSAMPLE_RECORD);
/// Reasons reported with one key at most.
pub const MAX_REASONS: usize = 8;

coded! {
    /// Status of a key (W3C Encrypted Media Extensions, MediaKeyStatus).
    KeyStatus {
        Usable = 0, "usable";
        UsableInFuture = 1, "usable in the future";
        Expired = 2, "expired";
        Released = 3, "released";
        OutputRestricted = 4, "output restricted";
        OutputDownscaled = 5, "output downscaled";
        StatusPending = 6, "status pending";
        InternalError = 7, "internal error";
    }
}

coded! {
    /// The field of a licence or of the device's state that a reason is about. Times are seconds
    /// since 1970-01-01T00:00Z by the trusted clock.
    ReasonField {
        NotBefore = 1, "the licence begins later";
        NotAfter = 2, "the licence's last moment has passed";
        LicenseDuration = 3, "the licence's duration has passed";
        RentalDuration = 4, "playback did not start within the rental";
        PlaybackDuration = 5, "the time after the first play has passed";
        TrustedTime = 6, "no trusted time; a time answer or a licence brings it";
        Level = 7, "the key may only be used at a higher level";
        Outputs = 8, "the key demands protected outputs and no trusted report shows them";
        ServiceCertificate = 9, "the service's certificate is not valid at the trusted time";
        // 10 is retired: a replaced licence leaves the report, so nothing could carry the reason.
        Worker = 11, "the key may only be used in the sandboxed worker process";
        HostReported = 12, "the key demands something of outputs, and only the host vouches for them";
        Recovery = 13, "no renewal came in the time allowed past its due moment";
        Rejections = 14, "too many units in a row were no content that decodes; the key is closed for this session";
        // 20..: outputs
        OutputKind = 20, "an output of unknown kind is active";
        DigitalVideo = 21, "a digital output does not have the HDCP demanded";
        CompressedVideo = 22, "compressed video may not leave on an output that is active";
        UncompressedAudio = 23, "uncompressed audio may not leave on an output that is active";
        CompressedAudio = 24, "compressed audio may not leave on an output that is active";
        AnalogVideo = 25, "an analogue output does not have the copy control demanded";
        Agc = 26, "an analogue output lacks automatic gain control";
        ColorStripe = 27, "an analogue output lacks colour stripes";
        AnalogPicture = 28, "the picture is too large for an analogue output";
        DigitalPicture = 29, "the picture is too large for a digital output";
        CompressedPicture = 30, "the compressed picture is too large for an output";
        DevicePicture = 31, "the picture is too large for this device";
        Airplay = 32, "the picture may not go to a wireless receiver";
        AvAdapter = 33, "the picture may not go through an adapter";
        DtcpExport = 34, "the content may not be exported";
        Recording = 35, "the content may not be recorded";
    }
}

coded! {
    /// Where the core runs.
    Isolation {
        Tee = 1, "trusted execution environment";
        Worker = 2, "sandboxed worker process";
        InProcess = 3, "the application's own process";
    }
}

coded! {
    /// Kind of a licence request.
    RequestKind {
        Acquire = 1, "a new licence";
        Renew = 2, "a newer instance of a loaded licence";
    }
}

coded! {
    /// Kind of a provisioning token.
    TokenKind {
        Enrollment = 1, "one-use enrolment token: certifies at most level Low";
        Factory = 2, "factory token: names the digest of the device's key";
    }
}

body! {
    /// An answer without content.
    Empty {}
}

body! {
    /// Asks what the trusted side is.
    Describe {}
}

body! {
    /// What the trusted side is; said by itself and attested in every licence request.
    Description<'a> {
        /// [`crate::limits::ABI_VERSION`] of the core.
        0 => abi: u16,
        /// Version of the core.
        1 => version: Text<'a, MAX_VERSION>,
        /// Highest level of its sessions, a `keybearer_rules::Level` number. A clear session is at
        /// most Medium.
        2 => level: u8,
        /// Where it runs.
        3 => isolation: Isolation,
        /// True for development builds, test sinks and simulated backends.
        4 => debug: bool,
        /// Strength of its monotonic counter; absent: it has none.
        5 => counter: Option<u8>,
        /// True when it has a clock that the host cannot set.
        6 => clock: bool,
        /// Largest media slot of one call in bytes.
        7 => max_media: u32,
        /// True when the application may name a trust anchor (level Low).
        8 => application_anchors: bool,
        /// True when it has a decoder: protected sessions may be opened.
        9 => protected: bool,
    }
}

body! {
    /// Asks for the device's key under an anchor.
    DeviceKey {
        /// SHA-256 of the operator's root public key.
        0 => anchor: [u8; 32],
    }
}

body! {
    /// The device's key under an anchor, as a factory token names it.
    DeviceKeyAnswer {
        /// SHA-256 of the deterministic COSE_Key of the device's signing key.
        0 => key_digest: [u8; 32],
        /// True when a certificate for it is held.
        1 => provisioned: bool,
    }
}

body! {
    /// Starts provisioning under an anchor.
    BeginProvisioning<'a> {
        /// The anchor; at Medium and High it must be compiled into the trusted side.
        0 => anchor: [u8; 32],
        /// A service info message of a service with the provisioning role.
        1 => service_info: Blob<'a, MAX_SERVICE_MESSAGE>,
        /// Kind of `token`.
        2 => token_kind: TokenKind,
        /// The token as the operator issued it.
        3 => token: Blob<'a, MAX_PROVISION_TOKEN>,
        /// Hardware model that the certificate shall name.
        4 => model: Text<'a, MAX_MODEL>,
    }
}

body! {
    /// A message for the host to carry, opaque to it.
    Message<'a> {
        /// The message.
        0 => bytes: Blob<'a, MAX_SERVICE_MESSAGE>,
    }
}

body! {
    /// Ends provisioning with the service's answer.
    FinishProvisioning<'a> {
        /// The anchor that [`BeginProvisioning`] named.
        0 => anchor: [u8; 32],
        /// The provision answer.
        1 => answer: Blob<'a, MAX_SERVICE_MESSAGE>,
    }
}

body! {
    /// What the certificate says.
    Provisioned {
        /// Highest level certified, a `keybearer_rules::Level` number.
        0 => level: u8,
        /// The certificate is marked as a debug device's.
        1 => debug: bool,
    }
}

body! {
    /// What a provision answer brought: exactly one of the two.
    ProvisioningFinished<'a> {
        /// The certificate now kept.
        0 => certified: Option<Provisioned>,
        /// The denial; nothing was kept.
        1 => denial: Option<DenialReport<'a>>,
    }
}

body! {
    /// Forgets an identity.
    EraseIdentity {
        /// Its anchor.
        0 => anchor: [u8; 32],
    }
}

body! {
    /// Opens a session.
    OpenSession<'a> {
        /// Anchor under which the device is provisioned.
        0 => anchor: [u8; 32],
        /// Service info of the licence service, fresh or kept.
        1 => service_info: Blob<'a, MAX_SERVICE_MESSAGE>,
        /// A protected session, whose media goes to the decoder and never comes back clear. It is
        /// what a trusted side of level High is certified for; without it a session is at most
        /// Medium.
        2 => protected: bool,
    }
}

body! {
    /// A session's handle.
    SessionOpened {
        /// Index and generation; means nothing to another client.
        0 => session: u64,
    }
}

body! {
    /// Closes a session.
    CloseSession {
        /// Its handle.
        0 => session: u64,
    }
}

body! {
    /// One `pssh` box taken apart by the host (ISO/IEC 23001-7 section 8.1).
    InitData<'a> {
        /// System id.
        0 => system_id: [u8; 16],
        /// The box's data.
        1 => data: Blob<'a, MAX_INIT_DATA>,
    }
}

body! {
    /// What a licence request shall ask for.
    BuildRequest<'a> {
        /// The session's handle.
        0 => session: u64,
        /// Acquire or renew.
        1 => kind: RequestKind,
        /// Key ids wanted (ISO/IEC 23001-7).
        2 => key_ids: List<[u8; 16], MAX_KEY_IDS>,
        /// Init data for the server to read key ids from.
        3 => init_data: List<InitData<'a>, MAX_INIT_DATA_ITEMS>,
        /// A stored licence is wanted rather than a session licence.
        4 => stored: bool,
        /// Authorisation token, opaque to the device.
        5 => token: Option<Blob<'a, MAX_TOKEN>>,
        /// Capabilities as the host states them, encoded as the licence protocol prescribes.
        6 => capabilities: Blob<'a, MAX_CAPABILITIES>,
        /// Licence to renew; with [`RequestKind::Renew`] only.
        7 => license: Option<[u8; 16]>,
        /// A newer service info, for its challenge.
        8 => service_info: Option<Blob<'a, MAX_SERVICE_MESSAGE>>,
    }
}

body! {
    /// An answer of the licence service.
    LoadAnswer<'a> {
        /// The session's handle.
        0 => session: u64,
        /// Licence or denial.
        1 => answer: Blob<'a, MAX_SERVICE_MESSAGE>,
    }
}

body! {
    /// Why a key has its status.
    Reason {
        /// What the reason is about.
        0 => field: ReasonField,
        /// What was wanted.
        1 => wanted: Option<i64>,
        /// What was found.
        2 => found: Option<i64>,
        /// The output it is about, a `keybearer_rules::OutputKind` number.
        3 => output: Option<u8>,
    }
}

body! {
    /// One key of a licence, without the key.
    KeyReport {
        /// Key id.
        0 => key_id: [u8; 16],
        /// Status now.
        1 => status: KeyStatus,
        /// Reasons for it. A usable key has none but [`ReasonField::HostReported`].
        2 => reasons: List<Reason, MAX_REASONS>,
        /// Track type, a number of the licence protocol.
        3 => track_type: u8,
        /// Lowest level it may be used at, a `keybearer_rules::Level` number.
        4 => level: u8,
        /// Protection scheme, a `Scheme` number; `keybearer-cenc` and `keybearer-license` agree.
        5 => scheme: u8,
        /// Largest picture in pixels that the outputs allow now, 0 for none; absent: any. Where the
        /// status is [`KeyStatus::OutputRestricted`], a key for a picture of at most this size would
        /// be usable.
        6 => largest_picture: Option<u32>,
    }
}

body! {
    /// One loaded licence, without secrets.
    LicenseReport<'a> {
        /// Licence id.
        0 => license: [u8; 16],
        /// Sequence number of this instance.
        1 => sequence: u64,
        /// Earliest moment by the trusted clock at which some limit ends it, if any.
        2 => ends: Option<u64>,
        /// When to ask for renewal, by the trusted clock.
        3 => renew_at: Option<u64>,
        /// Where to ask for renewal.
        4 => renewal_url: Option<Text<'a, MAX_URL>>,
        /// Its keys.
        5 => keys: List<KeyReport, MAX_KEYS_PER_SESSION>,
        /// Seconds to wait after an attempt to renew that failed; with a moment of renewal only.
        6 => renew_retry: Option<u32>,
    }
}

body! {
    /// Why there is no licence. The service says so; or this side, with the reason for a level too
    /// low and the rule `session-level`, where the service granted keys that this session is too low
    /// for, all of them.
    DenialReport<'a> {
        /// Reason code of the licence protocol.
        0 => reason: u16,
        /// The rule that decided.
        1 => rule: Option<Text<'a, MAX_TEXT>>,
        /// What the rule wants.
        2 => wanted: Option<Text<'a, MAX_TEXT>>,
        /// What it found.
        3 => found: Option<Text<'a, MAX_TEXT>>,
        /// Public server code, such as 4008.
        4 => server_code: Option<u32>,
        /// Seconds to wait before asking again.
        5 => retry_after: Option<u32>,
        /// Level that would suffice, a `keybearer_rules::Level` number.
        6 => level_needed: Option<u8>,
        /// The key it is about.
        7 => key_id: Option<[u8; 16]>,
    }
}

body! {
    /// What an answer brought: exactly one of the two.
    AnswerLoaded<'a> {
        /// The licence now loaded.
        0 => license: Option<LicenseReport<'a>>,
        /// The denial.
        1 => denial: Option<DenialReport<'a>>,
    }
}

body! {
    /// Asks for the statuses of a session.
    Statuses {
        /// The session's handle.
        0 => session: u64,
    }
}

body! {
    /// All licences of a session.
    StatusReport<'a> {
        /// Grows by at least one whenever a status changes.
        0 => sequence: u64,
        /// Trusted time in seconds since 1970-01-01T00:00Z; absent before the first anchor.
        1 => time: Option<u64>,
        /// The licences, oldest first.
        2 => licenses: List<LicenseReport<'a>, MAX_LICENSES_PER_SESSION>,
    }
}

body! {
    /// Erases a licence.
    RemoveLicense {
        /// The session's handle.
        0 => session: u64,
        /// The licence.
        1 => license: [u8; 16],
    }
}

body! {
    /// Brings a revocation list.
    LoadRevocationList<'a> {
        /// The anchor it belongs to.
        0 => anchor: [u8; 32],
        /// The list.
        1 => list: Blob<'a, MAX_SERVICE_MESSAGE>,
    }
}

body! {
    /// A batch of samples of one track under one key.
    ///
    /// In a protected session the media output is memory that the normal world cannot read, or the call
    /// is refused; what of it lies behind the clear bytes is overwritten with zeros.
    Decrypt<'a> {
        /// The session's handle.
        0 => session: u64,
        /// Key id.
        1 => key_id: [u8; 16],
        /// Licence to use; absent: the newest whose status is usable.
        2 => license: Option<[u8; 16]>,
        /// Track type, a number of the licence protocol.
        3 => track_type: u8,
        /// Protection scheme, a `Scheme` number; `keybearer-cenc` and `keybearer-license` agree.
        4 => scheme: u8,
        /// Size of the per-sample initialisation vectors: 8 or 16, or 0 with a constant one.
        5 => iv_size: u8,
        /// Constant initialisation vector, 8 or 16 bytes.
        6 => constant_iv: Option<Blob<'a, 16>>,
        /// `crypt_byte_block` of the pattern.
        7 => crypt_blocks: u8,
        /// `skip_byte_block` of the pattern.
        8 => skip_blocks: u8,
        /// Milliseconds of media in this batch, by the container.
        9 => duration_ms: u32,
        /// Picture width in pixels as the container states it; can only lead to a refusal.
        10 => width: Option<u32>,
        /// Picture height in pixels as the container states it.
        11 => height: Option<u32>,
        /// Sample records, see [`crate::SampleTable`].
        12 => samples: Blob<'a, MAX_SAMPLE_RECORDS>,
        /// Subsample records.
        13 => subsamples: Blob<'a, MAX_SUBSAMPLE_RECORDS>,
    }
}

body! {
    /// The batch is decrypted.
    Decrypted {
        /// Bytes of clear media.
        0 => bytes: u64,
        /// Status sequence number, see [`StatusReport::sequence`].
        1 => sequence: u64,
    }
}

// A full call of `Decrypt`, and one of `DecryptUnit`, whose records have the same limits, must fit the
// request limit with room for the scalar fields.
const _: () =
    assert!(MAX_SAMPLE_RECORDS.saturating_add(MAX_SUBSAMPLE_RECORDS) < MAX_REQUEST - 1024);

mod outputs;
mod protected;
mod time;

pub use outputs::{OutputReport, ReportOutputs};
pub use protected::{
    ChannelOpened, CloseChannel, DecryptUnit, IssueTicket, MAX_REJECTIONS, RedeemTicket, Ticket,
    UnitDecrypted, WipeBuffer,
};
pub use time::{BuildTimeRequest, LoadTimeAnswer, TimeLoaded};

#[cfg(test)]
mod tests;

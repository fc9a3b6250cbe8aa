//! Status codes: the outcome of a command, in band and pinned for ever.

/// Defines [`Status`] from one table so that number, name and meaning cannot drift apart.
macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Outcome of a command. Numbers are never reused; a golden test pins them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum Status {
            $(#[doc = $text] #[error($text)] $name = $code,)*
        }

        impl Status {
            /// Every status, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code),* }
            }

            /// The status of a number; `None` for one this version does not know.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The name as the command line and logs print it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

statuses! {
    Ok = 0, "the command did what it says";

    // 1..: the call itself
    Malformed = 1, "the request body is not the strict encoding of this command's request";
    UnknownCommand = 2, "no command has this number";
    RequestTooLarge = 3, "the request body exceeds its limit";
    ResponseTooSmall = 4, "the response buffer is smaller than the answer; nothing was done";
    MediaTooLarge = 5, "the media exceeds what one call may carry";
    MediaMismatch = 6, "the media input and output do not fit the sample table";
    OutOfMemory = 7, "the trusted side has no memory for this call";
    Platform = 8, "the platform under the trusted side failed (random numbers, storage or identity)";
    NotSupported = 9, "this trusted side does not do that";
    LimitExceeded = 10, "a count or length exceeds its named limit";
    NotPermitted = 11, "this command is for another kind of caller: of hosts and decoders each has its own";

    // 32..: sessions
    UnknownSession = 32, "the session handle is stale, closed or another client's";
    TooManySessions = 33, "all sessions, or all that one client may open, are in use";
    TooManyLicenses = 34, "the session holds as many licences as it may";
    TooManyKeys = 35, "as many keys are held as may be, by the session, its client or all";
    UnknownLicense = 36, "the session holds no licence with this id";
    WrongSessionKind = 37, "only a protected session has tickets and channels";
    UnknownTicket = 38, "the ticket was never issued, is already redeemed, or died with its session";
    UnknownChannel = 39, "the channel handle is stale, closed or another decoder's";
    TooManyChannels = 40, "the session has as many channels as it may";

    // 64..: provisioning and trust
    UnknownAnchor = 64, "the trust anchor is not one this trusted side accepts";
    NotProvisioned = 65, "the device has no certificate under this trust anchor";
    NoPendingProvisioning = 66, "no provisioning request of this device is waiting for this answer";
    BadChain = 67, "a certificate chain does not lead to the trust anchor";
    RoleMissing = 68, "the signer's certificate does not carry the role that this message needs";
    OutsideValidity = 69, "a certificate is not valid at the trusted time";
    Revoked = 70, "the signer's certificate is revoked";
    RevocationListNeeded = 71, "a newer revocation list must be loaded first";
    StaleRevocationList = 72, "the revocation list is older than one already seen, or another one of the same number";
    DamagedRecord = 73, "a record that the trusted side sealed does not open any more; erase the identity and provision anew";
    LowerLevel = 74, "a valid certificate is not replaced by one of a lower level";

    // 96..: messages of the service
    BadMessage = 96, "a message of the service is not well formed";
    BadSignature = 97, "a message of the service is not signed by whom it says";
    NotForThisRequest = 98, "the answer belongs to another request, or its request was already answered";
    NotForThisDevice = 99, "the answer was made for another device";
    WrongService = 100, "the answer comes from another service than the request went to";
    UnsupportedVersion = 101, "a message is of an unknown protocol version, or sealed records are of a newer core than this one";
    Late = 102, "the answer came later than 30 seconds after its request";
    StaleSequence = 103, "the licence is not newer than the one it would replace";
    NoChallenge = 104, "no challenge of the service is at hand; fetch its service info first";
    StaleServiceInfo = 105, "the service info is older than the one the session goes by";

    // 128..: licences and what they demand
    LevelTooLow = 128, "a higher level is asked for than this trusted side has";
    StoredNotSupported = 129, "this trusted side cannot keep stored licences";
    CounterTooWeak = 130, "the licence demands a stronger counter than the platform has";
    NoTrustedTime = 131, "the licence is limited in time and this platform has no trusted clock";
    LicenseEnded = 132, "the licence has already ended";
    WorkerRequired = 133, "the licence demands the sandboxed worker process";
    UseDenied = 134, "the licence denies its keys at every level";
    StaleReport = 135, "the report of the outputs is not newer than the last one";

    // 160..: decryption
    UnknownKey = 160, "no loaded licence holds this key";
    KeyNotUsable = 161, "the key's status does not allow its use now; see the reasons";
    WrongTrackType = 162, "the key belongs to another track type";
    WrongScheme = 163, "the key belongs to another protection scheme";
    WrongIv = 164, "the key belongs to another kind or size of initialisation vector";
    WrongPattern = 165, "the key belongs to another pattern";
    BadSampleTable = 166, "the sample table contradicts itself or the media";
    ClearRangeTooLarge = 167, "a sample leaves more bytes clear than the licence allows";
    PictureTooLarge = 168, "the picture is larger than the key allows";
    DurationTooLong = 169, "one call may cover at most two seconds of media";
    UnprotectedOutput = 170, "this may only be written to memory that the normal world cannot read, and the output is none";
    ProtectedInput = 171, "what a host sends lies in memory that the normal world can read, and what comes from other memory goes to none that it can";

    // 192..: the decoder of a protected session
    ContentRejected = 192, "the access unit is no content that decodes; decoding goes on at the next IDR";
    NoDecoderMemory = 193, "the pictures of this track do not fit the decoder's memory";
    UnsupportedCodec = 194, "the decoder does not decode this codec, or this profile of it";
    NotAttached = 195, "the decoder has redeemed no ticket";
    NotConfigured = 196, "the decoder has no configuration of the track";
}

#[cfg(test)]
mod tests;

//! A connection to a trusted side, spoken by hand: every command a method, every answer owned, and
//! every byte of it kept.

use keybearer_tee::{Media, SharedMemory, Tee, TeeError, TeeSession};
use keybearer_wire::body::{self, KeyReport, KeyStatus, ReasonField, RequestKind};
use keybearer_wire::field::{Blob, List, Text};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Exchange, Status, decode_response};

/// A capability set that states nothing, encoded.
const NOTHING_STATED: &[u8] = &[0xa0];
/// The key that requests ask for unless told otherwise.
pub(crate) const KEY: [u8; 16] = [7; 16];

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The trusted side refused.
    #[error("refused with {name}", name = .0.name())]
    Refused(Status),
    /// The transport failed.
    #[error("the transport failed: {0}")]
    Transport(#[from] TeeError),
    /// The response is not what the interface prescribes.
    #[error("the response is not well formed")]
    Malformed,
}

/// One connection.
pub(crate) struct Connection {
    tee: Box<dyn TeeSession>,
    response: Vec<u8>,
    /// Every response so far.
    pub(crate) seen: Vec<u8>,
}

/// A licence report, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct License {
    pub(crate) id: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) ends: Option<u64>,
    pub(crate) keys: Vec<KeyReport>,
}

impl License {
    /// Status and first reason of each key.
    pub(crate) fn statuses(&self) -> Vec<(KeyStatus, Option<ReasonField>)> {
        let of = |key: &KeyReport| (key.status, key.reasons.0.first().map(|why| why.field));
        self.keys.iter().map(of).collect()
    }
}

/// What an answer brought, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    License(License),
    Denied {
        reason: u16,
        level_needed: Option<u8>,
    },
}

/// A status report, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statuses {
    pub(crate) sequence: u64,
    pub(crate) time: Option<u64>,
    pub(crate) licenses: Vec<License>,
}

/// What the trusted side says it is, owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) abi: u16,
    pub(crate) level: u8,
    pub(crate) isolation: body::Isolation,
    pub(crate) debug: bool,
    pub(crate) counter: Option<u8>,
    pub(crate) clock: bool,
    pub(crate) max_media: u32,
    pub(crate) application_anchors: bool,
    pub(crate) protected: bool,
}

/// What provisioning came to, owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provisioned {
    Certified { level: u8, debug: bool },
    Denied(u16),
}

impl Connection {
    pub(crate) fn open(tee: &dyn Tee) -> Result<Self, Failure> {
        Ok(Self {
            tee: tee.connect()?,
            response: Vec::new(),
            seen: Vec::new(),
        })
    }

    pub(crate) fn shared_memory(
        &mut self,
        len: usize,
    ) -> Result<Option<Box<dyn SharedMemory>>, Failure> {
        Ok(self.tee.shared_memory(len)?)
    }

    /// One command, as bytes; `Ok` with the refusal if it is one.
    pub(crate) fn raw(
        &mut self,
        command: u32,
        request: &[u8],
        media: Media<'_>,
    ) -> Result<Option<Status>, Failure> {
        self.tee.call(command, request, &mut self.response, media)?;
        self.seen.extend_from_slice(&self.response);
        // Whatever the answer is, a refusal has none.
        match decode_response::<body::Empty>(&self.response) {
            Ok(Err(status)) => Ok(Some(status)),
            Ok(Ok(_)) | Err(_) => Ok(None),
        }
    }

    fn call<'r, R: Exchange<'r>, T>(
        &mut self,
        request: &R,
        media: Media<'_>,
        read: impl FnOnce(R::Answer<'_>) -> T,
    ) -> Result<T, Failure> {
        let request = request
            .encode(MAX_REQUEST)
            .map_err(|_| Failure::Malformed)?;
        self.tee
            .call(R::COMMAND.code(), &request, &mut self.response, media)?;
        self.seen.extend_from_slice(&self.response);
        decode_response::<R::Answer<'_>>(&self.response)
            .map_err(|_| Failure::Malformed)?
            .map(read)
            .map_err(Failure::Refused)
    }

    fn say<'r, R: Exchange<'r>, T>(
        &mut self,
        request: &R,
        read: impl FnOnce(R::Answer<'_>) -> T,
    ) -> Result<T, Failure> {
        self.call(request, Media::None, read)
    }

    pub(crate) fn describe(&mut self) -> Result<Described, Failure> {
        self.say(&body::Describe {}, |said| Described {
            abi: said.abi,
            level: said.level,
            isolation: said.isolation,
            debug: said.debug,
            counter: said.counter,
            clock: said.clock,
            max_media: said.max_media,
            application_anchors: said.application_anchors,
            protected: said.protected,
        })
    }

    /// Digest of the device's key, and whether it is certified.
    pub(crate) fn device_key(&mut self, anchor: [u8; 32]) -> Result<([u8; 32], bool), Failure> {
        self.say(&body::DeviceKey { anchor }, |a| {
            (a.key_digest, a.provisioned)
        })
    }

    pub(crate) fn begin(&mut self, anchor: [u8; 32], info: &[u8]) -> Result<Vec<u8>, Failure> {
        let request = body::BeginProvisioning {
            anchor,
            service_info: Blob(info),
            token_kind: body::TokenKind::Enrollment,
            token: Blob(b"enrolment"),
            model: Text("Conformance"),
        };
        self.say(&request, |a| a.bytes.0.to_vec())
    }

    pub(crate) fn finish(
        &mut self,
        anchor: [u8; 32],
        answer: &[u8],
    ) -> Result<Provisioned, Failure> {
        let answer = Blob(answer);
        let finished = self.say(&body::FinishProvisioning { anchor, answer }, |a| {
            match (a.certified, a.denial) {
                (Some(c), None) => Some(Provisioned::Certified {
                    level: c.level,
                    debug: c.debug,
                }),
                (None, Some(denial)) => Some(Provisioned::Denied(denial.reason)),
                _ => None,
            }
        });
        finished?.ok_or(Failure::Malformed)
    }

    pub(crate) fn erase(&mut self, anchor: [u8; 32]) -> Result<(), Failure> {
        self.say(&body::EraseIdentity { anchor }, |_| ())
    }

    pub(crate) fn open_session(&mut self, anchor: [u8; 32], info: &[u8]) -> Result<u64, Failure> {
        self.open_kind(anchor, info, false)
    }

    pub(crate) fn open_protected(&mut self, anchor: [u8; 32], info: &[u8]) -> Result<u64, Failure> {
        self.open_kind(anchor, info, true)
    }

    fn open_kind(
        &mut self,
        anchor: [u8; 32],
        info: &[u8],
        protected: bool,
    ) -> Result<u64, Failure> {
        let service_info = Blob(info);
        let request = body::OpenSession {
            anchor,
            service_info,
            protected,
        };
        self.say(&request, |a| a.session)
    }

    pub(crate) fn ticket(&mut self, session: u64, track_type: u8) -> Result<[u8; 16], Failure> {
        let request = body::IssueTicket {
            session,
            track_type,
        };
        self.say(&request, |a| a.ticket)
    }

    pub(crate) fn close(&mut self, session: u64) -> Result<(), Failure> {
        self.say(&body::CloseSession { session }, |_| ())
    }

    pub(crate) fn request(&mut self, session: u64, keys: &[[u8; 16]]) -> Result<Vec<u8>, Failure> {
        self.request_with(session, keys, |_| ())
    }

    pub(crate) fn request_with<'a>(
        &mut self,
        session: u64,
        keys: &[[u8; 16]],
        edit: impl FnOnce(&mut body::BuildRequest<'a>),
    ) -> Result<Vec<u8>, Failure> {
        let mut request = body::BuildRequest {
            session,
            kind: RequestKind::Acquire,
            key_ids: List(keys.to_vec()),
            init_data: List(Vec::new()),
            stored: false,
            token: Some(Blob(b"authorisation token")),
            capabilities: Blob(NOTHING_STATED),
            license: None,
            service_info: None,
        };
        edit(&mut request);
        self.say(&request, |a| a.bytes.0.to_vec())
    }

    /// A request with a newer service info, for its challenge.
    pub(crate) fn request_fresh(
        &mut self,
        session: u64,
        keys: &[[u8; 16]],
        info: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        self.request_with(session, keys, |request| {
            request.service_info = Some(Blob(info))
        })
    }

    pub(crate) fn renewal(
        &mut self,
        session: u64,
        license: [u8; 16],
        info: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        self.request_with(session, &[KEY], |request| {
            request.kind = RequestKind::Renew;
            request.license = Some(license);
            request.service_info = Some(Blob(info));
        })
    }

    pub(crate) fn load(&mut self, session: u64, answer: &[u8]) -> Result<Loaded, Failure> {
        let answer = Blob(answer);
        let loaded = self.say(&body::LoadAnswer { session, answer }, |a| {
            match (a.license, a.denial) {
                (Some(license), None) => Some(Loaded::License(owned(license))),
                (None, Some(denial)) => Some(Loaded::Denied {
                    reason: denial.reason,
                    level_needed: denial.level_needed,
                }),
                _ => None,
            }
        });
        loaded?.ok_or(Failure::Malformed)
    }

    pub(crate) fn statuses(&mut self, session: u64) -> Result<Statuses, Failure> {
        self.say(&body::Statuses { session }, |a| Statuses {
            sequence: a.sequence,
            time: a.time,
            licenses: a.licenses.0.into_iter().map(owned).collect(),
        })
    }

    pub(crate) fn remove(&mut self, session: u64, license: [u8; 16]) -> Result<(), Failure> {
        self.say(&body::RemoveLicense { session, license }, |_| ())
    }

    pub(crate) fn time_request(&mut self, session: u64, info: &[u8]) -> Result<Vec<u8>, Failure> {
        let service_info = Some(Blob(info));
        let request = body::BuildTimeRequest {
            session,
            service_info,
        };
        self.say(&request, |a| a.bytes.0.to_vec())
    }

    /// The reason of a denial, if it was one.
    pub(crate) fn load_time(
        &mut self,
        session: u64,
        answer: &[u8],
    ) -> Result<Option<u16>, Failure> {
        let answer = Blob(answer);
        self.say(&body::LoadTimeAnswer { session, answer }, |a| {
            a.denial.map(|denial| denial.reason)
        })
    }

    pub(crate) fn load_list(&mut self, anchor: [u8; 32], list: &[u8]) -> Result<(), Failure> {
        let list = Blob(list);
        self.say(&body::LoadRevocationList { anchor, list }, |_| ())
    }

    /// Decrypts; the number of bytes.
    pub(crate) fn decrypt(
        &mut self,
        request: &body::Decrypt<'_>,
        media: Media<'_>,
    ) -> Result<u64, Failure> {
        self.call(request, media, |a| a.bytes)
    }
}

fn owned(report: body::LicenseReport<'_>) -> License {
    License {
        id: report.license,
        sequence: report.sequence,
        ends: report.ends,
        keys: report.keys.0,
    }
}

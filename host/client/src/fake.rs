//! A trusted side for tests whose licences the test sets, and which can die.
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::{Arc, Mutex, MutexGuard};

use keybearer_tee::{BackendInfo, Media, Tee, TeeError, TeeSession};
use keybearer_wire::body::{
    self, KeyReport, KeyStatus, LicenseReport, Message, Reason, ReasonField,
};
use keybearer_wire::field::{Blob, List, Text};
use keybearer_wire::{Body, Command, Status, encode_answer, encode_status};

use crate::{HttpRequest, HttpResponse, KeyId, Transport, TransportError};

/// A network with a service that answers everything. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct FakeNetwork(Arc<Mutex<NetworkState>>);

#[derive(Default)]
pub(crate) struct NetworkState {
    /// Addresses asked for, in order.
    pub(crate) urls: Vec<String>,
    pub(crate) down: bool,
    /// How long an answer takes.
    pub(crate) delay: std::time::Duration,
    /// Answers only the cancellation of an exchange.
    pub(crate) silent: bool,
}

impl FakeNetwork {
    pub(crate) fn state(&self) -> MutexGuard<'_, NetworkState> {
        self.0.lock().unwrap()
    }

    /// How often a resource was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        let state = self.state();
        state.urls.iter().filter(|url| url.ends_with(path)).count()
    }
}

impl Transport for FakeNetwork {
    fn exchange<'a>(&self, request: &HttpRequest<'a>) -> Result<HttpResponse, TransportError> {
        let url = request.url.to_owned();
        let (down, silent, delay) = {
            let mut state = self.state();
            state.urls.push(url.clone());
            (state.down, state.silent, state.delay)
        };
        std::thread::sleep(delay);
        if silent && !request.cancel.pause(request.timeout) {
            return Err(TransportError::Cancelled { url });
        }
        if down || silent {
            let reason = "nobody is there".into();
            return Err(TransportError::Connect { url, reason });
        }
        Ok(HttpResponse {
            status: 200,
            retry_after: None,
            body: b"answer".to_vec(),
        })
    }
}

/// A client of a fake trusted side over a fake network, which tries everything once.
pub(crate) fn client(tee: &FakeTee, network: &FakeNetwork) -> crate::Client {
    let url = "http://service".parse().unwrap();
    crate::Client::new(Arc::new(tee.clone()), url, crate::AnchorDigest([1; 32]))
        .with_transport(Box::new(network.clone()))
        .with_retry(crate::RetryPolicy {
            attempts: 1,
            ..crate::RetryPolicy::default()
        })
}

/// The trusted side. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct FakeTee(Arc<Mutex<FakeState>>);

/// What a test sets and finds out.
#[derive(Default)]
pub(crate) struct FakeState {
    /// Licences held, oldest first; those that [`Command::LoadAnswer`] brings are added.
    pub(crate) held: Vec<LicenseReport<'static>>,
    /// Licences that answers bring, in this order; none: a denial.
    pub(crate) grants: Vec<LicenseReport<'static>>,
    pub(crate) sequence: u64,
    pub(crate) time: Option<u64>,
    /// Connections made.
    pub(crate) connections: usize,
    /// Connections that were dropped.
    pub(crate) dropped: usize,
    /// Commands as they came.
    pub(crate) commands: Vec<Command>,
    /// Requests for licences as they came.
    pub(crate) asked: Vec<Vec<KeyId>>,
    /// The licences that renewals were asked for.
    pub(crate) renewed: Vec<[u8; 16]>,
    /// The connection that all calls from now on find dead, and those before it.
    pub(crate) dead: usize,
    /// Decrypt calls to come before the connection in use dies.
    pub(crate) dies_after: Option<usize>,
    /// How many licences fit.
    pub(crate) room: Option<usize>,
    /// Seconds to wait that a denial asks for.
    pub(crate) retry_after: Option<u32>,
    /// Reports of outputs as they came.
    pub(crate) reported: Vec<body::ReportOutputs>,
    /// What the next request finds instead of an answer.
    pub(crate) refuse: Option<(Command, Status)>,
}

impl FakeTee {
    pub(crate) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().unwrap()
    }

    /// Sets what is held as a change of status does.
    pub(crate) fn hold(&self, held: Vec<LicenseReport<'static>>) {
        let mut state = self.state();
        state.held = held;
        state.sequence += 1;
    }

    /// How often a command came.
    pub(crate) fn count(&self, command: Command) -> usize {
        let state = self.state();
        state.commands.iter().filter(|it| **it == command).count()
    }
}

/// A licence with one key of this status.
pub(crate) fn license(id: u8, key: u8, status: KeyStatus) -> LicenseReport<'static> {
    license_of(id, vec![key_report([key; 16], status)])
}

pub(crate) fn license_of(id: u8, keys: Vec<KeyReport>) -> LicenseReport<'static> {
    LicenseReport {
        license: [id; 16],
        sequence: 1,
        ends: None,
        renew_at: None,
        renewal_url: None,
        keys: List(keys),
        renew_retry: None,
    }
}

pub(crate) fn key_report(key_id: KeyId, status: KeyStatus) -> KeyReport {
    let reason = Reason {
        field: ReasonField::NotAfter,
        wanted: Some(5),
        found: Some(6),
        output: None,
    };
    let reasons = match status {
        KeyStatus::Usable => vec![],
        _ => vec![reason],
    };
    KeyReport {
        key_id,
        status,
        reasons: List(reasons),
        track_type: crate::TrackType::Sd.code(),
        level: 1,
        scheme: 1,
        largest_picture: None,
    }
}

impl Tee for FakeTee {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "fake",
            detail: String::new(),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        let mut state = self.state();
        state.connections += 1;
        Ok(Box::new(Connection {
            tee: self.clone(),
            number: state.connections,
        }))
    }
}

struct Connection {
    tee: FakeTee,
    number: usize,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tee.state().dropped += 1;
    }
}

impl TeeSession for Connection {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        let mut state = self.tee.state();
        let command = Command::from_code(command).unwrap();
        state.commands.push(command);
        if command == Command::Decrypt && state.dies_after == Some(0) {
            state.dies_after = None;
            state.dead = self.number;
            state.held.clear();
        }
        if self.number <= state.dead {
            return Err(TeeError::Dead);
        }
        let answer = state.answer(command, request, media.len());
        response.clear();
        response.extend(answer);
        Ok(())
    }
}

impl FakeState {
    fn answer(&mut self, command: Command, request: &[u8], media: usize) -> Vec<u8> {
        if let Some((refused, status)) = self.refuse
            && refused == command
        {
            self.refuse = None;
            return encode_status(status).unwrap();
        }
        let answer = match command {
            Command::Describe => encode_answer(&body::Description {
                abi: 1,
                version: Text("1.0.0"),
                level: 1,
                isolation: body::Isolation::InProcess,
                debug: false,
                counter: None,
                clock: true,
                max_media: 1 << 20,
                application_anchors: true,
                protected: false,
            }),
            Command::OpenSession => encode_answer(&body::SessionOpened { session: 1 }),
            Command::CloseSession | Command::LoadRevocationList => encode_answer(&body::Empty {}),
            Command::BuildRequest => {
                let request = body::BuildRequest::decode(request, 1 << 20).unwrap();
                match request.license {
                    Some(license) => self.renewed.push(license),
                    None => self.asked.push(request.key_ids.0),
                }
                encode_answer(&Message { bytes: Blob(b"r") })
            }
            Command::BuildTimeRequest => encode_answer(&Message { bytes: Blob(b"t") }),
            Command::LoadTimeAnswer => encode_answer(&body::TimeLoaded { denial: None }),
            Command::LoadAnswer => return self.load(),
            Command::RemoveLicense => {
                let request = body::RemoveLicense::decode(request, 1 << 20).unwrap();
                self.held.retain(|held| held.license != request.license);
                self.sequence += 1;
                encode_answer(&body::Empty {})
            }
            Command::ReportOutputs => {
                let report = body::ReportOutputs::decode(request, 1 << 20).unwrap();
                self.reported.push(report);
                encode_answer(&body::Empty {})
            }
            Command::Statuses => encode_answer(&body::StatusReport {
                sequence: self.sequence,
                time: self.time,
                licenses: List(self.held.clone()),
            }),
            Command::Decrypt => {
                self.dies_after = self.dies_after.map(|left| left - 1);
                encode_answer(&body::Decrypted {
                    bytes: u64::try_from(media).unwrap(),
                    sequence: self.sequence,
                })
            }
            other => panic!("{} was not expected", other.name()),
        };
        answer.unwrap()
    }

    /// What an answer of the service brings.
    fn load(&mut self) -> Vec<u8> {
        if self.grants.is_empty() {
            let denial = body::DenialReport {
                reason: keybearer_license::DenialReason::KeyUnknown.code(),
                rule: None,
                wanted: None,
                found: None,
                server_code: None,
                retry_after: self.retry_after,
                level_needed: None,
                key_id: None,
            };
            let denied = body::AnswerLoaded {
                license: None,
                denial: Some(denial),
            };
            return encode_answer(&denied).unwrap();
        }
        let id = self.grants[0].license;
        let others = self.held.iter().filter(|held| held.license != id).count();
        if self.room.is_some_and(|room| others >= room) {
            return encode_status(Status::TooManyLicenses).unwrap();
        }
        let granted = self.grants.remove(0);
        self.held.retain(|held| held.license != id);
        self.held.push(granted.clone());
        self.sequence += 1;
        let loaded = body::AnswerLoaded {
            license: Some(granted),
            denial: None,
        };
        encode_answer(&loaded).unwrap()
    }
}

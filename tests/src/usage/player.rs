//! A player that speaks to the trusted side by hand: sessions, licences by token, reports of outputs.

use std::sync::Arc;

use keybearer_client::AnchorDigest;
use keybearer_crypto::Secret;
use keybearer_license::{
    AnalogOutput, Capabilities, HardwareModel, HdcpCapability, IvKind, KeyId, OutputCapability,
    OutputKind, Scheme,
};
use keybearer_rules::Level;
use keybearer_server::{ContentSpec, DeviceModel, KeySpec};
use keybearer_tee::{CallError, ClearSession, Tee};
use keybearer_wire::body::{self, KeyReport};
use keybearer_wire::field::{Blob, List};
use serde_json::json;

use super::film::Film;
use super::situations::Connected;
use crate::bare::acquisition;
use crate::post;
use crate::service::{MODEL, Service};
use crate::token::token;

/// Id of the one content.
const CONTENT: &str = "film";

/// Puts the content into a service: a key for each film, to be had with a token only.
///
/// # Panics
/// When the service does not take it.
pub fn publish(service: &Service, films: &[&Film]) {
    let key = |film: &&Film| {
        let track = &film.sample.tracks[0];
        let secret = Secret::copied_from(&track.key);
        let mut key = KeySpec::new(KeyId(track.kid), secret, film.track, Scheme::Cenc);
        key.iv = IvKind::PerSample16;
        // What the profile demands decides alone.
        key.lowest_level = Level::None;
        key
    };
    let content = ContentSpec {
        open: false,
        ..ContentSpec::open(CONTENT, films.iter().map(key).collect())
    };
    let put = service.server().registry().put_content(content);
    put.expect("the content is acceptable");
}

/// Says that the test devices are of a rule family from now on.
///
/// # Panics
/// When there is no such family.
pub fn adopt(service: &Service, family: &str) {
    let model: DeviceModel = serde_json::from_value(json!({ "family": family }))
        .unwrap_or_else(|error| panic!("{family}: {error}"));
    let name = HardwareModel::new(MODEL).expect("the name is printable");
    let put = service.server().registry().put_device_model(&name, &model);
    put.expect("the model is acceptable");
}

/// What satisfies every demand that a request can satisfy: these tests are about what is enforced
/// after it.
fn capable() -> Vec<u8> {
    let capabilities = Capabilities {
        outputs: Some(vec![OutputCapability {
            kind: OutputKind::Hdmi,
            hdcp: HdcpCapability::V2_3,
            stream_type: Some(1),
            cgms_a: None,
            max_pixels: None,
        }]),
        analog: Some(AnalogOutput::CanBeDisabled),
        hdcp_enforcement: Some(true),
        airplay_in_use: Some(false),
        adapter_in_use: Some(false),
        ..Capabilities::default()
    };
    capabilities.to_bytes().expect("these fit")
}

/// A connection with its sessions.
pub struct Player {
    /// The connection; a host's reports count for its sessions.
    pub connection: ClearSession,
    url: String,
    anchor: AnchorDigest,
    protected: bool,
}

impl Player {
    /// A new connection; `protected`: its sessions are, and their media goes to a decoder only.
    ///
    /// # Panics
    /// When there is none to be had.
    #[must_use]
    pub fn new(tee: &Arc<dyn Tee>, service: &Service, protected: bool) -> Self {
        Self {
            connection: ClearSession::new(tee.connect().expect("the trusted side is there")),
            url: service.server().url(),
            anchor: service.anchor(),
            protected,
        }
    }

    /// A session of its own with a licence for these keys under a profile, or the rule of the denial.
    ///
    /// # Errors
    /// The rule.
    ///
    /// # Panics
    /// When it is neither a licence for all of them nor a denial that names a rule.
    pub fn acquire(&mut self, profile: &str, keys: &[[u8; 16]]) -> Result<u64, String> {
        let session = self.open();
        let capabilities = capable();
        let token = token(CONTENT, profile);
        let request = body::BuildRequest {
            token: Some(Blob(&token)),
            ..acquisition(session, keys, &capabilities)
        };
        let request = self.connection.exchange(&request).expect("a request");
        let answer = post::license(&self.url, request.bytes.0).expect("an answer");
        let load = body::LoadAnswer {
            session,
            answer: Blob(&answer),
        };
        let loaded = self.connection.exchange(&load).expect("the answer is good");
        let rule = match (loaded.license, loaded.denial) {
            (Some(license), None) => {
                assert_eq!(license.keys.0.len(), keys.len(), "{profile}");
                return Ok(session);
            }
            (None, Some(denial)) => denial.rule.expect("a denial names its rule").0.to_owned(),
            _ => panic!("{profile}: neither a licence nor a denial"),
        };
        self.close(session);
        Err(rule)
    }

    /// A session without a licence.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn open(&mut self) -> u64 {
        let info = post::service_info(&self.url).expect("the service answers");
        let open = body::OpenSession {
            anchor: self.anchor.0,
            service_info: Blob(&info),
            protected: self.protected,
        };
        let opened = self.connection.exchange(&open);
        opened.expect("a session opens").session
    }

    /// Closes a session.
    ///
    /// # Panics
    /// When it is not there.
    pub fn close(&mut self, session: u64) {
        let close = body::CloseSession { session };
        self.connection.exchange(&close).expect("it was open");
    }

    /// Says what is connected.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn report(&mut self, sequence: u64, outputs: &[Connected]) -> Result<(), CallError> {
        let report = body::ReportOutputs {
            sequence,
            outputs: List(outputs.iter().map(Connected::report).collect()),
        };
        self.connection.exchange(&report).map(drop)
    }

    /// The keys of a session, and the sequence number of their statuses.
    ///
    /// # Panics
    /// When the session is not there.
    pub fn keys(&mut self, session: u64) -> (Vec<KeyReport>, u64) {
        let report = self.connection.exchange(&body::Statuses { session });
        let report = report.expect("the session is there");
        let sequence = report.sequence;
        let keys = report
            .licenses
            .0
            .into_iter()
            .flat_map(|license| license.keys.0);
        (keys.collect(), sequence)
    }

    /// What is known of one key.
    ///
    /// # Panics
    /// When the session does not hold it.
    pub fn key(&mut self, session: u64, kid: [u8; 16]) -> KeyReport {
        let (keys, _) = self.keys(session);
        let mut held = keys.into_iter().filter(|key| key.key_id == kid);
        held.next().expect("the session holds it")
    }
}

//! A board whose core holds a key, and what shows that it still does.

use std::num::NonZeroU32;
use std::sync::Arc;

use keybearer_crypto::Secret;
use keybearer_license::{IvKind, KeyId, Scheme, TrackType};
use keybearer_rules::Level;
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tee::{CallError, Media};
use keybearer_tee_optee::OpteeTee;
use keybearer_tests::bare::{Bare, acquisition, decryption, no_capabilities, table};
use keybearer_tests::post;
use keybearer_tests::service::Service;
use keybearer_wire::Exchange;
use keybearer_wire::body::{self, StatusReport};
use keybearer_wire::field::Blob;

use super::*;

pub(super) const KEY: [u8; 16] = [0x0d; 16];
/// The vector of its samples.
pub(super) const IV: [u8; 16] = [0x5a; 16];
/// How long the key may be used.
pub(super) const SECONDS: u32 = 1_000;

/// A licensed session of one client, beside another client without any.
pub(super) struct Licensed {
    pub(super) keys: Bare,
    pub(super) service: Service,
    pub(super) client: Client,
}

impl Licensed {
    pub(super) fn new() -> Self {
        let client = Client::new();
        let _plugged = client.board.plug();
        let secret = Secret::copied_from(&[0x2b; 16]);
        let mut key = KeySpec::new(KeyId(KEY), secret, TrackType::Sd, Scheme::Cenc);
        key.iv = IvKind::PerSample16;
        key.lowest_level = Level::None;
        let mut content = ContentSpec::open("limited", vec![key]);
        content.timing.license_seconds = NonZeroU32::new(SECONDS);
        let service = Service::start(&[]);
        service.server().registry().put_content(content).unwrap();
        service.provisioned(Arc::new(OpteeTee)).unwrap();
        let url = service.server().url();
        let mut keys = Bare::open(&OpteeTee, service.anchor(), &Self::info_of(&service)).unwrap();
        keys.acquire(&url, KEY).unwrap();
        Self {
            keys,
            service,
            client,
        }
    }

    fn info_of(service: &Service) -> Vec<u8> {
        post::service_info(&service.server().url()).unwrap()
    }

    /// What opens a session.
    pub(super) fn info(&self) -> Vec<u8> {
        Self::info_of(&self.service)
    }

    /// Decrypts `data` in place.
    pub(super) fn decrypt(&mut self, data: &mut [u8]) -> Result<(), CallError> {
        let table = table(&IV, [data.len()]);
        let request = decryption(self.keys.session, KEY, 40, &table);
        let media = Media::InPlace(data);
        self.keys.connection.decrypt(&request, media).map(drop)
    }

    /// Has the other client open a session: its handle.
    pub(super) fn open(&mut self) -> u64 {
        let info = self.info();
        let open = body::OpenSession {
            anchor: self.service.anchor().0,
            service_info: Blob(&info),
            protected: false,
        };
        let answer = self.client.ask(&open);
        let opened: body::SessionOpened = decode_response(&answer).unwrap().unwrap();
        opened.session
    }

    /// As [`Self::open`], with a licence for the key.
    pub(super) fn open_licensed(&mut self) -> u64 {
        let session = self.open();
        let capabilities = no_capabilities();
        let answer = self
            .client
            .ask(&acquisition(session, &[KEY], &capabilities));
        let message: body::Message<'_> = decode_response(&answer).unwrap().unwrap();
        let url = self.service.server().url();
        let license = post::license(&url, message.bytes.0).unwrap();
        let answer = Blob(&license[..]);
        let loaded = self.client.ask(&body::LoadAnswer { session, answer });
        let loaded: body::AnswerLoaded<'_> = decode_response(&loaded).unwrap().unwrap();
        assert!(loaded.license.is_some());
        session
    }

    pub(super) fn statuses(&mut self) -> StatusReport<'_> {
        let session = self.keys.session;
        let asked = body::Statuses { session };
        self.keys.connection.exchange(&asked).unwrap()
    }
}

impl Client {
    /// The response to a request with the right parameters and no media.
    pub(super) fn ask<'r, R: Exchange<'r>>(&mut self, request: &R) -> Vec<u8> {
        let mut request = request.encode(MAX_REQUEST).unwrap();
        self.send(R::COMMAND.code(), &mut request, &mut [])
    }

    /// The response to these bytes with this media, both of memory that nobody else writes to.
    pub(super) fn send(&mut self, command: u32, request: &mut [u8], media: &mut [u8]) -> Vec<u8> {
        let mut response = vec![0; MAX_RESPONSE];
        let [request, media] = [request, media].map(temporary);
        let mut params = [request, temporary(&mut response), media, temporary(&mut [])];
        assert_eq!(self.give(command, RIGHT, &mut params).0, 0);
        // SAFETY: written as a temporary reference above.
        response.truncate(unsafe { params[1].tmpref.size });
        response
    }
}

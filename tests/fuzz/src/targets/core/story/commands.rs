//! What clients do with sessions, licences and media.

use arbitrary::Unstructured;
use keybearer_license::{
    AnswerHead, Denial, DenialReason, open_license_request, seal_denial, seal_license,
};
use keybearer_wire::field::{Blob, List};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, Command, body, decode_response};

use super::{ANCHORS, Asked, OPERATORS, Story, byte};
use crate::provider::Toy;
use crate::targets::core::grants::{self, Grant};
use crate::targets::core::media;
use crate::verdict::Verdict;

impl Story<'_> {
    pub(super) fn open(&mut self, u: &mut Unstructured<'_>) -> Result<bool, String> {
        self.open_kind(u, false)
    }

    pub(super) fn open_kind(
        &mut self,
        u: &mut Unstructured<'_>,
        protected: bool,
    ) -> Result<bool, String> {
        let (client, choice) = (self.client(u), byte(u));
        // Now and then the other operator, or one operator's info under the other's anchor.
        let (anchor, operator) = match choice {
            0..=0xdf => (0, 0),
            0xe0..=0xef => (1, 1),
            _ => (usize::from(choice & 1), usize::from(choice >> 1 & 1)),
        };
        let info = self.info(operator);
        let request = body::OpenSession {
            anchor: ANCHORS[anchor].0,
            service_info: Blob(&info),
            protected,
        };
        let response = self.typed(client, &request)?;
        let Ok(Ok(opened)) = decode_response::<body::SessionOpened>(&response) else {
            return Ok(false);
        };
        self.handles.push((opened.session, client));
        Ok(true)
    }

    /// Opens sessions until there is no place.
    pub(super) fn crowd(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        for _ in 0..=keybearer_wire::limits::MAX_SESSIONS {
            if !self.open(u)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn ask(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let ((client, session), choice, id) = (self.handle(u), byte(u), byte(u) % 4);
        let operator = usize::from(choice >= 0xf0);
        let info = self.info(operator);
        let renew = choice & 3 == 3;
        let request = body::BuildRequest {
            session,
            kind: if renew {
                body::RequestKind::Renew
            } else {
                body::RequestKind::Acquire
            },
            key_ids: List(vec![[id; 16]]),
            init_data: List(vec![body::InitData {
                system_id: [choice; 16],
                data: Blob(b"init data"),
            }]),
            stored: choice & 0x7c == 0x7c,
            token: (choice & 4 == 4).then_some(Blob(b"token")),
            capabilities: Blob(&[0xa0]),
            license: renew.then_some([id; 16]),
            service_info: (choice & 8 == 0).then_some(Blob(&info)),
        };
        if let Some(message) = self.message(client, &request)? {
            // Damage may have changed whose request it is.
            let sent = body::BuildRequest::decode(&self.sent, MAX_REQUEST);
            let session = sent.map_or(session, |sent| sent.session);
            self.asked.push(Asked {
                operator,
                session,
                message,
            });
        }
        Ok(())
    }

    /// The service answers one of the requests that reached it.
    pub(super) fn answer(&mut self, u: &mut Unstructured<'_>) {
        let (which, shape, id) = (byte(u), (byte(u), byte(u)), byte(u));
        let last = self.asked.len().saturating_sub(1);
        let Some(asked) = self.asked.get(last.saturating_sub(usize::from(which & 7))) else {
            return;
        };
        let world = &OPERATORS[asked.operator];
        let opened = open_license_request(&Toy, &world.keys(), &world.trust(), &asked.message);
        // A request to another service, or one of another message's kind.
        let Ok(opened) = opened else { return };
        let head = AnswerHead {
            server_time: self.seconds(),
            next_challenge: world.challenge(),
        };
        let exchange = &opened.exchange;
        let answer = if id >= 0xf0 {
            let denial = Denial::new(DenialReason::KeyUnknown);
            world.answering(|service| {
                seal_denial(&Toy, &mut self.rng, service, exchange, &head, &denial)
            })
        } else {
            self.sequence += 1;
            let renewed = opened.request.kind.license();
            let id = renewed.map_or([id % 4; 16], |renewed| renewed.license_id.0);
            let (license, keys, ends) = grants::license(id, self.sequence, shape, head.server_time);
            self.oracle.granted(Grant {
                id,
                sequence: self.sequence,
                session: asked.session,
                keys,
                ends,
            });
            world.answering(|service| {
                seal_license(&Toy, &mut self.rng, service, exchange, &head, &license)
            })
        };
        self.answers.extend(answer);
    }

    pub(super) fn load_last(&mut self) -> Verdict {
        let (Some(asked), Some(answer)) = (self.asked.last(), self.answers.last().cloned()) else {
            return Ok(());
        };
        let session = asked.session;
        let owner = self.handles.iter().find(|(handle, _)| *handle == session);
        let Some((_, owner)) = owner else {
            return Ok(());
        };
        let request = body::LoadAnswer {
            session,
            answer: Blob(&answer),
        };
        self.typed(*owner, &request).map(drop)
    }

    /// Loads any answer into any session.
    pub(super) fn load(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let ((client, session), which) = (self.handle(u), usize::from(byte(u)));
        let last = self.answers.len().saturating_sub(1);
        let Some(answer) = self.answers.get(last.saturating_sub(which & 7)).cloned() else {
            return Ok(());
        };
        let answer = Blob(&answer);
        match which >> 5 {
            7 => self.typed(client, &body::LoadTimeAnswer { session, answer })?,
            _ => self.typed(client, &body::LoadAnswer { session, answer })?,
        };
        Ok(())
    }

    pub(super) fn decrypt(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let (client, session) = self.handle(u);
        let (request, mut slots) = media::batch(u, session);
        self.send(client, Command::Decrypt.code(), &request, &mut slots)
            .map(drop)
    }
}

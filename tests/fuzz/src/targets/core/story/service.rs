//! What services say: who they are, what time it is, what is revoked, whom they certify.

use arbitrary::Unstructured;
use keybearer_license::{
    AnswerHead, CertificateChain, DebugStatus, DeviceClaims, RevocationList, Serial, ServiceInfo,
    UnixTime, Validity, issue_device, open_provision_request, open_time_request,
    seal_provision_answer, seal_service_info, seal_time_answer, sign_revocation_list,
};
use keybearer_rules::Level;
use keybearer_wire::body;
use keybearer_wire::field::{Blob, Text};

use super::{ANCHORS, OPERATORS, Story, byte};
use crate::provider::Toy;
use crate::targets::core::platform::Variant;
use crate::verdict::Verdict;
use crate::world::NOW;

impl Story<'_> {
    pub(super) fn seconds(&self) -> UnixTime {
        UnixTime(NOW.0 + self.now / 1000)
    }

    pub(super) fn milliseconds(&self) -> u64 {
        NOW.0 * 1000 + self.now
    }

    pub(super) fn info(&self, operator: usize) -> Vec<u8> {
        let world = &OPERATORS[operator];
        let info = ServiceInfo {
            server_time: self.seconds(),
            challenge: world.challenge(),
            revocation_number: 0,
        };
        world
            .answering(|service| seal_service_info(&Toy, service, &world.root.public, &info))
            .expect("the service is sound")
    }

    pub(super) fn fetch_time(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let ((client, session), delay) = (self.handle(u), byte(u));
        let info = self.info(0);
        let request = body::BuildTimeRequest {
            session,
            service_info: (delay & 1 == 0).then_some(Blob(&info)),
        };
        let Some(request) = self.message(client, &request)? else {
            return Ok(());
        };
        let world = &OPERATORS[0];
        let opened = open_time_request(&Toy, &world.keys(), &world.trust(), &request);
        let Ok(opened) = opened else { return Ok(()) };
        let head = AnswerHead {
            server_time: self.seconds(),
            next_challenge: world.challenge(),
        };
        let answer = world
            .answering(|service| {
                seal_time_answer(&Toy, &mut self.rng, service, &opened.exchange, &head)
            })
            .expect("the service is sound");
        self.advance(u64::from(delay) * 150);
        self.answers.push(answer.clone());
        let answer = Blob(&answer);
        self.typed(client, &body::LoadTimeAnswer { session, answer })
            .map(drop)
    }

    pub(super) fn revoke(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let (client, number, whom) = (self.client(u), byte(u), byte(u));
        let world = &OPERATORS[usize::from(whom >= 0xf8)];
        let serial = match whom {
            0xf0..=0xf7 => world.service.claims.serial,
            _ => Serial([whom; 16]),
        };
        let list = RevocationList {
            number: number.into(),
            issued: self.seconds(),
            next_update: self.seconds().saturating_add(60),
            serials: vec![serial],
        };
        let list = world.answering(|service| sign_revocation_list(service, &list));
        let list = list.expect("the list is sound");
        let request = body::LoadRevocationList {
            anchor: ANCHORS[0].0,
            list: Blob(&list),
        };
        self.typed(client, &request).map(drop)
    }

    /// Gets a certificate of an operator; `tamper` chooses what is wrong with it.
    pub(super) fn provision(&mut self, operator: usize, tamper: u8) -> Result<(), Failed> {
        let client = self.client(&mut Unstructured::new(&[tamper >> 6]));
        let world = &OPERATORS[operator];
        let anchor = ANCHORS[operator].0;
        let info = self.info(operator);
        let request = body::BeginProvisioning {
            anchor,
            service_info: Blob(&info),
            token_kind: if self.variant == Variant::Trusted {
                body::TokenKind::Factory
            } else {
                body::TokenKind::Enrollment
            },
            token: Blob(b"token"),
            model: Text("Model X"),
        };
        let request = self.message(client, &request)?.ok_or(Failed::Refused)?;
        let opened = open_provision_request(&Toy, &world.keys(), &request);
        let opened = opened.map_err(|_| Failed::Refused)?;
        let claims = DeviceClaims {
            ueid: opened.request.ueid,
            oem: opened.request.oem,
            model: opened.request.model.clone(),
            highest_level: [Level::Medium, Level::Low][usize::from(tamper & 1)],
            debug: DebugStatus::Enabled,
            signing_key: if tamper & 0x3e == 2 {
                world.signing.public
            } else {
                opened.device_key
            },
            validity: Validity {
                not_before: UnixTime(NOW.0 - 86_400),
                not_after: UnixTime(NOW.0 + 86_400 * 3_650),
            },
            serial: Serial([tamper; 16]),
        };
        let chain = CertificateChain {
            leaf: issue_device(&Toy, &mut world.root.signer(&Toy), &claims)
                .expect("claims are sound"),
            issuers: Vec::new(),
        };
        let head = AnswerHead {
            server_time: self.seconds(),
            next_challenge: world.challenge(),
        };
        let answer = world
            .answering(|service| {
                seal_provision_answer(&Toy, &mut self.rng, service, &opened, &head, &chain)
            })
            .expect("the service is sound");
        let request = body::FinishProvisioning {
            anchor,
            answer: Blob(&answer),
        };
        self.typed(client, &request)?;
        Ok(())
    }
}

/// Why a step of the story came to nothing.
pub(in crate::targets::core) enum Failed {
    /// The core refused, as it may.
    Refused,
    /// A claim was falsified.
    Falsified(String),
}

impl From<String> for Failed {
    fn from(words: String) -> Self {
        Self::Falsified(words)
    }
}

impl std::fmt::Debug for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Falsified(words) => f.write_str(words),
        }
    }
}

pub(super) fn refused(failed: Failed) -> Verdict {
    match failed {
        Failed::Refused => Ok(()),
        Failed::Falsified(words) => Err(words),
    }
}

//! Whatever bytes come, in whatever order: an answer, and no panic.

use keybearer_core::InPlace;
use keybearer_wire::{Command, Status, body, decode_response};
use proptest::prelude::*;

use super::scenes::ready;
use crate::support::{Device, Service, cenc_use, key, license};

/// Valid requests of every kind, to be damaged.
fn corpus(device: &mut Device, service: &mut Service, session: u64) -> Vec<(u32, Vec<u8>)> {
    use keybearer_wire::Exchange;
    use keybearer_wire::field::{Blob, List, Text};
    let anchor = service.anchor().0;
    let info = service.info();
    let request = device.request(session, &[[7; 16]]).unwrap();
    let answer = service.license(&request, license(9, vec![key(9, cenc_use())]));
    let list = service.revocation_list(1, &[]);
    let mut corpus = Vec::new();
    fn add<'a, R: Exchange<'a>>(corpus: &mut Vec<(u32, Vec<u8>)>, request: &R) {
        corpus.push((R::COMMAND.code(), request.encode(1 << 17).unwrap()));
    }
    add(&mut corpus, &body::Describe {});
    add(&mut corpus, &body::DeviceKey { anchor });
    add(
        &mut corpus,
        &body::BeginProvisioning {
            anchor,
            service_info: Blob(&info),
            token_kind: body::TokenKind::Factory,
            token: Blob(b"t"),
            model: Text("M"),
        },
    );
    add(
        &mut corpus,
        &body::FinishProvisioning {
            anchor,
            answer: Blob(&answer),
        },
    );
    add(
        &mut corpus,
        &body::OpenSession {
            anchor,
            service_info: Blob(&info),
            protected: false,
        },
    );
    add(
        &mut corpus,
        &body::CloseSession {
            session: session + 1,
        },
    );
    add(
        &mut corpus,
        &body::BuildRequest {
            session,
            kind: body::RequestKind::Renew,
            key_ids: List(vec![[7; 16]]),
            init_data: List(vec![body::InitData {
                system_id: [1; 16],
                data: Blob(b"i"),
            }]),
            stored: false,
            token: Some(Blob(b"t")),
            capabilities: Blob(&[0xa0]),
            license: Some([1; 16]),
            service_info: Some(Blob(&info)),
        },
    );
    add(
        &mut corpus,
        &body::LoadAnswer {
            session,
            answer: Blob(&answer),
        },
    );
    add(&mut corpus, &body::Statuses { session });
    add(
        &mut corpus,
        &body::RemoveLicense {
            session,
            license: [3; 16],
        },
    );
    for service_info in [None, Some(Blob(&info[..]))] {
        let request = body::BuildTimeRequest {
            session,
            service_info,
        };
        add(&mut corpus, &request);
    }
    add(
        &mut corpus,
        &body::LoadTimeAnswer {
            session,
            answer: Blob(&answer),
        },
    );
    add(
        &mut corpus,
        &body::LoadRevocationList {
            anchor,
            list: Blob(&list),
        },
    );
    add(
        &mut corpus,
        &body::Decrypt {
            session,
            key_id: [7; 16],
            license: None,
            track_type: 3,
            scheme: 1,
            iv_size: 8,
            constant_iv: None,
            crypt_blocks: 0,
            skip_blocks: 0,
            duration_ms: 40,
            width: Some(640),
            height: Some(360),
            samples: Blob(&[&[5; 16][..], &[0, 0, 0, 64, 0, 0, 0, 2]].concat()),
            subsamples: Blob(&[0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 16, 0, 0, 0, 32]),
        },
    );
    add(
        &mut corpus,
        &body::IssueTicket {
            session,
            track_type: 3,
        },
    );
    corpus
}

#[derive(Clone, Debug)]
enum Damage {
    None,
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, u8),
    Replace(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => Just(Damage::None),
        4 => (any::<prop::sample::Index>(), 1..=255_u8).prop_map(|(at, by)| Damage::Flip(at, by)),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, by)| Damage::Insert(at, by)),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Damage::Replace),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Flip(at, by) => {
                let at = at.index(bytes.len());
                bytes[at] ^= by;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, by) => bytes.insert(at.index(bytes.len()), *by),
            Self::Replace(other) => bytes.clone_from(other),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_requests_in_any_order_are_answered(
        steps in prop::collection::vec((any::<prop::sample::Index>(), damage(), 0..3_000_u64), 1..60)
    ) {
        let (mut device, mut service, session) = ready(1);
        device.acquire(session, &mut service, license(1, vec![key(7, cenc_use())])).unwrap();
        let corpus = corpus(&mut device, &mut service, session);
        for (at, damage, passed) in steps {
            device.advance(passed);
            let (command, mut request) = corpus[at.index(corpus.len())].clone();
            damage.apply(&mut request);
            let mut data = [0x33; 64];
            let response = device.raw(command, &request, &mut InPlace(&mut data));
            // Whatever it is, it is a response.
            let status = match decode_response::<body::Empty>(&response) {
                Ok(Err(status)) => Some(status),
                _ => None,
            };
            prop_assert_ne!(status, Some(Status::Ok));
            if status.is_some() && command == Command::Decrypt.code() {
                prop_assert_eq!(data, [0x33; 64]);
            }
        }
        // The core still serves.
        prop_assert!(device.open(&mut service).is_ok() || device.open(&mut service) == Err(Status::TooManySessions));
    }

    #[test]
    fn arbitrary_bytes_are_answered(command in 0..0x30_u32, request in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut device = Device::new(1);
        let response = device.raw(command, &request, &mut InPlace(&mut [0; 16]));
        prop_assert!(!response.is_empty());
    }
}

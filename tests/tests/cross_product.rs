//! A licence loads on the one device, in the one session and for the one request it was made for.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::Arc;

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::{ClientError, LicenseWanted, Session, Status};
use keybearer_tee::Tee;
use keybearer_tests::post;
use keybearer_tests::samples;
use keybearer_tests::service::Service;

const DEVICES: usize = 4;
const SESSIONS: usize = 4;
const KEYS: usize = 4;

/// One answer of the service and whom it is for.
struct Answered {
    device: usize,
    session: usize,
    key: usize,
    bytes: Vec<u8>,
}

#[test]
fn only_the_diagonal_loads() {
    let samples = samples::standard();
    let kids: Vec<[u8; 16]> = samples
        .iter()
        .take(KEYS)
        .map(|sample| sample.tracks[0].kid)
        .collect();
    let service = Service::start(&samples);
    let folder = tempfile::tempdir().unwrap();
    let mut sessions: Vec<Vec<Session>> = (0..DEVICES)
        .map(|device| {
            let options = BackendOptions::new(folder.path().join(device.to_string()));
            let tee: Arc<dyn Tee> = detect(BackendChoice::InProcess, &options).unwrap().0;
            let (client, _) = service.provisioned(tee).unwrap();
            (0..SESSIONS)
                .map(|_| client.open_session().unwrap())
                .collect()
        })
        .collect();

    // Every session asks once for every key; all requests stay open.
    let mut answers = Vec::new();
    for (device, of_device) in sessions.iter_mut().enumerate() {
        for (session, asking) in of_device.iter_mut().enumerate() {
            for (key, kid) in kids.iter().enumerate() {
                asking.renew_challenge(post::service_info(&service.server().url()).unwrap());
                let wanted = LicenseWanted {
                    key_ids: vec![*kid],
                    ..LicenseWanted::default()
                };
                let request = asking.license_request(&wanted).unwrap();
                let bytes = post::license(&service.server().url(), &request).unwrap();
                answers.push(Answered {
                    device,
                    session,
                    key,
                    bytes,
                });
            }
        }
    }
    assert_eq!(
        service.server().registry().totals().unwrap().licenses,
        (DEVICES * SESSIONS * KEYS) as u64
    );

    // Everybody else first: refused, and nothing of it is loaded anywhere.
    let mut refused = 0;
    for answer in &answers {
        for (device, of_device) in sessions.iter_mut().enumerate() {
            for (session, offered) in of_device.iter_mut().enumerate() {
                if (device, session) != (answer.device, answer.session) {
                    assert_foreign(offered.load_license(&answer.bytes));
                    refused += 1;
                }
            }
        }
    }
    assert_eq!(
        refused,
        DEVICES * SESSIONS * KEYS * (DEVICES * SESSIONS - 1)
    );
    for session in sessions.iter_mut().flatten() {
        assert!(session.statuses().unwrap().licenses.is_empty());
    }

    // Then the one it is for: it brings its one key, and no second time.
    for answer in &answers {
        let session = &mut sessions[answer.device][answer.session];
        let license = session.load_license(&answer.bytes).unwrap();
        let held: Vec<[u8; 16]> = license.keys.iter().map(|key| key.id).collect();
        assert_eq!(held, [kids[answer.key]]);
        assert_foreign(session.load_license(&answer.bytes));
    }
    for session in sessions.iter_mut().flatten() {
        let mut held: Vec<[u8; 16]> = Vec::new();
        for license in session.statuses().unwrap().licenses {
            held.extend(license.keys.iter().map(|key| key.id));
        }
        held.sort_unstable();
        let mut all = kids.clone();
        all.sort_unstable();
        assert_eq!(held, all);
    }
}

/// The refusal of an answer that belongs to another device, session or request.
fn assert_foreign<T: std::fmt::Debug>(loaded: Result<T, ClientError>) {
    match loaded {
        Err(ClientError::Refused {
            status: Status::NotForThisRequest | Status::NotForThisDevice,
            ..
        }) => {}
        other => panic!("a foreign answer gave {other:?}"),
    }
}

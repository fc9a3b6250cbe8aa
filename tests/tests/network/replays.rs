//! Messages that come twice, or long after their time.

use keybearer_client::{ClientError, LicenseWanted};
use keybearer_tests::post;
use keybearer_tests::proxy::Fault;
use keybearer_tests::service::MODEL;
use keybearer_tests::story::play;

use crate::Setting;

#[test]
fn doubled_requests_are_counted_once_and_their_answers_load_once() {
    let setting = Setting::provisioned();
    let before = setting.licenses();
    setting.proxy.arm(Fault::Duplicate);
    for (played, sample) in setting.samples.iter().take(4).enumerate() {
        assert!(!play(&setting.client, sample).is_empty());
        assert_eq!(
            setting.licenses(),
            before + played as u64 + 1,
            "{}",
            sample.file
        );
    }
}

#[test]
fn a_doubled_provision_request_uses_its_token_once() {
    let setting = Setting::new();
    setting.proxy.arm(Fault::Duplicate);
    setting
        .client
        .provision(&setting.service.enrollment_token(), MODEL)
        .unwrap();
    assert_eq!(
        setting
            .service
            .server()
            .registry()
            .totals()
            .unwrap()
            .provisions,
        1
    );
}

#[test]
fn every_recorded_answer_is_refused_when_it_comes_again() {
    let setting = Setting::provisioned();
    for sample in setting.samples.iter().take(3) {
        assert!(!play(&setting.client, sample).is_empty());
    }
    let recorded = setting.proxy.recorded();
    assert!(
        recorded.len() >= 6,
        "only {} exchanges were recorded",
        recorded.len()
    );
    let mut replayed = 0;
    for old in &recorded {
        let session = {
            setting.proxy.arm(Fault::None);
            setting.client.open_session().unwrap()
        };
        setting.proxy.arm(Fault::Replace(old.response.clone()));
        let wanted = LicenseWanted {
            key_ids: vec![setting.samples[0].tracks[0].kid],
            ..LicenseWanted::default()
        };
        let error = setting.client.acquire(&session, &wanted).unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::Refused { .. } | ClientError::Http { .. }
            ),
            "{}: {error}",
            old.target
        );
        assert!(session.statuses().unwrap().licenses.is_empty());
        replayed += 1;
    }
    assert_eq!(replayed, recorded.len());
}

#[test]
fn every_recorded_request_gets_its_old_answer_and_is_not_counted_again() {
    let setting = Setting::provisioned();
    for sample in setting.samples.iter().take(3) {
        assert!(!play(&setting.client, sample).is_empty());
    }
    let (before, provisions) = {
        let totals = setting.service.server().registry().totals().unwrap();
        (totals.licenses, totals.provisions)
    };
    let url = setting.service.server().url();
    let (mut licenses, mut enrolments) = (0, 0);
    for old in setting.proxy.recorded() {
        let send = match old.target.as_str() {
            "POST /v1/license HTTP/1.1" => {
                licenses += 1;
                post::license
            }
            "POST /v1/provision HTTP/1.1" => {
                enrolments += 1;
                post::provision
            }
            // Asked anew each time, and each answer has a challenge of its own.
            "GET /v1/service-info HTTP/1.1" | "GET /v1/revocation-list HTTP/1.1" => continue,
            other => panic!("{other} is repeated by no rule of this test"),
        };
        let answer = send(&url, body(&old.request)).unwrap();
        assert_eq!(answer, body(&old.response), "a repeat was answered anew");
    }
    assert_eq!((licenses, enrolments), (3, 1), "not all were repeated");
    let totals = setting.service.server().registry().totals().unwrap();
    assert_eq!((totals.licenses, totals.provisions), (before, provisions));
}

/// What follows the head of a message.
fn body(message: &[u8]) -> &[u8] {
    let head = message
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    &message[head + 4..]
}

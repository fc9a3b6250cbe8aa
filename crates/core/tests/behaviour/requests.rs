//! Licence requests: what goes in, and when none is built.

use keybearer_license::{Capabilities, DenialReason, Roles, UnixTime, Validity};
use keybearer_wire::field::{Blob, List};
use keybearer_wire::limits::MAX_PENDING_PER_SESSION;
use keybearer_wire::{Status, body};

use super::scenes::{ready, spoiled};
use crate::support::{NOW, Service, cenc_use, key, license};

#[test]
fn what_the_host_states_is_marked_as_such() {
    let (mut device, service, session) = ready(1);
    let stated = Capabilities {
        digital_output: Some(false),
        ..Capabilities::default()
    };
    let bytes = stated.to_bytes().unwrap();
    let request = device
        .request_with(session, &[], |request| {
            request.capabilities = Blob(&bytes);
            request.init_data = List(vec![body::InitData {
                system_id: [3; 16],
                data: Blob(b"init"),
            }]);
        })
        .unwrap();
    let read = service.read(&request).request;
    assert_eq!(read.host_stated, stated);
    assert_eq!(read.capabilities, Capabilities::default());
    assert_eq!(
        (read.init_data[0].system_id, &read.init_data[0].data[..]),
        ([3; 16], &b"init"[..])
    );
}

#[test]
fn requests_that_ask_for_nonsense_are_refused() {
    let (mut device, _, session) = ready(1);
    let malformed = Err(Status::Malformed);
    assert_eq!(device.request(session, &[]), malformed);
    assert_eq!(device.request(session, &[[7; 16], [7; 16]]), malformed);
    let bad = device.request_with(session, &[[7; 16]], |r| r.capabilities = Blob(&[0x00]));
    assert_eq!(bad, malformed);
    let bad = device.request_with(session, &[[7; 16]], |r| r.license = Some([1; 16]));
    assert_eq!(bad, malformed);
    let bad = device.request_with(session, &[[7; 16]], |r| r.kind = body::RequestKind::Renew);
    assert_eq!(bad, malformed);
    assert_eq!(
        device.renewal(session, [1; 16]),
        Err(Status::UnknownLicense)
    );
    let stored = device.request_with(session, &[[7; 16]], |r| r.stored = true);
    assert_eq!(stored, Err(Status::StoredNotSupported));
    // None of them used the challenge up.
    assert!(device.request(session, &[[7; 16]]).is_ok());
}

#[test]
fn a_challenge_serves_one_request() {
    let (mut device, mut service, session) = ready(1);
    let first = device.request(session, &[[7; 16]]).unwrap();
    assert_eq!(
        device.request(session, &[[7; 16]]),
        Err(Status::NoChallenge)
    );
    assert_eq!(device.time_request(session), Err(Status::NoChallenge));
    // The answer brings the next one, and so does a newer service info.
    let answer = service.deny(&first, DenialReason::NotAuthorised);
    device.load(session, &answer).unwrap();
    let second = device.request(session, &[[7; 16]]).unwrap();
    let info = service.info();
    let third = device.request_fresh(session, &[[7; 16]], &info).unwrap();
    let challenges = [&first, &second, &third].map(|r| service.read(r).request.challenge);
    assert!(challenges[0] != challenges[1] && challenges[1] != challenges[2]);
}

#[test]
fn a_newer_service_info_must_be_the_same_services() {
    let (mut device, mut service, session) = ready(1);
    let mut sibling = service.sibling(2, "other.example", Roles::LICENSE);
    let mut cases = vec![
        (sibling.info(), Status::WrongService),
        (Service::new(9).info(), Status::BadChain),
        (vec![0xa0], Status::BadMessage),
        (spoiled(&service.info()), Status::BadSignature),
    ];
    let validity = Validity {
        not_before: UnixTime(NOW - 10),
        not_after: UnixTime(NOW + 10_000),
    };
    service.recertify(Roles::TIME, validity);
    cases.push((service.info(), Status::RoleMissing));
    for (info, status) in cases {
        let refused = device.request_fresh(session, &[[7; 16]], &info);
        assert_eq!(refused, Err(status));
    }
    // A new certificate of the same service is taken, and the request goes to it.
    service.recertify(Roles::LICENSE, validity);
    let info = service.info();
    let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
    assert_eq!(service.read(&request).request.keys.len(), 1);
}

#[test]
fn a_service_that_ended_or_was_revoked_meanwhile_gets_no_request() {
    let (mut device, mut service, _) = ready(1);
    service.recertify(
        Roles::LICENSE.union(Roles::TIME),
        Validity {
            not_before: UnixTime(NOW - 10),
            not_after: UnixTime(NOW + 10),
        },
    );
    let session = device.open(&mut service).unwrap();
    device.advance(10_000);
    assert_eq!(
        device.request(session, &[[7; 16]]),
        Err(Status::OutsideValidity)
    );
    assert_eq!(device.time_request(session), Err(Status::OutsideValidity));

    let (mut device, mut service, session) = ready(2);
    let list = service.revocation_list(1, &[service.serial]);
    device.load_list(service.anchor(), &list).unwrap();
    assert_eq!(device.request(session, &[[7; 16]]), Err(Status::Revoked));
    assert_eq!(device.time_request(session), Err(Status::Revoked));
}

#[test]
fn a_service_whose_issuer_was_revoked_meanwhile_gets_no_request() {
    let (mut device, mut service, _) = ready(1);
    let issuer = service.recertify_by_issuer();
    let session = device.open(&mut service).unwrap();
    let list = service.revocation_list(1, &[issuer]);
    assert!(device.request(session, &[[7; 16]]).is_ok());
    let info = service.info();
    device.load_list(service.anchor(), &list).unwrap();
    let fresh = device.request_fresh(session, &[[7; 16]], &info);
    assert_eq!(fresh, Err(Status::Revoked));
    let kept = device.open(&mut service);
    assert_eq!(kept, Err(Status::Revoked));
    // What the session holds of the service names the issuer too.
    assert_eq!(device.request(session, &[[7; 16]]), Err(Status::Revoked));
    assert_eq!(device.time_request(session), Err(Status::Revoked));
}

/// A superseded certificate names a superseded agreement key: the host cannot bring it back.
#[test]
fn a_service_info_older_than_the_sessions_is_refused() {
    let (mut device, mut service, session) = ready(1);
    let old = service.info();
    let newer = Validity {
        not_before: UnixTime(NOW - 10),
        not_after: UnixTime(NOW + 10_000),
    };
    service.recertify(Roles::LICENSE, newer);
    let (new, again) = (service.info(), service.info());
    assert!(device.request_fresh(session, &[[7; 16]], &new).is_ok());
    assert_eq!(
        device.request_fresh(session, &[[7; 16]], &old),
        Err(Status::StaleServiceInfo)
    );
    assert!(device.request_fresh(session, &[[7; 16]], &again).is_ok());
}

/// A service info that came with a refused request has changed neither service nor challenge.
#[test]
fn a_refused_request_leaves_service_and_challenge_as_they_were() {
    let (mut device, mut service, session) = ready(1);
    device.request(session, &[[7; 16]]).unwrap();
    let newer = Validity {
        not_before: UnixTime(NOW - 10),
        not_after: UnixTime(NOW + 10_000),
    };
    let old = service.info();
    service.recertify(Roles::LICENSE, newer);
    let info = service.info();
    let twice = [[7; 16], [7; 16]];
    assert_eq!(
        device.request_fresh(session, &twice, &info),
        Err(Status::Malformed)
    );
    // No challenge was taken from it,
    assert_eq!(
        device.request(session, &[[7; 16]]),
        Err(Status::NoChallenge)
    );
    // and the certificate before it still counts.
    assert!(device.request_fresh(session, &[[7; 16]], &old).is_ok());
}

#[test]
fn the_oldest_unanswered_request_is_forgotten_first() {
    let (mut device, mut service, session) = ready(1);
    let mut requests = Vec::new();
    for _ in 0..=MAX_PENDING_PER_SESSION {
        let info = service.info();
        requests.push(device.request_fresh(session, &[[7; 16]], &info).unwrap());
    }
    let answers: Vec<_> = (1..)
        .zip(&requests)
        .map(|(id, request)| service.license(request, license(id, vec![key(id, cenc_use())])))
        .collect();
    assert_eq!(
        device.load(session, &answers[0]),
        Err(Status::NotForThisRequest)
    );
    // In any order.
    for answer in answers[1..].iter().rev() {
        assert!(device.load(session, answer).is_ok());
    }
}

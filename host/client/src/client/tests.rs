#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::Mutex;

use keybearer_tee::{BackendInfo, MockTeeSession, TeeError, TeeSession};
use keybearer_wire::body::{self, AnswerLoaded, DenialReport, LicenseReport, Message};
use keybearer_wire::field::{Blob, Body, List};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Command, encode_answer, encode_status};

use super::*;
use crate::{LicenseWanted, MockTransport};
use keybearer_license::DenialReason;

/// A backend whose connections were made beforehand.
struct Prepared(Mutex<Vec<Box<dyn TeeSession>>>);

impl Tee for Prepared {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "prepared",
            detail: String::new(),
        }
    }
    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(self.0.lock().unwrap().remove(0))
    }
}

type Step = (Command, Result<Vec<u8>, TeeError>);

/// Requests as they arrived.
type Requests = Arc<Mutex<Vec<Vec<u8>>>>;

/// A connection that expects these commands in this order. Requests are kept.
fn connection(steps: Vec<Step>) -> (Box<dyn TeeSession>, Requests) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&requests);
    let mut session = MockTeeSession::new();
    let total = steps.len();
    let mut steps = steps.into_iter();
    session
        .expect_call()
        .times(total)
        .returning(move |command, request, response, _| {
            let (expected, answer) = steps.next().expect("no more calls than expected");
            assert_eq!(command, expected.code());
            kept.lock().unwrap().push(request.to_vec());
            response.clear();
            response.extend(answer?);
            Ok(())
        });
    (Box::new(session), requests)
}

fn client(steps: Vec<Step>, transport: MockTransport) -> (Client, Requests) {
    let (session, requests) = connection(steps);
    let tee = Arc::new(Prepared(Mutex::new(vec![session])));
    let url = "http://service".parse().unwrap();
    let client = Client::new(tee, url, AnchorDigest([1; 32]))
        .with_transport(Box::new(transport))
        .with_retry(RetryPolicy {
            first_pause: Duration::from_millis(1),
            ..Default::default()
        });
    (client, requests)
}

fn ok(body: &[u8]) -> Result<HttpResponse, TransportError> {
    Ok(HttpResponse {
        status: 200,
        retry_after: None,
        body: body.to_vec(),
    })
}

fn problem(status: u16, body: &str) -> Result<HttpResponse, TransportError> {
    Ok(HttpResponse {
        status,
        retry_after: None,
        body: body.as_bytes().to_vec(),
    })
}

/// Expects exchanges in this order: end of the address, and answer.
fn network(steps: Vec<(&'static str, Result<HttpResponse, TransportError>)>) -> MockTransport {
    let mut transport = MockTransport::new();
    let total = steps.len();
    let steps = Mutex::new(steps.into_iter());
    transport
        .expect_exchange()
        .times(total)
        .returning(move |request| {
            let (path, answer) = steps.lock().unwrap().next().expect("no more than expected");
            assert!(
                request.url.ends_with(path),
                "{} asked for instead of {path}",
                request.url
            );
            answer
        });
    transport
}

fn opened() -> Step {
    (
        Command::OpenSession,
        Ok(encode_answer(&body::SessionOpened { session: 7 }).unwrap()),
    )
}

fn message(bytes: &[u8]) -> Step {
    (
        Command::BuildRequest,
        Ok(encode_answer(&Message { bytes: Blob(bytes) }).unwrap()),
    )
}

fn loaded() -> Step {
    let license = LicenseReport {
        license: [9; 16],
        sequence: 1,
        ends: None,
        renew_at: None,
        renewal_url: None,
        keys: List(vec![]),
        renew_retry: None,
    };
    let answer = AnswerLoaded {
        license: Some(license),
        denial: None,
    };
    (Command::LoadAnswer, Ok(encode_answer(&answer).unwrap()))
}

fn denied(reason: DenialReason) -> Step {
    denied_for(reason, None)
}

fn denied_for(reason: DenialReason, retry_after: Option<u32>) -> Step {
    let denial = DenialReport {
        reason: reason.code(),
        rule: None,
        wanted: None,
        found: None,
        server_code: None,
        retry_after,
        level_needed: None,
        key_id: None,
    };
    let answer = AnswerLoaded {
        license: None,
        denial: Some(denial),
    };
    (Command::LoadAnswer, Ok(encode_answer(&answer).unwrap()))
}

fn refused(command: Command, status: Status) -> Step {
    (command, Ok(encode_status(status).unwrap()))
}

fn info_of(request: &[u8]) -> Option<Vec<u8>> {
    let request = body::BuildRequest::decode(request, MAX_REQUEST).unwrap();
    request.service_info.map(|info| info.0.to_vec())
}

#[test]
fn a_licence_is_asked_for_once_and_loaded() {
    let (client, requests) = client(
        vec![opened(), message(b"request"), loaded()],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"answer")),
        ]),
    );
    let session = client.open_session().unwrap();
    let license = client.acquire(&session, &LicenseWanted::default()).unwrap();
    assert_eq!(license.id, [9; 16]);
    let requests = requests.lock().unwrap();
    let taken = body::LoadAnswer::decode(&requests[2], MAX_REQUEST).unwrap();
    assert_eq!((taken.session, taken.answer.0), (7, &b"answer"[..]));
    assert_eq!(info_of(&requests[1]), None);
}

#[test]
fn a_used_up_challenge_is_fetched_anew_and_the_request_made_again() {
    for first in [
        vec![refused(Command::BuildRequest, Status::NoChallenge)],
        vec![message(b"old"), denied(DenialReason::ChallengeExpired)],
    ] {
        let posted = first.len() > 1;
        let mut exchanges = vec![("/v1/service-info", ok(b"info"))];
        if posted {
            exchanges.push(("/v1/license", ok(b"denial")));
        }
        exchanges.push(("/v1/service-info", ok(b"newer info")));
        exchanges.push(("/v1/license", ok(b"answer")));
        let steps = [vec![opened()], first, vec![message(b"new"), loaded()]]
            .into_iter()
            .flatten();
        let (client, requests) = client(steps.collect(), network(exchanges));
        let session = client.open_session().unwrap();
        client.acquire(&session, &LicenseWanted::default()).unwrap();
        let requests = requests.lock().unwrap();
        assert_eq!(
            info_of(&requests[requests.len() - 2]),
            Some(b"newer info".to_vec())
        );
    }
}

#[test]
fn a_service_with_a_new_certificate_is_asked_again() {
    let wrong = r#"{"code":"wrong-service","message":"sealed to another","expected":"x"}"#;
    let (client, _requests) = client(
        vec![opened(), message(b"old"), message(b"new"), loaded()],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", problem(400, wrong)),
            ("/v1/service-info", ok(b"newer info")),
            ("/v1/license", ok(b"answer")),
        ]),
    );
    let session = client.open_session().unwrap();
    assert!(client.acquire(&session, &LicenseWanted::default()).is_ok());
}

/// A service that always calls the challenge expired must not be asked for ever.
#[test]
fn the_request_is_made_anew_once_only() {
    let expired = || denied(DenialReason::ChallengeExpired);
    let (client, _requests) = client(
        vec![opened(), message(b"1"), expired(), message(b"2"), expired()],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"denial")),
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"denial")),
        ]),
    );
    let session = client.open_session().unwrap();
    let denied = client
        .acquire(&session, &LicenseWanted::default())
        .unwrap_err();
    assert!(matches!(denied, ClientError::Denied(_)), "{denied}");
}

#[test]
fn other_denials_are_final_and_say_why() {
    let (client, _requests) = client(
        vec![opened(), message(b"1"), denied(DenialReason::KeyUnknown)],
        network(vec![
            ("/v1/service-info", ok(b"i")),
            ("/v1/license", ok(b"denial")),
        ]),
    );
    let session = client.open_session().unwrap();
    let denied = client
        .acquire(&session, &LicenseWanted::default())
        .unwrap_err();
    assert!(
        denied.to_string().contains("does not know the key"),
        "{denied}"
    );
}

#[test]
fn a_missing_revocation_list_is_fetched_and_the_same_answer_loaded() {
    let empty = Ok(encode_answer(&body::Empty {}).unwrap());
    let (client, requests) = client(
        vec![
            opened(),
            message(b"request"),
            refused(Command::LoadAnswer, Status::RevocationListNeeded),
            (Command::LoadRevocationList, empty),
            loaded(),
        ],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"answer")),
            ("/v1/revocation-list", ok(b"list")),
        ]),
    );
    let session = client.open_session().unwrap();
    client.acquire(&session, &LicenseWanted::default()).unwrap();
    let requests = requests.lock().unwrap();
    assert_eq!(
        requests[2], requests[4],
        "the service is not asked a second time"
    );
    let list = body::LoadRevocationList::decode(&requests[3], MAX_REQUEST).unwrap();
    assert_eq!((list.anchor, list.list.0), ([1; 32], &b"list"[..]));
}

/// A trusted side that died has lost the request: sending it again could only bring an answer
/// that nobody can open.
#[test]
fn when_the_trusted_side_dies_nothing_is_sent_again() {
    let dead = (Command::LoadAnswer, Err(TeeError::Dead));
    let (client, _requests) = client(
        vec![opened(), message(b"request"), dead],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"answer")),
        ]),
    );
    let session = client.open_session().unwrap();
    let error = client
        .acquire(&session, &LicenseWanted::default())
        .unwrap_err();
    assert!(error.is_dead(), "{error}");
    assert!(error.to_string().contains("connect again"), "{error}");
}

#[test]
fn a_token_is_spent_once_even_when_the_trusted_side_dies() {
    let begun = Ok(encode_answer(&Message {
        bytes: Blob(b"request"),
    })
    .unwrap());
    let (client, _requests) = client(
        vec![
            (Command::BeginProvisioning, begun),
            (Command::FinishProvisioning, Err(TeeError::Dead)),
        ],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/provision", ok(b"answer")),
        ]),
    );
    let token = ProvisionToken::Enrollment(b"once".to_vec());
    assert!(client.provision(&token, "Model").unwrap_err().is_dead());
}

#[test]
fn a_refused_token_says_so() {
    let begun = Ok(encode_answer(&Message {
        bytes: Blob(b"request"),
    })
    .unwrap());
    let denial = DenialReport {
        reason: DenialReason::EnrolmentRefused.code(),
        rule: Some(keybearer_wire::field::Text("token-used")),
        wanted: None,
        found: None,
        server_code: None,
        retry_after: None,
        level_needed: None,
        key_id: None,
    };
    let finished = body::ProvisioningFinished {
        certified: None,
        denial: Some(denial),
    };
    let finished = Ok(encode_answer(&finished).unwrap());
    let (client, _requests) = client(
        vec![
            (Command::BeginProvisioning, begun),
            (Command::FinishProvisioning, finished),
        ],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/provision", ok(b"answer")),
        ]),
    );
    let token = ProvisionToken::Enrollment(b"used".to_vec());
    let error = client.provision(&token, "Model").unwrap_err().to_string();
    assert!(
        error.contains("token-used") && error.contains("obtain a new token"),
        "{error}"
    );
}

#[test]
fn an_answer_with_licence_and_denial_or_neither_is_refused() {
    let neither = AnswerLoaded {
        license: None,
        denial: None,
    };
    let neither = (Command::LoadAnswer, Ok(encode_answer(&neither).unwrap()));
    let (client, _requests) = client(
        vec![opened(), message(b"request"), neither],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"answer")),
        ]),
    );
    let session = client.open_session().unwrap();
    let error = client
        .acquire(&session, &LicenseWanted::default())
        .unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Tee {
                source: TeeError::BadAnswer(_),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_services_unsealed_error_is_passed_on_in_short() {
    let answer = |status, body: &str| {
        accepted("http://service/v1/license", problem(status, body).unwrap()).unwrap_err()
    };
    let known = answer(
        415,
        r#"{"code":"content-type","message":"send COSE","expected":"x"}"#,
    );
    assert!(
        known.to_string().ends_with("answered HTTP 415: send COSE"),
        "{known}"
    );
    assert!(
        matches!(known, TransportError::Answer { code: Some(code), .. } if code == "content-type")
    );
    let page = answer(502, "<html>Bad Gateway</html>");
    assert!(page.to_string().ends_with("answered HTTP 502"), "{page}");
    assert!(page.is_transient());
    // What an attacker writes into a terminal ends here.
    let hostile = format!(
        r#"{{"code":"x","message":"\u001b[31m{}"}}"#,
        "y".repeat(100_000)
    );
    let hostile = answer(400, &hostile).to_string();
    assert!(
        hostile.len() < 400 && !hostile.contains('\u{1b}'),
        "{hostile}"
    );
}

#[test]
fn a_client_prints_no_secrets_and_names_its_parts() {
    let (client, _requests) = client(vec![], MockTransport::new());
    let text = format!("{client:?}");
    assert!(
        text.contains("prepared") && text.contains("http://service"),
        "{text}"
    );
    drop(client);
}

mod waiting;

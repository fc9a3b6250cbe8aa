//! A network that cuts, doubles, replays and stalls: nothing hangs, nothing is counted twice, no
//! secret is on the wire.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::{Client, ClientError, LicenseWanted, RetryPolicy, Session, TransportError};
use keybearer_tests::post;
use keybearer_tests::proxy::{Fault, Proxy};
use keybearer_tests::samples::{self, Sample};
use keybearer_tests::service::{MODEL, Service};
use keybearer_tests::story::play;

/// A service behind a proxy, and a device that reaches it only through there.
struct Setting {
    service: Service,
    proxy: Proxy,
    client: Client,
    samples: Vec<Sample>,
    folder: tempfile::TempDir,
}

/// One attempt, so that a fault shows.
const ONCE: RetryPolicy = RetryPolicy {
    attempts: 1,
    first_pause: Duration::ZERO,
    deadline: Duration::from_secs(3),
};

impl Setting {
    fn new() -> Self {
        let samples = samples::standard();
        let service = Service::start(&samples);
        let proxy = Proxy::start(service.server().local_addr()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = BackendOptions::new(folder.path().join("device"));
        let tee = detect(BackendChoice::InProcess, &options).unwrap().0;
        let client = service
            .client_at(Arc::clone(&tee), &proxy.url())
            .with_retry(ONCE);
        Self {
            service,
            proxy,
            client,
            samples,
            folder,
        }
    }

    fn provisioned() -> Self {
        let setting = Self::new();
        setting
            .client
            .provision(&setting.service.enrollment_token(), MODEL)
            .unwrap();
        setting
    }

    fn licenses(&self) -> u64 {
        self.service.server().registry().totals().unwrap().licenses
    }

    /// A fresh request for one key of the samples.
    fn request(&self, session: &mut Session) -> Vec<u8> {
        session.renew_challenge(post::service_info(&self.service.server().url()).unwrap());
        let wanted = LicenseWanted {
            key_ids: vec![self.samples[0].tracks[0].kid],
            ..LicenseWanted::default()
        };
        session.license_request(&wanted).unwrap()
    }
}

/// How many bytes the messages of one licence exchange have on the wire.
fn lengths(setting: &Setting, session: &mut Session) -> (usize, usize) {
    setting.proxy.forget();
    let request = setting.request(session);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    let license = session.load_license(&answer).unwrap();
    session.remove_license(&license.id).unwrap();
    let recorded = setting.proxy.recorded();
    (recorded[0].request.len(), recorded[0].response.len())
}

#[test]
fn a_response_cut_at_any_byte_is_an_error_and_the_same_request_brings_it_whole() {
    let setting = Setting::provisioned();
    let mut session = setting.client.open_session().unwrap();
    let (_, length) = lengths(&setting, &mut session);
    let before = setting.licenses();
    // One request serves for all offsets: the service answers it the same way each time.
    let request = setting.request(&mut session);
    for cut in 0..length {
        setting.proxy.arm(Fault::CutResponse(cut));
        let error = post::license(&setting.proxy.url(), &request).unwrap_err();
        assert!(
            !matches!(error, TransportError::Timeout { .. }),
            "byte {cut}: {error}"
        );
    }
    setting.proxy.arm(Fault::None);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    assert_eq!(session.load_license(&answer).unwrap().keys.len(), 1);
    assert_eq!(
        setting.licenses(),
        before + 1,
        "{length} repeats were counted"
    );
}

#[test]
fn a_request_cut_at_any_byte_is_refused_and_not_counted() {
    let setting = Setting::provisioned();
    let mut session = setting.client.open_session().unwrap();
    let (length, _) = lengths(&setting, &mut session);
    let before = setting.licenses();
    let request = setting.request(&mut session);
    for cut in 0..length {
        setting.proxy.arm(Fault::CutRequest(cut));
        assert!(
            post::license(&setting.proxy.url(), &request).is_err(),
            "byte {cut}"
        );
    }
    assert_eq!(setting.licenses(), before, "a cut request was counted");
    setting.proxy.arm(Fault::None);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    assert_eq!(session.load_license(&answer).unwrap().keys.len(), 1);
    assert_eq!(setting.licenses(), before + 1);
}

#[test]
fn an_answer_altered_at_any_byte_is_refused() {
    let setting = Setting::provisioned();
    let mut session = setting.client.open_session().unwrap();
    let request = setting.request(&mut session);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    for place in 0..answer.len() {
        let mut altered = answer.clone();
        altered[place] ^= 1;
        assert!(
            matches!(
                session.load_license(&altered),
                Err(ClientError::Refused { .. })
            ),
            "byte {place}"
        );
        assert!(
            matches!(
                session.load_license(&answer[..place]),
                Err(ClientError::Refused { .. })
            ),
            "the first {place} bytes"
        );
    }
    assert_eq!(session.load_license(&answer).unwrap().keys.len(), 1);
}

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
        let mut session = {
            setting.proxy.arm(Fault::None);
            setting.client.open_session().unwrap()
        };
        setting.proxy.arm(Fault::Replace(old.response.clone()));
        let wanted = LicenseWanted {
            key_ids: vec![setting.samples[0].tracks[0].kid],
            ..LicenseWanted::default()
        };
        let error = setting.client.acquire(&mut session, &wanted).unwrap_err();
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
    for old in setting.proxy.recorded() {
        let Some(body) = old
            .target
            .starts_with("POST /v1/license")
            .then(|| body(&old.request))
        else {
            continue;
        };
        let answer = post::license(&setting.service.server().url(), body).unwrap();
        assert_eq!(
            answer,
            self::body(&old.response),
            "a repeat was answered anew"
        );
    }
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

#[test]
fn stalls_end_at_the_deadline() {
    let setting = Setting::provisioned();
    let mut session = setting.client.open_session().unwrap();
    let wanted = LicenseWanted {
        key_ids: vec![setting.samples[0].tracks[0].kid],
        ..LicenseWanted::default()
    };
    for fault in [
        Fault::Silence(Duration::from_secs(30)),
        Fault::Trickle(Duration::from_millis(50)),
    ] {
        setting.proxy.arm(fault.clone());
        let begin = Instant::now();
        let error = setting.client.acquire(&mut session, &wanted).unwrap_err();
        assert!(
            matches!(error, ClientError::Http { .. }),
            "{fault:?}: {error}"
        );
        // Three seconds are the deadline; the rest is for a busy machine.
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{fault:?} held the client up"
        );
    }
    setting.proxy.arm(Fault::None);
    assert_eq!(
        setting
            .client
            .acquire(&mut session, &wanted)
            .unwrap()
            .keys
            .len(),
        1
    );
}

#[test]
fn what_passes_over_the_network_shows_neither_keys_nor_key_ids_nor_the_device() {
    let setting = Setting::provisioned();
    for sample in setting.samples.iter().take(4) {
        assert!(!play(&setting.client, sample).is_empty());
    }
    let recorded = setting.proxy.recorded();
    let wire: Vec<u8> = recorded
        .iter()
        .flat_map(|one| [one.request.as_slice(), &one.response].concat())
        .collect();
    let shows = |needle: &[u8]| wire.windows(needle.len()).any(|window| window == needle);
    assert!(
        shows(b"test.service"),
        "the service names itself; else this test sees nothing"
    );
    for track in setting
        .samples
        .iter()
        .take(4)
        .flat_map(|sample| &sample.tracks)
    {
        assert!(!shows(&track.key), "a content key is on the wire");
        assert!(!shows(&track.kid), "a key id is on the wire");
    }
    assert!(
        !shows(MODEL.as_bytes()),
        "the device's model is on the wire"
    );
    let device = setting.client.device_key().unwrap();
    assert!(!shows(&device.digest), "the device's key is on the wire");
    drop(setting.folder);
}

//! A network that cuts, doubles, replays and stalls: nothing hangs, nothing is counted twice, no
//! secret is on the wire.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod cuts;
mod replays;

use std::sync::Arc;
use std::time::{Duration, Instant};

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::{Client, ClientError, LicenseWanted, RetryPolicy, Session};
use keybearer_tee::Tee;
use keybearer_tests::post;
use keybearer_tests::proxy::{Fault, Proxy};
use keybearer_tests::samples::{self, Sample};
use keybearer_tests::service::{MODEL, Service};
use keybearer_tests::story::play;

/// A service behind a proxy, and a device that reaches it only through there.
struct Setting {
    service: Service,
    proxy: Proxy,
    tee: Arc<dyn Tee>,
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
            tee,
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
    fn request(&self, session: &Session) -> Vec<u8> {
        session.renew_challenge(post::service_info(&self.service.server().url()).unwrap());
        let wanted = LicenseWanted {
            key_ids: vec![self.samples[0].tracks[0].kid],
            ..LicenseWanted::default()
        };
        session.license_request(&wanted).unwrap()
    }
}

#[test]
fn stalls_end_at_the_deadline() {
    let setting = Setting::provisioned();
    let session = setting.client.open_session().unwrap();
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
        let error = setting.client.acquire(&session, &wanted).unwrap_err();
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
            .acquire(&session, &wanted)
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

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::collections::BTreeSet;
use std::sync::mpsc;

use keybearer_wire::Command;
use keybearer_wire::body::{KeyStatus, LicenseReport, ReasonField};
use keybearer_wire::field::Text;

use super::*;
use crate::error::Ended;
use crate::fake::{FakeNetwork, FakeTee, client, license};

/// Longer than any wait here may last.
const LONG: Duration = Duration::from_secs(60);

/// A licence that is renewed at this time, every ten seconds after a failure.
fn renewable_at(id: u8, at: u64) -> LicenseReport<'static> {
    LicenseReport {
        renew_at: Some(at),
        renew_retry: Some(10),
        ..license(id, id, KeyStatus::Usable)
    }
}

/// A driver without its thread, over a session with these licences at trusted time 1000.
struct Scene {
    tee: FakeTee,
    network: FakeNetwork,
    client: Client,
    session: Session,
    driver: Driver,
    /// The driver's own time.
    now: Duration,
}

impl Scene {
    fn new(held: Vec<LicenseReport<'static>>) -> Self {
        let (tee, network) = (FakeTee::default(), FakeNetwork::default());
        let client = client(&tee, &network);
        let session = client.open_session().unwrap();
        tee.hold(held);
        tee.state().time = Some(1000);
        let wanted = LicenseWanted {
            token: Some(b"grant".to_vec()),
            ..LicenseWanted::default()
        };
        let driver = Driver::new(wanted);
        let now = Duration::ZERO;
        Self {
            tee,
            network,
            client,
            session,
            driver,
            now,
        }
    }

    /// Lets both clocks go on.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        let mut state = self.tee.state();
        state.time = state.time.map(|now| now + time.as_secs());
    }

    /// One step: the pause it wants, and what it reports.
    fn step(&mut self) -> (Duration, Vec<Renewal>) {
        let mut reports = Vec::new();
        let mut report = |renewal| reports.push(renewal);
        let rest = self
            .driver
            .step(&self.client, &self.session, self.now, &mut report);
        (rest, reports)
    }

    fn renewed(&self) -> usize {
        self.tee.state().renewed.len()
    }
}

/// The pause after a failed attempt.
fn again(reports: &[Renewal]) -> Duration {
    match reports {
        [Renewal::Failed { again, .. }] => *again,
        other => panic!("{other:?}"),
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn what_is_due_next_is_told() {
    let ended = LicenseReport {
        ends: Some(1000),
        ..renewable_at(3, 900)
    };
    let held = vec![
        renewable_at(1, 1500),
        renewable_at(2, 1200),
        ended,
        license(4, 4, KeyStatus::Usable),
    ];
    let mut scene = Scene::new(held);
    let due = |scene: &Scene| scene.session.due().unwrap().unwrap();
    assert_eq!(due(&scene).license.id, [2; 16]);
    assert_eq!(due(&scene).wait, Some(seconds(200)));
    scene.pass(seconds(300));
    assert_eq!(due(&scene).wait, Some(Duration::ZERO));
    scene.tee.state().time = None;
    assert_eq!(due(&scene).wait, None);
    scene.tee.hold(vec![license(4, 4, KeyStatus::Usable)]);
    assert_eq!(scene.session.due().unwrap(), None);
}

#[test]
fn a_renewal_is_asked_for_a_little_before_its_moment_and_not_by_all_at_once() {
    let mut plans = BTreeSet::new();
    for _ in 0..50 {
        let mut scene = Scene::new(vec![renewable_at(1, 1300)]);
        let planned = {
            let statuses = scene.session.statuses().unwrap();
            scene
                .driver
                .plan(&statuses.licenses[0], seconds(300), Duration::ZERO)
        };
        assert!(
            (seconds(270)..=seconds(300)).contains(&planned),
            "{planned:?}"
        );
        plans.insert(planned);
        scene.pass(seconds(269));
        assert!(scene.step().1.is_empty());
        scene.tee.state().grants = vec![renewable_at(1, 2000)];
        scene.pass(seconds(31));
        assert!(matches!(&scene.step().1[..], [Renewal::Renewed(_)]));
    }
    assert!(plans.len() > 25, "{plans:?}");
}

#[test]
fn a_renewal_takes_its_predecessors_place_and_is_renewed_in_its_turn() {
    let mut scene = Scene::new(vec![renewable_at(1, 1000)]);
    scene.tee.state().grants = vec![LicenseReport {
        sequence: 2,
        ..renewable_at(1, 1500)
    }];
    let (rest, reports) = scene.step();
    assert!(matches!(&reports[..], [Renewal::Renewed(license)] if license.sequence == 2));
    assert_eq!((rest, scene.renewed()), (Duration::ZERO, 1));
    // Nothing to do now, but clocks that stand while a machine sleeps want a look.
    assert_eq!(scene.step().0, LOOK);
    scene.pass(seconds(500));
    scene.step();
    assert_eq!(scene.renewed(), 2);
}

#[test]
fn it_is_asked_where_the_licence_says() {
    let elsewhere = LicenseReport {
        renewal_url: Some(Text("http://renew.example")),
        ..renewable_at(1, 1000)
    };
    let mut scene = Scene::new(vec![elsewhere.clone()]);
    scene.tee.state().grants = vec![renewable_at(1, 1500)];
    scene.step();
    assert_eq!(scene.network.count("http://renew.example/v1/license"), 1);
    let nowhere = LicenseReport {
        renewal_url: Some(Text("gopher://renew.example")),
        ..elsewhere
    };
    let mut scene = Scene::new(vec![nowhere]);
    let (_, reports) = scene.step();
    assert!(
        matches!(
            &reports[..],
            [Renewal::Failed {
                error: ClientError::Input { .. },
                ..
            }]
        ),
        "{reports:?}"
    );
}

#[test]
fn a_failed_renewal_is_tried_again_after_the_stated_pause_and_then_less_often() {
    let mut scene = Scene::new(vec![renewable_at(1, 1000)]);
    scene.network.state().down = true;
    let mut pause = seconds(10);
    for attempt in 1..=8 {
        let (_, reports) = scene.step();
        let again = again(&reports);
        assert!(
            (pause..=pause.mul_f64(1.25)).contains(&again),
            "{again:?} for {pause:?}"
        );
        assert_eq!(scene.renewed(), attempt);
        // Not a moment earlier.
        scene.pass(again.saturating_sub(Duration::from_millis(1)));
        let (rest, reports) = scene.step();
        assert!(reports.is_empty() && rest <= Duration::from_millis(1));
        scene.pass(Duration::from_millis(1));
        pause = (pause * 2).min(MAX_PAUSE);
    }
    // One that succeeds ends it.
    scene.network.state().down = false;
    scene.tee.state().grants = vec![renewable_at(1, 1_000_000)];
    assert!(matches!(&scene.step().1[..], [Renewal::Renewed(_)]));
}

#[test]
fn a_longer_pause_of_the_service_is_kept() {
    let mut scene = Scene::new(vec![renewable_at(1, 1000)]);
    // Nothing is granted: the service refuses.
    scene.tee.state().retry_after = Some(700);
    assert_eq!(again(&scene.step().1), seconds(700));
}

#[test]
fn what_ends_soon_is_tried_once_more_before_its_end_and_never_after() {
    let ending = LicenseReport {
        ends: Some(1100),
        ..renewable_at(1, 1000)
    };
    let mut scene = Scene::new(vec![ending]);
    scene.network.state().down = true;
    scene
        .driver
        .step(&scene.client, &scene.session, Duration::ZERO, &mut |_| ());
    scene.pass(seconds(13));
    let mut attempts = 1;
    while scene.tee.state().time < Some(1100) {
        if let [Renewal::Failed { again, .. }] = &scene.step().1[..] {
            attempts += 1;
            let left = seconds(1100 - scene.tee.state().time.unwrap());
            assert!(
                *again <= (left / 2).max(seconds(10)),
                "{again:?} of {left:?}"
            );
        }
        scene.pass(seconds(1));
    }
    assert!((4..=10).contains(&attempts), "{attempts}");
    for _ in 0..50 {
        assert!(scene.step().1.is_empty());
        scene.pass(seconds(20));
    }
}

/// A service that calls every renewal due at once is not asked without a breath.
#[test]
fn renewals_that_are_due_at_once_are_asked_for_at_the_stated_pace() {
    let mut scene = Scene::new(vec![renewable_at(1, 1000)]);
    for sequence in 2..30 {
        scene.tee.state().grants.push(LicenseReport {
            sequence,
            ..renewable_at(1, 1000)
        });
    }
    for _ in 0..100 {
        let (rest, _) = scene.step();
        scene.pass(rest.max(Duration::from_millis(1)));
    }
    let passed = scene.now.as_secs();
    let renewed = u64::try_from(scene.renewed()).unwrap();
    assert!(
        renewed > 5 && renewed <= passed / 10 + 1,
        "{renewed} in {passed} s"
    );
}

#[test]
fn a_licence_that_waits_for_its_first_use_is_looked_at_more_often() {
    let waiting = LicenseReport {
        renew_at: None,
        ..renewable_at(1, 0)
    };
    let mut scene = Scene::new(vec![waiting]);
    assert_eq!(scene.step().0, LOOK_FOR_USE);
    scene.tee.hold(vec![renewable_at(1, 1000)]);
    scene.step();
    assert_eq!(scene.renewed(), 1);
}

#[test]
fn licences_are_renewed_each_in_its_time() {
    let mut scene = Scene::new(vec![renewable_at(1, 1000), renewable_at(2, 1030)]);
    scene.network.state().down = true;
    scene.step();
    // The first one's pause is not the second one's.
    scene.network.state().down = false;
    scene.tee.state().grants = vec![renewable_at(2, 5000)];
    scene.pass(seconds(4));
    scene.step();
    assert_eq!(scene.tee.state().renewed, [[1; 16]]);
    scene
        .driver
        .plans
        .get_mut(&[1; 16])
        .unwrap()
        .tries
        .not_before = seconds(1000);
    scene.pass(seconds(26));
    scene.step();
    assert_eq!(scene.tee.state().renewed, [[1; 16], [2; 16]]);
    // What is gone is forgotten.
    scene.tee.hold(vec![renewable_at(2, 5000)]);
    scene.step();
    assert_eq!(scene.driver.plans.len(), 1);
}

#[test]
fn time_is_brought_where_something_waits_for_it() {
    let mut pending = license(1, 1, KeyStatus::StatusPending);
    pending.keys.0[0].reasons.0[0].field = ReasonField::TrustedTime;
    let mut scene = Scene::new(vec![pending.clone()]);
    scene.tee.state().time = None;
    scene.network.state().down = true;
    let (rest, reports) = scene.step();
    assert!(matches!(&reports[..], [Renewal::NoTime { again, .. }] if *again == rest));
    assert!(scene.step().0 > Duration::ZERO);
    assert_eq!(scene.tee.count(Command::BuildTimeRequest), 1);
    scene.network.state().down = false;
    scene.pass(rest);
    assert!(scene.step().1.is_empty());
    assert_eq!(scene.tee.count(Command::LoadTimeAnswer), 1);
    // A trusted side that has none nevertheless is not asked again at once.
    assert!(scene.step().0 >= seconds(1));
    // Nothing waits for it: nothing is asked.
    let mut scene = Scene::new(vec![license(1, 1, KeyStatus::Usable)]);
    scene.tee.state().time = None;
    assert_eq!(scene.step().0, LOOK);
    assert_eq!(scene.tee.count(Command::BuildTimeRequest), 0);
}

/// A session on its thread, with a service that is as told.
fn running(
    network: &FakeNetwork,
) -> (FakeTee, Client, Session, KeepAlive, mpsc::Receiver<Renewal>) {
    let tee = FakeTee::default();
    let client = client(&tee, network);
    let session = client.open_session().unwrap();
    tee.state().time = Some(1000);
    let (sender, receiver) = mpsc::channel();
    let report = move |renewal| sender.send(renewal).unwrap_or_default();
    let driver = client.keep_alive(&session, LicenseWanted::default(), report);
    (tee, client, session, driver.unwrap(), receiver)
}

/// Waits for the driver's thread to be gone: then nobody can report any more.
fn ended(reports: &mpsc::Receiver<Renewal>) {
    let end = Instant::now() + LONG / 10;
    loop {
        match reports.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it goes on"),
        }
    }
}

#[test]
fn a_licence_that_comes_later_is_renewed_at_once_when_it_is_due() {
    let network = FakeNetwork::default();
    let (tee, _client, session, driver, reports) = running(&network);
    tee.state().grants = vec![renewable_at(1, 1000), renewable_at(1, 9000)];
    session.load_license(b"answer").unwrap();
    let report = reports.recv_timeout(LONG).unwrap();
    assert!(matches!(report, Renewal::Renewed(license) if license.renew_at == Some(9000)));
    let start = Instant::now();
    drop(driver);
    assert!(start.elapsed() < seconds(1));
    assert!(matches!(
        reports.try_recv(),
        Err(mpsc::TryRecvError::Disconnected)
    ));
    drop(session);
    assert_eq!(tee.state().dropped, 1);
}

/// The exchange would take half a minute; whoever goes, it ends at once and nobody is told of a failure.
#[test]
fn it_ends_at_once_in_the_middle_of_an_exchange_whoever_goes() {
    type End =
        fn(Client, Session, KeepAlive) -> (Option<Client>, Option<Session>, Option<KeepAlive>);
    let ends: [End; 4] = [
        |client, session, driver| {
            drop(driver);
            (Some(client), Some(session), None)
        },
        |client, session, driver| {
            drop(session);
            (Some(client), None, Some(driver))
        },
        |client, session, driver| {
            drop(client);
            (None, Some(session), Some(driver))
        },
        |client, session, driver| {
            client.shut_down();
            (Some(client), Some(session), Some(driver))
        },
    ];
    for end in ends {
        let network = FakeNetwork::default();
        let (tee, client, session, driver, reports) = running(&network);
        network.state().silent = true;
        tee.state().grants = vec![renewable_at(1, 1000)];
        session.load_license(b"answer").unwrap();
        while network.count("/v1/license") == 0 {
            thread::yield_now();
        }
        let start = Instant::now();
        let left = end(client, session, driver);
        ended(&reports);
        assert!(start.elapsed() < seconds(5), "{:?}", start.elapsed());
        drop(left);
    }
}

#[test]
fn a_report_may_drop_the_driver() {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    let client = client(&tee, &network);
    let session = client.open_session().unwrap();
    let (place, driver) = mpsc::channel::<KeepAlive>();
    let (sender, reports) = mpsc::channel();
    let report = move |renewal| {
        drop(driver.recv().unwrap());
        sender.send(renewal).unwrap();
    };
    let keeping = client.keep_alive(&session, LicenseWanted::default(), report);
    place.send(keeping.unwrap()).unwrap();
    tee.state().time = Some(1000);
    tee.state().grants = vec![renewable_at(1, 1000), renewable_at(1, 9000)];
    session.load_license(b"answer").unwrap();
    assert!(matches!(
        reports.recv_timeout(LONG),
        Ok(Renewal::Renewed(_))
    ));
    ended(&reports);
}

#[test]
fn a_client_that_was_shut_down_says_so() {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    let client = client(&tee, &network);
    let session = client.open_session().unwrap();
    client.shut_down();
    let errors = [
        client.open_session().map(drop).unwrap_err(),
        client
            .acquire(&session, &LicenseWanted::default())
            .unwrap_err(),
        client.sync_time(&session).unwrap_err(),
        session
            .wait_usable(&[[7; 16]], None, &Cancel::new())
            .unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(
                error,
                ClientError::Cancelled {
                    why: Ended::Client,
                    ..
                }
            ),
            "{error}"
        );
    }
}

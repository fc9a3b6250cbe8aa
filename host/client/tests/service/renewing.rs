//! Licences that are renewed while they are used, and one that is not.

use std::num::NonZeroU32;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use keybearer_client::{Cancel, Client, KeyStatus, LicenseWanted, ReasonField, Renewal, Session};
use keybearer_server::RenewalSpec;

use crate::world::{SampleFile, World, content, media, sample_file, sample_path, wanted};

/// Longer than any wait here may last.
const LONG: Duration = Duration::from_secs(60);

/// A session with a licence whose renewal is due at once.
fn renewable(recovery: Option<u32>) -> (World, SampleFile, Client, Session) {
    let world = World::new();
    let sample = sample_file("cbcs-video.mp4");
    let mut spec = content(&sample);
    spec.renewal = Some(RenewalSpec {
        url: None,
        delay_seconds: 0,
        retry_seconds: 0,
        recovery_seconds: recovery.and_then(NonZeroU32::new),
        on_first_use: false,
        with_usage: true,
    });
    world.put(spec);
    let client = world.device("device");
    let session = client.open_session().unwrap();
    client.acquire(&session, &wanted(&sample)).unwrap();
    (world, sample, client, session)
}

/// The keys of a live session are replaced again and again while a file is decrypted with them.
#[test]
fn playback_goes_on_while_its_licence_is_renewed() {
    let (world, sample, client, session) = renewable(None);
    let clear = media(&sample_path(&sample.clear));
    let (sender, reports) = mpsc::channel();
    let events = session.subscribe().unwrap();
    let report = move |renewal| sender.send(renewal).unwrap_or_default();
    let driver = client
        .keep_alive(&session, LicenseWanted::default(), report)
        .unwrap();
    let (start, mut sequence) = (Instant::now(), 1);
    // Once at once, and once more at the pace that no licence can exceed.
    while sequence < 3 {
        assert!(start.elapsed() < LONG);
        world.play(&client, &session, &sample.file).unwrap();
        assert_eq!(media(&world.output()), clear);
        match reports.try_recv() {
            Ok(Renewal::Renewed(license)) => {
                assert_eq!(license.sequence, sequence + 1);
                sequence += 1;
            }
            Ok(failed) => panic!("{failed:?}"),
            Err(_) => {}
        }
    }
    drop(driver);
    assert!(start.elapsed() >= Duration::from_secs(1));
    // In its place at once: usable throughout, and nothing of its predecessors is left.
    let change = events.next(Some(Duration::ZERO), &Cancel::new()).unwrap();
    assert_eq!(change, None);
    let held = session.statuses().unwrap().licenses;
    assert_eq!((held.len(), held[0].sequence), (1, sequence));
    assert_eq!(world.server.registry().totals().unwrap().licenses, sequence);
}

/// Nobody renews: the licence says how long it may be used past that.
#[test]
fn a_licence_that_nobody_renews_ends_with_its_recovery_and_says_so() {
    let (world, sample, client, session) = renewable(Some(1));
    let due = session.due().unwrap().unwrap();
    assert_eq!(due.wait, Some(Duration::ZERO));
    let events = session.subscribe().unwrap();
    world.server.shutdown().unwrap();
    let (sender, reports) = mpsc::channel();
    let client = client.with_retry(keybearer_client::RetryPolicy {
        attempts: 1,
        ..Default::default()
    });
    let report = move |renewal| sender.send(renewal).unwrap_or_default();
    let driver = client.keep_alive(&session, LicenseWanted::default(), report);
    // The tick finds the end.
    let change = events.next(Some(LONG), &Cancel::new()).unwrap().unwrap();
    assert_eq!(
        (change.old, change.new),
        (Some(KeyStatus::Usable), Some(KeyStatus::Expired))
    );
    assert_eq!(change.reasons[0].field, ReasonField::Recovery);
    assert_eq!(change.key_id, sample.keys[0].id);
    // Attempts were made, and their failing was no error of the licence until then.
    assert!(matches!(
        reports.recv_timeout(LONG),
        Ok(Renewal::Failed { .. })
    ));
    drop(driver);
    assert_eq!(session.due().unwrap(), None);
}

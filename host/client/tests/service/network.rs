//! Networks that lose, cut, repeat and delay.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keybearer_client::{
    ClientError, HttpRequest, HttpResponse, HttpTransport, PlaybackError, RetryPolicy, Status,
    Transport, TransportError,
};

use crate::world::{MODEL, World, media, sample_file, sample_path, wanted};

/// Carries everything and then treats the answer as told.
struct Unkind<F> {
    inner: HttpTransport,
    exchanges: Arc<AtomicUsize>,
    answer: F,
}

impl<F> Transport for Unkind<F>
where
    F: Fn(usize, HttpResponse) -> Result<HttpResponse, TransportError> + Send + Sync,
{
    fn exchange<'a>(&self, request: &HttpRequest<'a>) -> Result<HttpResponse, TransportError> {
        let answer = self.inner.exchange(request)?;
        (self.answer)(self.exchanges.fetch_add(1, Ordering::Relaxed), answer)
    }
}

fn unkind<F>(answer: F) -> (Box<dyn Transport>, Arc<AtomicUsize>)
where
    F: Fn(usize, HttpResponse) -> Result<HttpResponse, TransportError> + Send + Sync + 'static,
{
    let exchanges = Arc::new(AtomicUsize::new(0));
    let inner = HttpTransport::new();
    (
        Box::new(Unkind {
            inner,
            exchanges: Arc::clone(&exchanges),
            answer,
        }),
        exchanges,
    )
}

fn lost() -> TransportError {
    TransportError::Cut {
        url: "http://service".into(),
        reason: "lost on the way".into(),
    }
}

const QUICK: RetryPolicy = RetryPolicy {
    attempts: 3,
    first_pause: Duration::from_millis(5),
    deadline: Duration::from_secs(20),
};

/// Every answer is lost twice. Each request reached the service three times and counts once.
#[test]
fn lost_answers_are_asked_for_again_and_counted_once() {
    let world = World::new();
    let sample = sample_file("cbcs-both.mp4");
    world.serve(&sample);
    let (transport, exchanges) = unkind(|at, answer| match at % 3 {
        2 => Ok(answer),
        _ => Err(lost()),
    });
    let client = world
        .new_device("device")
        .with_transport(transport)
        .with_retry(QUICK);
    client.provision(&world.token(), MODEL).unwrap();
    let session = client.open_session().unwrap();
    world.play(&client, &session, &sample.file).unwrap();
    assert_eq!(media(&world.output()), media(&sample_path(&sample.clear)));
    // Service info twice, provision and licence once, three attempts each.
    assert_eq!(exchanges.load(Ordering::Relaxed), 12);
    let totals = world.server.registry().totals().unwrap();
    assert_eq!(
        (totals.provisions, totals.licenses, totals.denials),
        (1, 1, 0)
    );
}

#[test]
fn a_network_that_loses_everything_is_given_up_with_its_error_and_no_file() {
    let world = World::new();
    let sample = sample_file("cenc-video.mp4");
    world.serve(&sample);
    world.device("device");
    // The service info of the session comes through, then nothing does.
    let (transport, exchanges) = unkind(|at, answer| match at {
        0 => Ok(answer),
        _ => Err(lost()),
    });
    let client = world
        .new_device("device")
        .with_transport(transport)
        .with_retry(QUICK);
    let error = world.refused(&client, &sample.file);
    assert!(
        matches!(&error, ClientError::Http { source, .. } if *source == lost()),
        "{error}"
    );
    assert_eq!(exchanges.load(Ordering::Relaxed), 4);
    // Asked three times in the same words: counted once, though no answer arrived.
    assert_eq!(world.server.registry().totals().unwrap().licenses, 1);
}

#[test]
fn a_cut_answer_is_refused_by_the_trusted_side() {
    let world = World::new();
    let sample = sample_file("cenc-video.mp4");
    world.serve(&sample);
    world.device("device");
    let (transport, _) = unkind(|at, mut answer| {
        if at > 0 {
            answer.body.truncate(answer.body.len() / 2);
        }
        Ok(answer)
    });
    let client = world
        .new_device("device")
        .with_transport(transport)
        .with_retry(QUICK);
    let error = world.refused(&client, &sample.file);
    assert!(
        matches!(
            error,
            ClientError::Refused {
                status: Status::BadMessage,
                ..
            }
        ),
        "{error}"
    );
}

/// Somebody on the way answers each request with what he saw before.
#[test]
fn a_replayed_answer_opens_nothing() {
    let world = World::new();
    let sample = sample_file("cenc-video.mp4");
    world.serve(&sample);
    world.device("device");
    let kept: Mutex<Option<HttpResponse>> = Mutex::new(None);
    let (transport, _) = unkind(move |at, answer| {
        // 0 and 2: service info of each session. 1: the licence he keeps. 3: the licence he replays.
        let mut kept = kept.lock().unwrap();
        if at == 1 {
            *kept = Some(answer.clone());
        }
        Ok(if at >= 3 {
            kept.clone().unwrap()
        } else {
            answer
        })
    });
    let client = world
        .new_device("device")
        .with_transport(transport)
        .with_retry(QUICK);
    let first = client.open_session().unwrap();
    client.acquire(&first, &wanted(&sample)).unwrap();
    let error = world.refused(&client, &sample.file);
    assert!(
        matches!(
            error,
            ClientError::Refused {
                status: Status::NotForThisRequest,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_service_that_is_down_is_named() {
    let world = World::new();
    let client = world.device("device").with_retry(QUICK);
    let url = world.server.url();
    let World { server, folder } = world;
    server.shutdown().unwrap();
    let error = client.open_session().unwrap_err();
    assert!(
        matches!(
            &error,
            ClientError::Http {
                source: TransportError::Connect { .. },
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains(&url), "{error}");
    drop(folder);
}

/// The licence is in the trusted side already: the service may go.
#[test]
fn a_service_that_goes_down_does_not_end_a_play_that_has_its_keys() {
    let world = World::new();
    let sample = sample_file("cens-both.mp4");
    world.serve(&sample);
    let client = world.device("device").with_retry(QUICK);
    let session = client.open_session().unwrap();
    client.acquire(&session, &wanted(&sample)).unwrap();
    let output = world.output();
    let World { server, folder } = world;
    server.shutdown().unwrap();
    let mut decryptor = keybearer_client::Licensed::new(&client, &session, None).unwrap();
    let input = sample_path(&sample.file);
    let played: Result<_, PlaybackError<_>> =
        keybearer_client::decrypt_file(&input, &output, &mut decryptor, &mut |_| ());
    assert!(played.is_ok(), "{played:?}");
    drop(folder);
}

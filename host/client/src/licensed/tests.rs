#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod changing;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use keybearer_tee::{BackendInfo, MockTeeSession, Tee, TeeError, TeeSession};
use keybearer_wire::body::{self, KeyStatus, Reason, ReasonField};
use keybearer_wire::field::{Blob, List, Text};
use keybearer_wire::{Command, encode_answer, encode_status};

use keybearer_media::{PictureSize, TrackKind};

use super::*;
use crate::{AnchorDigest, HttpResponse, MockTransport, PlaybackError, RetryPolicy, decrypt_file};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/samples/cenc-video.mp4"
);
/// Key id of that file, from `samples.json`.
const KEY_ID: KeyId = 0x8caa_7e39_6f41_8e64_ccdd_707a_1276_1c01_u128.to_be_bytes();

/// A trusted side of one connection, made beforehand.
struct Prepared(Mutex<Option<Box<dyn TeeSession>>>);

impl Tee for Prepared {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "prepared",
            detail: String::new(),
        }
    }
    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        self.0.lock().unwrap().take().ok_or(TeeError::Dead)
    }
}

fn key(status: KeyStatus, track_type: TrackType) -> body::KeyReport {
    let reasons = match status {
        KeyStatus::Usable => vec![],
        _ => vec![Reason {
            field: ReasonField::NotAfter,
            wanted: Some(5),
            found: Some(6),
            output: None,
        }],
    };
    body::KeyReport {
        key_id: KEY_ID,
        status,
        reasons: List(reasons),
        track_type: track_type.code(),
        level: 1,
        scheme: 1,
        largest_picture: None,
    }
}

fn license(keys: Vec<body::KeyReport>) -> body::LicenseReport<'static> {
    body::LicenseReport {
        license: [9; 16],
        sequence: 1,
        ends: None,
        renew_at: None,
        renewal_url: None,
        keys: List(keys),
        renew_retry: None,
    }
}

/// How the trusted side takes the calls that matter here.
struct Behaviour {
    /// Keys of the licence it loads.
    keys: Vec<body::KeyReport>,
    /// Decrypt calls that succeed before `refusal`.
    decrypts: usize,
    refusal: fn() -> Result<Vec<u8>, TeeError>,
}

/// Decrypt calls as they arrived: track type, duration in milliseconds, bytes of media.
type Calls = Arc<Mutex<Vec<(u8, u32, usize)>>>;

/// A client over a scripted trusted side. Decrypt calls are kept, and how many licences were asked for over the network is fixed.
fn client(behaviour: Behaviour, licenses: usize) -> (Client, Calls) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&calls);
    let mut session = MockTeeSession::new();
    let mut loaded = false;
    session.expect_shared_memory().returning(|_| Ok(None));
    session
        .expect_call()
        .returning(move |command, request, response, media| {
            let answer = match Command::from_code(command).unwrap() {
                Command::Describe => encode_answer(&body::Description {
                    abi: 1,
                    version: Text("1.0.0"),
                    level: 1,
                    isolation: body::Isolation::InProcess,
                    debug: false,
                    counter: None,
                    clock: true,
                    max_media: 3000,
                    application_anchors: true,
                    protected: false,
                }),
                Command::OpenSession => encode_answer(&body::SessionOpened { session: 1 }),
                Command::Statuses => {
                    // They end as soon as they are loaded; the table of calls says when that matters.
                    let ended = behaviour.keys.iter().map(|held| body::KeyReport {
                        track_type: held.track_type,
                        key_id: held.key_id,
                        ..key(KeyStatus::Expired, TrackType::Sd)
                    });
                    let licenses = match loaded {
                        true => vec![license(ended.collect())],
                        false => vec![],
                    };
                    encode_answer(&body::StatusReport {
                        sequence: 1,
                        time: None,
                        licenses: List(licenses),
                    })
                }
                Command::BuildRequest => encode_answer(&body::Message {
                    bytes: Blob(b"request"),
                }),
                Command::LoadAnswer => {
                    loaded = true;
                    encode_answer(&body::AnswerLoaded {
                        license: Some(license(behaviour.keys.clone())),
                        denial: None,
                    })
                }
                Command::Decrypt => {
                    let request: body::Decrypt<'_> =
                        keybearer_wire::Body::decode(request, 1 << 20).unwrap();
                    let mut kept = kept.lock().unwrap();
                    if kept.len() >= behaviour.decrypts {
                        response.clear();
                        response.extend((behaviour.refusal)()?);
                        return Ok(());
                    }
                    kept.push((request.track_type, request.duration_ms, media.len()));
                    let bytes = u64::try_from(media.len()).unwrap();
                    encode_answer(&body::Decrypted { bytes, sequence: 1 })
                }
                other => panic!("{} was not expected", other.name()),
            };
            response.clear();
            response.extend(answer.unwrap());
            Ok(())
        });
    let mut transport = MockTransport::new();
    let post = |request: &crate::HttpRequest<'_>| request.url.ends_with("/v1/license");
    let answer = |_: &crate::HttpRequest<'_>| {
        Ok(HttpResponse {
            status: 200,
            retry_after: None,
            body: b"sealed".to_vec(),
        })
    };
    transport
        .expect_exchange()
        .withf(post)
        .times(licenses)
        .returning(answer);
    transport
        .expect_exchange()
        .withf(move |request| !post(request))
        .returning(answer);
    let tee = Arc::new(Prepared(Mutex::new(Some(Box::new(session)))));
    let client = Client::new(
        tee,
        "http://service".parse().unwrap(),
        AnchorDigest([1; 32]),
    )
    .with_transport(Box::new(transport))
    .with_retry(RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    });
    (client, calls)
}

fn never() -> Result<Vec<u8>, TeeError> {
    panic!("no refusal was expected")
}

fn play(
    client: &Client,
) -> (
    Result<crate::Summary, PlaybackError<ClientError>>,
    Vec<PathBuf>,
) {
    let dir = tempfile::tempdir().unwrap();
    let session = client.open_session().unwrap();
    let mut decryptor = Licensed::new(client, &session, Some(b"grant".to_vec())).unwrap();
    let output = dir.path().join("out.mp4");
    let result = decrypt_file(Path::new(FILE), &output, &mut decryptor, &mut |_| ());
    let left = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    (result, left)
}

#[test]
fn keys_are_asked_for_once_and_batches_keep_within_what_the_trusted_side_takes() {
    let keys = vec![key(KeyStatus::Usable, TrackType::Hd)];
    let (client, calls) = client(
        Behaviour {
            keys,
            decrypts: usize::MAX,
            refusal: never,
        },
        1,
    );
    let (result, _) = play(&client);
    assert_eq!(result.unwrap().key_ids, [KEY_ID]);
    let calls = calls.lock().unwrap();
    assert!(calls.len() > 3);
    for (track_type, duration, bytes) in calls.iter() {
        // The key's own track type: a file does not know what counts as high definition.
        assert_eq!(*track_type, TrackType::Hd.code());
        assert!(*duration <= MAX_MEDIA_DURATION_MS && *bytes > 0);
    }
    assert!(calls.iter().filter(|(_, _, bytes)| *bytes <= 3000).count() * 2 > calls.len());
}

#[test]
fn a_trusted_side_that_dies_in_the_middle_ends_the_play_with_that_error_and_no_file() {
    let keys = vec![key(KeyStatus::Usable, TrackType::Sd)];
    let refusal = || Err(TeeError::Dead);
    let (client, calls) = client(
        Behaviour {
            keys,
            decrypts: 2,
            refusal,
        },
        1,
    );
    let (result, left) = play(&client);
    let Err(PlaybackError::Decryptor(error)) = result else {
        panic!("{result:?}")
    };
    assert!(error.is_dead(), "{error}");
    assert!(error.to_string().contains("connect again"), "{error}");
    assert_eq!((calls.lock().unwrap().len(), left), (2, vec![]));
}

#[test]
fn a_key_that_ends_in_the_middle_is_explained_and_leaves_no_file() {
    let keys = vec![key(KeyStatus::Usable, TrackType::Sd)];
    let refusal = || Ok(encode_status(Status::KeyNotUsable).unwrap());
    let (client, _) = client(
        Behaviour {
            keys,
            decrypts: 1,
            refusal,
        },
        1,
    );
    let (result, left) = play(&client);
    let Err(PlaybackError::Decryptor(error)) = result else {
        panic!("{result:?}")
    };
    assert!(
        matches!(&error, ClientError::KeyNotUsable { key_id, status: KeyStatus::Expired, reasons, .. }
            if *key_id == KEY_ID && reasons.len() == 1),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("expired: the licence's last moment"),
        "{error}"
    );
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn other_refusals_stay_what_they_are() {
    let keys = vec![key(KeyStatus::Usable, TrackType::Sd)];
    let refusal = || Ok(encode_status(Status::WrongScheme).unwrap());
    let (client, _) = client(
        Behaviour {
            keys,
            decrypts: 0,
            refusal,
        },
        1,
    );
    let (result, left) = play(&client);
    let Err(PlaybackError::Decryptor(error)) = result else {
        panic!("{result:?}")
    };
    assert!(matches!(
        error,
        ClientError::Refused {
            status: Status::WrongScheme,
            ..
        }
    ));
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn a_licence_without_the_key_is_named_before_a_sample_is_touched() {
    let other = body::KeyReport {
        key_id: [7; 16],
        ..key(KeyStatus::Usable, TrackType::Sd)
    };
    let behaviour = Behaviour {
        keys: vec![other],
        decrypts: usize::MAX,
        refusal: never,
    };
    let (client, calls) = client(behaviour, 1);
    let (result, left) = play(&client);
    let Err(PlaybackError::Decryptor(error)) = result else {
        panic!("{result:?}")
    };
    assert!(
        matches!(&error, ClientError::KeysMissing { key_ids, denial: None } if *key_ids == [KEY_ID]),
        "{error}"
    );
    assert_eq!((calls.lock().unwrap().len(), left), (0, vec![]));
}

#[test]
fn a_track_is_called_what_the_file_knows_it_is() {
    use TrackType::{Audio, Hd, Other, Sd, Uhd1};
    let size = |width, height| Some(PictureSize { width, height });
    for (kind, picture, licensed, expected) in [
        (TrackKind::Video, size(640, 360), Hd, Hd),
        (TrackKind::Video, None, Uhd1, Uhd1),
        // A key for sound on pictures, and the reverse: the trusted side sees both and refuses.
        (TrackKind::Video, size(640, 360), Audio, Sd),
        (TrackKind::Video, size(1920, 1080), Audio, Hd),
        (TrackKind::Video, None, Other, Sd),
        (TrackKind::Audio, None, Hd, Audio),
        (TrackKind::Audio, None, Audio, Audio),
        (TrackKind::Other, None, Other, Other),
    ] {
        assert_eq!(
            track_type(kind, picture, licensed),
            expected,
            "{kind:?} {licensed:?}"
        );
    }
}

#[test]
fn a_sample_that_lasts_too_long_is_named_with_its_track_and_durations() {
    let keys = vec![key(KeyStatus::Usable, TrackType::Sd)];
    let behaviour = Behaviour {
        keys,
        decrypts: usize::MAX,
        refusal: never,
    };
    let (client, calls) = client(behaviour, 1);
    let mut file = std::fs::read(FILE).unwrap();
    // Fewer units in a second make every sample longer.
    let mdhd = file.windows(4).position(|word| word == b"mdhd").unwrap();
    let timescale = file[mdhd + 16..].first_chunk_mut::<4>().unwrap();
    *timescale = (u32::from_be_bytes(*timescale) / 100).to_be_bytes();
    let session = client.open_session().unwrap();
    let mut decryptor = Licensed::new(&client, &session, None).unwrap();
    let result = crate::decrypt_stream(&file[..], std::io::sink(), &mut decryptor, &mut |_| ());
    let Err(PlaybackError::Decryptor(error)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(
        error.to_string(),
        "track 1: sample 1 of the fragment at 0.000 s lasts 4000 ms; by a licence only samples of up \
         to 2000 ms can be decrypted, since the rules are looked at that often"
    );
    assert!(calls.lock().unwrap().is_empty());
}

//! Workers that answer wrongly, late or never. Each is killed and none is believed.

use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use keybearer_tee::{CallError, Media, Tee, TeeError};
use keybearer_tee_soft::channel::{
    Answer, Call, Failure, FromHost, FromWorker, Hello, Locked, MAX_MESSAGE, RESPONSE_AT, VERSION,
};
use keybearer_tee_soft::socket::Socket;
use keybearer_tee_soft::{SoftError, WorkerConfig, WorkerProgram, WorkerTee};
use keybearer_wire::body::{Decrypted, Describe};
use keybearer_wire::limits::{ABI_VERSION, MAX_RESPONSE};
use keybearer_wire::{encode_answer, encode_status};

use crate::Test;
use crate::support::{SOON, connect, decrypt, gone};

pub(crate) const TESTS: &[Test] = &[
    ("a_program_that_is_no_worker_is_said", no_workers),
    ("a_worker_of_another_release_is_said", other_releases),
    (
        "a_connection_that_is_answered_wrongly_is_the_workers_end",
        wrong_connections,
    ),
    (
        "a_call_that_is_answered_wrongly_is_the_workers_end",
        wrong_answers,
    ),
    ("a_connection_that_is_closed_is_the_workers_end", closed),
    (
        "media_that_nobody_asked_for_is_the_workers_end",
        too_much_media,
    ),
    ("silence_is_the_workers_end", silence),
    ("a_worker_that_works_is_waited_for", work),
    ("waiting_behind_others_is_not_silence", behind_others),
    ("a_worker_that_cannot_start_says_why", failures),
];

fn start(lie: &'static str) -> (tempfile::TempDir, Result<WorkerTee, SoftError>) {
    let dir = tempfile::tempdir().unwrap();
    let program = WorkerProgram::this(format!("--role=liar.{lie}"));
    let mut config = WorkerConfig::new(program, dir.path().join("state"));
    config.deadline = SOON;
    (dir, WorkerTee::start(config))
}

fn refused(lie: &'static str) -> SoftError {
    start(lie).1.expect_err(lie)
}

fn no_workers() {
    for (lie, why) in [
        ("hello-garbage", "something else"),
        ("hello-short", "something else"),
        ("hello-nothing", "said nothing"),
        ("hello-late", "in time"),
        ("hello-endless", "data"),
        ("ready-garbage", "something else"),
        ("ready-out-of-range", "something else"),
        ("ready-done", "something else"),
        ("ready-nothing", "ended while starting"),
    ] {
        let error = refused(lie);
        let SoftError::NotAWorker { why: said, .. } = &error else {
            panic!("{lie}: {error}")
        };
        assert!(said.contains(why), "{lie}: {said}");
    }
}

fn other_releases() {
    for lie in ["hello-version", "hello-abi", "hello-longer"] {
        let error = refused(lie);
        if lie == "hello-longer" {
            assert!(matches!(error, SoftError::NotAWorker { .. }), "{error}");
            continue;
        }
        assert!(matches!(error, SoftError::Version { .. }), "{lie}: {error}");
        assert!(error.to_string().contains("from one release"), "{error}");
    }
}

fn failures() {
    let text = refused("failed-sandbox").to_string();
    assert!(text.contains("sandbox: no filter"), "{text}");
    let text = refused("failed-core").to_string();
    assert!(text.contains("did not start: no luck"), "{text}");
    let text = refused("failed-io").to_string();
    assert!(text.contains("cannot try it"), "{text}");
    assert!(text.contains("No space left"), "{text}");
}

fn wrong_connections() {
    for lie in ["connect-garbage", "connect-ready", "connect-endless"] {
        let (_dir, tee) = start(lie);
        let tee = tee.unwrap();
        let pid = tee.process_id();
        let error = tee.connect().err().expect(lie);
        assert!(matches!(error, TeeError::BadAnswer(_)), "{lie}: {error}");
        assert!(gone(pid), "{lie}");
    }
    let (_dir, tee) = start("connect-refused");
    let error = tee.unwrap().connect().err();
    assert!(matches!(error, Some(TeeError::Unavailable(_))), "{error:?}");
}

fn wrong_answers() {
    for lie in [
        "answer-garbage",
        "answer-short",
        "answer-longer",
        "answer-endless",
        "answer-sequence",
        "answer-too-long",
        "answer-twice",
    ] {
        let (_dir, tee) = start(lie);
        let tee = tee.unwrap();
        let pid = tee.process_id();
        let mut session = connect(&tee);
        let mut other = connect(&tee);
        if lie == "answer-twice" {
            session.exchange(&Describe {}).expect_err("no description");
        }
        let answer = session.exchange(&Describe {});
        assert!(
            matches!(answer, Err(CallError::Transport(TeeError::BadAnswer(_)))),
            "{lie}: {answer:?}"
        );
        assert!(gone(pid), "{lie}");
        for session in [&mut session, &mut other] {
            let answer = session.exchange(&Describe {});
            assert!(
                matches!(answer, Err(CallError::Transport(TeeError::Dead))),
                "{lie}: {answer:?}"
            );
        }
        // The next worker is another, and no more believed than this one.
        drop(connect(&tee));
        assert_ne!(tee.process_id(), pid);
    }
}

fn closed() {
    let (_dir, tee) = start("answer-closed");
    let tee = tee.unwrap();
    let pid = tee.process_id();
    let mut session = connect(&tee);
    let answer = session.exchange(&Describe {});
    assert!(
        matches!(answer, Err(CallError::Transport(TeeError::Dead))),
        "{answer:?}"
    );
    assert!(gone(pid), "it lived on, but was of no more use");
}

fn too_much_media() {
    let (_dir, tee) = start("answer-media");
    let tee = tee.unwrap();
    let mut data = vec![5; 100];
    let answer = decrypt(&mut connect(&tee), 1, Media::InPlace(&mut data));
    assert!(
        matches!(answer, Err(CallError::Transport(TeeError::BadAnswer(_)))),
        "{answer:?}"
    );
    assert_eq!(data, vec![5; 100]);
}

fn silence() {
    for lie in ["answer-never", "connect-never"] {
        let (_dir, tee) = start(lie);
        let tee = tee.unwrap();
        let pid = tee.process_id();
        let begin = Instant::now();
        let error = match tee.connect() {
            Ok(session) => {
                let mut session = keybearer_tee::ClearSession::new(session);
                let answer = session.exchange(&Describe {});
                matches!(answer, Err(CallError::Transport(TeeError::Dead)))
            }
            Err(error) => matches!(error, TeeError::Dead),
        };
        assert!(error, "{lie}");
        assert!(gone(pid), "{lie}");
        assert!(begin.elapsed() >= SOON, "{lie}");
    }
}

/// Slow is not hung: what runs is waited for.
fn work() {
    let (_dir, tee) = start("answer-after-work");
    let tee = tee.unwrap();
    let begin = Instant::now();
    let mut session = connect(&tee);
    let answer = session.exchange(&Describe {});
    assert!(matches!(answer, Err(CallError::Refused(_))), "{answer:?}");
    assert!(begin.elapsed() > 2 * SOON);
}

/// A worker that answers others is not hung either, however little it runs for it.
fn behind_others() {
    let (_dir, tee) = start("answer-others-first");
    let tee = tee.unwrap();
    let (mut first, mut other) = (connect(&tee), connect(&tee));
    let waiting = std::thread::spawn(move || {
        let begin = Instant::now();
        (first.exchange(&Describe {}).is_err(), begin.elapsed())
    });
    let begin = Instant::now();
    while begin.elapsed() < 3 * SOON {
        let answer = other.exchange(&Describe {});
        assert!(matches!(answer, Err(CallError::Refused(_))), "{answer:?}");
        std::thread::sleep(SOON / 6);
    }
    // The last one of these lets the first go.
    drop(other);
    let (refused, waited) = waiting.join().unwrap();
    assert!(refused && waited > 2 * SOON, "{waited:?}");
}

/// The worker's side of the channel, up to the lie.
pub(crate) fn play(lie: &str) -> ExitCode {
    let stdin = rustix::io::dup(rustix::stdio::stdin()).unwrap();
    let control = Socket::from_descriptor(stdin).unwrap();
    let mut hello = Hello {
        version: VERSION,
        abi: ABI_VERSION,
    };
    match lie {
        "hello-garbage" => return say(&control, &[7; 14]),
        "hello-short" => return say(&control, &hello.encode()[..13]),
        "hello-longer" => return say(&control, &[&hello.encode()[..], &[0]].concat()),
        "hello-endless" => return say(&control, &[0; MAX_MESSAGE + 1]),
        "hello-nothing" => return ExitCode::SUCCESS,
        "hello-late" => return sleep(),
        "hello-version" => hello.version += 1,
        "hello-abi" => hello.abi += 1,
        _ => {}
    }
    control.send(&hello.encode()).unwrap();
    if lie.starts_with("hello-") {
        return sleep();
    }

    let mut room = [0; MAX_MESSAGE];
    let start = control.receive(&mut room).unwrap().unwrap();
    assert!(matches!(
        FromHost::decode(start),
        Ok(FromHost::Start { .. })
    ));
    let ready = FromWorker::Ready {
        locked: Locked::Nothing,
    };
    let failed = match lie {
        "failed-sandbox" => Some(Failure::Sandbox("no filter".into())),
        "failed-core" => Some(Failure::Core("no luck".into())),
        "failed-io" => Some(Failure::Io {
            what: "try it in".into(),
            number: libc::ENOSPC,
        }),
        _ => None,
    };
    if let Some(failure) = failed {
        return say(&control, &FromWorker::Failed(failure).encode());
    }
    match lie {
        "ready-garbage" => return say(&control, &[9; 8]),
        "ready-out-of-range" => return say(&control, &[1, 0, 0, 0, 7, 0, 0, 0]),
        "ready-done" => return say(&control, &FromWorker::Done.encode()),
        "ready-nothing" => return ExitCode::SUCCESS,
        _ => control.send(&ready.encode()).unwrap(),
    }
    serve(lie, &control)
}

/// Takes connections, and lies on the control socket or on theirs.
fn serve(lie: &str, control: &Socket) -> ExitCode {
    let mut room = [0; MAX_MESSAGE];
    let mut connections: Vec<(Socket, OwnedFd)> = Vec::new();
    let mut held: Option<(usize, Vec<u8>)> = None;
    loop {
        let sockets = connections.iter().map(|(socket, _)| socket);
        let index = wait(control, sockets);
        if index == 0 {
            let Some((message, mut descriptors)) = control.receive_with(&mut room).unwrap() else {
                return ExitCode::SUCCESS;
            };
            let answer = match (FromHost::decode(message).unwrap(), lie) {
                (_, "connect-garbage") => vec![0xff; 4],
                (_, "connect-ready") => FromWorker::Ready {
                    locked: Locked::Nothing,
                }
                .encode(),
                (_, "connect-endless") => vec![0; MAX_MESSAGE + 1],
                (_, "connect-refused") => FromWorker::Refused.encode(),
                (_, "connect-never") => return sleep(),
                (FromHost::Release { .. }, _) => continue,
                _ => FromWorker::Done.encode(),
            };
            if let [_, _] = descriptors[..] {
                let arena = descriptors.pop().unwrap();
                let socket = Socket::from_descriptor(descriptors.pop().unwrap()).unwrap();
                connections.push((socket, arena));
            }
            control.send(&answer).unwrap();
            continue;
        }
        let (socket, arena) = &connections[index - 1];
        let mut call = [0; Call::SIZE];
        let Some(message) = socket.receive(&mut call).unwrap() else {
            connections.remove(index - 1);
            if let Some((index, answer)) = held.take() {
                let (socket, _) = &connections[index];
                socket.send(&answer).unwrap();
            }
            continue;
        };
        let call = Call::decode(message).unwrap();
        let response = match lie {
            "answer-media" => encode_answer(&Decrypted {
                bytes: 101,
                sequence: 1,
            }),
            _ => encode_status(keybearer_wire::Status::Platform),
        }
        .unwrap();
        let at = RESPONSE_AT as u64;
        rustix::io::pwrite(arena, &response, at).unwrap();
        let answer = Answer {
            sequence: call.sequence,
            response: response.len() as u32,
        };
        let honest = answer.encode().to_vec();
        let told = match lie {
            "answer-garbage" => vec![0xff; Answer::SIZE],
            "answer-short" => honest[..Answer::SIZE - 1].to_vec(),
            "answer-longer" => [&honest[..], &[0]].concat(),
            "answer-endless" => vec![0; 10_000],
            "answer-sequence" => Answer {
                sequence: call.sequence + 1,
                ..answer
            }
            .encode()
            .to_vec(),
            "answer-too-long" => Answer {
                response: MAX_RESPONSE as u32 + 1,
                ..answer
            }
            .encode()
            .to_vec(),
            "answer-twice" => {
                socket.send(&honest).unwrap();
                honest
            }
            "answer-closed" => {
                connections.remove(index - 1);
                continue;
            }
            "answer-never" => return sleep(),
            "answer-after-work" => {
                let begin = Instant::now();
                while begin.elapsed() < 3 * SOON {
                    std::hint::spin_loop();
                }
                honest
            }
            "answer-others-first" if index == 1 => {
                held = Some((0, honest));
                continue;
            }
            _ => honest,
        };
        // Killed for it, it may not come to the end of this.
        let _ = socket.send(&told);
    }
}

/// Which has something to say: 0 for the control socket, else one more than the connection's index.
fn wait<'s>(control: &'s Socket, sockets: impl Iterator<Item = &'s Socket>) -> usize {
    use rustix::event::{PollFd, PollFlags};
    let mut polled: Vec<PollFd<'_>> = std::iter::once(control)
        .chain(sockets)
        .map(|socket| PollFd::new(socket, PollFlags::IN))
        .collect();
    rustix::event::poll(&mut polled, None).unwrap();
    let ready = polled.iter().position(|one| !one.revents().is_empty());
    ready.unwrap()
}

fn say(control: &Socket, message: &[u8]) -> ExitCode {
    control.send(message).unwrap();
    sleep()
}

/// Lives on until it is killed.
fn sleep() -> ExitCode {
    std::thread::sleep(Duration::from_secs(60));
    ExitCode::SUCCESS
}

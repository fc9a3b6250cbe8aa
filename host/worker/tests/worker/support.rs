//! A device over the worker, a licence service, and what `/proc` says about a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keybearer_cenc::{ContentKey, Pattern, SampleProtection, Scheme};
use keybearer_scripted_service::{Service, cenc_use, key, license, secret};
use keybearer_tee::{CallError, ClearSession, Media, Tee};
use keybearer_tee_soft::{WorkerConfig, WorkerProgram, WorkerTee};
use keybearer_wire::body;
use keybearer_wire::field::{Blob, List, Text};

/// The key that licences here hold.
pub(crate) const KEY: [u8; 16] = [7; 16];

/// A worker that is given up soon, so that tests of hanging are short.
pub(crate) const SOON: Duration = Duration::from_millis(600);

pub(crate) fn program() -> WorkerProgram {
    WorkerProgram::at(env!("CARGO_BIN_EXE_keybearer-worker"))
}

/// A state directory that goes away, and a backend over it.
pub(crate) fn started() -> (tempfile::TempDir, WorkerTee) {
    let dir = tempfile::tempdir().unwrap();
    let tee = start(&dir.path().join("state")).unwrap();
    (dir, tee)
}

pub(crate) fn start(state_dir: &Path) -> Result<WorkerTee, keybearer_tee_soft::SoftError> {
    WorkerTee::start(WorkerConfig::new(program(), state_dir))
}

pub(crate) fn connect(tee: &dyn Tee) -> ClearSession {
    ClearSession::new(tee.connect().unwrap())
}

/// Certifies the device for a service.
pub(crate) fn provision(session: &mut ClearSession, service: &mut Service) {
    let info = service.info();
    let anchor = service.anchor().0;
    let request = session
        .exchange(&body::BeginProvisioning {
            anchor,
            service_info: Blob(&info),
            token_kind: body::TokenKind::Enrollment,
            token: Blob(b"token"),
            model: Text("Model X"),
        })
        .unwrap()
        .bytes
        .0
        .to_vec();
    let answer = service.certify(&request);
    let finish = body::FinishProvisioning {
        anchor,
        answer: Blob(&answer),
    };
    assert!(session.exchange(&finish).unwrap().certified.is_some());
}

/// Opens a licence session.
pub(crate) fn open(session: &mut ClearSession, service: &mut Service) -> u64 {
    let info = service.info();
    let request = body::OpenSession {
        anchor: service.anchor().0,
        service_info: Blob(&info),
        protected: false,
    };
    session.exchange(&request).unwrap().session
}

/// Loads a licence with [`KEY`]; what became of the key.
pub(crate) fn acquire(
    session: &mut ClearSession,
    service: &mut Service,
    licensed: u64,
    usage: keybearer_license::KeyUse,
) -> Result<body::KeyStatus, CallError> {
    let request = session
        .exchange(&body::BuildRequest {
            session: licensed,
            kind: body::RequestKind::Acquire,
            key_ids: List(vec![KEY]),
            init_data: List(Vec::new()),
            stored: false,
            token: None,
            capabilities: Blob(&[0xa0]),
            license: None,
            service_info: None,
        })?
        .bytes
        .0
        .to_vec();
    let answer = service.license(&request, license(1, vec![key(7, usage)]));
    let load = body::LoadAnswer {
        session: licensed,
        answer: Blob(&answer),
    };
    let loaded = session.exchange(&load)?;
    Ok(loaded.license.unwrap().keys.0[0].status)
}

/// Connected, provisioned, with [`KEY`] usable in the session whose handle comes along.
pub(crate) fn ready(tee: &dyn Tee, seed: u64) -> (ClearSession, u64) {
    let mut service = Service::new(seed);
    let mut session = connect(tee);
    provision(&mut session, &mut service);
    let licensed = open(&mut session, &mut service);
    let status = acquire(&mut session, &mut service, licensed, cenc_use());
    assert_eq!(status.unwrap(), body::KeyStatus::Usable);
    (session, licensed)
}

/// Bytes that differ from their neighbours.
pub(crate) fn clear(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// The same, protected with [`KEY`] as one sample. A counter mode is its own inverse.
pub(crate) fn protected(len: usize) -> Vec<u8> {
    let mut data = clear(len);
    let protection = SampleProtection {
        scheme: Scheme::Cenc,
        pattern: Pattern::default(),
        iv: &[1; 8],
        subsamples: None,
    };
    ContentKey::new(&secret(7))
        .decrypt_sample(&protection, &mut data)
        .unwrap();
    data
}

/// Decrypts one sample of [`protected`] bytes.
pub(crate) fn decrypt(
    session: &mut ClearSession,
    licensed: u64,
    media: Media<'_>,
) -> Result<u64, CallError> {
    let size = u32::try_from(media.len()).unwrap();
    let mut sample = vec![1; 16];
    sample.extend_from_slice(&size.to_be_bytes());
    sample.extend_from_slice(&[0; 4]);
    let request = body::Decrypt {
        session: licensed,
        key_id: KEY,
        license: None,
        track_type: 3,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms: 1_000,
        width: None,
        height: None,
        samples: Blob(&sample),
        subsamples: Blob(&[]),
    };
    session.decrypt(&request, media).map(|answer| answer.bytes)
}

pub(crate) fn proc(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// A line of `/proc/PID/status`, by its name.
pub(crate) fn status_of(pid: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(proc(pid, "status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches(':').trim().to_owned())
}

/// True when there is no such process, not even a zombie.
pub(crate) fn gone(pid: u32) -> bool {
    !proc(pid, "").exists()
}

pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Waits for what must come soon.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within 5 s: {what}");
}

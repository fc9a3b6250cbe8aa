//! Inside the QEMU machine: clients that come and go, ask for as much as there is, or die in the middle
//! of a call. The trusted application outlives them all, and says how long it took.
//!
//! What it promises of every call is the conformance suite's to show, which runs there too.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::AnchorDigest;
use keybearer_tee::{CallError, Tee, TeeError};
use keybearer_tests::bare::Bare;
use keybearer_tests::post;
use keybearer_tests::samples::{self, Sample};
use keybearer_tests::service::Service;
use keybearer_wire::Status;
use keybearer_wire::limits::{MAX_SESSIONS, OPTEE_MAX_MEDIA};

/// Tells a run of this program that it is a client about to be killed: `URL ANCHOR`.
const VICTIM: &str = "KEYBEARER_VICTIM";

/// Sessions are counted over all clients, so these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn optee() -> Arc<dyn Tee> {
    // A TEE keeps its own state; the folder is for other backends.
    let options = BackendOptions::new("/nowhere");
    detect(BackendChoice::Optee, &options).unwrap().0
}

/// The operator's service, and a device of it.
struct Setting {
    service: Service,
    samples: Vec<Sample>,
    tee: Arc<dyn Tee>,
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Setting {
    fn new() -> Self {
        let turn = turn();
        let folder = tempfile::tempdir().unwrap();
        let samples = samples::standard();
        let keys = PathBuf::from(env::var_os("KEYBEARER_OPERATOR").unwrap());
        let service = Service::with_keys(&keys, &folder.path().join("store.redb"), &samples);
        let tee = optee();
        let (done, provisioning) = timed(|| service.provisioned(Arc::clone(&tee)));
        done.unwrap();
        println!("figure: provisioning with both exchanges: {provisioning:?}");
        Self {
            service,
            samples,
            tee,
            folder,
            _turn: turn,
        }
    }

    /// A fresh challenge, good for one licence.
    fn info(&self) -> Vec<u8> {
        post::service_info(&self.service.server().url()).unwrap()
    }

    fn open(&self) -> Result<Bare, CallError> {
        Bare::open(&*self.tee, self.service.anchor(), &self.info())
    }

    /// The sample whose key [`Bare::decrypt`] uses.
    fn sample(&self) -> &Sample {
        let wanted = |sample: &&Sample| sample.file == "cenc-video.mp4";
        self.samples.iter().find(wanted).unwrap()
    }

    /// A session that holds that key.
    fn licensed(&self, mut opened: Bare) -> Bare {
        let url = self.service.server().url();
        opened.acquire(&url, self.sample().tracks[0].kid).unwrap();
        opened
    }

    /// What the software core makes of `data` under that key.
    fn in_software(&self, data: &[u8]) -> Vec<u8> {
        let options = BackendOptions::new(self.folder.path().join("device"));
        let tee = detect(BackendChoice::InProcess, &options).unwrap().0;
        self.service.provisioned(Arc::clone(&tee)).unwrap();
        let url = self.service.server().url();
        let mut session = Bare::open(&*tee, self.service.anchor(), &self.info()).unwrap();
        session.acquire(&url, self.sample().tracks[0].kid).unwrap();
        let mut data = data.to_vec();
        session.decrypt(self.sample(), &mut data).unwrap();
        data
    }

    /// All sessions of the trusted application can be had at once, and no more.
    fn assert_all_sessions_free(&self) {
        let info = self.info();
        let open = || Bare::open(&*self.tee, self.service.anchor(), &info);
        let held: Vec<Bare> = (0..MAX_SESSIONS)
            .map(|number| match open() {
                Ok(session) => session,
                Err(error) => panic!("session {number}: {error}"),
            })
            .collect();
        assert_refused(open(), Status::TooManySessions);
        drop(held);
    }
}

fn assert_refused<T>(result: Result<T, CallError>, expected: Status) {
    match result {
        Err(CallError::Refused(status)) if status == expected => {}
        Err(other) => panic!("expected {}, found: {other}", expected.name()),
        Ok(_) => panic!("expected {}, found an answer", expected.name()),
    }
}

/// Bytes that look like nothing: an xorshift sequence, the same each time.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = what();
    (result, begin.elapsed())
}

#[test]
fn three_hundred_sessions_in_turn_leave_it_serving() {
    let setting = Setting::new();
    let info = setting.info();
    for number in 0..300 {
        let open = || Bare::open(&*setting.tee, setting.service.anchor(), &info).unwrap();
        match number % 20 {
            19 => drop(setting.licensed(setting.open().unwrap())),
            10.. => open().close().unwrap(),
            _ => drop(open()),
        }
    }
    setting.assert_all_sessions_free();
}

#[test]
fn clients_killed_while_they_decrypt_leave_nothing_behind() {
    if let Ok(whom) = env::var(VICTIM) {
        decrypt_for_ever(&whom);
    }
    const SESSIONS: usize = 8;
    let setting = Setting::new();
    let whom = format!(
        "{} {}",
        setting.service.server().url(),
        hex::encode(setting.service.anchor().0)
    );
    // More sessions than there are, if the dead kept theirs.
    let rounds = MAX_SESSIONS / SESSIONS + 2;
    for round in 0..rounds {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "clients_killed_while_they_decrypt_leave_nothing_behind",
            ])
            .arg("--nocapture")
            .env(VICTIM, format!("{whom} {SESSIONS}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert!(
            said.any(|line| line.unwrap().contains("decrypting")),
            "the client ended before it began"
        );
        thread::sleep(Duration::from_millis(20 + 31 * round as u64));
        victim.kill().unwrap();
        let status = victim.wait().unwrap();
        assert!(!status.success(), "it was to be killed, not to end");
    }
    setting.assert_all_sessions_free();
    let mut session = setting.licensed(setting.open().unwrap());
    assert_eq!(
        session.decrypt(setting.sample(), &mut [0; 100]).unwrap(),
        100
    );
}

/// The client to be killed: some sessions, and one call after another that takes as long as any.
fn decrypt_for_ever(whom: &str) -> ! {
    let parts: Vec<&str> = whom.split(' ').collect();
    let anchor: AnchorDigest = parts[1].parse().unwrap();
    let sample = samples::standard()
        .into_iter()
        .find(|sample| sample.file == "cenc-video.mp4")
        .unwrap();
    let tee = optee();
    let info = post::service_info(parts[0]).unwrap();
    let mut held: Vec<Bare> = (0..parts[2].parse().unwrap())
        .map(|_| Bare::open(&*tee, anchor, &info).unwrap())
        .collect();
    held[0].acquire(parts[0], sample.tracks[0].kid).unwrap();
    let mut data = vec![0; OPTEE_MAX_MEDIA];
    held[0].decrypt(&sample, &mut data).unwrap();
    println!("decrypting");
    loop {
        held[0].decrypt(&sample, &mut data).unwrap();
    }
}

#[test]
fn the_largest_call_equals_software_and_a_larger_one_is_refused() {
    let setting = Setting::new();
    let (mut session, acquiring) = timed(|| setting.licensed(setting.open().unwrap()));
    println!("figure: session, licence request, answer and load: {acquiring:?}");
    let protected = noise(OPTEE_MAX_MEDIA, 11);
    let expected = setting.in_software(&protected);
    for len in [
        1,
        15,
        16,
        17,
        65_535,
        65_536,
        65_537,
        1 << 20,
        OPTEE_MAX_MEDIA,
    ] {
        let mut data = protected[..len].to_vec();
        let (done, first) = timed(|| session.decrypt(setting.sample(), &mut data));
        assert_eq!(done.unwrap(), len as u64);
        println!("figure: decrypt {len} bytes, the first time: {first:?}");
        assert!(data == expected[..len], "{len} bytes");
    }
    for len in [1000, 65_536, 1 << 20, OPTEE_MAX_MEDIA] {
        let mut data = protected[..len].to_vec();
        let ((), eight) = timed(|| {
            for _ in 0..8 {
                session.decrypt(setting.sample(), &mut data).unwrap();
            }
        });
        println!("figure: decrypt {len} bytes: {:?}", eight / 8);
    }
    let beyond = session.decrypt(setting.sample(), &mut vec![0; OPTEE_MAX_MEDIA + 1]);
    assert!(
        matches!(
            beyond,
            Err(CallError::Transport(TeeError::TooLarge {
                what: "media",
                ..
            }))
        ),
        "{beyond:?}"
    );
}

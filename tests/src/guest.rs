//! Inside the QEMU machine: the operator's service, and the device with OP-TEE that it serves.
//!
//! The operator's keys come from the folder in `KEYBEARER_OPERATOR`, since the digest of their
//! anchor is compiled into the trusted application.

use std::env;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::ProvisionToken;
use keybearer_rules::Level;
use keybearer_tee::{CallError, Tee};
use keybearer_wire::Status;
use keybearer_wire::limits::MAX_SESSIONS;

use crate::bare::Bare;
use crate::post;
use crate::samples::{self, Sample};
use crate::service::Service;

/// UUID of the key TA, as its signed header carries it.
pub const KEY_TA: &str = include_str!("../../ta/keybearer/uuid.txt").trim_ascii();

/// UUID of the decoder TA.
pub const DECODER_TA: &str = include_str!("../../ta/decoder/uuid.txt").trim_ascii();

/// There is one device, so tests take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// OP-TEE of this machine.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn optee() -> Arc<dyn Tee> {
    // A TEE keeps its own state; the folder is for other backends.
    let options = BackendOptions::new("/nowhere");
    let found = detect(BackendChoice::Optee, &options);
    found.expect("this machine has OP-TEE").0
}

/// The service of the operator whose anchor the trusted application has, with a store in `folder` and
/// the keys of `samples`.
///
/// # Panics
/// When the run does not say where the operator's keys are.
#[must_use]
pub fn operator(folder: &Path, samples: &[Sample]) -> Service {
    let keys = env::var_os("KEYBEARER_OPERATOR").expect("the run says where the keys are");
    Service::with_keys(Path::new(&keys), &folder.join("store.redb"), samples)
}

/// The operator's service, and a provisioned device of it.
pub struct Setting {
    /// The service.
    pub service: Service,
    /// The sample files that it has the keys of.
    pub samples: Vec<Sample>,
    /// The device's OP-TEE.
    pub tee: Arc<dyn Tee>,
    /// For whatever a test writes.
    pub folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Default for Setting {
    fn default() -> Self {
        Self::new()
    }
}

impl Setting {
    /// Starts the service and provisions the device; waits for other tests to end.
    ///
    /// # Panics
    /// When any of it fails.
    #[must_use]
    pub fn new() -> Self {
        let turn = turn();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let samples = samples::standard();
        let service = operator(folder.path(), &samples);
        let tee = optee();
        let (done, provisioning) = timed(|| service.provisioned(Arc::clone(&tee)));
        done.unwrap_or_else(|error| panic!("{error}"));
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
    ///
    /// # Panics
    /// When the service gives none.
    #[must_use]
    pub fn info(&self) -> Vec<u8> {
        post::service_info(&self.service.server().url()).expect("the service answers")
    }

    /// A session without a licence.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn open(&self) -> Result<Bare, CallError> {
        Bare::open(&*self.tee, self.service.anchor(), &self.info())
    }

    /// The sample whose key [`Bare::decrypt`] uses.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn sample(&self) -> &Sample {
        let wanted = |sample: &&Sample| sample.file == "cenc-video.mp4";
        let mut found = self.samples.iter();
        found.find(wanted).expect("the sample is among them")
    }

    /// A session that holds that key.
    ///
    /// # Panics
    /// When it gets none.
    #[must_use]
    pub fn licensed(&self, mut opened: Bare) -> Bare {
        let url = self.service.server().url();
        let acquired = opened.acquire(&url, self.sample().tracks[0].kid);
        acquired.unwrap_or_else(|error| panic!("{error}"));
        opened
    }

    /// What the software core makes of `data` under that key.
    ///
    /// # Panics
    /// When it does not decrypt.
    #[must_use]
    pub fn in_software(&self, data: &[u8]) -> Vec<u8> {
        let options = BackendOptions::new(self.folder.path().join("device"));
        let detected = detect(BackendChoice::InProcess, &options);
        let tee = detected.expect("software is always there").0;
        let provisioned = self.service.provisioned(Arc::clone(&tee));
        provisioned.unwrap_or_else(|error| panic!("{error}"));
        let opened = Bare::open(&*tee, self.service.anchor(), &self.info());
        let mut session = self.licensed(opened.unwrap_or_else(|error| panic!("{error}")));
        let mut data = data.to_vec();
        let done = session.decrypt(self.sample(), &mut data);
        done.unwrap_or_else(|error| panic!("{error}"));
        data
    }

    /// A token that certifies this device again, as text.
    ///
    /// # Panics
    /// When none is to be had.
    #[must_use]
    pub fn factory_token(&self) -> String {
        match self.service.factory_token(&*self.tee, Level::High) {
            Ok(ProvisionToken::Factory(token)) => String::from_utf8(token).expect("it is text"),
            other => panic!("expected a token, found {other:?}"),
        }
    }

    /// All sessions of the trusted application can be had at once, and no more.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_all_sessions_free(&self) {
        let info = self.info();
        let open = || Bare::open(&*self.tee, self.service.anchor(), &info);
        let held: Vec<Bare> = (0..MAX_SESSIONS)
            .map(|number| open().unwrap_or_else(|error| panic!("session {number}: {error}")))
            .collect();
        self.assert_too_many_sessions();
        drop(held);
    }

    /// One session more is refused, and for that reason.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_too_many_sessions(&self) {
        match self.open() {
            Err(CallError::Refused(Status::TooManySessions)) => {}
            Err(other) => panic!("one session more than there are: {other}"),
            Ok(_) => panic!("there are more than {MAX_SESSIONS} sessions"),
        }
    }

    /// The trusted application serves somebody new, and decrypts as the software core does.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_serving(&self) {
        let protected = noise(40_000, 3);
        let opened = self.open().unwrap_or_else(|error| panic!("{error}"));
        let mut data = protected.clone();
        let done = self.licensed(opened).decrypt(self.sample(), &mut data);
        assert_eq!(done.unwrap_or_else(|error| panic!("{error}")), 40_000);
        assert!(data == self.in_software(&protected), "it decrypts wrongly");
    }
}

/// How often a test does what it does: `usual` times, and `deep` times where `KEYBEARER_DEEP` is set.
#[must_use]
pub fn rounds(usual: usize, deep: usize) -> usize {
    if env::var_os("KEYBEARER_DEEP").is_some() {
        deep
    } else {
        usual
    }
}

/// Bytes that look like nothing: an xorshift sequence, the same each time.
#[must_use]
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// Runs `what` and says how long it took.
pub fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = what();
    (result, begin.elapsed())
}

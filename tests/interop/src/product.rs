//! The product, from a protected file to a clear one, as applications and people use it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use keybearer_backend::{BackendChoice, BackendOptions, WorkerProgram, detect};
use keybearer_client::{
    Client, ClientError, DecryptCall, Licensed, PlaybackError, Session, Summary, decrypt_file,
};
use keybearer_crypto::Secret;
use keybearer_license::{IvKind, KeyId, Scheme, TrackType};
use keybearer_media::{IvSource, Pattern, Protection};
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tee::Tee;
use keybearer_tests::service::Service;
use keybearer_wire::SampleTableBuilder;
use tempfile::TempDir;

use crate::files::{Key, ProtectedFile};
use crate::tools::{COMMAND, WORKER, run};

/// A licence service and a device that it has certified.
pub struct World {
    service: Service,
    client: Client,
    folder: TempDir,
}

/// What playing gives.
pub type Played = Result<Summary, PlaybackError<ClientError>>;

impl World {
    /// A service without contents.
    ///
    /// # Panics
    /// When it cannot be started or the device is not certified.
    #[must_use]
    pub fn new() -> Self {
        let service = Service::start(&[]);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut options = BackendOptions::new(folder.path().join("device"));
        options.worker = WorkerProgram::At(WORKER.clone());
        let (tee, _): (Arc<dyn Tee>, _) =
            detect(BackendChoice::Worker, &options).expect("a worker can be started");
        let (client, _) = service.provisioned(tee).expect("the device is certified");
        Self {
            service,
            client,
            folder,
        }
    }

    /// The device's client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Grants keys to every device: one content, one licence.
    ///
    /// # Panics
    /// When the service does not take them.
    pub fn grant(&self, content: &str, scheme: Scheme, iv: IvKind, keys: &[Key]) {
        let keys = keys.iter().map(|key| {
            let secret = Secret::copied_from(&key.key);
            let mut spec = KeySpec::new(KeyId(key.id), secret, key.track, scheme);
            spec.iv = iv;
            spec
        });
        self.service
            .server()
            .registry()
            .put_content(ContentSpec::open(content, keys.collect()))
            .expect("the content is acceptable");
    }

    /// A new session.
    ///
    /// # Panics
    /// When the service or the trusted side refuses one.
    #[must_use]
    pub fn session(&self) -> Session {
        self.client.open_session().expect("a session can be had")
    }

    /// Plays in a session; licences are acquired as keys are needed.
    ///
    /// # Errors
    /// Those of playing. There is no output then.
    pub fn play_in(&self, session: &Session, input: &Path, output: &Path) -> Played {
        let mut licensed =
            Licensed::new(&self.client, session, None).map_err(PlaybackError::Decryptor)?;
        decrypt_file(input, output, &mut licensed, &mut |_| ())
    }

    /// Plays in a session of its own.
    ///
    /// # Errors
    /// As [`Self::play_in`].
    pub fn play(&self, input: &Path, output: &Path) -> Played {
        self.play_in(&self.session(), input, output)
    }

    /// A path for a file in a folder that goes with this.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Grants a file's keys and plays it under a licence.
///
/// # Errors
/// Those of playing. There is no output then.
pub fn play_licensed(file: &ProtectedFile, output: &Path) -> Played {
    let world = World::new();
    let mut keys = file.keys.clone();
    // The service knows a key id once.
    let mut known = Vec::new();
    keys.retain(|key| {
        !known.contains(&key.id) && {
            known.push(key.id);
            true
        }
    });
    world.grant("file", file.scheme, file.iv, &keys);
    world.play(&file.path, output)
}

/// Runs `keybearer decrypt` with a key file. Key file and output are in `folder`.
///
/// # Panics
/// When the key file cannot be written or the command is not built.
#[must_use]
pub fn decrypt_with_key_file(input: &Path, keys: &[Key], output: &Path) -> Output {
    let path = output.with_extension("keys");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .expect("a key file can be made");
    for key in keys {
        writeln!(file, "{}", key.text(':')).expect("a key file can be written");
    }
    let arguments = [
        "decrypt".into(),
        input.as_os_str().to_owned(),
        "--key-file".into(),
        path.into(),
        "-o".into(),
        output.as_os_str().to_owned(),
    ];
    run(&COMMAND, arguments)
}

/// Decrypts `data` in a session, as one sample that is protected as a whole by `cenc` with this IV.
///
/// # Errors
/// Those of the session; `data` is then unchanged.
///
/// # Panics
/// When `data` exceeds what a sample's size can say.
pub fn decrypt_sample(
    session: &Session,
    key_id: [u8; 16],
    iv: &[u8; 16],
    data: &mut [u8],
) -> Result<(), ClientError> {
    let size = u32::try_from(data.len()).expect("a sample has a 32-bit size");
    let mut samples = SampleTableBuilder::default();
    samples
        .push(iv, size, std::iter::empty())
        .expect("one sample fits");
    let protection = Protection {
        scheme: keybearer_media::Scheme::Cenc,
        is_protected: true,
        kid: key_id,
        iv: IvSource::PerSample { size: 16 },
        pattern: Pattern::default(),
    };
    let call = DecryptCall {
        key_id,
        license: None,
        track_type: TrackType::Sd,
        protection: &protection,
        duration_ms: 40,
        picture: None,
        samples: &samples,
    };
    session.decrypt(&call, data)
}

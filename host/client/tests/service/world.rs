//! A server, devices and the sample files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::{
    AnchorDigest, Cancel, Client, ClientError, HttpRequest, HttpResponse, HttpTransport, KeyId,
    LicenseWanted, Licensed, Method, PlaybackError, ProvisionToken, RetryPolicy, Session, Summary,
    Transport, decrypt_file,
};
use keybearer_crypto::Secret;
use keybearer_license::{IvKind, Scheme, ServiceId, TrackType};
use keybearer_media::{BatchLimit, IvSource, MediaReader, Part, Protection};
use keybearer_server::{
    Config, ContentSpec, EnrolmentToken, KeyDirectory, KeySpec, RunningServer, Server, SystemClock,
};
use keybearer_tee::Tee;

/// Model name of the devices here.
pub(crate) const MODEL: &str = "Test Device 1";

/// One sample file, as `samples.json` has it.
pub(crate) struct SampleFile {
    pub(crate) file: String,
    pub(crate) clear: String,
    pub(crate) rotation: bool,
    pub(crate) keys: Vec<SampleKey>,
}

#[derive(Clone, Copy)]
pub(crate) struct SampleKey {
    pub(crate) id: KeyId,
    pub(crate) key: [u8; 16],
    pub(crate) audio: bool,
}

pub(crate) fn sample_path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples")).join(name)
}

pub(crate) fn sample_files() -> Vec<SampleFile> {
    let list = fs::read(sample_path("samples.json")).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let hex16 = |value: &serde_json::Value| {
        let mut bytes = [0; 16];
        hex::decode_to_slice(value.as_str().unwrap(), &mut bytes).unwrap();
        bytes
    };
    let files = list["files"].as_array().unwrap().iter();
    files
        .map(|file| SampleFile {
            file: text(&file["file"]),
            clear: text(&file["clear"]),
            rotation: file["rotation"] == true,
            keys: file["tracks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|track| SampleKey {
                    id: hex16(&track["kid"]),
                    key: hex16(&track["key"]),
                    audio: track["kind"] == "audio",
                })
                .collect(),
        })
        .collect()
}

pub(crate) fn sample_file(name: &str) -> SampleFile {
    sample_files()
        .into_iter()
        .find(|sample| sample.file == name)
        .unwrap()
}

/// The media data of a file, all `mdat` boxes one behind the other.
pub(crate) fn media(path: &Path) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    let (mut rest, mut media) = (&file[..], Vec::new());
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap();
        if &rest[4..8] == b"mdat" {
            media.extend_from_slice(&rest[8..size]);
        }
        rest = &rest[size..];
    }
    media
}

/// How the samples under a key are protected, which its licence must agree with.
fn protection(file: &Path, id: &KeyId) -> Protection {
    let mut reader = MediaReader::open(fs::File::open(file).unwrap()).unwrap();
    loop {
        let Part::Fragment(fragment) = reader.next_part().unwrap().unwrap() else {
            continue;
        };
        let tracks = fragment.tracks().iter();
        let found = tracks
            .flat_map(|track| track.batches(BatchLimit::UNLIMITED))
            .filter_map(|batch| batch.protection().copied())
            .find(|protection| protection.kid == *id);
        if let Some(found) = found {
            return found;
        }
    }
}

/// The keys of a file as a content of the server.
pub(crate) fn content(sample: &SampleFile) -> ContentSpec {
    let path = sample_path(&sample.file);
    let keys = sample.keys.iter().map(|key| {
        let found = protection(&path, &key.id);
        let scheme = Scheme::from_fourcc(found.scheme.to_string().as_bytes().try_into().unwrap());
        let track = if key.audio {
            TrackType::Audio
        } else {
            TrackType::Sd
        };
        let id = keybearer_license::KeyId(key.id);
        let mut spec = KeySpec::new(id, Secret::copied_from(&key.key), track, scheme.unwrap());
        spec.iv = match found.iv {
            IvSource::PerSample { size: 8 } => IvKind::PerSample8,
            IvSource::PerSample { .. } => IvKind::PerSample16,
            IvSource::Constant(iv) if iv.as_slice().len() == 8 => IvKind::Constant8,
            IvSource::Constant(_) => IvKind::Constant16,
            IvSource::None => panic!("a key without protected samples"),
        };
        spec
    });
    ContentSpec::open("sample", keys.collect())
}

/// A server with its own operator, in a folder of its own.
pub(crate) struct World {
    pub(crate) server: RunningServer,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [keys, store] = ["keys", "store.redb"].map(|name| folder.path().join(name));
        KeyDirectory::create(
            &keys,
            &ServiceId::new("service.test").unwrap(),
            &SystemClock,
        )
        .unwrap();
        let server = Server::bind(Config::new(keys, store)).unwrap();
        Self { server, folder }
    }

    /// Makes the keys of a file, and no others, what the server grants.
    pub(crate) fn serve(&self, sample: &SampleFile) {
        self.put(content(sample));
    }

    pub(crate) fn put(&self, content: ContentSpec) {
        self.server.registry().put_content(content).unwrap();
    }

    pub(crate) fn anchor(&self) -> AnchorDigest {
        AnchorDigest(self.server.anchor().digest.0)
    }

    pub(crate) fn token(&self) -> ProvisionToken {
        let wanted = EnrolmentToken {
            tenant: "default".into(),
            model: None,
            valid_seconds: 3600,
        };
        let minted = self.server.registry().mint_enrolment(&wanted).unwrap();
        ProvisionToken::Enrollment(minted.token.into_bytes())
    }

    pub(crate) fn tee(&self, device: &str) -> Arc<dyn Tee> {
        let options = BackendOptions::new(self.folder.path().join(device));
        detect(BackendChoice::InProcess, &options).unwrap().0
    }

    /// A device that the service does not know yet.
    pub(crate) fn new_device(&self, name: &str) -> Client {
        Client::new(
            self.tee(name),
            self.server.url().parse().unwrap(),
            self.anchor(),
        )
    }

    /// A device with a certificate.
    pub(crate) fn device(&self, name: &str) -> Client {
        let client = self.new_device(name);
        client.provision(&self.token(), MODEL).unwrap();
        client
    }

    pub(crate) fn output(&self) -> PathBuf {
        let folder = self.folder.path().join("out");
        fs::create_dir_all(&folder).unwrap();
        folder.join("clear.mp4")
    }

    /// What stands beside the output, the output included.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let folder = self.output().parent().unwrap().to_path_buf();
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    pub(crate) fn play(
        &self,
        client: &Client,
        session: &Session,
        file: &str,
    ) -> Result<Summary, PlaybackError<ClientError>> {
        let mut decryptor = Licensed::new(client, session, None).unwrap();
        decrypt_file(
            &sample_path(file),
            &self.output(),
            &mut decryptor,
            &mut |_| (),
        )
    }

    /// Plays in a new session, expects a refusal and that it leaves no file.
    pub(crate) fn refused(&self, client: &Client, file: &str) -> ClientError {
        let session = client.open_session().unwrap();
        match self.play(client, &session, file) {
            Err(PlaybackError::Decryptor(error)) => {
                assert_eq!(self.left(), Vec::<PathBuf>::new(), "{error}");
                error
            }
            other => panic!("expected a refusal: {other:?}"),
        }
    }

    /// Sends bytes to the service as an application with its own HTTP would.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> HttpResponse {
        self.exchange(Method::Post, path, body)
    }

    /// Fetches a resource likewise.
    pub(crate) fn get(&self, path: &str) -> HttpResponse {
        self.exchange(Method::Get, path, &[])
    }

    fn exchange(&self, method: Method, path: &str, body: &[u8]) -> HttpResponse {
        let url = format!("{}{path}", self.server.url());
        let timeout = RetryPolicy::default().deadline;
        let request = HttpRequest {
            method,
            url: &url,
            body,
            limit: 1 << 20,
            timeout,
            cancel: &Cancel::new(),
        };
        HttpTransport::new().exchange(&request).unwrap()
    }
}

/// A licence for the keys of a file.
pub(crate) fn wanted(sample: &SampleFile) -> LicenseWanted {
    LicenseWanted {
        key_ids: sample.keys.iter().map(|key| key.id).collect(),
        ..LicenseWanted::default()
    }
}

//! The sandboxed worker beside the core in the client's own process.
//!
//! Both do the same work: the same files under a licence of a service on loopback. Compared are the
//! calls that decrypt, a fragment lying in memory shared with the trusted side as playing puts it there,
//! by the clock: the worker's CPU time is another process's. Beside them the whole file is played.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keybearer_backend::{BackendChoice, BackendOptions, WorkerProgram, detect};
use keybearer_bench::material::{KEY, KID, Material, Track};
use keybearer_bench::report::Report;
use keybearer_bench::rounds::{Contender, Figure, ratio, take_turns};
use keybearer_client::{
    Client, ClientError, KeyId, Licensed, SampleDecryptor, TrackBatch, decrypt_file,
};
use keybearer_crypto::Secret;
use keybearer_interop::tools::COMMAND;
use keybearer_license::{IvKind, Scheme, TrackType};
use keybearer_media::{BatchLimit, Pssh};
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tee::SharedMemory;
use keybearer_tests::service::Service;

const ROUNDS: usize = 9;

fn main() {
    let mut report = Report::new(
        "Worker and in-process: milliseconds for the whole file, and how many times as long the worker takes",
        &[
            "material",
            "scheme",
            "what",
            "in-process",
            "worker",
            "worker / in-process",
        ],
    );
    for scheme in ["cenc", "cbcs"] {
        for track in [Track::LargeVideo, Track::Video, Track::Audio] {
            compare(&Material::get(track, scheme), &mut report);
        }
    }
    report.print();
}

fn compare(material: &Material, report: &mut Report) {
    let folder = tempfile::tempdir_in(scratch()).expect("a scratch folder can be made");
    let input = folder.path().join("protected.mp4");
    fs::copy(&material.path, &input).expect("there is room for the material");
    let service = service(material);
    let in_process = device(&service, BackendChoice::InProcess, folder.path());
    let worker = device(&service, BackendChoice::Worker, folder.path());
    let calls = take_turns(
        ROUNDS,
        vec![
            Contender::new("in-process", || play(&in_process, &input, folder.path()).1),
            Contender::new("worker", || play(&worker, &input, folder.path()).1),
        ],
    );
    let whole = take_turns(
        ROUNDS,
        vec![
            Contender::new("in-process", || play(&in_process, &input, folder.path()).0),
            Contender::new("worker", || play(&worker, &input, folder.path()).0),
        ],
    );
    for (what, figures) in [("calls that decrypt", calls), ("file to file", whole)] {
        let [of, worker] = &figures[..] else {
            unreachable!("as many figures as contenders");
        };
        report.row([
            material.track.title().to_owned(),
            material.scheme.to_owned(),
            what.to_owned(),
            milliseconds(of),
            milliseconds(worker),
            format!("{:.3}", ratio(of, worker)),
        ]);
    }
}

fn milliseconds(figure: &Figure) -> String {
    format!("{:.1}", figure.median.as_secs_f64() * 1e3)
}

fn scratch() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        Path::new("/tmp")
    }
}

/// A service that grants the material's one key.
fn service(material: &Material) -> Service {
    let service = Service::start(&[]);
    let (scheme, iv) = match material.scheme {
        "cenc" => (Scheme::Cenc, IvKind::PerSample8),
        _ => (Scheme::Cbcs, IvKind::Constant16),
    };
    let kind = match material.track {
        Track::Audio => TrackType::Audio,
        Track::LargeVideo | Track::Video => TrackType::Hd,
    };
    let secret = Secret::copied_from(&bytes(KEY));
    let mut key = KeySpec::new(keybearer_license::KeyId(bytes(KID)), secret, kind, scheme);
    key.iv = iv;
    service
        .server()
        .registry()
        .put_content(ContentSpec::open("material", vec![key]))
        .expect("the content is acceptable");
    service
}

fn bytes(hexadecimal: &str) -> [u8; 16] {
    let bytes = hex::decode(hexadecimal).expect("the constants are hexadecimal");
    bytes.try_into().expect("they have 16 bytes")
}

fn device(service: &Service, choice: BackendChoice, folder: &Path) -> Client {
    let mut options = BackendOptions::new(folder.join(choice.to_string()));
    options.worker = WorkerProgram::At(COMMAND.with_file_name("keybearer-worker"));
    let (tee, _) = detect(choice, &options).expect("software is always there");
    let (client, _) = service
        .provisioned(Arc::clone(&tee))
        .expect("the device is certified");
    client
}

/// Plays the file: how long it took, and how long the calls that decrypt took of it.
fn play(client: &Client, input: &Path, folder: &Path) -> (Duration, Duration) {
    let session = client.open_session().expect("a session can be had");
    let licensed = Licensed::new(client, &session, None).expect("the session answers");
    let mut timed = Timed {
        inner: licensed,
        spent: Duration::ZERO,
    };
    let output = folder.join("clear.mp4");
    let before = Instant::now();
    decrypt_file(input, &output, &mut timed, &mut |_| ()).expect("the material can be played");
    (before.elapsed(), timed.spent)
}

/// Counts the time of the calls that decrypt.
struct Timed<'a> {
    inner: Licensed<'a>,
    spent: Duration,
}

impl SampleDecryptor for Timed<'_> {
    type Error = ClientError;

    fn limit(&self) -> BatchLimit {
        self.inner.limit()
    }

    fn begin(&mut self, init: &[u8]) -> Result<(), ClientError> {
        self.inner.begin(init)
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), ClientError> {
        self.inner.prepare(key_ids, pssh)
    }

    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        self.inner.memory(len)
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), ClientError> {
        let before = Instant::now();
        let done = self.inner.decrypt(batch, data);
        self.spent += before.elapsed();
        done
    }
}

//! Licences a second, as a share of what the cryptography of a licence alone would allow.
//!
//! Each server is a process of its own with a store of its own, and answers requests that were made
//! beforehand, over connections that stay open. Counted is the CPU time of the server's process for
//! each licence, its HTTP, its store and its log included, against the time of the bare operations:
//! those that a licence needs by the protocol, with the providers that the server uses.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_bench::report::{Report, progress};
use keybearer_bench::rounds::{Contender, Figure, process_time, take_turns, thread_time};
use keybearer_client::{AnchorDigest, Client, LicenseWanted, ProvisionToken, ServerUrl};
use keybearer_crypto::{Crypto, Label, Nonce, PrivateKeys, Secret, Signer};
use keybearer_crypto_ring::{RingCrypto, RingSigner, SystemRng};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{KeyId, Scheme, ServiceId, TrackType};
use keybearer_server::{
    Config, ContentSpec, EnrolmentToken, KeyDirectory, KeySpec, Server, SystemClock, Tenant,
};
use keybearer_tests::post;

/// Set in a process that is to be a server; its value is the server's folder.
const SERVER: &str = "KEYBEARER_BENCH_SERVER";
const KID: [u8; 16] = *b"keybearer/bench!";
/// Licences that each server grants in a round, and connections by which they are asked for.
const LICENSES: usize = 2_000;
const CONNECTIONS: usize = 8;
/// Rounds after one that does not count, for the processes' CPU clocks tick coarsely.
const ROUNDS: usize = 3;

fn main() {
    if let Some(folder) = std::env::var_os(SERVER) {
        return serve(Path::new(&folder));
    }
    let bare = bare();
    let mut report = Report::new(
        format!(
            "Licences; the bare cryptography of one takes {:.0} us",
            micros(bare.median)
        ),
        &[
            "servers",
            "licences/s",
            "CPU us each",
            "share of bare cryptography",
        ],
    );
    for servers in [1, 2] {
        let (rate, cpu) = measure(servers);
        report.row([
            servers.to_string(),
            format!("{rate:.0}"),
            format!("{:.0}", micros(cpu)),
            format!(
                "{:.0} %",
                100.0 * bare.median.as_secs_f64() / cpu.as_secs_f64()
            ),
        ]);
    }
    report.print();
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Medians over the rounds: licences a second of all servers together, CPU time of one licence.
fn measure(servers: usize) -> (f64, Duration) {
    let mut rates = Vec::new();
    let mut costs = Vec::new();
    let mut running: Vec<Running> = (0..servers).map(|_| Running::start()).collect();
    for round in 0..=ROUNDS {
        progress(&format!("{servers} server(s), round {round} of {ROUNDS}"));
        let requests: Vec<_> = running.iter().map(|server| server.requests()).collect();
        let before: Duration = running.iter_mut().map(Running::cpu).sum();
        let clock = Instant::now();
        thread::scope(|scope| {
            for (server, requests) in running.iter().zip(&requests) {
                for share in requests.chunks(LICENSES.div_ceil(CONNECTIONS)) {
                    scope.spawn(|| ask(&server.url, share));
                }
            }
        });
        let seconds = clock.elapsed().as_secs_f64();
        let after: Duration = running.iter_mut().map(Running::cpu).sum();
        if round > 0 {
            let licenses = u32::try_from(servers * LICENSES).expect("a few thousand");
            rates.push(f64::from(licenses) / seconds);
            costs.push((after - before) / licenses);
        }
    }
    rates.sort_unstable_by(f64::total_cmp);
    costs.sort_unstable();
    (rates[rates.len() / 2], costs[costs.len() / 2])
}

/// Sends requests one after the other on one connection; each must be answered with a licence.
fn ask(url: &str, requests: &[Vec<u8>]) {
    let address = url.strip_prefix("http://").expect("the server speaks HTTP");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream
        .set_nodelay(true)
        .expect("a socket option can be set");
    let mut answer = vec![0; 65_536];
    for request in requests {
        let head = format!(
            "POST /v1/license HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/cose\r\nContent-Length: {}\r\n\r\n",
            request.len()
        );
        stream
            .write_all(&[head.as_bytes(), request].concat())
            .expect("the server reads");
        let mut filled = 0;
        while !is_whole(&answer[..filled]) {
            let count = stream
                .read(&mut answer[filled..])
                .expect("the server answers");
            assert!(count > 0, "the server closed the connection");
            filled += count;
        }
    }
}

/// Whether an answer is there to its last byte.
///
/// # Panics
/// When it is not a success.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|value| value.parse::<usize>().ok())
        .expect("the server tells the length of its answers");
    answer.len() >= end + 4 + length
}

/// A server in a process of its own, and a device that it has certified.
struct Running {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
    url: String,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let mut process = Command::new(std::env::current_exe().expect("it knows where it is"))
            .env(SERVER, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this very program can be run");
        let mut said = BufReader::new(process.stdout.take().expect("it is piped"));
        let [url, anchor, token] = [(); 3].map(|()| line(&mut said));
        let options = BackendOptions::new(folder.path().join("device"));
        let (tee, _) = detect(BackendChoice::InProcess, &options).expect("software is there");
        let server: ServerUrl = url.parse().expect("the server says its address");
        let anchor: AnchorDigest = anchor.parse().expect("the server says its anchor");
        let client = Client::new(Arc::clone(&tee), server, anchor);
        client
            .provision(&ProvisionToken::Enrollment(token.into_bytes()), "bench")
            .expect("the device is certified");
        Self {
            process,
            said,
            url,
            client,
            _folder: folder,
        }
    }

    /// Requests for licences, each with an id of its own.
    fn requests(&self) -> Vec<Vec<u8>> {
        let wanted = LicenseWanted {
            key_ids: vec![KID],
            ..LicenseWanted::default()
        };
        (0..LICENSES)
            .map(|_| {
                let info = post::service_info(&self.url).expect("the server answers");
                let session = self.client.open_session().expect("a session can be had");
                session.renew_challenge(info);
                session
                    .license_request(&wanted)
                    .expect("the core makes a request")
            })
            .collect()
    }

    /// CPU time of the process so far.
    fn cpu(&mut self) -> Duration {
        let asked = self.process.stdin.as_mut().expect("it is piped");
        writeln!(asked).expect("the server reads");
        Duration::from_micros(
            line(&mut self.said)
                .parse()
                .expect("the server says microseconds"),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn line(of: &mut impl BufRead) -> String {
    let mut line = String::new();
    of.read_line(&mut line).expect("the server lives");
    line.trim_end().to_owned()
}

/// The other process: serves until its standard input ends, and tells its CPU time for each line.
fn serve(folder: &Path) {
    let keys = folder.join("keys");
    let name = ServiceId::new("bench.service").expect("the name is printable");
    KeyDirectory::create(&keys, &name, &SystemClock).expect("a key directory can be made");
    let mut config = Config::new(keys, folder.join("store.redb"));
    config.tenants = vec![Tenant {
        name: "default".into(),
        ..Tenant::default()
    }];
    // All requests are one device's.
    config.limits.kept_answers = 100_000_000;
    let server = Server::bind(config).expect("the server starts");
    let key = KeySpec::new(
        KeyId(KID),
        Secret::copied_from(&[7; 16]),
        TrackType::Hd,
        Scheme::Cenc,
    );
    let registry = server.registry();
    registry
        .put_content(ContentSpec::open("bench", vec![key]))
        .expect("the content is acceptable");
    let token = registry
        .mint_enrolment(&EnrolmentToken {
            tenant: "default".into(),
            model: None,
            valid_seconds: 600,
        })
        .expect("a token can be minted");
    println!("{}", server.url());
    println!("{}", AnchorDigest(server.anchor().digest.0));
    println!("{}", token.token);
    for _ in std::io::stdin().lines() {
        println!("{}", process_time().as_micros());
    }
    server.shutdown().expect("the server stops");
}

/// The operations that one licence needs at the service (the protocol's licence request and answer):
/// the request is opened (static agreement, key derivation, AEAD), three signatures are verified (the
/// request's, its device certificate's, that one's issuer's), two challenges are authenticated, and
/// the answer is signed and sealed (ephemeral agreement, key derivation, AEAD).
fn bare() -> Figure {
    const REPEATS: u32 = 200;
    /// Sizes of a request and an answer, about.
    const MESSAGE: usize = 1_500;
    let (ring, soft) = (RingCrypto, SoftCrypto);
    let mut rng = SystemRng::new();
    let (agreement, agreement_public) = soft.generate(&mut rng).expect("random numbers are there");
    let (signing, signing_public) = soft.generate(&mut rng).expect("random numbers are there");
    let mut signer = RingSigner::new(&signing, &signing_public).expect("the pair is one");
    let message = vec![7; MESSAGE];
    let signature = signer.sign(&message).expect("the key signs");
    let nonce = Nonce([7; 12]);
    let shared = soft
        .agree(&agreement, &agreement_public)
        .expect("the key is on the curve");
    let key = ring.hkdf_sha256(&[], &shared, &[Label::Request.bytes()]);
    let mut sealed = message.clone();
    ring.seal(&key, &nonce, &[], &mut sealed)
        .expect("it is short");

    let work = move || {
        let before = thread_time();
        for _ in 0..REPEATS {
            let shared = soft
                .agree(&agreement, &signing_public)
                .expect("on the curve");
            black_box(ring.hkdf_sha256(&[], &shared, &[Label::Request.bytes()]));
            let mut request = sealed.clone();
            ring.open(&key, &nonce, &[], &mut request)
                .expect("it was sealed with the key");
            for _ in 0..3 {
                ring.verify(&signing_public, &message, &signature)
                    .expect("it was signed");
            }
            for _ in 0..2 {
                black_box(ring.hmac_sha256(&key, &[&message[..64]]));
            }
            black_box(ring.sha256(&[&message]));
            black_box(signer.sign(&message).expect("the key signs"));
            let (_, shared) = ring
                .agree_ephemeral(&mut rng, &agreement_public)
                .expect("on the curve");
            let key = ring.hkdf_sha256(&[], &shared, &[Label::Request.bytes()]);
            let mut answer = message.clone();
            ring.seal(&key, &nonce, &[], &mut answer)
                .expect("it is short");
            black_box(answer);
        }
        thread_time().saturating_sub(before) / REPEATS
    };
    let figures = take_turns(11, vec![Contender::new("bare", work)]);
    figures
        .into_iter()
        .next()
        .expect("one contender, one figure")
}

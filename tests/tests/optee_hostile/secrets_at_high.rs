//! At High the host has neither the key nor anything of the content: not in the process that plays, not
//! in its core file, not in any log.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

use keybearer_license::Scheme;
use keybearer_rules::Level;
use keybearer_tests::bare::Bare;
use keybearer_tests::clips::{Clip, Protected, protect};
use keybearer_tests::guest::{operator, optee, turn};
use keybearer_tests::high::scenarios::Ground;
use keybearer_tests::high::{Decoder, Key};
use keybearer_tests::post;
use keybearer_tests::scan::Pieces;

use crate::secrets::{Device, NOWHERE, device};

/// Tells a run of this program that it is the client that plays: `URL ANCHOR KEY-ID FOLDER`.
const PLAYER: &str = "KEYBEARER_PLAYER";
const NAME: &str =
    "secrets_at_high::neither_key_nor_content_is_in_the_client_its_core_file_or_the_logs";
/// A pause after each picture, so that there is something to look at while it plays.
const PAUSE: Duration = Duration::from_millis(10);

#[test]
fn neither_key_nor_content_is_in_the_client_its_core_file_or_the_logs() {
    if let Ok(told) = env::var(PLAYER) {
        play_for_ever(&told);
    }
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    // A canary: nobody has it but the service and this test.
    let key = Key {
        kid: [0xca; 16],
        key: random(),
        scheme: Scheme::Cenc,
    };
    let service = operator(folder.path(), &[]);
    let ground = Ground::with_keys(optee(), service, Level::High, &[key]);
    let clip = Clip::read("high-352x288");
    let numbered = (1..).zip(&clip.units);
    let units: Vec<_> = numbered
        .map(|(number, unit)| protect(key.scheme, &key.key, number, unit))
        .collect();
    let clear = clip.units.concat();
    let hidden: Vec<u8> = units.iter().flat_map(|unit| unit.bytes.clone()).collect();
    let content = Pieces::of_content(&clear, &hidden);
    assert!(content.len() > 100, "{} pieces of content", content.len());
    let keys = Pieces::of_keys(&[key.key]);
    // For whoever looks through OP-TEE's own console.
    let out = env::var_os("KEYBEARER_OUT").unwrap();
    let listed = keys.listed() + &content.listed();
    fs::write(Path::new(&out).join("secrets-at-high"), listed).unwrap();

    let player = folder.path().join("player");
    write(&player, &clip, &units);
    let program = env::current_exe().unwrap();
    let mut command = device(folder.path(), program.to_str().unwrap());
    let told = [
        ground.service.server().url(),
        hex::encode(ground.service.anchor().0),
        hex::encode(key.kid),
        player.to_str().unwrap().to_owned(),
    ];
    command
        .args(["--exact", NAME, "--nocapture"])
        .env(PLAYER, told.join(" "));
    let device = Device::start(command, folder.path(), "playing");
    let seen = device.watch([&keys, &content], [false; 2]);
    assert_eq!(seen, [NOWHERE, NOWHERE], "keys, content");

    // It died while pictures were decoded for it, and the one decoder that fits is free again.
    let mut session = ground.licensed(&key);
    let mut decoder = Decoder::open(&*ground.tee).unwrap();
    decoder.attach(&mut session).unwrap();
    decoder.configure(&clip.record).unwrap();
    decoder.decode(&key, 1, &units[0]).unwrap();
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut source = File::open("/dev/urandom").unwrap();
    source.read_exact(&mut bytes).unwrap();
    bytes
}

/// Writes what the player may have: everything but the key and the clear units.
fn write(folder: &Path, clip: &Clip, units: &[Protected]) {
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("record"), &clip.record).unwrap();
    for (number, unit) in units.iter().enumerate() {
        let parts = [&unit.bytes[..], &unit.sample, &unit.subsamples];
        for (part, bytes) in parts.iter().enumerate() {
            fs::write(folder.join(format!("{number}.{part}")), bytes).unwrap();
        }
    }
}

/// The units that [`write`] has written.
fn units(folder: &Path) -> Vec<Protected> {
    let part = |number: usize, part: usize| fs::read(folder.join(format!("{number}.{part}")));
    let units = (0..).map_while(|number| {
        Some(Protected {
            bytes: part(number, 0).ok()?,
            sample: part(number, 1).unwrap().try_into().unwrap(),
            subsamples: part(number, 2).unwrap(),
        })
    });
    units.collect()
}

/// The client: has OP-TEE decrypt and decode the units over and over.
fn play_for_ever(told: &str) -> ! {
    let told: Vec<&str> = told.split(' ').collect();
    let [url, anchor, kid, folder] = told[..] else {
        panic!("expected URL ANCHOR KEY-ID FOLDER");
    };
    let tee = optee();
    let mut kid_bytes = [0; 16];
    hex::decode_to_slice(kid, &mut kid_bytes).unwrap();
    // It names the key, and has it not.
    let key = Key {
        kid: kid_bytes,
        key: [0; 16],
        scheme: Scheme::Cenc,
    };
    let info = post::service_info(url).unwrap();
    let mut session = Bare::open_protected(&*tee, anchor.parse().unwrap(), &info).unwrap();
    session.acquire(url, key.kid).unwrap();
    let mut decoder = Decoder::open(&*tee).unwrap();
    decoder.attach(&mut session).unwrap();
    let record = fs::read(Path::new(folder).join("record")).unwrap();
    decoder.configure(&record).unwrap();
    let units = units(Path::new(folder));
    let mut pictures = 0;
    loop {
        for (time, unit) in (0..).zip(&units) {
            pictures += decoder.decode(&key, time, unit).unwrap().times.0.len();
            thread::sleep(PAUSE);
        }
        pictures += decoder.flush().unwrap().times.0.len();
        println!("playing, {pictures} pictures");
    }
}

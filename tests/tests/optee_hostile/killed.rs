//! Clients that die inside a call. Theirs is the loss, and nobody else's.
//!
//! When a client dies, Linux no longer carries out what OP-TEE asks of the normal world on its behalf,
//! and storage is what the key TA asks for: its call is told in the middle of a read or a write that it
//! has failed. Memory and processor it has as before.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keybearer_client::{AnchorDigest, Client, Device, ProvisionToken};
use keybearer_rules::Level;
use keybearer_tests::bare::Bare;
use keybearer_tests::guest::{Setting, noise, optee, rounds, timed};
use keybearer_tests::service::MODEL;
use keybearer_tests::{post, samples};
use keybearer_wire::limits::{MAX_SESSIONS, OPTEE_MAX_MEDIA};

/// Tells a run of this program that it is a client about to be killed: `URL ANCHOR` and what it needs
/// besides.
const VICTIM: &str = "KEYBEARER_VICTIM";

/// Runs this program's test `name` as a client, and comes back when it says that it has begun.
fn victim(setting: &Setting, name: &str, what: &str) -> std::process::Child {
    let url = setting.service.server().url();
    let whom = format!("{url} {} {what}", hex::encode(setting.service.anchor().0));
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(VICTIM, whom)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(
        said.any(|line| line.unwrap().contains("begun")),
        "the client ended before it began"
    );
    process
}

/// What a client about to be killed was told.
struct Told {
    url: String,
    anchor: AnchorDigest,
    what: Vec<String>,
}

/// `None` in the run that kills.
fn told() -> Option<Told> {
    let told = env::var(VICTIM).ok()?;
    let mut parts = told.split(' ').map(str::to_owned);
    Some(Told {
        url: parts.next().unwrap(),
        anchor: parts.next().unwrap().parse().unwrap(),
        what: parts.collect(),
    })
}

#[test]
fn clients_killed_while_they_decrypt_leave_nothing_behind() {
    if let Some(told) = told() {
        decrypt_for_ever(&told);
    }
    const SESSIONS: usize = 8;
    let setting = Setting::new();
    // More sessions than there are, if the dead kept theirs.
    for round in 0..MAX_SESSIONS / SESSIONS + 2 {
        let name = "killed::clients_killed_while_they_decrypt_leave_nothing_behind";
        let mut victim = victim(&setting, name, &SESSIONS.to_string());
        thread::sleep(Duration::from_millis(20 + 31 * round as u64));
        victim.kill().unwrap();
        let status = victim.wait().unwrap();
        assert!(!status.success(), "it was to be killed, not to end");
    }
    setting.assert_all_sessions_free();
    setting.assert_serving();
}

/// Some sessions, and one call after another that takes as long as any.
fn decrypt_for_ever(told: &Told) -> ! {
    let sample = samples::standard()
        .into_iter()
        .find(|sample| sample.file == "cenc-video.mp4")
        .unwrap();
    let tee = optee();
    let info = post::service_info(&told.url).unwrap();
    let mut held: Vec<Bare> = (0..told.what[0].parse().unwrap())
        .map(|_| Bare::open(&*tee, told.anchor, &info).unwrap())
        .collect();
    held[0].acquire(&told.url, sample.tracks[0].kid).unwrap();
    let mut data = vec![0; OPTEE_MAX_MEDIA];
    held[0].decrypt(&sample, &mut data).unwrap();
    println!("begun");
    loop {
        held[0].decrypt(&sample, &mut data).unwrap();
    }
}

#[test]
fn clients_killed_while_the_key_ta_uses_its_storage_end_nobody_elses_session() {
    if let Some(told) = told() {
        use_storage_for_ever(&told);
    }
    let setting = Setting::new();
    let key = || {
        let mut device = Device::connect(&*setting.tee).unwrap();
        device.device_key(&setting.service.anchor()).unwrap()
    };
    let (before, reading) = timed(key);
    let (again, writing) = timed(|| setting.service.provisioned(Arc::clone(&setting.tee)));
    again.unwrap();
    let mut survivor = setting.licensed(setting.open().unwrap());
    let protected = noise(1000, 7);
    let expected = setting.in_software(&protected);
    let mut survives = |when: &str| {
        let mut data = protected.clone();
        if let Err(error) = survivor.decrypt(setting.sample(), &mut data) {
            panic!("{when}: {error}");
        }
        assert!(data == expected, "{when}: it decrypts wrongly");
    };
    let name = "killed::clients_killed_while_the_key_ta_uses_its_storage_end_nobody_elses_session";
    let token = setting.factory_token();
    let (mut calls, rounds) = (0, rounds(5, 300));
    let moments = noise(rounds, 41);
    for (round, moment) in moments.into_iter().enumerate() {
        // Some have the identity read all the time, others also have the certificate replaced.
        let (token, takes) = match round % 3 {
            0 => ("", reading),
            _ => (token.as_str(), writing),
        };
        let mut victim = victim(&setting, name, token);
        let end = Instant::now() + takes * u32::from(moment) / 128;
        // Calls of both meet in the meantime.
        while Instant::now() < end {
            survives("beside a client that lives");
            calls += 1;
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        survives(&format!("after round {round}, {moment}"));
    }
    println!("figure: {rounds} clients killed beside {calls} calls of another one");
    drop(survivor);
    let after = key();
    assert!(after.provisioned, "the certificate is gone");
    assert_eq!(before.digest, after.digest, "it is another device");
    setting.assert_all_sessions_free();
    setting.assert_serving();
}

/// Has the key TA read its identity, and write its certificate if there is a token for it, over and
/// over.
fn use_storage_for_ever(told: &Told) -> ! {
    let tee = optee();
    let client = Client::new(tee, told.url.parse().unwrap(), told.anchor);
    client.describe().unwrap();
    println!("begun");
    match told.what[0].as_str() {
        "" => loop {
            client.device_key().unwrap();
        },
        token => {
            let token = ProvisionToken::Factory(token.as_bytes().to_vec());
            // Whoever has used a token may use it again.
            loop {
                let certified = client.provision(&token, MODEL);
                assert!(certified.is_ok_and(|certified| certified.level >= Level::Medium));
            }
        }
    }
}

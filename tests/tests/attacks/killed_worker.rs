//! A worker that is killed at any moment of playing: nothing hangs, no sample is wrong, and no part of
//! a file stands under its name.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use keybearer_client::{Client, Licensed, decrypt_file};
use keybearer_tee::Tee;
use keybearer_tee_soft::{WorkerConfig, WorkerProgram, WorkerTee};
use keybearer_tests::samples;
use keybearer_tests::service::{Service, paths};

const KILLS: u32 = 100;
/// Nothing may take longer; it is a few milliseconds without a kill.
const HANG: Duration = Duration::from_secs(20);

#[test]
fn a_hundred_kills_at_random_moments_of_playing() {
    let samples = samples::standard();
    let service = Service::start(&samples);
    let folder = tempfile::tempdir().unwrap();
    let program = WorkerProgram::at(env!("CARGO_BIN_EXE_test-worker"));
    let config = WorkerConfig::new(program, folder.path().join("state"));
    let worker = Arc::new(WorkerTee::start(config).unwrap());
    let (client, _) = service
        .provisioned(Arc::clone(&worker) as Arc<dyn Tee>)
        .unwrap();

    let output = folder.path().join("clear.mp4");
    let mut random = Random::new();
    let (mut survived, mut failed, mut hit) = (0, 0, 0);
    for round in 0..KILLS {
        let sample = &samples[usize::try_from(round).unwrap() % samples.len()];
        let (input, _) = paths(sample);
        let (expected, usual) = undisturbed(&client, &input, &output);
        let delay = usual.mul_f64(random.below_one());
        let victim = worker.process_id();
        let playing = start(&client, &input, &output);
        thread::sleep(delay);
        kill(victim);
        match playing.recv_timeout(HANG) {
            Ok(Ok(())) => {
                survived += 1;
                assert!(
                    fs::read(&output).unwrap() == expected,
                    "{}: wrong samples",
                    sample.file
                );
                fs::remove_file(&output).unwrap();
            }
            Ok(Err(error)) => {
                failed += 1;
                assert!(
                    error.contains("trusted core died"),
                    "{}: {error}",
                    sample.file
                );
            }
            Err(RecvTimeoutError::Timeout) => panic!("{}: hangs after {delay:?}", sample.file),
            Err(RecvTimeoutError::Disconnected) => panic!("{}: panicked", sample.file),
        }
        hit += u32::from(worker.process_id() != victim);
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != "state")
            .collect();
        assert!(left.is_empty(), "{}: {left:?} left behind", sample.file);
    }
    println!("{KILLS} kills, {hit} noticed while playing: {survived} played on, {failed} ended");
    assert!(
        hit >= KILLS / 4,
        "only {hit} of {KILLS} kills came while it played"
    );
    assert!(
        survived >= KILLS / 2,
        "a new worker and new licences let playing go on"
    );
}

/// The file as it is without a kill, and how long it takes.
fn undisturbed(client: &Client, input: &Path, output: &Path) -> (Vec<u8>, Duration) {
    let before = Instant::now();
    play(client, input, output).unwrap();
    let took = before.elapsed();
    let clear = fs::read(output).unwrap();
    fs::remove_file(output).unwrap();
    (clear, took)
}

/// Plays in a thread of its own, so that a hang can be told.
fn start(client: &Client, input: &Path, output: &Path) -> mpsc::Receiver<Result<(), String>> {
    let (done, playing) = mpsc::channel();
    let (client, input, output) = (client.clone(), input.to_path_buf(), output.to_path_buf());
    thread::spawn(move || {
        let _ = done.send(play(&client, &input, &output));
    });
    playing
}

fn play(client: &Client, input: &Path, output: &Path) -> Result<(), String> {
    let session = client.open_session().map_err(|error| error.to_string())?;
    let mut licensed = Licensed::new(client, &session, None).map_err(|error| error.to_string())?;
    decrypt_file(input, output, &mut licensed, &mut |_| ())
        .map(drop)
        .map_err(|error| error.to_string())
}

fn kill(process: u32) {
    let pid = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    // It may be gone already, by an earlier round's kill.
    let _ = rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL);
}

/// Moments need to differ from run to run; nothing more is asked of them (a linear congruential
/// generator).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        println!("seed {}", now.as_micros());
        Self(u64::try_from(now.as_micros()).unwrap())
    }

    fn below_one(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

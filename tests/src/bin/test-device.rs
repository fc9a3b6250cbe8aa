//! A device for tests that look at it from outside: plays a file again and again until its standard
//! input ends.
//!
//! `test-device BACKEND STATE-FOLDER URL ANCHOR ENROLMENT-TOKEN INPUT OUTPUT`; an empty token for a
//! device that is provisioned already.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, io, thread};

use keybearer_backend::{BackendOptions, WorkerProgram, detect};
use keybearer_client::{Client, Licensed, ProvisionToken, decrypt_file};

/// A pause after each fragment, so that there is something to look at while it plays.
const PAUSE: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(keybearer_worker::ARGUMENT) {
        return keybearer_worker::run();
    }
    match play(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [backend, state, url, anchor, token, input, output] = arguments else {
        return Err("expected BACKEND STATE-FOLDER URL ANCHOR ENROLMENT-TOKEN INPUT OUTPUT".into());
    };
    let mut options = BackendOptions::new(state);
    options.worker = WorkerProgram::This {
        argument: keybearer_worker::ARGUMENT,
    };
    let (tee, detection) = detect(backend.parse()?, &options)?;
    eprintln!("{detection}");
    let client = Client::new(tee, url.parse()?, anchor.parse()?);
    if !token.is_empty() {
        let token = ProvisionToken::Enrollment(token.clone().into_bytes());
        client.provision(&token, "test-device")?;
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Whoever watches says by closing it that they have seen enough.
            let _ = io::stdin().read_to_end(&mut Vec::new());
            ended.store(true, Ordering::Relaxed);
        });
        let mut times = 0_u32;
        while !ended.load(Ordering::Relaxed) {
            let session = client.open_session()?;
            let mut licensed = Licensed::new(&client, &session, None)?;
            let summary = decrypt_file(
                Path::new(input),
                Path::new(output),
                &mut licensed,
                &mut |_| {
                    if times == 0 {
                        println!("playing");
                        times = 1;
                    }
                    thread::sleep(PAUSE);
                },
            )?;
            eprintln!("{summary:?}");
        }
        Ok(())
    })
}

//! What a whole program costs.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// What one run of a program cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time, user and system together.
    pub cpu: Duration,
    /// The most memory that was resident at once, in KiB.
    pub peak_kib: u64,
}

/// Runs a program to its end in a process of its own, between two readings of the clock of finished
/// children: peak memory is that of one child only where there was only one.
///
/// # Panics
/// When it cannot be run or fails: what fails has no cost worth telling.
#[must_use]
pub fn run(measured: &Path, program: &Path, arguments: &[OsString]) -> Cost {
    let output = Command::new(measured)
        .arg(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", measured.display()));
    assert!(
        output.status.success(),
        "{} {arguments:?} failed",
        program.display()
    );
    serde_json::from_slice(&output.stdout).expect("the program says what it measured")
}

/// The work of the program `measured`: runs the command in its arguments and tells what it cost.
///
/// # Errors
/// When there is no command, when it cannot be started, when it fails.
pub fn measure(mut command: impl Iterator<Item = OsString>) -> Result<Cost, String> {
    let program = command.next().ok_or("expected a command")?;
    let shown = program.to_string_lossy().into_owned();
    let status = Command::new(&program)
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if !status.success() {
        return Err(format!("{shown}: {status}"));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    Ok(Cost {
        cpu: cpu(&usage),
        peak_kib: u64::try_from(usage.max_rss()).unwrap_or_default(),
    })
}

fn cpu(usage: &Usage) -> Duration {
    let micros = |time: nix::sys::time::TimeVal| time.num_microseconds();
    let sum = micros(usage.user_time()).saturating_add(micros(usage.system_time()));
    Duration::from_micros(u64::try_from(sum).unwrap_or_default())
}

/// Arguments of unlike types as one list.
#[must_use]
pub fn arguments(of: &[&dyn AsRef<OsStr>]) -> Vec<OsString> {
    of.iter()
        .map(|argument| argument.as_ref().to_owned())
        .collect()
}

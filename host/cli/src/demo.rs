//! `keybearer demo`: the whole story on one machine. A licence server on loopback, this device
//! provisioned with it, samples in all four schemes decrypted by licences, and every clear file
//! compared with its counterpart.

mod qemu;
mod service;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use comfy_table::{Cell, CellAlignment};
use keybearer_backend::BackendChoice;
use keybearer_client::{Client, Level, Licensed, decrypt_file, explain::kid};
use serde::Serialize;

use crate::device;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::{self, Interruptible};
use crate::samples::{SAMPLES, Sample};
use crate::sizes::{counted, grouped};
use crate::terminal::{Terminal, bold, coloured, rows, table, verdict};
use service::{DemoService, played_at};

const EXAMPLES: &str = "\
Examples:
  keybearer demo                 in software, level Low; needs nothing
  keybearer demo --keep clear    keep the clear files
  keybearer demo --tee qemu      with the core in OP-TEE, level Medium, in QEMU
  keybearer demo --tee optee --operator keys
                                 on a device with OP-TEE whose trusted
                                 application accepts the operator in `keys`

Exit code 0 if every clear file equals its counterpart, 1 if one does not;
another where one could not be made.";

/// Show all of it at work, on this machine alone
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Demo {
    /// The trusted side: auto, worker or in-process (Low), optee (Medium), or qemu (Medium, emulated)
    #[arg(long, value_name = "TEE", default_value = "auto")]
    tee: Place,
    /// Keep the clear files in DIR
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Key directory of the operator (keybearer serve init) [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    operator: Option<PathBuf>,
}

/// Where the demonstration's trusted side runs.
#[derive(Clone, Copy, Debug)]
enum Place {
    Here(BackendChoice),
    Qemu,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "qemu" {
            return Ok(Self::Qemu);
        }
        name.parse().map(Self::Here).map_err(|_| {
            format!("{name:?} is no trusted side; expected auto, optee, worker, in-process or qemu")
        })
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    tee: &'static str,
    detail: String,
    level: &'static str,
    certified_level: &'static str,
    debug: bool,
    service: String,
    anchor: String,
    files: Vec<FileReport>,
    verified: usize,
    failed: usize,
    milliseconds: u128,
    kept: Option<PathBuf>,
}

/// One file of the report.
#[derive(Debug, Default, Serialize)]
struct FileReport {
    scheme: String,
    file: &'static str,
    tracks: Vec<String>,
    key_ids: Vec<String>,
    samples: u64,
    decrypted_samples: u64,
    /// Bytes of samples compared.
    bytes: u64,
    license: Option<String>,
    verified: bool,
    error: Option<String>,
    /// What the command would have ended with, had this been all.
    #[serde(skip)]
    exit: Option<Exit>,
}

impl Demo {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        match self.tee {
            Place::Qemu => qemu::run(self.keep.as_deref(), terminal),
            Place::Here(choice) => self.run_here(choice, terminal),
        }
    }

    fn run_here(self, choice: BackendChoice, terminal: Terminal) -> Result<(), Failure> {
        interrupt::watch();
        let begin = Instant::now();
        let no_folder = |error: std::io::Error| {
            Failure::new(Exit::Output, "no temporary folder can be made").cause(&error)
        };
        let folder = tempfile::Builder::new()
            .prefix("keybearer-demo-")
            .tempdir()
            .map_err(no_folder)?;
        interrupt::remove_at_second(folder.path());
        let clear = self
            .keep
            .clone()
            .unwrap_or_else(|| folder.path().join("clear"));
        std::fs::create_dir_all(&clear).map_err(|error| {
            Failure::new(
                Exit::Output,
                format!("cannot make folder {}", clear.display()),
            )
            .cause(&error)
        })?;

        let (tee, detection) = device::open(choice, &folder.path().join("state"), false)?;
        device::tell(&detection, terminal);
        let info = tee.info();
        let service = DemoService::start(folder.path(), self.operator.as_deref(), &*tee)?;
        let level = played_at(service.description());
        terminal.say(format!("licence server on {}", service.url()));
        let client = Client::new(tee, service.url().clone(), service.anchor())
            .cancelled_by(interrupt::cancel());
        let certified = service.provision(&client)?;
        terminal.say(format!("device provisioned: level {}", certified.level));

        let bar = terminal.progress(
            "samples",
            Some(SAMPLES.iter().map(|s| s.protected.len() as u64).sum()),
        );
        let mut files = Vec::new();
        for sample in SAMPLES {
            interrupt::check()?;
            bar.set_message(sample.name);
            files.push(play(&client, sample, folder.path(), &clear));
            bar.inc(sample.protected.len() as u64);
        }
        bar.finish_and_clear();
        interrupt::check()?;

        let failed = files.iter().filter(|file| !file.verified).count();
        let report = Report {
            tee: info.name,
            detail: info.detail,
            level: level.name(),
            certified_level: certified.level.name(),
            debug: certified.debug,
            service: service.url().to_string(),
            anchor: service.anchor().to_string(),
            verified: files.len() - failed,
            failed,
            files,
            milliseconds: begin.elapsed().as_millis(),
            kept: self.keep,
        };
        service.stop()?;
        if terminal.json {
            terminal.print_json(&report)?;
        } else {
            terminal.print(&shown(&report, level))?;
        }
        if failed == 0 {
            Ok(())
        } else {
            Err(unverified(&report, terminal))
        }
    }
}

/// With `--json` the report has said it all, and there is to be one document only.
fn unverified(report: &Report, terminal: Terminal) -> Failure {
    let what = format!("{} of {} files failed", report.failed, report.files.len());
    let exits = || report.files.iter().filter_map(|file| file.exit);
    // A file that is wrong outweighs all that only kept files from being made.
    let exit = exits()
        .find(|exit| *exit == Exit::Unverified)
        .or_else(|| exits().next())
        .unwrap_or(Exit::Unverified);
    let mut failure = Failure::new(exit, what);
    failure.quiet = terminal.json;
    for file in &report.files {
        if let Some(error) = &file.error {
            failure.causes.push(format!("{}: {error}", file.file));
        }
    }
    failure
}

/// Plays one sample and compares. What fails is told in its row: the others are still worth seeing.
fn play(client: &Client, sample: &Sample, folder: &Path, clear: &Path) -> FileReport {
    let mut report = FileReport {
        file: sample.name,
        ..FileReport::default()
    };
    match try_play(client, sample, folder, clear, &mut report) {
        Ok(()) => report.verified = true,
        Err(failure) => {
            report.exit = Some(failure.exit);
            let causes = failure.causes.into_iter();
            report.error = Some(
                std::iter::once(failure.what)
                    .chain(causes)
                    .collect::<Vec<_>>()
                    .join(": "),
            );
        }
    }
    report
}

fn try_play(
    client: &Client,
    sample: &Sample,
    folder: &Path,
    clear: &Path,
    report: &mut FileReport,
) -> Result<(), Failure> {
    let (scheme, tracks) = verify::describe(sample.protected)?;
    (report.scheme, report.tracks) = (scheme, tracks);
    let (input, output) = (folder.join(sample.name), clear.join(sample.name));
    std::fs::write(&input, sample.protected).map_err(|error| {
        Failure::new(Exit::Output, format!("cannot write {}", input.display())).cause(&error)
    })?;
    let session = client.open_session()?;
    let mut licensed = Interruptible(Licensed::new(client, &session, None)?);
    let summary = decrypt_file(&input, &output, &mut licensed, &mut |_| ())
        .map_err(|error| Failure::of_playback(error, &input))?;
    report.samples = summary.samples;
    report.decrypted_samples = summary.protected_samples;
    report.key_ids = summary.key_ids.iter().map(kid).collect();
    report.license = licensed
        .0
        .licenses()
        .last()
        .map(|license| hex::encode(license.id));
    let written = std::fs::read(&output).map_err(|error| {
        Failure::input(format!("cannot read {}", output.display())).cause(&error)
    })?;
    let compared = verify::compare(&written, sample.clear)?;
    report.bytes = compared.bytes;
    if compared.samples == summary.protected_samples {
        Ok(())
    } else {
        Err(Failure::new(
            Exit::Unverified,
            format!(
                "{} samples were decrypted, but {} compared",
                summary.protected_samples, compared.samples
            ),
        ))
    }
}

/// Columns with numbers.
const SAMPLES_COLUMN: usize = 3;
const BYTES_COLUMN: usize = 4;
/// What a narrow terminal is spared, first to last: licence, track, level, bytes, samples, scheme.
const SPARE_COLUMNS: [usize; 6] = [6, 2, 5, BYTES_COLUMN, SAMPLES_COLUMN, 0];

fn shown(report: &Report, level: Level) -> String {
    let mut out = table(&[
        "scheme", "file", "track", "samples", "bytes", "level", "licence", "",
    ]);
    for number in [SAMPLES_COLUMN, BYTES_COLUMN] {
        if let Some(column) = out.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for file in &report.files {
        let license = file
            .license
            .as_deref()
            .and_then(|id| id.get(..8))
            .unwrap_or("-");
        out.add_row([
            Cell::new(&file.scheme),
            Cell::new(file.file),
            Cell::new(file.tracks.join(", ")),
            Cell::new(grouped(file.samples)),
            Cell::new(grouped(file.bytes)),
            Cell::new(level.name()),
            Cell::new(license),
            verdict(
                file.verified,
                if file.verified { "verified" } else { "FAILED" },
            ),
        ]);
    }
    let total: u64 = report.files.iter().map(|file| file.bytes).sum();
    let verdict = if report.failed == 0 {
        coloured(
            true,
            &format!("all {} verified", counted(report.verified as u64, "file")),
        )
    } else {
        coloured(
            false,
            &format!("{} of {} files FAILED", report.failed, report.files.len()),
        )
    };
    let mut text = rows(&mut out, &SPARE_COLUMNS);
    text += &format!(
        "{verdict}: {} bytes equal to their clear counterparts, in {:.1} s\n",
        grouped(total),
        report.milliseconds as f64 / 1000.0
    );
    let debug = if report.debug {
        ", a development device"
    } else {
        ""
    };
    text += &format!(
        "{}  {} ({}{debug})\n",
        bold("trusted side"),
        report.tee,
        report.detail
    );
    if let Some(kept) = &report.kept {
        text += &format!("{}    {}\n", bold("clear files"), kept.display());
    }
    text
}

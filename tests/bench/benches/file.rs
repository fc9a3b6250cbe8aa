//! A whole file, as a program: `keybearer decrypt` beside `cp` and the decryptors of others.
//!
//! Files are in memory (`/dev/shm`) where the machine has room for them there, so that no disk is
//! measured. FFmpeg and Shaka Packager write the file anew and so do more than asked.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keybearer_bench::material::{KEY, KID, Material, Track};
use keybearer_bench::process::{Cost, arguments, run};
use keybearer_bench::report::{Report, progress};
use keybearer_interop::tools::{COMMAND, Tools};

const MEASURED: &str = env!("CARGO_BIN_EXE_measured");
const ROUNDS: usize = 5;

/// A program and its arguments.
struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<OsString>,
}

fn main() {
    let tools = Tools::find(&crates());
    let mut report = Report::new(
        "A whole file: CPU time in seconds, how many times keybearer's that is, and peak memory",
        &[
            "material",
            "scheme",
            "program",
            "CPU s",
            "/ keybearer",
            "peak MiB",
            "fragment MiB",
        ],
    );
    for scheme in ["cenc", "cbcs"] {
        let material = Material::get(Track::LargeVideo, scheme);
        let fragment = material.segments().largest();
        let folder = scratch();
        let input = folder.path().join("protected.mp4");
        fs::copy(&material.path, &input).expect("there is room for the material");
        let programs = programs(&tools, &input, folder.path());
        let figures = take_turns(&programs);
        let (_, ours) = figures[0];
        for (program, figure) in figures {
            let times = figure.cpu.as_secs_f64() / ours.cpu.as_secs_f64();
            report.row([
                material.track.title().to_owned(),
                scheme.to_owned(),
                program.to_owned(),
                format!("{:.3}", figure.cpu.as_secs_f64()),
                format!("{times:.2}"),
                format!("{}", figure.peak_kib / 1024),
                format!("{:.1}", mebibytes(fragment)),
            ]);
        }
    }
    report.print();
}

/// The command that `tests/interop` makes of two crates, built beside the product's.
fn crates() -> String {
    let path = COMMAND.with_file_name("decrypt-with-crate");
    assert!(
        path.is_file(),
        "{} is missing: run tests/bench/run",
        path.display()
    );
    path.to_str()
        .expect("the target folder has a printable name")
        .to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(parent).expect("a scratch folder can be made")
}

/// Every program's median over the rounds, in which they take turns, after one that does not count.
fn take_turns(programs: &[Program]) -> Vec<(&'static str, Cost)> {
    let mut costs: Vec<Vec<Cost>> = programs.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        progress(&format!("round {round} of {ROUNDS}"));
        for (program, costs) in programs.iter().zip(&mut costs) {
            let cost = run(Path::new(MEASURED), &program.path, &program.arguments);
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let medians = costs.iter_mut().map(|costs| {
        let peak_kib = costs.iter().map(|cost| cost.peak_kib).max().unwrap_or(0);
        let mut cpu: Vec<Duration> = costs.iter().map(|cost| cost.cpu).collect();
        cpu.sort_unstable();
        Cost {
            cpu: cpu[cpu.len() / 2],
            peak_kib,
        }
    });
    programs.iter().map(|of| of.name).zip(medians).collect()
}

fn programs(tools: &Tools, input: &Path, folder: &Path) -> Vec<Program> {
    let output = folder.join("clear.mp4");
    let keys = key_file(folder);
    let pair = format!("{KID}:{KEY}");
    let ffmpeg_keys = format!("{KID}={KEY}");
    let packager_keys = format!("label=:key_id={KID}:key={KEY}");
    let stream = format!(
        "in={},stream=video,output={}",
        input.display(),
        output.display()
    );
    let ours = arguments(&[
        &"decrypt",
        &input,
        &"--key-file",
        &keys,
        &"-o",
        &output,
        &"--quiet",
    ]);
    let packager = arguments(&[
        &stream,
        &"--quiet",
        &"--enable_raw_key_decryption",
        &"--keys",
        &packager_keys,
    ]);
    let ffmpeg = arguments(&[
        &"-y",
        &"-v",
        &"error",
        &"-decryption_keys",
        &ffmpeg_keys,
        &"-i",
        &input,
        &"-c",
        &"copy",
        &output,
    ]);
    let program = |name, path: &Path, arguments| Program {
        name,
        path: path.to_path_buf(),
        arguments,
    };
    vec![
        program("keybearer", &COMMAND, ours),
        program("cp", Path::new("cp"), arguments(&[&input, &output])),
        program(
            "Bento4",
            &tools.crates,
            arguments(&[&"bento4", &input, &output, &pair]),
        ),
        program(
            "vsd-mp4",
            &tools.crates,
            arguments(&[&"vsd-mp4", &input, &output, &pair]),
        ),
        program("FFmpeg 8", &tools.ffmpeg8, ffmpeg),
        program("Packager", &tools.packager, packager),
    ]
}

fn key_file(folder: &Path) -> PathBuf {
    let path = folder.join("keys");
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let mut file = file.expect("a key file can be made");
    std::io::Write::write_all(&mut file, format!("{KID}:{KEY}\n").as_bytes())
        .expect("a key file can be written");
    path
}

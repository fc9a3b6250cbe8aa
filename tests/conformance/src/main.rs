//! `conformance`: runs the suite against a backend of this machine, or writes its promises into a
//! document.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keybearer_backend::BackendChoice;
use keybearer_conformance::{Chosen, Summary, all, replaced, run};

/// What every trusted side promises, as cases that run against any backend.
#[derive(Parser)]
#[command(name = "conformance")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the cases: a line each, fields parted by tabs; status 1 when one fails, 2 when nothing
    /// could be run.
    Run {
        /// The backend.
        #[arg(long, default_value = "in-process")]
        backend: BackendChoice,
        /// The operator's key directory, whose anchor is built into the trusted side; `root.key` is
        /// read.
        #[arg(long)]
        operator: Option<PathBuf>,
        /// The device may lose its identity and be told a wrong time.
        #[arg(long)]
        disposable: bool,
        /// Only these cases, by the beginning of their ids.
        cases: Vec<String>,
    },
    /// Writes the promises into a document, between its markers.
    Promises {
        /// The document.
        #[arg(default_value = "tests/README.md")]
        document: PathBuf,
        /// Changes nothing; status 1 when the document is out of date.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    // Before anything is read or opened: a worker must have nothing of its caller's.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == keybearer_worker::ARGUMENT)
    {
        return keybearer_worker::run();
    }
    let done = match Arguments::parse().command {
        Command::Run {
            backend,
            operator,
            disposable,
            cases,
        } => run_cases(backend, operator.as_deref(), disposable, &cases),
        Command::Promises { document, check } => write_promises(&document, check),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("conformance: {why}");
            ExitCode::from(2)
        }
    }
}

fn run_cases(
    backend: BackendChoice,
    operator: Option<&Path>,
    disposable: bool,
    wanted: &[String],
) -> Result<bool, String> {
    let mut subject = Chosen::new(backend);
    if let Some(keys) = operator {
        subject = subject.with_operator(keys)?;
    }
    if disposable {
        subject = subject.disposable();
    }
    let chosen = |id: &str| wanted.is_empty() || wanted.iter().any(|begin| id.starts_with(begin));
    let cases: Vec<_> = all().filter(|case| chosen(case.id)).collect();
    if cases.is_empty() {
        return Err(format!("no case begins with {}", wanted.join(" or ")));
    }
    let reports = run(&subject, cases, |report| println!("{report}")).map_err(|e| e.to_string())?;
    let summary = Summary::of(&reports);
    println!("{backend}: {summary}");
    Ok(summary.failed == 0)
}

fn write_promises(document: &Path, check: bool) -> Result<bool, String> {
    let told = |error| format!("{}: {error}", document.display());
    let text = std::fs::read_to_string(document).map_err(told)?;
    let new = replaced(&text)
        .ok_or_else(|| format!("{} lacks the markers of the promises", document.display()))?;
    if new == text {
        return Ok(true);
    }
    if check {
        println!("{} is out of date", document.display());
        return Ok(false);
    }
    std::fs::write(document, new).map_err(told)?;
    Ok(true)
}

//! `conformance`: runs the suite against a backend of this machine, or writes its promises into a
//! document.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keybearer_backend::BackendChoice;
use keybearer_conformance::{Chosen, Lacks, Subject, Summary, all, replaced, run};

/// What every trusted side promises, as cases that run against any backend.
#[derive(Parser)]
#[command(name = "conformance")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What stands below the options of `run`.
const RUN_EXAMPLES: &str = "\
Examples:
  conformance run
  conformance run --backend worker KB-BIND KB-DEC-03
  conformance run --backend optee --operator keys --disposable \\
      --lacks KB-CALL-07,KB-PROV-09,KB-PROV-11,KB-PROV-12,KB-REV-05,KB-TIME-04";

#[derive(Subcommand)]
enum Command {
    /// Runs the cases: a line each, fields parted by tabs; status 1 when one fails or falls out, 2 when
    /// nothing could be run.
    #[command(after_help = RUN_EXAMPLES)]
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
        /// These cases must not apply, for the device has not the means for them, and all others must:
        /// their ids, parted by commas, or '' for none. Without it any case may fall out.
        #[arg(long, value_name = "CASES")]
        lacks: Option<Lacks>,
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
            lacks,
            cases,
        } => {
            let mut subject = Chosen::new(backend);
            if disposable {
                subject = subject.disposable();
            }
            run_cases(subject, operator.as_deref(), lacks.as_ref(), &cases)
        }
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
    mut subject: Chosen,
    operator: Option<&Path>,
    lacks: Option<&Lacks>,
    wanted: &[String],
) -> Result<bool, String> {
    if let Some(keys) = operator {
        subject = subject.with_operator(keys)?;
    }
    let chosen = |id: &str| wanted.is_empty() || wanted.iter().any(|begin| id.starts_with(begin));
    let cases: Vec<_> = all().filter(|case| chosen(case.id)).collect();
    if cases.is_empty() {
        return Err(format!("no case begins with {}", wanted.join(" or ")));
    }
    let reports = run(&subject, cases, |report| println!("{report}")).map_err(|e| e.to_string())?;
    let summary = Summary::of(&reports);
    println!("{}: {summary}", subject.name());
    let compared = lacks.map_or(Ok(()), |lacks| lacks.compare(&reports));
    if let Err(difference) = &compared {
        println!("{}: FAILED: {difference}", subject.name());
    }
    Ok(summary.failed == 0 && compared.is_ok())
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

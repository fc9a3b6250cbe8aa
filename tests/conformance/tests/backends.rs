//! The suite on the backends that any machine has; `tests/qemu` runs it on OP-TEE.
//!
//! Prints a line a case, the backend before it, and a summary a backend. Fails when a case fails, and
//! also when others than those named here do not apply: a case that is never run proves nothing.

use std::process::ExitCode;
use std::thread;

mod board;

use board::Simulated;
use keybearer_backend::BackendChoice;
use keybearer_conformance::{Chosen, Lacks, Subject, Summary, all, run};

/// The backends, and the cases that do not apply to them.
fn subjects() -> Vec<(Box<dyn Subject + Send>, &'static [&'static str])> {
    // Software is below Medium and has no decoder, and the suite cannot move this machine's clock.
    let software = |choice| Box::new(Chosen::new(choice));
    vec![
        (
            software(BackendChoice::InProcess),
            &[
                "KB-CALL-07",
                "KB-PROV-10",
                "KB-DEC-08",
                "KB-HIGH-02",
                "KB-HIGH-04",
                "KB-HIGH-05",
                "KB-HIGH-06",
                "KB-HIGH-07",
                "KB-HIGH-08",
                "KB-HIGH-09",
                "KB-REV-06",
                "KB-TIME-04",
            ],
        ),
        (
            software(BackendChoice::Worker),
            &[
                "KB-PROV-10",
                "KB-HIGH-02",
                "KB-HIGH-04",
                "KB-HIGH-05",
                "KB-HIGH-06",
                "KB-HIGH-07",
                "KB-HIGH-08",
                "KB-HIGH-09",
                "KB-REV-06",
                "KB-TIME-04",
            ],
        ),
        // Level None has no level below it.
        (
            Box::new(Simulated),
            &["KB-PROV-07", "KB-PROV-10", "KB-REV-06"],
        ),
    ]
}

fn main() -> ExitCode {
    // Before anything is read or opened: a worker must have nothing of its caller's.
    let mut arguments = std::env::args().skip(1);
    if arguments
        .next()
        .is_some_and(|first| first == keybearer_worker::ARGUMENT)
    {
        return keybearer_worker::run();
    }
    let running: Vec<_> = subjects()
        .into_iter()
        .map(|(subject, lacks)| thread::spawn(move || keeps_its_promises(&*subject, lacks)))
        .collect();
    // All of them, so that all lines are there.
    let kept: Vec<bool> = running
        .into_iter()
        .map(|subject| subject.join().unwrap_or(false))
        .collect();
    if kept.into_iter().all(|kept| kept) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn keeps_its_promises(subject: &dyn Subject, lacks: &[&str]) -> bool {
    let name = subject.name();
    let lacks = Lacks::new(lacks.iter().copied()).expect("these are cases");
    let reports = match run(subject, all(), |report| println!("{name}\t{report}")) {
        Ok(reports) => reports,
        Err(why) => {
            println!("{name}\tFAILED\tit cannot be asked what it is: {why}");
            return false;
        }
    };
    let summary = Summary::of(&reports);
    println!("{name}: {summary}");
    let compared = lacks.compare(&reports);
    if let Err(difference) = &compared {
        println!("{name}: FAILED: {difference}");
    }
    summary.failed == 0 && compared.is_ok()
}

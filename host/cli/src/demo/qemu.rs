//! `demo --tee qemu`: the same demonstration inside an emulated machine with OP-TEE, by the project's
//! own script.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;

const SCRIPT: &str = "tests/qemu/demo";

pub(super) fn run(keep: Option<&Path>, terminal: Terminal) -> Result<(), Failure> {
    let script = find().ok_or_else(|| {
        Failure::usage(format!(
            "{SCRIPT} was not found: the emulated machine is part of the project's sources"
        ))
        .hint("run this command inside a checkout")
    })?;
    let mut command = Command::new(&script);
    if terminal.json {
        command.arg("--json");
    }
    if terminal.quiet {
        command.arg("--quiet");
    }
    if let Some(folder) = keep {
        command.arg("--keep").arg(folder);
    }
    let status = command.status().map_err(|error| {
        Failure::new(Exit::Trusted, format!("cannot run {}", script.display())).cause(&error)
    })?;
    let code = status.code();
    if code == Some(0) {
        return Ok(());
    }
    // The command in the guest has said what failed, in a document of its own with `--json`.
    if let Some(exit) = code.and_then(Exit::of_code) {
        let what = format!(
            "the demonstration in QEMU ended with exit code {}",
            exit.code()
        );
        let mut failure = Failure::new(exit, what).hint("what failed is said above");
        failure.quiet = terminal.json;
        return Err(failure);
    }
    let how = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
    let what = format!("{} ended with {how}", script.display());
    Err(Failure::new(Exit::Trusted, what).hint("its output is above"))
}

/// The script in the checkout around the current folder, or around this program.
fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    [here, program]
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|folder| folder.join(SCRIPT))
        .find(|script| script.is_file())
}

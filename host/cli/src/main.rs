//! The `keybearer` command: shows the whole of it at work, runs the reference server, provisions this
//! device, decrypts files by licence or by given keys, and explains what it meets.
//!
//! What it promises: results on standard output, everything else on standard error; exit codes that
//! mean something ([`exit`]); no file under its final name unless all of it was written.
//! Whom it distrusts: every input. It holds no content key but those that `decrypt` is given by hand.

#![forbid(unsafe_code)]

mod arguments;
mod checked;
mod decrypt;
mod demo;
mod device;
mod exit;
mod explain;
mod failure;
mod given;
mod inspect;
mod interrupt;
mod outputs;
mod play;
mod provision;
mod rules;
mod samples;
mod serve;
mod sizes;
mod structure;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    // Before anything is read or opened: a worker must have nothing of its caller's.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == keybearer_worker::ARGUMENT)
    {
        return keybearer_worker::run();
    }
    interrupt::outlive_size_limit();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return unparsed(&error),
    };
    let terminal = arguments.terminal();
    let done = match arguments.command {
        Command::Demo(demo) => demo.run(terminal),
        Command::Serve(serve) => serve.run(terminal),
        Command::Provision(provision) => provision.run(terminal),
        Command::Play(play) => play.run(terminal),
        Command::Decrypt(decrypt) => decrypt.run(terminal),
        Command::Inspect(inspect) => inspect.run(terminal),
        Command::Explain(explain) => explain.run(terminal),
        Command::Rules(rules) => rules.run(terminal),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal.fail(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

/// Help and version are results; anything else is a wrong argument, which a program that asked for
/// `--json` finds as a document too.
fn unparsed(error: &clap::Error) -> ExitCode {
    // Standard error or standard output gone: nobody is left to tell.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        // The first paragraph: what is wrong, and below it the arguments it is wrong with.
        let lines = text.lines().take_while(|line| !line.is_empty());
        let what = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        terminal::document(&Failure::usage(what.trim_start_matches("error: ")));
    }
    ExitCode::from(exit::Exit::Usage.code())
}

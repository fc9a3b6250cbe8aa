//! The command line as a whole; each command's own arguments stand beside what it does.

use clap::{Parser, Subcommand};

use crate::terminal::{STYLES, Terminal};
use crate::{decrypt, demo, exit, explain, inspect, play, provision, rules, serve};

/// Content keys, carried from a licence server to where they may be used.
#[derive(Debug, Parser)]
#[command(
    name = "keybearer",
    version,
    styles = STYLES,
    max_term_width = 100,
    propagate_version = true,
    after_help = format!("{EXAMPLES}\n\n{}", exit::HELP),
)]
pub(crate) struct Arguments {
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Leave out progress and remarks
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  keybearer demo                       see all of it work; needs nothing
  keybearer inspect film.mp4           how is this file protected?
  keybearer play film.mp4 -o clear.mp4
  keybearer explain LevelTooLow        what does this word mean?";

impl Arguments {
    pub(crate) const fn terminal(&self) -> Terminal {
        Terminal {
            json: self.json,
            quiet: self.quiet,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Provision(provision::Provision),
    Play(play::Play),
    Decrypt(decrypt::Decrypt),
    Inspect(inspect::Inspect),
    Explain(explain::Explain),
    Rules(rules::RulesCommand),
}

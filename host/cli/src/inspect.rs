//! `keybearer inspect`: what a file, a `pssh` box or a message of the licence protocol says about
//! protection, as a tree. Nothing is verified and nothing decrypted; what is sealed stays sealed.

mod file;
mod message;
mod pssh;
mod source;
mod systems;
mod tree;

use clap::Args;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;
use source::{Content, Source};
use tree::Tree;

const EXAMPLES: &str = "\
Examples:
  keybearer inspect film.mp4             tracks, schemes, key ids, pssh
  keybearer inspect --boxes film.mp4     every box
  keybearer inspect AAAANHBzc2gBAAAA…    a pssh box, base64 or hexadecimal
  curl -s http://127.0.0.1:7480/v1/service-info | keybearer inspect -
                                         a message: service info, request,
                                         licence, certificate, revocation list

Messages are shown as they present themselves: no signature is verified.";

/// Show how a file is protected, or what a message says
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// Files, `-` for standard input, or base64 or hexadecimal text
    #[arg(required = true, value_name = "FILE")]
    inputs: Vec<String>,
    /// Show every box of a media file
    #[arg(long)]
    boxes: bool,
}

/// What was seen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
enum Seen {
    Media(file::MediaReport),
    Pssh { pssh: Vec<pssh::PsshReport> },
    Message(message::MessageReport),
}

/// What was seen of one input.
#[derive(Debug, Serialize)]
struct Report {
    input: String,
    #[serde(flatten)]
    seen: Seen,
}

impl Inspect {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        let mut reports = Vec::new();
        for input in &self.inputs {
            let (source, name) = Source::of(input)?;
            let seen = match source.content()? {
                Content::Media => Seen::Media(file::MediaReport::of(&source, self.boxes)?),
                Content::Pssh(bytes) => Seen::Pssh {
                    pssh: pssh::of_boxes(&bytes, &name)?,
                },
                Content::Message(bytes) => {
                    Seen::Message(message::MessageReport::of(&bytes, &name)?)
                }
            };
            if !terminal.json {
                let tree = match &seen {
                    Seen::Media(media) => media.tree(&name),
                    Seen::Pssh { pssh } => {
                        Tree::new(name.clone()).with(pssh.iter().map(pssh::PsshReport::tree))
                    }
                    Seen::Message(message) => message.tree(&name),
                };
                terminal.print(&tree.to_string())?;
            }
            reports.push(Report { input: name, seen });
        }
        if terminal.json {
            terminal.print_json(&reports)?;
        }
        let broken = reports.iter().find_map(|report| match &report.seen {
            Seen::Media(media) => media.broken.as_ref().map(|what| (&report.input, what)),
            _ => None,
        });
        match broken {
            None => Ok(()),
            Some((input, what)) => {
                let mut failure = Failure::new(Exit::Input, format!("{input}: {what}"));
                // The document has said it, and there is to be one only.
                failure.quiet = terminal.json;
                Err(failure)
            }
        }
    }
}

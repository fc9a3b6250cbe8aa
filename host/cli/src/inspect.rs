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

/// What was seen of one input, or why nothing was.
#[derive(Debug, Serialize)]
struct Report {
    input: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// What came of one input.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Seen(Seen),
    Unseen { error: serde_json::Value },
}

impl Inspect {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        let mut reports = Vec::new();
        let mut failed = None;
        for input in &self.inputs {
            let seen = look(input, self.boxes);
            let (name, seen) = match seen {
                Ok(seen) => seen,
                // Of one input the failure is all there is to tell.
                Err(failure) if self.inputs.len() == 1 => return Err(failure),
                Err(failure) => {
                    terminal.complain(&failure);
                    let error = failure.document();
                    reports.push(Report {
                        input: input.clone(),
                        outcome: Outcome::Unseen { error },
                    });
                    failed.get_or_insert(failure);
                    continue;
                }
            };
            if !terminal.json {
                terminal.print(&seen.tree(&name).to_string())?;
            }
            if let Some(what) = seen.broken() {
                let failure = Failure::new(Exit::Input, format!("{name}: {what}"));
                terminal.complain(&failure);
                failed.get_or_insert(failure);
            }
            reports.push(Report {
                input: name,
                outcome: Outcome::Seen(seen),
            });
        }
        if terminal.json {
            terminal.print_json(&reports)?;
        }
        match failed {
            None => Ok(()),
            Some(mut failure) => {
                // Each was told where it was met, and there is to be one document only.
                failure.quiet = true;
                Err(failure)
            }
        }
    }
}

/// Looks at what an argument names.
fn look(input: &str, boxes: bool) -> Result<(String, Seen), Failure> {
    let (source, name) = Source::of(input)?;
    let seen = match source.content(&name)? {
        Content::Media => Seen::Media(file::MediaReport::of(&source, boxes)?),
        Content::Pssh(bytes) => Seen::Pssh {
            pssh: pssh::of_boxes(&bytes, &name)?,
        },
        Content::Message(bytes) => Seen::Message(message::MessageReport::of(&bytes, &name)?),
    };
    Ok((name, seen))
}

impl Seen {
    fn tree(&self, name: &str) -> Tree {
        match self {
            Self::Media(media) => media.tree(name),
            Self::Pssh { pssh } => Tree::new(name).with(pssh.iter().map(pssh::PsshReport::tree)),
            Self::Message(message) => message.tree(name),
        }
    }

    /// What is wrong with a file that could be looked at all the same.
    fn broken(&self) -> Option<&String> {
        match self {
            Self::Media(media) => media.broken.as_ref(),
            _ => None,
        }
    }
}

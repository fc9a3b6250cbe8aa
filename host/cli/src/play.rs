//! `keybearer play`: a protected file becomes a clear one by a licence; the keys stay in the trusted
//! side.

mod contradiction;
mod course;
mod protected;
mod stops;

use std::path::PathBuf;

use clap::Args;
use keybearer_client::{
    AnchorDigest, Client, KeyStatus, License, Licensed, ServerUrl, decrypt_file,
    explain::{kid, time},
};
use serde_json::{Value, json};

use crate::checked::Checked;
use crate::device::{self, DeviceArguments};
use crate::failure::Failure;
use crate::given;
use crate::interrupt::{self, Interruptible};
use crate::outputs::OutputsArguments;
use crate::sizes::{counted, done_with, file_name};
use crate::terminal::Terminal;
use contradiction::Contradicted;
use course::Course;
use protected::Showing;
use stops::Stopping;

const EXAMPLES: &str = "\
Examples:
  keybearer play film.mp4 -o clear.mp4
  keybearer play film.mp4 --server http://127.0.0.1:7480 -o clear.mp4
  keybearer play film.mp4 --token-file token -o clear.mp4
  keybearer play film.mp4 --protected
  keybearer play film.mp4 --outputs internal,hdmi:2.2 -o clear.mp4
  keybearer play film.mp4 --outputs-timeline outputs.toml -o clear.mp4

Without --server, the service this device was last provisioned with is asked;
its anchor is remembered from then (keybearer provision).

With --protected the tracks beside the pictures are decrypted as ever, by keys
of their own: one that has the pictures' key is refused (exit code 4), for that
key gives nothing clear back. A track that states it is refused before anything
is played, one that gets it by sample groups when their fragment is reached.";

/// Decrypt a file by a licence
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Play {
    /// The protected file (MP4, CMAF)
    file: PathBuf,
    /// Where the clear file goes; appears only when it is complete, in place of one that is there
    #[arg(short, long, value_name = "OUT", required_unless_present = "protected")]
    output: Option<PathBuf>,
    /// Decode the pictures in the trusted side and show them there: no clear file is written (level High)
    #[arg(long, conflicts_with_all = ["output", "unchecked"])]
    protected: bool,
    /// Address of the licence service [default: the one of the last provisioning]
    #[arg(long, value_name = "URL")]
    server: Option<ServerUrl>,
    /// Digest of the operator's root key [default: remembered from provisioning]
    #[arg(long, value_name = "HEX", value_parser = device::anchor)]
    anchor: Option<AnchorDigest>,
    /// A file with the authorisation token, if the content needs one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Write the result even if it does not look like what its codec writes
    #[arg(long)]
    unchecked: bool,
    #[command(flatten)]
    outputs: OutputsArguments,
    #[command(flatten)]
    device: DeviceArguments,
}

impl Play {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        interrupt::watch();
        // What is wrong with the file should be said before a service is asked.
        let size = given::media(&self.file)?;
        let state = self.device.state()?;
        let services = device::services_file(&state);
        let mut inputs = vec![
            ("the input", self.file.as_path()),
            ("the list of this device's services", &services),
        ];
        inputs.extend(
            self.token_file
                .iter()
                .map(|path| ("the token file", path.as_path())),
        );
        inputs.extend(
            self.outputs
                .file()
                .map(|path| ("the timeline of outputs", path)),
        );
        if let Some(output) = &self.output {
            given::keep_apart(output, &inputs)?;
        }
        let simulator = self.outputs.simulator()?;
        let token = self
            .token_file
            .as_deref()
            .map(device::read_token)
            .transpose()?;
        let (url, anchor) = device::choose(&state, self.server, self.anchor)?;
        let (tee, considered) = self.device.open(terminal)?;
        let tee_name = tee.info().name;
        let client = Client::new(tee, url, anchor).cancelled_by(interrupt::cancel());
        let Some(output) = self.output else {
            let showing = Showing {
                file: &self.file,
                client: &client,
                token,
                simulator,
                tee: tee_name,
                considered,
            };
            return showing.run(terminal);
        };
        let session = client.open_session()?;
        if let Some(simulator) = &simulator {
            simulator.attach(&session);
        }
        let course = Course::begin(&client, &session, token.clone(), terminal)?;
        let licensed = Licensed::new(&client, &session, token)?;

        let bar = terminal.progress(&file_name(&self.file), size);
        let checked = Checked::new(Contradicted(licensed), !self.unchecked);
        let mut decryptor = Interruptible(Stopping::new(checked, simulator, terminal));
        let done = decrypt_file(&self.file, &output, &mut decryptor, &mut |progress| {
            bar.set_position(progress.bytes);
        });
        bar.finish_and_clear();
        let checked = &decryptor.0.inner;
        let licensed = &checked.inner.0;
        let summary = done.map_err(|error| {
            let failure = Failure::of_playback(error, &self.file);
            match licensed.unrecovered() {
                Some(error) => failure.cause(error),
                None => failure,
            }
        })?;

        let (renewals, key_changes) = course.end();
        let licenses = licensed.licenses();
        if summary.protected_samples == 0 {
            terminal.warn("no sample of this file is protected; it was copied as it is");
        }
        let doubts = checked.doubts();
        for doubt in &doubts {
            doubt.tell(terminal, false);
        }
        if terminal.json {
            return terminal.print_json(&json!({
                "output": output,
                "bytes": summary.bytes,
                "fragments": summary.fragments,
                "samples": summary.samples,
                "decrypted_samples": summary.protected_samples,
                "key_ids": summary.key_ids.iter().map(kid).collect::<Vec<_>>(),
                "licenses": licenses.iter().map(described).collect::<Vec<_>>(),
                "renewals": renewals,
                "key_changes": key_changes,
                "unchecked_tracks": doubts,
                "tee": tee_name,
                "tee_considered": considered,
            }));
        }
        let mut text = format!("{}: {}\n", output.display(), done_with(&summary));
        for license in licenses {
            let ends = license
                .ends
                .map_or("no end".to_owned(), |end| format!("ends {}", time(end)));
            let keys = counted(license.keys.len() as u64, "key");
            text += &format!("licence {}: {keys}, {ends}\n", hex::encode(license.id));
        }
        terminal.print(&text)
    }
}

/// A licence for `--json`.
pub(crate) fn described(license: &License) -> Value {
    let keys = license.keys.iter().map(|key| {
        json!({
            "key_id": kid(&key.id),
            "usable": key.status == KeyStatus::Usable,
            "status": key.status.text(),
            "scheme": key.scheme.to_string(),
            "lowest_level": key.lowest_level.name(),
            "largest_picture": key.largest_picture,
        })
    });
    json!({
        "id": hex::encode(license.id),
        "sequence": license.sequence,
        "ends": license.ends.map(time),
        "keys": keys.collect::<Vec<_>>(),
    })
}

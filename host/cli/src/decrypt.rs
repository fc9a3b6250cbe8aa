//! `keybearer decrypt`: keys given by hand, no licence and no trusted side; for comparing with other
//! tools.
//!
//! Common Encryption has no integrity, so a wrong key cannot be told for certain. What can be told is:
//! a key that is missing, and clear data that its codec could not have written.

mod direct;
mod keys;

use std::path::PathBuf;

use clap::Args;
use keybearer_client::{decrypt_file, explain::kid};
use serde_json::json;

use crate::checked::Checked;
use crate::failure::Failure;
use crate::given;
use crate::interrupt::{self, Interruptible};
use crate::sizes::done_with;
use crate::terminal::Terminal;
use direct::Direct;

const EXAMPLES: &str = "\
Examples:
  keybearer decrypt film.mp4 --key-file film.keys -o clear.mp4
  keybearer decrypt film.mp4 -o clear.mp4 \\
      --key 8caa7e396f418e64ccdd707a12761c01:0a37ade2ffcc482f9dd6380a6a817f49

Key file: one KID:KEY a line, 32 hexadecimal digits each; # begins a comment.
Keep it to yourself (chmod 600).

Wrong keys: Common Encryption does not protect integrity, so a wrong key gives
garbage rather than an error. What can be told is refused: a missing key;
lengths that do not add up (H.264, HEVC, AV1); byte sequences that no H.264 or
HEVC stream holds (met in several MB of garbage, hardly in a few kB); AAC
frames without a frame in them (nearly always met). A track where none of this
would have shown is named in a warning. Compare the result, or use
`play`, where the key comes with its id under the service's signature.";

/// Decrypt a file with keys given by hand
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Decrypt {
    /// The protected file (MP4, CMAF)
    file: PathBuf,
    /// Where the clear file goes; appears only when it is complete, in place of one that is there
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// A file of KID:KEY lines
    #[arg(long, value_name = "FILE", required_unless_present = "key")]
    key_file: Option<PathBuf>,
    /// A key, hexadecimal; other users of this machine can see arguments, so prefer --key-file
    #[arg(long, value_name = "KID:KEY")]
    key: Vec<String>,
    /// Write the result even if it does not look like what its codec writes
    #[arg(long)]
    unchecked: bool,
}

impl Decrypt {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        interrupt::watch();
        let size = given::media(&self.file)?;
        let mut inputs = vec![("the input", self.file.as_path())];
        inputs.extend(
            self.key_file
                .iter()
                .map(|path| ("the key file", path.as_path())),
        );
        given::keep_apart(&self.output, &inputs)?;
        let mut keys = keys::Keys::default();
        if let Some(path) = &self.key_file {
            keys.read(path, terminal)?;
        }
        if !self.key.is_empty() {
            terminal.warn(
                "keys in arguments can be seen by other users; --key-file keeps them private",
            );
        }
        for text in self.key {
            keys.add_argument(text)?;
        }
        let bar = terminal.progress(&crate::sizes::file_name(&self.file), size);
        let mut direct = Interruptible(Checked::new(Direct::new(keys), !self.unchecked));
        let done = decrypt_file(&self.file, &self.output, &mut direct, &mut |progress| {
            bar.set_position(progress.bytes);
        });
        bar.finish_and_clear();
        let summary = done.map_err(|error| Failure::of_playback(error, &self.file))?;

        let foreign = direct.0.inner.unused();
        match &foreign[..] {
            [] => {}
            [id] => terminal.warn(format!(
                "key {} was given but this file does not need it",
                kid(id)
            )),
            several => terminal.warn(format!(
                "{} keys were given that this file does not need",
                several.len()
            )),
        }
        let doubts = direct.0.doubts();
        for doubt in &doubts {
            doubt.tell(terminal, true);
        }
        if summary.protected_samples == 0 {
            terminal.warn("no sample of this file is protected; it was copied as it is");
        }
        if terminal.json {
            return terminal.print_json(&json!({
                "output": self.output,
                "bytes": summary.bytes,
                "fragments": summary.fragments,
                "samples": summary.samples,
                "decrypted_samples": summary.protected_samples,
                "key_ids": summary.key_ids.iter().map(kid).collect::<Vec<_>>(),
                "unused_key_ids": foreign.iter().map(kid).collect::<Vec<_>>(),
                "unchecked_tracks": doubts,
            }));
        }
        terminal.print(&format!(
            "{}: {}\n",
            self.output.display(),
            done_with(&summary)
        ))
    }
}

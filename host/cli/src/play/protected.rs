//! `keybearer play --protected`: the pictures are decoded in the trusted side and go to its screen; what
//! comes back is which units were accepted. There is no clear file: nobody on this side has the pictures.

use std::path::Path;
use std::time::Duration;

use keybearer_client::{
    Client, ClientError, DecoderProblem, Presented, ProtectedPlayer, ProtectedSummary, Route,
    TrackBatch, UnitReport, Viewer, play_protected,
};
use serde_json::json;

use super::course::Course;
use super::described;
use super::stops::Stops;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outputs::Simulator;
use crate::sizes::{counted, grouped};
use crate::terminal::Terminal;

/// What is played, and with what.
pub(super) struct Showing<'a> {
    pub(super) file: &'a Path,
    pub(super) client: &'a Client,
    pub(super) token: Option<Vec<u8>>,
    pub(super) simulator: Option<Simulator>,
    pub(super) tee: &'static str,
    pub(super) considered: Vec<String>,
}

/// Notes what becomes of each unit.
struct Screen {
    simulator: Option<Simulator>,
    stops: Stops,
    /// Where in the film the units and samples at hand are.
    at: Duration,
    digests: Option<Vec<String>>,
    terminal: Terminal,
    /// The decoder was told of as lost, and has shown nothing since.
    lost: bool,
}

impl Screen {
    fn shown(&mut self, presented: &Presented) {
        if let Some(digests) = &presented.digests {
            let all = self.digests.get_or_insert_default();
            all.extend(digests.iter().map(hex::encode));
        }
    }
}

impl Viewer for Screen {
    fn at(&mut self, time: Duration) {
        self.at = time;
        if let Some(simulator) = &self.simulator {
            simulator.is_at(time);
        }
    }

    fn unit(&mut self, report: &UnitReport<'_>) {
        let (track, number) = (report.track, report.number);
        match report.outcome {
            Ok(presented) => {
                self.lost = false;
                self.shown(presented);
                if let Some(key_id) = &report.key_id {
                    self.stops.played(track, self.at, 1, key_id);
                }
            }
            Err(error) => match error.decoder_problem() {
                Some(DecoderProblem::AwaitingIdr) => {}
                Some(problem) => {
                    // Those up to the next IDR picture are lost with it: said once.
                    if !self.lost {
                        self.terminal
                            .warn(format!("track {track}, unit {number}: {problem}"));
                    }
                    self.lost = !matches!(problem, DecoderProblem::ContentRejected);
                }
                None => {
                    self.stops.stopped(track, self.at, 1, error);
                }
            },
        }
    }

    fn rest(&mut self, presented: &Presented) {
        self.shown(presented);
    }

    fn clear(&mut self, batch: &TrackBatch<'_>, samples: Result<&[u8], &ClientError>) {
        let (track, count) = (batch.track.id, batch.batch.samples().len());
        match samples {
            Ok(_) => {
                let key_id = &batch.protection.kid;
                self.stops.played(track, self.at, count, key_id);
            }
            Err(error) => {
                self.stops.stopped(track, self.at, count, error);
            }
        }
    }
}

impl Showing<'_> {
    pub(super) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        let client = self.client;
        let described_device = client.describe()?;
        if !described_device.protected {
            let level = described_device.level.name();
            return Err(Failure::new(
                Exit::Trusted,
                format!(
                    "the trusted side {} has no decoder: it is of level {level}, and pictures are decoded \
                     there at level high alone",
                    self.tee
                ),
            )
            .hint("play without --protected, with a key that allows this level"));
        }
        let protected = client.open_protected_session()?;
        let clear = client.open_session()?;
        if let Some(simulator) = &self.simulator {
            simulator.attach(protected.session());
            simulator.attach(&clear);
        }
        let courses = [
            Course::begin(client, protected.session(), self.token.clone(), terminal)?,
            Course::begin(client, &clear, self.token.clone(), terminal)?,
        ];
        let token = self.token;
        let mut player = ProtectedPlayer::new(client, &protected, &clear, token, Route::Pictures)?;
        let mut screen = Screen {
            simulator: self.simulator,
            stops: Stops::new(terminal),
            at: Duration::ZERO,
            digests: None,
            terminal,
            lost: false,
        };
        let played = play_protected(self.file, &mut player, &mut screen);
        let summary = played.map_err(|error| Failure::of_playback(error, self.file))?;
        let (mut renewals, mut key_changes) = (Vec::new(), Vec::new());
        for course in courses {
            let (renewed, changed) = course.end();
            renewals.extend(renewed);
            key_changes.extend(changed);
        }
        screen.stops.verdict()?;
        check(&summary)?;
        if !terminal.json {
            return terminal.print(&format!("{}\n", said(self.file, &summary)));
        }
        let licenses = [player.protected_licenses(), player.clear_licenses()];
        let [protected_licenses, clear_licenses] =
            licenses.map(|held| held.licenses().iter().map(described).collect::<Vec<_>>());
        terminal.print_json(&json!({
            "track": summary.track,
            "units": summary.units,
            "accepted_units": summary.accepted,
            "presented_pictures": summary.presented,
            "picture_digests": screen.digests,
            "decrypted_samples": summary.clear_samples,
            "protected_licenses": protected_licenses,
            "clear_licenses": clear_licenses,
            "level": described_device.level.name(),
            "renewals": renewals,
            "key_changes": key_changes,
            "tee": self.tee,
            "tee_considered": self.considered,
        }))
    }
}

/// A play is whole if every unit was taken.
fn check(summary: &ProtectedSummary) -> Result<(), Failure> {
    let of_all = |count| format!("{} of {}", grouped(count), counted(summary.units, "unit"));
    if summary.rejected > 0 {
        let what = format!("the decoder rejected {}", of_all(summary.rejected));
        return Err(Failure::input(what).hint(
            "the file is damaged, or its key is another one: the trusted side does not tell which",
        ));
    }
    if summary.lost > 0 {
        let what = format!("{} were lost with their decoder", of_all(summary.lost));
        return Err(Failure::new(Exit::Trusted, what));
    }
    Ok(())
}

fn said(file: &Path, summary: &ProtectedSummary) -> String {
    let units = match summary.track {
        Some(track) => format!(
            "track {track} decoded in the trusted side, {} accepted, {} presented",
            counted(summary.accepted, "unit"),
            counted(summary.presented, "picture")
        ),
        None => "no track of pictures is protected".to_owned(),
    };
    let others = counted(summary.clear_samples, "sample");
    format!(
        "{}: {units}; {others} of other tracks decrypted",
        file.display()
    )
}

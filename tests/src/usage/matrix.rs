//! The matrix: family x profile x situation, for pictures and for sound, each cell played.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use keybearer_tee::{CallError, Tee};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyReport, KeyStatus};

use super::expected::{Because, Cell, FAMILIES, PROFILES, Track, Word, cell};
use super::film::Film;
use super::player::{Player, adopt};
use super::situations::{SITUATIONS, Situation};
use crate::service::Service;

/// After so long a report is too old.
const TOO_OLD: Duration = Duration::from_millis(2_050);

/// What a matrix is played on: a device that is provisioned, and a service that has the films.
pub struct Ground<'a> {
    /// The trusted side.
    pub tee: Arc<dyn Tee>,
    /// The service.
    pub service: &'a Service,
    /// Level of its clear sessions, as the data names it.
    pub level: &'static str,
    /// Pictures.
    pub video: &'a Film,
    /// Sound.
    pub audio: &'a Film,
}

/// What a matrix came to.
#[derive(Default)]
pub struct Verdict {
    /// Cells that were played.
    pub cells: usize,
    /// What was found where something else was expected.
    pub wrong: Vec<String>,
}

impl Verdict {
    /// All cells are as expected, the last situation in both its ways.
    ///
    /// # Panics
    /// When they are not.
    pub fn assert(&self) {
        let wrong = &self.wrong;
        assert!(wrong.is_empty(), "{} cells: {wrong:#?}", wrong.len());
        let situations = SITUATIONS.len() + 1;
        assert_eq!(self.cells, FAMILIES.len() * PROFILES.len() * situations * 2);
    }

    fn compare(&mut self, of: &str, found: &Cell, wanted: &Cell) {
        self.cells += 1;
        if found != wanted {
            let wrong = format!("{of}: found {found:?}, not {wanted:?}");
            self.wrong.push(wrong);
        }
    }
}

/// A profile of a family, and the session that holds a licence under it or the rule by which there is
/// none.
struct Held {
    family: &'static str,
    profile: &'static str,
    session: Result<u64, String>,
}

/// Plays every cell on the host's word, in clear sessions.
///
/// "Nothing known" comes first, when nothing was reported yet, and once more at the end, when what was
/// reported is too old, then for all families at once.
#[must_use]
pub fn on_the_hosts_word(ground: &Ground<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut players = Vec::new();
    for family in FAMILIES {
        adopt(ground.service, family);
        let mut player = Player::new(&ground.tee, ground.service, false);
        let held = PROFILES.map(|profile| Held {
            family,
            profile,
            session: player.acquire(profile, &[ground.video.kid(), ground.audio.kid()]),
        });
        let unknown_first = SITUATIONS.iter().rev();
        for (sequence, situation) in (1..).zip(unknown_first) {
            if let Some(outputs) = situation.outputs {
                let reported = player.report(sequence, outputs);
                reported.unwrap_or_else(|error| panic!("{}: {error}", situation.name));
            }
            play(ground, &mut player, &held, situation, &mut verdict);
        }
        players.push((player, held));
    }
    sleep(TOO_OLD);
    let too_old = Situation {
        name: "a report that is too old",
        outputs: None,
    };
    for (mut player, held) in players {
        play(ground, &mut player, &held, &too_old, &mut verdict);
    }
    verdict
}

/// Plays the cells of one family in one situation.
fn play(
    ground: &Ground<'_>,
    player: &mut Player,
    held: &[Held],
    situation: &Situation,
    verdict: &mut Verdict,
) {
    for Held {
        family,
        profile,
        session,
    } in held
    {
        for (track, film) in [(Track::Video, ground.video), (Track::Audio, ground.audio)] {
            let of = format!("{family} {profile}, {}, {track:?}", situation.name);
            let rules = (*family, *profile);
            let wanted = cell(rules, ground.level, track, Word::Host, situation.outputs);
            let found = match session {
                Err(rule) => Cell::Denied(rule.clone()),
                Ok(session) => {
                    let key = player.key(*session, film.kid());
                    let played = film.play(&mut player.connection, *session);
                    held_cell(&of, &key, played)
                }
            };
            verdict.compare(&of, &found, &wanted);
        }
    }
}

/// What the trusted side says of a key and does with it, which must agree.
fn held_cell(of: &str, key: &KeyReport, played: Result<(), CallError>) -> Cell {
    let plays = match played {
        Ok(()) => true,
        Err(CallError::Refused(Status::KeyNotUsable)) => false,
        Err(other) => panic!("{of}: {other}"),
    };
    let (status, largest) = match plays {
        true => (KeyStatus::Usable, None),
        false => (KeyStatus::OutputRestricted, Some(0)),
    };
    assert_eq!((key.status, key.largest_picture), (status, largest), "{of}");
    let reasons = key.reasons.0.iter();
    let reasons: Vec<Because> = reasons
        .map(|reason| (reason.field, reason.wanted, reason.found, reason.output))
        .collect();
    Cell::Held { plays, reasons }
}

/// The cells of pictures as a table for people: a line a profile, a letter a situation, `.` where it
/// plays.
#[must_use]
pub fn table(level: &str, word: Word) -> String {
    let mut table = String::new();
    for family in FAMILIES {
        for profile in PROFILES {
            let letters: Vec<&str> = SITUATIONS
                .iter()
                .map(|situation| {
                    letter(&cell(
                        (family, profile),
                        level,
                        Track::Video,
                        word,
                        situation.outputs,
                    ))
                })
                .collect();
            table += &format!("{family:<10} {profile:<7} {}\n", letters.join(" "));
        }
    }
    table
}

fn letter(cell: &Cell) -> &'static str {
    use keybearer_wire::body::ReasonField as Field;
    match cell {
        Cell::Denied(_) => "-",
        Cell::Held { plays: true, .. } => ".",
        Cell::Held { reasons, .. } => match reasons[0].0 {
            Field::Outputs => "?",
            Field::DigitalVideo => "h",
            Field::CompressedVideo => "c",
            Field::AnalogVideo => "a",
            Field::Airplay => "w",
            Field::Recording => "r",
            other => panic!("{other:?}"),
        },
    }
}

//! What happens when the outputs change while something plays, on the host's word: no more than a call
//! goes by, and no key suffers for another.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use keybearer_server::ProfileForm;
use keybearer_tee::{CallError, Tee};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, Reason, ReasonField};
use serde_json::json;

use super::film::Film;
use super::player::{Player, adopt};
use super::situations::{ANALOG, BARE_HDMI, GOOD_HDMI};
use crate::high::refusal;
use crate::service::Service;

/// The largest picture of a constrained one, in pixels (section 1.1 of the rules, `imageConstraint`).
pub const CONSTRAINED: u32 = 520_000;
/// A profile that lets a small picture leave on analogue outputs.
pub const SMALL_ANALOG: &str = "small-analogue";

/// A device with a service that has an HD and an SD track.
pub struct Ground<'a> {
    /// The trusted side.
    pub tee: Arc<dyn Tee>,
    /// The service.
    pub service: &'a Service,
    /// A track whose key is for high definition.
    pub hd: &'a Film,
    /// One whose key is for standard definition.
    pub sd: &'a Film,
}

impl Ground<'_> {
    fn player(&self) -> Player {
        adopt(self.service, "PRM");
        Player::new(&self.tee, self.service, false)
    }
}

/// Defines [`SMALL_ANALOG`].
///
/// # Panics
/// When the service does not take it.
pub fn define_small_analog(service: &Service) {
    let rules =
        json!({ "digitalOnly": false, "unprotectedAnalogOutput": true, "imageConstraint": true });
    let form: ProfileForm =
        serde_json::from_value(json!({ "PRM": rules })).expect("the rules are the family's");
    let put = service.server().registry().put_profile(SMALL_ANALOG, &form);
    assert!(put.expect("the profile is acceptable").is_empty());
}

/// HDCP is lost while both tracks play.
///
/// # Panics
/// When the HD key does not stop within one call, or the SD key does.
pub fn hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on(ground: &Ground<'_>) {
    let mut player = ground.player();
    let hd = player.acquire("HD", &[ground.hd.kid()]).expect("a licence");
    let sd = player.acquire("SD", &[ground.sd.kid()]).expect("a licence");
    let report = |player: &mut Player, sequence, output| {
        player.report(sequence, &[output]).expect("a newer report");
    };
    report(&mut player, 1, GOOD_HDMI);
    let first = |player: &mut Player, film: &Film, session| {
        film.decrypt(0, &mut player.connection, session).map(drop)
    };
    first(&mut player, ground.hd, hd).expect("under HDCP it plays");
    first(&mut player, ground.sd, sd).expect("and so does this");
    let (_, before) = player.keys(hd);

    report(&mut player, 2, BARE_HDMI);
    let stopped = first(&mut player, ground.hd, hd);
    assert_eq!(refusal(stopped), Status::KeyNotUsable);
    ground
        .sd
        .play(&mut player.connection, sd)
        .expect("to its end");
    let (keys, after) = player.keys(hd);
    assert!(after > before, "an event is due");
    assert_eq!(keys[0].status, KeyStatus::OutputRestricted);
    assert_eq!(keys[0].reasons.0[0], hdcp_missing());

    report(&mut player, 3, GOOD_HDMI);
    ground
        .hd
        .play(&mut player.connection, hd)
        .expect("it comes back with HDCP");
    player.close(hd);
    player.close(sd);
}

/// HDCP 1.x at least was wanted on HDMI, and there is none.
fn hdcp_missing() -> Reason {
    Reason {
        field: ReasonField::DigitalVideo,
        wanted: Some(10),
        found: Some(0),
        output: Some(BARE_HDMI.kind.number()),
    }
}

/// An analogue cable is plugged in where nothing makes pictures smaller.
///
/// # Panics
/// When the large picture goes on, its key does not say how large one may be, or the small one stops.
pub fn analogue_plugged_in_refuses_the_large_picture_and_names_the_largest(ground: &Ground<'_>) {
    let mut player = ground.player();
    let hd = player
        .acquire(SMALL_ANALOG, &[ground.hd.kid()])
        .expect("a licence");
    let sd = player
        .acquire(SMALL_ANALOG, &[ground.sd.kid()])
        .expect("a licence");
    player.report(1, &[GOOD_HDMI]).expect("a newer report");
    ground
        .hd
        .play(&mut player.connection, hd)
        .expect("it plays");
    player
        .report(2, &[GOOD_HDMI, ANALOG])
        .expect("a newer report");
    let refused = ground.hd.decrypt(0, &mut player.connection, hd);
    assert_eq!(refusal(refused), Status::KeyNotUsable);
    let key = player.key(hd, ground.hd.kid());
    assert_eq!(key.status, KeyStatus::OutputRestricted);
    assert_eq!(
        key.largest_picture,
        NonZeroU32::new(CONSTRAINED).map(NonZeroU32::get)
    );
    assert_eq!(key.reasons.0[0].field, ReasonField::AnalogPicture);
    assert_eq!(key.reasons.0[0].wanted, Some(CONSTRAINED.into()));
    // The player switches to the smaller track, whose key allows its picture whole.
    ground
        .sd
        .play(&mut player.connection, sd)
        .expect("it plays");
    assert_eq!(player.key(sd, ground.sd.kid()).status, KeyStatus::Usable);
    player.close(hd);
    player.close(sd);
}

/// What a report must not do, whoever sends it however: nothing that is refused changes anything.
struct Watched<'a> {
    ground: &'a Ground<'a>,
    player: Player,
    session: u64,
}

impl<'a> Watched<'a> {
    fn new(ground: &'a Ground<'a>) -> Self {
        let mut player = ground.player();
        let session = player.acquire("HD", &[ground.hd.kid()]).expect("a licence");
        Self {
            ground,
            player,
            session,
        }
    }

    fn assert_plays(&mut self, plays: bool) {
        let film = self.ground.hd;
        let played = film.decrypt(0, &mut self.player.connection, self.session);
        match plays {
            true => drop(played.expect("it plays")),
            false => assert_eq!(refusal(played), Status::KeyNotUsable),
        }
    }
}

/// A good report is sent again after a bad one.
///
/// # Panics
/// When it counts.
pub fn a_replayed_report_is_refused_and_the_newer_one_stands(ground: &Ground<'_>) {
    let mut watched = Watched::new(ground);
    watched.player.report(1, &[GOOD_HDMI]).expect("the first");
    watched.player.report(2, &[BARE_HDMI]).expect("a newer one");
    for replayed in [1, 2] {
        let told = watched.player.report(replayed, &[GOOD_HDMI]);
        assert_eq!(refusal(told), Status::StaleReport);
        watched.assert_plays(false);
    }
}

/// A report is overtaken by a later one.
///
/// # Panics
/// When it counts.
pub fn a_report_out_of_order_is_refused_and_the_newer_one_stands(ground: &Ground<'_>) {
    let mut watched = Watched::new(ground);
    watched.player.report(9, &[BARE_HDMI]).expect("the first");
    let told = watched.player.report(8, &[GOOD_HDMI]);
    assert_eq!(refusal(told), Status::StaleReport);
    watched.assert_plays(false);
    watched
        .player
        .report(10, &[GOOD_HDMI])
        .expect("a newer one");
    let told = watched.player.report(9, &[BARE_HDMI]);
    assert_eq!(refusal(told), Status::StaleReport);
    watched.assert_plays(true);
}

/// Nothing new is reported for more than two seconds.
///
/// # Panics
/// When the old report still counts.
pub fn a_report_older_than_two_seconds_counts_no_more(ground: &Ground<'_>) {
    let mut watched = Watched::new(ground);
    watched.player.report(1, &[GOOD_HDMI]).expect("the first");
    watched.assert_plays(true);
    sleep(Duration::from_millis(2_050));
    watched.assert_plays(false);
    let key = watched.player.key(watched.session, ground.hd.kid());
    assert_eq!(key.reasons.0[0].field, ReasonField::Outputs);
    watched.player.report(2, &[GOOD_HDMI]).expect("a newer one");
    watched.assert_plays(true);
}

/// Another client reports what this one's outputs do not give, and what they do.
///
/// # Panics
/// When it counts here.
pub fn another_clients_report_counts_for_nothing_here(ground: &Ground<'_>) {
    let mut watched = Watched::new(ground);
    let mut other = Player::new(&ground.tee, ground.service, false);
    other.report(1, &[GOOD_HDMI]).expect("its own");
    watched.assert_plays(false);
    watched
        .player
        .report(1, &[GOOD_HDMI])
        .expect("the first here");
    other.report(2, &[BARE_HDMI]).expect("its own");
    watched.assert_plays(true);
    // Nor does it get at this one's sessions.
    let stolen = ground.hd.decrypt(0, &mut other.connection, watched.session);
    assert!(matches!(stolen, Err(CallError::Refused(_))), "{stolen:?}");
}

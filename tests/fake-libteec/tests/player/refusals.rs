//! What a protected play meets: each by name, and none of it ends more than it must.

use keybearer_client::{
    ClientError, DecoderProblem, Level, PlaybackError, Presented, ProtectedUnit, Route, UnitReport,
    Viewer, play_protected,
};
use keybearer_crypto::Secret;
use keybearer_server::{KeySource, KeySpec};
use keybearer_tee::Tee;
use keybearer_tee_optee::OpteeTee;

use crate::world::{Shown, World, digests, ffmpegs_pictures, sample};

const FILM: &str = "cenc-video.mp4";
/// The unit that begins the second half.
const SECOND_IDR: u64 = 25;

fn high(key: &mut KeySpec, _: bool) {
    key.lowest_level = Level::High;
}

/// What became of the units, in words, and the pictures that came nevertheless.
#[derive(Default)]
struct Fates {
    fates: Vec<&'static str>,
    digests: Vec<[u8; 32]>,
    /// What happens after the unit of this number.
    after: Option<(u64, Box<dyn FnOnce()>)>,
}

impl Viewer for Fates {
    fn unit(&mut self, report: &UnitReport<'_>) {
        let fate = match report.outcome {
            Ok(presented) => {
                self.rest(presented);
                "accepted"
            }
            Err(error) => match error.decoder_problem() {
                Some(DecoderProblem::ContentRejected) => "rejected",
                Some(DecoderProblem::Failed) => "failed",
                Some(DecoderProblem::AwaitingIdr) => "awaiting",
                Some(DecoderProblem::NoMemory) => "no memory",
                other => panic!("unit {}: {error} ({other:?})", report.number),
            },
        };
        self.fates.push(fate);
        if self
            .after
            .as_ref()
            .is_some_and(|(number, _)| *number == report.number)
            && let Some((_, act)) = self.after.take()
        {
            act();
        }
    }

    fn rest(&mut self, presented: &Presented) {
        self.digests.extend(digests(presented));
    }
}

impl Fates {
    fn count(&self, fate: &str) -> usize {
        self.fates.iter().filter(|it| **it == fate).count()
    }
}

/// A licence whose key is another one than the file's: no picture, and no word on what came out.
#[test]
fn content_that_does_not_decode_is_rejected_and_the_play_goes_on() {
    let world = World::high(&[FILM], |key, picture| {
        high(key, picture);
        key.source = KeySource::Given(Secret::copied_from(&[0x99; 16]));
    });
    let (protected, clear) = world.sessions();
    let mut player = world.player(&protected, &clear, Route::Pictures);
    let mut fates = Fates::default();
    let summary = play_protected(&sample(FILM), &mut player, &mut fates).expect("to the end");
    assert_eq!(fates.fates.len(), 50);
    assert_eq!((fates.fates[0], fates.fates[25]), ("rejected", "rejected"));
    assert_eq!(summary.rejected, fates.count("rejected") as u64);
    assert_eq!((summary.presented, fates.digests.len()), (0, 0));
}

#[test]
fn a_decoder_that_dies_is_replaced_at_the_next_idr_picture() {
    let world = World::high(&[FILM], high);
    let (protected, clear) = world.sessions();
    let mut player = world.player(&protected, &clear, Route::Pictures);
    let board = world.board.clone();
    let mut fates = Fates {
        after: Some((10, Box::new(move || board.kill_decoders()))),
        ..Fates::default()
    };
    let summary = play_protected(&sample(FILM), &mut player, &mut fates).expect("to the end");
    assert_eq!(fates.fates[11], "failed");
    assert_eq!(
        fates.count("awaiting"),
        usize::try_from(SECOND_IDR).expect("small") - 12
    );
    assert_eq!(
        (summary.lost, summary.accepted),
        (SECOND_IDR - 11, 50 - (SECOND_IDR - 11))
    );
    let (shown, all) = (fates.digests, ffmpegs_pictures());
    assert_eq!(
        shown[shown.len() - 25..],
        all[25..],
        "the second half is whole"
    );
    assert_eq!(shown[..shown.len() - 25], all[..shown.len() - 25]);
}

/// While somebody else has the memory for a decoder, a film is refused before its first unit; when it is
/// lost and taken in the middle, the play waits for the IDR picture after which there is some again.
#[test]
fn where_there_is_no_memory_for_a_decoder_that_is_said() {
    let world = World::high(&[FILM], high);
    let other = OpteeTee.connect_decoder().expect("memory for one");
    let (protected, clear) = world.sessions();
    let mut player = world.player(&protected, &clear, Route::Pictures);
    let mut fates = Fates::default();
    let refused = play_protected(&sample(FILM), &mut player, &mut fates);
    let Err(PlaybackError::Decryptor(error)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        matches!(error.decoder_problem(), Some(DecoderProblem::NoMemory)),
        "{error}"
    );
    assert!(error.to_string().contains("no-decoder-memory"), "{error}");
    assert_eq!(fates.fates.len(), 0);
    drop(other);

    let board = world.board.clone();
    fates.after = Some((
        10,
        Box::new(move || {
            board.kill_decoders();
            board.decoders(0);
        }),
    ));
    let mut player = world.player(&protected, &clear, Route::Pictures);
    let summary = play_protected(&sample(FILM), &mut player, &mut fates).expect("to the end");
    assert_eq!(fates.fates[25], "no memory");
    assert_eq!((summary.accepted, summary.lost), (11, 39));
    world.board.decoders(1);
    let summary = play_protected(&sample(FILM), &mut player, &mut Shown::default());
    assert_eq!(summary.expect("there is memory again").presented, 50);
}

/// The key TA dies: the session is opened anew at the same level, its keys acquired once more, and the
/// decoder begins with the next IDR picture.
#[test]
fn a_dead_key_side_is_opened_anew_and_the_film_goes_on() {
    let world = World::high(&[FILM], high);
    let (protected, clear) = world.sessions();
    let mut player = world.player(&protected, &clear, Route::Pictures);
    let board = world.board.clone();
    let mut fates = Fates {
        after: Some((10, Box::new(move || board.kill()))),
        ..Fates::default()
    };
    let summary = play_protected(&sample(FILM), &mut player, &mut fates).expect("to the end");
    let (shown, all) = (fates.digests, ffmpegs_pictures());
    assert_eq!(
        shown[shown.len() - 25..],
        all[25..],
        "the second half is whole"
    );
    assert_eq!(summary.units, 50);
    let held = protected.session().statuses().expect("it lives");
    assert_eq!(held.licenses.len(), 1);
    assert_eq!(world.levels_in_the_log(), ["high"]);
}

#[test]
fn another_codec_than_h264_is_refused_before_a_sample() {
    let film = "cenc-hevc.mp4";
    let world = World::high(&[film], high);
    let (protected, clear) = world.sessions();
    let mut player = world.player(&protected, &clear, Route::AsNeeded);
    let mut fates = Fates::default();
    let refused = play_protected(&sample(film), &mut player, &mut fates);
    let Err(PlaybackError::Decryptor(error)) = refused else {
        panic!("{refused:?}")
    };
    let unsupported = error.decoder_problem();
    assert!(
        matches!(unsupported, Some(DecoderProblem::UnsupportedCodec)),
        "{error}"
    );
    assert_eq!(fates.fates.len(), 0);
}

#[test]
fn what_is_asked_of_no_track_is_refused_as_that() {
    let world = World::high(&[FILM], high);
    let (protected, _clear) = world.sessions();
    let unit = ProtectedUnit {
        time: 0,
        duration_ms: 40,
        protection: None,
        license: None,
        idr: true,
    };
    let refusals: [Result<Presented, ClientError>; 3] = [
        protected.submit(&unit, &[0, 0, 0, 1, 0x65]),
        protected.flush(),
        protected.skip().map(|()| Presented::default()),
    ];
    for refused in refusals {
        let error = refused.expect_err("no track");
        assert!(
            matches!(error.decoder_problem(), Some(DecoderProblem::NotConfigured)),
            "{error}"
        );
    }
}

//! The decoder plays one track: another whose samples need its key is named, and one that only seems to
//! need it plays.

use std::ops::Range;
use std::path::PathBuf;

use keybearer_client::{
    ClientError, Level, PlaybackError, ProtectedSummary, Route, TrackBatch, UnitReport, Viewer,
    play_protected,
};

use crate::world::{Shown, World, ffmpegs_pictures, sample, sound};

/// Two fragments, of both tracks each; half of the pictures in each.
const FILM: &str = "cenc-both.mp4";
const PICTURES: u32 = 1;
const SOUND: u32 = 2;

/// [`FILM`] with something else in it.
struct Altered {
    bytes: Vec<u8>,
    /// The keys of the pictures and of the sound.
    picture: [u8; 16],
    sound: [u8; 16],
    folder: tempfile::TempDir,
}

impl Altered {
    fn new() -> Self {
        let files = keybearer_tests::samples::all();
        let file = files.iter().find(|file| file.file == FILM).expect("there");
        let of = |kind| file.tracks.iter().find(|track| track.kind == kind);
        let of = |kind| of(kind).expect("it has both").kid;
        Self {
            bytes: std::fs::read(sample(FILM)).expect("it is there"),
            picture: of("video"),
            sound: of("audio"),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The sound's `tenc` names the key of the pictures.
    fn under_one_key() -> Self {
        let mut film = Self::new();
        let tenc = film.tenc();
        film.bytes[tenc.start + 16..tenc.end].copy_from_slice(&film.picture);
        film
    }

    /// Where the sound's `tenc` is.
    fn tenc(&self) -> Range<usize> {
        let at = self.bytes.windows(4).enumerate();
        let mut at = at.filter(|(_, kind)| kind == b"tenc");
        let (at, _) = at.nth(1).expect("that of the second track");
        at - 4..at + 28
    }

    /// The box on a path: each of a kind, and which one of those.
    fn find(&self, path: &[(&[u8; 4], usize)]) -> Option<Range<usize>> {
        let mut within = 0..self.bytes.len();
        for (depth, (kind, number)) in path.iter().enumerate() {
            let mut at = within.start + if depth == 0 { 0 } else { 8 };
            let mut left = *number;
            within = loop {
                if at >= within.end {
                    return None;
                }
                let size = self.number(at);
                match self.bytes[at + 4..at + 8] == **kind {
                    true if left == 0 => break at..at + size,
                    true => left -= 1,
                    false => {}
                }
                at += size;
            };
        }
        Some(within)
    }

    fn number(&self, at: usize) -> usize {
        let number = self.bytes[at..at + 4].try_into().expect("four");
        u32::from_be_bytes(number) as usize
    }

    fn add(&mut self, at: usize, more: usize) {
        let sum = u32::try_from(self.number(at) + more).expect("small");
        self.bytes[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    }

    /// Takes the last box of a path out of sight.
    fn free(&mut self, path: &[(&[u8; 4], usize)]) {
        let begin = self.find(path).expect("it is there").start;
        self.bytes[begin + 4..begin + 8].copy_from_slice(b"free");
    }

    /// A group (`seig`) of all samples of which nothing else is said, at the end of the last box of a path.
    fn group(&mut self, path: &[(&[u8; 4], usize)], key: [u8; 16]) {
        let mut sgpd = [&[0; 4][..], b"sgpd", &[2, 0, 0, 0], b"seig"].concat();
        // The length of each, the default one, and how many.
        for number in [20_u32, 1, 1] {
            sgpd.extend(number.to_be_bytes());
        }
        // Protected, with vectors of 16 bytes.
        sgpd.extend([0, 0, 1, 16]);
        sgpd.extend(key);
        let len = u32::try_from(sgpd.len()).expect("small");
        sgpd[..4].copy_from_slice(&len.to_be_bytes());
        let end = self.find(path).expect("it is there").end;
        for depth in 1..=path.len() {
            let within = self.find(&path[..depth]).expect("it is there");
            self.add(within.start, sgpd.len());
        }
        self.bytes.splice(end..end, sgpd.iter().copied());
        if path[0].0 == b"moof" {
            // The samples lie behind the fragment's head, from whose beginning `trun` counts.
            for track in 0..2 {
                let trun = [path[0], (b"traf", track), (b"trun", 0)];
                let trun = self.find(&trun).expect("each has one");
                self.add(trun.start + 16, sgpd.len());
            }
        }
    }

    fn stored(&self) -> PathBuf {
        let path = self.folder.path().join("film.mp4");
        std::fs::write(&path, &self.bytes).expect("written");
        path
    }
}

/// Where the groups of the sound's track stand.
const OF_SOUND: [(&[u8; 4], usize); 5] = [
    (b"moov", 0),
    (b"trak", 1),
    (b"mdia", 0),
    (b"minf", 0),
    (b"stbl", 0),
];

fn world() -> World {
    World::high(&[FILM], |key, picture| {
        key.lowest_level = if picture { Level::High } else { Level::Medium };
    })
}

/// Counts what is played before a play is refused.
#[derive(Default)]
struct Before {
    units: usize,
    sound: usize,
}

impl Viewer for Before {
    fn unit(&mut self, report: &UnitReport<'_>) {
        assert!(report.outcome.is_ok(), "unit {}", report.number);
        self.units += 1;
    }

    fn clear(&mut self, batch: &TrackBatch<'_>, _: Result<&[u8], &ClientError>) {
        self.sound += batch.batch.samples().len();
    }
}

/// Plays what is refused, on both routes, and says how many units came before.
fn refused(film: &Altered) -> Before {
    let world = world();
    let input = film.stored();
    let played = [Route::Pictures, Route::AsNeeded].map(|route| {
        let (protected, clear) = world.sessions();
        let mut player = world.player(&protected, &clear, route);
        let mut before = Before::default();
        match play_protected(&input, &mut player, &mut before) {
            Err(PlaybackError::Decryptor(ClientError::ProtectedPathTaken {
                track,
                key_id,
                playing,
            })) => {
                let expected = (SOUND, PICTURES, film.picture);
                assert_eq!((track, playing, key_id), expected, "{route:?}");
            }
            other => panic!("{route:?}: {other:?}"),
        }
        before
    });
    let [before, as_needed] = played;
    assert_eq!(before.units, as_needed.units);
    assert_eq!(before.sound, as_needed.sound);
    before
}

fn played(film: &Altered, what: &str) -> Vec<(ProtectedSummary, Shown)> {
    let world = world();
    let input = film.stored();
    let played = [Route::Pictures, Route::AsNeeded].map(|route| {
        let (protected, clear) = world.sessions();
        let mut player = world.player(&protected, &clear, route);
        let mut shown = Shown::default();
        let summary = play_protected(&input, &mut player, &mut shown);
        let summary = summary.unwrap_or_else(|error| panic!("{what}, {route:?}: {error}"));
        assert_eq!(shown.digests, ffmpegs_pictures(), "{what}, {route:?}");
        (summary, shown)
    });
    played.into()
}

/// Sound under the key of the pictures: that key gives nothing clear back. Both tracks are named, before
/// anything is shown, also where the sound begins in a later fragment.
#[test]
fn a_track_under_the_pictures_key_is_named_before_anything_is_played() {
    let mut film = Altered::under_one_key();
    assert_eq!(refused(&film).units, 0);
    film.free(&[(b"moof", 0), (b"traf", 1)]);
    assert_eq!(refused(&film).units, 0, "only the second has sound");
}

/// `default_isProtected` is 0: the key that stands beside it is nobody's.
#[test]
fn a_clear_track_that_states_the_pictures_key_plays_beside_it() {
    let mut film = Altered::under_one_key();
    let tenc = film.tenc();
    film.bytes[tenc.start + 14..tenc.start + 16].fill(0);
    // What is clear has no vectors.
    for (fragment, kind) in [0, 1]
        .map(|at| [b"saiz", b"saio", b"senc"].map(|kind| (at, kind)))
        .concat()
    {
        film.free(&[(b"moof", fragment), (b"traf", 1), (kind, 0)]);
    }
    for (summary, shown) in played(&film, "clear sound") {
        assert_eq!((summary.accepted, summary.clear_samples), (50, 0));
        assert!(shown.sound.is_empty(), "it needs no key");
    }
}

/// Groups give the sound the key that it was protected with, whatever its track states.
#[test]
fn a_track_whose_groups_have_another_key_than_it_states_plays() {
    let mut of_track = Altered::under_one_key();
    let own = of_track.sound;
    of_track.group(&OF_SOUND, own);
    let mut of_fragments = Altered::under_one_key();
    for number in 0..2 {
        of_fragments.group(&[(b"moof", number), (b"traf", 1)], own);
    }
    for (film, what) in [(of_track, "of the track"), (of_fragments, "of fragments")] {
        for (summary, shown) in played(&film, what) {
            assert_eq!((summary.accepted, summary.clear_samples), (50, 95));
            assert!(shown.sound == sound(), "{what}");
        }
    }
}

/// What only a later fragment says is met there, with the pictures before it already shown.
#[test]
fn a_later_fragment_under_the_pictures_key_is_refused_when_it_is_reached() {
    let mut film = Altered::new();
    film.group(&[(b"moof", 1), (b"traf", 1)], film.picture);
    let before = refused(&film);
    assert_eq!((before.units, before.sound), (25, 48));
}

//! High against its parts: the key TA and the decoder TA together, the decoder TA with clear units,
//! `crates/video` alone, and the H.264 decoder alone.
//!
//! All of them decode the same pictures and take the same digest of each, which is part of all times and
//! is compared with FFmpeg's. What the others do beside that is the product's: tickets, rules,
//! decryption from one application into the other, limits, order, and a call for each unit.

use std::time::Duration;

use keybearer_license::Scheme;
use keybearer_rules::Level;
use keybearer_tests::clips::{Clip, Protected, protect};
use keybearer_tests::guest::{self, timed};
use keybearer_tests::high::scenarios::Ground;
use keybearer_tests::high::{Decoder, Key};
use keybearer_tests::raw::{Client, Parameter, Registered, SUCCESS, Way};
use keybearer_wire::decoder::body::Presented;

use super::{BEHIND, RESPONSE, line, medians, registered};

/// The application with a decoder and nothing else, and its commands.
const DECODE_TA: &str = include_str!("../../../qemu/decode-ta/uuid.txt").trim_ascii();
const BEGIN: u32 = 0;
const BARE: u32 = 1;
const SILENT: u32 = 2;
const ROOM: u32 = 3;

/// The largest pictures that the decoder TA's memory holds, with the most references there.
const CLIP: &str = "high-352x288";
/// So many times one after the other; each begins with an IDR picture.
const TIMES: usize = 5;

const KEY: Key = Key {
    kid: [0xb9; 16],
    key: [0x69; 16],
    scheme: Scheme::Cenc,
};

/// The clip in the forms that the candidates take.
struct Film {
    record: Vec<u8>,
    /// As containers hold them.
    clear: Vec<Vec<u8>>,
    /// With start codes.
    annex_b: Vec<Vec<u8>>,
    protected: Vec<Protected>,
    /// FFmpeg's, sorted.
    digests: Vec<[u8; 32]>,
}

impl Film {
    fn of(times: usize) -> Self {
        let clip = Clip::read(CLIP);
        let digests = sorted(clip.digests().repeat(times));
        let units = std::iter::repeat_n(clip.units, times);
        let clear: Vec<Vec<u8>> = units.flatten().collect();
        let numbered = (1..).zip(&clear);
        let protected = numbered.map(|(number, unit)| protect(KEY.scheme, &KEY.key, number, unit));
        Self {
            record: clip.record,
            annex_b: clear.iter().map(|unit| with_start_codes(unit)).collect(),
            protected: protected.collect(),
            clear,
            digests,
        }
    }

    /// Every picture was decoded, and is what it should be.
    fn assert_shown(&self, digests: Vec<[u8; 32]>) {
        assert_eq!(sorted(digests), self.digests);
    }
}

fn sorted(mut digests: Vec<[u8; 32]>) -> Vec<[u8; 32]> {
    digests.sort_unstable();
    digests
}

/// A unit with lengths of four bytes in the form of ITU-T H.264 annex B.
fn with_start_codes(unit: &[u8]) -> Vec<u8> {
    let mut unit = unit.to_vec();
    let mut at = 0;
    while let Some(Ok(length)) = unit.get(at..at + 4).map(<[u8; 4]>::try_from) {
        unit[at..at + 4].copy_from_slice(&[0, 0, 0, 1]);
        at += 4 + u32::from_be_bytes(length) as usize;
    }
    unit
}

/// Prints its lines. Nothing else may need OP-TEE's memory meanwhile: it has room for one decoder.
pub(crate) fn run() {
    let _turn = guest::turn();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let service = guest::operator(folder.path(), &[]);
    let ground = Ground::with_keys(guest::optee(), service, Level::High, &[KEY]);
    // What OP-TEE has just loaded, the emulator has to translate first: that is no candidate's time, so
    // each instance begins with a run that is not counted.
    let (once, film) = (Film::of(1), Film::of(TIMES));

    let [start, high, clear, bare_start, bare, whole, silent, room] = medians(|| {
        let [start, high, clear] = product(&ground, &once, &film);
        let mut alone = Alone::new();
        let bare_start = alone.opened + alone.begin(&film.record);
        alone.play(&once, BARE, 1);
        alone.play(&once, ROOM, 1);
        let bare = alone.play(&film, BARE, 1);
        let silent = alone.play(&film, SILENT, 1);
        let whole = alone.play(&film, BARE, film.annex_b.len());
        let room = alone.play(&film, ROOM, 1);
        [start, high, clear, bare_start, bare, whole, silent, room]
    });
    let pictures = film.clear.len();
    let of = |what: &str| format!("{what}, {pictures} pictures");
    line(&of("High / bare decoder"), high, bare, "0.9");
    line(&of("High / bare decoder, all in one call"), high, whole, "");
    line(&of("High with clear units / bare decoder"), clear, bare, "");
    line(&of("crates/video alone / bare decoder"), room, bare, "");
    line(
        &of("bare decoder / the same without digests"),
        bare,
        silent,
        "",
    );
    line(
        "opening: High with ticket / bare decoder",
        start,
        bare_start,
        "",
    );
}

/// Through both trusted applications: until the first unit may come, protected units, clear ones.
fn product(ground: &Ground, once: &Film, film: &Film) -> [Duration; 3] {
    let mut keys = ground.licensed(&KEY);
    let (mut decoder, start) = timed(|| {
        let mut decoder = Decoder::open(&*ground.tee).expect("there is memory for one");
        decoder.attach(&mut keys).expect("the ticket is good");
        decoder.configure(&film.record).expect("the clip fits");
        decoder
    });
    let mut play = |film: &Film, protected: bool| {
        let mut digests = Vec::new();
        let ((), time) = timed(|| {
            let mut shown = |presented: Presented| {
                let of_a_test_build = presented.digests.expect("a test build gives digests");
                digests.extend(of_a_test_build.0);
            };
            for (time, (unit, clear)) in (0..).zip(film.protected.iter().zip(&film.clear)) {
                let presented = if protected {
                    decoder.decode(&KEY, time, unit)
                } else {
                    decoder.decode_clear(time, clear)
                };
                shown(presented.unwrap_or_else(|error| panic!("unit {time}: {error}")));
            }
            shown(decoder.flush().expect("the rest is presented"));
        });
        film.assert_shown(digests);
        time
    };
    play(once, true);
    [start, play(film, true), play(film, false)]
}

/// A session of the application without a product.
struct Alone {
    client: Client,
    memory: Registered,
    /// What opening it took.
    opened: Duration,
}

impl Alone {
    /// Bytes of media: the whole film, each unit behind its length.
    const MEDIA: usize = 256 * 1024;

    fn new() -> Self {
        let (client, opened) = timed(|| Client::open(DECODE_TA));
        let client = client.unwrap_or_else(|error| panic!("{error}"));
        let memory = client.register(BEHIND + Self::MEDIA);
        Self {
            client,
            memory,
            opened,
        }
    }

    /// Both decoders anew.
    fn begin(&mut self, record: &[u8]) -> Duration {
        self.memory.fill(0, record);
        self.call(BEGIN, record.len(), 0).1
    }

    /// One call: the digests that it gave, and how long it took.
    fn call(&mut self, command: u32, request: usize, media: usize) -> (Vec<[u8; 32]>, Duration) {
        let mut parameters = registered(&self.memory, media);
        parameters[0] = Parameter::Range(Way::In, &self.memory, 0, request);
        let (outcome, time) = timed(|| self.client.call(command, parameters));
        assert_eq!(outcome.code, SUCCESS);
        let digests = self.memory.copy(RESPONSE, outcome.sizes[1]);
        (digests.as_chunks().0.to_vec(), time)
    }

    /// Has the film decoded, with so many units a call, and checks what came of it.
    fn play(&mut self, film: &Film, command: u32, units: usize) -> Duration {
        self.begin(&film.record);
        let room = command == ROOM;
        let mut digests = Vec::new();
        let mut time = Duration::ZERO;
        let mut add = |(some, took): (Vec<[u8; 32]>, Duration)| {
            digests.extend(some);
            time += took;
        };
        let forms = if room { &film.clear } else { &film.annex_b };
        for some in forms.chunks(units) {
            let behind_length = |unit: &Vec<u8>| {
                let length = u32::try_from(unit.len()).expect("a unit is small");
                [&length.to_be_bytes(), &unit[..]].concat()
            };
            let media: Vec<u8> = some.iter().flat_map(behind_length).collect();
            self.memory.fill(BEHIND, &media);
            add(self.call(command, 0, media.len()));
        }
        if room {
            add(self.call(command, 0, 0));
        }
        if command != SILENT {
            film.assert_shown(digests);
        }
        time
    }
}

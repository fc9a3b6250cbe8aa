//! What High promises, on any backend with a decoder whose output gives digests.

mod two_keys;

pub use two_keys::a_limit_holds_beside_another_key;

use std::num::NonZeroU32;
use std::sync::Arc;

use keybearer_crypto::Secret;
use keybearer_license::{IvKind, KeyId, Scheme, TrackType};
use keybearer_rules::Level;
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tee::{CallError, Tee, TeeError};
use keybearer_wire::Status;
use keybearer_wire::body::MAX_REJECTIONS;
use keybearer_wire::decoder::body::Presented;

use super::{Decoder, Key, refusal};
use crate::bare::Bare;
use crate::clips::{self, Clip, Protected, protect, protected_as};
use crate::post;
use crate::service::{MODEL, Service};

/// Clips of each profile, with B-frames, several sizes up to 352x288 and several references.
pub const CLIPS: [&str; 7] = [
    "baseline-64x48",
    "baseline-refs-176x144",
    "main-cabac-b-176x144",
    "main-pyramid-128x96",
    "high-320x180",
    "high-352x288",
    "high-refs-16-64x64",
];
/// Two groups of pictures at least, and short: what seeks and losses are shown with.
const LONG: &str = "high-groups-96x80";
/// Most pixels of the third key's pictures: a quarter of 352x288.
pub const SMALL: u32 = 176 * 144;

const CENC: Key = key(1, Scheme::Cenc);
const CBCS: Key = key(2, Scheme::Cbcs);
const LIMITED: Key = key(3, Scheme::Cenc);

const fn key(number: u8, scheme: Scheme) -> Key {
    Key {
        kid: [0xb0 | number; 16],
        key: [0x60 | number; 16],
        scheme,
    }
}

/// A device with its service.
pub struct Ground {
    /// Where the trusted side runs.
    pub tee: Arc<dyn Tee>,
    /// What gives the licences.
    pub service: Service,
}

impl Ground {
    /// Puts the keys of the clips, for `level` and above, into the service and provisions the device.
    ///
    /// # Panics
    /// When the service or the device refuses.
    #[must_use]
    pub fn new(tee: Arc<dyn Tee>, service: Service, level: Level) -> Self {
        Self::with_keys(tee, service, level, &[CENC, CBCS, LIMITED])
    }

    /// As [`Self::new`], with other keys.
    ///
    /// # Panics
    /// When the service or the device refuses.
    #[must_use]
    pub fn with_keys(tee: Arc<dyn Tee>, service: Service, level: Level, keys: &[Key]) -> Self {
        let specification = |key: &Key| {
            let secret = Secret::copied_from(&key.key);
            let mut wanted = KeySpec::new(KeyId(key.kid), secret, TrackType::Sd, key.scheme);
            wanted.iv = match key.scheme {
                Scheme::Cbcs => IvKind::Constant16,
                _ => IvKind::PerSample16,
            };
            wanted.lowest_level = level;
            if key.kid == LIMITED.kid {
                wanted.max_pixels = NonZeroU32::new(SMALL);
            }
            wanted
        };
        let keys = keys.iter().map(specification).collect();
        let content = ContentSpec::open("clips", keys);
        let registry = service.server().registry();
        registry
            .put_content(content)
            .expect("the content is acceptable");
        if level == Level::High {
            let token = service.factory_token(&*tee, level).expect("a token");
            let certified = service.client(Arc::clone(&tee)).provision(&token, MODEL);
            assert_eq!(certified.expect("a certificate").level, level);
        } else {
            let provisioned = service.provisioned(Arc::clone(&tee));
            provisioned.expect("the device is provisioned");
        }
        Self { tee, service }
    }

    /// A protected licence session that holds `key`.
    ///
    /// # Panics
    /// When there is none to be had.
    #[must_use]
    pub fn licensed(&self, key: &Key) -> Bare {
        let url = self.service.server().url();
        let info = post::service_info(&url).expect("the service answers");
        let mut keys = Bare::open_protected(&*self.tee, self.service.anchor(), &info)
            .expect("a protected session opens");
        keys.acquire(&url, key.kid).expect("a licence");
        keys
    }

    /// A decoder that may have `key`, with the clip's configuration.
    fn ready(&self, keys: &mut Bare, clip: &Clip) -> Decoder {
        let mut decoder = Decoder::open(&*self.tee).expect("there is memory for one");
        decoder.attach(keys).expect("the ticket is good");
        decoder.configure(&clip.record).expect("the clip fits");
        decoder
    }
}

/// What a stretch of a clip gave.
#[derive(Default)]
struct Shown {
    times: Vec<u64>,
    digests: Vec<[u8; 32]>,
}

impl Shown {
    fn add(&mut self, presented: Presented) {
        self.times.extend(presented.times.0);
        let digests = presented.digests.expect("a test build gives digests");
        self.digests.extend(digests.0);
    }
}

fn protected(key: &Key, clip: &Clip) -> Vec<Protected> {
    let numbered = (1..).zip(&clip.units);
    numbered
        .map(|(number, unit)| protect(key.scheme, &key.key, number, unit))
        .collect()
}

fn play(decoder: &mut Decoder, key: &Key, units: &[Protected], first: u64) -> Shown {
    let mut shown = Shown::default();
    for (time, unit) in (first..).zip(units) {
        let presented = decoder.decode(key, time, unit);
        shown.add(presented.unwrap_or_else(|error| panic!("unit {time}: {error}")));
    }
    shown.add(decoder.flush().expect("the rest is presented"));
    shown
}

/// The digest of every decoded picture equals FFmpeg's decode of the clear original.
///
/// # Panics
/// When one does not.
pub fn every_picture_is_what_ffmpeg_makes_of_the_clear_original(ground: &Ground) {
    for key in [CENC, CBCS] {
        let mut keys = ground.licensed(&key);
        let mut decoder = Decoder::open(&*ground.tee).expect("there is memory for one");
        decoder.attach(&mut keys).expect("the ticket is good");
        for name in CLIPS {
            let clip = Clip::read(name);
            let units = protected(&key, &clip);
            assert!(
                units.iter().zip(&clip.units).any(|(a, b)| a.bytes != *b),
                "{name} is protected"
            );
            decoder.configure(&clip.record).expect("the clip fits");
            let shown = play(&mut decoder, &key, &units, 0);
            assert_eq!(shown.digests, clip.digests(), "{name} {:?}", key.scheme);
            let mut times = shown.times;
            times.sort_unstable();
            assert!(
                times.iter().copied().eq(0..clip.units.len() as u64),
                "{name}"
            );
        }
    }
}

/// Where the key allows a smaller picture only, each is scaled to the very samples that the scaler
/// gives outside.
///
/// # Panics
/// When one is not.
pub fn a_larger_picture_than_allowed_is_scaled(ground: &Ground) {
    let clip = Clip::read("high-352x288");
    let mut keys = ground.licensed(&LIMITED);
    let mut decoder = ground.ready(&mut keys, &clip);
    let units = protected(&LIMITED, &clip);
    let told = decoder.decode(&LIMITED, 0, &units[0]).expect("accepted");
    assert_eq!(told.largest, Some(u64::from(SMALL)));
    decoder.skip().expect("from the first unit again");
    let shown = play(&mut decoder, &LIMITED, &units, 0);
    assert_eq!(shown.digests, clip.scaled(u64::from(SMALL)));
    assert_ne!(shown.digests, clip.digests());
}

/// What does not fit the memory, and what is malformed, is refused before it is decoded; key TA and
/// decoder live on.
///
/// # Panics
/// When it is not.
pub fn what_does_not_fit_is_refused_and_both_applications_live(ground: &Ground) {
    let clip = Clip::read("baseline-64x48");
    let mut keys = ground.licensed(&CENC);
    let mut decoder = ground.ready(&mut keys, &clip);
    // 1280x720 with four references is more than the heap; sixteen are more than its level allows.
    let large = clips::sequence(80, 45, 4);
    let refused = decoder.configure(&clip.record_with(&large));
    assert_eq!(refusal(refused), Status::NoDecoderMemory);
    for set in [large, clips::sequence(80, 45, 16)] {
        // The same in band, under a configuration that fits.
        let unit = protect(CENC.scheme, &CENC.key, 900, &clip.unit_with(&set));
        let refused = decoder.decode(&CENC, 900, &unit);
        assert_eq!(refusal(refused), Status::ContentRejected);
    }
    for name in ["10-bit", "gray", "lossless", "yuv422", "yuv444"] {
        let hostile = Clip::read(&format!("refused/{name}"));
        let refused = refusal(decoder.configure(&hostile.record));
        assert_eq!(refused, Status::UnsupportedCodec, "{name}");
    }
    // Every prefix of a record, and every set with a byte turned.
    for at in 0..clip.record.len() {
        let _ = decoder.configure(&clip.record[..at]);
        let mut turned = clip.record.clone();
        turned[at] ^= 0xff;
        let _ = decoder.configure(&turned);
    }
    decoder
        .configure(&clip.record)
        .expect("the clip still fits");
    let shown = play(&mut decoder, &CENC, &protected(&CENC, &clip), 0);
    assert_eq!(shown.digests, clip.digests());
}

/// Where memory is for one decoder, a second is refused as such, and there is one again when the first
/// has gone.
///
/// # Panics
/// When it is not.
pub fn a_second_decoder_finds_no_memory(ground: &Ground) {
    let first = Decoder::open(&*ground.tee).expect("there is memory for one");
    let second = Decoder::open(&*ground.tee);
    assert!(matches!(second, Err(TeeError::NoDecoderMemory)));
    drop(first);
    Decoder::open(&*ground.tee).expect("and now again");
}

/// A decoder that dies takes nothing along: another one with another ticket of the same licence session
/// goes on at the next IDR picture.
///
/// # Panics
/// When it does not.
pub fn a_dead_decoder_is_replaced_at_the_next_idr(ground: &Ground) {
    let clip = Clip::read(LONG);
    let idr = |unit: &Vec<u8>| contains_idr(unit);
    let next = 1 + clip.units[1..]
        .iter()
        .position(idr)
        .expect("a second group");
    let units = protected(&CENC, &clip);
    let mut keys = ground.licensed(&CENC);
    let mut other = ground.licensed(&CBCS);
    let mut decoder = ground.ready(&mut keys, &clip);
    for (time, unit) in (0..).zip(&units[..2]) {
        decoder.decode(&CENC, time, unit).expect("accepted");
    }
    let dead = |result| matches!(result, Err(CallError::Transport(TeeError::Dead)));
    assert!(dead(decoder.die()));
    assert!(dead(decoder.skip()), "and it stays dead");
    drop(decoder);

    let mut decoder = ground.ready(&mut keys, &clip);
    for (time, unit) in (2..).zip(&units[2..next]) {
        let passed = decoder.decode(&CENC, time, unit).expect("accepted");
        assert!(
            passed.times.0.is_empty(),
            "before the next IDR nothing is shown"
        );
    }
    let shown = play(&mut decoder, &CENC, &units[next..], next as u64);
    let digests = clip.digests();
    assert_eq!(shown.digests, digests[next..]);
    drop(decoder);
    // And the other session never noticed.
    let mut decoder = ground.ready(&mut other, &clip);
    let shown = play(&mut decoder, &CBCS, &protected(&CBCS, &clip), 0);
    assert_eq!(shown.digests, digests);
}

fn contains_idr(unit: &[u8]) -> bool {
    let mut rest = unit;
    while let [a, b, c, d, kind, ..] = rest {
        if kind & 31 == 5 {
            return true;
        }
        rest = &rest[4 + u32::from_be_bytes([*a, *b, *c, *d]) as usize..];
    }
    false
}

/// A thousand crafted units: each answer is the one rejection, or an acceptance that names no more than
/// times of units sent; and too many rejections in a row close the key.
///
/// # Panics
/// When an answer says more.
pub fn a_thousand_crafted_units_learn_nothing(ground: &Ground) {
    let clip = Clip::read("baseline-64x48");
    let mut keys = ground.licensed(&CENC);
    let mut decoder = ground.ready(&mut keys, &clip);
    let good = protected(&CENC, &clip);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut rejections, mut accepted, mut waits) = (Vec::new(), 0, true);
    for number in 0..1_000_usize {
        if waits {
            // After a rejection everything up to an IDR picture is passed over. A hostile host may
            // help itself so; it learns no more by it.
            decoder.decode(&CENC, 0, &good[0]).expect("the true unit");
        }
        let of = &good[number % good.len()];
        let mut unit = of.bytes.clone();
        for _ in 0..=number % 4 {
            let at = usize::try_from(random() >> 33).expect("31 bits") % unit.len();
            unit[at] ^= 1 << (random() % 8);
        }
        let crafted = Protected {
            bytes: unit,
            sample: of.sample,
            subsamples: of.subsamples.clone(),
        };
        let response = decoder
            .send(&CENC, 7, &crafted)
            .expect("an answer")
            .to_vec();
        let answer = super::answered::<Presented>(&response);
        waits = answer.is_err();
        match answer {
            Ok(presented) => {
                accepted += 1;
                let known = |time: &u64| [0, 7].contains(time);
                assert!(presented.times.0.iter().all(known));
                assert_eq!(presented.largest, None);
            }
            Err(error) => {
                assert_eq!(refusal::<()>(Err(error)), Status::ContentRejected);
                rejections.push(response);
            }
        }
    }
    println!("figure: of 1000 crafted units {accepted} were accepted");
    assert!(accepted > 0 && !rejections.is_empty());
    rejections.dedup();
    assert_eq!(rejections.len(), 1, "every rejection is the same bytes");

    let nonsense = protected_as(vec![0xa5; 64], &[0; 16], &[(0, 64)]);
    let mut refused = Vec::new();
    for _ in 0..=MAX_REJECTIONS {
        refused.push(refusal(decoder.decode(&CENC, 8, &nonsense)));
    }
    assert_eq!(refused.last(), Some(&Status::KeyNotUsable), "{refused:?}");
    let true_one = decoder.decode(&CENC, 9, &good[0]);
    assert_eq!(refusal(true_one), Status::KeyNotUsable, "for this session");
    drop(decoder);
    // Another licence session has it.
    let mut keys = ground.licensed(&CENC);
    let mut decoder = ground.ready(&mut keys, &clip);
    let shown = play(&mut decoder, &CENC, &good, 0);
    assert_eq!(shown.digests, clip.digests());
}

/// Nobody but a decoder gives a ticket any worth, and it is good once, in its session's life.
///
/// # Panics
/// When it is otherwise.
pub fn a_ticket_is_good_once_and_for_a_decoder(ground: &Ground) {
    use keybearer_wire::body::{IssueTicket, RedeemTicket, Ticket};
    let mut keys = ground.licensed(&CENC);
    let (session, track_type) = (keys.session, TrackType::Sd.code());
    let issue = |keys: &mut Bare| {
        let Ticket { ticket } = keys
            .connection
            .exchange(&IssueTicket {
                session,
                track_type,
            })
            .expect("a ticket");
        ticket
    };
    let ticket = issue(&mut keys);
    let debug = true;
    let redeemed = keys.connection.exchange(&RedeemTicket { ticket, debug });
    assert_eq!(
        refusal(redeemed),
        Status::NotPermitted,
        "the host is no decoder"
    );
    let mut decoder = Decoder::open(&*ground.tee).expect("there is memory for one");
    decoder.redeem(ticket).expect("still good");
    assert_eq!(refusal(decoder.redeem(ticket)), Status::UnknownTicket);
    assert_eq!(refusal(decoder.redeem([0; 16])), Status::UnknownTicket);
    let late = issue(&mut keys);
    keys.close().expect("closed");
    assert_eq!(refusal(decoder.redeem(late)), Status::UnknownTicket);
}

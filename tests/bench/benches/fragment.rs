//! One fragment in memory, as a player has it: decrypted by one library call.
//!
//! Ours is the reader of segments and the cipher, without a trusted side between them: the same as the peers
//! do. What the trusted side adds is in the benchmark `worker`.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use keybearer_bench::material::{KEY, KID, Material, Segments, Track};
use keybearer_bench::report::Report;
use keybearer_bench::rounds::{Contender, Figure, ratio, take_turns, thread_time};
use keybearer_cenc::{ContentKey, SampleProtection};
use keybearer_media::{BatchLimit, FragmentInPlace, Presentation, Segment};
use mp4decrypt::Ap4CencDecryptingProcessor;
use vsd_mp4::decrypt::CencDecrypter;

const ROUNDS: usize = 11;

fn main() {
    let mut report = Report::new(
        "A fragment in memory: GB/s, and how many times as fast as the peers keybearer is",
        &[
            "material",
            "scheme",
            "keybearer",
            "vsd-mp4",
            "Bento4",
            "memcpy",
            "/ vsd-mp4",
            "/ Bento4",
            "/ memcpy",
        ],
    );
    for scheme in ["cenc", "cbcs"] {
        for track in Track::ALL {
            let material = Material::get(track, scheme);
            let segments = material.segments();
            let figures = take_turns(
                ROUNDS,
                vec![
                    Contender::new("keybearer", keybearer(&segments)),
                    Contender::new("vsd-mp4", vsd_mp4(&segments)),
                    Contender::new("Bento4", bento4(&segments)),
                    Contender::new("memcpy", memcpy(&segments)),
                ],
            );
            let [ours, peers @ ..] = &figures[..] else {
                unreachable!("as many figures as contenders");
            };
            let mut cells = vec![track.title().to_owned(), scheme.to_owned()];
            cells.extend(figures.iter().map(|figure| speed(figure, segments.size())));
            cells.extend(peers.iter().map(|peer| format!("{:.2}", ratio(ours, peer))));
            report.row(cells);
        }
    }
    report.print();
}

fn speed(figure: &Figure, bytes: usize) -> String {
    // Bytes a nanosecond are gigabytes a second.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let speed = bytes as f64 / figure.median.as_nanos() as f64;
    format!("{speed:.2}")
}

/// The sum over all fragments of what `work` takes for one; it is given a fresh copy, which does not
/// count.
fn each(segments: &Segments, mut work: impl FnMut(Vec<u8>) -> Duration) -> Duration {
    let fragments = segments.fragments.iter();
    fragments.map(|fragment| work(fragment.clone())).sum()
}

fn keybearer(segments: &Segments) -> impl FnMut() -> Duration + '_ {
    let presentation = Presentation::parse(&segments.init).expect("the material is well formed");
    let key = ContentKey::new(&key());
    move || {
        each(segments, |mut fragment| {
            let before = thread_time();
            for fragment in Segment::new(&presentation, &mut fragment) {
                decrypt(&key, &mut fragment.expect("the material is well formed"));
            }
            black_box(&mut fragment);
            thread_time().saturating_sub(before)
        })
    }
}

fn decrypt(key: &ContentKey, fragment: &mut FragmentInPlace<'_>) {
    let (tracks, media) = fragment.split();
    for track in tracks {
        for batch in track.batches(BatchLimit::UNLIMITED) {
            let Some(of) = batch.protection() else {
                continue;
            };
            for sample in batch.samples() {
                let subsamples = batch.subsamples(sample);
                let protection = SampleProtection {
                    scheme: of.scheme,
                    pattern: of.pattern,
                    iv: sample.iv.as_slice(),
                    subsamples: (!subsamples.is_empty()).then_some(subsamples),
                };
                key.decrypt_sample(&protection, &mut media[sample.range()])
                    .expect("the material is well formed");
            }
        }
    }
}

fn vsd_mp4(segments: &Segments) -> impl FnMut() -> Duration + '_ {
    let decryptor = CencDecrypter::with_init(KEY, &segments.init).expect("vsd-mp4 takes the key");
    move || {
        each(segments, |fragment| {
            let before = thread_time();
            let clear = decryptor.decrypt_fragment(fragment, None);
            black_box(clear.expect("vsd-mp4 decrypts it"));
            thread_time().saturating_sub(before)
        })
    }
}

fn bento4(segments: &Segments) -> impl FnMut() -> Duration + '_ {
    let keys = HashMap::from([(KID.to_owned(), KEY.to_owned())]);
    let processor = Ap4CencDecryptingProcessor::new()
        .keys(&keys)
        .and_then(|builder| builder.build())
        .expect("Bento4 takes the key");
    move || {
        each(segments, |fragment| {
            let before = thread_time();
            let clear = processor.decrypt(&fragment[..], Some(&segments.init));
            black_box(clear.expect("Bento4 decrypts it"));
            thread_time().saturating_sub(before)
        })
    }
}

fn memcpy(segments: &Segments) -> impl FnMut() -> Duration + '_ {
    let mut place = vec![0; segments.largest()];
    move || {
        each(segments, |fragment| {
            let before = thread_time();
            place[..fragment.len()].copy_from_slice(&fragment);
            black_box(&mut place);
            thread_time().saturating_sub(before)
        })
    }
}

fn key() -> [u8; 16] {
    let key = hex::decode(KEY).expect("the key is hexadecimal");
    key.try_into().expect("the key has 16 bytes")
}

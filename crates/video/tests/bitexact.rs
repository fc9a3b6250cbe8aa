//! Every clip decodes to the very samples that FFmpeg's decoder gives, in its order.

#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod support;

use keybearer_video::{Budget, Codec, Decoder};
use support::{Keep, Stream, clips, expected};

const HEAP: usize = 9 << 20;

fn decoder(stream: &Stream) -> Decoder {
    let mut decoder = Decoder::new(Budget::of_heap(HEAP));
    decoder.configure(Codec::H264, &stream.record).unwrap();
    decoder
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(clips())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".h264").map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn every_clip_is_decoded_bit_by_bit_as_ffmpeg_does() {
    let names = names();
    assert!(names.len() >= 30, "clips are missing: {names:?}");
    let mut wrong = Vec::new();
    for name in &names {
        let stream = Stream::read(name);
        let mut decoder = decoder(&stream);
        let mut sink = Keep::default();
        let mut presented = Vec::new();
        for (time, unit) in stream.units.iter().enumerate() {
            match decoder.decode(unit, time as u64, None, &mut sink) {
                Ok(accepted) => {
                    assert!(accepted.decoded, "{name}: picture {time}");
                    presented.extend(accepted.presented);
                }
                Err(error) => wrong.push(format!("{name}: picture {time}: {error:?}")),
            }
        }
        presented.extend(decoder.flush(None, &mut sink).unwrap());
        assert_eq!(presented.len(), sink.0.len(), "{name}");
        for (presented, shown) in presented.iter().zip(&sink.0) {
            assert_eq!(presented.time, shown.time, "{name}");
            assert!(!presented.scaled, "{name}");
        }
        let shown: Vec<String> = sink.0.iter().map(support::Shown::line).collect();
        let expected = expected(name);
        let same = shown.iter().zip(&expected).filter(|(a, b)| a == b).count();
        if shown != expected {
            wrong.push(format!(
                "{name}: {same} of {} ({} shown)",
                expected.len(),
                shown.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

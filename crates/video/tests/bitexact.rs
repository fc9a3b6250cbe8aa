//! Every clip decodes to the very samples that FFmpeg's decoder gives, in its order.

#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod support;

use keybearer_video::{
    Accepted, Budget, ChromaSiting, Codec, DecodeError, Decoder, Picture, Plane, Presented, Scaler,
    Sink, SinkFailed,
};
use support::{Keep, Shown, Stream, clips, expected};

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
        let shown: Vec<String> = sink.0.iter().map(Shown::line).collect();
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

/// All pictures of a clip, where `largest` is what is allowed for each unit.
fn show(name: &str, largest: impl Fn(u64) -> Option<u64>) -> (Vec<Presented>, Vec<Shown>) {
    let stream = Stream::read(name);
    let mut decoder = decoder(&stream);
    let (mut sink, mut presented) = (Keep::default(), Vec::new());
    for (time, unit) in (0..).zip(&stream.units) {
        let accepted = decoder.decode(unit, time, largest(time), &mut sink);
        presented.extend(accepted.unwrap().presented);
    }
    presented.extend(decoder.flush(largest(u64::MAX), &mut sink).unwrap());
    (presented, sink.0)
}

/// `whole` as the scaler makes it.
fn scaled(whole: &Shown, width: u32, height: u32) -> Shown {
    let plane = |index: usize, shift: u32| Plane {
        samples: &whole.planes[index],
        width: whole.width >> shift,
        height: whole.height >> shift,
    };
    let picture = Picture {
        time: whole.time,
        luma: plane(0, 0),
        cb: plane(1, 1),
        cr: plane(2, 1),
        siting: ChromaSiting::Left,
    };
    let mut scaler = Scaler::default();
    Shown::of(&scaler.scale(&picture, width, height).unwrap())
}

#[test]
fn pictures_above_what_is_allowed_are_made_smaller() {
    let (_, whole) = show("high-320x180", |_| None);
    let (presented, small) = show("high-320x180", |_| Some(160 * 90));
    assert_eq!(small.len(), whole.len());
    for ((small, whole), presented) in small.iter().zip(&whole).zip(&presented) {
        assert_eq!((small.width, small.height), (160, 90));
        assert_eq!(*small, scaled(whole, 160, 90));
        assert_eq!((presented.width, presented.height), (160, 90));
        assert!(presented.scaled && presented.time == small.time);
    }
    let (presented, same) = show("high-320x180", |_| Some(320 * 180));
    assert_eq!(same, whole);
    assert!(presented.iter().all(|presented| !presented.scaled));
}

#[test]
fn what_is_allowed_now_holds_for_pictures_decoded_before() {
    // Less is allowed from the sixth unit on: two pictures wait then.
    let (presented, _) = show("high-320x180", |time| (time >= 5).then_some(5_000));
    let scaled: Vec<bool> = presented.iter().map(|presented| presented.scaled).collect();
    let small = scaled.iter().filter(|&&scaled| scaled).count();
    assert_eq!(small, 10 - 5 + 2, "{scaled:?}");
    assert!(scaled.is_sorted(), "first whole, then small: {scaled:?}");
}

#[test]
fn a_picture_that_may_not_be_shown_in_any_size_is_not_shown() {
    let (presented, shown) = show("high-16x16", |_| Some(3));
    assert_eq!((presented.len(), shown.len()), (0, 0));
}

#[test]
fn pictures_come_in_presentation_order_with_the_times_of_their_units() {
    let (presented, _) = show("main-pyramid-128x96", |_| None);
    let mut times: Vec<u64> = presented.iter().map(|presented| presented.time).collect();
    assert_ne!(
        times,
        (0..20).collect::<Vec<_>>(),
        "B pictures are shown before others"
    );
    times.sort_unstable();
    assert_eq!(times, (0..20).collect::<Vec<_>>());
}

/// Takes the first pictures only.
struct Failing(usize);

impl Sink for Failing {
    fn present(&mut self, _: &Picture<'_>) -> Result<(), SinkFailed> {
        self.0 = self.0.checked_sub(1).ok_or(SinkFailed)?;
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_not_the_contents_fault() {
    let stream = Stream::read("baseline-64x48");
    let mut decoder = decoder(&stream);
    let mut sink = Failing(3);
    for unit in &stream.units[..3] {
        decoder.decode(unit, 0, None, &mut sink).unwrap();
    }
    let failed = decoder.decode(&stream.units[3], 0, None, &mut sink);
    assert_eq!(failed, Err(DecodeError::Sink(SinkFailed)));
    // The picture was decoded: the next one refers to it.
    let mut sink = Keep::default();
    let accepted = decoder
        .decode(&stream.units[4], 4, None, &mut sink)
        .unwrap();
    assert!(matches!(accepted, Accepted { decoded: true, .. }));
    assert_eq!(sink.0[0].line(), expected("baseline-64x48")[4]);
}

#[cfg(feature = "digest-sink")]
#[test]
fn the_digest_sink_gives_what_ffmpeg_does() {
    let stream = Stream::read("high-70x50");
    let mut decoder = decoder(&stream);
    let mut sink = keybearer_video::DigestSink::default();
    let mut lines = Vec::new();
    for unit in &stream.units {
        decoder.decode(unit, 0, None, &mut sink).unwrap();
        lines.extend(sink.take());
    }
    decoder.flush(None, &mut sink).unwrap();
    lines.extend(sink.take());
    let lines: Vec<String> = lines
        .iter()
        .map(|digest| format!("70x50 {}", hex::encode(digest)))
        .collect();
    assert_eq!(lines, expected("high-70x50"));
}

//! The shipped samples, which nobody here protected: every one must come out like its clear
//! counterpart, sample by sample and byte by byte, with the sizes and times that ffprobe sees.

#![allow(
    clippy::unwrap_used,
    reason = "the samples are part of the repository; a panic is a failure"
)]

use std::collections::HashMap;
use std::io::Cursor;
use std::path::PathBuf;

use keybearer_cenc::{ContentKey, SampleProtection};
use keybearer_media::{
    BatchLimit, BoxNode, BoxTree, ClearWriter, Detail, FourCc, IvSource, KeyId, MediaError,
    MediaReader, Part, Presentation, Scheme, Track, TrackKind, clear_init,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Samples {
    files: Vec<SampleFile>,
}

#[derive(Deserialize)]
struct SampleFile {
    file: String,
    scheme: String,
    clear: String,
    rotation: bool,
    tracks: Vec<SampleTrack>,
}

#[derive(Deserialize)]
struct SampleTrack {
    id: u32,
    kind: String,
    kid: String,
    key: String,
}

#[derive(Deserialize)]
struct Packets {
    files: HashMap<String, Vec<Stream>>,
}

#[derive(Deserialize)]
struct Stream {
    codec_tag_string: String,
    width: Option<u16>,
    height: Option<u16>,
    time_base: String,
    /// Size and decoding time of each packet.
    packets: Vec<(u32, i64)>,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples"))
}

fn load(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn samples() -> Vec<SampleFile> {
    let samples: Samples = serde_json::from_slice(&load("samples.json")).unwrap();
    assert!(
        samples.files.len() >= 30,
        "the list of samples is cut short"
    );
    samples.files
}

fn kid(hex: &str) -> KeyId {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// Size and duration of each sample of a track.
type Table = Vec<(u32, u32)>;

/// Decrypts a file as an application would, giving the clear file and the table of each track.
fn decrypt(
    file: &[u8],
    keys: &HashMap<KeyId, ContentKey>,
    limit: BatchLimit,
) -> Result<(Vec<u8>, Vec<Table>), MediaError> {
    let mut reader = MediaReader::open(file)?;
    let mut tables = vec![Vec::new(); reader.presentation().tracks.len()];
    let mut writer = ClearWriter::start(Vec::new(), &reader)?;
    while let Some(part) = reader.next_part()? {
        match part {
            Part::Other(bytes) => writer.write_other(bytes)?,
            Part::Fragment(fragment) => {
                let (tracks, media) = fragment.split();
                for track in tracks {
                    let mut seen = 0;
                    for batch in track.batches(limit) {
                        seen += batch.samples().len();
                        let table = &mut tables[track.track];
                        table.extend(batch.samples().iter().map(|s| (s.size, s.duration)));
                        let Some(protection) = batch.protection() else {
                            continue;
                        };
                        for sample in batch.samples() {
                            let subsamples = batch.subsamples(sample);
                            let protection = SampleProtection {
                                scheme: protection.scheme,
                                pattern: protection.pattern,
                                iv: sample.iv.as_slice(),
                                subsamples: (!subsamples.is_empty()).then_some(subsamples),
                            };
                            let data = &mut media[sample.range()];
                            keys[&batch.key_id().unwrap()]
                                .decrypt_sample(&protection, data)
                                .unwrap();
                        }
                    }
                    assert_eq!(seen, track.samples().len());
                }
                writer.write_fragment(fragment)?;
            }
        }
    }
    Ok((writer.finish()?, tables))
}

/// Payloads of all `mdat`, one behind the other, found without the library's help.
fn media_data(mut file: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while !file.is_empty() {
        let size = u32::from_be_bytes(*file.first_chunk().unwrap()) as usize;
        if &file[4..8] == b"mdat" {
            out.extend_from_slice(&file[8..size]);
        }
        file = &file[size..];
    }
    out
}

fn nodes(node: &BoxNode) -> Vec<&BoxNode> {
    core::iter::once(node)
        .chain(node.children.iter().flat_map(nodes))
        .collect()
}

#[test]
fn every_sample_decrypts_to_its_clear_counterpart() {
    let packets: Packets = serde_json::from_slice(&load("packets.json")).unwrap();
    for sample in &samples() {
        let name = &sample.file;
        let protected = load(name);
        let keys = sample
            .tracks
            .iter()
            .map(|track| (kid(&track.kid), ContentKey::new(&kid(&track.key))));
        let keys = keys.collect();
        let (clear, tables) = decrypt(&protected, &keys, BatchLimit::default()).unwrap();
        assert_eq!(
            clear.len(),
            protected.len(),
            "{name}: everything keeps its place"
        );
        assert!(
            media_data(&clear) == media_data(&load(&sample.clear)),
            "{name}: payloads differ"
        );
        assert!(
            media_data(&clear) != media_data(&protected),
            "{name}: was not protected"
        );

        for (table, stream) in tables.iter().zip(&packets.files[&sample.clear]) {
            let sizes: Vec<u32> = table.iter().map(|(size, _)| *size).collect();
            let expected: Vec<u32> = stream.packets.iter().map(|(size, _)| *size).collect();
            assert_eq!(sizes, expected, "{name}");
            for (pair, (_, duration)) in stream.packets.windows(2).zip(table) {
                assert_eq!(pair[1].1 - pair[0].1, i64::from(*duration), "{name}");
            }
        }

        // The size of a batch makes no difference.
        let small = BatchLimit {
            duration_ms: 100,
            bytes: 900,
            samples: 3,
            subsamples: 7,
        };
        assert!(
            decrypt(&protected, &keys, small).unwrap().0 == clear,
            "{name}"
        );
    }
}

#[test]
fn the_movie_header_tells_what_a_licence_request_needs() {
    let packets: Packets = serde_json::from_slice(&load("packets.json")).unwrap();
    for sample in samples().iter().filter(|sample| !sample.rotation) {
        let name = &sample.file;
        let presentation = Presentation::parse(&load(name)).unwrap();
        assert!(presentation.is_protected());
        let ids: Vec<KeyId> = sample.tracks.iter().map(|track| kid(&track.kid)).collect();
        assert_eq!(presentation.key_ids(), ids, "{name}");
        let streams = &packets.files[&sample.clear];
        assert_eq!(presentation.tracks.len(), streams.len(), "{name}");
        for ((track, listed), stream) in presentation.tracks.iter().zip(&sample.tracks).zip(streams)
        {
            check_track(name, sample, track, listed, stream);
        }
        if name.contains("bare") {
            assert!(presentation.pssh.is_empty());
            continue;
        }
        // Packager's own order: Widevine's version 0 and the common version 1.
        let [common, widevine] = &presentation.pssh[..2] else {
            panic!("{name}: pssh")
        };
        assert_eq!(
            hex::encode(common.system_id),
            "1077efecc0b24d02ace33c1e52e2fb4b"
        );
        assert!(common.key_ids.as_ref().unwrap().contains(&ids[0]), "{name}");
        assert_eq!(
            hex::encode(widevine.system_id),
            "edef8ba979d64acea3c827dcd51d21ed"
        );
        assert_eq!(widevine.key_ids, None);
    }
}

fn check_track(
    name: &str,
    sample: &SampleFile,
    track: &Track,
    listed: &SampleTrack,
    stream: &Stream,
) {
    assert_eq!(track.id, listed.id, "{name}");
    let kind = if listed.kind == "video" {
        TrackKind::Video
    } else {
        TrackKind::Audio
    };
    assert_eq!(track.kind, kind, "{name}");
    assert_eq!(stream.time_base, format!("1/{}", track.timescale), "{name}");
    let entry = &track.entries[0];
    assert_eq!(entry.codec.to_string(), stream.codec_tag_string, "{name}");
    let size = entry.picture.map(|picture| (picture.width, picture.height));
    assert_eq!(size, stream.width.zip(stream.height), "{name}");

    let protection = track.protection().unwrap();
    let scheme = match sample.scheme.as_str() {
        "cenc" => Scheme::Cenc,
        "cens" => Scheme::Cens,
        "cbc1" => Scheme::Cbc1,
        "cbcs" => Scheme::Cbcs,
        other => panic!("{other}"),
    };
    assert_eq!(protection.scheme, scheme, "{name}");
    let pattern = match scheme {
        Scheme::Cens | Scheme::Cbcs if kind == TrackKind::Video => match name {
            _ if name.contains("pattern55") => (5, 5),
            _ if name.contains("pattern100") => (10, 0),
            _ => (1, 9),
        },
        _ => (0, 0),
    };
    assert_eq!(
        (protection.pattern.crypt, protection.pattern.skip),
        pattern,
        "{name}"
    );
    let size = if name.contains("iv8") || name.contains("lead") {
        8
    } else {
        16
    };
    match protection.iv {
        IvSource::Constant(iv) => {
            assert_eq!(
                (scheme, iv.as_slice().len()),
                (Scheme::Cbcs, size),
                "{name}"
            );
        }
        IvSource::PerSample { size: found } => assert_eq!(usize::from(found), size, "{name}"),
        IvSource::None => panic!("{name}: no IV"),
    }
}

#[test]
fn the_clear_file_has_no_trace_of_protection() {
    const TRACES: [&str; 10] = [
        "sinf", "schm", "schi", "tenc", "frma", "senc", "saiz", "saio", "pssh", "sgpd",
    ];
    for sample in &samples() {
        let name = &sample.file;
        let protected = load(name);
        let keys = sample
            .tracks
            .iter()
            .map(|t| (kid(&t.kid), ContentKey::new(&kid(&t.key))));
        let (clear, _) = decrypt(&protected, &keys.collect(), BatchLimit::default()).unwrap();
        assert!(!Presentation::parse(&clear).unwrap().is_protected());
        for top in BoxTree::new(clear.as_slice()) {
            let top = top.unwrap();
            for node in nodes(&top) {
                let kind = node.kind.to_string();
                assert!(
                    !TRACES.contains(&kind.as_str()),
                    "{name}: {kind} at {}",
                    node.offset
                );
                assert!(
                    !kind.starts_with("enc"),
                    "{name}: {kind} at {}",
                    node.offset
                );
                assert!(
                    !matches!(node.detail, Detail::Malformed(_)),
                    "{name}: {node:?}"
                );
            }
        }
        // Nor does anything of it lie about in the room it had.
        for track in &sample.tracks {
            let id = kid(&track.kid);
            assert!(
                !clear.windows(16).any(|bytes| bytes == id),
                "{name}: a KID is left"
            );
        }
    }
}

#[test]
fn segments_come_out_as_they_do_in_one_file() {
    for name in ["cenc-both.mp4", "cbcs-both.mp4"] {
        let sample = samples()
            .into_iter()
            .find(|sample| sample.file == name)
            .unwrap();
        let keys = sample
            .tracks
            .iter()
            .map(|t| (kid(&t.kid), ContentKey::new(&kid(&t.key))));
        let keys: HashMap<_, _> = keys.collect();
        let file = load(name);
        let (whole, _) = decrypt(&file, &keys, BatchLimit::default()).unwrap();

        let init = MediaReader::open(file.as_slice()).unwrap().init().len();
        let presentation = Presentation::parse(&file[..init]).unwrap();
        let mut reader = MediaReader::resume(&file[init..], presentation.clone());
        let mut writer = ClearWriter::resume(clear_init(&file[..init]).unwrap(), &presentation);
        while let Some(part) = reader.next_part().unwrap() {
            match part {
                Part::Other(bytes) => writer.write_other(bytes).unwrap(),
                Part::Fragment(fragment) => writer.write_fragment(fragment).unwrap(),
            }
        }
        // Not decrypted this time: the same but for the media data.
        let segments = writer.finish().unwrap();
        assert_eq!(segments.len(), whole.len());
        assert!(media_data(&segments) == media_data(&file));
        assert_eq!(segments[..init], whole[..init]);
    }
}

#[test]
fn a_clear_file_passes_through_as_it_is() {
    for name in ["clear-both.mp4", "clear-video.mp4", "clear-av1.mp4"] {
        let file = load(name);
        let (copy, _) = decrypt(&file, &HashMap::new(), BatchLimit::default()).unwrap();
        assert!(copy == file, "{name}");
    }
}

#[test]
fn keys_that_change_are_told_with_the_fragments_that_need_them() {
    let rotated = samples();
    let rotated: Vec<_> = rotated.iter().filter(|sample| sample.rotation).collect();
    assert!(rotated.len() >= 5, "the list of samples is cut short");
    for sample in rotated {
        let name = &sample.file;
        let file = load(name);
        let mut reader = MediaReader::open(file.as_slice()).unwrap();
        // The track's own id is all zero: nothing can be asked for by the movie header.
        assert!(reader.presentation().is_protected());
        assert_eq!(
            reader.presentation().key_ids(),
            Vec::<KeyId>::new(),
            "{name}"
        );
        let mut ids: Vec<KeyId> = Vec::new();
        let mut clear_fragments = 0;
        while let Some(part) = reader.next_part().unwrap() {
            let Part::Fragment(fragment) = part else {
                continue;
            };
            let needed: Vec<KeyId> = fragment.tracks()[0].key_ids().collect();
            let [first, second] = fragment.pssh() else {
                panic!("{name}: pssh")
            };
            let listed = [first, second].map(|pssh| pssh.key_ids.clone());
            let listed = listed.into_iter().flatten().next().unwrap();
            match needed[..] {
                [] => clear_fragments += 1,
                [id] => {
                    assert!(listed.contains(&id), "{name}");
                    if ids.last() != Some(&id) {
                        ids.push(id);
                    }
                }
                _ => panic!("{name}: one key in each fragment"),
            }
        }
        // Of a clear lead the first key protects nothing.
        let wanted: Vec<KeyId> = sample.tracks.iter().map(|track| kid(&track.kid)).collect();
        if name.contains("lead") {
            assert_eq!(clear_fragments, 1, "{name}");
            assert!(wanted.ends_with(&ids), "{name}");
        } else {
            assert_eq!((clear_fragments, ids), (0, wanted), "{name}");
        }
        // Groups of keys in each traf, pssh in each moof.
        let tree: Vec<BoxNode> = BoxTree::new(file.as_slice()).map(Result::unwrap).collect();
        let details: Vec<&Detail> = tree
            .iter()
            .flat_map(nodes)
            .map(|node| &node.detail)
            .collect();
        let groups = Detail::Grouping(FourCc(*b"seig"));
        assert!(details.iter().filter(|detail| ***detail == groups).count() >= 4);
        assert!(
            details
                .iter()
                .filter(|detail| matches!(detail, Detail::Pssh(_)))
                .count()
                >= 4
        );
    }
}

#[test]
fn the_tree_shows_protection() {
    let sample = samples()
        .into_iter()
        .find(|s| s.file == "cbcs-both.mp4")
        .unwrap();
    let file = load(&sample.file);
    let tree: Vec<BoxNode> = BoxTree::new(Cursor::new(&file))
        .map(Result::unwrap)
        .collect();
    let total: u64 = tree.iter().map(|node| node.size).sum();
    assert_eq!(total, file.len() as u64);
    let all: Vec<&BoxNode> = tree.iter().flat_map(nodes).collect();
    let kids: Vec<String> = all
        .iter()
        .filter_map(|node| match &node.detail {
            Detail::TrackEncryption(tenc) => Some(hex::encode(tenc.default_kid)),
            _ => None,
        })
        .collect();
    assert_eq!(
        kids,
        [sample.tracks[0].kid.clone(), sample.tracks[1].kid.clone()]
    );
    let version = 0x1_0000;
    let scheme = Detail::Scheme {
        scheme: FourCc(*b"cbcs"),
        version,
    };
    assert_eq!(all.iter().filter(|node| node.detail == scheme).count(), 2);
    assert!(
        all.iter()
            .any(|node| node.detail == Detail::OriginalFormat(FourCc(*b"avc1")))
    );
    assert!(
        all.iter()
            .any(|node| node.detail == Detail::Track { id: 2 })
    );
    assert!(all.iter().any(|n| matches!(
        n.detail,
        Detail::SampleEncryption {
            subsamples: true,
            ..
        }
    )));
    assert!(
        !all.iter()
            .any(|node| matches!(node.detail, Detail::Malformed(_)))
    );
}

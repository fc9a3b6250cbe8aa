#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::fs;

use keybearer_cenc::{ContentKey, SampleProtection};

use super::*;

mod gap;
mod recovery;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples");

fn sample(name: &str) -> PathBuf {
    Path::new(SAMPLES).join(name)
}

/// Key id and key of each track.
type Keys = Vec<(KeyId, [u8; 16])>;

/// What `samples.json` says: file, clear counterpart, keys.
fn listed() -> Vec<(String, String, Keys)> {
    let list: serde_json::Value =
        serde_json::from_slice(&fs::read(sample("samples.json")).unwrap()).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let hex16 = |value: &serde_json::Value| {
        let mut bytes = [0; 16];
        hex::decode_to_slice(value.as_str().unwrap(), &mut bytes).unwrap();
        bytes
    };
    let files = list["files"].as_array().unwrap().iter();
    files
        .map(|file| {
            let tracks = file["tracks"].as_array().unwrap().iter();
            let keys = tracks
                .map(|track| (hex16(&track["kid"]), hex16(&track["key"])))
                .collect();
            (text(&file["file"]), text(&file["clear"]), keys)
        })
        .collect()
}

/// The media data of a file, all `mdat` boxes one behind the other.
fn media(file: &[u8]) -> Vec<u8> {
    let (mut rest, mut media) = (file, Vec::new());
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap();
        if &rest[4..8] == b"mdat" {
            media.extend_from_slice(&rest[8..size]);
        }
        rest = &rest[size..];
    }
    media
}

#[derive(Debug, thiserror::Error)]
enum RawError {
    #[error("no key")]
    NoKey,
    #[error("told to fail")]
    Told,
    #[error(transparent)]
    Cenc(#[from] keybearer_cenc::CencError),
}

/// Decrypts with keys given by hand, and keeps what it was told.
struct RawKeys {
    keys: Vec<(KeyId, ContentKey)>,
    limit: BatchLimit,
    prepared: Vec<(Vec<KeyId>, usize)>,
    batches: Vec<(u64, usize, u64)>,
    /// Batches after which it fails.
    fail_after: usize,
}

impl RawKeys {
    fn new(keys: &[(KeyId, [u8; 16])]) -> Self {
        Self {
            keys: keys
                .iter()
                .map(|(id, key)| (*id, ContentKey::new(key)))
                .collect(),
            limit: BatchLimit::default(),
            prepared: Vec::new(),
            batches: Vec::new(),
            fail_after: usize::MAX,
        }
    }
}

impl SampleDecryptor for RawKeys {
    type Error = RawError;

    fn limit(&self) -> BatchLimit {
        self.limit
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), RawError> {
        self.prepared.push((key_ids.to_vec(), pssh.len()));
        Ok(())
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, mut data: &mut [u8]) -> Result<(), RawError> {
        if self.batches.len() >= self.fail_after {
            return Err(RawError::Told);
        }
        let samples = batch.batch.samples();
        self.batches
            .push((batch.batch.duration_ms(), samples.len(), batch.batch.size()));
        let key = self.keys.iter().find(|(id, _)| *id == batch.protection.kid);
        let (_, key) = key.ok_or(RawError::NoKey)?;
        assert_eq!(u64::try_from(data.len()).unwrap(), batch.batch.size());
        for sample in samples {
            let (one, rest) = data.split_at_mut(usize::try_from(sample.size).unwrap());
            data = rest;
            let subsamples = batch.batch.subsamples(sample);
            let protection = SampleProtection {
                scheme: batch.protection.scheme,
                pattern: batch.protection.pattern,
                iv: sample.iv.as_slice(),
                subsamples: (!subsamples.is_empty()).then_some(subsamples),
            };
            key.decrypt_sample(&protection, one)?;
        }
        Ok(())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_sample_file_becomes_its_clear_counterpart() {
    let dir = tempfile::tempdir().unwrap();
    let files = listed();
    assert!(
        files.len() > 20,
        "the list of samples is the one in the repository"
    );
    for (file, clear, keys) in files {
        let mut decryptor = RawKeys::new(&keys);
        let output = dir.path().join(&file);
        let mut last = None;
        let summary = decrypt_file(&sample(&file), &output, &mut decryptor, &mut |p| {
            last = Some(p)
        })
        .unwrap();
        let written = fs::read(&output).unwrap();
        assert_eq!(
            media(&written),
            media(&fs::read(sample(&clear)).unwrap()),
            "{file}"
        );

        let size = fs::metadata(sample(&file)).unwrap().len();
        assert_eq!(summary.bytes, size, "{file}");
        assert!(summary.protected_samples > 0 && summary.fragments > 0);
        let mut used = summary.key_ids.clone();
        used.sort_unstable();
        let mut expected: Vec<KeyId> = keys.iter().map(|(id, _)| *id).collect();
        expected.sort_unstable();
        assert_eq!(used, expected, "{file}");
        let progress = Progress {
            bytes: size,
            total: Some(size),
            samples: summary.protected_samples,
        };
        assert_eq!(last, Some(progress), "{file}");
    }
}

#[test]
fn batches_keep_within_the_decryptors_limit() {
    let (file, clear, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cbcs-both.mp4")
        .unwrap();
    let mut decryptor = RawKeys::new(&keys);
    decryptor.limit = BatchLimit {
        duration_ms: 200,
        bytes: 4000,
        samples: 3,
        subsamples: usize::MAX,
    };
    let mut written = Vec::new();
    let input = File::open(sample(&file)).unwrap();
    decrypt_stream(input, &mut written, &mut decryptor, &mut |_| ()).unwrap();
    assert_eq!(media(&written), media(&fs::read(sample(&clear)).unwrap()));
    for (duration, samples, bytes) in decryptor.batches {
        assert!(samples == 1 || (samples <= 3 && duration <= 200 && bytes <= 4000));
    }
}

#[test]
fn the_decryptor_hears_of_each_key_and_each_box_once() {
    let (file, _, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cenc-both.mp4")
        .unwrap();
    let mut decryptor = RawKeys::new(&keys);
    let input = File::open(sample(&file)).unwrap();
    decrypt_stream(input, io::sink(), &mut decryptor, &mut |_| ()).unwrap();
    let [(ids, pssh)] = &decryptor.prepared[..] else {
        panic!("{:?}", decryptor.prepared)
    };
    assert_eq!((ids.len(), *pssh > 0), (2, true));
}

#[test]
fn a_file_without_protection_passes_through() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.mp4");
    let mut decryptor = RawKeys::new(&[]);
    let clear = sample("clear-video.mp4");
    let summary = decrypt_file(&clear, &output, &mut decryptor, &mut |_| ()).unwrap();
    assert_eq!(fs::read(&output).unwrap(), fs::read(&clear).unwrap());
    assert_eq!((summary.protected_samples, summary.key_ids.len()), (0, 0));
    assert!(decryptor.prepared.is_empty());
}

#[test]
fn a_failure_at_any_batch_leaves_no_file() {
    let (file, _, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cenc-video.mp4")
        .unwrap();
    let mut whole = RawKeys::new(&keys);
    whole.limit.samples = 10;
    let input = File::open(sample(&file)).unwrap();
    decrypt_stream(input, io::sink(), &mut whole, &mut |_| ()).unwrap();
    assert!(whole.batches.len() > 3);

    let dir = tempfile::tempdir().unwrap();
    for fail_after in 0..whole.batches.len() {
        let mut decryptor = RawKeys::new(&keys);
        decryptor.limit.samples = 10;
        decryptor.fail_after = fail_after;
        let output = dir.path().join("out.mp4");
        let failed = decrypt_file(&sample(&file), &output, &mut decryptor, &mut |_| ());
        assert!(matches!(
            failed,
            Err(PlaybackError::Decryptor(RawError::Told))
        ));
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }
}

#[test]
fn a_missing_key_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.mp4");
    let mut decryptor = RawKeys::new(&[([1; 16], [2; 16])]);
    let failed = decrypt_file(
        &sample("cbcs-video.mp4"),
        &output,
        &mut decryptor,
        &mut |_| (),
    );
    assert!(matches!(
        failed,
        Err(PlaybackError::Decryptor(RawError::NoKey))
    ));
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

/// Cut at a box boundary a file is only shorter, which no reader can tell; anywhere else it is an
/// error, and never a file.
#[test]
fn an_input_cut_inside_a_box_leaves_no_file() {
    let (file, _, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cenc-audio.mp4")
        .unwrap();
    let whole = fs::read(sample(&file)).unwrap();
    let mut ends = vec![0];
    while let Some((size, _)) = whole[*ends.last().unwrap()..].split_first_chunk::<4>() {
        ends.push(ends.last().unwrap() + usize::try_from(u32::from_be_bytes(*size)).unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    let [cut, output] = ["cut.mp4", "out.mp4"].map(|name| dir.path().join(name));
    for end in (0..whole.len())
        .step_by(97)
        .filter(|end| !ends.contains(end))
    {
        fs::write(&cut, &whole[..end]).unwrap();
        let failed = decrypt_file(&cut, &output, &mut RawKeys::new(&keys), &mut |_| ());
        assert!(
            matches!(failed, Err(PlaybackError::Input(_))),
            "cut at {end}: {failed:?}"
        );
        assert_eq!(names(dir.path()), ["cut.mp4"]);
    }
}

#[test]
fn what_stood_under_the_name_survives_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.mp4");
    fs::write(&output, b"before").unwrap();
    let mut decryptor = RawKeys::new(&[]);
    assert!(
        decrypt_file(
            &sample("cens-video.mp4"),
            &output,
            &mut decryptor,
            &mut |_| ()
        )
        .is_err()
    );
    assert_eq!(fs::read(&output).unwrap(), b"before");
}

#[test]
fn a_file_is_not_decrypted_onto_itself() {
    let dir = tempfile::tempdir().unwrap();
    let [input, link] = ["in.mp4", "link.mp4"].map(|name| dir.path().join(name));
    fs::copy(sample("cenc-video.mp4"), &input).unwrap();
    std::os::unix::fs::symlink(&input, &link).unwrap();
    for output in [&input, &link] {
        let refused = decrypt_file(&input, output, &mut RawKeys::new(&[]), &mut |_| ());
        assert!(
            matches!(refused, Err(PlaybackError::SameFile { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        fs::read(&input).unwrap(),
        fs::read(sample("cenc-video.mp4")).unwrap()
    );
}

#[test]
fn paths_that_do_not_work_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent.mp4");
    let output = dir.path().join("out.mp4");
    let error = decrypt_file(&absent, &output, &mut RawKeys::new(&[]), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("absent.mp4"), "{error}");
    let nowhere = dir.path().join("no/folder/out.mp4");
    let input = sample("clear-video.mp4");
    let error = decrypt_file(&input, &nowhere, &mut RawKeys::new(&[]), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("no/folder"), "{error}");
}

#[test]
fn a_full_disk_is_an_error_and_not_a_shorter_file() {
    let (file, _, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cenc-video.mp4")
        .unwrap();
    let input = || File::open(sample(&file)).unwrap();
    for room in [0, 100, 5_000, 20_000] {
        let mut disk = vec![0; room];
        let failed = decrypt_stream(
            input(),
            &mut disk[..],
            &mut RawKeys::new(&keys),
            &mut |_| (),
        );
        assert!(
            matches!(failed, Err(PlaybackError::Output(_))),
            "{room}: {failed:?}"
        );
    }
}

/// Stops when told, and keeps what it was shown first.
#[derive(Default)]
struct Stopping {
    init: usize,
    left: usize,
}

impl SampleDecryptor for Stopping {
    type Error = RawError;

    fn begin(&mut self, init: &[u8]) -> Result<(), RawError> {
        self.init = init.len();
        Ok(())
    }

    fn go_on(&mut self) -> Result<(), RawError> {
        self.left = self.left.checked_sub(1).ok_or(RawError::Told)?;
        Ok(())
    }

    fn prepare(&mut self, _: &[KeyId], _: &[Pssh]) -> Result<(), RawError> {
        Ok(())
    }

    fn decrypt(&mut self, _: &TrackBatch<'_>, _: &mut [u8]) -> Result<(), RawError> {
        Ok(())
    }
}

#[test]
fn a_clear_file_can_be_stopped_at_every_part_and_before_it_gets_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.mp4");
    let parts = |left: usize| {
        let mut decryptor = Stopping { init: 0, left };
        let (mut seen, input) = (0, sample("clear-video.mp4"));
        let result = decrypt_file(&input, &output, &mut decryptor, &mut |_| seen += 1);
        assert!(decryptor.init > 100);
        (result, seen)
    };
    let (whole, all) = parts(usize::MAX);
    whole.unwrap();
    fs::remove_file(&output).unwrap();
    assert!(all > 2);
    // One more question than there are parts: the last stands before the name.
    for left in 0..=all {
        let (result, _) = parts(left);
        assert!(
            matches!(result, Err(PlaybackError::Decryptor(RawError::Told))),
            "{left}"
        );
        assert_eq!(names(dir.path()), Vec::<String>::new(), "{left}");
    }
    parts(all + 1).0.unwrap();
}

#[test]
fn a_pipe_serves_as_input() {
    let (file, clear, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cbcs-both.mp4")
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (pipe, output) = (dir.path().join("pipe"), dir.path().join("out.mp4"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let writer = std::thread::spawn({
        let (pipe, bytes) = (pipe.clone(), fs::read(sample(&file)).unwrap());
        move || fs::write(pipe, bytes).unwrap()
    });
    decrypt_file(&pipe, &output, &mut RawKeys::new(&keys), &mut |_| ()).unwrap();
    writer.join().unwrap();
    assert_eq!(
        media(&fs::read(&output).unwrap()),
        media(&fs::read(sample(&clear)).unwrap())
    );
}

/// The boxes of a file, `moov` behind all others. Everything in fragments counts from these.
fn with_moov_last(file: &[u8]) -> Vec<u8> {
    let (mut rest, mut out, mut moov) = (file, Vec::new(), Vec::new());
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let (found, behind) = rest.split_at(usize::try_from(u32::from_be_bytes(*size)).unwrap());
        let to = if &found[4..8] == b"moov" {
            &mut moov
        } else {
            &mut out
        };
        to.extend_from_slice(found);
        rest = behind;
    }
    [out, moov].concat()
}

#[test]
fn moov_may_stand_at_the_end_of_a_file_but_not_of_a_stream() {
    let dir = tempfile::tempdir().unwrap();
    let [input, output] = ["in.mp4", "out.mp4"].map(|name| dir.path().join(name));
    for name in ["cenc-both.mp4", "cbcs-periods-video.mp4"] {
        let (file, clear, keys) = listed().into_iter().find(|f| f.0 == name).unwrap();
        let moved = with_moov_last(&fs::read(sample(&file)).unwrap());
        fs::write(&input, &moved).unwrap();
        let mut last = None;
        let mut decryptor = RawKeys::new(&keys);
        let summary = decrypt_file(&input, &output, &mut decryptor, &mut |p| last = Some(p));
        let summary = summary.unwrap();
        let written = fs::read(&output).unwrap();
        assert_eq!(written.len(), moved.len(), "{name}");
        assert!(
            media(&written) == media(&fs::read(sample(&clear)).unwrap()),
            "{name}"
        );
        assert!(written.windows(4).all(|bytes| bytes != b"sinf"), "{name}");
        let total = u64::try_from(moved.len()).unwrap();
        let last = last.unwrap();
        assert_eq!(
            (summary.bytes, last.bytes, last.total),
            (total, total, Some(total))
        );

        let refused = decrypt_stream(&moved[..], io::sink(), &mut decryptor, &mut |_| ());
        assert!(matches!(
            refused,
            Err(PlaybackError::Input(MediaError::Missing { .. }))
        ));
    }
}

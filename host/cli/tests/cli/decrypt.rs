use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{
    Ran, command, keybearer, listed, media_data, names, sample, speaks_of_protection,
};

const OTHER: &str = "00000000000000000000000000000001";
const VIDEO: &str = "8caa7e396f418e64ccdd707a12761c01:0a37ade2ffcc482f9dd6380a6a817f49";
const AUDIO_KID: &str = "591e945db8722a983fec45128da888af";

/// A private key file.
fn key_file(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("keys");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn decrypt(input: &Path, output: &Path, more: &[&str]) -> Ran {
    let mut arguments = vec![
        "decrypt",
        input.to_str().unwrap(),
        "-o",
        output.to_str().unwrap(),
    ];
    arguments.extend(more);
    keybearer(arguments)
}

/// Runs `decrypt` in a folder of its own; it must fail and leave nothing there.
#[track_caller]
fn fails(input: &Path, more: &[&str], code: i32) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let ran = decrypt(input, &folder.path().join("out.mp4"), more).exits(code);
    assert_eq!(names(folder.path()), [""; 0], "{}", ran.err);
    ran
}

#[test]
fn every_sample_becomes_its_clear_counterpart() {
    let folder = tempfile::tempdir().unwrap();
    let mut schemes = std::collections::BTreeSet::new();
    for file in listed().iter().filter(|file| !file.rotation) {
        let lines: Vec<String> = file
            .tracks
            .iter()
            .map(|[_, kid, key]| format!("{kid}:{key}"))
            .collect();
        let keys = key_file(
            folder.path(),
            &format!("# test keys\n\n{}\n", lines.join(" # a comment\n")),
        );
        let out = folder.path().join("out.mp4");
        let ran = decrypt(
            &sample(&file.file),
            &out,
            &["--key-file", keys.to_str().unwrap(), "--json"],
        );
        let report = ran.exits(0).says("").json();
        let clear = fs::read(&out).unwrap();
        let wanted = fs::read(sample(&file.clear)).unwrap();
        assert!(media_data(&clear) == media_data(&wanted), "{}", file.file);
        assert!(!speaks_of_protection(&clear), "{}", file.file);
        assert!(
            report["decrypted_samples"].as_u64().unwrap() > 0,
            "{}",
            file.file
        );
        assert_eq!(
            report["key_ids"].as_array().unwrap().len(),
            file.tracks.len()
        );
        schemes.insert(file.scheme.clone());
    }
    assert_eq!(schemes.len(), 4);
}

#[test]
fn key_rotation_is_refused_by_name() {
    let rotating = listed().into_iter().find(|file| file.rotation).unwrap();
    fails(&sample(&rotating.file), &["--key", VIDEO], 3).says("error:");
}

#[test]
fn keys_in_arguments_are_warned_about_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    let ran = decrypt(&sample("cenc-video.mp4"), &out, &["--key", VIDEO]).exits(0);
    let ran = ran.says("can be seen by other users");
    assert!(!ran.err.contains("0a37ade2") && !ran.out.contains("0a37ade2"));
    assert!(
        ran.out.contains("50 of 50 samples decrypted"),
        "{}",
        ran.out
    );
}

#[test]
fn open_key_files_are_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path(), VIDEO);
    let (out, name) = (folder.path().join("out.mp4"), keys.to_str().unwrap());
    let ran = decrypt(&sample("cenc-video.mp4"), &out, &["--key-file", name]).exits(0);
    assert_eq!(ran.err, "");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    decrypt(&sample("cenc-video.mp4"), &out, &["--key-file", name])
        .exits(0)
        .says("chmod 600");
}

#[test]
fn a_missing_key_is_named_and_nothing_is_written() {
    // One of two tracks would be decryptable; half a file is no file.
    let ran = fails(&sample("cenc-both.mp4"), &["--key", VIDEO], 3);
    let ran = ran
        .says(&format!("needs keys that were not given: {AUDIO_KID}"))
        .says("hint:");
    assert!(
        !ran.err.contains(&VIDEO[..32]),
        "only what is missing is named"
    );
    let foreign = format!("{OTHER}:{OTHER}");
    fails(&sample("cenc-video.mp4"), &["--key", &foreign], 3).says(&VIDEO[..32]);
}

#[test]
fn a_foreign_key_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = format!("{OTHER}:{}", "00".repeat(16));
    let out = folder.path().join("out.mp4");
    let ran = decrypt(
        &sample("cenc-video.mp4"),
        &out,
        &["--key", VIDEO, "--key", &foreign],
    );
    ran.exits(0).says(&format!(
        "key {OTHER} was given but this file does not need it"
    ));
}

#[test]
fn a_wrong_key_is_told_where_it_can_be_told() {
    // Sound: an AAC frame has a beginning that garbage soon misses. The key is all zero bytes.
    let zero = "00".repeat(16);
    for file in listed()
        .iter()
        .filter(|file| file.file.ends_with("-audio.mp4"))
    {
        let wrong = format!("{}:{zero}", file.tracks[0][1]);
        let ran = fails(&sample(&file.file), &["--key", &wrong], 3);
        ran.says("an AAC frame that ends where it begins")
            .says("is wrong, or the file damaged");
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    let wrong = format!("{AUDIO_KID}:{zero}");
    decrypt(
        &sample("cenc-audio.mp4"),
        &out,
        &["--key", &wrong, "--unchecked"],
    )
    .exits(0);
    assert!(out.exists(), "asked for");
}

#[test]
fn unusable_keys_are_refused_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let video = sample("cenc-video.mp4");
    let cases = [
        ("8caa7e396f418e64ccdd707a12761c01", "line 1: no colon found"),
        (
            "\n# only\n 5ec7e7:5ec7e7 # short",
            "line 3: key id: 6 digits found",
        ),
        ("# nothing but a comment\n", "holds no key"),
        (
            "8caa7e396f418e64ccdd707a12761c01:5ec7e75ec7e75ec7e75ec7e75ec7e75\n",
            "line 1: key: 31 digits found",
        ),
    ];
    for (text, said) in cases {
        let keys = key_file(folder.path(), text);
        let ran = fails(&video, &["--key-file", keys.to_str().unwrap()], 3).says(said);
        assert!(!ran.err.contains("5ec7e75"), "{}", ran.err);
    }
    fails(&video, &["--key-file", "/nowhere"], 3).says("cannot read key file /nowhere");
    fails(&video, &["--key", "8caa:7"], 2).says("expected KID:KEY");
    let two = format!("{}:{OTHER}", &VIDEO[..32]);
    fails(&video, &["--key", VIDEO, "--key", &two], 2).says("another key was given");
    fails(&video, &[], 2).says("--key-file");
}

#[test]
fn unusable_files_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(sample("cenc-video.mp4")).unwrap();
    let cut = folder.path().join("cut.mp4");
    for length in [0, 7, 500, 1200, 3000, whole.len() - 1] {
        fs::write(&cut, &whole[..length]).unwrap();
        fails(&cut, &["--key", VIDEO], 3).says("error:");
    }
    fails(Path::new("/nowhere.mp4"), &["--key", VIDEO], 3).says("cannot open /nowhere.mp4");
    fails(&sample("samples.json"), &["--key", VIDEO], 3).says("error:");
    let scheme = folder.path().join("scheme.mp4");
    let mut unknown = whole.clone();
    let at = unknown
        .windows(8)
        .position(|window| window == b"schm\0\0\0\0")
        .unwrap()
        + 8;
    unknown[at..at + 4].copy_from_slice(b"cenz");
    fs::write(&scheme, unknown).unwrap();
    fails(&scheme, &["--key", VIDEO], 3).says("protection scheme 'cenz'");
}

#[test]
fn an_output_that_cannot_be_is_refused() {
    let video = sample("cenc-video.mp4");
    decrypt(&video, Path::new("/nowhere/out.mp4"), &["--key", VIDEO])
        .exits(7)
        .says("/nowhere/out.mp4");
    let folder = tempfile::tempdir().unwrap();
    let same = folder.path().join("same.mp4");
    fs::copy(&video, &same).unwrap();
    decrypt(&same, &same, &["--key", VIDEO])
        .exits(2)
        .says("choose another name");
    assert_eq!(fs::read(&same).unwrap(), fs::read(&video).unwrap());
}

#[test]
fn what_stood_there_before_survives_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    fs::write(&out, "precious").unwrap();
    decrypt(&sample("cenc-both.mp4"), &out, &["--key", VIDEO]).exits(3);
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["out.mp4"]);
}

#[test]
fn a_clear_file_passes_through_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    let ran = decrypt(&sample("clear-video.mp4"), &out, &["--key", VIDEO]).exits(0);
    ran.says("no sample of this file is protected")
        .says("does not need it");
    assert_eq!(
        fs::read(&out).unwrap(),
        fs::read(sample("clear-video.mp4")).unwrap()
    );
}

/// Bytes of a box at the start of `file`.
fn first_box(file: &[u8]) -> usize {
    u32::from_be_bytes(file[..4].try_into().unwrap()) as usize
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    assert!(
        Command::new("mkfifo")
            .arg(&input)
            .status()
            .unwrap()
            .success()
    );
    let outputs = folder.path().join("out");
    fs::create_dir(&outputs).unwrap();
    let mut child = command()
        .args(["decrypt", "--unchecked", "--key", VIDEO, "-o"])
        .args([&outputs.join("out.mp4"), &input])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = fs::OpenOptions::new().write(true).open(&input).unwrap();

    // The beginning and the first fragment, then that fragment again and again: the file never ends.
    let file = fs::read(sample("cenc-video.mp4")).unwrap();
    let moof = file
        .windows(4)
        .position(|window| window == b"moof")
        .unwrap()
        - 4;
    let fragment = &file[moof..];
    let size = first_box(fragment) + first_box(&fragment[first_box(fragment)..]);
    pipe.write_all(&file[..moof]).unwrap();
    let status = || fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let listens = |status: String| {
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .unwrap()
            .trim();
        u64::from_str_radix(caught, 16).unwrap() & (1 << 14) != 0
    };
    while !listens(status()) {
        std::thread::sleep(Duration::from_millis(10));
    }
    pipe.write_all(&fragment[..size]).unwrap();
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it goes on");
        // Once the reader has gone there is nothing more to feed.
        let _ = pipe.write_all(&fragment[..size]);
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
    assert_eq!(names(&outputs), [""; 0]);
}

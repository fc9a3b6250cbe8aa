use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Ran, keybearer, listed, media_data, names, sample, speaks_of_protection};

const OTHER: &str = "00000000000000000000000000000001";
pub(crate) const VIDEO: &str = "8caa7e396f418e64ccdd707a12761c01:0a37ade2ffcc482f9dd6380a6a817f49";
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
    for file in listed() {
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
    assert!(!ran.err.contains("chmod"), "{}", ran.err);
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
    fails(&video, &["--key-file", "."], 3).says(". is a folder; expected a file of KID:KEY");
    // Nor is advice on permissions given where it would be wrong.
    let ran = fails(&video, &["--key-file", "/dev/null"], 3).says("/dev/null holds no key");
    assert!(!ran.err.contains("chmod"), "{}", ran.err);
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
        let said = match length {
            0 => "cut.mp4 is empty",
            7 => "cut.mp4 is not an ISO media file",
            _ => "cut.mp4: ",
        };
        fails(&cut, &["--key", VIDEO], 3).says(said);
    }
    fails(Path::new("/nowhere.mp4"), &["--key", VIDEO], 3).says("cannot open /nowhere.mp4");
    let listing = sample("samples.json");
    fails(&listing, &["--key", VIDEO], 3)
        .says(&format!("{} is not an ISO media file", listing.display()));
    fails(folder.path(), &["--key", VIDEO], 3)
        .says(&format!("{} is a folder", folder.path().display()));
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
    let ran = ran
        .says("no sample of this file is protected")
        .says("does not need it");
    assert!(
        ran.out.contains("out.mp4: copied as it is, "),
        "{}",
        ran.out
    );
    assert_eq!(
        fs::read(&out).unwrap(),
        fs::read(sample("clear-video.mp4")).unwrap()
    );
}

#[test]
fn success_says_which_tracks_could_not_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    // One digit of the key is wrong, and nothing in these few pictures shows it.
    let wrong = format!("{}8", &VIDEO[..VIDEO.len() - 1]);
    let ran = decrypt(
        &sample("cenc-video.mp4"),
        &out,
        &["--key", &wrong, "--json"],
    )
    .exits(0);
    let ran = ran.says("track 1: whether the key is right could not be checked");
    let doubts = &ran.json()["unchecked_tracks"];
    assert_eq!(doubts[0]["track"], 1);
    assert_eq!(doubts[0]["key_ids"][0], VIDEO[..32]);
    // Of sound there is enough in two seconds.
    let audio = listed()
        .into_iter()
        .find(|file| file.file == "cenc-audio.mp4")
        .unwrap();
    let [_, kid, key] = &audio.tracks[0];
    let right = format!("{kid}:{key}");
    let ran = decrypt(
        &sample("cenc-audio.mp4"),
        &out,
        &["--key", &right, "--json"],
    )
    .exits(0);
    assert_eq!(ran.json()["unchecked_tracks"], serde_json::json!([]));
    let unchecked = ["--key", &right, "--json", "--unchecked"];
    let ran = decrypt(&sample("cenc-audio.mp4"), &out, &unchecked).exits(0);
    assert_eq!(
        ran.json()["unchecked_tracks"][0]["why"],
        "--unchecked was given"
    );
}

#[test]
fn a_pipe_is_decrypted_and_checked_like_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, out) = (folder.path().join("pipe"), folder.path().join("out.mp4"));
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let bytes = fs::read(sample("cenc-audio.mp4")).unwrap();
    for (key, code) in [("00".repeat(16), 3), (String::new(), 0)] {
        let audio = listed()
            .into_iter()
            .find(|file| file.file == "cenc-audio.mp4")
            .unwrap();
        let [_, kid, right] = &audio.tracks[0];
        let key = if key.is_empty() { right.clone() } else { key };
        let writer = std::thread::spawn({
            let (pipe, bytes) = (pipe.clone(), bytes.clone());
            // A reader that refuses goes away early.
            move || fs::write(pipe, bytes).ok()
        });
        decrypt(&pipe, &out, &["--key", &format!("{kid}:{key}")]).exits(code);
        writer.join().unwrap();
    }
    let wanted = fs::read(sample("clear-audio.mp4")).unwrap();
    assert!(media_data(&fs::read(&out).unwrap()) == media_data(&wanted));
}

#[test]
fn many_foreign_keys_are_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    let foreign = [1, 2, 3].map(|number| format!("{number:032x}:{OTHER}"));
    let mut more = vec!["--key", VIDEO];
    for key in &foreign {
        more.extend(["--key", key]);
    }
    let ran = decrypt(&sample("cenc-video.mp4"), &out, &more).exits(0);
    let ran = ran.says("3 keys were given that this file does not need");
    assert_eq!(ran.err.matches("need").count(), 1, "{}", ran.err);
}

#[test]
fn an_output_that_is_no_file_is_refused_and_stays() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    decrypt(&sample("cenc-video.mp4"), &pipe, &["--key", VIDEO])
        .exits(7)
        .says("a pipe stands there");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    decrypt(&sample("cenc-video.mp4"), Path::new("."), &["--key", VIDEO])
        .exits(7)
        .says("a folder stands there");
}

#[test]
fn a_wrong_argument_is_a_document_too() {
    let ran = keybearer(["decrypt", "--json"]).exits(2).says("Usage");
    assert_eq!(ran.json()["error"]["kind"], "usage");
    let message = &ran.json()["error"]["message"];
    for argument in ["--output <OUT>", "<FILE>"] {
        assert!(message.as_str().unwrap().contains(argument), "{message}");
    }
    assert_eq!(keybearer(["decrypt"]).exits(2).out, "");
    assert!(
        keybearer(["--json", "--help"])
            .exits(0)
            .out
            .contains("Usage")
    );
}

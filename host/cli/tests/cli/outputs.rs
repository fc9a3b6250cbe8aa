//! Outputs that cannot be written, and outputs that must not be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::decrypt::VIDEO;
use crate::machines::{Device, Server};
use crate::run::{Ran, keybearer, names, sample};

/// Runs the command where a file may grow to so many blocks of 1024 bytes and no further; then either
/// the signal comes that ends a process by default, or, where it is ignored, an error as of a full disk.
fn with_small_files(blocks: u32, signal: bool, arguments: &[&str]) -> Ran {
    let trap = if signal { "" } else { "trap '' XFSZ; " };
    let output = Command::new("bash")
        .arg("-c")
        .arg(format!("{trap}ulimit -f {blocks}; exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_keybearer"))
        .args(arguments)
        .env_remove("KEYBEARER_STATE")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().expect("an exit code, and no signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn an_output_that_finds_no_room_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    let out = out.to_str().unwrap();
    let video = sample("cenc-video.mp4");
    // 1 block is full within the file, 20 only at its end.
    for (blocks, signal) in [(1, true), (1, false), (20, true), (20, false)] {
        let arguments = [
            "decrypt",
            video.to_str().unwrap(),
            "--key",
            VIDEO,
            "-o",
            out,
        ];
        let ran = with_small_files(blocks, signal, &arguments).exits(7);
        let ran = ran.says(&format!("error: cannot write {out}: File too large"));
        assert!(!ran.err.contains(".part"), "{}", ran.err);
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn a_licensed_output_that_finds_no_room_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    let device = Device::new();
    let bundle = folder.path().join("bundle.json");
    device
        .run(&["provision", "--bundle", bundle.to_str().unwrap()])
        .exits(0);
    // Longer than all that a run may write beside it, such as the memory that it shares with its worker.
    const ROOM: u32 = 32 << 10;
    const FREE: u32 = 2 * ROOM * 1024;
    let (video, out) = (folder.path().join("long.mp4"), device.output("out.mp4"));
    let mut long = fs::read(sample("cenc-video.mp4")).unwrap();
    long.extend(FREE.to_be_bytes());
    long.extend(b"free");
    fs::write(&video, &long).unwrap();
    let whole = long.len() as u64 - 8 + u64::from(FREE);
    let file = fs::OpenOptions::new().write(true).open(&video).unwrap();
    file.set_len(whole).unwrap();
    let state = device.state();
    for signal in [true, false] {
        let arguments = [
            "play",
            video.to_str().unwrap(),
            "-o",
            out.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ];
        let ran = with_small_files(ROOM, signal, &arguments).exits(7);
        ran.says(&format!("error: cannot write {}: ", out.display()));
        assert_eq!(names(out.parent().unwrap()), [""; 0]);
    }
    drop(server);
}

#[test]
fn keys_that_find_no_room_leave_nothing_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let init = [
        "serve",
        "init",
        keys.to_str().unwrap(),
        "--service",
        "Example",
    ];
    for signal in [true, false] {
        with_small_files(0, signal, &init)
            .exits(7)
            .says("File too large");
        assert_eq!(names(folder.path()), [""; 0]);
    }
    keybearer(init).exits(0);
    let (chain, renew) = (keys.join("service.chain"), ["serve", "renew", init[2]]);
    let before = (names(&keys), fs::read(&chain).unwrap());
    with_small_files(0, true, &renew).exits(7);
    assert_eq!((names(&keys), fs::read(&chain).unwrap()), before);
}

/// Every way to name `file` that leads to it.
fn ways(file: &Path) -> Vec<String> {
    let folder = file.parent().unwrap();
    let (soft, hard) = (folder.join("soft"), folder.join("hard"));
    symlink(file, &soft).unwrap();
    fs::hard_link(file, &hard).unwrap();
    let dotted = folder.join(".").join(file.file_name().unwrap());
    [file, &dotted, &soft, &hard]
        .map(|way| way.to_str().unwrap().to_owned())
        .to_vec()
}

#[test]
fn no_input_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("film.keys");
    fs::write(&keys, VIDEO).unwrap();
    let video = sample("cenc-video.mp4");
    let (video, name) = (video.to_str().unwrap(), keys.to_str().unwrap());
    for way in ways(&keys) {
        keybearer(["decrypt", video, "--key-file", name, "-o", &way])
            .exits(2)
            .says("is the key file; choose another name");
    }
    assert_eq!(fs::read_to_string(&keys).unwrap(), VIDEO);

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "a token").unwrap();
    for way in ways(&token) {
        let token = ["--token-file", token.to_str().unwrap()];
        let device = Device::new();
        device
            .run(&[&["play", video, "-o", &way], &token[..]].concat())
            .exits(2)
            .says("is the token file; choose another name");
    }
    assert_eq!(fs::read_to_string(&token).unwrap(), "a token");

    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    fs::copy(video, &film).unwrap();
    for way in ways(&film) {
        let film = film.to_str().unwrap();
        keybearer(["decrypt", film, "--key", VIDEO, "-o", &way])
            .exits(2)
            .says("is the input; choose another name");
    }
    assert_eq!(fs::read(&film).unwrap(), fs::read(video).unwrap());

    let device = Device::new();
    let services = device.state().join("services.json");
    fs::create_dir_all(device.state()).unwrap();
    fs::write(&services, "{\"services\": []}").unwrap();
    device
        .run(&["play", video, "-o", services.to_str().unwrap()])
        .exits(2)
        .says("is the list of this device's services");
}

#[test]
fn a_bundle_takes_the_place_of_bundles_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    assert_eq!(server.stop(), Some(0));
    let config = folder.path().join("keybearer.toml");
    let serve = ["serve", "--config", config.to_str().unwrap(), "--bundle"];
    for other in ["keybearer.toml", "store.redb", "keys/store.key"] {
        let other = folder.path().join(other);
        let before = fs::read(&other).unwrap();
        keybearer(serve.iter().chain(&[other.to_str().unwrap()]))
            .exits(2)
            .says("is there and is no enrolment bundle");
        assert_eq!(fs::read(&other).unwrap(), before);
    }
    // The bundle of the first start makes room for that of the second.
    let before = fs::read(folder.path().join("bundle.json")).unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    assert_ne!(fs::read(folder.path().join("bundle.json")).unwrap(), before);
    drop(server);
}

#[test]
fn help_says_what_happens_to_an_output_that_is_there() {
    for command in ["play", "decrypt"] {
        let ran = keybearer([command, "--help"]).exits(0);
        let help: Vec<&str> = ran.out.split_whitespace().collect();
        assert!(help.join(" ").contains("in place of one that is there"));
    }
}

//! `serve` in one process, `provision` and `play` in others, as on two machines.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::machines::{Device, REST, Server};
use crate::run::{keybearer, media_data, sample, speaks_of_protection};

#[test]
fn a_provisioned_device_plays_by_a_licence() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-both.mp4", "cbcs-both.mp4"], "");
    let device = Device::new();
    let bundle = folder.path().join("bundle.json");
    let mode = fs::metadata(&bundle).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the bundle holds a token");

    device
        .fails("cenc-both.mp4", &[], 2)
        .says("no service is known")
        .says("hint:");
    device
        .fails("cenc-both.mp4", &["--server", server.url()], 2)
        .says("no trust anchor is known");
    let anchor = server.said["anchor"].as_str().unwrap();
    let named = ["--server", server.url(), "--anchor", anchor];
    device.fails("cenc-both.mp4", &named, 6).says("provision");

    let bundle = [
        "provision",
        "--bundle",
        bundle.to_str().unwrap(),
        "--model",
        "Example TV",
    ];
    let ran = device.run(&bundle).exits(0);
    assert!(
        ran.out.contains("level low, model Example TV"),
        "{}",
        ran.out
    );
    Device::new()
        .run(&bundle)
        .exits(4)
        .says("keybearer explain EnrolmentRefused");

    for file in ["cenc-both.mp4", "cbcs-both.mp4"] {
        let report = device.play(file, &["--json"]).exits(0).json();
        let clear = fs::read(device.output("out.mp4")).unwrap();
        let wanted = fs::read(sample("clear-both.mp4")).unwrap();
        assert!(media_data(&clear) == media_data(&wanted), "{file}");
        assert!(!speaks_of_protection(&clear), "{file}");
        assert_eq!(report["licenses"][0]["keys"].as_array().unwrap().len(), 2);
        fs::remove_file(device.output("out.mp4")).unwrap();
    }
    device
        .fails("cens-both.mp4", &[], 4)
        .says("does not know the key");
    device
        .fails("cenc-iv8-video.mp4", &[], 4)
        .says("the file has IVs of the kind per-sample-8")
        .says("the licence's key 8caa7e396f418e64ccdd707a12761c01 is for per-sample-16")
        .says("sets iv = \"per-sample-8\" for this key in its configuration")
        .says("keybearer explain WrongIv");
    let url = server.url().to_owned();
    assert_eq!(server.stop(), Some(0), "stopped in order");
    device
        .fails("cenc-both.mp4", &["--server", &url], 5)
        .says("cannot connect")
        .says("check the address");
}

#[test]
fn a_key_above_the_devices_level_is_denied() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        folder.path(),
        &["cenc-video.mp4"],
        "lowest_level = \"medium\"\n",
    );
    let device = Device::new();
    let bundle = folder.path().join("bundle.json");
    device
        .run(&["provision", "--bundle", bundle.to_str().unwrap()])
        .exits(0);
    let ran = device
        .fails("cenc-video.mp4", &["--json"], 4)
        .says("level needed medium");
    let ran = ran.says("hint: keybearer explain LevelTooLow");
    assert_eq!(ran.json()["error"]["exit"], 4);
    drop(server);
}

#[test]
fn another_operators_service_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    let device = Device::new();
    let token = folder.path().join("token");
    fs::write(&token, "not a token\n").unwrap();
    let wrong = "11".repeat(32);
    let arguments = [
        "provision",
        "--server",
        server.url(),
        "--anchor",
        &wrong,
        "--token-file",
        token.to_str().unwrap(),
    ];
    device.run(&arguments).exits(5).says("anchor");
    let anchor = server.said["anchor"].as_str().unwrap();
    let arguments = [
        "provision",
        "--server",
        server.url(),
        "--anchor",
        anchor,
        "--token-file",
        token.to_str().unwrap(),
    ];
    device
        .run(&arguments)
        .exits(4)
        .says("keybearer explain EnrolmentRefused");
}

/// Factory tokens are for trusted sides of level Medium or above. One at Low has a key to show once
/// it has begun to be provisioned, and none for whatever digest somebody types.
#[test]
fn the_key_digest_of_a_device_at_low_is_shown_once_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    let device = Device::new();
    let anchor = server.said["anchor"].as_str().unwrap();
    let digest = ["provision", "--key-digest", "--anchor", anchor];
    device
        .run(&digest)
        .exits(6)
        .says("keybearer explain NotProvisioned");
    let bundle = folder.path().join("bundle.json");
    device
        .run(&["provision", "--bundle", bundle.to_str().unwrap()])
        .exits(0);
    let first = device.run(&digest).exits(0).out;
    assert_eq!(first.trim().len(), 64);
    assert_eq!(device.run(&digest).exits(0).out, first);
}

#[test]
fn provisioning_says_what_is_missing() {
    let device = Device::new();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.json");
    let name = bundle.to_str().unwrap();
    device
        .run(&["provision"])
        .exits(2)
        .says("--anchor")
        .says("hint:");
    for (anchor, found) in [
        ("11", "2 characters found"),
        (&*"x".repeat(64), "something else among them found"),
    ] {
        device
            .run(&["provision", "--anchor", anchor])
            .exits(2)
            .says("--anchor")
            .says(&format!("{found}; expected 64 hexadecimal digits"));
    }
    device
        .run(&["provision", "--anchor", &"11".repeat(32)])
        .exits(2)
        .says("no service was named");
    device
        .run(&["provision", "--bundle", name])
        .exits(3)
        .says("bundle.json");
    // A key file named by mistake is not repeated.
    for secret in [
        "8caa:5ec7e75ec7e7",
        "\"5ec7e75ec7e7\"",
        "{\"5ec7e75ec7e7\": 1}",
        "5",
    ] {
        fs::write(&bundle, secret).unwrap();
        let ran = device.run(&["provision", "--bundle", name]).exits(3);
        let ran = ran.says("bundle.json").says("line 1, column ");
        assert!(!ran.err.contains("5ec7e7"), "{}", ran.err);
    }
    fs::write(
        &bundle,
        "{\"anchor\": \"11\", \"url\": \"http://127.0.0.1:1\"}",
    )
    .unwrap();
    device
        .run(&["provision", "--bundle", name])
        .exits(3)
        .says("64 hexadecimal digits");
    fs::write(
        &bundle,
        format!(
            "{{\"anchor\": \"{}\", \"url\": \"http://127.0.0.1:1\"}}",
            "11".repeat(32)
        ),
    )
    .unwrap();
    device
        .run(&["provision", "--bundle", name])
        .exits(2)
        .says("no token was given");
}

#[test]
fn the_server_says_what_is_wrong_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("keybearer.toml");
    let name = config.to_str().unwrap();
    let keys = folder.path().join("keys");
    let serve = || keybearer(["serve", "--config", name]);
    serve().exits(3).says("keybearer.toml");
    fs::write(&config, "key_dirs = \"keys\"\n").unwrap();
    serve().exits(3).says("key_dirs");
    fs::write(&config, REST).unwrap();
    serve().exits(5).says("keys");
    let init = [
        "serve",
        "init",
        keys.to_str().unwrap(),
        "--service",
        "Example",
        "--json",
    ];
    let anchor = keybearer(init).exits(0).json()["anchor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(anchor.len(), 64);
    keybearer(init).exits(3).says("not empty");
    let key = keys.join("service-signing.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    serve().exits(5).says("chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = keybearer(["serve", "renew", keys.to_str().unwrap(), "--json"]).exits(0);
    assert!(ran.json()["until"].as_str().unwrap().ends_with('Z'));
    keybearer(["serve"]).exits(2).says("--config");
    keybearer(["serve", "init", "x", "--service", "näme"])
        .exits(2)
        .says("printable ASCII");
}

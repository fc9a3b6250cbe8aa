//! What the pages and the help say about a service works as written.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use crate::machines::{Device, LOG, Server, make_keys};
use crate::readme::{blocks, page};
use crate::run::{command, keybearer, listed, media_data, sample};

/// The published key of the sample that the texts take for their example.
const KEY: &str = "0a37ade2ffcc482f9dd6380a6a817f49";

fn provisioned(folder: &Path) -> Device {
    let device = Device::new();
    let bundle = folder.join("bundle.json");
    device
        .run(&["provision", "--bundle", bundle.to_str().unwrap()])
        .exits(0);
    device
}

fn plays(device: &Device) {
    device.play("cenc-video.mp4", &[]).exits(0);
    let clear = fs::read(device.output("out.mp4")).unwrap();
    let wanted = fs::read(sample("clear-video.mp4")).unwrap();
    assert!(media_data(&clear) == media_data(&wanted));
}

#[test]
fn the_smallest_configuration_of_the_help_plays_the_sample_of_its_key() {
    let help = keybearer(["serve", "--help"]).exits(0).out;
    let (_, text) = help.split_once("The smallest configuration:\n").unwrap();
    let text: String = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    let kid = &listed()
        .iter()
        .find(|file| file.file == "cenc-video.mp4")
        .unwrap()
        .tracks[0][1]
        .clone();
    assert!(text.contains(kid), "{text}");

    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path());
    let key = folder.path().join("film.key");
    fs::write(&key, hex(KEY)).unwrap();
    chmod(&key);
    // On free ports, since others may have those that go without saying.
    let free = "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
    let server = Server::configured(folder.path(), &format!("{free}{text}"));
    plays(&provisioned(folder.path()));

    // What was granted is told as it happens, by ids.
    assert_eq!(server.stop(), Some(0));
    let log = fs::read_to_string(folder.path().join(LOG)).unwrap();
    let line = |what: &str| log.lines().find(|line| line.contains(what)).unwrap();
    assert!(line("device certified").contains(" INFO "), "{log}");
    assert!(line("licence issued").contains(kid), "{log}");
    assert!(!log.contains(&KEY[..8]), "{log}");
}

#[test]
fn the_page_shows_two_machines_that_work() {
    let own = page("host/cli/README.md");
    let text = blocks(&own, "public_url").into_iter().next().unwrap();
    assert!(text.contains(KEY), "{text}");
    // The devices reach this machine by another name here, and a free port.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = text
        .replace("192.168.1.10", "127.0.0.1")
        .replace(":7480", &format!(":{port}"));
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path());
    let config = format!("admin_listen = \"127.0.0.1:0\"\n{text}");
    let server = Server::configured(folder.path(), &config);
    assert_eq!(server.url(), format!("http://127.0.0.1:{port}"));
    let device = provisioned(folder.path());
    plays(&device);
    let services = fs::read_to_string(device.state().join("services.json")).unwrap();
    assert!(
        services.contains(&format!("http://127.0.0.1:{port}")),
        "{services}"
    );
    drop(server);
}

#[test]
fn another_device_is_enrolled_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    // As the page has curl do it.
    let block = blocks(&page("host/server/README.md"), "enrolment-tokens").remove(0);
    let body = block.split('\'').nth(1).unwrap();
    let path = &block[block.find("/admin/v1/").unwrap()..];
    let path = path.split_whitespace().next().unwrap();
    assert!(block.contains("Authorization: Bearer $(cat keys/admin.token)"));
    assert!(block.contains("[\"bundle\"]"), "{block}");
    let token = fs::read_to_string(folder.path().join("keys/admin.token")).unwrap();
    let admin = server.said["admin"].as_str().unwrap();
    let mut stream = TcpStream::connect(admin.trim_start_matches("http://")).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        token.trim(),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, minted) = answer.split_once("\r\n\r\n").unwrap();
    let minted: serde_json::Value = serde_json::from_str(minted).expect(&answer);
    let bundle = folder.path().join("device2.json");
    fs::write(&bundle, minted["bundle"].to_string()).unwrap();
    let device = Device::new();
    device
        .run(&["provision", "--bundle", bundle.to_str().unwrap()])
        .exits(0);
    plays(&device);
    drop(server);
}

/// What a service says of itself differs from one to the next in numbers only.
#[test]
fn the_page_shows_a_service_info_as_it_is() {
    let own = page("host/cli/README.md");
    let (command_line, shown) = own
        .split_once("v1/service-info | keybearer inspect -\n")
        .unwrap();
    assert!(command_line.ends_with("$ curl -s http://127.0.0.1:7480/"));
    let shown = shown.split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let init = ["serve", "init", keys.to_str().unwrap(), "--service"];
    keybearer(init.iter().chain(&["Example service"])).exits(0);
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    write!(
        stream,
        "GET /v1/service-info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap();
    let mut inspect = command()
        .args(["inspect", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = inspect.stdin.take().unwrap();
    input.write_all(&answer[head + 4..]).unwrap();
    drop(input);
    let output = inspect.wait_with_output().unwrap();
    let stable = |text: &str| -> Vec<String> {
        let word = |word: &str| {
            let number = word.bytes().any(|byte| byte.is_ascii_digit());
            if number {
                "*".to_owned()
            } else {
                word.to_owned()
            }
        };
        let line = |line: &str| {
            line.split_whitespace()
                .map(word)
                .collect::<Vec<_>>()
                .join(" ")
        };
        text.lines().map(line).collect()
    };
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stable(shown), stable(&printed));
    drop(server);
}

#[test]
fn a_second_server_on_one_store_is_told_what_is_in_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    let config = folder.path().join("keybearer.toml");
    keybearer(["serve", "--config", config.to_str().unwrap()])
        .exits(5)
        .says("store.redb is in use: another server uses this store");
    drop(server);
}

#[test]
fn a_page_in_the_place_of_the_service_is_nonsense() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let page = "<html>Please sign in</html>";
            // Whoever has heard enough goes away.
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
        }
    });
    let anchor = "11".repeat(32);
    Device::new()
        .fails(
            "cenc-video.mp4",
            &["--server", &url, "--anchor", &anchor],
            5,
        )
        .says("\"text/html\"; expected application/cose");
}

#[test]
fn a_service_without_tls_that_is_asked_with_it_is_advised_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    let url = server.url().replace("http://", "https://");
    let anchor = "11".repeat(32);
    Device::new()
        .fails(
            "cenc-video.mp4",
            &["--server", &url, "--anchor", &anchor],
            5,
        )
        .says("is named with http://");
    drop(server);
}

#[test]
fn a_state_folder_in_the_environment_is_used_and_is_no_argument() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = command()
            .args(arguments)
            .env("KEYBEARER_STATE", folder.path().join("state"))
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let usage = run(&["play"]);
    assert!(!usage.contains("--state"), "{usage}");
    let server = Server::start(folder.path(), &["cenc-video.mp4"], "");
    let bundle = folder.path().join("bundle.json");
    run(&[
        "provision",
        "--bundle",
        bundle.to_str().unwrap(),
        "--tee",
        "worker",
    ]);
    assert!(folder.path().join("state/services.json").exists());
    drop(server);
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn chmod(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

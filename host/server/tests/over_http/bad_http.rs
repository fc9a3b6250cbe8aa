//! What is no message for this server: refused by name, in time, without a sealed answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keybearer_license::{MAX_LICENSE_REQUEST, MAX_PROVISION_REQUEST, MAX_TIME_REQUEST};

use crate::support::{
    Device, World, exchange, get, kid, license, open_content, post, request, send_raw,
};

const MESSAGE: [(&str, &str); 1] = [("Content-Type", "application/cose")];

#[test]
fn only_message_content_types_are_taken() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let address = world.server.local_addr();
    let (message, pending) = device.license_request(&[kid(1)]);
    for bad in ["application/json", "application/cose-key", "text/plain", ""] {
        let bytes = request("POST", "/v1/license", &[("Content-Type", bad)], &message);
        let answer = exchange(address, &bytes);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (415, "content-type"),
            "{bad}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert!(
            answer.json()["expected"]
                .as_str()
                .unwrap()
                .contains("application/cose")
        );
    }
    let none = exchange(address, &request("POST", "/v1/license", &[], &message));
    assert_eq!(none.status, 415);
    assert_eq!(
        world.metric("keybearer_rejected_total{code=\"content-type\"}"),
        5
    );
    for good in [
        "application/cbor-seq",
        "Application/COSE; cose-type=\"cose-encrypt\"",
    ] {
        let bytes = request("POST", "/v1/license", &[("Content-Type", good)], &message);
        let answer = exchange(address, &bytes);
        assert_eq!(answer.status, 200);
        license(device.open_license(&pending, &answer.body));
    }
}

#[test]
fn every_address_has_its_own_size_cap() {
    let world = World::new(Vec::new());
    let address = world.server.local_addr();
    for (path, cap) in [
        ("/v1/provision", MAX_PROVISION_REQUEST),
        ("/v1/license", MAX_LICENSE_REQUEST),
        ("/v1/time", MAX_TIME_REQUEST),
    ] {
        let within = post(address, path, &vec![0; cap]);
        assert_eq!(
            (within.status, within.code().as_str()),
            (400, "malformed"),
            "{path}"
        );
        let beyond = post(address, path, &vec![0; cap + 1]);
        assert_eq!(
            (beyond.status, beyond.code().as_str()),
            (413, "body-too-large"),
            "{path}"
        );
    }
}

#[test]
fn a_huge_body_is_refused_before_it_is_read() {
    let world = World::new(Vec::new());
    let mut stream = TcpStream::connect(world.server.local_addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let head = "POST /v1/license HTTP/1.1\r\nHost: test\r\nContent-Type: application/cose\r\n\
                Content-Length: 100000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 413"));
}

#[test]
fn a_body_without_a_length_is_measured_as_it_comes() {
    let world = World::new(Vec::new());
    let mut bytes = b"POST /v1/time HTTP/1.1\r\nHost: test\r\nContent-Type: application/cose\r\n\
                      Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        .to_vec();
    for _ in 0..=MAX_TIME_REQUEST / 4096 {
        bytes.extend_from_slice(b"1000\r\n");
        bytes.extend_from_slice(&[0; 4096]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(exchange(world.server.local_addr(), &bytes).status, 413);
}

#[test]
fn a_body_that_trickles_has_no_more_time_than_another() {
    let world = World::with(|config| config.limits.body_seconds = 1);
    let mut stream = TcpStream::connect(world.server.local_addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let started = Instant::now();
    let head = "POST /v1/license HTTP/1.1\r\nHost: test\r\nContent-Type: application/cose\r\n\
                Content-Length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while started.elapsed() < Duration::from_secs(20) {
        // A byte every tenth of a second would take 100 seconds.
        let _ = stream.write_all(b"x");
        let mut part = [0; 512];
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&part[..read]),
            Err(_) => {}
        }
    }
    let took = started.elapsed();
    assert!(
        answer.starts_with(b"HTTP/1.1 408"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(5),
        "{took:?}"
    );
    assert_eq!(
        world.metric("keybearer_rejected_total{code=\"body-timeout\"}"),
        1
    );
}

#[test]
fn a_head_that_trickles_is_cut_off() {
    let world = World::with(|config| config.limits.header_seconds = 1);
    let mut stream = TcpStream::connect(world.server.local_addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(b"POST /v1/license HT").unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_that_ends_early_is_rejected() {
    let world = World::new(Vec::new());
    let mut bytes = request("POST", "/v1/license", &MESSAGE, &[0; 100]);
    bytes.truncate(bytes.len() - 1);
    let answer = send_raw(world.server.local_addr(), &bytes);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    // The metrics page is asked until the server has noticed, since nobody else is told.
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.metric("keybearer_rejected_total{code=\"body-cut\"}") == 0 {
        assert!(Instant::now() < deadline, "the cut body was not noticed");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_message_cut_or_altered_anywhere_is_never_answered_sealed() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let address = world.server.local_addr();
    let (message, pending) = device.license_request(&[kid(1)]);
    for at in (0..message.len()).step_by(7) {
        let cut = post(address, "/v1/license", &message[..at]);
        assert_eq!(cut.status, 400, "cut at {at}");
        let mut altered = message.clone();
        altered[at] ^= 1;
        let altered = post(address, "/v1/license", &altered);
        assert_eq!(altered.status, 400, "altered at {at}");
        assert!(["malformed", "not-sealed-here"].contains(&altered.code().as_str()));
    }
    license(device.open_license(&pending, &post(address, "/v1/license", &message).body));
}

#[test]
fn requests_of_strangers_are_told_apart() {
    let (here, elsewhere) = (World::new(Vec::new()), World::new(Vec::new()));
    let foreign = elsewhere.low_device();
    let (message, _) = foreign.license_request(&[kid(1)]);
    let answer = post(here.server.local_addr(), "/v1/license", &message);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "not-sealed-here")
    );

    // Sealed to this service, but certified under another anchor.
    let mut impostor = Device::new(&here);
    impostor.chain.clone_from(&foreign.chain);
    let (message, _) = impostor.license_request(&[kid(1)]);
    let answer = post(here.server.local_addr(), "/v1/license", &message);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "not-trusted")
    );

    // Certified here, but signed with another key.
    let mut thief = Device::new(&here);
    thief.chain.clone_from(&here.low_device().chain);
    let (message, _) = thief.license_request(&[kid(1)]);
    let answer = post(here.server.local_addr(), "/v1/license", &message);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "not-trusted")
    );

    // A message of another kind than the address takes.
    let (message, _) = here.low_device().license_request(&[kid(1)]);
    assert_eq!(
        post(here.server.local_addr(), "/v1/time", &message).status,
        400
    );
}

#[test]
fn a_request_to_an_older_certificate_is_sent_back_for_the_new_one() {
    let world = World::new(vec![open_content("film", 1)]);
    let mut device = world.low_device();
    let (message, _) = device.license_request(&[kid(1)]);
    // Little of the certificate is left, so the server renews it when it starts again.
    world.clock.advance(20 * 24 * 60 * 60);
    let world = world.restarted(|config| config.contents = vec![open_content("film", 1)]);
    device.follow(&world);
    let answer = post(world.server.local_addr(), "/v1/license", &message);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "wrong-service")
    );
    license(device.acquire(&[kid(1)]));
}

#[test]
fn unknown_addresses_and_methods_are_refused() {
    let world = World::new(Vec::new());
    let address = world.server.local_addr();
    assert_eq!(get(address, "/v1/other").status, 404);
    assert_eq!(get(address, "/v1/license").status, 405);
    assert_eq!(
        get(address, "/admin/v1/devices").status,
        404,
        "not on the public listener"
    );
    assert_eq!(
        get(address, "/metrics").status,
        404,
        "not on the public listener"
    );
    assert_eq!(get(address, "/healthz").status, 200);
    assert_eq!(
        get(address, "/v1/service-info").header("cache-control"),
        Some("no-store")
    );
    assert!(send_raw(address, b"\x16\x03\x01 this is no HTTP").starts_with(b"HTTP/1.1 400"));
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let world = World::with(|config| config.limits.max_connections = 1);
    let address = world.server.local_addr();
    // Connections are accepted in the order in which they came, so this one has the only place.
    let held = TcpStream::connect(address).unwrap();
    let health = request("GET", "/healthz", &[], &[]);
    assert!(send_raw(address, &health).is_empty());
    drop(held);
    let deadline = Instant::now() + Duration::from_secs(10);
    while send_raw(address, &health).is_empty() {
        assert!(Instant::now() < deadline, "the place was not given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

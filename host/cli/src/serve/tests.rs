#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use std::os::unix::fs::{PermissionsExt, symlink};

use keybearer_client::{Enrollment, ServerUrl};
use keybearer_server::ConfigError;

use super::*;

fn parsed(text: &str) -> Result<Config, ConfigError> {
    let both = "key_dir = \"keys\"\nstore = \"store.redb\"\n";
    Config::parse(&format!("{both}{text}"), Path::new("/"))
}

/// A server on a free port of loopback whose configuration begins with `text`, and its folder.
fn running(text: &str) -> (tempfile::TempDir, RunningServer) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    KeyDirectory::create(&keys, &ServiceId::new("test").unwrap(), &SystemClock).unwrap();
    let listen = "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
    let mut config = parsed(&format!("{listen}{text}")).unwrap();
    config.key_dir = keys;
    config.store = folder.path().join("store.redb");
    let server = Server::bind(config).unwrap();
    (folder, server)
}

#[test]
fn a_bundle_names_the_address_that_devices_are_given() {
    for (text, url) in [
        (
            "public_url = \"https://drm.example/kb\"\n",
            Some("https://drm.example/kb"),
        ),
        ("", None),
    ] {
        let (folder, server) = running(text);
        let path = folder.path().join("bundle.json");
        write_bundle(&path, "default", &server).unwrap();
        let bundle = Enrollment::read(&path).unwrap();
        let url = url.map_or_else(|| server.url(), str::to_owned);
        assert_eq!(bundle.url.to_string(), url);
        assert_eq!(bundle.anchor.0, server.anchor().digest.0);
        assert!(bundle.token.is_some());
    }
}

#[test]
fn the_tenant_of_a_bundle_is_named_or_goes_without_saying() {
    let tenants = |names: &[&str]| {
        let tables = names
            .iter()
            .map(|name| format!("[[tenant]]\nname = \"{name}\"\n"));
        parsed(&tables.collect::<String>()).unwrap()
    };
    for (names, named, expected) in [
        (&["acme"][..], None, Some("acme")),
        (&["acme", "default"], None, Some("default")),
        (&["acme", "default"], Some("acme"), Some("acme")),
        (&["acme", "other"], None, None),
        (&["acme"], Some("default"), None),
    ] {
        let chosen = tenant_of_bundle(&tenants(names), named.map(str::to_owned));
        match expected {
            Some(expected) => assert_eq!(chosen.unwrap(), expected),
            None => {
                let failure = chosen.unwrap_err();
                assert_eq!(failure.exit, Exit::Usage);
                assert!(failure.hint.unwrap().contains("acme"), "says what there is");
            }
        }
    }
    let (folder, server) = running("[[tenant]]\nname = \"acme\"\n");
    write_bundle(&folder.path().join("bundle.json"), "acme", &server).unwrap();
}

#[test]
fn a_public_url_is_what_the_client_takes_for_an_address() {
    let long = format!("https://drm.example/{}", "x".repeat(512));
    for url in [
        "https://drm.example",
        "http://drm.example:7480/kb",
        "http://[::1]:7480",
        "http://127.0.0.1:7480/",
        "",
        "drm.example",
        "http://",
        "https:///path",
        "ftp://drm.example",
        "HTTPS://drm.example",
        "https://user@drm.example",
        "https://drm.example?x=1",
        "https://drm.example#top",
        "https://drm example",
        "https://drm.example:port",
        &long,
    ] {
        let server = parsed(&format!("public_url = {url:?}\n"));
        let client = url.parse::<ServerUrl>();
        assert_eq!(server.is_ok(), client.is_ok(), "{url:?}: {client:?}");
    }
}

#[test]
fn a_bundle_takes_the_place_of_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let [file, link, astray] = ["file", "link", "astray"].map(|name| folder.path().join(name));
    std::fs::write(&file, "old").unwrap();
    symlink(&file, &link).unwrap();
    symlink(folder.path().join("nowhere"), &astray).unwrap();
    for (path, leads_to) in [(&file, Some(&file)), (&link, Some(&file)), (&astray, None)] {
        assert_eq!(
            destination(path).ok(),
            leads_to.map(|path| path.canonicalize().unwrap())
        );
    }
    for no_file in [Path::new("/dev/null"), folder.path()] {
        destination(no_file).unwrap_err();
    }
    let (home, server) = running("");
    let path = home.path().join("bundle.json");
    write_bundle(&path, "default", &server).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the bundle holds a token");
}

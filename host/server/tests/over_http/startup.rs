//! What keeps a server from starting, said so that the operator knows what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use keybearer_license::{RevokedSerials, ServiceId, TimeView, Trust, open_revocation_list};
use keybearer_server::{
    Clock, Config, ConfigError, KeyDirectory, KeyError, Server, ServerError, SystemClock,
};

use crate::support::{World, get, kid, license, open_content};

/// Keys and configuration in a new folder.
fn folder() -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    KeyDirectory::create(&keys, &ServiceId::new("test").unwrap(), &SystemClock).unwrap();
    let config = Config::new(&keys, folder.path().join("store.redb"));
    (folder, config)
}

fn refused(config: Config) -> String {
    match Server::bind(config) {
        Ok(_) => panic!("the server started"),
        Err(error) => error.to_string(),
    }
}

fn open_to(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_file_that_others_can_read_is_refused_by_name_with_the_remedy() {
    let (folder, _) = folder();
    let keys = folder.path().join("keys");
    let config = || Config::new(&keys, folder.path().join("store.redb"));
    for entry in fs::read_dir(&keys).unwrap() {
        let path = entry.unwrap().path();
        // Certificates and the anchor are public; everything else is not.
        if path
            .extension()
            .is_some_and(|ext| ext != "key" && ext != "token")
        {
            continue;
        }
        for mode in [0o644, 0o640, 0o604, 0o660] {
            open_to(&path, mode);
            let error = refused(config());
            assert!(
                error.contains(&format!("chmod 600 {}", path.display())),
                "{error}"
            );
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
        }
        open_to(&path, 0o600);
    }
    open_to(&keys, 0o755);
    assert!(refused(config()).contains(&format!("chmod 700 {}", keys.display())));
    open_to(&keys, 0o700);
    Server::bind(config()).unwrap().shutdown().unwrap();
    open_to(&folder.path().join("store.redb"), 0o644);
    assert!(refused(config()).contains("chmod 600"));
}

#[test]
fn a_store_that_cannot_be_had_is_named_with_the_cause() {
    let (folder, config) = folder();
    let store = folder.path().join("store.redb");
    let running = Server::bind(config).unwrap();
    let other = || Config::new(folder.path().join("keys"), &store);
    let error = refused(other());
    assert!(
        error.starts_with(&format!("{} is in use: another server", store.display())),
        "{error}"
    );
    running.shutdown().unwrap();
    fs::write(&store, "no store\n".repeat(1000)).unwrap();
    let error = refused(other());
    assert!(
        error.starts_with(&format!("{} cannot be used as a store", store.display())),
        "{error}"
    );
}

#[test]
fn everything_made_is_the_owners_alone() {
    let (folder, config) = folder();
    let server = Server::bind(config).unwrap();
    server.shutdown().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("keys")), 0o700);
    assert_eq!(mode(&folder.path().join("store.redb")), 0o600);
    for entry in fs::read_dir(folder.path().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_configuration_with_keys_is_a_key_file() {
    let (folder, _) = folder();
    let path = folder.path().join("server.toml");
    let text = "key_dir = \"keys\"\nstore = \"store.redb\"\n[[content]]\nid = \"film\"\n\
                open = true\n[[content.key]]\nkid = \"01010101010101010101010101010101\"\n\
                key = \"000102030405060708090a0b0c0d0e0f\"\ntrack = \"hd\"\nscheme = \"cenc\"\n";
    fs::write(&path, text).unwrap();
    open_to(&path, 0o644);
    let error = Config::load(&path).map(drop).unwrap_err();
    assert!(
        matches!(error, ConfigError::Key(KeyError::Permissions { .. })),
        "{error}"
    );
    open_to(&path, 0o600);
    assert_eq!(Config::load(&path).unwrap().contents.len(), 1);

    // Keys in a file of their own: the configuration may then be read, that file not.
    let text = text.replace(
        "key = \"000102030405060708090a0b0c0d0e0f\"",
        "key_file = \"film.key\"",
    );
    fs::write(&path, text).unwrap();
    open_to(&path, 0o644);
    let key = folder.path().join("film.key");
    assert!(
        Config::load(&path)
            .map(drop)
            .unwrap_err()
            .to_string()
            .contains("film.key is missing")
    );
    fs::write(&key, [7; 16]).unwrap();
    open_to(&key, 0o644);
    assert!(
        Config::load(&path)
            .map(drop)
            .unwrap_err()
            .to_string()
            .contains("chmod 600")
    );
    open_to(&key, 0o600);
    Config::load(&path).unwrap();
    fs::write(&key, [7; 15]).unwrap();
    let error = Config::load(&path).map(drop).unwrap_err().to_string();
    assert!(error.contains("15 bytes, expected the 16 bytes"), "{error}");
}

#[test]
fn a_missing_or_exchanged_key_is_named() {
    let (folder, _) = folder();
    let keys = folder.path().join("keys");
    let config = || Config::new(&keys, folder.path().join("store.redb"));
    let away = folder.path().join("away");
    let needed = [
        "service-signing.key",
        "service-agreement.key",
        "device-issuer.key",
        "device-issuer.cert",
        "challenge.key",
        "store.key",
        "service.chain",
        "anchor.cbor",
        "admin.token",
    ];
    for name in needed {
        fs::rename(keys.join(name), &away).unwrap();
        let error = refused(config());
        assert!(error.contains(name) && error.contains("missing"), "{error}");
        fs::rename(&away, keys.join(name)).unwrap();
    }
    // What one file holds is not taken for what another should hold.
    fs::rename(keys.join("challenge.key"), &away).unwrap();
    fs::copy(keys.join("store.key"), keys.join("challenge.key")).unwrap();
    assert!(refused(config()).contains("challenge.key does not hold"));
    fs::rename(&away, keys.join("challenge.key")).unwrap();
    // Neither root nor service issuer are needed by a running server.
    fs::remove_file(keys.join("root.key")).unwrap();
    fs::remove_file(keys.join("service-issuer.key")).unwrap();
    Server::bind(config()).unwrap().shutdown().unwrap();
}

#[test]
fn keys_of_two_directories_do_not_mix() {
    let ((one, _), (two, _)) = (folder(), folder());
    let config = || Config::new(one.path().join("keys"), one.path().join("store.redb"));
    for name in [
        "service-signing.key",
        "service-agreement.key",
        "device-issuer.key",
        "service.chain",
        "anchor.cbor",
    ] {
        let (own, foreign) = (
            one.path().join("keys").join(name),
            two.path().join("keys").join(name),
        );
        let kept = fs::read(&own).unwrap();
        fs::write(&own, fs::read(foreign).unwrap()).unwrap();
        assert!(
            matches!(Server::bind(config()), Err(ServerError::Keys(_))),
            "{name}"
        );
        fs::write(&own, kept).unwrap();
    }
    Server::bind(config()).unwrap().shutdown().unwrap();
}

#[test]
fn a_store_of_another_key_directory_is_refused() {
    let world = World::new(Vec::new());
    world
        .server
        .registry()
        .put_content(open_content("film", 1))
        .unwrap();
    let World { server, folder, .. } = world;
    server.shutdown().unwrap();
    let keys = folder.path().join("other-keys");
    KeyDirectory::create(&keys, &ServiceId::new("other").unwrap(), &SystemClock).unwrap();
    let error = refused(Config::new(keys, folder.path().join("store.redb")));
    assert!(error.contains("store.key"), "{error}");
}

#[test]
fn two_servers_do_not_share_a_store() {
    let world = World::new(Vec::new());
    let path = |name: &str| world.folder.path().join(name);
    assert!(matches!(
        Server::bind(Config::new(path("keys"), path("store.redb"))),
        Err(ServerError::Store { .. })
    ));
}

#[test]
fn a_content_is_in_the_configuration_or_in_the_store() {
    let world = World::new(Vec::new());
    world
        .server
        .registry()
        .put_content(open_content("film", 1))
        .unwrap();
    let World {
        server,
        folder,
        clock,
    } = world;
    server.shutdown().unwrap();
    for content in [open_content("film", 2), open_content("other", 1)] {
        let mut config = Config::new(folder.path().join("keys"), folder.path().join("store.redb"));
        config.contents = vec![content];
        let error = Server::bind_at(config, clock.clone())
            .map(drop)
            .unwrap_err();
        assert!(matches!(error, ServerError::Conflict { .. }), "{error}");
    }
}

#[test]
fn an_address_in_use_is_named() {
    let world = World::new(Vec::new());
    let (_folder, mut config) = folder();
    config.listen = world.server.local_addr();
    let error = refused(config);
    assert!(
        error.contains(&world.server.local_addr().to_string()),
        "{error}"
    );
}

#[test]
fn the_revocation_list_is_signed_for_devices() {
    let world = World::new(Vec::new());
    let fetch = || {
        let answer = get(world.server.local_addr(), "/v1/revocation-list");
        assert_eq!(answer.status, 200);
        let (anchor, none) = (world.server.anchor().key, RevokedSerials::none());
        let trust = Trust {
            anchor: &anchor,
            time: TimeView::exactly(world.clock.now()),
            revoked: &none,
        };
        let crypto = keybearer_crypto_soft::SoftCrypto;
        open_revocation_list(&crypto, &trust, &answer.body).unwrap()
    };
    let empty = fetch();
    assert_eq!((empty.number, empty.serials.len()), (0, 0));
    assert!(empty.next_update > world.clock.now());
    let mut numbers = vec![empty.number];
    for revoked in 1..=3 {
        let mut device = crate::support::Device::new(&world);
        let serial = device.enrol(&world.enrolment("default")).claims.serial;
        let number = world.server.registry().revoke_device(&serial).unwrap();
        let list = fetch();
        assert_eq!(list.number, number);
        assert_eq!(list.serials.len(), revoked);
        assert!(list.serials.contains(&serial));
        numbers.push(number);
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn stopping_finishes_what_was_begun() {
    use std::io::{Read, Write};
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let (message, pending) = device.license_request(&[kid(1)]);
    let headers = [("Content-Type", "application/cose")];
    let bytes = crate::support::request("POST", "/v1/license", &headers, &message);
    let mut stream = std::net::TcpStream::connect(world.server.local_addr()).unwrap();
    let (begun, rest) = bytes.split_at(bytes.len() - 10);
    stream.write_all(begun).unwrap();
    // Nothing tells when the server has read what was sent; a second is plenty on loopback.
    std::thread::sleep(std::time::Duration::from_secs(1));
    world.server.shutdown_handle().shutdown();
    let address = world.server.local_addr();
    while std::net::TcpStream::connect(address).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    stream.write_all(rest).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    license(device.open_license(&pending, &answer[body..]));
    world.server.wait().unwrap();
}

#[test]
fn the_server_runs_on_a_runtime_of_the_caller() {
    let (_folder, config) = folder();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::open(config, Arc::new(SystemClock)).unwrap();
    let address = server.local_addr();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(server.serve(async move {
        let _ = stopped.await;
    }));
    assert_eq!(get(address, "/healthz").status, 200);
    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap().unwrap();
}

//! Tenants: what authorises their devices.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn with(tenant: &str) -> String {
    format!("{MINIMAL}\n[[tenant]]\nname = \"shop\"\n{tenant}")
}

#[test]
fn a_credential_is_for_one_algorithm() {
    let coordinate = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let es256 = format!("kid = \"a\"\nalg = \"ES256\"\nx = \"{coordinate}\"\ny = \"{coordinate}\"");
    let credential = |text: &str| with(&format!("[[tenant.credential]]\n{text}\n"));
    assert!(parse(&credential(&es256)).is_ok());
    for (text, part) in [
        (
            "kid = \"a\"\nalg = \"HS256\"".to_owned(),
            "HS256 takes secret_file",
        ),
        (
            format!("{es256}\nsecret_file = \"s\""),
            "ES256 takes x and y",
        ),
        (
            format!("kid = \"a\"\nalg = \"HS256\"\nsecret_file = \"s\"\nx = \"{coordinate}\""),
            "HS256 takes secret_file",
        ),
        (
            es256.replace("ES256", "none"),
            "\"none\" is not a signature algorithm",
        ),
        (
            es256.replace("\"a\"", "\"\""),
            "its kid must have 1 to 64 bytes",
        ),
        (
            es256.replace(coordinate, "AAAA"),
            "a coordinate as a JSON Web Key has it",
        ),
        (
            "kid = \"a\"\nalg = \"HS256\"\nsecret = \"x\"".to_owned(),
            "unknown field `secret`",
        ),
    ] {
        let error = error(&credential(&text));
        assert!(error.contains(part), "{error}");
    }
    let twice = format!("[[tenant.credential]]\n{es256}\n[[tenant.credential]]\n{es256}\n");
    assert!(error(&with(&twice)).contains("\"a\" is there twice"));
}

#[test]
fn the_operators_service_has_an_address_and_a_deadline() {
    let callback = |text: &str| with(&format!("[tenant.callback]\n{text}\n"));
    let config = parse(&callback("url = \"http://shop.example/a\"")).unwrap();
    let spec = config.tenants[0].callback.as_ref().unwrap();
    assert_eq!(spec.timeout.as_millis(), 2000);
    for url in [
        "https://shop",
        "http://localhost:8080",
        "http://127.0.0.2/a",
        "http://[::1]/a",
    ] {
        let text = format!("url = \"{url}\"\nbearer_file = \"shop.key\"");
        parse(&callback(&text)).unwrap();
    }
    for (text, part) in [
        ("url = \"ftp://shop\"", "begins with https:// or http://"),
        ("url = \"http://a:b@shop\"", "user name or password"),
        (
            "url = \"http://shop\"\ntimeout_ms = 0",
            "expected 1 to 10000",
        ),
        (
            "url = \"http://shop\"\ntimeout_ms = 10001",
            "expected 1 to 10000",
        ),
        (
            "url = \"http://shop\"\nbearer_file = \"shop.key\"",
            "by https:// alone",
        ),
        (
            "url = \"http://127.0.0.1.shop\"\nbearer_file = \"shop.key\"",
            "by https:// alone",
        ),
    ] {
        let error = error(&callback(text));
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn secrets_come_from_private_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.key");
    let text = with(
        "[[tenant.credential]]\nkid = \"a\"\nalg = \"HS256\"\nsecret_file = \"shop.key\"\n\
                     [tenant.callback]\nurl = \"https://shop\"\nbearer_file = \"shop.key\"\n",
    );
    let read = || {
        Config::parse(&text, folder.path())
            .unwrap()
            .with_key_files()
    };
    let write = |bytes: &[u8], mode: u32| {
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert!(read().is_err(), "not there");
    write(&[b'x'; 32], 0o644);
    assert!(matches!(read(), Err(ConfigError::Key(_))));
    write(&[b'x'; 31], 0o600);
    let error = read().map(drop).unwrap_err().to_string();
    assert!(
        error.contains("holds 31 bytes, expected at least 32"),
        "{error}"
    );
    write(&[0; 32], 0o600);
    let error = read().map(drop).unwrap_err().to_string();
    assert!(
        error.contains("one line of printable characters"),
        "{error}"
    );
    write(&[b'x'; 32], 0o600);
    let config = read().unwrap();
    assert!(
        config.tenants[0]
            .callback
            .as_ref()
            .unwrap()
            .bearer
            .is_some()
    );
}

#[test]
fn an_attestation_names_a_file_of_keys_and_measurements() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("platforms.json");
    let table = |measurement: &str| {
        with(&format!(
            "[tenant.attestation]\nkeys_file = \"platforms.json\"\nmeasurements = [\"{measurement}\"]\n"
        ))
    };
    let digest = "3e".repeat(32);
    let read = || {
        let config = Config::parse(&table(&digest), folder.path()).unwrap();
        config.with_key_files()
    };
    assert!(read().is_err(), "no file");
    std::fs::write(&path, b"{}").unwrap();
    let error = read().map(drop).unwrap_err().to_string();
    assert!(
        error.contains("platforms.json: this is no JSON Web Key Set"),
        "{error}"
    );
    std::fs::write(&path, br#"{"keys":[]}"#).unwrap();
    let config = read().unwrap();
    let spec = config.tenants[0].attestation.as_ref().unwrap();
    assert_eq!(spec.measurements[0].0, [0x3e; 32]);
    let error = super::error(&table(&digest[1..]));
    assert!(error.contains("expected a SHA-256 digest"), "{error}");
}

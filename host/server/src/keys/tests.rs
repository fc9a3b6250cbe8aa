#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keybearer_license::{LicenseError, ServiceId, UnixTime};

use super::files::{Purpose, read_key, write_key};
use super::{Anchor, DAY, KeyDirectory, KeyError};
use crate::clock::Clock;

struct At(u64);

impl Clock for At {
    fn now(&self) -> UnixTime {
        UnixTime(self.0)
    }
}

const START: u64 = 1_800_000_000;

fn day(n: u64) -> At {
    At(START + n * DAY)
}

fn created(dir: &Path) -> Anchor {
    KeyDirectory::create(dir, &ServiceId::new("test").unwrap(), &day(0)).unwrap()
}

fn end(keys: &KeyDirectory) -> u64 {
    keys.service().verified.validity.not_after.0
}

#[test]
fn a_new_directory_opens_and_shows_its_anchor() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = created(dir.path());
    assert_eq!(KeyDirectory::anchor(dir.path()).unwrap(), anchor);
    let keys = KeyDirectory::open(dir.path(), &day(0)).unwrap();
    assert_eq!(*keys.root(), anchor);
    assert_eq!(anchor.to_string(), hex::encode(anchor.digest.0));
    // 30 days, of which an hour has passed already.
    assert_eq!(end(&keys), START - 3600 + 30 * DAY);
}

#[test]
fn keys_that_could_not_all_be_written_leave_nothing_in_the_way() {
    let home = tempfile::tempdir().unwrap();
    let (new, there) = (home.path().join("new"), home.path().join("there"));
    fs::create_dir(&there).unwrap();
    for (dir, made) in [(&new, true), (&there, false)] {
        assert_eq!(super::files::create_directory(dir).unwrap(), made);
        super::files::write_private(&dir.join("root.key"), b"half of it").unwrap();
        super::files::empty_directory(dir, made);
        assert_eq!(dir.exists(), !made);
        created(dir);
    }
    // A file that cannot take its place leaves none under another name either.
    fs::create_dir_all(home.path().join("taken/below")).unwrap();
    super::files::write_private(&home.path().join("taken"), b"key").unwrap_err();
    assert!(!home.path().join("taken.new").exists());
}

#[test]
fn keys_are_not_created_over_something() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "precious").unwrap();
    let again = KeyDirectory::create(dir.path(), &ServiceId::new("test").unwrap(), &day(0));
    assert!(matches!(again, Err(KeyError::Exists { .. })));
    assert_eq!(
        fs::read_to_string(dir.path().join("mine")).unwrap(),
        "precious"
    );
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let missing = Path::new("/nonexistent/keys");
    assert!(matches!(
        KeyDirectory::open(missing, &day(0)),
        Err(KeyError::NoDirectory { path }) if path == missing
    ));
}

#[test]
fn with_the_issuers_key_the_certificate_renews_itself_in_time() {
    let dir = tempfile::tempdir().unwrap();
    created(dir.path());
    let keys = KeyDirectory::open(dir.path(), &day(0)).unwrap();
    let (first, certificate) = (end(&keys), keys.service().verified.digest);
    keys.refresh(day(14).now()).unwrap();
    assert_eq!(
        keys.service().verified.digest,
        certificate,
        "half of it is left"
    );
    keys.refresh(day(16).now()).unwrap();
    assert_eq!(end(&keys), first + 16 * DAY);
    // Also when it has ended while the server was off.
    let keys = KeyDirectory::open(dir.path(), &day(100)).unwrap();
    assert_eq!(end(&keys), first + 100 * DAY);
}

#[test]
fn without_the_issuers_key_the_operator_renews_elsewhere() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    created(here.path());
    let issuer = Purpose::ServiceIssuer.file(here.path());
    // The other place holds a copy of what is needed to issue, and no service key.
    fs::set_permissions(there.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for name in ["anchor.cbor", "service-issuer.cert", "service.chain"] {
        fs::copy(here.path().join(name), there.path().join(name)).unwrap();
    }
    fs::rename(&issuer, Purpose::ServiceIssuer.file(there.path())).unwrap();

    let running = KeyDirectory::open(here.path(), &day(20)).unwrap();
    assert!(matches!(
        KeyDirectory::open(here.path(), &day(40)),
        Err(KeyError::CertificateEnded { .. })
    ));
    let until = KeyDirectory::renew(there.path(), None, &day(40)).unwrap();
    fs::copy(
        there.path().join("service.chain"),
        here.path().join("service.chain"),
    )
    .unwrap();
    let keys = KeyDirectory::open(here.path(), &day(40)).unwrap();
    assert_eq!(end(&keys), until.0);
    // A running server takes the new file up by itself.
    running.refresh(day(40).now()).unwrap();
    assert_eq!(end(&running), until.0);
    assert!(matches!(
        KeyDirectory::renew(here.path(), None, &day(40)),
        Err(KeyError::Missing { path }) if path == issuer
    ));
}

#[test]
fn the_root_renews_issuers_that_have_ended() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = created(dir.path());
    let vault = tempfile::tempdir().unwrap();
    let root = vault.path().join("root.key");
    fs::rename(Purpose::Root.file(dir.path()), &root).unwrap();
    // Two years on, the service issuer has ended, and with it whatever it signs.
    assert!(matches!(
        KeyDirectory::open(dir.path(), &day(800)),
        Err(KeyError::Certificate {
            source: LicenseError::Expired,
            ..
        })
    ));
    KeyDirectory::renew(dir.path(), Some(&root), &day(800)).unwrap();
    let keys = KeyDirectory::open(dir.path(), &day(800)).unwrap();
    assert_eq!(
        *keys.root(),
        anchor,
        "devices go on believing the same anchor"
    );
    let other = tempfile::tempdir().unwrap();
    created(other.path());
    let foreign = Purpose::Root.file(other.path());
    assert!(matches!(
        KeyDirectory::renew(dir.path(), Some(&foreign), &day(800)),
        Err(KeyError::Mismatch { path, .. }) if path == foreign
    ));
    let not_root = Purpose::Challenge.file(dir.path());
    assert!(matches!(
        KeyDirectory::renew(dir.path(), Some(&not_root), &day(800)),
        Err(KeyError::Format { .. })
    ));
}

#[test]
fn a_forged_chain_is_not_renewed() {
    let (dir, foreign) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    created(dir.path());
    created(foreign.path());
    // Whoever can exchange the chain could else have keys of their own certified.
    fs::copy(
        foreign.path().join("service.chain"),
        dir.path().join("service.chain"),
    )
    .unwrap();
    assert!(matches!(
        KeyDirectory::renew(dir.path(), None, &day(0)),
        Err(KeyError::Certificate {
            source: LicenseError::WrongAnchor,
            ..
        })
    ));
}

#[test]
fn device_certificates_end_with_their_issuer() {
    let dir = tempfile::tempdir().unwrap();
    created(dir.path());
    let keys = KeyDirectory::open(dir.path(), &day(0)).unwrap();
    let early = keys.device_validity(day(0).now());
    assert_eq!(early.not_after, UnixTime(START + 3653 * DAY));
    let late = keys.device_validity(day(5000).now());
    assert_eq!(late.not_after, UnixTime(START - 3600 + 7305 * DAY));
}

#[test]
fn a_key_file_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let key = keybearer_crypto::Secret::copied_from(&[0x5a; 32]);
    write_key(dir.path(), Purpose::Challenge, &key).unwrap();
    assert_eq!(
        read_key(dir.path(), Purpose::Challenge).unwrap().expose(),
        key.expose()
    );
    let path = Purpose::Challenge.file(dir.path());
    let bytes = fs::read(&path).unwrap();
    for bad in [
        &bytes[..bytes.len() - 1],
        &[bytes.as_slice(), b"x"].concat(),
        &bytes[1..],
        b"",
    ] {
        fs::write(&path, bad).unwrap();
        assert!(matches!(
            read_key(dir.path(), Purpose::Challenge),
            Err(KeyError::Format { .. })
        ));
    }
}

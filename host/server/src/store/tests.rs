#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use keybearer_crypto::{Digest, Secret};
use keybearer_license::{KeyId, LicenseId, RequestId, Scheme, TrackType, Ueid, UnixTime};
use redb::ReadableDatabase;

use super::{Change, FORM, LogEvent, NUMBERS, Store, StoreError, seal};
use crate::config::{ContentSpec, KeySpec};

/// Cache of the tests' stores, in bytes.
const CACHE: usize = 1024 * 1024;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.redb"), CACHE).unwrap();
    (folder, store)
}

fn change<T>(store: &Store, work: impl Fn(&Change) -> Result<T, StoreError>) -> T {
    store.change(work).unwrap()
}

fn store_key(n: u8) -> Secret<32> {
    Secret::copied_from(&[n; 32])
}

#[test]
fn a_sealed_key_opens_with_its_store_key_and_under_its_id_only() {
    let (key, kid) = (Secret::copied_from(&[7; 16]), KeyId([1; 16]));
    let sealed = seal::seal(&store_key(1), &kid, &key).unwrap();
    assert_eq!(sealed.len(), seal::SEALED);
    assert!(!sealed.windows(16).any(|window| window == [7; 16]));
    assert_eq!(
        seal::open(&store_key(1), &kid, &sealed).unwrap().expose(),
        key.expose()
    );
    let again = seal::seal(&store_key(1), &kid, &key).unwrap();
    assert_ne!(sealed, again, "no two records are alike");
    assert!(seal::open(&store_key(2), &kid, &sealed).is_err());
    assert!(seal::open(&store_key(1), &KeyId([2; 16]), &sealed).is_err());
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(
            seal::open(&store_key(1), &kid, &altered).is_err(),
            "byte {at}"
        );
        assert!(
            seal::open(&store_key(1), &kid, &sealed[..at]).is_err(),
            "cut at {at}"
        );
    }
}

#[test]
fn no_key_lies_in_the_file_in_clear() {
    let (folder, store) = store();
    let key = [0xd7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0x7d];
    let spec = KeySpec::new(
        KeyId([1; 16]),
        Secret::copied_from(&key),
        TrackType::Hd,
        Scheme::Cenc,
    );
    let content = ContentSpec::open("film", vec![spec]);
    change(&store, |change| change.put_content(&store_key(1), &content));
    drop(store);
    let file = std::fs::read(folder.path().join("store.redb")).unwrap();
    assert!(!file.windows(16).any(|window| window == key));
    let text = hex::encode(key);
    assert!(!file.windows(32).any(|window| window == text.as_bytes()));
    assert!(
        file.windows(4).any(|window| window == b"film"),
        "the content itself is there"
    );
}

#[test]
fn a_change_that_fails_has_not_happened() {
    let (_folder, store) = store();
    let id = RequestId([1; 16]);
    let failed: Result<(), StoreError> = store.change(|change| {
        change.keep_answer(UnixTime(1), &id, &Digest([2; 32]), b"answer", None)?;
        Err(StoreError::Random)
    });
    assert!(failed.is_err());
    assert!(store.view().unwrap().answer(&id).unwrap().is_none());
}

#[test]
fn answers_are_kept_for_ten_minutes_and_then_forgotten() {
    let (_folder, store) = store();
    let (ueid, other) = (Ueid::from_device(&[1; 32]), Ueid::from_device(&[2; 32]));
    let held = |ueid: &Ueid| change(&store, |change| change.answers_of(ueid));
    for n in 0..40 {
        let id = RequestId([n; 16]);
        change(&store, |change| {
            let time = UnixTime(1000 + u64::from(n));
            change.keep_answer(time, &id, &Digest([n; 32]), &[n], Some(&ueid))
        });
    }
    let kept = |n: u8| store.view().unwrap().answer(&RequestId([n; 16])).unwrap();
    change(&store, |change| change.drop_old_answers(UnixTime(1600)));
    assert_eq!(kept(0).unwrap().answer, [0], "exactly ten minutes old");
    change(&store, |change| change.drop_old_answers(UnixTime(1601)));
    assert!(kept(0).is_none());
    assert_eq!(kept(1).unwrap().request, Digest([1; 32]));
    assert_eq!((held(&ueid), held(&other)), (39, 0));
    // A full table empties in steps, more of them than come in.
    for _ in 0..3 {
        change(&store, |change| change.drop_old_answers(UnixTime(9999)));
    }
    assert_eq!(change(&store, Change::answers), 0);
    assert_eq!(held(&ueid), 0);
}

#[test]
fn the_log_counts_on_when_it_forgets() {
    let (_folder, store) = store();
    let event = || LogEvent::Denial {
        device: Some("one".into()),
        reason: "x".into(),
        rule: None,
        wanted: None,
        found: None,
        key: None,
    };
    for _ in 0..7 {
        change(&store, |change| change.log(UnixTime(5), event(), 4));
    }
    let view = store.view().unwrap();
    let numbers: Vec<_> = view
        .log(0, 10)
        .unwrap()
        .iter()
        .map(|entry| entry.number)
        .collect();
    assert_eq!(numbers, [4, 5, 6, 7]);
    assert_eq!(view.totals().unwrap().denials, 7);
    assert_eq!(view.log(5, 1).unwrap()[0].number, 6);
}

#[test]
fn another_form_of_the_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Store::open(&path, CACHE).unwrap();
    change(&store, |change| change.set_number("form", FORM + 1));
    drop(store);
    assert!(matches!(
        Store::open(&path, CACHE),
        Err(StoreError::Form { found, known: FORM }) if found == FORM + 1
    ));
}

#[test]
fn a_damaged_record_is_an_error_and_no_default() {
    let (_folder, store) = store();
    let contents = redb::TableDefinition::<'_, &str, &[u8]>::new("contents");
    change(&store, |change| {
        change
            .transaction
            .open_table(contents)?
            .insert("film", &b"{\"id\":"[..])?;
        // The table of numbers stays as it is: damage is found where it is.
        change.transaction.open_table(NUMBERS)?;
        Ok(())
    });
    let view = store.view().unwrap();
    assert!(matches!(
        view.content("film"),
        Err(StoreError::Damaged { table: "contents" })
    ));
    assert!(matches!(view.contents(), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(
        &path,
        b"something else entirely, and long enough to be looked at",
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(
        Store::open(&path, CACHE),
        Err(StoreError::Open { .. })
    ));
}

#[test]
fn the_cache_stays_within_its_limit() {
    let (_folder, store) = store();
    // Eight times as much as may stay in memory.
    let ids =
        || (0..2048_u16).map(|n| RequestId([n.to_be_bytes(); 8].concat().try_into().unwrap()));
    change(&store, |change| {
        ids().try_for_each(|id| {
            change.keep_answer(UnixTime(1), &id, &Digest([2; 32]), &[7; 4096], None)
        })
    });
    let mut most = 0;
    for id in ids() {
        let kept = store.view().unwrap().answer(&id).unwrap();
        assert_eq!(kept.unwrap().answer, [7; 4096]);
        most = most.max(store.database.cache_stats().used_bytes());
    }
    assert!((1..=CACHE).contains(&most), "{most} bytes");
}

#[test]
fn a_used_token_is_remembered_until_it_ends() {
    let (_folder, store) = store();
    let (token, license) = (Digest([7; 32]), LicenseId([9; 16]));
    let used = || change(&store, |change| change.license_of_token(&token));
    assert_eq!(used(), None);
    change(&store, |change| change.use_token(&token, 100, &license));
    for now in [0, 99, 100] {
        change(&store, |change| change.drop_used_tokens(UnixTime(now)));
        assert_eq!(used(), Some(license));
    }
    change(&store, |change| change.drop_used_tokens(UnixTime(101)));
    assert_eq!(used(), None);
}

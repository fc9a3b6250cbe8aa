#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;
use keybearer_core::SlotKind;

fn slot(kind: SlotKind) -> Slot {
    Slot {
        kind,
        id: [0xab; 32],
    }
}

fn vault() -> (tempfile::TempDir, FileVault) {
    let dir = tempfile::tempdir().unwrap();
    let vault = FileVault::open(&dir.path().join("state")).unwrap();
    (dir, vault)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn records_come_back_are_replaced_and_go() {
    let (_dir, mut vault) = vault();
    let [one, other] = [slot(SlotKind::Identity), slot(SlotKind::Certificate)];
    assert_eq!(vault.load(&one, 64), Ok(None));
    vault.store(&one, b"first").unwrap();
    vault.store(&other, b"").unwrap();
    vault.store(&one, b"second").unwrap();
    assert_eq!(vault.load(&one, 6), Ok(Some(b"second".to_vec())));
    assert_eq!(vault.load(&other, 0), Ok(Some(Vec::new())));
    vault.remove(&one).unwrap();
    vault.remove(&one).unwrap();
    assert_eq!(vault.load(&one, 64), Ok(None));
    assert_eq!(vault.load(&other, 64), Ok(Some(Vec::new())));
}

#[test]
fn records_outlive_the_process_that_wrote_them() {
    let (dir, mut vault) = vault();
    vault.store(&slot(SlotKind::Time), b"kept").unwrap();
    drop(vault);
    let mut again = FileVault::open(&dir.path().join("state")).unwrap();
    assert_eq!(
        again.load(&slot(SlotKind::Time), 64),
        Ok(Some(b"kept".to_vec()))
    );
}

#[test]
fn a_record_beyond_its_cap_is_not_returned() {
    let (_dir, mut vault) = vault();
    vault.store(&slot(SlotKind::Time), &[7; 100]).unwrap();
    assert_eq!(
        vault.load(&slot(SlotKind::Time), 99),
        Err(PlatformError::Damaged)
    );
    assert!(vault.load(&slot(SlotKind::Time), 100).is_ok());
}

/// A buffer that grew would have left copies of a key behind: one allocation takes the record.
#[test]
fn a_record_is_read_into_memory_that_was_reserved_whole() {
    let (_dir, mut vault) = vault();
    let identity = slot(SlotKind::Identity);
    for size in [0, 1, 65, 5_000] {
        vault.store(&identity, &vec![7; size]).unwrap();
        let record = vault.load(&identity, 10_000).unwrap().unwrap();
        assert_eq!((record.len(), record.capacity()), (size, size));
    }
}

#[test]
fn nobody_else_can_read_directory_or_records() {
    let (dir, mut vault) = vault();
    vault.store(&slot(SlotKind::Identity), b"secret").unwrap();
    let state = dir.path().join("state");
    assert_eq!(mode(&state), 0o700);
    for entry in fs::read_dir(&state).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_directory_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for bits in [0o750, 0o701, 0o707] {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(bits)).unwrap();
        let refused = FileVault::open(dir.path());
        assert!(matches!(refused, Err(SoftError::Permissions { mode, .. }) if mode == bits));
    }
}

#[test]
fn a_record_that_others_can_read_is_refused() {
    let (_dir, mut vault) = vault();
    let identity = slot(SlotKind::Identity);
    vault.store(&identity, b"secret").unwrap();
    fs::set_permissions(vault.path(&identity), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(vault.load(&identity, 64), Err(PlatformError::Storage));
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let (dir, vault) = vault();
    let state = dir.path().join("state");
    let clone = vault.clone();
    drop(vault);
    assert!(matches!(
        FileVault::open(&state),
        Err(SoftError::InUse { .. })
    ));
    drop(clone);
    assert!(FileVault::open(&state).is_ok());
}

#[test]
fn what_a_crash_left_beside_a_record_does_no_harm() {
    let (_dir, mut vault) = vault();
    let time = slot(SlotKind::Time);
    vault.store(&time, b"old").unwrap();
    // Cut short before the rename: the old record still counts.
    fs::write(vault.path(&time).with_extension("new"), b"ha").unwrap();
    assert_eq!(vault.load(&time, 64), Ok(Some(b"old".to_vec())));
    vault.store(&time, b"new").unwrap();
    assert_eq!(vault.load(&time, 64), Ok(Some(b"new".to_vec())));
}

#[test]
fn a_failed_write_leaves_the_old_record() {
    let (_dir, mut vault) = vault();
    let time = slot(SlotKind::Time);
    vault.store(&time, b"old").unwrap();
    // A directory in the way of the new file: no permission bits would stop root.
    fs::create_dir(vault.path(&time).with_extension("new")).unwrap();
    assert_eq!(vault.store(&time, b"new"), Err(PlatformError::Storage));
    assert_eq!(vault.load(&time, 64), Ok(Some(b"old".to_vec())));
}

#[test]
fn a_path_that_is_no_directory_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = FileVault::open(file.path()).unwrap_err();
    assert!(
        error.to_string().contains(file.path().to_str().unwrap()),
        "{error}"
    );
}

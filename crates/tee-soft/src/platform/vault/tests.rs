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
    let vault = open(&dir).unwrap();
    (dir, vault)
}

fn open(dir: &tempfile::TempDir) -> Result<FileVault, SoftError> {
    FileVault::open(&dir.path().join("state"))
}

fn bytes(dir: &tempfile::TempDir) -> Vec<u8> {
    fs::read(dir.path().join("state").join(FILE)).unwrap()
}

fn replace(dir: &tempfile::TempDir, bytes: &[u8]) {
    // In place: the vault keeps the file open.
    fs::write(dir.path().join("state").join(FILE), bytes).unwrap();
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
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
    for round in 0..5_u8 {
        vault.store(&slot(SlotKind::Time), &[round; 7]).unwrap();
        vault.store(&slot(SlotKind::Floor), &[round; 3]).unwrap();
        drop(vault);
        vault = open(&dir).unwrap();
        let kept = vault.load(&slot(SlotKind::Time), 64);
        assert_eq!(kept, Ok(Some(vec![round; 7])));
    }
}

/// Zeros at the end are content, not room that was never written.
#[test]
fn records_of_zeros_come_back_whole() {
    let (dir, mut vault) = vault();
    let time = slot(SlotKind::Time);
    vault.store(&time, &[0; 50_000]).unwrap();
    drop(vault);
    let kept = open(&dir).unwrap().load(&time, 50_000);
    assert_eq!(kept, Ok(Some(vec![0; 50_000])));
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

/// The same for what is written, and no more than that: it is all records at once.
#[test]
fn an_image_takes_the_room_of_its_records_and_the_header() {
    for size in [0, 1, 100] {
        let image = Image::with_room(size).unwrap().finish(1);
        assert_eq!((image.len(), image.capacity()), (64, 64 + size));
    }
}

/// As many records as the core ever has, each as long as any message it seals.
#[test]
fn there_is_room_for_all_that_the_core_stores() {
    use keybearer_wire::limits::{MAX_ANCHORS, MAX_SERVICE_MESSAGE};
    let (dir, mut vault) = vault();
    for anchor in 0..u8::try_from(MAX_ANCHORS).unwrap() {
        let under = |kind| Slot {
            kind,
            id: [anchor; 32],
        };
        for (kind, size) in [
            (SlotKind::Identity, 1_000),
            (SlotKind::Certificate, 16 * 1024),
            (SlotKind::Time, 1_000),
            (SlotKind::Floor, 1_000),
            (SlotKind::Revocation, MAX_SERVICE_MESSAGE),
        ] {
            vault.store(&under(kind), &vec![anchor; size]).unwrap();
        }
    }
    let one_too_many = vault.store(&slot(SlotKind::Revocation), &vec![1; AREA]);
    assert_eq!(one_too_many, Err(PlatformError::Storage));
    drop(vault);
    let mut vault = open(&dir).unwrap();
    let last = Slot {
        kind: SlotKind::Revocation,
        id: [7; 32],
    };
    let kept = vault.load(&last, MAX_SERVICE_MESSAGE).unwrap().unwrap();
    assert_eq!(kept, vec![7; MAX_SERVICE_MESSAGE]);
}

/// The header takes 64 bytes of an area, a record's frame 37.
#[test]
fn an_area_is_filled_to_its_last_byte_and_not_beyond() {
    let (dir, mut vault) = vault();
    let revocation = slot(SlotKind::Revocation);
    let most = AREA - 64 - 37;
    let beyond = vault.store(&revocation, &vec![1; most + 1]);
    assert_eq!(beyond, Err(PlatformError::Storage));
    vault.store(&revocation, &vec![2; most]).unwrap();
    drop(vault);
    let kept = open(&dir).unwrap().load(&revocation, AREA);
    assert_eq!(kept, Ok(Some(vec![2; most])));
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
        fs::set_permissions(dir.path(), Permissions::from_mode(bits)).unwrap();
        let refused = FileVault::open(dir.path());
        assert!(matches!(refused, Err(SoftError::Permissions { mode, .. }) if mode == bits));
    }
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let (dir, vault) = vault();
    drop(vault);
    let file = dir.path().join("state").join(FILE);
    for bits in [0o640, 0o604, 0o620] {
        fs::set_permissions(&file, Permissions::from_mode(bits)).unwrap();
        let refused = open(&dir);
        assert!(
            matches!(refused, Err(SoftError::Permissions { mode, .. }) if mode == bits),
            "{refused:?}"
        );
    }
}

#[test]
fn a_link_in_place_of_the_file_is_refused() {
    let (dir, vault) = vault();
    drop(vault);
    let state = dir.path().join("state");
    fs::rename(state.join(FILE), dir.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), state.join(FILE)).unwrap();
    assert!(matches!(open(&dir), Err(SoftError::Io { .. })));
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let (dir, vault) = vault();
    let clone = vault.clone();
    drop(vault);
    assert!(matches!(open(&dir), Err(SoftError::InUse { .. })));
    drop(clone);
    assert!(open(&dir).is_ok());
}

/// Every prefix of every write, over whatever the area held before, as a power cut leaves it.
#[test]
fn a_write_cut_anywhere_leaves_the_old_record_or_the_new() {
    let (dir, mut vault) = vault();
    let (time, other) = (slot(SlotKind::Time), slot(SlotKind::Floor));
    vault.store(&other, b"untouched").unwrap();
    vault
        .store(&time, b"a longer record than those to come")
        .unwrap();
    for generation in 0..3_u8 {
        let old = vault.load(&time, 64).unwrap().unwrap();
        let before = bytes(&dir);
        vault.store(&time, &[generation; 9]).unwrap();
        let after = bytes(&dir);
        drop(vault);
        let mut seen = [0, 0];
        for cut in 0..=after.len() {
            if cut > 0 && before.get(cut - 1) == Some(&after[cut - 1]) {
                continue;
            }
            let mut torn = after[..cut].to_vec();
            torn.extend_from_slice(before.get(cut..).unwrap_or_default());
            replace(&dir, &torn);
            let mut vault = open(&dir).unwrap();
            let found = vault.load(&time, 64).unwrap().unwrap();
            assert!(found == old || found == [generation; 9], "cut at {cut}");
            seen[usize::from(found != old)] += 1;
            let kept = vault.load(&other, 64).unwrap();
            assert_eq!(kept.as_deref(), Some(&b"untouched"[..]));
            // And what a crash left stands in nobody's way.
            vault.store(&time, b"next").unwrap();
            assert_eq!(vault.load(&time, 64), Ok(Some(b"next".to_vec())));
        }
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
        replace(&dir, &after);
        vault = open(&dir).unwrap();
    }
}

/// The sectors of one write reach the disk in any order.
#[test]
fn a_write_whose_sectors_come_in_any_order_leaves_the_old_record_or_the_new() {
    const SECTOR: usize = 512;
    let (dir, mut vault) = vault();
    let time = slot(SlotKind::Time);
    vault.store(&time, &[1; 3_000]).unwrap();
    vault.store(&time, &[2; 3_000]).unwrap();
    let before = bytes(&dir);
    vault.store(&time, &[3; 3_000]).unwrap();
    let after = bytes(&dir);
    drop(vault);
    let changed: Vec<usize> = (0..after.len().div_ceil(SECTOR))
        .filter(|sector| {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(after.len());
            before.get(range.clone()) != after.get(range)
        })
        .collect();
    assert!((6..=8).contains(&changed.len()), "{changed:?}");
    for chosen in 0..1_u32 << changed.len() {
        let mut torn = before.clone();
        torn.resize(after.len(), 0);
        for (bit, sector) in changed.iter().enumerate() {
            if chosen & (1 << bit) != 0 {
                let range = sector * SECTOR..((sector + 1) * SECTOR).min(after.len());
                torn[range.clone()].copy_from_slice(&after[range]);
            }
        }
        replace(&dir, &torn);
        let found = open(&dir).unwrap().load(&time, 3_000).unwrap().unwrap();
        let whole = chosen + 1 == 1 << changed.len();
        assert_eq!(found, vec![if whole { 3 } else { 2 }; 3_000], "{chosen:#b}");
    }
}

#[test]
fn a_file_damaged_in_both_areas_is_refused_and_one_damaged_in_one_is_not() {
    let (dir, mut vault) = vault();
    let time = slot(SlotKind::Time);
    vault.store(&time, b"old").unwrap();
    vault.store(&time, b"new").unwrap();
    drop(vault);
    let whole = bytes(&dir);
    let areas = [0, AREA];
    for at in areas {
        for bit in (0..8 * 70).step_by(3) {
            let mut damaged = whole.clone();
            damaged[at + bit / 8] ^= 1 << (bit % 8);
            replace(&dir, &damaged);
            let found = open(&dir).unwrap().load(&time, 64).unwrap().unwrap();
            assert!(found == b"old" || found == b"new");
        }
    }
    let mut damaged = whole;
    for at in areas {
        damaged[at + 66] ^= 1;
    }
    replace(&dir, &damaged);
    assert!(matches!(open(&dir), Err(SoftError::Damaged { .. })));
    replace(&dir, b"");
    assert!(matches!(open(&dir), Err(SoftError::Damaged { .. })));
}

#[test]
fn a_record_that_changed_behind_our_back_is_damaged() {
    let (dir, mut vault) = vault();
    let time = slot(SlotKind::Time);
    vault.store(&time, b"as it was").unwrap();
    let mut changed = bytes(&dir);
    let at = changed.len() - 1;
    changed[at] ^= 1;
    replace(&dir, &changed);
    assert_eq!(vault.load(&time, 64), Err(PlatformError::Damaged));
}

#[test]
fn what_is_removed_is_nowhere_in_the_file() {
    let (dir, mut vault) = vault();
    let (identity, other) = (slot(SlotKind::Identity), slot(SlotKind::Anchors));
    let secret = [0x5e; 32];
    vault.store(&identity, &secret).unwrap();
    vault.store(&other, &[1; 100]).unwrap();
    assert!(holds(&bytes(&dir), &secret));
    vault.remove(&identity).unwrap();
    assert!(!holds(&bytes(&dir), &secret[..8]));
    drop(vault);
    let mut vault = open(&dir).unwrap();
    assert_eq!(vault.load(&identity, 64), Ok(None));
    assert_eq!(vault.load(&other, 100), Ok(Some(vec![1; 100])));
}

/// A crash may leave an old record beyond the end of the newer, shorter state; it goes with the next.
#[test]
fn what_lies_beyond_the_records_is_overwritten() {
    let (dir, mut vault) = vault();
    let identity = slot(SlotKind::Identity);
    vault.store(&identity, b"x").unwrap();
    vault.store(&identity, b"y").unwrap();
    drop(vault);
    let mut left = bytes(&dir);
    left[2_000..2_032].fill(0x5e);
    left.extend_from_slice(&[0x5e; 32]);
    replace(&dir, &left);
    let mut vault = open(&dir).unwrap();
    vault.store(&identity, b"z").unwrap();
    vault.store(&identity, b"z").unwrap();
    // To its very last byte.
    let now = bytes(&dir);
    assert_eq!(now[2_000..2_032], [0; 32]);
    assert_eq!(now[left.len() - 32..], [0; 32]);
}

#[test]
fn what_a_crash_left_of_a_new_file_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    fs::write(dir.path().join(NEW_FILE), b"KBvau").unwrap();
    let mut vault = FileVault::open(dir.path()).unwrap();
    vault.store(&slot(SlotKind::Time), b"kept").unwrap();
    assert!(!dir.path().join(NEW_FILE).exists());
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

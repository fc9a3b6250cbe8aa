#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use keybearer_crypto::Digest;
use keybearer_license::{HardwareModel, Serial, Ueid};
use keybearer_rules::Level;

use super::super::{FORM, Store, StoreError, UNORDERED};
use super::{CERTIFIED, DevicePlace, DeviceRecord};
use crate::config::text::Text;
use crate::names::Name;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.redb"), 1024 * 1024).unwrap();
    (folder, store)
}

fn bytes<const N: usize>(n: u32) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    bytes
}

/// Certifies device `n` at a time, under the serial `serial`.
fn certify(store: &Store, n: u32, serial: u32, certified: u64) {
    let record = DeviceRecord {
        serial: Text(Serial(bytes(serial))),
        key_digest: Text(Digest(bytes(n))),
        tenant: "default".into(),
        model: Text(HardwareModel::new(&format!("model {n}")).unwrap()),
        level: Name(Level::Low),
        debug: false,
        certified,
        revoked: None,
        suspended: None,
    };
    let ueid = Ueid::from_device(&bytes::<32>(n));
    let certified: Result<(), StoreError> =
        store.change(|change| change.put_device(&ueid, &record, b"chain"));
    certified.unwrap();
}

/// The serials of a page, and where the next begins.
fn page(
    store: &Store,
    before: Option<DevicePlace>,
    limit: usize,
) -> (Vec<u32>, Option<DevicePlace>) {
    let view = store.view().unwrap();
    let (found, next) = view.devices(before, limit, usize::MAX, |_| true).unwrap();
    let number = |device: &DeviceRecord| {
        let serial = device.serial.0.0;
        u32::from_be_bytes([serial[0], serial[1], serial[2], serial[3]])
    };
    (found.iter().map(number).collect(), next)
}

#[test]
fn pages_go_through_all_devices_once_also_those_of_the_same_second() {
    let (_folder, store) = store();
    assert_eq!(page(&store, None, 3), (vec![], None));
    for (n, certified) in [(1, 50), (2, 70), (3, 60), (4, 60), (5, 60), (6, 10)] {
        certify(&store, n, n, certified);
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let (found, next) = page(&store, before, 2);
        assert!(found.len() <= 2);
        seen.extend(found);
        before = next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, [2, 5, 4, 3, 1, 6]);
    assert_eq!(store.view().unwrap().device_count().unwrap(), 6);
}

#[test]
fn a_device_that_is_certified_anew_is_there_once() {
    let (_folder, store) = store();
    certify(&store, 1, 1, 10);
    certify(&store, 2, 2, 20);
    certify(&store, 1, 3, 30);
    assert_eq!(page(&store, None, 9), (vec![3, 2], None));
    let view = store.view().unwrap();
    let now = |serial: u32| {
        let device = view.device(&Serial(bytes(serial))).unwrap()?;
        Some((device.model.0.as_str().to_owned(), device.certified))
    };
    let one = Some(("model 1".into(), 30));
    assert_eq!((now(1), now(3), now(9)), (one.clone(), one, None));
}

#[test]
fn a_search_looks_at_so_many_devices_and_no_more() {
    const MOST: usize = 3;
    let (_folder, store) = store();
    for n in 0..4 {
        certify(&store, n, n, u64::from(n));
    }
    let view = store.view().unwrap();
    let looked_at = std::cell::Cell::new(0);
    let oldest = |device: &DeviceRecord| {
        looked_at.set(looked_at.get() + 1);
        device.certified == 0
    };
    let (found, next) = view.devices(None, 5, MOST, oldest).unwrap();
    assert_eq!((found.len(), looked_at.get()), (0, MOST));
    let (found, next) = view.devices(next, 5, MOST, oldest).unwrap();
    assert_eq!(
        (found.len(), next),
        (1, None),
        "the search goes on from there"
    );
    assert_eq!(looked_at.get(), MOST + 1);
}

#[test]
fn devices_of_a_store_without_their_order_are_put_in_order() {
    let (folder, store) = store();
    for (n, certified) in [(1, 30), (2, 10), (3, 20)] {
        certify(&store, n, n, certified);
    }
    let before: Result<(), StoreError> = store.change(|change| {
        change.transaction.delete_table(CERTIFIED)?;
        change.set_number("form", UNORDERED)
    });
    before.unwrap();
    assert_eq!(page(&store, None, 9), (vec![], None));
    drop(store);
    let path = folder.path().join("store.redb");
    let form = |store: &Store| store.view().unwrap().number("form").unwrap();
    let store = Store::open(&path, 1024 * 1024).unwrap();
    assert_eq!(page(&store, None, 9), (vec![1, 3, 2], None));
    assert_eq!(form(&store), FORM);
    // It is of the new form from now on: those that come find their places, and nothing is done again.
    certify(&store, 4, 4, 25);
    drop(store);
    let store = Store::open(&path, 1024 * 1024).unwrap();
    assert_eq!(page(&store, None, 9), (vec![1, 4, 3, 2], None));
    assert_eq!(form(&store), FORM);
}

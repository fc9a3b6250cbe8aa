#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use keybearer_core::SlotKind;
use optee_utee::raw;
use optee_utee_sys::{mock_api as api, mock_utils::SERIAL_TEST_LOCK};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec,
};

/// Storage as a TEE has it, and what it shall answer instead.
#[derive(Default)]
struct Objects {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Name behind each open handle.
    open: BTreeMap<usize, Vec<u8>>,
    handles: usize,
    /// Result of the next opening or creation.
    fail: Option<u32>,
    /// Bytes that reading withholds.
    short: usize,
}

/// A TEE with private storage, one test at a time.
struct Tee {
    objects: Arc<Mutex<Objects>>,
    _mocks: (
        api::__TEE_OpenPersistentObject::Context,
        api::__TEE_CreatePersistentObject::Context,
        api::__TEE_GetObjectInfo1::Context,
        api::__TEE_ReadObjectData::Context,
        api::__TEE_CloseObject::Context,
        api::__TEE_CloseAndDeletePersistentObject1::Context,
    ),
    _turn: MutexGuard<'static, ()>,
}

/// # Safety
/// `start` must lead to `len` bytes.
unsafe fn bytes(start: *const core::ffi::c_void, len: usize) -> Vec<u8> {
    // SAFETY: by this function's contract.
    unsafe { core::slice::from_raw_parts(start.cast::<u8>(), len) }.to_vec()
}

impl Objects {
    fn handle(&mut self, name: Vec<u8>) -> raw::TEE_ObjectHandle {
        self.handles += 1;
        self.open.insert(self.handles, name);
        core::ptr::without_provenance_mut(self.handles)
    }
}

impl Tee {
    fn new() -> Self {
        let turn = SERIAL_TEST_LOCK
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let objects: Arc<Mutex<Objects>> = Arc::default();
        let of = || Arc::clone(&objects);
        let mocks = (
            api::TEE_OpenPersistentObject_context(),
            api::TEE_CreatePersistentObject_context(),
            api::TEE_GetObjectInfo1_context(),
            api::TEE_ReadObjectData_context(),
            api::TEE_CloseObject_context(),
            api::TEE_CloseAndDeletePersistentObject1_context(),
        );
        let o = of();
        mocks
            .0
            .expect()
            .returning(move |storage, id, len, _, handle| {
                let mut o = o.lock().unwrap();
                assert_eq!(storage, 1, "TEE_STORAGE_PRIVATE");
                // SAFETY: the wrapper passes a name and a place for the handle.
                let name = unsafe { bytes(id, len) };
                if let Some(code) = o.fail.take() {
                    return code;
                }
                if !o.records.contains_key(&name) {
                    return raw::TEE_ERROR_ITEM_NOT_FOUND;
                }
                // SAFETY: as above.
                unsafe { *handle = o.handle(name) };
                raw::TEE_SUCCESS
            });
        let o = of();
        mocks
            .1
            .expect()
            .returning(move |storage, id, len, flags, _, data, size, handle| {
                let mut o = o.lock().unwrap();
                assert_eq!(
                    (storage, flags & 0x400),
                    (1, 0x400),
                    "private, and overwriting"
                );
                if let Some(code) = o.fail.take() {
                    return code;
                }
                // SAFETY: the wrapper passes a name, a record and a place for the handle.
                let (name, record) = unsafe { (bytes(id, len), bytes(data, size)) };
                assert!(len <= 64, "TEE_OBJECT_ID_MAX_LEN");
                o.records.insert(name.clone(), record);
                // SAFETY: as above.
                unsafe { *handle = o.handle(name) };
                raw::TEE_SUCCESS
            });
        let o = of();
        mocks.2.expect().returning(move |handle, info| {
            let o = o.lock().unwrap();
            let size = o.records[&o.open[&handle.addr()]].len();
            // SAFETY: the wrapper passes a place for the information.
            unsafe {
                (*info).dataSize = size;
                (*info).dataPosition = 0;
            }
            raw::TEE_SUCCESS
        });
        let o = of();
        mocks.3.expect().returning(move |handle, to, len, count| {
            let o = o.lock().unwrap();
            let record = &o.records[&o.open[&handle.addr()]];
            let n = len.min(record.len()) - o.short;
            // SAFETY: the wrapper passes `len` bytes of room and a place for the count.
            unsafe {
                core::ptr::copy_nonoverlapping(record.as_ptr(), to.cast(), n);
                *count = n;
            }
            raw::TEE_SUCCESS
        });
        let o = of();
        mocks.4.expect().returning(move |handle| {
            o.lock()
                .unwrap()
                .open
                .remove(&handle.addr())
                .expect("an open handle");
        });
        let o = of();
        mocks.5.expect().returning(move |handle| {
            let mut o = o.lock().unwrap();
            let name = o.open.remove(&handle.addr()).expect("an open handle");
            o.records.remove(&name);
            raw::TEE_SUCCESS
        });
        Self {
            objects,
            _mocks: mocks,
            _turn: turn,
        }
    }

    fn fail(&self, code: u32) {
        self.objects.lock().unwrap().fail = Some(code);
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                self.objects.lock().unwrap().open.is_empty(),
                "every handle is closed"
            );
        }
    }
}

fn slot(kind: SlotKind, id: u8) -> Slot {
    Slot { kind, id: [id; 32] }
}

#[test]
fn records_come_back_by_slot() {
    let _tee = Tee::new();
    let slots = [
        slot(SlotKind::Identity, 1),
        slot(SlotKind::Identity, 2),
        slot(SlotKind::Certificate, 1),
        slot(SlotKind::Anchors, 0),
    ];
    for (i, slot) in slots.iter().enumerate() {
        assert_eq!(PrivateStorage.load(slot, 100), Ok(None));
        PrivateStorage.store(slot, &vec![7; 10 + i]).unwrap();
    }
    for (i, slot) in slots.iter().enumerate() {
        assert_eq!(PrivateStorage.load(slot, 100), Ok(Some(vec![7; 10 + i])));
    }
}

#[test]
fn a_record_replaces_the_one_before() {
    let _tee = Tee::new();
    let slot = slot(SlotKind::Time, 1);
    PrivateStorage
        .store(&slot, b"the first, longer one")
        .unwrap();
    PrivateStorage.store(&slot, b"second").unwrap();
    assert_eq!(
        PrivateStorage.load(&slot, 100),
        Ok(Some(b"second".to_vec()))
    );
}

#[test]
fn a_removed_record_is_gone_and_removing_nothing_is_fine() {
    let _tee = Tee::new();
    let (gone, kept) = (slot(SlotKind::Identity, 1), slot(SlotKind::Identity, 2));
    PrivateStorage.store(&gone, b"x").unwrap();
    PrivateStorage.store(&kept, b"y").unwrap();
    PrivateStorage.remove(&gone).unwrap();
    PrivateStorage.remove(&gone).unwrap();
    assert_eq!(PrivateStorage.load(&gone, 100), Ok(None));
    assert_eq!(PrivateStorage.load(&kept, 100), Ok(Some(b"y".to_vec())));
}

#[test]
fn a_record_is_no_longer_than_its_cap() {
    let _tee = Tee::new();
    let slot = slot(SlotKind::Certificate, 1);
    PrivateStorage.store(&slot, &[1; 50]).unwrap();
    assert_eq!(PrivateStorage.load(&slot, 49), Err(PlatformError::Damaged));
    assert!(PrivateStorage.load(&slot, 50).unwrap().is_some());
}

#[test]
fn a_record_cut_short_is_a_failure() {
    let tee = Tee::new();
    let slot = slot(SlotKind::Certificate, 1);
    PrivateStorage.store(&slot, &[1; 50]).unwrap();
    tee.objects.lock().unwrap().short = 1;
    assert_eq!(PrivateStorage.load(&slot, 50), Err(PlatformError::Storage));
}

#[test]
fn a_failure_is_never_an_empty_slot() {
    let tee = Tee::new();
    let slot = slot(SlotKind::Identity, 1);
    PrivateStorage.store(&slot, b"x").unwrap();
    for (code, expected) in [
        (raw::TEE_ERROR_CORRUPT_OBJECT, PlatformError::Damaged),
        (raw::TEE_ERROR_STORAGE_NOT_AVAILABLE, PlatformError::Storage),
        (raw::TEE_ERROR_ACCESS_CONFLICT, PlatformError::Storage),
        (raw::TEE_ERROR_OUT_OF_MEMORY, PlatformError::Memory),
    ] {
        tee.fail(code);
        assert_eq!(
            PrivateStorage.load(&slot, 100),
            Err(expected),
            "load {code:#x}"
        );
        tee.fail(code);
        assert_eq!(
            PrivateStorage.remove(&slot),
            Err(expected),
            "remove {code:#x}"
        );
        tee.fail(code);
        assert_eq!(
            PrivateStorage.store(&slot, b"y"),
            Err(expected),
            "store {code:#x}"
        );
    }
    tee.fail(raw::TEE_ERROR_STORAGE_NO_SPACE);
    assert_eq!(
        PrivateStorage.store(&slot, b"y"),
        Err(PlatformError::Storage)
    );
    assert_eq!(
        PrivateStorage.load(&slot, 100),
        Ok(Some(b"x".to_vec())),
        "nothing has changed"
    );
}

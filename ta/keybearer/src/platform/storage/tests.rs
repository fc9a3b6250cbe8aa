#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use core::ffi::{c_ulong, c_void};
use keybearer_core::SlotKind;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    vec,
};

/// Storage as a TEE has it, and what it shall answer instead.
#[derive(Default)]
struct Objects {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Name behind each open handle, and what the handle was opened for.
    open: BTreeMap<u32, (Vec<u8>, u32)>,
    handles: u32,
    /// The call that fails, its result, and how often.
    fail: Option<(Call, u32, usize)>,
    /// Bytes that reading withholds.
    short: usize,
    /// A removal that fails is one all the same: only its answer is lost.
    removes_all_the_same: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Open,
    Create,
    Info,
    Read,
    Remove,
}

static OBJECTS: Mutex<Objects> = Mutex::new(Objects {
    records: BTreeMap::new(),
    open: BTreeMap::new(),
    handles: 0,
    fail: None,
    short: 0,
    removes_all_the_same: false,
});
static TURN: Mutex<()> = Mutex::new(());

fn objects() -> MutexGuard<'static, Objects> {
    OBJECTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects {
    fn handle(&mut self, name: Vec<u8>, access: u32) -> u32 {
        self.handles += 1;
        self.open.insert(self.handles, (name, access));
        self.handles
    }

    /// The result that a test wants of this call.
    fn fails(&mut self, call: Call) -> Option<u32> {
        let (_, code, times) = self.fail.as_mut().filter(|fail| fail.0 == call)?;
        let code = *code;
        *times -= 1;
        if *times == 0 {
            self.fail = None;
        }
        Some(code)
    }
}

/// # Safety
/// `start` must lead to `len` bytes.
unsafe fn bytes(start: *const c_void, len: usize) -> Vec<u8> {
    // SAFETY: by this function's contract.
    unsafe { core::slice::from_raw_parts(start.cast::<u8>(), len) }.to_vec()
}

/// The system calls, as OP-TEE carries them out.
mod calls {
    use super::*;

    #[unsafe(no_mangle)]
    unsafe extern "C" fn _utee_storage_obj_open(
        storage: c_ulong,
        id: *const c_void,
        len: usize,
        access: c_ulong,
        object: *mut u32,
    ) -> u32 {
        let mut objects = objects();
        assert_eq!(storage, 1, "TEE_STORAGE_PRIVATE");
        if let Some(code) = objects.fails(Call::Open) {
            return code;
        }
        // SAFETY: the caller passes a name and a place for the handle.
        let name = unsafe { bytes(id, len) };
        if !objects.records.contains_key(&name) {
            return raw::TEE_ERROR_ITEM_NOT_FOUND;
        }
        // SAFETY: as above.
        unsafe { *object = objects.handle(name, access.try_into().unwrap()) };
        raw::TEE_SUCCESS
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn _utee_storage_obj_create(
        storage: c_ulong,
        id: *const c_void,
        len: usize,
        flags: c_ulong,
        attributes: c_ulong,
        data: *const c_void,
        size: usize,
        object: *mut u32,
    ) -> u32 {
        let mut objects = objects();
        let overwrite = flags & 0x400;
        assert_eq!((storage, overwrite, attributes), (1, 0x400, 0));
        if let Some(code) = objects.fails(Call::Create) {
            return code;
        }
        // SAFETY: the caller passes a name, a record and a place for the handle.
        let (name, record) = unsafe { (bytes(id, len), bytes(data, size)) };
        assert!(len <= 64, "TEE_OBJECT_ID_MAX_LEN");
        objects.records.insert(name.clone(), record);
        // SAFETY: as above.
        unsafe { *object = objects.handle(name, 0) };
        raw::TEE_SUCCESS
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn _utee_cryp_obj_get_info(object: c_ulong, info: *mut [u32; 7]) -> u32 {
        let mut objects = objects();
        if let Some(code) = objects.fails(Call::Info) {
            return code;
        }
        let (name, _) = &objects.open[&object.try_into().unwrap()];
        let size = objects.records[name].len().try_into().unwrap();
        // SAFETY: the caller passes a place for the information.
        unsafe { *info = [0xbf00_00a1, 0, 0, 0, size, 0, 0] };
        raw::TEE_SUCCESS
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn _utee_storage_obj_read(
        object: c_ulong,
        to: *mut c_void,
        len: usize,
        count: *mut u64,
    ) -> u32 {
        let mut objects = objects();
        let object = object.try_into().unwrap();
        if let Some(code) = objects.fails(Call::Read) {
            if code == raw::TEE_ERROR_CORRUPT_OBJECT {
                let (name, _) = objects.open.remove(&object).unwrap();
                objects.records.remove(&name);
            }
            return code;
        }
        let record = &objects.records[&objects.open[&object].0];
        let n = len.min(record.len()) - objects.short;
        // SAFETY: the caller passes `len` bytes of room and a place for the count.
        unsafe {
            core::ptr::copy_nonoverlapping(record.as_ptr(), to.cast(), n);
            *count = n.try_into().unwrap();
        }
        raw::TEE_SUCCESS
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn _utee_cryp_obj_close(object: c_ulong) -> u32 {
        match objects().open.remove(&object.try_into().unwrap()) {
            Some(_) => raw::TEE_SUCCESS,
            None => raw::TEE_ERROR_BAD_STATE,
        }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn _utee_storage_obj_del(object: c_ulong) -> u32 {
        let mut objects = objects();
        let (name, access) = objects.open.remove(&object.try_into().unwrap()).unwrap();
        assert_eq!(access, 4, "TEE_DATA_FLAG_ACCESS_WRITE_META");
        let result = objects.fails(Call::Remove).unwrap_or(raw::TEE_SUCCESS);
        if result == raw::TEE_SUCCESS || objects.removes_all_the_same {
            objects.records.remove(&name);
        }
        result
    }
}

/// A TEE with private storage, one test at a time.
struct Tee(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Tee {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        *objects() = Objects::default();
        Self(turn)
    }

    fn fail(&self, call: Call, code: u32, times: usize) {
        objects().fail = Some((call, code, times));
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(objects().open.is_empty(), "every handle is closed");
            assert_eq!(objects().fail, None, "what was to fail has failed");
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
    let _tee = Tee::new();
    let slot = slot(SlotKind::Certificate, 1);
    PrivateStorage.store(&slot, &[1; 50]).unwrap();
    objects().short = 1;
    assert_eq!(PrivateStorage.load(&slot, 50), Err(PlatformError::Storage));
}

/// Results that GlobalPlatform lists, and others, with how often each is had before it is told: what the
/// normal world has to do with storage it may leave undone in any way, and does for a client that it
/// has killed.
const CODES: [(u32, PlatformError, usize); 10] = [
    (raw::TEE_ERROR_CORRUPT_OBJECT, PlatformError::Damaged, 1),
    (raw::TEE_ERROR_CORRUPT_OBJECT_2, PlatformError::Damaged, 1),
    (raw::TEE_ERROR_ACCESS_CONFLICT, PlatformError::Storage, 1),
    (raw::TEE_ERROR_STORAGE_NO_SPACE, PlatformError::Storage, 1),
    (
        raw::TEE_ERROR_STORAGE_NOT_AVAILABLE,
        PlatformError::Storage,
        3,
    ),
    (raw::TEE_ERROR_OUT_OF_MEMORY, PlatformError::Memory, 3),
    (raw::TEE_ERROR_COMMUNICATION, PlatformError::Storage, 3),
    (raw::TEE_ERROR_GENERIC, PlatformError::Storage, 3),
    (raw::TEE_ERROR_SECURITY, PlatformError::Storage, 3),
    (0x1234_5678, PlatformError::Storage, 3),
];

#[test]
fn no_result_of_any_call_ends_the_application_or_reads_as_an_empty_slot() {
    let tee = Tee::new();
    let slot = slot(SlotKind::Identity, 1);
    for (code, expected, times) in CODES {
        for call in [Call::Open, Call::Info, Call::Read] {
            PrivateStorage.store(&slot, b"x").unwrap();
            tee.fail(call, code, times);
            let loaded = PrivateStorage.load(&slot, 100);
            assert_eq!(loaded, Err(expected), "{call:?} {code:#x}");
        }
        for call in [Call::Open, Call::Remove] {
            PrivateStorage.store(&slot, b"x").unwrap();
            tee.fail(call, code, times);
            let removed = PrivateStorage.remove(&slot);
            assert_eq!(removed, Err(expected), "{call:?} {code:#x}");
        }
        tee.fail(Call::Create, code, times);
        let stored = PrivateStorage.store(&slot, b"y");
        assert_eq!(stored, Err(expected), "{code:#x}");
        let loaded = PrivateStorage.load(&slot, 100);
        assert_eq!(loaded, Ok(Some(b"x".to_vec())), "nothing has changed");
    }
}

#[test]
fn what_the_normal_world_failed_at_is_begun_again() {
    let tee = Tee::new();
    let slot = slot(SlotKind::Identity, 1);
    for times in [1, 2] {
        tee.fail(Call::Create, raw::TEE_ERROR_COMMUNICATION, times);
        PrivateStorage.store(&slot, b"x").unwrap();
        for call in [Call::Open, Call::Info, Call::Read] {
            tee.fail(call, raw::TEE_ERROR_GENERIC, times);
            let loaded = PrivateStorage.load(&slot, 100);
            assert_eq!(loaded, Ok(Some(b"x".to_vec())), "{call:?}");
        }
        for call in [Call::Open, Call::Remove] {
            PrivateStorage.store(&slot, b"x").unwrap();
            tee.fail(call, raw::TEE_ERROR_COMMUNICATION, times);
            assert_eq!(PrivateStorage.remove(&slot), Ok(()), "{call:?}");
            assert_eq!(PrivateStorage.load(&slot, 100), Ok(None));
        }
    }
    // Removed, but the answer was lost.
    PrivateStorage.store(&slot, b"x").unwrap();
    tee.fail(Call::Remove, raw::TEE_ERROR_COMMUNICATION, 1);
    objects().removes_all_the_same = true;
    assert_eq!(PrivateStorage.remove(&slot), Ok(()));
    assert_eq!(PrivateStorage.load(&slot, 100), Ok(None));
}

/// OP-TEE removes what it finds damaged and closes the handle by itself.
#[test]
fn an_object_found_damaged_while_it_is_read_is_not_closed_twice() {
    let tee = Tee::new();
    let slot = slot(SlotKind::Certificate, 1);
    PrivateStorage.store(&slot, &[1; 5000]).unwrap();
    tee.fail(Call::Read, raw::TEE_ERROR_CORRUPT_OBJECT, 1);
    let loaded = PrivateStorage.load(&slot, 9000);
    assert_eq!(loaded, Err(PlatformError::Damaged));
    PrivateStorage.store(&slot, &[2; 5000]).unwrap();
    let loaded = PrivateStorage.load(&slot, 9000);
    assert_eq!(loaded, Ok(Some(vec![2; 5000])));
}

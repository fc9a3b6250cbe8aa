//! The quotas fit the heap of the trusted application: everything that a core may hold at once,
//! the most that a call takes on top of it, and the copies that the entry points make.
//!
//! Counted on the machine that runs the test, whose words are as wide as the trusted application's.
//! Each block is charged what an allocator with boundary tags takes at most: its size rounded up to
//! 16 bytes and 32 bytes of headers. Fragmentation is not counted; a fifth of the heap is left for
//! it.
#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one counts and passes on"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use keybearer_core::{Caller, ClientId};
use keybearer_license::{Renewal, Serial};
use keybearer_rules::Level;
use keybearer_wire::Status;
use keybearer_wire::limits::{
    MAX_ANCHORS, MAX_KEYS, MAX_KEYS_PER_SESSION, MAX_PENDING_PER_SESSION, MAX_REQUEST,
    MAX_RESPONSE, MAX_SESSIONS, MAX_SESSIONS_PER_CLIENT,
};

use support::{Device, Service, cenc_use, key, license};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// What a block takes.
fn charge(size: usize) -> usize {
    size.next_multiple_of(16) + 32
}

// SAFETY: every request is the system allocator's, with its own layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(charge(layout.size()), Relaxed) + charge(layout.size());
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(charge(layout.size()), Relaxed);
        // SAFETY: it came from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The heap that the trusted application's build gives it.
fn heap_of_the_trusted_application() -> usize {
    let build = include_str!("../../../ta/keybearer/build.rs");
    let (_, rest) = build.split_once("const HEAP: u32 = ").unwrap();
    let (kibibytes, _) = rest.split_once(" * 1024;").unwrap();
    kibibytes.parse::<usize>().unwrap() * 1024
}

/// Runs `call` and returns what it took for a while beyond what it left.
fn extra<T>(most: &mut usize, call: impl FnOnce() -> T) -> T {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = call();
    *most = (*most).max(PEAK.load(Relaxed) - before);
    result
}

/// A licence with as many keys as one may have, and the longest of everything else.
fn large(id: u8, keys: usize) -> keybearer_license::License {
    let keys = (0..keys).map(|at| {
        let mut usage = cenc_use();
        usage.source.profile = Some("p".repeat(64));
        key(u8::try_from(at + 1).unwrap(), usage)
    });
    let mut made = license(id, keys.collect());
    made.renewal = Some(Renewal {
        url: Some(format!("https://license.example/{}", "r".repeat(480))),
        delay_seconds: 60,
        retry_seconds: 10,
        recovery_seconds: None,
        on_first_use: false,
        with_usage: true,
    });
    made
}

#[test]
fn the_quotas_fit_the_heap_of_the_trusted_application() {
    let mut most = 0;
    // The services' own memory and the fake storage are not the core's.
    let mut services: Vec<_> = (0..MAX_ANCHORS)
        .map(|seed| Service::new(u64::try_from(seed).unwrap()))
        .collect();
    // All sessions protected, which hold more than clear ones.
    let mut device = Device::with(1, |config, _| config.level = Level::None);
    device.forget_seen();
    // The core's tables and its scratch buffer.
    let fresh = {
        let config = device.config.clone();
        let world = device.world.clone();
        let before = LIVE.load(Relaxed);
        let core =
            keybearer_core::Core::<support::FakePlatform>::new(support::parts(&world), config);
        let taken = LIVE.load(Relaxed) - before;
        drop(core);
        taken
    };
    let begin = LIVE.load(Relaxed);
    let stored = |device: &Device| -> usize {
        let world = device.world.get();
        world
            .slots
            .values()
            .map(|record| charge(record.len()))
            .sum()
    };
    let stored_before = stored(&device);

    // Eight operators, each with a full revocation list.
    let serials: Vec<_> = (0..keybearer_license::MAX_REVOKED)
        .map(|at| {
            let mut serial = [0; 16];
            serial[..8].copy_from_slice(&u64::try_from(at).unwrap().to_be_bytes());
            Serial(serial)
        })
        .collect();
    for service in &mut services {
        device.provision(service);
        let list = service.revocation_list(1, &serials);
        device.forget_seen();
        extra(&mut most, || device.load_list(service.anchor(), &list)).unwrap();
    }

    let mut held = 0;
    let mut clients = Vec::new();
    for open in 0..MAX_SESSIONS {
        if open % MAX_SESSIONS_PER_CLIENT == 0 && open > 0 {
            clients.push(device.client);
            device.client = device.core.connect(Caller::Host).unwrap();
        }
        let service = &mut services[open % MAX_ANCHORS];
        let session = device.open_kind(service, true).unwrap();
        // As many keys as are left for this one, down to a single one.
        let mut wanted = MAX_KEYS_PER_SESSION;
        while wanted > 0 {
            let info = service.info();
            let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
            let answer = service.license(&request, large(1, wanted));
            device.forget_seen();
            match extra(&mut most, || device.load(session, &answer)) {
                Ok(_) => {
                    held += wanted;
                    break;
                }
                Err(status) => assert_eq!(status, Status::TooManyKeys),
            }
            wanted = if held < MAX_KEYS && wanted > 1 {
                wanted / 2
            } else {
                0
            };
        }
        let ids: Vec<_> = (1..=64).map(|id| [id; 16]).collect();
        for _ in 0..MAX_PENDING_PER_SESSION {
            let info = service.info();
            device.forget_seen();
            extra(&mut most, || device.request_fresh(session, &ids, &info)).unwrap();
        }
        device.forget_seen();
        extra(&mut most, || device.statuses(session)).unwrap();
    }
    assert_eq!(held, MAX_KEYS, "the quota is used up");
    device.forget_seen();
    let (serials_of_test, clients_of_test) = (
        serials.capacity() * 16,
        clients.capacity() * size_of::<ClientId>(),
    );
    let kept = fresh + (LIVE.load(Relaxed) - begin) - (stored(&device) - stored_before);
    let kept = kept - charge(serials_of_test) - charge(clients_of_test);

    // One call at a time. Its request is copied out of shared memory first.
    let most = most.max(MAX_RESPONSE) + charge(MAX_REQUEST);
    let heap = heap_of_the_trusted_application();
    println!(
        "{} KiB kept, {} KiB for a call, of {} KiB",
        kept / 1024,
        most / 1024,
        heap / 1024
    );
    assert!(kept + most <= heap / 5 * 4, "{kept} + {most} of {heap}");
}

//! Memory that cannot be had: every command of a device's story, with the k-th allocation of the
//! call failing, for every k until the call needs no more.
//!
//! An allocation that a failure does not leave as a status would abort this program: the test passes
//! when it comes to its end. A refused call must also have changed nothing, for it is made again
//! until it succeeds. What may not fail is left out by its layout: the 32 and 16 bytes of a
//! `Secret`, whose constructors have no way to say so.
#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one passes on to the system's"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use keybearer_core::{InPlace, Media, NoMedia};
use keybearer_wire::body::{self, Empty};
use keybearer_wire::field::{Blob, List, Text};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Exchange, Status, decode_response};

use support::{Device, Service, cenc_use, key, license, records, samples};

struct Failing;

thread_local! {
    /// Allocations of this thread that succeed before one fails; `None`: all do.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// Whether all that follow fail too.
    static LASTING: Cell<bool> = const { Cell::new(false) };
}

/// True when this allocation shall fail.
fn fails(layout: Layout) -> bool {
    if support::INSIDE.get() || layout.align() == 1 && matches!(layout.size(), 16 | 32) {
        return false;
    }
    match LEFT.get() {
        None => false,
        Some(0) => {
            if !LASTING.get() {
                LEFT.set(None);
            }
            FAILED.set(true);
            true
        }
        Some(left) => {
            LEFT.set(Some(left - 1));
            false
        }
    }
}

thread_local! {
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: every request that does not fail is the system allocator's, with its own layout.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails(layout) {
            return std::ptr::null_mut();
        }
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: it came from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails(layout) {
            return std::ptr::null_mut();
        }
        // SAFETY: passed on as it came.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// What the story has counted.
#[derive(Default)]
struct Story {
    lasting: bool,
    failures: usize,
}

impl Story {
    /// Makes a call with its first, second, ... allocation failing until none fails; returns the
    /// answer that came then.
    fn step<'r, R: Exchange<'r>>(
        &mut self,
        device: &mut Device,
        request: &R,
        media: &mut dyn Media,
    ) -> Vec<u8> {
        let command = R::COMMAND.code();
        let bytes = request.encode(MAX_REQUEST).unwrap();
        for k in 0.. {
            FAILED.set(false);
            LASTING.set(self.lasting);
            LEFT.set(Some(k));
            let response = device.core.call(device.client, command, &bytes, media);
            LEFT.set(None);
            let response = response.to_vec();
            if !FAILED.get() {
                assert!(
                    decode_response::<R::Answer<'_>>(&response).unwrap().is_ok(),
                    "{:?}: a refused call has changed something",
                    R::COMMAND
                );
                return response;
            }
            self.failures += 1;
            let answer = decode_response::<Empty>(&response);
            assert!(
                matches!(answer, Ok(Err(Status::OutOfMemory))),
                "{:?} without its allocation {k}: {answer:?}",
                R::COMMAND
            );
        }
        unreachable!("the loop has no end of its own")
    }
}

fn message(response: &[u8]) -> Vec<u8> {
    let answer = decode_response::<body::Message<'_>>(response).unwrap();
    answer.unwrap().bytes.0.to_vec()
}

fn story(lasting: bool) -> usize {
    let mut story = Story {
        lasting,
        ..Story::default()
    };
    let mut device = Device::with(1, |config, _| config.level = keybearer_rules::Level::None);
    let mut service = Service::new(1);
    let anchor = service.anchor();
    story.step(&mut device, &body::Describe {}, &mut NoMedia);

    let info = service.info();
    let begin = body::BeginProvisioning {
        anchor: anchor.0,
        service_info: Blob(&info),
        token_kind: body::TokenKind::Enrollment,
        token: Blob(b"a token of more than thirty-two bytes"),
        model: Text("Model X"),
    };
    let request = message(&story.step(&mut device, &begin, &mut NoMedia));
    let answer = service.certify(&request);
    let finish = body::FinishProvisioning {
        anchor: anchor.0,
        answer: Blob(&answer),
    };
    story.step(&mut device, &finish, &mut NoMedia);
    // From storage, as after a restart.
    device.restart();
    story.step(
        &mut device,
        &body::DeviceKey { anchor: anchor.0 },
        &mut NoMedia,
    );
    let list = service.revocation_list(1, &[keybearer_license::Serial([1; 16])]);
    let load_list = body::LoadRevocationList {
        anchor: anchor.0,
        list: Blob(&list),
    };
    story.step(&mut device, &load_list, &mut NoMedia);
    device.restart();

    let info = service.info();
    let open = body::OpenSession {
        anchor: anchor.0,
        service_info: Blob(&info),
        protected: false,
    };
    let opened = story.step(&mut device, &open, &mut NoMedia);
    let session = decode_response::<body::SessionOpened>(&opened)
        .unwrap()
        .unwrap()
        .session;
    let time = body::BuildTimeRequest {
        session,
        service_info: None,
    };
    let request = message(&story.step(&mut device, &time, &mut NoMedia));
    let answer = service.time(&request);
    let load_time = body::LoadTimeAnswer {
        session,
        answer: Blob(&answer),
    };
    story.step(&mut device, &load_time, &mut NoMedia);

    let init = body::InitData {
        system_id: [3; 16],
        data: Blob(&[7; 100]),
    };
    let info = service.info();
    let build = body::BuildRequest {
        session,
        kind: body::RequestKind::Acquire,
        key_ids: List(vec![[7; 16], [8; 16], [9; 16]]),
        init_data: List(vec![init]),
        stored: false,
        token: Some(Blob(b"an authorisation of more than thirty-two bytes")),
        capabilities: Blob(&[0xa0]),
        license: None,
        service_info: Some(Blob(&info)),
    };
    let request = message(&story.step(&mut device, &build, &mut NoMedia));
    let mut above = cenc_use();
    above.lowest_level = keybearer_rules::Level::High;
    above.source.profile = Some("premium".into());
    let mut granted = license(
        1,
        vec![key(7, cenc_use()), key(8, cenc_use()), key(9, above)],
    );
    granted.renewal = Some(keybearer_license::Renewal {
        url: Some("https://license.example/renew".into()),
        delay_seconds: 60,
        retry_seconds: 10,
        recovery_seconds: None,
        on_first_use: false,
        with_usage: true,
    });
    let answer = service.license(&request, granted);
    let load = body::LoadAnswer {
        session,
        answer: Blob(&answer),
    };
    story.step(&mut device, &load, &mut NoMedia);
    story.step(&mut device, &body::Statuses { session }, &mut NoMedia);
    let outputs = body::ReportOutputs {
        sequence: 1,
        outputs: List(Vec::new()),
    };
    story.step(&mut device, &outputs, &mut NoMedia);
    let (samples, subsamples) = records(&samples(&[16]));
    let decrypt = body::Decrypt {
        session,
        key_id: [7; 16],
        license: None,
        track_type: 3,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms: 1_000,
        width: None,
        height: None,
        samples: Blob(&samples),
        subsamples: Blob(&subsamples),
    };
    story.step(&mut device, &decrypt, &mut InPlace(&mut [0; 16]));
    let renew = body::BuildRequest {
        kind: body::RequestKind::Renew,
        key_ids: List(vec![[7; 16]]),
        init_data: List(Vec::new()),
        license: Some([1; 16]),
        ..build.clone()
    };
    let request = message(&story.step(&mut device, &renew, &mut NoMedia));
    let answer = service.deny(&request, keybearer_license::DenialReason::Overloaded);
    let denied = body::LoadAnswer {
        session,
        answer: Blob(&answer),
    };
    story.step(&mut device, &denied, &mut NoMedia);
    let remove = body::RemoveLicense {
        session,
        license: [1; 16],
    };
    story.step(&mut device, &remove, &mut NoMedia);
    story.step(&mut device, &body::CloseSession { session }, &mut NoMedia);

    let info = service.info();
    let protected = body::OpenSession {
        anchor: anchor.0,
        service_info: Blob(&info),
        protected: true,
    };
    let opened = story.step(&mut device, &protected, &mut NoMedia);
    let session = decode_response::<body::SessionOpened>(&opened)
        .unwrap()
        .unwrap()
        .session;
    let issue = body::IssueTicket {
        session,
        track_type: 3,
    };
    let issued = story.step(&mut device, &issue, &mut NoMedia);
    let ticket = decode_response::<body::Ticket>(&issued)
        .unwrap()
        .unwrap()
        .ticket;
    let (host, decoder) = (device.client, device.decoder());
    device.client = decoder;
    let redeem = body::RedeemTicket {
        ticket,
        debug: true,
    };
    let opened = story.step(&mut device, &redeem, &mut NoMedia);
    let channel = decode_response::<body::ChannelOpened>(&opened)
        .unwrap()
        .unwrap()
        .channel;
    let close = body::CloseChannel {
        channel,
        rejected: 0,
        decoded: 0,
    };
    story.step(&mut device, &close, &mut NoMedia);
    device.client = host;
    story.step(&mut device, &body::CloseSession { session }, &mut NoMedia);
    story.step(
        &mut device,
        &body::EraseIdentity { anchor: anchor.0 },
        &mut NoMedia,
    );
    story.failures
}

#[test]
fn a_call_that_misses_one_allocation_is_refused_and_changes_nothing() {
    assert!(story(false) > 200);
}

#[test]
fn a_call_without_any_memory_is_refused_and_changes_nothing() {
    assert!(story(true) > 200);
}

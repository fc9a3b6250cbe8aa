//! What the core takes from the heap: nothing in the sample path, and nothing that a closed
//! session keeps.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod support;

use support::{Device, Placed, Service, cenc_use, key, license, records, samples, unit};

use keybearer_core::{Caller, InPlace};
use keybearer_wire::body::{Decrypt, DecryptUnit, Decrypted, MAX_REJECTIONS};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, Command, decode_response};

#[test]
fn decryption_allocates_nothing() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.timing.license_seconds = support::seconds(1_000);
    device.acquire(session, &mut service, made).unwrap();
    let table = samples(&[200_000, 30, 70_000, 0, 5]);
    let (samples, subsamples) = records(&table);
    let request = Decrypt {
        session,
        key_id: [7; 16],
        license: None,
        track_type: 3,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms: 2_000,
        width: Some(1_920),
        height: Some(1_080),
        samples: Blob(&samples),
        subsamples: Blob(&subsamples),
    };
    let request = request.encode(MAX_REQUEST).unwrap();
    let mut data = vec![1; 270_035];
    for round in 0..20 {
        device.advance(1_000);
        let counted = allocation_counter::measure(|| {
            let mut media = InPlace(&mut data);
            let command = Command::Decrypt.code();
            let response = device
                .core
                .call(device.client, command, &request, &mut media);
            assert_eq!(response[..2], [0xa2, 0x00], "round {round}");
        });
        assert_eq!(counted.count_total, 0, "round {round}");
    }
    // A refusal takes nothing either.
    let counted = allocation_counter::measure(|| {
        let mut media = InPlace(&mut data[1..]);
        let command = Command::Decrypt.code();
        let response = device
            .core
            .call(device.client, command, &request, &mut media);
        assert_eq!(response[..2], [0xa1, 0x00]);
    });
    assert_eq!(counted.count_total, 0);
    let response = device.raw(Command::Decrypt.code(), &request, &mut InPlace(&mut data));
    let answer = decode_response::<Decrypted>(&response).unwrap().unwrap();
    assert_eq!(answer.bytes, 270_035);
}

/// Nor does the protected sample path, whatever the decoder reports with it.
#[test]
fn decryption_for_a_decoder_allocates_nothing() {
    let mut device = Device::with(1, |config, _| config.level = keybearer_rules::Level::None);
    let mut service = Service::new(1);
    device.provision(&mut service);
    let session = device.open_kind(&mut service, true).unwrap();
    let made = license(1, vec![key(7, cenc_use())]);
    device.acquire(session, &mut service, made).unwrap();
    let ticket = device.ticket(session, 3).unwrap();
    let decoder = device.decoder();
    let (channel, _) = device.redeem(decoder, ticket).unwrap();
    let (samples, subsamples) = records(&samples(&[70_000]));
    let mut data = vec![1; 70_000];
    for rejected in 0..12 {
        let request = DecryptUnit {
            rejected: rejected.min(1),
            ..unit(channel, &samples, &subsamples)
        };
        let request = request.encode(MAX_REQUEST).unwrap();
        let counted = allocation_counter::measure(|| {
            let command = Command::DecryptUnit.code();
            let mut media = Placed::at_a_decoder(InPlace(&mut data));
            let response = device.core.call(decoder, command, &request, &mut media);
            let refused = rejected >= MAX_REJECTIONS;
            assert_eq!(response[..2], [if refused { 0xa1 } else { 0xa2 }, 0x00]);
        });
        assert_eq!(counted.count_total, 0, "round {rejected}");
    }
}

/// One session from beginning to end, with everything a session can hold.
fn session(device: &mut Device, service: &mut Service, info: &[u8], at: u32) {
    let session = device.open_with(service.anchor(), info).unwrap();
    let request = device.request(session, &[[7; 16]]).unwrap();
    if at.is_multiple_of(10) {
        let answer = service.license(&request, license(1, vec![key(7, cenc_use())]));
        device.load(session, &answer).unwrap();
        device.statuses(session).unwrap();
        device.time_request(session).unwrap();
    }
    if at.is_multiple_of(2) {
        device.close(session).unwrap();
    } else {
        device.core.disconnect(device.client);
        device.client = device.core.connect(Caller::Host).unwrap();
    }
}

#[test]
fn a_thousand_sessions_leave_the_heap_as_it_was() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let info = service.info();
    // The first ones may settle what lives as long as the core.
    for at in 0..10 {
        session(&mut device, &mut service, &info, at);
    }
    device.forget_seen();
    let counted = allocation_counter::measure(|| {
        for at in 0..1_000 {
            session(&mut device, &mut service, &info, at);
        }
        device.forget_seen();
    });
    assert!(counted.count_total > 10_000);
    assert_eq!((counted.count_current, counted.bytes_current), (0, 0));
}

//! The call itself: what every command has in common.

use keybearer_core::{CounterKind, NoMedia, VERSION, response_limit};
use keybearer_license::Isolation;
use keybearer_rules::Level;
use keybearer_wire::body::{self, Describe};
use keybearer_wire::limits::{ABI_VERSION, MAX_REQUEST, MAX_RESPONSE};
use keybearer_wire::{Body, Command, Status, decode_response};

use super::scenes::{limited, ready, use_key};
use crate::support::{Device, FakeCounter, Placed, Service, forever, seconds};

fn refusal(response: &[u8]) -> Status {
    decode_response::<body::Empty>(response)
        .unwrap()
        .unwrap_err()
}

/// The commands that only a decoder may give.
fn is_a_decoders(command: Command) -> bool {
    matches!(
        command,
        Command::RedeemTicket | Command::DecryptUnit | Command::CloseChannel
    )
}

/// Who may give a command, the platform decides that says who calls; the request may be anything.
#[test]
fn each_kind_of_caller_has_its_own_commands() {
    let mut device = Device::new(1);
    let (host, decoder) = (device.client, device.decoder());
    for command in Command::ALL {
        for (caller, own) in [
            (host, !is_a_decoders(*command)),
            (decoder, is_a_decoders(*command)),
        ] {
            for request in [&[0xff][..], &[0xa0], &vec![0; MAX_REQUEST + 1]] {
                let response =
                    device.as_client(caller, |it| it.raw(command.code(), request, &mut NoMedia));
                // Whatever it is that answers, a refusal for the caller's kind comes first of all.
                let refused = decode_response::<body::Empty>(&response)
                    .is_ok_and(|answer| answer == Err(Status::NotPermitted));
                assert_eq!(refused, !own, "{command:?}");
            }
        }
    }
}

#[test]
fn unknown_commands_and_oversized_requests_are_refused() {
    let mut device = Device::new(1);
    for command in [0, 0x06, 0x26, u32::MAX] {
        let response = device.raw(command, &[0xa0], &mut NoMedia);
        assert_eq!(refusal(&response), Status::UnknownCommand);
    }
    let (host, decoder) = (device.client, device.decoder());
    for command in Command::ALL {
        let request = &vec![0; MAX_REQUEST + 1];
        let caller = if is_a_decoders(*command) {
            decoder
        } else {
            host
        };
        let response = device.as_client(caller, |it| it.raw(command.code(), request, &mut NoMedia));
        assert_eq!(refusal(&response), Status::RequestTooLarge, "{command:?}");
    }
}

/// A key that has ended goes with the first call that comes, be it one that is refused for its form or
/// for who makes it. That it is gone, and not only refused, shows where the clock goes back afterwards.
#[test]
fn a_call_refused_before_all_else_ends_keys_as_any_other_does() {
    let early = [
        (Command::Statuses.code(), 1, false, Status::Malformed),
        (0xffff, 1, false, Status::UnknownCommand),
        (Command::RedeemTicket.code(), 1, false, Status::NotPermitted),
        (
            Command::Statuses.code(),
            MAX_REQUEST + 1,
            false,
            Status::RequestTooLarge,
        ),
        (Command::Decrypt.code(), 1, true, Status::ProtectedInput),
    ];
    for (command, size, input, expected) in early {
        let (mut device, mut service, session) = ready(1);
        let made = limited(1, |timing| timing.license_seconds = seconds(100));
        device.acquire(session, &mut service, made).unwrap();
        assert_eq!(use_key(&mut device, session), Ok(16));
        device.advance(110_000);
        let mut media = Placed {
            media: NoMedia,
            input,
            output: false,
            response: false,
        };
        let response = device.raw(command, &vec![0xff; size], &mut media);
        assert_eq!(refusal(&response), expected);
        device.world.get().millis -= 110_000;
        let used = use_key(&mut device, session);
        assert_eq!(used, Err(Status::KeyNotUsable), "{expected:?}");
    }
}

/// So it is where the platform tells of a call that it has refused itself.
#[test]
fn a_call_that_never_came_ends_keys_too() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |timing| timing.license_seconds = seconds(100));
    device.acquire(session, &mut service, made).unwrap();
    device.core.pass_time();
    assert_eq!(use_key(&mut device, session), Ok(16));
    device.advance(110_000);
    device.core.pass_time();
    device.world.get().millis -= 110_000;
    let used = use_key(&mut device, session);
    assert_eq!(used, Err(Status::KeyNotUsable));
}

#[test]
fn requests_that_are_not_strictly_encoded_are_refused() {
    let mut device = Device::new(1);
    let (host, decoder) = (device.client, device.decoder());
    for command in Command::ALL {
        let caller = if is_a_decoders(*command) {
            decoder
        } else {
            host
        };
        // Nothing, no map, an indefinite map, an unknown key, a byte too many.
        let cases: [&[u8]; 5] = [
            &[],
            &[0x00],
            &[0xbf, 0xff],
            &[0xa1, 0x18, 0x63, 0x00],
            &[0xa0, 0x00],
        ];
        for case in cases {
            let response =
                device.as_client(caller, |it| it.raw(command.code(), case, &mut NoMedia));
            assert_eq!(
                refusal(&response),
                Status::Malformed,
                "{command:?} {case:x?}"
            );
        }
    }
}

#[test]
fn short_answers_have_short_limits() {
    assert!(response_limit(Command::Decrypt.code()) <= 64);
    assert!(response_limit(u32::MAX) <= 64);
    assert_eq!(response_limit(Command::BuildRequest.code()), MAX_RESPONSE);
}

#[test]
fn a_core_can_move_between_threads() {
    fn sendable<T: Send>(_: &T) {}
    sendable(&Device::new(1).core);
}

#[test]
fn the_description_says_what_runs() {
    let mut device = Device::new(1);
    let software = device
        .call(&Describe {}, &mut NoMedia, |d| {
            assert_eq!(d.version.0, env!("CARGO_PKG_VERSION"));
            assert_eq!(d.version.0, VERSION.to_string());
            assert_eq!((d.abi, d.max_media), (ABI_VERSION, 8 << 20));
            (
                d.level,
                d.isolation,
                d.debug,
                d.counter,
                d.clock,
                d.application_anchors,
            )
        })
        .unwrap();
    assert_eq!(
        software,
        (1, body::Isolation::InProcess, true, None, true, true)
    );

    let anchor = Service::new(1).anchor();
    let mut trusted = Device::with(2, |config, parts| {
        config.level = Level::Medium;
        config.isolation = Isolation::Tee;
        config.debug = false;
        config.anchors = keybearer_core::Anchors::Fixed(forever(vec![anchor]));
        parts.clock = None;
        let shared = parts.vault.0.clone();
        parts.counter = Some(FakeCounter {
            shared,
            kind: CounterKind::Hardware,
        });
    });
    let tee = trusted
        .call(&Describe {}, &mut NoMedia, |d| {
            (
                d.level,
                d.isolation,
                d.debug,
                d.counter,
                d.clock,
                d.application_anchors,
            )
        })
        .unwrap();
    assert_eq!(tee, (2, body::Isolation::Tee, false, Some(2), false, false));
}

#[test]
fn a_worker_says_so() {
    let mut device = Device::with(1, |config, parts| {
        config.isolation = Isolation::Worker;
        let shared = parts.vault.0.clone();
        parts.counter = Some(FakeCounter {
            shared,
            kind: CounterKind::Software,
        });
    });
    let said = device
        .call(&Describe {}, &mut NoMedia, |d| (d.isolation, d.counter))
        .unwrap();
    assert_eq!(said, (body::Isolation::Worker, Some(1)));
}

#[test]
fn a_failing_clock_refuses_what_needs_the_time_and_nothing_else() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    device.world.get().clock_fails = true;
    assert_eq!(device.open(&mut service), Err(Status::Platform));
    assert_eq!(device.request(session, &[[7; 16]]), Err(Status::Platform));
    assert_eq!(device.load(session, &[0xa0]), Err(Status::Platform));
    assert_eq!(device.statuses(session), Err(Status::Platform));
    assert_eq!(device.time_request(session), Err(Status::Platform));
    assert_eq!(device.load_time(session, &[0xa0]), Err(Status::Platform));
    assert_eq!(
        device.decrypt(session, [7; 16], &[], &mut []),
        Err(Status::Platform)
    );
    assert_eq!(
        device.begin(service.anchor(), &service.info()),
        Err(Status::Platform)
    );
    assert_eq!(device.finish(service.anchor(), &[]), Err(Status::Platform));
    assert_eq!(
        device.load_list(service.anchor(), &[]),
        Err(Status::Platform)
    );
    assert_eq!(device.remove(session, [9; 16]), Err(Status::UnknownLicense));
    assert_eq!(device.close(session), Ok(()));
    device.world.get().clock_fails = false;
    assert!(device.open(&mut service).is_ok());
}

/// The fixed refusals decode, and to what was meant.
#[test]
fn refusals_are_what_the_codec_would_write() {
    let mut device = Device::new(1);
    let response = device.raw(0xffff, &[], &mut NoMedia);
    let written = keybearer_wire::encode_status(Status::UnknownCommand).unwrap();
    assert_eq!(response, written);
    assert!(Describe {}.encode(MAX_REQUEST).is_ok());
}

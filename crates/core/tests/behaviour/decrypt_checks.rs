//! What is checked before the first byte of media.

use core::num::NonZeroU32;

use keybearer_core::{Anchors, Buffers, InPlace};
use keybearer_license::{self as license_room, IvKind, TrackType};
use keybearer_rules::{Level, PictureLimit};
use keybearer_wire::Status;
use keybearer_wire::body::Decrypt;
use keybearer_wire::field::Blob;

use super::decrypt::{KEY, with_key};
use super::scenes::ready;
use crate::support::{Device, Sample, Service, cenc_use, forever, key, license, samples};

/// Refuses a call and shows that neither a byte was written nor the key marked as used.
fn refused(
    device: &mut Device,
    session: u64,
    table: &[Sample],
    len: usize,
    status: Status,
    edit: impl FnOnce(&mut Decrypt<'_>),
) {
    let input = vec![0xaa; len];
    let mut output = vec![0x55; len];
    let mut media = Buffers {
        input: &input,
        output: &mut output,
    };
    let outcome = device.decrypt_with(session, KEY, table, &mut media, edit);
    assert_eq!(outcome, Err(status));
    assert!(output.iter().all(|byte| *byte == 0x55), "{status:?} wrote");
}

#[test]
fn a_key_serves_only_the_use_it_was_licensed_for() {
    let mut usage = cenc_use();
    usage.max_pixels = NonZeroU32::new(1_280 * 720);
    let (mut device, session) = with_key(usage);
    let table = samples(&[32]);
    let mut check = |status, edit: fn(&mut Decrypt<'_>)| {
        refused(&mut device, session, &table, 32, status, edit);
    };
    check(Status::WrongTrackType, |c| {
        c.track_type = TrackType::Sd.code()
    });
    check(Status::WrongTrackType, |c| c.track_type = 0xff);
    for scheme in [0, 2, 3, 4, 5] {
        let edit: fn(&mut Decrypt<'_>) = match scheme {
            0 => |c| c.scheme = 0,
            2 => |c| c.scheme = 2,
            3 => |c| c.scheme = 3,
            4 => |c| c.scheme = 4,
            _ => |c| c.scheme = 5,
        };
        check(Status::WrongScheme, edit);
    }
    check(Status::WrongIv, |c| c.iv_size = 16);
    check(Status::WrongIv, |c| c.iv_size = 0);
    check(Status::WrongIv, |c| c.iv_size = 7);
    check(Status::WrongIv, |c| c.constant_iv = Some(Blob(&[0; 8])));
    check(Status::WrongIv, |c| {
        c.iv_size = 0;
        c.constant_iv = Some(Blob(&[0; 8]));
    });
    check(Status::WrongPattern, |c| c.crypt_blocks = 1);
    check(Status::WrongPattern, |c| c.skip_blocks = 9);
    check(Status::WrongPattern, |c| c.crypt_blocks = 16);
    check(Status::PictureTooLarge, |c| {
        (c.width, c.height) = (Some(1_281), Some(720))
    });
    check(Status::PictureTooLarge, |c| {
        (c.width, c.height) = (Some(u32::MAX), Some(u32::MAX))
    });
    check(Status::PictureTooLarge, |c| c.width = Some(1_280 * 720 + 1));
    check(Status::DurationTooLong, |c| c.duration_ms = 2_001);
    check(Status::UnknownLicense, |c| c.license = Some([2; 16]));
    check(Status::UnknownKey, |c| c.key_id = [8; 16]);
    for (width, height) in [(None, None), (Some(1_280), Some(720)), (Some(1_920), None)] {
        let outcome = device.decrypt_with(session, KEY, &table, &mut InPlace(&mut [0; 32]), |c| {
            (c.width, c.height, c.duration_ms, c.license) = (width, height, 2_000, Some([1; 16]));
        });
        assert_eq!(outcome, Ok(32));
    }
}

#[test]
fn a_pattern_is_the_licensed_one_or_any() {
    let mut usage = cenc_use();
    usage.scheme = license_room::Scheme::Cbcs;
    usage.iv = IvKind::Constant16;
    usage.pattern = Some(license_room::Pattern { crypt: 1, skip: 9 });
    let mut any = usage.clone();
    any.pattern = None;
    for (usage, others) in [(usage, Err(Status::WrongPattern)), (any, Ok(32))] {
        let (mut device, session) = with_key(usage);
        for (pattern, outcome) in [((1, 9), Ok(32)), ((5, 5), others), ((0, 0), others)] {
            let found = device.decrypt_with(
                session,
                KEY,
                &samples(&[32]),
                &mut InPlace(&mut [0; 32]),
                |c| {
                    (c.scheme, c.iv_size, c.constant_iv) = (4, 0, Some(Blob(&[9; 16])));
                    (c.crypt_blocks, c.skip_blocks) = pattern;
                },
            );
            assert_eq!(found, outcome, "{pattern:?}");
        }
        // Encrypts nothing, whatever the licence allows.
        let refused = device.decrypt_with(
            session,
            KEY,
            &samples(&[32]),
            &mut InPlace(&mut [0; 32]),
            |c| {
                (c.scheme, c.iv_size, c.constant_iv) = (4, 0, Some(Blob(&[9; 16])));
                c.skip_blocks = 9;
            },
        );
        assert_eq!(refused, Err(Status::WrongPattern));
    }
}

#[test]
fn a_constant_vector_has_the_licensed_size() {
    for (iv, right, wrong) in [(IvKind::Constant8, 8, 16), (IvKind::Constant16, 16, 8)] {
        let mut usage = cenc_use();
        usage.scheme = license_room::Scheme::Cbcs;
        usage.iv = iv;
        let (mut device, session) = with_key(usage);
        const VECTOR: &[u8] = &[9; 16];
        let mut with = |size: usize, iv_size: u8, constant: bool| {
            device.decrypt_with(
                session,
                KEY,
                &samples(&[32]),
                &mut InPlace(&mut [0; 32]),
                |c| {
                    (c.scheme, c.iv_size) = (4, iv_size);
                    c.constant_iv = constant.then_some(Blob(&VECTOR[..size]));
                },
            )
        };
        assert_eq!(with(right, 0, true), Ok(32));
        assert_eq!(with(wrong, 0, true), Err(Status::WrongIv));
        assert_eq!(with(0, 0, true), Err(Status::WrongIv));
        assert_eq!(with(right, 0, false), Err(Status::WrongIv));
        assert_eq!(with(right, 8, true), Err(Status::WrongIv));
    }
}

#[test]
fn the_devices_own_picture_limit_counts_too() {
    let mut usage = cenc_use();
    let limit = NonZeroU32::new(100).unwrap();
    usage.policy.max_res_device = PictureLimit::Pixels(limit);
    let too_large = |status, usage: keybearer_license::KeyUse| {
        let (mut device, session) = with_key(usage);
        refused(&mut device, session, &samples(&[16]), 16, status, |c| {
            (c.width, c.height) = (Some(101), Some(1));
        });
    };
    // A track that may hold larger pictures is refused whatever the host says of them.
    too_large(Status::KeyNotUsable, usage.clone());
    usage.max_pixels = Some(limit);
    too_large(Status::PictureTooLarge, usage);
}

#[test]
fn tables_that_contradict_themselves_or_the_media_are_refused() {
    let mut usage = cenc_use();
    usage.max_clear_bytes = Some(100);
    let (mut device, session) = with_key(usage);
    let sample = |size, subsamples: &[(u32, u32)]| {
        vec![Sample {
            iv: [0; 16],
            size,
            subsamples: subsamples.to_vec(),
        }]
    };
    let cases = [
        (sample(32, &[(0, 31)]), Status::BadSampleTable),
        (sample(32, &[(0, 33)]), Status::BadSampleTable),
        (
            sample(32, &[(u32::MAX, u32::MAX)]),
            Status::ClearRangeTooLarge,
        ),
        (
            sample(32, &[(0, u32::MAX), (0, 33)]),
            Status::BadSampleTable,
        ),
        (sample(200, &[(101, 99)]), Status::ClearRangeTooLarge),
        (
            sample(200, &[(50, 9), (51, 90)]),
            Status::ClearRangeTooLarge,
        ),
        (Vec::new(), Status::BadSampleTable),
    ];
    for (table, status) in cases {
        let len = table
            .first()
            .map_or(0, |sample| sample.size.try_into().unwrap());
        refused(&mut device, session, &table, len, status, |_| ());
    }
    // At the bound.
    let table = sample(200, &[(50, 10), (50, 90)]);
    assert_eq!(device.decrypt(session, KEY, &table, &mut [0; 200]), Ok(200));
    // Records that are not whole, counts that do not add up, and more than the limits.
    let table = sample(32, &[(0, 32)]);
    refused(
        &mut device,
        session,
        &table,
        32,
        Status::BadSampleTable,
        |c| {
            c.samples = Blob(&c.samples.0[..23]);
        },
    );
    refused(
        &mut device,
        session,
        &table,
        32,
        Status::BadSampleTable,
        |c| {
            c.subsamples = Blob(&c.subsamples.0[..7]);
        },
    );
    refused(
        &mut device,
        session,
        &table,
        32,
        Status::BadSampleTable,
        |c| c.subsamples = Blob(&[]),
    );
    // The second sample is as bad as the first.
    let mut two = samples(&[16]);
    two.extend(sample(16, &[(0, 15)]));
    refused(
        &mut device,
        session,
        &two,
        32,
        Status::BadSampleTable,
        |_| (),
    );
}

#[test]
fn media_must_fit_the_table() {
    let (mut device, session) = with_key(cenc_use());
    let table = samples(&[32]);
    for (input, output) in [(31, 32), (33, 33), (32, 31), (0, 32), (32, 0)] {
        let (input, mut output) = (vec![0; input], vec![0x55; output]);
        let mut media = Buffers {
            input: &input,
            output: &mut output,
        };
        let refused = device.decrypt_with(session, KEY, &table, &mut media, |_| ());
        assert_eq!(refused, Err(Status::MediaMismatch));
        assert!(output.iter().all(|byte| *byte == 0x55));
    }
    let (mut small, mut service) = (
        Device::with(3, |config, _| config.max_media = 64),
        ready(3).1,
    );
    small.provision(&mut service);
    let session = small.open(&mut service).unwrap();
    small
        .acquire(session, &mut service, license(1, vec![key(7, cenc_use())]))
        .unwrap();
    assert_eq!(
        small.decrypt(session, KEY, &samples(&[64]), &mut [0; 64]),
        Ok(64)
    );
    let refused = small.decrypt(session, KEY, &samples(&[65]), &mut [0; 65]);
    assert_eq!(refused, Err(Status::MediaTooLarge));
}

#[test]
fn no_call_gives_the_host_clear_media_of_a_protected_session() {
    let mut service = Service::new(1);
    let anchor = service.anchor();
    for (protected, outcome) in [(false, Ok(16)), (true, Err(Status::UnprotectedOutput))] {
        let mut device = Device::with(1, |config, _| {
            config.level = Level::High;
            config.anchors = Anchors::Fixed(forever(vec![anchor]));
        });
        device.provision(&mut service);
        let session = device.open_kind(&mut service, protected).unwrap();
        let made = license(1, vec![key(7, cenc_use())]);
        device.acquire(session, &mut service, made).unwrap();
        let mut data = [0x55; 16];
        assert_eq!(
            device.decrypt(session, KEY, &samples(&[16]), &mut data),
            outcome
        );
        assert_eq!(data == [0x55; 16], outcome.is_err());
    }
}

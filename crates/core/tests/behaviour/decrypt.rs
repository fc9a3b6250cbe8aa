//! Decryption: what is checked before the first byte, and that the bytes are right.

use core::num::NonZeroU32;

use keybearer_cenc::{ContentKey, Pattern, SampleProtection, Scheme, Subsample};
use keybearer_core::{Buffers, InPlace, Media, MediaError};
use keybearer_license::{self as license_room, IvKind, KeyUse, TrackType};
use keybearer_rules::PictureLimit;
use keybearer_wire::Status;
use keybearer_wire::body::Decrypt;
use keybearer_wire::field::Blob;
use proptest::prelude::*;

use super::licenses::ready;
use crate::support::{Device, Sample, cenc_use, key, license, samples, secret};

/// A session with key 7 for the given use.
fn with_key(usage: KeyUse) -> (Device, u64) {
    let (mut device, mut service, session) = ready(1);
    device
        .acquire(session, &mut service, license(1, vec![key(7, usage)]))
        .unwrap();
    (device, session)
}

const KEY: [u8; 16] = [7; 16];

/// Decrypts what was encrypted with the key itself: a counter mode is its own inverse.
#[test]
fn samples_come_out_clear() {
    let (mut device, session) = with_key(cenc_use());
    let clear: Vec<u8> = (0..1_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let mut data = clear.clone();
    let cipher = ContentKey::new(&secret(7));
    let table = [
        Sample {
            iv: [1; 16],
            size: 300,
            subsamples: vec![(20, 100), (0, 80), (100, 0)],
        },
        Sample {
            iv: [2; 16],
            size: 700,
            subsamples: vec![],
        },
    ];
    let entries =
        [(20, 100), (0, 80), (100, 0)].map(|(clear, protected)| Subsample { clear, protected });
    let mut protection = SampleProtection {
        scheme: Scheme::Cenc,
        pattern: Pattern::default(),
        iv: &[1; 8],
        subsamples: Some(&entries),
    };
    cipher
        .decrypt_sample(&protection, &mut data[..300])
        .unwrap();
    protection.iv = &[2; 8];
    protection.subsamples = None;
    cipher
        .decrypt_sample(&protection, &mut data[300..])
        .unwrap();
    assert_ne!(data, clear);
    let mut output = vec![0; 1_010];
    let mut media = Buffers {
        input: &data,
        output: &mut output,
    };
    assert_eq!(
        device.decrypt_with(session, KEY, &table, &mut media, |_| ()),
        Ok(1_000)
    );
    assert_eq!(output[..1_000], clear);
    assert_eq!(output[1_000..], [0; 10]);
    assert_eq!(device.decrypt(session, KEY, &table, &mut data), Ok(1_000));
    assert_eq!(data, clear);
}

/// One kind of protection: what the licence and the call say of it.
#[derive(Clone, Debug)]
struct Kind {
    scheme: Scheme,
    pattern: Pattern,
    iv: IvKind,
}

impl Kind {
    fn usage(&self) -> KeyUse {
        KeyUse {
            scheme: match self.scheme {
                Scheme::Cenc => license_room::Scheme::Cenc,
                Scheme::Cens => license_room::Scheme::Cens,
                Scheme::Cbc1 => license_room::Scheme::Cbc1,
                Scheme::Cbcs => license_room::Scheme::Cbcs,
            },
            iv: self.iv,
            pattern: Some(license_room::Pattern {
                crypt: self.pattern.crypt,
                skip: self.pattern.skip,
            }),
            ..cenc_use()
        }
    }

    fn state(&self, call: &mut Decrypt<'_>, constant: &'static [u8; 16]) {
        (call.scheme, call.iv_size, call.constant_iv) = match self.iv {
            IvKind::PerSample8 => (self.scheme as u8, 8, None),
            IvKind::PerSample16 => (self.scheme as u8, 16, None),
            IvKind::Constant8 => (self.scheme as u8, 0, Some(Blob(&constant[..8]))),
            IvKind::Constant16 => (self.scheme as u8, 0, Some(Blob(constant))),
        };
        (call.crypt_blocks, call.skip_blocks) = (self.pattern.crypt, self.pattern.skip);
    }

    fn iv<'a>(&self, own: &'a [u8; 16], constant: &'a [u8; 16]) -> &'a [u8] {
        match self.iv {
            IvKind::PerSample8 => &own[..8],
            IvKind::PerSample16 => own,
            IvKind::Constant8 => &constant[..8],
            IvKind::Constant16 => constant,
        }
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    let iv = prop::sample::select(vec![
        IvKind::PerSample8,
        IvKind::PerSample16,
        IvKind::Constant8,
        IvKind::Constant16,
    ]);
    let scheme = prop::sample::select(vec![Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs]);
    let counts = prop::sample::select(vec![(0, 0), (1, 9), (5, 5), (10, 0), (15, 15)]);
    (scheme, iv, counts).prop_map(|(scheme, iv, (crypt, skip))| {
        let patterned = matches!(scheme, Scheme::Cens | Scheme::Cbcs);
        let pattern = if patterned {
            Pattern { crypt, skip }
        } else {
            Pattern::default()
        };
        Kind {
            scheme,
            pattern,
            iv,
        }
    })
}

/// Tables whose samples reach across the pieces that the core works in.
fn table() -> impl Strategy<Value = Vec<Sample>> {
    let range = prop_oneof![4 => 0..40_u32, 2 => 0..600_u32, 1 => 4_090..4_200_u32];
    let subsamples = prop::collection::vec((0..200_u32, range.prop_map(|b| b * 16)), 0..6);
    let whole = prop_oneof![0..200_u32, 65_500..65_600_u32, 131_000..131_200_u32];
    prop::collection::vec(
        (any::<[u8; 16]>(), subsamples, whole).prop_map(|(iv, subsamples, whole)| {
            let sum: u32 = subsamples
                .iter()
                .map(|(clear, protected)| clear + protected)
                .sum();
            let size = if subsamples.is_empty() { whole } else { sum };
            Sample {
                iv,
                size,
                subsamples,
            }
        }),
        1..5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The streaming path gives what whole-sample decryption gives, in every scheme, in place and
    /// from buffer to buffer.
    #[test]
    fn streaming_equals_whole_samples(kind in kind(), table in table(), constant in any::<[u8; 16]>()) {
        let (mut device, session) = with_key(kind.usage());
        let constant: &'static [u8; 16] = Box::leak(Box::new(constant));
        let total: u32 = table.iter().map(|sample| sample.size).sum();
        let input: Vec<u8> = (0..total).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 16).to_le_bytes()[0]).collect();
        let mut expected = input.clone();
        let mut rest = &mut expected[..];
        for sample in &table {
            let (own, after) = rest.split_at_mut(sample.size.try_into().unwrap());
            rest = after;
            let entries: Vec<_> = sample.subsamples.iter()
                .map(|(clear, protected)| Subsample { clear: *clear, protected: *protected })
                .collect();
            ContentKey::new(&secret(7)).decrypt_sample(
                &SampleProtection {
                    scheme: kind.scheme,
                    pattern: kind.pattern,
                    iv: kind.iv(&sample.iv, constant),
                    subsamples: (!entries.is_empty()).then_some(&entries),
                },
                own,
            ).unwrap();
        }
        let mut in_place = input.clone();
        let mut media = InPlace(&mut in_place);
        let bytes = device.decrypt_with(session, KEY, &table, &mut media, |call| kind.state(call, constant));
        prop_assert_eq!(bytes, Ok(total.into()));
        prop_assert!(in_place == expected);
        let mut output = vec![0; input.len() + 3];
        let mut media = Buffers { input: &input, output: &mut output };
        device.decrypt_with(session, KEY, &table, &mut media, |call| kind.state(call, constant)).unwrap();
        prop_assert!(output[..input.len()] == expected);
    }
}

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
        let mut with = |size: usize, iv_size: u8, constant: bool| {
            let vector = [9; 16];
            device.decrypt_with(
                session,
                KEY,
                &samples(&[32]),
                &mut InPlace(&mut [0; 32]),
                |c| {
                    (c.scheme, c.iv_size) = (4, iv_size);
                    c.constant_iv = constant.then_some(Blob(vector[..size].to_vec().leak()));
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
    usage.policy.max_res_device = PictureLimit::Pixels(NonZeroU32::new(100).unwrap());
    let (mut device, session) = with_key(usage);
    refused(
        &mut device,
        session,
        &samples(&[16]),
        16,
        Status::PictureTooLarge,
        |c| {
            (c.width, c.height) = (Some(101), Some(1));
        },
    );
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
fn the_newest_usable_licence_is_used_or_the_one_named() {
    let (mut device, mut service, session) = ready(1);
    let fine = || license(1, vec![key(7, cenc_use())]);
    device.acquire(session, &mut service, fine()).unwrap();
    let mut other_track = cenc_use();
    other_track.track = TrackType::Sd;
    let newer = license(2, vec![key(7, other_track)]);
    device.acquire(session, &mut service, newer).unwrap();
    let data = &mut [0; 16];
    let mut with = |device: &mut Device, license: Option<[u8; 16]>| {
        let table = samples(&[16]);
        device.decrypt_with(session, KEY, &table, &mut InPlace(data), |c| {
            c.license = license
        })
    };
    assert_eq!(with(&mut device, None), Err(Status::WrongTrackType));
    assert_eq!(with(&mut device, Some([1; 16])), Ok(16));
    // The newest one that is not usable is passed over.
    let mut ended = license(2, vec![key(7, cenc_use())]);
    ended.sequence = 2;
    ended.timing.license_seconds = crate::support::seconds(5);
    device.acquire(session, &mut service, ended).unwrap();
    device.advance(5_000);
    assert_eq!(with(&mut device, Some([2; 16])), Err(Status::KeyNotUsable));
    assert_eq!(with(&mut device, None), Ok(16));
}

/// Media that dies after some bytes, and counts what is done to it.
struct Fragile {
    input: Vec<u8>,
    output: Vec<Option<u8>>,
    reads: Vec<u8>,
    left: usize,
}

impl Fragile {
    fn new(input: Vec<u8>, left: usize) -> Self {
        let len = input.len();
        Self {
            input,
            output: vec![None; len],
            reads: vec![0; len],
            left,
        }
    }

    fn spend(&mut self) -> Result<(), MediaError> {
        self.left = self.left.checked_sub(1).ok_or(MediaError)?;
        Ok(())
    }
}

impl Media for Fragile {
    fn input_len(&self) -> usize {
        self.input.len()
    }
    fn output_len(&self) -> usize {
        self.output.len()
    }
    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        self.spend()?;
        into.copy_from_slice(&self.input[offset..offset + into.len()]);
        for reads in &mut self.reads[offset..offset + into.len()] {
            *reads += 1;
        }
        Ok(())
    }
    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        self.spend()?;
        for (to, from) in self.output[offset..offset + from.len()]
            .iter_mut()
            .zip(from)
        {
            assert_eq!(to.replace(*from), None, "written twice");
        }
        Ok(())
    }
}

#[test]
fn media_is_read_once_and_written_once_and_what_is_written_is_right() {
    let (mut device, session) = with_key(cenc_use());
    let table = vec![
        Sample {
            iv: [3; 16],
            size: 70_100,
            subsamples: vec![(100, 70_000)],
        },
        Sample {
            iv: [4; 16],
            size: 66_000,
            subsamples: vec![],
        },
    ];
    let input: Vec<u8> = (0..136_100_u32)
        .map(|at| (at * 7).to_le_bytes()[0])
        .collect();
    let mut expected = input.clone();
    device.decrypt(session, KEY, &table, &mut expected).unwrap();
    // Each piece is a read and a write.
    for left in 0..10 {
        let mut media = Fragile::new(input.clone(), left);
        let outcome = device.decrypt_with(session, KEY, &table, &mut media, |_| ());
        assert_eq!(outcome, Err(Status::Platform), "{left}");
        for (written, right) in media.output.iter().zip(&expected) {
            assert!(written.is_none_or(|byte| byte == *right));
        }
        assert!(media.reads.iter().all(|reads| *reads <= 1));
    }
    let mut media = Fragile::new(input, 10);
    device
        .decrypt_with(session, KEY, &table, &mut media, |_| ())
        .unwrap();
    assert!(media.reads.iter().all(|reads| *reads == 1));
    assert!(
        media
            .output
            .iter()
            .zip(&expected)
            .all(|(found, right)| *found == Some(*right))
    );
}

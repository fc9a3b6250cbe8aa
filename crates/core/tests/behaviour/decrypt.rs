//! Decryption: the bytes are right, each read and written once.

use keybearer_cenc::{ContentKey, Pattern, SampleProtection, Scheme, Subsample};
use keybearer_core::{Buffers, InPlace, Media, MediaError};
use keybearer_license::{self as license_room, IvKind, KeyUse, TrackType};
use keybearer_wire::Status;
use keybearer_wire::body::Decrypt;
use keybearer_wire::field::Blob;
use proptest::prelude::*;

use super::scenes::ready;
use crate::support::{Device, Sample, cenc_use, forever, key, license, samples, secret};

/// A session with key 7 for the given use.
pub(crate) fn with_key(usage: KeyUse) -> (Device, u64) {
    let (mut device, mut service, session) = ready(1);
    device
        .acquire(session, &mut service, license(1, vec![key(7, usage)]))
        .unwrap();
    (device, session)
}

pub(crate) const KEY: [u8; 16] = [7; 16];

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
        let constant = &forever(vec![constant])[0];
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

//! Files with what breaks decryptors and no packager at hand writes: each one named after it.

use std::fs;
use std::path::Path;

use keybearer_license::{IvKind, Scheme, TrackType};
use keybearer_tests::samples;

use crate::encrypt::{Subsample, encrypt};
use crate::files::{Key, ProtectedFile};
use crate::isobmff::{Movie, Parameters, Sample};

/// A file and its clear counterpart.
pub struct Crafted {
    /// What is special about it.
    pub name: String,
    /// The protected file.
    pub protected: Vec<u8>,
    /// The same without protection.
    pub clear: Vec<u8>,
    /// How it is protected.
    pub scheme: Scheme,
    /// Its initialisation vectors.
    pub iv: IvKind,
    /// Its keys. TEST KEYS.
    pub keys: Vec<Key>,
}

/// A key without a meaning but to have bytes of value 0 where C strings would end.
pub const NUL_KEY: Key = Key {
    id: *b"\0nul\0key\0id\0\0\0\0\0",
    key: *b"\0a\0key\0with\0NULs",
    track: TrackType::Sd,
};

/// The key of the second period where there are two.
pub const SECOND_KEY: Key = Key {
    id: *b"the second keyid",
    key: *b"the second key's",
    track: TrackType::Sd,
};

/// A sample before protection.
struct Plain {
    iv: Vec<u8>,
    /// Clear and protected bytes; empty: protected as a whole.
    subsamples: Vec<Subsample>,
    size: usize,
    group: u32,
}

impl Plain {
    fn whole(iv: &[u8], size: usize) -> Self {
        Self {
            iv: iv.to_vec(),
            subsamples: Vec::new(),
            size,
            group: 0,
        }
    }

    fn divided(iv: &[u8], subsamples: Vec<Subsample>) -> Self {
        let sizes = subsamples.iter().map(|(clear, protected)| {
            usize::from(*clear) + usize::try_from(*protected).expect("64 bits")
        });
        Self {
            iv: iv.to_vec(),
            size: sizes.sum(),
            subsamples,
            group: 0,
        }
    }

    const fn in_group(mut self, group: u32) -> Self {
        self.group = group;
        self
    }
}

impl Crafted {
    /// Writes both files and names them.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn store(&self, folder: &Path) -> ProtectedFile {
        let file = |kind: &str, bytes: &[u8]| {
            let path = folder.join(format!("{}-{kind}.mp4", self.name));
            fs::write(&path, bytes).expect("a file can be written");
            path
        };
        ProtectedFile {
            name: self.name.clone(),
            maker: "crafted",
            path: file("protected", &self.protected),
            clear: file("clear", &self.clear),
            scheme: self.scheme,
            iv: self.iv,
            keys: self.keys.clone(),
        }
    }

    fn new(
        name: impl Into<String>,
        scheme: Scheme,
        pattern: (u8, u8),
        constant_iv: &[u8],
        samples: Vec<Plain>,
    ) -> Self {
        Self::grouped(name, scheme, pattern, constant_iv, samples, &[])
    }

    /// `groups`: key of each group of the fragment, `None` for a clear one.
    fn grouped(
        name: impl Into<String>,
        scheme: Scheme,
        pattern: (u8, u8),
        constant_iv: &[u8],
        samples: Vec<Plain>,
        groups: &[Option<Key>],
    ) -> Self {
        let iv_size = match constant_iv {
            [] => samples[0].iv.len(),
            _ => 0,
        };
        let parameters = |key: Option<&Key>| Parameters {
            protected: key.is_some(),
            iv_size: key.map_or(0, |_| u8::try_from(iv_size).expect("an IV")),
            kid: key.map_or([0; 16], |key| key.id),
            constant_iv: constant_iv.to_vec(),
            pattern,
        };
        let key_of = |sample: &Plain| match sample.group.checked_sub(0x1_0001) {
            None => Some(NUL_KEY),
            Some(index) => groups[usize::try_from(index).expect("few groups")],
        };
        let data: Vec<Vec<u8>> = (0..).zip(&samples).map(|(n, s)| nal(s.size, n)).collect();
        let encrypted = samples.iter().zip(&data).map(|(sample, clear)| {
            let mut data = clear.clone();
            let subsamples = (!sample.subsamples.is_empty()).then_some(&sample.subsamples[..]);
            let iv = match constant_iv {
                [] => &sample.iv,
                constant => constant,
            };
            if let Some(key) = key_of(sample) {
                encrypt(scheme, pattern, &key.key, iv, subsamples, &mut data);
            }
            Sample {
                data,
                iv: match constant_iv {
                    [] => sample.iv.clone(),
                    _ => Vec::new(),
                },
                subsamples: subsamples.map(<[_]>::to_vec),
                group: sample.group,
            }
        });
        let movie = Movie {
            scheme: four_character_code(scheme),
            track: parameters(Some(&NUL_KEY)),
            groups: groups.iter().map(|key| parameters(key.as_ref())).collect(),
            samples: encrypted.collect(),
        };
        let entry = clear_entry();
        Self {
            name: name.into(),
            protected: movie.protected(&entry),
            clear: movie.clear(&entry, data),
            scheme,
            iv: match (constant_iv.len(), iv_size) {
                (8, _) => IvKind::Constant8,
                (16, _) => IvKind::Constant16,
                (_, 8) => IvKind::PerSample8,
                _ => IvKind::PerSample16,
            },
            keys: [NUL_KEY]
                .into_iter()
                .chain(groups.iter().copied().flatten())
                .collect(),
        }
    }
}

const IV16: [u8; 16] = *b"sixteen byte IV!";
const IV8: [u8; 8] = *b"8-bytes!";

/// Ranges that end within blocks, beside empty ones.
#[must_use]
pub fn several_subsamples(scheme: Scheme) -> Crafted {
    let subsamples = match scheme {
        Scheme::Cenc | Scheme::Cbcs => vec![(9, 405), (0, 33), (3, 1), (65, 0), (7, 250)],
        // Only whole blocks are allowed.
        Scheme::Cens | Scheme::Cbc1 => vec![(9, 400), (0, 32), (3, 16), (65, 0), (7, 256)],
    };
    let pattern = match scheme {
        Scheme::Cenc | Scheme::Cbc1 => (0, 0),
        Scheme::Cens | Scheme::Cbcs => (1, 9),
    };
    let constant: &[u8] = match scheme {
        Scheme::Cbcs => &IV16,
        _ => &[],
    };
    let name = format!("{}-subsamples", name(scheme));
    let samples = vec![
        Plain::divided(&IV16, subsamples.clone()),
        Plain::divided(&IV16, subsamples[..2].to_vec()),
    ];
    Crafted::new(name, scheme, pattern, constant, samples)
}

/// Counters that stand before the end of 32 or of 64 bits when a sample begins.
#[must_use]
pub fn counter_wrap(scheme: Scheme, bits: usize) -> Crafted {
    let mut iv = IV16;
    iv[16 - bits / 8..].fill(0xff);
    iv[15] = 0xfd;
    let pattern = match scheme {
        Scheme::Cens => (1, 1),
        _ => (0, 0),
    };
    let samples = vec![
        Plain::divided(&iv, vec![(9, 160), (4, 80)]),
        Plain::divided(&IV16, vec![(9, 160)]),
    ];
    let name = format!("{}-counter-2^{bits}", name(scheme));
    Crafted::new(name, scheme, pattern, &[], samples)
}

/// 8-byte IVs at the ends of 32 and 64 bits: they are the upper half of the counter block, whose
/// lower half begins at 0 in each sample.
#[must_use]
pub fn short_iv_wrap(bits: usize) -> Crafted {
    let mut iv = [0x11; 8];
    iv[8 - bits / 8..].fill(0xff);
    let next = (u64::from_be_bytes(iv).wrapping_add(1)).to_be_bytes();
    let samples = [iv, next]
        .map(|iv| Plain::divided(&iv, vec![(9, 160), (4, 83)]))
        .into();
    Crafted::new(
        format!("cenc-iv8-2^{bits}"),
        Scheme::Cenc,
        (0, 0),
        &[],
        samples,
    )
}

/// 5:5 over ranges that end within a run of encrypted blocks: 13 blocks, 3 blocks, and a part.
#[must_use]
pub fn incomplete_run(scheme: Scheme) -> Crafted {
    let tail = match scheme {
        Scheme::Cens => 0,
        _ => 7,
    };
    let subsamples = vec![
        (9, 13 * 16 + tail),
        (5, 3 * 16),
        (1, 5 * 16),
        (2, 11 * 16 + tail),
    ];
    let constant: &[u8] = match scheme {
        Scheme::Cbcs => &IV16,
        _ => &[],
    };
    let samples = vec![Plain::divided(&IV16, subsamples)];
    let name = format!("{}-5-5-incomplete", name(scheme));
    Crafted::new(name, scheme, (5, 5), constant, samples)
}

/// Samples whose auxiliary information has 280 and 256 bytes, for which the eight bits of `saiz`
/// say 24 and 0.
#[must_use]
pub fn saiz_overflow() -> Crafted {
    let of = |count: usize| Plain::divided(&IV8, vec![(9, 32); count]);
    let samples = vec![of(45), of(41), of(3)];
    Crafted::new("cenc-saiz-modulo-256", Scheme::Cenc, (0, 0), &[], samples)
}

/// 300 subsamples in a sample, which eight bits cannot count.
#[must_use]
pub fn many_subsamples(scheme: Scheme) -> Crafted {
    let constant: &[u8] = match scheme {
        Scheme::Cbcs => &IV16,
        _ => &[],
    };
    let samples = vec![
        Plain::divided(&IV8, vec![(9, 16); 300]),
        Plain::divided(&IV8, vec![(9, 16); 2]),
    ];
    let name = format!("{}-300-subsamples", name(scheme));
    Crafted::new(name, scheme, (0, 0), constant, samples)
}

/// `senc` with IVs and nothing else: the samples are protected as a whole, up to a part of a block.
#[must_use]
pub fn iv_only(scheme: Scheme) -> Crafted {
    let samples = [100, 16, 33].map(|size| Plain::whole(&IV16, size)).into();
    let name = format!("{}-iv-only", name(scheme));
    Crafted::new(name, scheme, (0, 0), &[], samples)
}

/// Sample groups of the fragment: index 0 is the track's own key, 0x10001 another key, 0x10002 says
/// that the sample is clear.
#[must_use]
pub fn groups(scheme: Scheme) -> Crafted {
    let constant: &[u8] = match scheme {
        Scheme::Cbcs => &IV16,
        _ => &[],
    };
    let samples = [0, 0x1_0001, 0x1_0002, 0x1_0001, 0, 0x1_0002].map(|group| {
        let iv: &[u8] = if group == 0x1_0002 { &[] } else { &IV16 };
        Plain::whole(iv, 99).in_group(group)
    });
    let name = format!("{}-seig-groups", name(scheme));
    let keys = [Some(SECOND_KEY), None];
    Crafted::grouped(name, scheme, (0, 0), constant, samples.into(), &keys)
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Crafted> {
    use Scheme::{Cbc1, Cbcs, Cenc, Cens};
    let mut all: Vec<Crafted> = [Cenc, Cens, Cbc1, Cbcs].map(several_subsamples).into();
    for scheme in [Cenc, Cens] {
        all.extend([32, 64].map(|bits| counter_wrap(scheme, bits)));
    }
    all.extend([32, 64].map(short_iv_wrap));
    all.extend([Cens, Cbcs].map(incomplete_run));
    all.push(saiz_overflow());
    all.extend([Cenc, Cbcs].map(many_subsamples));
    all.extend([Cenc, Cbc1].map(iv_only));
    all.extend([Cenc, Cbcs].map(groups));
    all
}

const fn name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Cenc => "cenc",
        Scheme::Cens => "cens",
        Scheme::Cbc1 => "cbc1",
        Scheme::Cbcs => "cbcs",
    }
}

fn four_character_code(scheme: Scheme) -> [u8; 4] {
    name(scheme).as_bytes().try_into().expect("four characters")
}

/// A length-prefixed H.264 NAL unit of supplemental information without zero bytes: what a check of
/// the structure passes and a decoder ignores.
fn nal(size: usize, number: usize) -> Vec<u8> {
    let length = u32::try_from(size - 4).expect("small samples");
    let head = length.to_be_bytes().into_iter().chain([6]);
    let body = (0..size - 5).map(|at| (at * 7 + at / 16 * 31 + number * 13) % 255 + 1);
    head.chain(body.map(|byte| byte.to_le_bytes()[0])).collect()
}

/// The sample entry of the shipped clear video.
fn clear_entry() -> Vec<u8> {
    let file = fs::read(samples::folder().join("clear-video.mp4")).expect("the sample is there");
    let stsd = file.windows(4).position(|kind| kind == b"stsd");
    // Behind type, version, flags and count.
    let entry = &file[stsd.expect("a sample description") + 12..];
    let size = u32::from_be_bytes(*entry.first_chunk().expect("a size"));
    entry[..usize::try_from(size).expect("64 bits")].to_vec()
}

//! Writes small fragmented files box by box (ISO/IEC 14496-12, 23001-7), with what no packager at hand
//! would put into them.

use crate::encrypt::Subsample;

/// What `tenc` or a `seig` entry says.
#[derive(Clone)]
pub struct Parameters {
    /// Whether samples are protected.
    pub protected: bool,
    /// Bytes of a sample's IV; 0 with a constant one.
    pub iv_size: u8,
    /// Key id.
    pub kid: [u8; 16],
    /// Constant IV, empty for none.
    pub constant_iv: Vec<u8>,
    /// Encrypted and skipped blocks.
    pub pattern: (u8, u8),
}

impl Parameters {
    fn to_bytes(&self) -> Vec<u8> {
        let (crypt, skip) = self.pattern;
        let mut bytes = vec![0, crypt << 4 | skip, self.protected.into(), self.iv_size];
        bytes.extend(self.kid);
        if self.protected && self.iv_size == 0 {
            bytes.push(u8::try_from(self.constant_iv.len()).expect("an IV"));
            bytes.extend(&self.constant_iv);
        }
        bytes
    }
}

/// One sample as it goes into the file.
pub struct Sample {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Its IV, as long as its parameters say.
    pub iv: Vec<u8>,
    /// Its subsamples; `None` leaves them out of `senc` for all samples.
    pub subsamples: Option<Vec<Subsample>>,
    /// Its group description index, as `sbgp` says it.
    pub group: u32,
}

/// A file of one video track and one fragment.
pub struct Movie {
    /// Four-character code of the scheme.
    pub scheme: [u8; 4],
    /// What `tenc` says.
    pub track: Parameters,
    /// Sample groups of the fragment; index 0x10001 is the first.
    pub groups: Vec<Parameters>,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// Units of time in a second, and of a sample.
const TIMESCALE: u32 = 1000;
const DURATION: u32 = 40;

impl Movie {
    /// The protected file. `entry` is a clear visual sample entry with its boxes.
    #[must_use]
    pub fn protected(&self, entry: &[u8]) -> Vec<u8> {
        let sinf = bx(
            b"sinf",
            &[
                &bx(b"frma", &[&entry[4..8]]),
                &full(b"schm", 0, 0, &[&self.scheme, &words(&[0x1_0000])]),
                &bx(b"schi", &[&self.tenc()]),
            ],
        );
        let entry = bx(b"encv", &[&entry[8..], &sinf]);
        self.file(&entry, &self.auxiliary())
    }

    /// The same file without protection, with `samples` in it.
    #[must_use]
    pub fn clear(&self, entry: &[u8], samples: Vec<Vec<u8>>) -> Vec<u8> {
        let clear = samples.into_iter().map(|data| Sample {
            data,
            iv: Vec::new(),
            subsamples: None,
            group: 0,
        });
        let movie = Self {
            scheme: self.scheme,
            track: self.track.clone(),
            groups: Vec::new(),
            samples: clear.collect(),
        };
        movie.file(entry, &[])
    }

    fn tenc(&self) -> Vec<u8> {
        let version = u8::from(self.track.pattern != (0, 0));
        full(b"tenc", version, 0, &[&self.track.to_bytes()])
    }

    /// `sgpd`, `sbgp`, `saiz`, `saio` and `senc`. `saio` comes first of all, so that its place does
    /// not depend on it.
    fn auxiliary(&self) -> Vec<u8> {
        let mut boxes = Vec::new();
        if !self.groups.is_empty() {
            let entries = self.groups.iter().map(Parameters::to_bytes);
            // Default length 0: each entry says its own.
            let entries = entries.map(|entry| [words(&[length(&entry)]), entry].concat());
            let entries: Vec<Vec<u8>> = entries.collect();
            let head = words(&[0, length(&entries)]);
            boxes.extend(full(b"sgpd", 1, 0, &[b"seig", &head, &entries.concat()]));
            let runs = self.samples.iter().map(|sample| words(&[1, sample.group]));
            let runs = runs.collect::<Vec<_>>();
            let count = words(&[length(&runs)]);
            boxes.extend(full(b"sbgp", 0, 0, &[b"seig", &count, &runs.concat()]));
        }
        let subsampled = self
            .samples
            .iter()
            .any(|sample| sample.subsamples.is_some());
        let entries: Vec<Vec<u8>> = self.samples.iter().map(Sample::auxiliary).collect();
        // As packagers do: a size that eight bits cannot hold goes in modulo 256.
        let sizes: Vec<u8> = entries
            .iter()
            .map(|entry| entry.len().to_le_bytes()[0])
            .collect();
        let count = words(&[length(&entries)]);
        boxes.extend(full(b"saiz", 0, 0, &[&[0], &count, &sizes]));
        let flags = if subsampled { 2 } else { 0 };
        boxes.extend(full(b"senc", 0, flags, &[&count, &entries.concat()]));
        boxes
    }

    fn file(&self, entry: &[u8], auxiliary: &[u8]) -> Vec<u8> {
        let mut file = bx(b"ftyp", &[b"iso6", &words(&[0]), b"iso6dash"]);
        file.extend(moov(entry));
        let sizes: Vec<u32> = self
            .samples
            .iter()
            .map(|sample| length(&sample.data))
            .collect();
        let moof = |data_offset: u32, senc_offset: u32| {
            let count = length(&sizes);
            let runs = words(&sizes);
            let saio = match auxiliary {
                [] => Vec::new(),
                _ => full(b"saio", 0, 0, &[&words(&[1, senc_offset])]),
            };
            let traf = bx(
                b"traf",
                &[
                    &full(b"tfhd", 0, 0x2_0000, &[&words(&[1])]),
                    &full(b"tfdt", 1, 0, &[&[0; 8]]),
                    &full(b"trun", 0, 0x201, &[&words(&[count, data_offset]), &runs]),
                    &saio,
                    auxiliary,
                ],
            );
            bx(b"moof", &[&full(b"mfhd", 0, 0, &[&words(&[1])]), &traf])
        };
        // `senc` ends the fragment's header; its entries begin behind size, type, flags, count.
        let header = length(&moof(0, 0));
        let senc = auxiliary.windows(4).rposition(|kind| kind == b"senc");
        let senc = senc.map_or(0, |at| header - length(&auxiliary[at..]) + 12);
        file.extend(moof(header + 8, senc));
        let data: Vec<&[u8]> = self.samples.iter().map(|sample| &sample.data[..]).collect();
        file.extend(bx(b"mdat", &data));
        file
    }
}

impl Sample {
    fn auxiliary(&self) -> Vec<u8> {
        let mut bytes = self.iv.clone();
        if let Some(subsamples) = &self.subsamples {
            let count = u16::try_from(subsamples.len()).expect("16 bits count subsamples");
            bytes.extend(count.to_be_bytes());
            for (clear, protected) in subsamples {
                bytes.extend(clear.to_be_bytes());
                bytes.extend(protected.to_be_bytes());
            }
        }
        bytes
    }
}

/// A fragmented movie with one video track of number 1.
fn moov(entry: &[u8]) -> Vec<u8> {
    const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
    let matrix = words(&MATRIX);
    let mvhd = [
        words(&[0, 0, TIMESCALE, 0, 0x1_0000, 0x100_0000, 0, 0]),
        matrix.clone(),
    ];
    let mvhd = full(
        b"mvhd",
        0,
        0,
        &[&mvhd.concat(), &words(&[0; 6]), &words(&[2])],
    );
    let tkhd = [
        words(&[0, 0, 1, 0, 0, 0, 0, 0, 0]),
        matrix,
        words(&[320 << 16, 180 << 16]),
    ];
    let tkhd = full(b"tkhd", 0, 7, &[&tkhd.concat()]);
    let mdhd = full(b"mdhd", 0, 0, &[&words(&[0, 0, TIMESCALE, 0, 0x55c4_0000])]);
    let hdlr = full(b"hdlr", 0, 0, &[&words(&[0]), b"vide", &[0; 13]]);
    let vmhd = full(b"vmhd", 0, 1, &[&[0; 8]]);
    let url = full(b"url ", 0, 1, &[]);
    let dinf = bx(b"dinf", &[&full(b"dref", 0, 0, &[&words(&[1]), &url])]);
    let empty = |kind| full(kind, 0, 0, &[&words(&[0])]);
    let stbl = bx(
        b"stbl",
        &[
            &full(b"stsd", 0, 0, &[&words(&[1]), entry]),
            &empty(b"stts"),
            &empty(b"stsc"),
            &full(b"stsz", 0, 0, &[&words(&[0, 0])]),
            &empty(b"stco"),
        ],
    );
    let mdia = bx(
        b"mdia",
        &[&mdhd, &hdlr, &bx(b"minf", &[&vmhd, &dinf, &stbl])],
    );
    let trex = full(b"trex", 0, 0, &[&words(&[1, 1, DURATION, 0, 0])]);
    bx(
        b"moov",
        &[&mvhd, &bx(b"trak", &[&tkhd, &mdia]), &bx(b"mvex", &[&trex])],
    )
}

/// A box.
fn bx(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    [&words(&[length(&payload) + 8])[..], kind, &payload].concat()
}

/// A box with version and flags.
fn full(kind: &[u8; 4], version: u8, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let head = words(&[u32::from(version) << 24 | flags]);
    bx(kind, &[&head, &parts.concat()])
}

/// Big-endian 32-bit numbers.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn length<T>(of: &[T]) -> u32 {
    u32::try_from(of.len()).expect("small files")
}

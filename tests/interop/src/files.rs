//! The protected files of the table: shipped ones, those that FFmpeg and Packager make here, and
//! crafted ones.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use keybearer_license::{IvKind, Scheme, TrackType};
use keybearer_tests::samples;

use crate::crafted;
use crate::tools::{Tools, run};

/// A protected file with its clear counterpart.
pub struct ProtectedFile {
    /// Its name in the table.
    pub name: String,
    /// Who made it.
    pub maker: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What its samples were before.
    pub clear: PathBuf,
    /// How it is protected.
    pub scheme: Scheme,
    /// Its initialisation vectors.
    pub iv: IvKind,
    /// Its keys, in the order of their tracks.
    pub keys: Vec<Key>,
}

/// A key and the track that it is for.
#[derive(Clone, Copy)]
pub struct Key {
    /// Key id.
    pub id: [u8; 16],
    /// The key.
    pub key: [u8; 16],
    /// What it is for.
    pub track: TrackType,
}

impl Key {
    /// `KID<separator>KEY`, hexadecimal.
    #[must_use]
    pub fn text(&self, separator: char) -> String {
        format!(
            "{}{separator}{}",
            hex::encode(self.id),
            hex::encode(self.key)
        )
    }
}

impl ProtectedFile {
    /// True when one key is for pictures and sound. A licence binds a key to one kind of track, so
    /// that a grant for sound never opens pictures.
    #[must_use]
    pub fn shares_a_key(&self) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|key| {
            let mut others = self.keys.iter();
            others.any(|other| other.id == key.id && other.track != key.track)
        })
    }

    /// True when it has pictures and sound.
    #[must_use]
    pub fn has_two_tracks(&self) -> bool {
        self.keys.iter().any(|key| key.track == TrackType::Audio)
            && self.keys.iter().any(|key| key.track != TrackType::Audio)
    }
}

/// All of them. `scratch` takes those that are made here.
///
/// # Panics
/// When one cannot be made.
#[must_use]
pub fn all(tools: &Tools, scratch: &Path) -> Vec<ProtectedFile> {
    let mut files = shipped();
    files.extend(of_ffmpeg(tools, scratch));
    files.extend(many_slices(tools, scratch));
    files.extend(crafted::all().iter().map(|made| made.store(scratch)));
    files
}

/// The shipped ones, made by Packager.
#[must_use]
pub fn shipped() -> Vec<ProtectedFile> {
    let folder = samples::folder();
    let made = samples::all().into_iter().map(|sample| ProtectedFile {
        scheme: scheme(&sample.scheme),
        iv: iv(scheme(&sample.scheme), sample.has_short_ivs()),
        keys: sample
            .tracks
            .iter()
            .map(|track| Key {
                id: track.kid,
                key: track.key,
                track: kind(&track.kind),
            })
            .collect(),
        path: folder.join(&sample.file),
        clear: folder.join(&sample.clear),
        name: sample.file.trim_end_matches(".mp4").to_owned(),
        maker: "Packager",
    });
    made.collect()
}

fn scheme(name: &str) -> Scheme {
    match name {
        "cenc" => Scheme::Cenc,
        "cens" => Scheme::Cens,
        "cbc1" => Scheme::Cbc1,
        "cbcs" => Scheme::Cbcs,
        other => panic!("{other} is no scheme"),
    }
}

const fn iv(scheme: Scheme, short: bool) -> IvKind {
    match (scheme, short) {
        (Scheme::Cbcs, false) => IvKind::Constant16,
        (Scheme::Cbcs, true) => IvKind::Constant8,
        (_, false) => IvKind::PerSample16,
        (_, true) => IvKind::PerSample8,
    }
}

fn kind(name: &str) -> TrackType {
    match name {
        "audio" => TrackType::Audio,
        _ => TrackType::Sd,
    }
}

/// Key id and key of the files that are made here. TEST KEYS, worth nothing.
const KID: [u8; 16] = *b"keybearer interp";
const KEY: [u8; 16] = [
    0x6b, 0x00, 0x62, 0x65, 0x61, 0x72, 0x65, 0x72, 0x00, 0x74, 0x65, 0x73, 0x74, 0x6b, 0x65, 0x79,
];

/// What FFmpeg writes: one scheme, 8-byte IVs, one key for all tracks. FFmpeg 5 is left out where it
/// writes a file that no program can read, see [`without_ivs`].
fn of_ffmpeg(tools: &Tools, scratch: &Path) -> Vec<ProtectedFile> {
    let progressive = [5, 8].map(|version| {
        let clips = ["video", "audio", "hevc", "av1", "both"].into_iter();
        clips.map(move |clip| (version, clip, false))
    });
    let in_fragments = ["video", "audio", "av1"].map(|clip| (8, clip, true));
    let wanted = progressive.into_iter().flatten().chain(in_fragments);
    wanted
        .filter(|wanted| *wanted != (5, "av1", false))
        .map(|(version, clip, fragmented)| ffmpeg_file(tools, scratch, version, clip, fragmented))
        .collect()
}

/// Files of FFmpeg 5 whose `senc` is empty: in fragments, and of AV1.
///
/// # Panics
/// When one cannot be made.
#[must_use]
pub fn without_ivs(tools: &Tools, scratch: &Path) -> Vec<ProtectedFile> {
    let wanted = [("video", true), ("audio", true), ("av1", false)];
    wanted
        .map(|(clip, fragmented)| ffmpeg_file(tools, scratch, 5, clip, fragmented))
        .into()
}

fn ffmpeg_file(
    tools: &Tools,
    scratch: &Path,
    version: u8,
    clip: &str,
    fragmented: bool,
) -> ProtectedFile {
    const FRAGMENTS: &[&str] = &["-movflags", "+frag_keyframe+empty_moov+default_base_moof"];
    let (program, maker) = match version {
        5 => (&tools.ffmpeg5, "FFmpeg 5"),
        _ => (&tools.ffmpeg8, "FFmpeg 8"),
    };
    let (form, layout) = match fragmented {
        true => ("fragmented-", FRAGMENTS),
        false => ("", &[][..]),
    };
    let name = format!("ffmpeg{version}-{form}{clip}");
    let path = scratch.join(format!("{name}.mp4"));
    let clear = samples::folder().join(format!("clear-{clip}.mp4"));
    let mut arguments: Vec<OsString> = ["-nostdin", "-v", "error", "-y", "-i"]
        .map(Into::into)
        .into();
    arguments.push(clear.clone().into());
    arguments.extend(["-map", "0", "-c", "copy", "-fflags", "+bitexact"].map(Into::into));
    arguments.extend(layout.iter().map(Into::into));
    arguments.extend(["-encryption_scheme", "cenc-aes-ctr"].map(Into::into));
    arguments.extend(["-encryption_kid".into(), hex::encode(KID).into()]);
    arguments.extend(["-encryption_key".into(), hex::encode(KEY).into()]);
    arguments.push(path.clone().into());
    must_run(program, arguments);
    let key = |track| Key {
        id: KID,
        key: KEY,
        track,
    };
    ProtectedFile {
        name,
        maker,
        path,
        clear,
        scheme: Scheme::Cenc,
        iv: IvKind::PerSample8,
        keys: match clip {
            "both" => vec![key(TrackType::Sd), key(TrackType::Audio)],
            other => vec![key(kind(other))],
        },
    }
}

/// Pictures in 60 slices, so that a sample has more subsamples than the eight bits of its size in
/// `saiz` can count: Packager writes that size modulo 256.
fn many_slices(tools: &Tools, scratch: &Path) -> Vec<ProtectedFile> {
    let clip = scratch.join("slices-clip.mp4");
    let picture = "testsrc2=size=320x180:rate=4:duration=1,noise=alls=12:all_seed=7";
    let mut arguments: Vec<OsString> = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"]
        .map(Into::into)
        .into();
    arguments.push(picture.into());
    let encode = [
        "-pix_fmt",
        "yuv420p",
        "-threads",
        "1",
        "-c:v",
        "libx264",
        "-profile:v",
        "main",
        "-bf",
        "0",
        "-qp",
        "30",
        "-x264-params",
        "slice-max-mbs=4",
        "-fflags",
        "+bitexact",
        "-flags:v",
        "+bitexact",
        "-movflags",
        "+frag_keyframe+delay_moov+default_base_moof",
    ];
    arguments.extend(encode.map(Into::into));
    arguments.push(clip.clone().into());
    must_run(&tools.ffmpeg5, arguments);

    let clear = scratch.join("slices-clear.mp4");
    pack(tools, &clip, &clear, &[]);
    let made = [("cenc", 8), ("cbcs", 16)].map(|(name, iv_size)| {
        let (protection, scheme) = (name, scheme(name));
        let name = format!("{protection}-60-slices");
        let path = scratch.join(format!("{name}.mp4"));
        let keys = format!(
            "label=KEY:key_id={}:key={}",
            hex::encode(KID),
            hex::encode(KEY)
        );
        let options = [
            "--enable_raw_key_encryption",
            "--protection_scheme",
            protection,
            "--clear_lead",
            "0",
            "--keys",
            &keys,
            "--iv",
            &hex::encode(&KEY[..iv_size]),
        ];
        pack(tools, &clip, &path, &options);
        ProtectedFile {
            name,
            maker: "Packager",
            path,
            clear: clear.clone(),
            scheme,
            iv: iv(scheme, iv_size == 8),
            keys: vec![Key {
                id: KID,
                key: KEY,
                track: TrackType::Sd,
            }],
        }
    });
    made.into()
}

fn pack(tools: &Tools, clip: &Path, output: &Path, options: &[&str]) {
    let stream = format!(
        "in={},stream=video,out={},drm_label=KEY",
        clip.display(),
        output.display()
    );
    let fixed = [
        "--segment_duration",
        "1",
        "--fragment_duration",
        "1",
        "--quiet",
    ];
    let arguments = [stream.as_str()].into_iter().chain(fixed);
    must_run(
        &tools.packager,
        arguments.chain(options.iter().copied()).map(OsString::from),
    );
}

fn must_run(program: &Path, arguments: impl IntoIterator<Item = OsString>) {
    let output = run(program, arguments);
    assert!(
        output.status.success(),
        "{}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

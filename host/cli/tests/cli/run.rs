//! Runs the command and reads what comes out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }

    /// Fails the test unless standard error holds this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.err.contains(text),
            "not said: {text}\nstderr:\n{}",
            self.err
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }
}

/// The command, with a plain environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keybearer"));
    command
        .env_remove("KEYBEARER_STATE")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Runs the command with these arguments.
pub(crate) fn keybearer<I, S>(arguments: I) -> Ran
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let output = command()
        .args(arguments)
        .output()
        .expect("the command starts");
    Ran {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A file of tests/samples.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/samples")
        .join(name)
}

/// A file in tests/samples as samples.json lists it.
pub(crate) struct Listed {
    pub(crate) file: String,
    pub(crate) clear: String,
    pub(crate) scheme: String,
    /// Kind, key id and key of each track.
    pub(crate) tracks: Vec<[String; 3]>,
}

/// All protected samples.
pub(crate) fn listed() -> Vec<Listed> {
    let text = std::fs::read(sample("samples.json")).unwrap();
    let list: Value = serde_json::from_slice(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = list["files"].as_array().unwrap().iter();
    files
        .map(|file| Listed {
            file: text(&file["file"]),
            clear: text(&file["clear"]),
            scheme: text(&file["scheme"]),
            tracks: file["tracks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|track| {
                    [
                        text(&track["kind"]),
                        text(&track["kid"]),
                        text(&track["key"]),
                    ]
                })
                .collect(),
        })
        .collect()
}

/// The payloads of a file's `mdat` boxes, one behind the other: all samples and nothing else, in
/// these files.
pub(crate) fn media_data(file: &[u8]) -> Vec<u8> {
    let (mut rest, mut data) = (file, Vec::new());
    while !rest.is_empty() {
        let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if &rest[4..8] == b"mdat" {
            data.extend_from_slice(&rest[8..size]);
        }
        rest = &rest[size..];
    }
    data
}

/// Whether a file speaks of protection anywhere outside its media data.
pub(crate) fn speaks_of_protection(file: &[u8]) -> bool {
    let mut rest = file;
    while !rest.is_empty() {
        let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let words: [&[u8]; 7] = [
            b"encv", b"enca", b"sinf", b"tenc", b"senc", b"saiz", b"pssh",
        ];
        if &rest[4..8] != b"mdat"
            && words
                .iter()
                .any(|word| rest[..size].windows(4).any(|window| window == *word))
        {
            return true;
        }
        rest = &rest[size..];
    }
    false
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

//! Where inspected bytes come from, and what they are.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::failure::Failure;
use crate::given;

/// Most bytes taken from standard input or a pipe, which are held in memory.
const MAX_STDIN: u64 = 64 << 20;
/// Most bytes of a file that is no media: messages are far smaller.
const MAX_MESSAGE: u64 = 256 * 1024;

/// Something to look at.
pub(super) enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// What it holds.
pub(super) enum Content {
    /// ISO-BMFF.
    Media,
    /// `pssh` boxes alone.
    Pssh(Vec<u8>),
    /// Perhaps a message of the licence protocol.
    Message(Vec<u8>),
}

impl Source {
    /// What an argument names, with the name to show for it.
    pub(super) fn of(input: &str) -> Result<(Self, String), Failure> {
        if input == "-" {
            let name = "standard input";
            return Ok((
                Self::Bytes(drained(std::io::stdin().lock(), name)?),
                name.into(),
            ));
        }
        let path = PathBuf::from(input);
        if std::fs::metadata(&path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
            // What a pipe has given once it does not give again, and inspecting reads twice.
            let pipe = File::open(&path)
                .map_err(|error| Failure::input(format!("cannot open {input}")).cause(&error))?;
            return Ok((Self::Bytes(drained(pipe, input)?), input.to_owned()));
        }
        if path.exists() {
            given::refuse_folder(&path, "a file")?;
            return Ok((Self::File(path), input.to_owned()));
        }
        match decoded(input.as_bytes()) {
            Some(bytes) => Ok((Self::Bytes(bytes), "argument".into())),
            None => Err(Failure::input(format!(
                "{input:.60}: no such file, nor base64 or hexadecimal text"
            ))),
        }
    }

    /// The bytes, from the beginning.
    pub(super) fn open(&self) -> Result<Box<dyn Read + '_>, Failure> {
        match self {
            Self::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => {
                    Err(Failure::input(format!("cannot open {}", path.display())).cause(&error))
                }
            },
            Self::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes))),
        }
    }

    /// How many bytes there are, as far as that can be known before reading them.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).ok().map(|about| about.len()),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
        }
    }

    fn read(&self, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.open()?
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::input("cannot read the input").cause(&error))?;
        Ok(bytes)
    }

    /// What the bytes called `name` are, by their look; text is decoded first.
    pub(super) fn content(&self, name: &str) -> Result<Content, Failure> {
        let start = self.read(8)?;
        if start.is_empty() {
            return Err(Failure::input(format!("{name} is empty")));
        }
        if start.get(4..8) == Some(b"pssh") {
            return Ok(Content::Pssh(self.read(MAX_MESSAGE)?));
        }
        if given::begins_like_media(&start) {
            return Ok(Content::Media);
        }
        let bytes = self.read(MAX_MESSAGE)?;
        Ok(match decoded(&bytes) {
            Some(inner) if inner.get(4..8) == Some(b"pssh") => Content::Pssh(inner),
            Some(inner) => Content::Message(inner),
            None => Content::Message(bytes),
        })
    }
}

/// All bytes of an input that can be read once only.
fn drained(input: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    input
        .take(MAX_STDIN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::input(format!("cannot read {name}")).cause(&error))?;
    if bytes.len() as u64 > MAX_STDIN {
        return Err(Failure::input(format!("{name} exceeds {MAX_STDIN} bytes"))
            .hint("save it in a file and inspect that"));
    }
    Ok(bytes)
}

/// Hexadecimal or base64 text as bytes; `None` for anything else.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if text.is_empty() {
        return None;
    }
    let padding =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    hex::decode(&text)
        .ok()
        .or_else(|| GeneralPurpose::new(&STANDARD, padding).decode(&text).ok())
        .or_else(|| GeneralPurpose::new(&URL_SAFE, padding).decode(&text).ok())
}

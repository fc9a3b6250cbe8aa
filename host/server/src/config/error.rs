//! What can be wrong with a configuration.

use std::io;
use std::path::{Path, PathBuf};

use crate::keys::KeyError;

/// Why a configuration was not accepted. No variant repeats a line of the file or a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A value, or the file's form, is wrong.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in characters.
        column: usize,
        /// What was found and what was expected.
        what: String,
    },
    /// The parts contradict each other.
    #[error("{what}")]
    Invalid {
        /// What contradicts what.
        what: String,
    },
    /// Something is wrong in a named file.
    #[error("{}: {source}", path.display())]
    File {
        /// The configuration file.
        path: PathBuf,
        /// What is wrong.
        source: Box<ConfigError>,
    },
    /// A file with keys is not as it must be.
    #[error(transparent)]
    Key(KeyError),
    /// A content key's file does not hold a content key.
    #[error("{} holds {found} bytes, expected the 16 bytes of a content key", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: usize,
    },
}

impl ConfigError {
    /// A parser's message with its place, without the line it quotes.
    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |last| last.chars().count())
            + 1;
        Self::Syntax {
            line,
            column,
            what: error.message().to_owned(),
        }
    }

    pub(super) fn in_file(self, path: &Path) -> Self {
        Self::File {
            path: path.to_owned(),
            source: Box::new(self),
        }
    }
}

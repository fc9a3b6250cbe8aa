//! From a protected file to a clear one, a fragment at a time.

mod memory;
mod walk;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use keybearer_media::{
    Batch, BatchLimit, KeyId, MediaError, MediaReader, Protection, Pssh, SampleEntry, Track,
};
use keybearer_tee::SharedMemory;

use crate::output::{OutputFile, same_file};

/// Turns protected samples into clear ones: with keys of a licence ([`crate::Licensed`]), or with
/// keys that the caller has.
pub trait SampleDecryptor {
    /// Why it cannot.
    type Error: std::error::Error + Send + Sync + 'static;

    /// How much one batch may hold.
    fn limit(&self) -> BatchLimit {
        BatchLimit::default()
    }

    /// Looks at the initialisation segment, all bytes up to and including `moov`. Called once, first.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn begin(&mut self, init: &[u8]) -> Result<(), Self::Error> {
        let _ = init;
        Ok(())
    }

    /// Says whether to go on. Called for every part of the input, protected or not.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn go_on(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Says whether the output may be taken for whole: called once, after the last part, before it gets
    /// its name.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn end(&mut self) -> Result<(), Self::Error> {
        self.go_on()
    }

    /// Makes keys ready. Called before the first batch with all that `moov` says, and again whenever
    /// a fragment brings key ids or `pssh` boxes not seen before; then only with those. After
    /// thousands of different ones some are told again.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), Self::Error>;

    /// Decrypts a batch in place. `data` holds its samples one behind the other, in order, without
    /// gaps.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), Self::Error>;

    /// Memory of `len` bytes or more in which [`Self::decrypt`] reaches its data best. Asked for when
    /// there is none yet or it is too small, and after a recovery; `None` where any memory is as good.
    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        let _ = len;
        None
    }

    /// Tries to make good what an error of [`Self::prepare`] or [`Self::decrypt`] was about, such as
    /// the death of the trusted side. After `true` the same is asked again, on data as they were; it
    /// must not be said for ever.
    fn recover(&mut self, error: &Self::Error) -> bool {
        let _ = error;
        false
    }
}

/// Protected samples of one track under one key, with all that the file says about them.
#[derive(Clone, Copy, Debug)]
pub struct TrackBatch<'a> {
    /// The track.
    pub track: &'a Track,
    /// The sample entry in effect.
    pub entry: &'a SampleEntry,
    /// How the samples are protected.
    pub protection: &'a Protection,
    /// The samples.
    pub batch: Batch<'a>,
}

/// How far the walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes of the whole input, where known.
    pub total: Option<u64>,
    /// Samples decrypted.
    pub samples: u64,
}

/// What the walk has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes read, and as many were written.
    pub bytes: u64,
    /// Fragments of protected files.
    pub fragments: u64,
    /// Samples in them.
    pub samples: u64,
    /// Those of them that were protected and are now clear.
    pub protected_samples: u64,
    /// Keys used, in the order of their first use.
    pub key_ids: Vec<KeyId>,
}

/// Why a file was not decrypted. Nothing stands under the output's name then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaybackError<E: std::error::Error + 'static> {
    /// The input cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The input.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The input cannot be read, or is not what the standards say.
    #[error("input: {0}")]
    Input(#[source] MediaError),
    /// Input and output are one file.
    #[error("{} is the input; choose another name for the output", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// Samples could not be decrypted.
    #[error(transparent)]
    Decryptor(E),
    /// A stream cannot be written, or what would have to be written cannot be.
    #[error("output: {0}")]
    Output(#[source] MediaError),
    /// The output file cannot be made or written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Decrypts a file. The output stands under its name only when it is whole: it is written to a
/// temporary file in the same folder, which is renamed at the end. Where the decryptor recovers from an
/// error ([`SampleDecryptor::recover`]), the fragment is read again and decrypted anew.
///
/// A file without protection comes out as it is.
///
/// # Errors
/// [`PlaybackError`]; whatever stood under the output's name before still does.
pub fn decrypt_file<D: SampleDecryptor>(
    input: &Path,
    output: &Path,
    decryptor: &mut D,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, PlaybackError<D::Error>> {
    let open = |source| PlaybackError::Open {
        path: input.to_path_buf(),
        source,
    };
    let write = |source| PlaybackError::Write {
        path: output.to_path_buf(),
        source,
    };
    let source = File::open(input).map_err(open)?;
    let total = source.metadata().map_err(open)?.len();
    if same_file(input, output) {
        return Err(PlaybackError::SameFile {
            path: output.to_path_buf(),
        });
    }
    let target = BufWriter::new(OutputFile::create(output).map_err(write)?);
    let mut in_whole = |so_far: Progress| {
        progress(Progress {
            total: Some(total),
            ..so_far
        })
    };
    let reader = MediaReader::open_seekable(source).map_err(PlaybackError::Input)?;
    let walked = walk::walk(reader, target, decryptor, &mut in_whole);
    let (summary, target) = walked.map_err(|error| match error {
        PlaybackError::Output(MediaError::Io(source)) => write(source),
        other => other,
    })?;
    let target = target
        .into_inner()
        .map_err(|error| write(error.into_error()))?;
    target.commit().map_err(write)?;
    Ok(summary)
}

/// Decrypts a stream into another. Nothing is read twice, so a decryptor can only recover from errors
/// before it has touched a fragment. What was written before an error is the caller's to throw away.
///
/// # Errors
/// [`PlaybackError`].
pub fn decrypt_stream<D: SampleDecryptor>(
    input: impl Read,
    output: impl Write,
    decryptor: &mut D,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, PlaybackError<D::Error>> {
    let reader = MediaReader::open(input).map_err(PlaybackError::Input)?;
    walk::walk(reader, output, decryptor, progress).map(|(summary, _)| summary)
}

#[cfg(test)]
mod tests;

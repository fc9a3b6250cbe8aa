//! Private files: written for their owner alone, and refused when others can read them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use keybearer_crypto::Secret;
use zeroize::Zeroizing;

use super::KeyError;

/// Largest file read: a configuration file with many contents is the largest of them.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// What a key file's key is for. It stands in the file, so that two files cannot be mixed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The trust anchor's private half. The running server never reads it.
    Root,
    /// Signs service certificates.
    ServiceIssuer,
    /// Signs device certificates.
    DeviceIssuer,
    /// Signs answers.
    ServiceSigning,
    /// Opens requests.
    ServiceAgreement,
    /// Authenticates challenges.
    Challenge,
    /// Seals content keys in the store.
    Store,
}

impl Purpose {
    /// The purpose's word in the file's first line, and the file's name without `.key`.
    const fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::ServiceIssuer => "service-issuer",
            Self::DeviceIssuer => "device-issuer",
            Self::ServiceSigning => "service-signing",
            Self::ServiceAgreement => "service-agreement",
            Self::Challenge => "challenge",
            Self::Store => "store",
        }
    }

    pub(crate) fn file(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.key", self.word()))
    }

    fn first_line(self) -> String {
        format!("keybearer key v1 {}\n", self.word())
    }
}

/// Makes `dir`, for its owner alone, and says so with `true`; an empty directory that is there is
/// narrowed instead.
pub(crate) fn create_directory(dir: &Path) -> Result<bool, KeyError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(KeyError::Exists {
                    path: dir.to_owned(),
                });
            }
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
                .map(|()| false)
                .map_err(|source| KeyError::io(dir, source))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map(|()| true)
            .map_err(|source| KeyError::io(dir, source)),
        Err(source) => Err(KeyError::io(dir, source)),
    }
}

/// Takes away what was begun in a directory that was empty before, and the directory too if it was
/// `made` for it, so that another try finds nothing in its way.
pub(crate) fn empty_directory(dir: &Path, made: bool) {
    // What cannot be taken away bars the next try, which says so.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let _ = fs::remove_file(entry.path());
    }
    if made {
        let _ = fs::remove_dir(dir);
    }
}

/// Refuses a directory, or any key or token in it, that anyone but the owner can reach.
pub(crate) fn check_directory(dir: &Path) -> Result<(), KeyError> {
    let metadata = match fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(KeyError::NoDirectory {
                path: dir.to_owned(),
            });
        }
        Err(source) => return Err(KeyError::io(dir, source)),
    };
    check_mode(dir, &metadata, "700")?;
    for entry in fs::read_dir(dir).map_err(|source| KeyError::io(dir, source))? {
        let path = entry.map_err(|source| KeyError::io(dir, source))?.path();
        let is_private = path
            .extension()
            .is_some_and(|ext| ext == "key" || ext == "token");
        if is_private {
            let metadata = fs::metadata(&path).map_err(|source| KeyError::io(&path, source))?;
            check_mode(&path, &metadata, "600")?;
        }
    }
    Ok(())
}

fn check_mode(path: &Path, metadata: &fs::Metadata, fix: &'static str) -> Result<(), KeyError> {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyError::Permissions {
            path: path.to_owned(),
            mode,
            fix,
        })
    }
}

/// Refuses an open file that others than its owner can read.
pub(crate) fn check_private(path: &Path, file: &File) -> Result<(), KeyError> {
    let metadata = file
        .metadata()
        .map_err(|source| KeyError::io(path, source))?;
    check_mode(path, &metadata, "600")
}

/// Makes a file's name in its directory survive a power cut.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        None => Ok(()),
        // A bare file name has an empty parent: the working directory.
        Some(dir) if dir.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(dir) => File::open(dir)?.sync_all(),
    }
}

/// Reads a file that must be its owner's alone.
///
/// The mode is that of the file that was opened, so it cannot be exchanged in between.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = open(path)?;
    check_private(path, &file)?;
    read_all(path, file)
}

/// Reads a file that anyone may read: a certificate, or the anchor.
pub(super) fn read_public(path: &Path) -> Result<Vec<u8>, KeyError> {
    let mut bytes = read_all(path, open(path)?)?;
    Ok(std::mem::take(&mut *bytes))
}

fn open(path: &Path) -> Result<File, KeyError> {
    File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => KeyError::Missing {
            path: path.to_owned(),
        },
        _ => KeyError::io(path, error),
    })
}

fn read_all(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let metadata = file
        .metadata()
        .map_err(|source| KeyError::io(path, source))?;
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Err(KeyError::Format {
            path: path.to_owned(),
            expected: "a small regular file",
        });
    }
    // Room for all of it at once: a vector that grows would leave copies of a secret behind.
    let capacity = usize::try_from(metadata.len())
        .unwrap_or(0)
        .saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(|source| KeyError::io(path, source))?;
    Ok(bytes)
}

/// Writes a file for its owner alone, in place of one that is there, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_directory(path)
    };
    write().map_err(|source| {
        // Half a file under another name helps nobody.
        let _ = fs::remove_file(&temporary);
        KeyError::io(path, source)
    })
}

/// Writes a key file: a line that says what it is, then 32 bytes.
pub(crate) fn write_key(dir: &Path, purpose: Purpose, key: &Secret<32>) -> Result<(), KeyError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(128));
    bytes.extend_from_slice(purpose.first_line().as_bytes());
    bytes.extend_from_slice(key.expose());
    write_private(&purpose.file(dir), &bytes)
}

/// Reads the key file of `purpose` in `dir`.
pub(crate) fn read_key(dir: &Path, purpose: Purpose) -> Result<Secret<32>, KeyError> {
    read_key_file(&purpose.file(dir), purpose)
}

/// Reads a key file wherever it lies; it must be one of `purpose`.
pub(crate) fn read_key_file(path: &Path, purpose: Purpose) -> Result<Secret<32>, KeyError> {
    let bytes = read_private(path)?;
    bytes
        .strip_prefix(purpose.first_line().as_bytes())
        .and_then(|key| <&[u8; 32]>::try_from(key).ok())
        .map(Secret::copied_from)
        .ok_or_else(|| KeyError::Format {
            path: path.to_owned(),
            expected: "a line \"keybearer key v1 <purpose>\" naming this key, then 32 bytes",
        })
}

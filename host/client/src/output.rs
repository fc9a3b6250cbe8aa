//! A file that appears under its name only when it is whole.

use std::fs::{self, File, FileType};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::{Builder, NamedTempFile};

/// Temporary files of this process that have no name of their own yet, so that they can be taken away
/// when there is no time to end their writers.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what [`crate::decrypt_file`] calls of this process have written and not finished; they then
/// fail. For a process that must end at once, such as at a second Ctrl-C.
pub fn remove_unfinished() {
    remove_unfinished_in(Path::new(""));
}

/// Removes those of a folder; every path begins with the empty one.
fn remove_unfinished_in(folder: &Path) {
    let unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    for path in unfinished.iter().filter(|path| path.starts_with(folder)) {
        // One that is gone already is as it should be.
        let _ = fs::remove_file(path);
    }
}

/// Written beside its destination and renamed onto it at the end: whatever goes wrong before leaves
/// nothing under the final name, nor damages what stood there.
#[derive(Debug)]
pub(crate) struct OutputFile {
    file: Unfinished,
    path: PathBuf,
}

/// A temporary file that is listed as long as it has not got its name.
#[derive(Debug)]
struct Unfinished(Option<NamedTempFile>);

impl Unfinished {
    fn list(file: NamedTempFile) -> Self {
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.push(file.path().to_path_buf());
        Self(Some(file))
    }

    fn file(&mut self) -> io::Result<&mut NamedTempFile> {
        // Taken out by `persist` only, which takes the whole value.
        self.0
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn persist(mut self, path: &Path) -> io::Result<()> {
        let file = self.0.take();
        let listed = file.as_ref().map(|file| file.path().to_path_buf());
        let done = match file {
            Some(file) => file.persist(path).map(drop).map_err(|error| error.error),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        forget(listed.as_deref());
        done
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            let path = file.path().to_path_buf();
            drop(file);
            forget(Some(&path));
        }
    }
}

fn forget(path: Option<&Path>) {
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    unfinished.retain(|other| Some(other.as_path()) != path);
}

impl OutputFile {
    /// Begins the file. A link is followed to the file it leads to, which is then replaced; anything
    /// else that is no file (a device, a pipe) is refused, since a rename would put a file in its place
    /// for every program of the machine.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let path = match fs::metadata(path) {
            Ok(about) => {
                only_files(about.file_type())?;
                fs::canonicalize(path)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Ok(about) = fs::symlink_metadata(path) {
                    only_files(about.file_type())?;
                }
                fs::metadata(folder(path))?;
                path.to_path_buf()
            }
            Err(error) => return Err(error),
        };
        // A short name of its own: the final one may be as long as the folder takes. As any other
        // file that the user makes it gets what the umask leaves.
        let file = Builder::new()
            .prefix(".keybearer-")
            .suffix(".part")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(folder(&path))
            // The error would name the temporary file, which says nothing to anybody.
            .map_err(|error| io::Error::from(error.kind()))?;
        let file = Unfinished::list(file);
        Ok(Self { file, path })
    }

    /// Makes the content durable, then gives it its name, then makes the name durable.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.file.file()?.as_file().sync_all()?;
        // What stands there may be another thing than at the beginning.
        if let Ok(about) = fs::symlink_metadata(&self.path) {
            only_files(about.file_type())?;
        }
        self.file.persist(&self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

/// Refuses whatever a file must not take the place of.
fn only_files(kind: FileType) -> io::Result<()> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder stands there"
    } else if kind.is_symlink() {
        "a link that leads nowhere stands there; remove it, or name what it should lead to"
    } else if kind.is_fifo() {
        "a pipe stands there; the result must be a file, which appears only when it is whole"
    } else if kind.is_socket() {
        "a socket stands there; the result must be a file, which appears only when it is whole"
    } else {
        "a device stands there; the result must be a file, which appears only when it is whole"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

impl Write for OutputFile {
    // Past the temporary file's own writer, whose errors name a file that nobody asked for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.file()?.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.file()?.as_file_mut().flush()
    }
}

/// True when both paths lead to one file, whatever links are on the way.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        // One that does not exist is not the other.
        _ => false,
    }
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;

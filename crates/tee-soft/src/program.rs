//! Which program is the worker.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::SoftError;

/// File name of the worker.
const NAME: &str = "keybearer-worker";

/// Environment variable that names the worker program.
pub const WORKER_VARIABLE: &str = "KEYBEARER_WORKER";

/// Where systems keep programs that only programs call.
const LIBEXEC: &[&str] = &["/usr/local/libexec", "/usr/libexec"];

/// A program that becomes a worker when executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerProgram {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

impl WorkerProgram {
    /// The program at `path`, which is a worker whatever its arguments.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
        }
    }

    /// This very program, which becomes a worker when `argument` is its first.
    ///
    /// It is executed through `/proc/self/exe`, so it is of the same release even if the file was
    /// replaced meanwhile.
    #[must_use]
    pub fn this(argument: impl Into<OsString>) -> Self {
        Self {
            path: PathBuf::from("/proc/self/exe"),
            arguments: vec![argument.into()],
        }
    }

    /// The installed worker. Looked for in this order: the one named by [`WORKER_VARIABLE`], and no
    /// other if it is set; beside this program; beside the shared library that this code is in; in
    /// `../libexec` from either; in `/usr/local/libexec` and `/usr/libexec`.
    ///
    /// A program that runs with more rights than its caller does not follow the variable.
    ///
    /// # Errors
    /// [`SoftError::NoWorker`] with every path looked at.
    pub fn find() -> Result<Self, SoftError> {
        use rustix::process::{getegid, geteuid, getgid, getuid};
        let as_its_caller = getuid() == geteuid() && getgid() == getegid();
        let named = env::var_os(WORKER_VARIABLE).filter(|_| as_its_caller);
        search(named.as_deref(), &homes())
    }
}

/// Folders of this program and of the library that this code is in.
fn homes() -> Vec<PathBuf> {
    let program = env::current_exe().ok();
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let code: fn() -> Vec<PathBuf> = homes;
    let library = mapped_at(&maps, code as usize);
    let mut homes: Vec<PathBuf> = Vec::new();
    for file in [program, library].into_iter().flatten() {
        if let Some(folder) = file.parent()
            && !homes.iter().any(|home| home == folder)
        {
            homes.push(folder.to_path_buf());
        }
    }
    homes
}

/// The file that is mapped at an address, from the text of `/proc/self/maps` (`proc_pid_maps(5)`).
fn mapped_at(maps: &str, address: usize) -> Option<PathBuf> {
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (begin, end) = range.split_once('-')?;
        let begin = usize::from_str_radix(begin, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let path = &rest[rest.find('/')?..];
        (begin..end).contains(&address).then(|| PathBuf::from(path))
    })
}

fn search(named: Option<&OsStr>, homes: &[PathBuf]) -> Result<WorkerProgram, SoftError> {
    let candidates: Vec<PathBuf> = match named {
        Some(path) => vec![PathBuf::from(path)],
        None => {
            let beside = homes.iter().map(|home| home.join(NAME));
            let libexec = homes
                .iter()
                .filter_map(|home| Some(home.parent()?.join("libexec").join(NAME)));
            let system = LIBEXEC.iter().map(|folder| Path::new(folder).join(NAME));
            beside.chain(libexec).chain(system).collect()
        }
    };
    match candidates.iter().find(|path| is_program(path)) {
        Some(path) => Ok(WorkerProgram::at(path)),
        None => Err(SoftError::NoWorker {
            searched: candidates,
        }),
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;

//! The programs of others that take part, and how they are run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// Seconds that a program may take with a file of a few kilobytes.
const LIMIT: &str = "60";

/// Where the programs are.
pub struct Tools {
    /// Shaka Packager, of the wheel.
    pub packager: PathBuf,
    /// FFmpeg 8, of the wheel. Also the judge.
    pub ffmpeg8: PathBuf,
    /// Debian's FFmpeg 5.
    pub ffmpeg5: PathBuf,
    /// The Bento4 and vsd-mp4 crates as a command.
    pub crates: PathBuf,
}

impl Tools {
    /// Finds them. `crates` is the path of this package's program `decrypt-with-crate`.
    ///
    /// # Panics
    /// When one is missing, with what to do: a table without its peers proves nothing.
    #[must_use]
    pub fn find(crates: &str) -> Self {
        let cache = cache();
        let program = |name: &str| {
            let path = cache.join(name);
            assert!(
                path.is_file(),
                "{} is missing: run tests/interop/setup.sh",
                path.display()
            );
            path
        };
        assert!(
            Command::new("ffmpeg").arg("-version").output().is_ok(),
            "ffmpeg is not installed: run tests/interop/setup.sh"
        );
        Self {
            packager: program("packager-linux-x64"),
            ffmpeg8: program("ffmpeg-linux-x64"),
            ffmpeg5: PathBuf::from("ffmpeg"),
            crates: PathBuf::from(crates),
        }
    }

    /// The versions of the programs, one line.
    #[must_use]
    pub fn versions(&self) -> String {
        let first_line = |program: &Path, flag: &str| {
            let said = run(program, [flag]);
            let out = String::from_utf8_lossy(&said.stdout).into_owned();
            out.lines().next().unwrap_or_default().to_owned()
        };
        let word = |line: String, number: usize| {
            let word = line.split_whitespace().nth(number).unwrap_or("?");
            word.split("-https").next().unwrap_or(word).to_owned()
        };
        format!(
            "Shaka Packager {}, FFmpeg {}, FFmpeg {}, Bento4 by crate mp4decrypt, crate vsd-mp4",
            word(first_line(&self.packager, "--version"), 2),
            word(first_line(&self.ffmpeg5, "-version"), 2),
            word(first_line(&self.ffmpeg8, "-version"), 2),
        )
    }
}

/// Where `setup.sh` leaves programs.
fn cache() -> PathBuf {
    if let Some(path) = std::env::var_os("KEYBEARER_INTEROP_CACHE") {
        return path.into();
    }
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    caches
        .expect("there is a home folder or XDG_CACHE_HOME")
        .join("keybearer/interop")
}

/// Runs a program to its end, at most a minute; then it ends with status 124.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn run<A: Into<OsString>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Output {
    Command::new("timeout")
        .args(["--kill-after=5", LIMIT])
        .arg(program)
        .args(arguments.into_iter().map(Into::into))
        .output()
        .unwrap_or_else(|error| panic!("timeout {}: {error}", program.display()))
}

/// The status that a program ended with; `None` when it died of a signal or was ended after a minute.
#[must_use]
pub fn status(output: &Output) -> Option<i32> {
    // 124 is what timeout says of itself, 129 to 159 what it says of a program that died of a signal.
    let code = output.status.code();
    code.filter(|code| *code != 124 && !(129..=159).contains(code))
}

/// The product's command line.
pub static COMMAND: LazyLock<PathBuf> = LazyLock::new(|| {
    let named = std::env::var_os("KEYBEARER_COMMAND").map(PathBuf::from);
    named.unwrap_or_else(|| built("keybearer", "keybearer-cli"))
});

/// The product's sandboxed process, in which software mode decrypts.
pub static WORKER: LazyLock<PathBuf> =
    LazyLock::new(|| built("interop-worker", "keybearer-interop"));

/// A program of the workspace, which cargo builds when it tests all of it.
fn built(name: &str, package: &str) -> PathBuf {
    // Tests are in `deps` below the folder of the programs.
    let test = std::env::current_exe().expect("the test knows where it is");
    let folder = test.ancestors().nth(2).expect("a test is in two folders");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p {package}`, or test the whole workspace",
        path.display()
    );
    path
}

//! A service and a device, each in processes of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Ran, command, keybearer, listed, names, sample};

/// A server in a process of its own, stopped with the value.
pub(crate) struct Server {
    child: Child,
    pub(crate) said: Value,
}

/// What its configuration holds besides its keys and addresses.
pub(crate) const REST: &str = "store = \"store.redb\"\nkey_dir = \"keys\"\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";

/// Where a server's standard error goes, in its folder.
pub(crate) const LOG: &str = "log";

impl Server {
    /// Makes keys and starts a server in `folder` that has the keys of these samples, and writes a
    /// bundle.
    pub(crate) fn start(folder: &Path, files: &[&str], more: &str) -> Self {
        make_keys(folder);
        let mut config = REST.to_owned();
        for file in listed()
            .iter()
            .filter(|file| files.contains(&file.file.as_str()))
        {
            config += &format!("[[content]]\nid = \"{}\"\nopen = true\n", file.file);
            for [kind, kid, key] in &file.tracks {
                let track = if kind == "video" { "sd" } else { "audio" };
                let scheme = &file.scheme;
                let iv = if scheme == "cbcs" {
                    "constant-16"
                } else {
                    "per-sample-16"
                };
                config += &format!(
                    "[[content.key]]\nkid = \"{kid}\"\nkey = \"{key}\"\ntrack = \"{track}\"\nscheme = \"{scheme}\"\niv = \"{iv}\"\n{more}"
                );
            }
        }
        Self::configured(folder, &config)
    }

    /// Starts a server in `folder`, which has keys, with this configuration, and writes a bundle.
    pub(crate) fn configured(folder: &Path, config: &str) -> Self {
        let path = folder.join("keybearer.toml");
        fs::write(&path, config).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let mut child = command()
            .args(["serve", "--json", "--config"])
            .arg(&path)
            .arg("--bundle")
            .arg(folder.join("bundle.json"))
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join(LOG)).unwrap())
            .spawn()
            .unwrap();
        // The document ends with the first line that is a brace alone.
        let mut text = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            text += &line;
            if line == "}" {
                break;
            }
        }
        let said = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { child, said }
    }

    pub(crate) fn url(&self) -> &str {
        self.said["url"].as_str().unwrap()
    }

    /// Sends the termination signal and returns the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A device with its state in a folder of its own.
pub(crate) struct Device(TempDir);

impl Device {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where its state lies.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let state = self.state();
        let state = ["--tee", "worker", "--state", state.to_str().unwrap()];
        keybearer(arguments.iter().chain(&state))
    }

    pub(crate) fn output(&self, name: &str) -> PathBuf {
        let folder = self.0.path().join("out");
        fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    /// Plays a sample with an output named `out.mp4`.
    pub(crate) fn play(&self, file: &str, more: &[&str]) -> Ran {
        let (input, output) = (sample(file), self.output("out.mp4"));
        let mut arguments = vec![
            "play",
            input.to_str().unwrap(),
            "-o",
            output.to_str().unwrap(),
        ];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// Plays a sample; it must fail and leave nothing.
    #[track_caller]
    pub(crate) fn fails(&self, file: &str, more: &[&str], code: i32) -> Ran {
        let ran = self.play(file, more).exits(code);
        assert_eq!(names(&self.0.path().join("out")), [""; 0], "{}", ran.err);
        ran
    }
}

/// Makes an operator's keys in `folder`, unless there are some.
pub(crate) fn make_keys(folder: &Path) {
    let keys = folder.join("keys");
    if !keys.exists() {
        let keys = keys.to_str().unwrap();
        keybearer(["serve", "init", keys, "--service", "Example"]).exits(0);
    }
}

//! This device as the commands see it: which backend runs, where its state lies, and which services it
//! was provisioned with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use keybearer_backend::{
    BackendChoice, BackendOptions, Detection, WorkerProgram, default_state_dir, detect,
};
use keybearer_client::{AnchorDigest, ServerUrl};
use keybearer_tee::Tee;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::sizes::counted;
use crate::terminal::Terminal;

/// The file beside the device's state that remembers services and their anchors.
const SERVICES: &str = "services.json";

/// The environment variable that names the folder of the device's state.
const STATE: &str = "KEYBEARER_STATE";

/// Which trusted side, and where its state lies.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeviceArguments {
    /// The trusted side: auto, optee (levels High and Medium), worker or in-process (level Low)
    #[arg(long, value_name = "TEE", default_value = "auto")]
    tee: BackendChoice,
    /// Where this device keeps its state [env: KEYBEARER_STATE] [default: ~/.local/state/keybearer]
    // Read here and not by the parser, whose usage errors would call it required once it is set.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// This device has a built-in panel (level Low takes your word for it)
    #[arg(long)]
    internal_panel: bool,
}

impl DeviceArguments {
    /// The folder of the device's state.
    pub(crate) fn state(&self) -> Result<PathBuf, Failure> {
        let named = std::env::var_os(STATE).filter(|folder| !folder.is_empty());
        self.state
            .clone()
            .or_else(|| named.map(PathBuf::from))
            .or_else(default_state_dir)
            .ok_or_else(|| {
                Failure::usage(
                    "no folder for the device's state: neither --state nor a home is set",
                )
                .hint("name one with --state DIR")
            })
    }

    /// Opens the trusted side, and says which were considered and why this one was taken: also as lines
    /// for a report. That a better one is there but fails does not pass unseen with `--quiet` either,
    /// since this device then has another identity and a lower level.
    pub(crate) fn open(&self, terminal: Terminal) -> Result<(Arc<dyn Tee>, Vec<String>), Failure> {
        let (tee, detection) = open(self.tee, &self.state()?, self.internal_panel)?;
        tell(&detection, terminal);
        let lines = detection.considered.iter().map(ToString::to_string);
        Ok((tee, lines.collect()))
    }
}

/// Says which trusted side was taken and why, and then which it was taken instead of.
pub(crate) fn tell(detection: &Detection, terminal: Terminal) {
    for considered in detection.considered.iter().rev() {
        let (backend, reason) = (considered.backend, &considered.reason);
        if considered.taken {
            terminal.say(format!("trusted side {backend}: {reason}"));
        } else if considered.failing {
            terminal.warn(format!("trusted side {backend} would come first: {reason}"));
        } else {
            terminal.say(format!("  instead of {backend}: {reason}"));
        }
    }
}

/// A trust anchor as an argument.
pub(crate) fn anchor(text: &str) -> Result<AnchorDigest, String> {
    text.parse().map_err(|_| {
        let found = text.chars().count();
        let what = if found == 64 {
            "something else among them".to_owned()
        } else {
            counted(found as u64, "character")
        };
        format!("{what} found; expected 64 hexadecimal digits, as `keybearer serve` prints them")
    })
}

/// Opens a trusted side with its state under `state`.
pub(crate) fn open(
    choice: BackendChoice,
    state: &Path,
    internal_panel: bool,
) -> Result<(Arc<dyn Tee>, Detection), Failure> {
    let mut options = BackendOptions::new(state.join("device"));
    options.internal_panel = internal_panel;
    options.worker = WorkerProgram::This {
        argument: keybearer_worker::ARGUMENT,
    };
    Ok(detect(choice, &options)?)
}

/// A service this device was provisioned with. The anchor came from the operator, by hand or in a
/// bundle, never from the service itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownService {
    pub(crate) url: String,
    pub(crate) anchor: String,
}

/// The services of this device, the latest last.
#[derive(Debug, Default, Serialize, Deserialize)]
struct KnownServices {
    services: Vec<KnownService>,
}

/// Where the services are remembered.
pub(crate) fn services_file(state: &Path) -> PathBuf {
    state.join(SERVICES)
}

fn known(state: &Path) -> Result<KnownServices, Failure> {
    let path = services_file(state);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(KnownServices::default());
        }
        Err(error) => {
            let what = format!("cannot read {}", path.display());
            return Err(Failure::input(what).cause(&error));
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::input(format!("{} is not a list of services", path.display()))
            .cause(&error)
            .hint("remove it and name --server and --anchor once more")
    })
}

/// Remembers a service, so that its anchor need not be named again.
pub(crate) fn remember(
    state: &Path,
    url: &ServerUrl,
    anchor: &AnchorDigest,
) -> Result<(), Failure> {
    let mut list = known(state)?;
    let service = KnownService {
        url: url.to_string(),
        anchor: anchor.to_string(),
    };
    list.services.retain(|other| other.url != service.url);
    list.services.push(service);
    let unwritten = |error: &(dyn std::error::Error + 'static)| {
        let what = format!("cannot remember the service in {}", state.display());
        Failure::new(Exit::Output, what).cause(error)
    };
    let text = serde_json::to_vec_pretty(&list).map_err(|error| unwritten(&error))?;
    std::fs::create_dir_all(state).map_err(|error| unwritten(&error))?;
    let mut file = tempfile::NamedTempFile::new_in(state).map_err(|error| unwritten(&error))?;
    std::io::Write::write_all(&mut file, &text)
        // The name must not be on the disk before what it stands for.
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| unwritten(&error))?;
    file.persist(state.join(SERVICES))
        .map_err(|error| unwritten(&error.error))?;
    std::fs::File::open(state)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| unwritten(&error))
}

/// The service meant: the one named, or the only or latest one known; with the anchor named or
/// remembered.
pub(crate) fn choose(
    state: &Path,
    url: Option<ServerUrl>,
    anchor: Option<AnchorDigest>,
) -> Result<(ServerUrl, AnchorDigest), Failure> {
    if let (Some(url), Some(anchor)) = (&url, anchor) {
        return Ok((url.clone(), anchor));
    }
    let services = known(state)?.services;
    let found = match &url {
        Some(url) => services
            .iter()
            .rev()
            .find(|service| service.url == url.to_string()),
        None => services.last(),
    };
    let Some(service) = found else {
        return Err(match url {
            Some(url) => Failure::usage(format!("no trust anchor is known for {url}"))
                .hint("provision this device first (keybearer provision --help), or name --anchor"),
            None => Failure::usage("no service is known to this device, and none was named")
                .hint("provision this device first (keybearer provision --help), or name --server and --anchor"),
        });
    };
    let damaged = || {
        Failure::input(format!(
            "{} names no usable service",
            state.join(SERVICES).display()
        ))
    };
    let known_url = service
        .url
        .parse::<ServerUrl>()
        .map_err(|error| damaged().cause(&error))?;
    let known_anchor = service
        .anchor
        .parse::<AnchorDigest>()
        .map_err(|error| damaged().cause(&error))?;
    Ok((url.unwrap_or(known_url), anchor.unwrap_or(known_anchor)))
}

/// Reads a token: one line of text, or bytes as they are.
pub(crate) fn read_token(path: &Path) -> Result<Vec<u8>, Failure> {
    /// Tokens are short; this only keeps a wrong file from being read whole.
    const MAX: u64 = 64 * 1024;
    let name = path.display();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| {
        std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX + 1), &mut bytes)
    });
    read.map_err(|error| Failure::input(format!("cannot read token file {name}")).cause(&error))?;
    let token = bytes.trim_ascii_end();
    if token.is_empty() || bytes.len() as u64 > MAX {
        return Err(Failure::input(format!(
            "token file {name} has {} bytes; expected 1 to {MAX}",
            bytes.len()
        )));
    }
    Ok(token.to_vec())
}

#[cfg(test)]
mod tests {
    use super::{AnchorDigest, ServerUrl, choose, remember};

    #[test]
    fn anchors_are_remembered_by_service() {
        let state = tempfile::tempdir().expect("a folder");
        let urls: [ServerUrl; 2] = ["http://one.example", "http://two.example"]
            .map(|url| url.parse().expect("an address"));
        let failure = choose(state.path(), Some(urls[0].clone()), None).expect_err("not known");
        assert!(failure.what.contains("no trust anchor"), "{}", failure.what);
        for (number, url) in (1..).zip(&urls) {
            remember(state.path(), url, &AnchorDigest([number; 32])).expect("remembered");
        }
        let chosen = |url| choose(state.path(), url, None).expect("known");
        assert_eq!(chosen(Some(urls[0].clone())).1, AnchorDigest([1; 32]));
        assert_eq!(chosen(None).1, AnchorDigest([2; 32]), "the latest");
        let named = choose(state.path(), None, Some(AnchorDigest([9; 32]))).expect("named");
        assert_eq!(named.1, AnchorDigest([9; 32]));
    }
}

//! `keybearer provision`: makes a key inside the trusted side and has an operator certify it.

use std::path::PathBuf;

use clap::Args;
use keybearer_client::{AnchorDigest, Client, Device, Enrollment, ProvisionToken, ServerUrl};
use serde_json::json;

use crate::device::{self, DeviceArguments};
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  keybearer provision --bundle enrollment.json
  keybearer provision --server http://127.0.0.1:7480 --anchor 9f86d0…0a08 \\
      --token-file token
  keybearer provision --key-digest --anchor 9f86d0…0a08

A bundle holds the anchor, the address and a token; `keybearer serve --bundle`
writes one. An enrolment token certifies at most level Low. A factory token
names the digest of this device's key, which --key-digest shows, and certifies
up to the level it states.

The anchor is the digest of the operator's root key. It comes from the
operator, never from the service: whoever gives it decides whom this device
trusts.";

/// Have an operator certify this device
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Provision {
    /// Enrolment bundle: anchor, address and token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "anchor"])]
    bundle: Option<PathBuf>,
    /// Address of the service
    #[arg(long, value_name = "URL")]
    server: Option<ServerUrl>,
    /// Digest of the operator's root key, 64 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = device::anchor)]
    anchor: Option<AnchorDigest>,
    /// A file with the enrolment or factory token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The token is a factory token
    #[arg(long, requires = "token_file")]
    factory: bool,
    /// Hardware model that the certificate shall name
    #[arg(long, value_name = "NAME", default_value = "generic")]
    model: String,
    /// Show the digest of this device's key, which a factory token must name, and stop
    #[arg(long)]
    key_digest: bool,
    #[command(flatten)]
    device: DeviceArguments,
}

impl Provision {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        interrupt::watch();
        let bundle = match &self.bundle {
            Some(path) => Some(Enrollment::read(path).map_err(|error| {
                Failure::input(format!("cannot use bundle {}", path.display())).cause(&error)
            })?),
            None => None,
        };
        let (mut url, mut anchor, mut token) = (self.server, self.anchor, None);
        if let Some(bundle) = bundle {
            (url, anchor, token) = (Some(bundle.url), Some(bundle.anchor), bundle.token);
        }
        let anchor = anchor.ok_or_else(|| {
            Failure::usage("whom shall this device trust? neither --bundle nor --anchor was given")
                .hint("ask the service's operator; `keybearer serve` prints the anchor")
        })?;
        if self.key_digest {
            return key_digest(&self.device, &anchor, terminal);
        }
        let url = url.ok_or_else(|| {
            Failure::usage("no service was named").hint("give --server URL, or --bundle FILE")
        })?;
        if let Some(path) = &self.token_file {
            let bytes = device::read_token(path)?;
            token = Some(if self.factory {
                ProvisionToken::Factory(bytes)
            } else {
                ProvisionToken::Enrollment(bytes)
            });
        }
        let token = token.ok_or_else(|| {
            Failure::usage("no token was given, neither in a bundle nor with --token-file")
                .hint("ask the service's operator for an enrolment token")
        })?;

        let (tee, considered) = self.device.open(terminal)?;
        let tee_name = tee.info().name;
        let client = Client::new(tee, url.clone(), anchor).cancelled_by(interrupt::cancel());
        let certified = client.provision(&token, &self.model)?;
        let state = self.device.state()?;
        device::remember(&state, &url, &anchor).map_err(|failure| {
            failure
                .hint("this device is provisioned all the same: name --server and --anchor to play")
        })?;
        if terminal.json {
            return terminal.print_json(&json!({
                "server": url.to_string(),
                "anchor": anchor.to_string(),
                "level": certified.level.name(),
                "debug": certified.debug,
                "model": self.model,
                "state": state,
                "tee": tee_name,
                "tee_considered": considered,
            }));
        }
        let debug = if certified.debug {
            ", as a development device"
        } else {
            ""
        };
        terminal.print(&format!(
            "provisioned with {url}: level {}{debug}, model {}\n",
            certified.level, self.model
        ))
    }
}

fn key_digest(
    device: &DeviceArguments,
    anchor: &AnchorDigest,
    terminal: Terminal,
) -> Result<(), Failure> {
    let (tee, _) = device.open(terminal)?;
    let mut connection = Device::connect(&*tee)?;
    let key = connection.device_key(anchor)?;
    let digest = hex::encode(key.digest);
    if terminal.json {
        return terminal.print_json(&json!({
            "anchor": anchor.to_string(),
            "key_digest": digest,
            "provisioned": key.provisioned,
        }));
    }
    terminal.print(&format!("{digest}\n"))
}

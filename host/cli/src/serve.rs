//! `keybearer serve`: the reference licence server, its keys, and enrolment bundles.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keybearer_client::{Enrollment, explain::time};
use keybearer_license::ServiceId;
use keybearer_server::{
    Config, DEFAULT_TENANT, EnrolmentToken, KeyDirectory, KeyError, RunningServer, Server,
    SystemClock,
};
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::{Terminal, bold};

const EXAMPLES: &str = "\
Examples:
  keybearer serve init keys --service \"Example service\"
                                 make the keys, print the anchor
  keybearer serve --config keybearer.toml
                                 run
  keybearer serve --config keybearer.toml --bundle device.json
                                 run, and enrol one device
  keybearer serve renew keys     a new service certificate

The smallest configuration:
  key_dir = \"keys\"
  store = \"keybearer.redb\"
  [[content]]
  id = \"film\"
  open = true
  [[content.key]]
  kid = \"8caa7e396f418e64ccdd707a12761c01\"
  key_file = \"film.key\"      # 16 bytes; or key = \"32 hex digits\"
  track = \"sd\"
  scheme = \"cenc\"
  iv = \"per-sample-16\"       # as the file has it: keybearer inspect FILE

Key files, and a configuration that holds keys, must be readable by their owner
only (chmod 600). Move root.key away after `init`: the running server never
opens it.";

/// Run the reference licence server, or make its keys
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Serve {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Mint a one-use enrolment token and write an enrolment bundle to FILE, in place of an older one
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The tenant that the bundle's device will belong to; may be left out where there is one, or
    /// one called default
    #[arg(long, value_name = "NAME", requires = "bundle")]
    tenant: Option<String>,
    /// What to log to standard error, such as info or keybearer_server=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a new operator's keys and print the anchor
    #[command(after_help = "\
Examples:
  keybearer serve init keys --service \"Example service\"
  keybearer serve init keys --service example --json")]
    Init {
        /// Folder for the keys; must not exist or be empty
        dir: PathBuf,
        /// The service's name in its certificate
        #[arg(long, value_name = "NAME")]
        service: String,
    },
    /// Issue a new service certificate (they live 30 days)
    #[command(after_help = "\
Examples:
  keybearer serve renew keys
  keybearer serve renew keys --root-key /media/safe/root.key
                                 new issuer certificates as well")]
    Renew {
        /// Folder of the keys
        dir: PathBuf,
        /// The root key, to renew the issuers' certificates as well
        #[arg(long, value_name = "FILE")]
        root_key: Option<PathBuf>,
    },
}

impl Serve {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        match (self.what, self.config) {
            (Some(What::Init { dir, service }), _) => init(&dir, &service, terminal),
            (Some(What::Renew { dir, root_key }), _) => renew(&dir, root_key.as_deref(), terminal),
            (None, Some(config)) => {
                let bundle = self.bundle.as_deref();
                run(&config, bundle, self.tenant, &self.log, terminal)
            }
            (None, None) => {
                Err(Failure::usage("no configuration was named").hint("give --config FILE"))
            }
        }
    }
}

fn init(dir: &Path, service: &str, terminal: Terminal) -> Result<(), Failure> {
    let id = ServiceId::new(service).map_err(|_| {
        Failure::usage(format!(
            "a service cannot be called {service:?}; expected 1 to 64 printable ASCII characters"
        ))
    })?;
    let anchor = KeyDirectory::create(dir, &id, &SystemClock)
        .map_err(|error| {
            let exit = match error {
                KeyError::Io { .. } => Exit::Output,
                _ => Exit::Input,
            };
            Failure::new(exit, format!("cannot make keys in {}", dir.display())).cause(&error)
        })?
        .to_string();
    terminal.say(format!("keys made in {}", dir.display()));
    terminal.say(format!(
        "move {} to a safe place now",
        dir.join("root.key").display()
    ));
    if terminal.json {
        return terminal.print_json(&json!({ "anchor": anchor, "service": service, "keys": dir }));
    }
    terminal.print(&format!("{anchor}\n"))
}

fn renew(dir: &Path, root_key: Option<&Path>, terminal: Terminal) -> Result<(), Failure> {
    let until = KeyDirectory::renew(dir, root_key, &SystemClock).map_err(|error| {
        let exit = match &error {
            KeyError::Io { source, .. } if is_full(source) => Exit::Output,
            _ => Exit::Input,
        };
        let what = format!("cannot renew the certificates in {}", dir.display());
        Failure::new(exit, what).cause(&error)
    })?;
    let until = time(until.0);
    if terminal.json {
        return terminal.print_json(&json!({ "keys": dir, "until": until }));
    }
    let name = dir.display();
    terminal.print(&format!(
        "the service certificate in {name} counts until {until}\n"
    ))
}

/// Whether nothing more can be written, rather than something not read.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | FileTooLarge | ReadOnlyFilesystem
    )
}

fn run(
    config: &Path,
    bundle: Option<&Path>,
    tenant: Option<String>,
    log: &str,
    terminal: Terminal,
) -> Result<(), Failure> {
    start_log(log)?;
    let name = config.display();
    let config = Config::load(config).map_err(|error| {
        Failure::input(format!("cannot use configuration {name}")).cause(&error)
    })?;
    // Before anything starts: a server that ends again at once helps nobody.
    let bundle = match bundle {
        Some(path) => {
            refuse_other_file(path)?;
            Some((path, tenant_of_bundle(&config, tenant)?))
        }
        None => None,
    };
    let public_url = config.public_url.clone();
    let server = Server::bind(config)
        .map_err(|error| Failure::new(Exit::Service, "the server cannot start").cause(&error))?;
    let handle = server.shutdown_handle();
    interrupt::watch_with(move || handle.shutdown());
    let anchor = server.anchor().to_string();
    if let Some((path, tenant)) = &bundle {
        write_bundle(path, tenant, &server)?;
    }
    let shown = Shown {
        url: public_url.unwrap_or_else(|| server.url()),
        admin: server.admin_addr(),
        token_file: server.admin_token_file().to_owned(),
    };
    shown.print(&anchor, bundle.map(|(path, _)| path), terminal)?;
    server
        .wait()
        .map_err(|error| Failure::new(Exit::Service, "the server ended").cause(&error))
}

/// What an operator must know of a server that has started.
struct Shown {
    /// The address that devices are given.
    url: String,
    admin: SocketAddr,
    token_file: PathBuf,
}

impl Shown {
    fn print(
        &self,
        anchor: &str,
        bundle: Option<&Path>,
        terminal: Terminal,
    ) -> Result<(), Failure> {
        if terminal.json {
            return terminal.print_json(&json!({
                "url": self.url,
                "admin": format!("http://{}", self.admin),
                "admin_token_file": self.token_file,
                "anchor": anchor,
                "bundle": bundle,
            }));
        }
        let mut text = format!("{}  {}\n", bold("licences"), self.url);
        let token = self.token_file.display();
        text += &format!(
            "{}     http://{} (token in {token})\n",
            bold("admin"),
            self.admin
        );
        text += &format!("{}    {anchor}\n", bold("anchor"));
        if let Some(path) = bundle {
            text += &format!(
                "{}    {}, good for one device, one hour\n",
                bold("bundle"),
                path.display()
            );
        }
        terminal.print(&text)
    }
}

fn start_log(filter: &str) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(format!("--log: {filter:?} is no filter"))
            .cause(&error)
            .hint("try info, debug or keybearer_server=debug")
    })?;
    // A second subscriber in one process cannot be: this is called once.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never)
        .try_init();
    Ok(())
}

/// Tokens of a bundle are good for an hour.
const BUNDLE_SECONDS: u32 = 3600;

/// The tenant that was named, or the one that goes without saying.
fn tenant_of_bundle(config: &Config, named: Option<String>) -> Result<String, Failure> {
    let names: Vec<&str> = config
        .tenants
        .iter()
        .map(|tenant| tenant.name.as_str())
        .collect();
    let known = names.join(", ");
    match (named, names.as_slice()) {
        (Some(name), names) if names.contains(&name.as_str()) => Ok(name),
        (Some(name), _) => Err(Failure::usage(format!("there is no tenant {name:?}"))
            .hint(format!("the configuration has {known}"))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, names) if names.contains(&DEFAULT_TENANT) => Ok(DEFAULT_TENANT.to_owned()),
        (None, _) => Err(Failure::usage(
            "the configuration has several tenants, and none is called default",
        )
        .hint(format!("give --tenant and one of {known}"))),
    }
}

/// Mints a token and writes the bundle that brings it to a device, readable for its owner alone.
fn write_bundle(path: &Path, tenant: &str, server: &RunningServer) -> Result<(), Failure> {
    let unwritten = |error: std::io::Error| {
        Failure::new(
            Exit::Output,
            format!("cannot write bundle {}", path.display()),
        )
        .cause(&error)
    };
    let path = destination(path).map_err(unwritten)?;
    let token = EnrolmentToken {
        tenant: tenant.to_owned(),
        model: None,
        valid_seconds: BUNDLE_SECONDS,
    };
    let registry = server.registry();
    let bundle = registry
        .mint_enrolment(&token)
        .and_then(|minted| registry.bundle(&minted))
        .map_err(|error| {
            Failure::new(Exit::Service, "no enrolment token can be minted").cause(&error)
        })?;
    // A temporary file is made for its owner's eyes only, and keeps that when it is renamed.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(unwritten)?;
    std::io::Write::write_all(&mut file, bundle.to_string().as_bytes()).map_err(unwritten)?;
    file.persist(&path)
        .map_err(|error| unwritten(error.error))?;
    Ok(())
}

/// Refuses to put a bundle in place of a file that is none: the configuration, a key, the store.
fn refuse_other_file(path: &Path) -> Result<(), Failure> {
    let about = std::fs::metadata(path);
    if about.is_ok_and(|about| about.is_file() && about.len() > 0)
        && Enrollment::read(path).is_err()
    {
        let what = format!("{} is there and is no enrolment bundle", path.display());
        return Err(Failure::usage(what).hint("choose another name for the bundle"));
    }
    Ok(())
}

/// Where a file of this name is to be: where a link leads, and never in place of a device, a pipe
/// or a folder, which a rename would take from every program of the machine.
fn destination(path: &Path) -> std::io::Result<PathBuf> {
    use std::io::{Error, ErrorKind};
    match (std::fs::metadata(path), path.symlink_metadata()) {
        (Ok(there), _) if there.is_file() => path.canonicalize(),
        (Ok(_), _) => Err(Error::new(
            ErrorKind::InvalidInput,
            "what stands there is no file",
        )),
        (Err(_), Ok(_)) => Err(Error::new(
            ErrorKind::InvalidInput,
            "a link that leads nowhere stands there",
        )),
        (Err(error), Err(_)) if error.kind() != ErrorKind::NotFound => Err(error),
        (Err(_), Err(_)) => Ok(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;

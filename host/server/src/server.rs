//! Starting and stopping.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use keybearer_crypto::{Crypto, Digest};
use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Limits};
use crate::crypto::ServiceCrypto;
use crate::error::ServerError;
use crate::http::{self, App};
use crate::keys::files::read_private;
use crate::keys::{Anchor, KeyDirectory, KeyError, admin_token_file};
use crate::registry::Registry;
use crate::service::{Fault, Service};
use crate::store::Store;
use crate::usage::RuleBook;

/// How often the server looks after its certificate and revocation list, in seconds.
const TEND_SECONDS: u64 = 3600;
/// Shortest admin token that is accepted, in bytes: what can be guessed protects nothing.
const MIN_ADMIN_TOKEN: usize = 32;

/// A server whose keys, store and addresses are ready.
pub struct Server {
    service: Arc<Service>,
    public: TcpListener,
    admin: TcpListener,
    addresses: Addresses,
    admin_token: Digest,
    admin_token_file: PathBuf,
}

#[derive(Clone, Copy)]
struct Addresses {
    public: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    /// Starts a server on a thread of its own and returns once it accepts connections.
    ///
    /// # Errors
    /// [`ServerError`], which names the file, address or setting at fault.
    pub fn bind(config: Config) -> Result<RunningServer, ServerError> {
        Self::bind_at(config, Arc::new(SystemClock))
    }

    /// As [`Self::bind`], with another clock.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub fn bind_at(config: Config, clock: Arc<dyn Clock>) -> Result<RunningServer, ServerError> {
        let server = Self::open(config, clock)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(http::threads())
            .thread_name("keybearer-server")
            .build()?;
        let (stop, mut stopped) = watch::channel(false);
        let mut running = RunningServer {
            anchor: *server.service.keys().root(),
            registry: Registry::new(&server.service),
            addresses: server.addresses,
            admin_token_file: server.admin_token_file.clone(),
            handle: ShutdownHandle {
                stop: Arc::new(stop),
            },
            thread: None,
        };
        let thread = std::thread::Builder::new()
            .name("keybearer-server".into())
            .spawn(move || {
                let asked = async move { http::asked_to_stop(&mut stopped).await };
                runtime.block_on(server.serve(asked))
            })?;
        running.thread = Some(thread);
        Ok(running)
    }

    /// Checks and opens everything: configuration, keys, store, addresses. The addresses accept
    /// connections from here on; they are answered once [`Self::serve`] runs.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self, ServerError> {
        config.check()?;
        let config = config.with_key_files()?;
        let keys = KeyDirectory::open(&config.key_dir, &*clock)?;
        let admin_token_file = config
            .admin_token_file
            .clone()
            .unwrap_or_else(|| admin_token_file(&config.key_dir));
        let admin_token = read_admin_token(&admin_token_file)?;
        let store = Store::open(&config.store, config.limits.store_cache_bytes)?;
        store.try_store_key(keys.store_key())?;
        check_conflicts(&config, &store)?;
        let book = usage_rules(&config, &store)?;
        let (public, admin) = (listen(config.listen)?, listen(config.admin_listen)?);
        let addresses = Addresses {
            public: public.local_addr()?,
            admin: admin.local_addr()?,
        };
        if !addresses.admin.ip().is_loopback() {
            tracing::warn!(
                address = %addresses.admin,
                "the admin listener is not on loopback and speaks plain HTTP: put TLS before it"
            );
        }
        let public_url = config
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", addresses.public));
        let service = Service::new(keys, store, clock, config, book, public_url).map_err(
            |fault| match fault {
                Fault::Message(error) => ServerError::Keys(KeyError::Crypto(error)),
                Fault::Store(error) => error.into(),
            },
        )?;
        Ok(Self {
            service: Arc::new(service),
            public,
            admin,
            addresses,
            admin_token,
            admin_token_file,
        })
    }

    /// The operator's interface.
    #[must_use]
    pub fn registry(&self) -> Registry {
        Registry::new(&self.service)
    }

    /// Where devices reach the server.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses.public
    }

    /// Where the operator reaches it.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.addresses.admin
    }

    /// Serves until `shutdown` completes, then finishes what is open. Needs a tokio runtime with
    /// time and I/O.
    ///
    /// # Errors
    /// [`ServerError::Runtime`] where the listeners cannot be handed to the runtime.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let app = Arc::new(App::new(Arc::clone(&self.service), self.admin_token));
        let limits: Limits = self.service.limits().clone();
        let public = tokio::net::TcpListener::from_std(self.public)?;
        let admin = tokio::net::TcpListener::from_std(self.admin)?;
        tracing::info!(
            public = %self.addresses.public,
            admin = %self.addresses.admin,
            anchor = %self.service.keys().root(),
            "licence server is up"
        );
        let (stop, stopped) = watch::channel(false);
        let public_router = http::public::router(Arc::clone(&app));
        let serving = async {
            tokio::join!(
                http::serve(public, public_router, limits.clone(), stopped.clone()),
                http::serve(
                    admin,
                    http::admin::router(app),
                    limits.clone(),
                    stopped.clone()
                ),
            )
        };
        let stopping = async {
            tokio::select! {
                () = shutdown => {}
                () = tend(&self.service) => {}
            }
            stop.send_replace(true);
        };
        tokio::join!(serving, stopping);
        tracing::info!("licence server has stopped");
        Ok(())
    }
}

/// Looks after what time brings, for as long as it is polled.
async fn tend(service: &Arc<Service>) {
    let mut interval = tokio::time::interval(Duration::from_secs(TEND_SECONDS));
    // The first tick is at once, and everything is fresh.
    interval.tick().await;
    loop {
        interval.tick().await;
        let service = Arc::clone(service);
        let tended = tokio::task::spawn_blocking(move || service.tend()).await;
        if tended.is_err() {
            tracing::error!("looking after the certificate failed");
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServerError> {
    let failed = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// The digest of the admin token, which is the one line of its file.
fn read_admin_token(path: &Path) -> Result<Digest, ServerError> {
    let bytes = read_private(path)?;
    let token = bytes.trim_ascii();
    if token.len() < MIN_ADMIN_TOKEN || token.contains(&b'\n') {
        return Err(ServerError::Keys(KeyError::Format {
            path: path.to_owned(),
            expected: "one line with a token of at least 32 characters",
        }));
    }
    Ok(ServiceCrypto::new().sha256(&[token]))
}

/// Refuses a configuration whose contents or keys are in the store as well: which of the two
/// counts would be a guess.
fn check_conflicts(config: &Config, store: &Store) -> Result<(), ServerError> {
    let view = store.view()?;
    let stored = view.contents()?;
    for content in &config.contents {
        let conflict = |what: String| ServerError::Conflict {
            content: content.id.clone(),
            what,
        };
        for other in &stored {
            if other.id == content.id {
                return Err(conflict("a content of this name is in the store".into()));
            }
            let shared = content
                .keys
                .iter()
                .find(|key| other.keys.iter().any(|k| k.kid == key.kid));
            if let Some(key) = shared {
                return Err(conflict(format!(
                    "key {} is in the store, in content {:?}",
                    key.kid, other.id
                )));
            }
        }
    }
    Ok(())
}

/// The usage rules of configuration and store as one. What both define is refused, as contents are.
fn usage_rules(config: &Config, store: &Store) -> Result<RuleBook, ServerError> {
    let stored = store.view()?.definitions()?;
    let all = config.usage_rules.joined(&stored).map_err(|what| {
        ServerError::UsageRules(format!(
            "{what} is in both; take it out of the file, or start the server without it there and \
             remove it at the admin interface"
        ))
    })?;
    RuleBook::new(all).map_err(|unsound| ServerError::UsageRules(unsound.to_string()))
}

/// Asks a running server to stop.
#[derive(Clone)]
pub struct ShutdownHandle {
    stop: Arc<watch::Sender<bool>>,
}

impl ShutdownHandle {
    /// Asks, and does not wait.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
    }
}

/// A server on a thread of its own. Dropping it stops it and waits until it has.
pub struct RunningServer {
    anchor: Anchor,
    registry: Registry,
    addresses: Addresses,
    admin_token_file: PathBuf,
    handle: ShutdownHandle,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl RunningServer {
    /// Where devices reach it.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses.public
    }

    /// Where the operator reaches it.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.addresses.admin
    }

    /// The public listener's address as a URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addresses.public)
    }

    /// The admin listener's address as a URL, without a slash at its end.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.addresses.admin)
    }

    /// What devices pin.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// The file with the token of the admin listener.
    #[must_use]
    pub fn admin_token_file(&self) -> &Path {
        &self.admin_token_file
    }

    /// The operator's interface.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// A handle that asks the server to stop, for signal handlers and other threads.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.handle.clone()
    }

    /// Stops the server, finishing open requests, and closes the store.
    ///
    /// # Errors
    /// [`ServerError::Panicked`], and what the server itself ended with.
    pub fn shutdown(mut self) -> Result<(), ServerError> {
        self.handle.shutdown();
        self.join()
    }

    /// Waits until a [`ShutdownHandle`] stops the server.
    ///
    /// # Errors
    /// As [`Self::shutdown`].
    pub fn wait(mut self) -> Result<(), ServerError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), ServerError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(ServerError::Panicked),
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Err(error) = self.join() {
            tracing::error!(%error, "the licence server ended badly");
        }
    }
}

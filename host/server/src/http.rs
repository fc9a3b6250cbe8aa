//! HTTP/1.1 around the service: connections, limits and time.
//!
//! Distrusts every peer to be slow, cut off, endless or many: a connection has a place among a
//! fixed number, a head and a body have their time, and a body is measured before it is read.

pub(crate) mod admin;
mod body;
mod console;
mod devices;
mod json;
mod preconditions;
mod problem;
pub(crate) mod public;
mod usage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use keybearer_crypto::Digest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::Limits;
use crate::metrics::Endpoint;
use crate::registry::Registry;
use crate::service::{Fault, Service};
use problem::Problem;

/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How long a connection is kept at most, in seconds, whatever it does.
const CONNECTION_SECONDS: u64 = 300;
/// Pause after a failed accept, which mostly means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the handlers of both listeners share.
pub(crate) struct App {
    pub(crate) service: Arc<Service>,
    pub(crate) registry: Registry,
    /// Places for messages that are worked on.
    permits: Arc<Semaphore>,
    /// SHA-256 of the admin token.
    admin_token: Digest,
}

impl App {
    pub(crate) fn new(service: Arc<Service>, admin_token: Digest) -> Self {
        let permits = Arc::new(Semaphore::new(service.limits().concurrent_requests));
        Self {
            registry: Registry::new(&service),
            service,
            permits,
            admin_token,
        }
    }

    fn request_time(&self) -> Duration {
        Duration::from_secs(self.service.limits().request_seconds)
    }

    fn body_time(&self) -> Duration {
        Duration::from_secs(self.service.limits().body_seconds)
    }

    /// Does a piece of the service's work where waiting for the disk holds up nobody.
    async fn work<T: Send + 'static>(
        &self,
        endpoint: Endpoint,
        work: impl FnOnce(&Service) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Problem> {
        let started = Instant::now();
        let metrics = self.service.metrics();
        metrics.request(endpoint);
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Err(Problem::overloaded());
        };
        let service = Arc::clone(&self.service);
        let task = tokio::task::spawn_blocking(move || {
            // Given back when the work is really over, not when nobody waits for it any more.
            let _permit = permit;
            work(&service)
        });
        let result = match timeout(self.request_time(), task).await {
            Ok(Ok(result)) => result.map_err(Problem::from),
            Ok(Err(_)) => Err(Problem::internal()),
            Err(_) => Err(Problem::overloaded()),
        };
        metrics.took(started.elapsed());
        result
    }
}

/// How many threads read requests and write answers: one for each four processors. The work itself is done
/// on others, and takes so much longer that more would only wake each other up.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(4))
}

/// Marks an answer as not to be kept by anyone on the way.
async fn no_store(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Serves `router` on `listener` until `stop` says so; then finishes what is open.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let mut stopped = stop.clone();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = asked_to_stop(&mut stopped) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // One connection too many is closed at once, which its owner can see.
                    if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                        let (router, limits, stop) = (router.clone(), limits.clone(), stop.clone());
                        connections.spawn(connection(stream, router, limits, stop, place));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let open = async { while connections.join_next().await.is_some() {} };
    if timeout(Duration::from_secs(limits.request_seconds), open)
        .await
        .is_err()
    {
        tracing::warn!("connections were cut because the server stops");
    }
}

/// Waits until the server is to stop.
pub(crate) async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    // An error says that nobody is left who could ask, which comes to the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One connection from its first byte to its last.
async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // An answer is written in one piece; waiting for more would only delay it.
    let _ = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_seconds))
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        // What ends a connection early (a peer that went away, a head that never came) is the
        // peer's doing and no news to the operator.
        _ = connection.as_mut() => return,
        () = asked_to_stop(&mut stop) => {}
        () = sleep(Duration::from_secs(CONNECTION_SECONDS)) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(Duration::from_secs(limits.request_seconds), connection).await;
}

#[cfg(test)]
mod tests;

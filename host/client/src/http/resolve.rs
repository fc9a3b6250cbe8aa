//! Host names to addresses, given up when the exchange ends.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use rustix::event::PollFlags;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver as Resolves};
use ureq::unversioned::transport::NextTimeout;

use super::interrupt::wait;

/// Most addresses of one host that are tried.
const MAX_ADDRESSES: usize = 16;

/// Asks the system. Its call can neither be given a time nor ended, so a name (not an address) is looked
/// up on a thread of its own, which ends when the system has an answer, whoever still wants it.
#[derive(Debug)]
pub(super) struct Resolver;

impl Resolves for Resolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let parts = uri.scheme().zip(uri.authority());
        let place = parts.and_then(|(scheme, at)| DefaultResolver::host_and_port(scheme, at));
        let place = place.ok_or(Error::HostNotFound)?;
        let found = match place.parse::<SocketAddr>() {
            Ok(address) => vec![address],
            Err(_) => looked_up(place, timeout)?,
        };
        let family = config.ip_family();
        let mut addresses = self.empty();
        for address in family.keep_wanted(found.into_iter()).take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}

fn looked_up(place: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let (done, signal) = UnixStream::pair()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("name lookup".into())
        .spawn(move || {
            let found = place.to_socket_addrs().map(Iterator::collect);
            // Nobody waits any more when the exchange has ended.
            let _ = sender.send(found);
            drop(signal);
        })?;
    let deadline = Instant::now().checked_add(*timeout.after);
    // The other end goes when the thread is done.
    wait(done.as_fd(), PollFlags::IN, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    })?;
    match receiver.recv() {
        Ok(found) => Ok(found?),
        // The thread is gone without an answer.
        Err(_) => Err(Error::HostNotFound),
    }
}

//! A licence session, without network: requests come out as bytes, answers go in as bytes.

mod connection;
mod decrypt;
mod link;
mod shared;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keybearer_rules::Output;
use keybearer_tee::SharedMemory;

pub(crate) use self::connection::Connection;
pub use self::decrypt::DecryptCall;
pub(crate) use self::link::Link;
pub(crate) use self::shared::Shared;
pub use self::watch::Watch;
use crate::error::Ended;
use crate::events::{Changes, TICK};
use crate::{
    AnchorDigest, Cancel, ClientError, Description, Device, KeyId, License, LicenseId,
    LicenseWanted, OutputsSource, StatusEvents, Statuses,
};

/// A licence session with a connection of its own. Dropping it erases its keys in the trusted side and
/// ends whoever waits for them.
///
/// Threads may share it: each call has the connection to itself for as long as the trusted side takes,
/// which no network has a part in. At most [`keybearer_wire::limits::MAX_PENDING_PER_SESSION`] requests
/// of one session can wait for their answers; a further one makes the trusted side forget the oldest.
pub struct Session {
    shared: Arc<Shared>,
    /// Whether dropping this value closes the session.
    owns: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("anchor", &self.shared.anchor)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session whose waits end when `client` is triggered.
    pub(crate) fn new(link: Link, anchor: AnchorDigest, client: Cancel) -> Self {
        Self::with_tick(link, anchor, client, TICK)
    }

    pub(crate) fn with_tick(
        link: Link,
        anchor: AnchorDigest,
        client: Cancel,
        tick: Duration,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                link: Mutex::new(Some(link)),
                anchor,
                changes: Arc::new(Changes::new(tick, client)),
                feed: Mutex::default(),
                ended: Cancel::new(),
            }),
            owns: true,
        }
    }

    /// The session for a thread that must not keep it open.
    fn lent(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            owns: false,
        }
    }

    /// Triggered when the session is closed.
    pub(crate) fn ended(&self) -> &Cancel {
        &self.shared.ended
    }

    /// What the trusted side is.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`]; so for every method here. After
    /// [`Self::close`] by another thread, [`ClientError::Cancelled`].
    pub fn describe(&self) -> Result<Description, ClientError> {
        self.shared
            .with("asking what the trusted side is", Link::describe)
    }

    /// Builds a licence request: for the service's `/v1/license`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NoChallenge` when the last challenge is used up: fetch
    /// `/v1/service-info` and give it to [`Self::renew_challenge`]; [`ClientError::Input`].
    pub fn license_request(&self, wanted: &LicenseWanted) -> Result<Vec<u8>, ClientError> {
        self.shared.with("building a licence request", |link| {
            let info = link.service_info.take();
            let built = link.license_request(wanted, info.as_deref());
            // Its challenge is used up only when a request was built.
            if built.is_err() {
                link.service_info = info;
            }
            built
        })
    }

    /// As [`Self::license_request`], with the challenge of this service info, if any: no other thread
    /// can use it up.
    pub(crate) fn license_request_with(
        &self,
        wanted: &LicenseWanted,
        info: Option<&[u8]>,
    ) -> Result<Vec<u8>, ClientError> {
        match info {
            Some(_) => self.shared.with("building a licence request", |link| {
                link.license_request(wanted, info)
            }),
            None => self.license_request(wanted),
        }
    }

    /// Keeps a newer service info, whose challenge the next request will carry.
    pub fn renew_challenge(&self, service_info: Vec<u8>) {
        if let Some(link) = self.shared.link().as_mut() {
            link.service_info = Some(service_info);
        }
    }

    /// Takes the service's answer to a request of this session.
    ///
    /// # Errors
    /// [`ClientError::Denied`]; [`ClientError::Refused`] when the answer is cut, forged, another's, or
    /// demands what this device cannot do: no key is loaded then, and the right answer may still
    /// follow.
    pub fn load_license(&self, answer: &[u8]) -> Result<License, ClientError> {
        self.shared
            .change("taking the licence", |link| link.load_license(answer))
    }

    /// The licences of this session and the status of each key now.
    ///
    /// # Errors
    /// See [`Self::describe`].
    pub fn statuses(&self) -> Result<Statuses, ClientError> {
        self.shared.look()
    }

    /// Erases a licence and its keys.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `UnknownLicense`.
    pub fn remove_license(&self, license: &LicenseId) -> Result<(), ClientError> {
        self.shared
            .change("removing a licence", |link| link.remove_license(license))
    }

    /// Builds a time request: for the service's `/v1/time`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NoChallenge`, as for [`Self::license_request`].
    pub fn time_request(&self) -> Result<Vec<u8>, ClientError> {
        self.shared.with("building a time request", |link| {
            let info = link.service_info.take();
            let built = link.time_request(info.as_deref());
            if built.is_err() {
                link.service_info = info;
            }
            built
        })
    }

    /// As [`Self::time_request`], with the challenge of this service info.
    pub(crate) fn time_request_with(&self, info: &[u8]) -> Result<Vec<u8>, ClientError> {
        self.shared.with("building a time request", |link| {
            link.time_request(Some(info))
        })
    }

    /// Takes the service's time. It must arrive within 30 seconds of its request.
    ///
    /// # Errors
    /// [`ClientError::Denied`]; [`ClientError::Refused`], with `Late` for a late answer.
    pub fn load_time_answer(&self, answer: &[u8]) -> Result<(), ClientError> {
        self.shared.change("taking the service's time", |link| {
            link.load_time_answer(answer)
        })
    }

    /// Takes a newer revocation list of the session's anchor.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a list that is older or not the anchor's.
    pub fn load_revocation_list(&self, list: &[u8]) -> Result<(), ClientError> {
        let anchor = &self.shared.anchor;
        self.shared.with("taking a revocation list", |link| {
            link.load_revocation_list(anchor, list)
        })
    }

    /// Decrypts samples of one track under one key where they stand: `data` holds them one behind the
    /// other, as the call's table says.
    ///
    /// # Errors
    /// [`ClientError::Refused`], with `KeyNotUsable` when [`Self::statuses`] has the reasons;
    /// `data` is then unchanged.
    pub fn decrypt(&self, call: &DecryptCall<'_>, data: &mut [u8]) -> Result<(), ClientError> {
        self.shared.with("decrypting", |link| {
            self.shared.bring_outputs(link)?;
            let sequence = link.decrypt(call, data)?;
            self.heard(link, Some(sequence));
            Ok(())
        })
    }

    /// Memory of `len` bytes that the trusted side sees as well, for media; `None` where there is none
    /// to be had, and media is then copied.
    ///
    /// # Errors
    /// See [`keybearer_tee::TeeSession::shared_memory`].
    pub fn shared_memory(&self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, ClientError> {
        self.shared
            .with("sharing memory", |link| link.shared_memory(len))
    }

    /// Reports once which outputs are active. It counts for two seconds, from the next moment on, for
    /// this session alone; a host that follows its outputs names a source instead
    /// ([`Self::follow_outputs`]). Beside such a source it counts until that is asked next.
    ///
    /// # Errors
    /// [`ClientError::Refused`], with `NotSupported` where the platform has a monitor, whose word is the
    /// only one.
    pub fn report_outputs(&self, outputs: &[Output]) -> Result<(), ClientError> {
        let shared = &self.shared;
        shared.with("reporting the outputs", |link| shared.report(link, outputs))
    }

    /// Follows the outputs that this source tells, in place of another: see [`OutputsSource`] for when
    /// it is asked, and what becomes of its answers. Where the platform has a monitor, nobody asks it.
    pub fn follow_outputs(&self, source: impl OutputsSource + 'static) {
        self.shared.feed().follow(Some(Box::new(source)));
    }

    /// Follows no outputs any more. What was reported last is forgotten two seconds after.
    pub fn unfollow_outputs(&self) {
        self.shared.feed().follow(None);
    }

    /// A handle that waits for this session's keys without keeping it open.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let (shared, changes) = (Arc::downgrade(&self.shared), &self.shared.changes);
        Watch::new(shared, Arc::clone(changes))
    }

    /// See [`Watch::subscribe`].
    ///
    /// # Errors
    /// See [`Self::describe`].
    pub fn subscribe(&self) -> Result<StatusEvents, ClientError> {
        self.watch().subscribe()
    }

    /// See [`Watch::wait_usable`].
    ///
    /// # Errors
    /// See there.
    pub fn wait_usable(
        &self,
        key_ids: &[KeyId],
        timeout: Option<Duration>,
        cancel: &Cancel,
    ) -> Result<(), ClientError> {
        self.watch().wait_usable(key_ids, timeout, cancel)
    }

    /// Closes the session, which erases its keys, and gives its connection back. Whoever waits for its
    /// keys is told.
    ///
    /// # Errors
    /// See [`Self::describe`]. The keys are gone in any case.
    pub fn close(self) -> Result<Device, ClientError> {
        self.shared.end();
        let link = self.shared.link().take();
        let link = link.ok_or(closed("closing the session"))?;
        Ok(Device::from_connection(link.close()?))
    }

    /// Goes on over another connection, on which the trusted side holds nothing for this session yet.
    pub(crate) fn replace(&self, link: Link) -> Result<(), ClientError> {
        let mut current = self.shared.link();
        let current = current.as_mut().ok_or(closed("opening the session anew"))?;
        *current = link;
        self.shared.feed().forget();
        self.shared.changes.saw(None);
        self.shared.changes.moves();
        Ok(())
    }

    /// Whether its media goes to a decoder.
    pub(crate) fn is_protected(&self) -> bool {
        let link = self.shared.link();
        link.as_ref().is_some_and(Link::is_protected)
    }

    /// Runs a call over the connection that may need to know the outputs.
    pub(crate) fn protected<T>(
        &self,
        during: &'static str,
        call: impl FnOnce(&mut Link) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.shared.with(during, |link| {
            self.shared.bring_outputs(link)?;
            call(link)
        })
    }

    /// Looks at the statuses if the number in an answer says that they have changed.
    pub(crate) fn heard(&self, link: &mut Link, sequence: Option<u64>) {
        if sequence.is_some_and(|sequence| self.shared.changes.is_news(sequence)) {
            // What was done is done; the next look will say what this one could not.
            let _ = self.shared.look_with(link);
        }
    }

    pub(crate) fn anchor(&self) -> &AnchorDigest {
        &self.shared.anchor
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.owns {
            return;
        }
        self.shared.end();
        // A thread that is at the connection right now closes it when it is done, moments later.
        if let Ok(mut link) = self.shared.link.try_lock() {
            link.take();
        }
    }
}

const fn closed(during: &'static str) -> ClientError {
    ClientError::Cancelled {
        during,
        why: Ended::Session,
    }
}

#[cfg(test)]
mod tests;

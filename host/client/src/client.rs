//! The trusted side and a licence service, brought together over a transport.

mod acquire;

pub(crate) use self::acquire::Intake;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keybearer_license::{
    MAX_PROVISION_ANSWER, MAX_REVOCATION_LIST, MAX_SERVICE_INFO, MAX_TIME_ANSWER,
};
use keybearer_tee::Tee;
use keybearer_wire::Status;

use crate::error::Ended;
use crate::retry::Budget;
use crate::session::Link;
use crate::{
    AnchorDigest, Cancel, Certified, ClientError, Description, Device, DeviceKey, HttpRequest,
    HttpResponse, HttpTransport, Method, ProtectedSession, ProvisionToken, RetryPolicy, ServerUrl,
    Session, Transport, TransportError,
};

/// Longest text of a service's unsealed error that is passed on, in characters.
const MAX_MESSAGE: usize = 200;

/// A device, a licence service and the way between them.
///
/// Threads may share it, and clones are the same client: each session has a connection to the trusted
/// side of its own, so no session waits for another. [`Self::provision`], [`Self::open_session`],
/// [`Self::reopen`], [`Self::acquire`], [`Self::acquire_keys`], [`Self::renew`], [`Self::sync_time`] and
/// [`Self::update_revocation_list`] block for the network, no longer than [`RetryPolicy::deadline`] and
/// until cancelled ([`Self::cancelled_by`], [`Self::shut_down`]); the others only for the trusted side.
#[derive(Clone)]
pub struct Client {
    tee: Arc<dyn Tee>,
    url: ServerUrl,
    anchor: AnchorDigest,
    transport: Arc<dyn Transport>,
    retry: RetryPolicy,
    owner: Arc<Owner>,
    /// What ends this handle's waits: the owner's, and the caller's if one was given.
    cancel: Cancel,
}

/// Ends all waits when the last handle of a client goes.
struct Owner(Cancel);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("tee", &self.tee.info())
            .field("url", &self.url)
            .field("anchor", &self.anchor)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the service at `url`, whose certificates must lead to `anchor`.
    #[must_use]
    pub fn new(tee: Arc<dyn Tee>, url: ServerUrl, anchor: AnchorDigest) -> Self {
        let cancel = Cancel::new();
        Self {
            tee,
            url,
            anchor,
            transport: Arc::new(HttpTransport::new()),
            retry: RetryPolicy::default(),
            owner: Arc::new(Owner(cancel.clone())),
            cancel,
        }
    }

    /// Uses another transport.
    #[must_use]
    pub fn with_transport(mut self, transport: Box<dyn Transport>) -> Self {
        self.transport = Arc::from(transport);
        self
    }

    /// Uses another retry policy.
    #[must_use]
    pub const fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The same client, whose calls `cancel` ends as well: with [`ClientError::Cancelled`], at once,
    /// whatever they wait for.
    #[must_use]
    pub fn cancelled_by(&self, cancel: &Cancel) -> Self {
        Self {
            cancel: self.cancel.joined(cancel),
            ..self.clone()
        }
    }

    /// Ends every call of this client and its clones that waits, every wait for keys of its sessions,
    /// and all later ones. So does dropping the last clone.
    pub fn shut_down(&self) {
        self.owner.0.cancel();
    }

    /// The same client for a thread that must not keep it: the last other handle that goes ends its
    /// waits.
    pub(crate) fn lent(&self) -> Self {
        let owner = self.owner.0.joined(&Cancel::new());
        Self {
            cancel: self.cancel.joined(&owner),
            owner: Arc::new(Owner(owner)),
            ..self.clone()
        }
    }

    /// Fails once this handle's waits were ended.
    pub(crate) fn check(&self, during: &'static str) -> Result<(), ClientError> {
        if self.cancel.is_cancelled() {
            Err(self.cancelled(during))
        } else {
            Ok(())
        }
    }

    /// What ends this handle's waits.
    pub(crate) const fn cancel_handle(&self) -> &Cancel {
        &self.cancel
    }

    /// What the trusted side is.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`]; so for every method here. Those that wait for
    /// the network give [`ClientError::Cancelled`] as well.
    pub fn describe(&self) -> Result<Description, ClientError> {
        Device::connect(&*self.tee)?.describe()
    }

    /// The device's key under the client's anchor, made if there is none.
    ///
    /// # Errors
    /// See [`Device::device_key`].
    pub fn device_key(&self) -> Result<DeviceKey, ClientError> {
        Device::connect(&*self.tee)?.device_key(&self.anchor)
    }

    /// Obtains a certificate for the device's key. A device that has one gets a new one.
    ///
    /// # Errors
    /// [`ClientError::Denied`] for a token that the service does not take; [`ClientError::Http`].
    pub fn provision(&self, token: &ProvisionToken, model: &str) -> Result<Certified, ClientError> {
        let budget = self.begin();
        let mut device = Device::connect(&*self.tee)?;
        let service_info = self.service_info(&budget, &self.url)?;
        let request = device.provision_request(&self.anchor, &service_info, token, model)?;
        let post = Post {
            during: "provisioning",
            path: "/v1/provision",
            limit: MAX_PROVISION_ANSWER,
        };
        let answer = self.post(&budget, &self.url, &post, &request)?;
        device.finish_provisioning(&self.anchor, &answer)
    }

    /// Opens a licence session towards the service.
    ///
    /// # Errors
    /// See [`Device::open_session`]; [`ClientError::Http`].
    pub fn open_session(&self) -> Result<Session, ClientError> {
        let link = self.open_link(&self.anchor, false)?;
        Ok(Session::new(link, self.anchor, self.owner.0.clone()))
    }

    /// Opens a protected licence session: its media goes to a decoder in the trusted side.
    ///
    /// # Errors
    /// See [`Device::open_protected_session`]; [`ClientError::Http`].
    pub fn open_protected_session(&self) -> Result<ProtectedSession, ClientError> {
        let link = self.open_link(&self.anchor, true)?;
        let session = Session::new(link, self.anchor, self.owner.0.clone());
        Ok(ProtectedSession::new(session))
    }

    /// Opens a session anew whose trusted side died ([`ClientError::is_dead`]), under the same value, so
    /// that whoever shares or watches it goes on. Its licences are gone: acquire them again. A protected
    /// session stays one, and its track has to be configured again.
    ///
    /// # Errors
    /// See [`Self::open_session`]; the session is then as it was.
    pub fn reopen(&self, session: &Session) -> Result<(), ClientError> {
        session.replace(self.open_link(session.anchor(), session.is_protected())?)
    }

    fn open_link(&self, anchor: &AnchorDigest, protected: bool) -> Result<Link, ClientError> {
        let device = match protected {
            true => Device::connect_protected(&self.tee)?,
            false => Device::connect(&*self.tee)?,
        };
        device.open_link(anchor, &self.service_info(&self.begin(), &self.url)?)
    }

    /// Brings the service's time to the trusted side.
    ///
    /// # Errors
    /// [`ClientError::Http`], [`ClientError::Refused`].
    pub fn sync_time(&self, session: &Session) -> Result<(), ClientError> {
        let budget = self.begin();
        let request = match session.time_request() {
            Err(ClientError::Refused {
                status: Status::NoChallenge,
                ..
            }) => session.time_request_with(&self.service_info(&budget, &self.url)?)?,
            built => built?,
        };
        let post = Post {
            during: "asking for the service's time",
            path: "/v1/time",
            limit: MAX_TIME_ANSWER,
        };
        let answer = self.post(&budget, &self.url, &post, &request)?;
        session.load_time_answer(&answer)
    }

    /// Brings the service's revocation list to the trusted side.
    ///
    /// # Errors
    /// [`ClientError::Http`], [`ClientError::Refused`].
    pub fn update_revocation_list(&self, session: &Session) -> Result<(), ClientError> {
        self.bring_revocation_list(&self.begin(), session)
    }

    fn bring_revocation_list(
        &self,
        budget: &Budget<'_>,
        session: &Session,
    ) -> Result<(), ClientError> {
        let during = "fetching the revocation list";
        let url = self.url.join("/v1/revocation-list");
        let list = self.exchange(budget, during, Method::Get, &url, &[], MAX_REVOCATION_LIST)?;
        session.load_revocation_list(&list)
    }

    fn begin(&self) -> Budget<'_> {
        self.retry.begin(&self.cancel)
    }

    fn service_info(&self, budget: &Budget<'_>, at: &ServerUrl) -> Result<Vec<u8>, ClientError> {
        let during = "fetching the service's certificate";
        let url = at.join("/v1/service-info");
        self.exchange(budget, during, Method::Get, &url, &[], MAX_SERVICE_INFO)
    }

    fn post(
        &self,
        budget: &Budget<'_>,
        at: &ServerUrl,
        post: &Post,
        body: &[u8],
    ) -> Result<Vec<u8>, ClientError> {
        let url = at.join(post.path);
        self.exchange(budget, post.during, Method::Post, &url, body, post.limit)
    }

    fn exchange(
        &self,
        budget: &Budget<'_>,
        during: &'static str,
        method: Method,
        url: &str,
        body: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let request = HttpRequest {
            method,
            url,
            body,
            limit,
            // The policy sets the time of each attempt.
            timeout: Duration::ZERO,
            cancel: &self.cancel,
        };
        let checked = |response| accepted(url, response);
        let done = budget.run(&*self.transport, request, checked);
        done.map_err(|source| match source {
            TransportError::Cancelled { .. } => self.cancelled(during),
            source => ClientError::Http { during, source },
        })
    }

    /// Why this handle's wait was ended.
    fn cancelled(&self, during: &'static str) -> ClientError {
        let why = if self.owner.0.is_cancelled() {
            Ended::Client
        } else {
            Ended::Caller
        };
        ClientError::Cancelled { during, why }
    }
}

/// What a sealed message is sent for, and where.
struct Post {
    during: &'static str,
    path: &'static str,
    /// Largest answer in bytes.
    limit: usize,
}

/// The body of a sealed answer, or the service's unsealed error.
fn accepted(url: &str, response: HttpResponse) -> Result<Vec<u8>, TransportError> {
    if response.status == 200 {
        return Ok(response.body);
    }
    /// What a service says about a request that it could not open.
    #[derive(serde::Deserialize)]
    struct Problem {
        code: String,
        #[serde(default)]
        message: String,
    }
    let (code, message) = match serde_json::from_slice::<Problem>(&response.body) {
        Ok(problem) => (Some(problem.code), problem.message),
        // A page of some proxy: the status says more than its markup.
        Err(_) => (None, String::new()),
    };
    let printable = |text: String| -> String {
        text.chars()
            .filter(|c| !c.is_control())
            .take(MAX_MESSAGE)
            .collect()
    };
    Err(TransportError::Answer {
        url: url.to_owned(),
        status: response.status,
        code: code.map(printable),
        message: printable(message),
        retry_after: response.retry_after,
    })
}

#[cfg(test)]
mod tests;

//! The trusted side and a licence service, brought together over a transport.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keybearer_license::{
    DenialReason, MAX_LICENSE_ANSWER, MAX_PROVISION_ANSWER, MAX_REVOCATION_LIST, MAX_SERVICE_INFO,
    MAX_TIME_ANSWER,
};
use keybearer_tee::Tee;
use keybearer_wire::Status;

use crate::{
    AnchorDigest, Certified, ClientError, Denial, Description, Device, DeviceKey, HttpRequest,
    HttpResponse, HttpTransport, License, LicenseWanted, Method, ProvisionToken, RetryPolicy,
    ServerUrl, Session, Transport, TransportError,
};

/// Longest text of a service's unsealed error that is passed on, in characters.
const MAX_MESSAGE: usize = 200;
/// Pause before an overloaded service is asked again that does not say how long.
const OVERLOADED: Duration = Duration::from_secs(2);
/// Code of an unsealed error: the request was sealed to another service, or to this one before it
/// changed its certificate.
const WRONG_SERVICE: &str = "wrong-service";

/// A device, a licence service and the way between them.
///
/// Each session has a connection to the trusted side of its own, so a `Client` can be shared between
/// threads and no session waits for another.
pub struct Client {
    tee: Arc<dyn Tee>,
    url: ServerUrl,
    anchor: AnchorDigest,
    transport: Box<dyn Transport>,
    retry: RetryPolicy,
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
        let transport = Box::new(HttpTransport::new());
        Self {
            tee,
            url,
            anchor,
            transport,
            retry: RetryPolicy::default(),
        }
    }

    /// Uses another transport.
    #[must_use]
    pub fn with_transport(mut self, transport: Box<dyn Transport>) -> Self {
        self.transport = transport;
        self
    }

    /// Uses another retry policy.
    #[must_use]
    pub const fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// What the trusted side is.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`]; so for every method here.
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
        let mut device = Device::connect(&*self.tee)?;
        let service_info = self.service_info()?;
        let request = device.provision_request(&self.anchor, &service_info, token, model)?;
        let during = "provisioning";
        let answer = self.post(during, "/v1/provision", &request, MAX_PROVISION_ANSWER)?;
        device.finish_provisioning(&self.anchor, &answer)
    }

    /// Opens a licence session towards the service.
    ///
    /// # Errors
    /// See [`Device::open_session`]; [`ClientError::Http`].
    pub fn open_session(&self) -> Result<Session, ClientError> {
        let device = Device::connect(&*self.tee)?;
        device.open_session(&self.anchor, &self.service_info()?)
    }

    /// Asks the service for a licence and loads it. Loading drops no key that is still valid.
    ///
    /// Where the answer shows that the challenge was used up, a revocation list is missing or the
    /// service's certificate is a newer one, that is fetched and the request made once more. A service
    /// that is overloaded is asked again as the retry policy allows.
    ///
    /// # Errors
    /// [`ClientError::Denied`], [`ClientError::Http`], [`ClientError::Refused`].
    pub fn acquire(
        &self,
        session: &mut Session,
        wanted: &LicenseWanted,
    ) -> Result<License, ClientError> {
        let start = Instant::now();
        let (mut attempt, mut renewed) = (1, false);
        loop {
            let error = match self.acquire_once(session, wanted) {
                Ok(license) => return Ok(license),
                Err(error) => error,
            };
            if needs_challenge(&error) && !renewed {
                renewed = true;
            } else if let Some(wait) = overloaded(&error)
                && attempt < self.retry.attempts
                && wait < self.retry.deadline.saturating_sub(start.elapsed())
            {
                attempt += 1;
                thread::sleep(wait);
            } else {
                return Err(error);
            }
            // The answer to the very same request would be the same.
            session.renew_challenge(self.service_info()?);
        }
    }

    fn acquire_once(
        &self,
        session: &mut Session,
        wanted: &LicenseWanted,
    ) -> Result<License, ClientError> {
        let request = session.license_request(wanted)?;
        let during = "asking for a licence";
        let answer = self.post(during, "/v1/license", &request, MAX_LICENSE_ANSWER)?;
        match session.load_license(&answer) {
            Err(ClientError::Refused {
                status: Status::RevocationListNeeded,
                ..
            }) => {
                self.update_revocation_list(session)?;
                session.load_license(&answer)
            }
            done => done,
        }
    }

    /// Brings the service's time to the trusted side.
    ///
    /// # Errors
    /// [`ClientError::Http`], [`ClientError::Refused`].
    pub fn sync_time(&self, session: &mut Session) -> Result<(), ClientError> {
        let request = session.time_request()?;
        let during = "asking for the service's time";
        let answer = self.post(during, "/v1/time", &request, MAX_TIME_ANSWER)?;
        session.load_time_answer(&answer)
    }

    /// Brings the service's revocation list to the trusted side.
    ///
    /// # Errors
    /// [`ClientError::Http`], [`ClientError::Refused`].
    pub fn update_revocation_list(&self, session: &mut Session) -> Result<(), ClientError> {
        let during = "fetching the revocation list";
        let list = self.get(during, "/v1/revocation-list", MAX_REVOCATION_LIST)?;
        session.load_revocation_list(&list)
    }

    fn service_info(&self) -> Result<Vec<u8>, ClientError> {
        self.get(
            "fetching the service's certificate",
            "/v1/service-info",
            MAX_SERVICE_INFO,
        )
    }

    fn get(&self, during: &'static str, path: &str, limit: usize) -> Result<Vec<u8>, ClientError> {
        self.exchange(during, Method::Get, path, &[], limit)
    }

    fn post(
        &self,
        during: &'static str,
        path: &str,
        body: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, ClientError> {
        self.exchange(during, Method::Post, path, body, limit)
    }

    fn exchange(
        &self,
        during: &'static str,
        method: Method,
        path: &str,
        body: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let url = self.url.join(path);
        // The policy sets the time of each attempt.
        let request = HttpRequest {
            method,
            url: &url,
            body,
            limit,
            timeout: Duration::ZERO,
        };
        self.retry
            .run(&*self.transport, request, |response| {
                accepted(&url, response)
            })
            .map_err(|source| ClientError::Http { during, source })
    }
}

/// How long to wait for a service that says under its seal that it has too much to do.
fn overloaded(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Denied(denial) if denial.reason == Some(DenialReason::Overloaded) => Some(
            denial
                .retry_after_seconds
                .map_or(OVERLOADED, |seconds| Duration::from_secs(seconds.into())),
        ),
        _ => None,
    }
}

/// True when a newer service info may help.
fn needs_challenge(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { status, .. } => *status == Status::NoChallenge,
        ClientError::Denied(Denial { reason, .. }) => {
            *reason == Some(DenialReason::ChallengeExpired)
        }
        ClientError::Http {
            source: TransportError::Answer { code, .. },
            ..
        } => code.as_deref() == Some(WRONG_SERVICE),
        _ => false,
    }
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

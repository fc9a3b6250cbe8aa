//! Asking for licences.

use std::time::Duration;

use keybearer_license::{DenialReason, MAX_LICENSE_ANSWER};
use keybearer_wire::Status;
use keybearer_wire::limits::{MAX_INIT_DATA_ITEMS, MAX_KEY_IDS};

use super::{Client, Post};
use crate::retry::Budget;
use crate::{ClientError, Denial, License, LicenseWanted, ServerUrl, Session, TransportError};

/// Pause before an overloaded service is asked again that does not say how long.
const OVERLOADED: Duration = Duration::from_secs(2);
/// Code of an unsealed error: the request was sealed to another service, or to this one before it
/// changed its certificate.
const WRONG_SERVICE: &str = "wrong-service";

/// Where licences go.
pub(crate) trait Intake {
    /// A licence has come and is loaded.
    fn came(&mut self, license: License);

    /// The session holds as much as it may: takes a licence away, or is false where none may go.
    fn make_room(&mut self, session: &Session) -> bool;
}

/// Keeps all that come.
impl Intake for Vec<License> {
    fn came(&mut self, license: License) {
        self.push(license);
    }

    fn make_room(&mut self, _: &Session) -> bool {
        false
    }
}

impl Client {
    /// Asks the service for a licence and loads it. Loading drops no key that is still valid.
    ///
    /// Where the answer shows that the challenge was used up, a revocation list is missing or the
    /// service's certificate is a newer one, that is fetched and the request made once more. A service
    /// that is overloaded is asked again as the retry policy allows.
    ///
    /// A service gives the keys of one content in one licence, so it may hold fewer keys than were
    /// asked for, or others: see [`Self::acquire_keys`].
    ///
    /// # Errors
    /// [`ClientError::Denied`], [`ClientError::Http`], [`ClientError::Refused`],
    /// [`ClientError::Cancelled`].
    pub fn acquire(
        &self,
        session: &Session,
        wanted: &LicenseWanted,
    ) -> Result<License, ClientError> {
        self.ask(&self.begin(), session, wanted, &self.url, &mut Vec::new())
    }

    /// Asks until every key is there, in as few requests as it takes, and gives the licences that came.
    ///
    /// One request asks for [`MAX_KEY_IDS`] keys and carries [`MAX_INIT_DATA_ITEMS`] items of init data;
    /// of more than that, several are made. What an answer leaves out is asked for again, once for each
    /// set, by key ids alone, since init data could lead to the same content once more.
    ///
    /// # Errors
    /// As [`Self::acquire`]; [`ClientError::KeysMissing`] with the keys that no licence brought. What
    /// came before stays loaded.
    pub fn acquire_keys(
        &self,
        session: &Session,
        wanted: &LicenseWanted,
    ) -> Result<Vec<License>, ClientError> {
        let mut licenses = Vec::new();
        self.acquire_each(session, wanted, &mut licenses)?;
        Ok(licenses)
    }

    /// As [`Self::acquire_keys`], into whatever takes licences.
    pub(crate) fn acquire_each(
        &self,
        session: &Session,
        wanted: &LicenseWanted,
        intake: &mut dyn Intake,
    ) -> Result<(), ClientError> {
        let budget = self.begin();
        let mut key_ids = wanted.key_ids.clone();
        key_ids.sort_unstable();
        key_ids.dedup();
        let mut init_data = wanted.init_data.chunks(MAX_INIT_DATA_ITEMS);
        for ids in key_ids.chunks(MAX_KEY_IDS) {
            let with = LicenseWanted {
                key_ids: ids.to_vec(),
                init_data: init_data.next().unwrap_or_default().to_vec(),
                ..wanted.clone()
            };
            self.acquire_all_of(&budget, session, with, intake)?;
        }
        for items in init_data {
            let with = LicenseWanted {
                key_ids: Vec::new(),
                init_data: items.to_vec(),
                ..wanted.clone()
            };
            let license = self.ask(&budget, session, &with, &self.url, intake)?;
            intake.came(license);
        }
        Ok(())
    }

    /// Asks for keys that fit one request until all of them are there.
    fn acquire_all_of(
        &self,
        budget: &Budget<'_>,
        session: &Session,
        mut wanted: LicenseWanted,
        intake: &mut dyn Intake,
    ) -> Result<(), ClientError> {
        let all = wanted.key_ids.len();
        loop {
            let asked = wanted.key_ids.len();
            let missing =
                |wanted: LicenseWanted, denial: Option<Denial>| ClientError::KeysMissing {
                    key_ids: wanted.key_ids,
                    denial: denial.map(Box::new),
                };
            let license = match self.ask(budget, session, &wanted, &self.url, intake) {
                Ok(license) => license,
                // Of the first answer the denial says it all; later it is about the rest only.
                Err(ClientError::Denied(denial)) if asked < all => {
                    return Err(missing(wanted, Some(denial)));
                }
                Err(error) => return Err(error),
            };
            wanted.key_ids.retain(|id| license.key(id).is_none());
            wanted.init_data.clear();
            intake.came(license);
            if wanted.key_ids.is_empty() {
                return Ok(());
            }
            if wanted.key_ids.len() == asked {
                return Err(missing(wanted, None));
            }
        }
    }

    /// Renews a licence: the same id, a higher number, in its place at once. Asked is where the licence
    /// says; `wanted` gives token and capabilities.
    ///
    /// # Errors
    /// As [`Self::acquire`]; [`ClientError::Input`] when the licence's renewal address is none. A failed
    /// renewal ends nothing: the licence stays as it is until its own end.
    pub fn renew(
        &self,
        session: &Session,
        license: &License,
        wanted: &LicenseWanted,
    ) -> Result<License, ClientError> {
        let wanted = LicenseWanted {
            key_ids: license.keys.iter().map(|key| key.id).collect(),
            init_data: Vec::new(),
            renew: Some(license.id),
            ..wanted.clone()
        };
        let url = match &license.renewal_url {
            Some(url) => url.parse().map_err(|error| ClientError::Input {
                during: "renewing a licence",
                what: format!("its renewal address: {error}"),
            })?,
            None => self.url.clone(),
        };
        self.ask(&self.begin(), session, &wanted, &url, &mut Vec::new())
    }

    fn ask(
        &self,
        budget: &Budget<'_>,
        session: &Session,
        wanted: &LicenseWanted,
        url: &ServerUrl,
        intake: &mut dyn Intake,
    ) -> Result<License, ClientError> {
        let (mut attempt, mut renewed) = (1, false);
        let mut info: Option<Vec<u8>> = None;
        loop {
            let info_now = info.as_deref();
            let error = match self.ask_once(budget, session, wanted, url, info_now, intake) {
                Ok(license) => return Ok(license),
                Err(error) => error,
            };
            if needs_challenge(&error) && !renewed {
                renewed = true;
            } else if let Some(wait) = overloaded(&error)
                && attempt < self.retry.attempts
                && wait < budget.left()
            {
                attempt += 1;
                if !self.cancel.pause(wait) {
                    return Err(self.cancelled("waiting for an overloaded service"));
                }
            } else {
                return Err(error);
            }
            // The answer to the very same request would be the same.
            info = Some(self.service_info(budget, url)?);
        }
    }

    fn ask_once(
        &self,
        budget: &Budget<'_>,
        session: &Session,
        wanted: &LicenseWanted,
        url: &ServerUrl,
        info: Option<&[u8]>,
        intake: &mut dyn Intake,
    ) -> Result<License, ClientError> {
        let request = session.license_request_with(wanted, info)?;
        let post = Post {
            during: "asking for a licence",
            path: "/v1/license",
            limit: MAX_LICENSE_ANSWER,
        };
        let answer = self.post(budget, url, &post, &request)?;
        let mut listed = false;
        loop {
            let refused = match session.load_license(&answer) {
                Err(ClientError::Refused { status, during }) => (status, during),
                done => return done,
            };
            // Nothing was loaded and the answer is still good.
            match refused {
                (Status::RevocationListNeeded, _) if !listed => {
                    listed = true;
                    self.bring_revocation_list(budget, session)?;
                }
                (Status::TooManyLicenses | Status::TooManyKeys, _) if intake.make_room(session) => {
                }
                (status, during) => return Err(ClientError::Refused { during, status }),
            }
        }
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

#[cfg(test)]
mod tests;

//! A licence session, without network: requests come out as bytes, answers go in as bytes.

use keybearer_media::{IvSource, PictureSize, Protection};
use keybearer_tee::{ClearSession, Media};
use keybearer_wire::SampleTableBuilder;
use keybearer_wire::body::{self, RequestKind};
use keybearer_wire::field::{Blob, List};

use crate::device::{describe, load_revocation_list};
use crate::values::{known, scheme_code};
use crate::{
    AnchorDigest, ClientError, Denial, Description, Device, KeyId, License, LicenseId,
    LicenseWanted, Statuses, TrackType,
};

/// A licence session with a connection of its own. Dropping it erases its keys in the trusted side.
#[derive(Debug)]
pub struct Session {
    connection: ClearSession,
    anchor: AnchorDigest,
    handle: u64,
    /// Newer service info, handed over with the next request.
    service_info: Option<Vec<u8>>,
}

impl Session {
    pub(crate) const fn new(connection: ClearSession, anchor: AnchorDigest, handle: u64) -> Self {
        Self {
            connection,
            anchor,
            handle,
            service_info: None,
        }
    }

    /// What the trusted side is.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`]; so for every method here.
    pub fn describe(&mut self) -> Result<Description, ClientError> {
        describe(&mut self.connection)
    }

    /// Builds a licence request: for the service's `/v1/license`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NoChallenge` when the last challenge is used up: fetch
    /// `/v1/service-info` and give it to [`Self::renew_challenge`]; [`ClientError::Input`].
    pub fn license_request(&mut self, wanted: &LicenseWanted) -> Result<Vec<u8>, ClientError> {
        let during = "building a licence request";
        let capabilities = wanted
            .capabilities
            .to_bytes()
            .map_err(|error| ClientError::Input {
                during,
                what: format!("capabilities: {error}"),
            })?;
        let init_data = wanted.init_data.iter();
        let request = body::BuildRequest {
            session: self.handle,
            kind: if wanted.renew.is_some() {
                RequestKind::Renew
            } else {
                RequestKind::Acquire
            },
            key_ids: List(wanted.key_ids.clone()),
            init_data: List(
                init_data
                    .map(|item| body::InitData {
                        system_id: item.system_id,
                        data: Blob(&item.data),
                    })
                    .collect(),
            ),
            stored: false,
            token: wanted.token.as_deref().map(Blob),
            capabilities: Blob(&capabilities),
            license: wanted.renew,
            service_info: self.service_info.as_deref().map(Blob),
        };
        let message = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call(during))?;
        let bytes = message.bytes.0.to_vec();
        // Its challenge is used up; the next one comes with the answer.
        self.service_info = None;
        Ok(bytes)
    }

    /// Keeps a newer service info, whose challenge the next request will carry.
    pub fn renew_challenge(&mut self, service_info: Vec<u8>) {
        self.service_info = Some(service_info);
    }

    /// Takes the service's answer to a request of this session.
    ///
    /// # Errors
    /// [`ClientError::Denied`]; [`ClientError::Refused`] when the answer is cut, forged, another's, or
    /// demands what this device cannot do: no key is loaded then, and the right answer may still
    /// follow.
    pub fn load_license(&mut self, answer: &[u8]) -> Result<License, ClientError> {
        let during = "taking the licence";
        let request = body::LoadAnswer {
            session: self.handle,
            answer: Blob(answer),
        };
        let loaded = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call(during))?;
        match (loaded.license, loaded.denial) {
            (Some(license), None) => known(during, License::from_wire(&license)),
            (None, Some(denial)) => Err(ClientError::Denied(Denial::from_wire(&denial))),
            _ => Err(ClientError::bad_answer(
                during,
                "neither licence nor denial, or both",
            )),
        }
    }

    /// The licences of this session and the status of each key now.
    ///
    /// # Errors
    /// See [`Self::describe`].
    pub fn statuses(&mut self) -> Result<Statuses, ClientError> {
        let during = "asking for key statuses";
        let request = body::Statuses {
            session: self.handle,
        };
        let report = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call(during))?;
        known(during, Statuses::from_wire(&report))
    }

    /// Erases a licence and its keys.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `UnknownLicense`.
    pub fn remove_license(&mut self, license: &LicenseId) -> Result<(), ClientError> {
        let request = body::RemoveLicense {
            session: self.handle,
            license: *license,
        };
        self.connection
            .exchange(&request)
            .map_err(ClientError::of_call("removing a licence"))
            .map(|body::Empty {}| ())
    }

    /// Builds a time request: for the service's `/v1/time`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NoChallenge`, as for [`Self::license_request`].
    pub fn time_request(&mut self) -> Result<Vec<u8>, ClientError> {
        let request = body::BuildTimeRequest {
            session: self.handle,
            service_info: self.service_info.as_deref().map(Blob),
        };
        let message = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call("building a time request"))?;
        let bytes = message.bytes.0.to_vec();
        self.service_info = None;
        Ok(bytes)
    }

    /// Takes the service's time. It must arrive within 30 seconds of its request.
    ///
    /// # Errors
    /// [`ClientError::Denied`]; [`ClientError::Refused`], with `Late` for a late answer.
    pub fn load_time_answer(&mut self, answer: &[u8]) -> Result<(), ClientError> {
        let request = body::LoadTimeAnswer {
            session: self.handle,
            answer: Blob(answer),
        };
        let loaded = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call("taking the service's time"))?;
        loaded.denial.map_or(Ok(()), |denial| {
            Err(ClientError::Denied(Denial::from_wire(&denial)))
        })
    }

    /// Takes a newer revocation list of the session's anchor.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a list that is older or not the anchor's.
    pub fn load_revocation_list(&mut self, list: &[u8]) -> Result<(), ClientError> {
        load_revocation_list(&mut self.connection, &self.anchor, list)
    }

    /// Decrypts samples of one track under one key where they stand: `data` holds them one behind the
    /// other, as the call's table says.
    ///
    /// # Errors
    /// [`ClientError::Refused`], with `KeyNotUsable` when [`Self::statuses`] has the reasons;
    /// `data` is then unchanged.
    pub fn decrypt(&mut self, call: &DecryptCall<'_>, data: &mut [u8]) -> Result<(), ClientError> {
        let during = "decrypting";
        let (iv_size, constant_iv) = match &call.protection.iv {
            IvSource::PerSample { size } => (*size, None),
            IvSource::Constant(iv) => (0, Some(Blob(iv.as_slice()))),
            IvSource::None => {
                let what = "the samples are not protected".to_owned();
                return Err(ClientError::Input { during, what });
            }
        };
        let expected = data.len();
        let request = body::Decrypt {
            session: self.handle,
            key_id: call.key_id,
            license: call.license,
            track_type: call.track_type.code(),
            scheme: scheme_code(call.protection.scheme),
            iv_size,
            constant_iv,
            crypt_blocks: call.protection.pattern.crypt,
            skip_blocks: call.protection.pattern.skip,
            duration_ms: call.duration_ms,
            width: call.picture.map(|picture| picture.width.into()),
            height: call.picture.map(|picture| picture.height.into()),
            samples: Blob(call.samples.samples()),
            subsamples: Blob(call.samples.subsamples()),
        };
        let answer = self
            .connection
            .decrypt(&request, Media::InPlace(data))
            .map_err(ClientError::of_call(during))?;
        // Anything else would leave part of the samples protected and call them clear.
        if usize::try_from(answer.bytes) == Ok(expected) {
            Ok(())
        } else {
            Err(ClientError::bad_answer(
                during,
                "another number of bytes than was sent",
            ))
        }
    }

    /// Closes the session, which erases its keys, and gives its connection back.
    ///
    /// # Errors
    /// See [`Self::describe`]. The keys are gone in any case.
    pub fn close(mut self) -> Result<Device, ClientError> {
        let request = body::CloseSession {
            session: self.handle,
        };
        self.connection
            .exchange(&request)
            .map_err(ClientError::of_call("closing the session"))?;
        Ok(Device::from_connection(self.connection))
    }
}

/// One batch of samples to decrypt. Nothing of it is trusted: a wrong statement is refused, or gives
/// other bytes than the right ones, never more than the licence allows.
#[derive(Clone, Copy, Debug)]
pub struct DecryptCall<'a> {
    /// Key id.
    pub key_id: KeyId,
    /// Licence to use; `None`: the newest in which the key is usable.
    pub license: Option<LicenseId>,
    /// What the track is.
    pub track_type: TrackType,
    /// How the samples are protected.
    pub protection: &'a Protection,
    /// Milliseconds of media; at most [`keybearer_wire::limits::MAX_MEDIA_DURATION_MS`].
    pub duration_ms: u32,
    /// Picture size as the container states it.
    pub picture: Option<PictureSize>,
    /// Sizes, IVs and subsamples.
    pub samples: &'a SampleTableBuilder,
}

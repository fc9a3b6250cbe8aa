//! One session over one connection to the trusted side: every call it knows.

use keybearer_media::IvSource;
use keybearer_rules::Output;
use keybearer_tee::{Media, ProtectedSession, SharedMemory};
use keybearer_wire::body::{self, RequestKind};
use keybearer_wire::field::{Blob, List};

use super::{Connection, DecryptCall};
use crate::device::{describe, load_revocation_list};
use crate::reports::stated;
use crate::values::{known, scheme_code};
use crate::{
    AnchorDigest, ClientError, Denial, Description, License, LicenseId, LicenseWanted, Statuses,
};

/// A connection and the session open on it.
pub(crate) struct Link {
    connection: Connection,
    handle: u64,
    /// Newer service info, handed over with the next request.
    pub(super) service_info: Option<Vec<u8>>,
    /// Number of the last report of outputs on this connection; the trusted side takes larger ones only.
    reported: u64,
}

impl Link {
    pub(crate) const fn new(connection: Connection, handle: u64) -> Self {
        Self {
            connection,
            handle,
            service_info: None,
            reported: 0,
        }
    }

    pub(super) fn describe(&mut self) -> Result<Description, ClientError> {
        describe(&mut self.connection)
    }

    pub(super) fn license_request(
        &mut self,
        wanted: &LicenseWanted,
        service_info: Option<&[u8]>,
    ) -> Result<Vec<u8>, ClientError> {
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
            service_info: service_info.map(Blob),
        };
        let message = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call(during))?;
        Ok(message.bytes.0.to_vec())
    }

    pub(super) fn load_license(&mut self, answer: &[u8]) -> Result<License, ClientError> {
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

    pub(super) fn statuses(&mut self) -> Result<Statuses, ClientError> {
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

    pub(super) fn report_outputs(&mut self, outputs: &[Output]) -> Result<(), ClientError> {
        self.reported = self.reported.saturating_add(1);
        let report = body::ReportOutputs {
            sequence: self.reported,
            outputs: List(stated(outputs)),
        };
        self.connection
            .exchange(&report)
            .map_err(ClientError::of_call("reporting the outputs"))
            .map(|body::Empty {}| ())
    }

    pub(super) fn remove_license(&mut self, license: &LicenseId) -> Result<(), ClientError> {
        let request = body::RemoveLicense {
            session: self.handle,
            license: *license,
        };
        self.connection
            .exchange(&request)
            .map_err(ClientError::of_call("removing a licence"))
            .map(|body::Empty {}| ())
    }

    pub(super) fn time_request(
        &mut self,
        service_info: Option<&[u8]>,
    ) -> Result<Vec<u8>, ClientError> {
        let request = body::BuildTimeRequest {
            session: self.handle,
            service_info: service_info.map(Blob),
        };
        let message = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call("building a time request"))?;
        Ok(message.bytes.0.to_vec())
    }

    pub(super) fn load_time_answer(&mut self, answer: &[u8]) -> Result<(), ClientError> {
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

    pub(super) fn load_revocation_list(
        &mut self,
        anchor: &AnchorDigest,
        list: &[u8],
    ) -> Result<(), ClientError> {
        load_revocation_list(&mut self.connection, anchor, list)
    }

    /// Decrypts in place and gives the status sequence number of the answer.
    pub(super) fn decrypt(
        &mut self,
        call: &DecryptCall<'_>,
        data: &mut [u8],
    ) -> Result<u64, ClientError> {
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
            .as_clear()
            .and_then(|clear| clear.decrypt(&request, Media::InPlace(data)))
            .map_err(ClientError::of_call(during))?;
        // Anything else would leave part of the samples protected and call them clear.
        if usize::try_from(answer.bytes) == Ok(expected) {
            Ok(answer.sequence)
        } else {
            Err(ClientError::bad_answer(
                during,
                "another number of bytes than was sent",
            ))
        }
    }

    pub(super) fn shared_memory(
        &mut self,
        len: usize,
    ) -> Result<Option<Box<dyn SharedMemory>>, ClientError> {
        let Connection::Clear(clear) = &mut self.connection else {
            return Ok(None);
        };
        let during = "sharing memory";
        clear
            .shared_memory(len)
            .map_err(|source| ClientError::Tee { during, source })
    }

    /// Number of the session in the trusted side.
    pub(crate) const fn handle(&self) -> u64 {
        self.handle
    }

    /// Whether it has a decoder and gives nothing clear back.
    pub(super) const fn is_protected(&self) -> bool {
        self.connection.is_protected()
    }

    /// The way to the decoder.
    pub(crate) fn decoder(
        &mut self,
        during: &'static str,
    ) -> Result<&mut ProtectedSession, ClientError> {
        self.connection
            .as_protected()
            .map_err(ClientError::of_call(during))
    }

    /// Closes the session and gives the connection back.
    pub(super) fn close(mut self) -> Result<Connection, ClientError> {
        let request = body::CloseSession {
            session: self.handle,
        };
        self.connection
            .exchange(&request)
            .map_err(ClientError::of_call("closing the session"))?;
        Ok(self.connection)
    }
}

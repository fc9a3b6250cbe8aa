//! One connection to the trusted side, without network and without session.

use std::sync::Arc;

use keybearer_tee::Tee;
use keybearer_wire::Status;
use keybearer_wire::body::{self, TokenKind};
use keybearer_wire::field::{Blob, Text};

use crate::session::{Connection, Link};
use crate::values::known;
use crate::{
    AnchorDigest, Cancel, Certified, ClientError, Denial, Description, DeviceKey, ProtectedSession,
    ProvisionToken, Session,
};

/// One connection to the trusted side. Requests come out as bytes, answers go in as bytes.
#[derive(Debug)]
pub struct Device {
    connection: Connection,
}

impl Device {
    /// Connects to the trusted side.
    ///
    /// # Errors
    /// [`ClientError::Tee`].
    pub fn connect(tee: &dyn Tee) -> Result<Self, ClientError> {
        let during = "connecting to the trusted side";
        let connection = Connection::clear(tee);
        let connection = connection.map_err(|source| ClientError::Tee { during, source })?;
        Ok(Self { connection })
    }

    /// Connects to the trusted side for a protected session: one whose media goes to a decoder there.
    ///
    /// # Errors
    /// [`ClientError::Tee`].
    pub fn connect_protected(tee: &Arc<dyn Tee>) -> Result<Self, ClientError> {
        let during = "connecting to the trusted side";
        let connection = Connection::protected(tee);
        let connection = connection.map_err(|source| ClientError::Tee { during, source })?;
        Ok(Self { connection })
    }

    pub(crate) const fn from_connection(connection: Connection) -> Self {
        Self { connection }
    }

    /// What the trusted side is.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`]; so for every method here.
    pub fn describe(&mut self) -> Result<Description, ClientError> {
        describe(&mut self.connection)
    }

    /// The device's key under an anchor, made if there is none.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `UnknownAnchor` where anchors are fixed.
    pub fn device_key(&mut self, anchor: &AnchorDigest) -> Result<DeviceKey, ClientError> {
        let request = body::DeviceKey { anchor: anchor.0 };
        let answer = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call("asking for the device's key"))?;
        Ok(DeviceKey {
            digest: answer.key_digest,
            provisioned: answer.provisioned,
        })
    }

    /// Builds a provision request: for the service's `/v1/provision`.
    ///
    /// `service_info` is a fresh answer of `/v1/service-info`; `model` names the hardware, 1 to 32
    /// printable ASCII characters.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for an anchor or a service that is not trusted.
    pub fn provision_request(
        &mut self,
        anchor: &AnchorDigest,
        service_info: &[u8],
        token: &ProvisionToken,
        model: &str,
    ) -> Result<Vec<u8>, ClientError> {
        let (token_kind, token) = match token {
            ProvisionToken::Enrollment(token) => (TokenKind::Enrollment, token),
            ProvisionToken::Factory(token) => (TokenKind::Factory, token),
        };
        let request = body::BeginProvisioning {
            anchor: anchor.0,
            service_info: Blob(service_info),
            token_kind,
            token: Blob(token),
            model: Text(model),
        };
        let message = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call("building a provision request"))?;
        Ok(message.bytes.0.to_vec())
    }

    /// Takes the service's answer to the provision request built last.
    ///
    /// # Errors
    /// [`ClientError::Denied`]; [`ClientError::Refused`] when the answer is another's, cut or forged:
    /// nothing is stored then.
    pub fn finish_provisioning(
        &mut self,
        anchor: &AnchorDigest,
        answer: &[u8],
    ) -> Result<Certified, ClientError> {
        let during = "taking the provision answer";
        let request = body::FinishProvisioning {
            anchor: anchor.0,
            answer: Blob(answer),
        };
        let finished = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call(during))?;
        match (finished.certified, finished.denial) {
            (Some(certified), None) => known(during, Certified::from_wire(&certified)),
            (None, Some(denial)) => Err(ClientError::Denied(Denial::from_wire(&denial))),
            _ => Err(ClientError::bad_answer(
                during,
                "neither certificate nor denial, or both",
            )),
        }
    }

    /// Forgets key, certificate and time under an anchor.
    ///
    /// # Errors
    /// [`ClientError::Refused`].
    pub fn erase_identity(&mut self, anchor: &AnchorDigest) -> Result<(), ClientError> {
        let request = body::EraseIdentity { anchor: anchor.0 };
        self.connection
            .exchange(&request)
            .map_err(ClientError::of_call("erasing the identity"))
            .map(|body::Empty {}| ())
    }

    /// Takes a newer revocation list of an anchor.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a list that is older or not the anchor's.
    pub fn load_revocation_list(
        &mut self,
        anchor: &AnchorDigest,
        list: &[u8],
    ) -> Result<(), ClientError> {
        load_revocation_list(&mut self.connection, anchor, list)
    }

    /// Opens a licence session towards the service of `service_info`, which decrypts into this process.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NotProvisioned` before provisioning, or for a service that is
    /// not trusted; with `WrongSessionKind` over a connection for protected sessions.
    pub fn open_session(
        self,
        anchor: &AnchorDigest,
        service_info: &[u8],
    ) -> Result<Session, ClientError> {
        let link = self.of_kind(false)?.open_link(anchor, service_info)?;
        Ok(Session::new(link, *anchor, Cancel::new()))
    }

    /// Opens a protected licence session, over a connection of [`Self::connect_protected`].
    ///
    /// # Errors
    /// As [`Self::open_session`]; [`ClientError::Refused`] with `LevelTooLow` where the trusted side has
    /// no decoder, with `WrongSessionKind` over another connection.
    pub fn open_protected_session(
        self,
        anchor: &AnchorDigest,
        service_info: &[u8],
    ) -> Result<ProtectedSession, ClientError> {
        let link = self.of_kind(true)?.open_link(anchor, service_info)?;
        let session = Session::new(link, *anchor, Cancel::new());
        Ok(ProtectedSession::new(session))
    }

    fn of_kind(self, protected: bool) -> Result<Self, ClientError> {
        if self.connection.is_protected() == protected {
            return Ok(self);
        }
        Err(ClientError::Refused {
            during: "opening a session",
            status: Status::WrongSessionKind,
        })
    }

    pub(crate) fn open_link(
        mut self,
        anchor: &AnchorDigest,
        service_info: &[u8],
    ) -> Result<Link, ClientError> {
        let request = body::OpenSession {
            anchor: anchor.0,
            service_info: Blob(service_info),
            protected: self.connection.is_protected(),
        };
        let opened = self
            .connection
            .exchange(&request)
            .map_err(ClientError::of_call("opening a session"))?;
        Ok(Link::new(self.connection, opened.session))
    }
}

/// Asks over any connection what the trusted side is.
pub(crate) fn describe(connection: &mut Connection) -> Result<Description, ClientError> {
    let during = "asking what the trusted side is";
    let said = connection
        .exchange(&body::Describe {})
        .map_err(ClientError::of_call(during))?;
    known(during, Description::from_wire(&said))
}

/// Loads a revocation list over any connection.
pub(crate) fn load_revocation_list(
    connection: &mut Connection,
    anchor: &AnchorDigest,
    list: &[u8],
) -> Result<(), ClientError> {
    let request = body::LoadRevocationList {
        anchor: anchor.0,
        list: Blob(list),
    };
    connection
        .exchange(&request)
        .map_err(ClientError::of_call("taking a revocation list"))
        .map(|body::Empty {}| ())
}

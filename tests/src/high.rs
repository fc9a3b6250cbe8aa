//! A High session spoken by hand: a licence session at the key TA, a decoder of its own, and nothing
//! between them but a ticket.

pub mod scenarios;

use keybearer_license::{Scheme, TrackType};
use keybearer_tee::{CallError, Media, Tee, TeeError, TeeSession};
use keybearer_wire::decoder::{Exchange, body};
use keybearer_wire::field::{Blob, Body};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Status, body as key, decode_response};

use crate::bare::Bare;
use crate::clips::Protected;

/// A key as the tests use it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its id.
    pub kid: [u8; 16],
    /// The key.
    pub key: [u8; 16],
    /// `cenc` with vectors of 16 bytes, or `cbcs` with [`CONSTANT_IV`](crate::clips::CONSTANT_IV).
    pub scheme: Scheme,
}

/// A connection to a decoder.
pub struct Decoder {
    session: Box<dyn TeeSession>,
    response: Vec<u8>,
}

impl Decoder {
    /// A decoder of its own.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn open(tee: &dyn Tee) -> Result<Self, TeeError> {
        Ok(Self {
            session: tee.connect_decoder()?,
            response: Vec::new(),
        })
    }

    /// Redeems a fresh ticket of a licence session.
    ///
    /// # Errors
    /// Those of the key TA and of the decoder.
    pub fn attach(&mut self, keys: &mut Bare) -> Result<(), CallError> {
        let request = key::IssueTicket {
            session: keys.session,
            track_type: TrackType::Sd.code(),
        };
        let key::Ticket { ticket } = keys.connection.exchange(&request)?;
        self.redeem(ticket)
    }

    /// Redeems a ticket.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn redeem(&mut self, ticket: [u8; 16]) -> Result<(), CallError> {
        let body::Empty {} = self.exchange(&body::Attach { ticket }, &[])?;
        Ok(())
    }

    /// Takes a configuration record of H.264.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn configure(&mut self, record: &[u8]) -> Result<body::Configured, CallError> {
        let record = Blob(record);
        let codec = *b"avc1";
        self.exchange(&body::Configure { codec, record }, &[])
    }

    /// Decodes a protected unit.
    ///
    /// # Errors
    /// Those of the decoder, among them what the key TA refused.
    pub fn decode(
        &mut self,
        key: &Key,
        time: u64,
        unit: &Protected,
    ) -> Result<body::Presented, CallError> {
        self.send(key, time, unit)?;
        answered(&self.response)
    }

    /// As [`Self::decode`], with the whole response as it came.
    ///
    /// # Errors
    /// The transport's.
    pub fn send(&mut self, key: &Key, time: u64, unit: &Protected) -> Result<&[u8], CallError> {
        self.call(&unit.decode(key.scheme, key.kid, time), &unit.bytes)?;
        Ok(&self.response)
    }

    /// Decodes a unit that was never protected.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn decode_clear(&mut self, time: u64, unit: &[u8]) -> Result<body::Presented, CallError> {
        let request = body::Decode {
            time,
            duration_ms: 40,
            protection: None,
        };
        self.exchange(&request, unit)
    }

    /// Presents what waits.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn flush(&mut self) -> Result<body::Presented, CallError> {
        self.exchange(&body::Flush {}, &[])
    }

    /// Says that units are missing.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn skip(&mut self) -> Result<(), CallError> {
        let body::Empty {} = self.exchange(&body::Skip {}, &[])?;
        Ok(())
    }

    /// Lets the decoder die, which only a test build does.
    ///
    /// # Errors
    /// Always: the transport's, where it works.
    pub fn die(&mut self) -> Result<(), CallError> {
        let body::Empty {} = self.exchange(&body::Die {}, &[])?;
        Ok(())
    }

    fn exchange<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
        &mut self,
        request: &R,
        media: &[u8],
    ) -> Result<A, CallError> {
        self.call(request, media)?;
        answered(&self.response)
    }

    fn call<'r, R: Exchange<'r>>(&mut self, request: &R, media: &[u8]) -> Result<(), CallError> {
        let request = request.encode(MAX_REQUEST).map_err(CallError::Request)?;
        let mut media = media.to_vec();
        let before = media.clone();
        let code = R::COMMAND.code();
        let place = Media::InPlace(&mut media);
        self.session
            .call(code, &request, &mut self.response, place)?;
        assert_eq!(media, before, "no media comes out of a decoder");
        Ok(())
    }
}

fn answered<A: for<'a> Body<'a>>(response: &[u8]) -> Result<A, CallError> {
    decode_response(response)
        .map_err(|_| TeeError::BadAnswer("the response is not well formed"))?
        .map_err(CallError::Refused)
}

/// The status that a call was refused with.
///
/// # Panics
/// When it was not refused.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, CallError>) -> Status {
    match result {
        Err(CallError::Refused(status)) => status,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

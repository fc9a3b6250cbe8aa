//! A licence session spoken by hand, command by command: a client that does what it likes with
//! handles and bytes.

use keybearer_client::AnchorDigest;
use keybearer_license::{Capabilities, Scheme, TrackType};
use keybearer_tee::{CallError, ClearSession, Media, Tee};
use keybearer_wire::SampleTableBuilder;
use keybearer_wire::body::{self, RequestKind};
use keybearer_wire::field::{Blob, List};

use crate::post;
use crate::samples::Sample;

/// What a host states of itself that states nothing.
///
/// # Panics
/// Never: nothing fits into any limit.
#[must_use]
pub fn no_capabilities() -> Vec<u8> {
    Capabilities::default()
        .to_bytes()
        .expect("nothing fits into any limit")
}

/// What builds a request for keys in a session.
#[must_use]
pub fn acquisition<'a>(
    session: u64,
    kids: &[[u8; 16]],
    capabilities: &'a [u8],
) -> body::BuildRequest<'a> {
    body::BuildRequest {
        session,
        kind: RequestKind::Acquire,
        key_ids: List(kids.to_vec()),
        init_data: List(Vec::new()),
        stored: false,
        token: None,
        capabilities: Blob(capabilities),
        license: None,
        service_info: None,
    }
}

/// The table of a batch of wholly protected samples of these sizes, all with the vector `iv`.
///
/// # Panics
/// When the table has no room for them, or one has no 32-bit size.
#[must_use]
pub fn table(iv: &[u8], sizes: impl IntoIterator<Item = usize>) -> SampleTableBuilder {
    let mut table = SampleTableBuilder::default();
    for size in sizes {
        let size = u32::try_from(size).expect("a sample has a 32-bit size");
        table
            .push(iv, size, std::iter::empty())
            .expect("the table has room");
    }
    table
}

/// What decrypts the samples of a table, `cenc` of a small picture, with the key `key_id`.
#[must_use]
pub fn decryption(
    session: u64,
    key_id: [u8; 16],
    duration_ms: u32,
    table: &SampleTableBuilder,
) -> body::Decrypt<'_> {
    body::Decrypt {
        session,
        key_id,
        license: None,
        track_type: TrackType::Sd.code(),
        scheme: Scheme::Cenc.code(),
        iv_size: 16,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms,
        width: Some(320),
        height: Some(180),
        samples: Blob(table.samples()),
        subsamples: Blob(table.subsamples()),
    }
}

/// One connection to a trusted side with the handle of a session, its own or not.
pub struct Bare {
    /// The connection.
    pub connection: ClearSession,
    /// The handle.
    pub session: u64,
}

impl Bare {
    /// Opens a connection, and a session towards the service of `info`, which is an answer of
    /// `/v1/service-info` with its challenge.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn open(tee: &dyn Tee, anchor: AnchorDigest, info: &[u8]) -> Result<Self, CallError> {
        Self::open_as(tee, anchor, info, false)
    }

    /// As [`Self::open`], for media that only a decoder gets.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn open_protected(
        tee: &dyn Tee,
        anchor: AnchorDigest,
        info: &[u8],
    ) -> Result<Self, CallError> {
        Self::open_as(tee, anchor, info, true)
    }

    fn open_as(
        tee: &dyn Tee,
        anchor: AnchorDigest,
        info: &[u8],
        protected: bool,
    ) -> Result<Self, CallError> {
        let mut connection = ClearSession::new(tee.connect()?);
        let request = body::OpenSession {
            anchor: anchor.0,
            service_info: Blob(info),
            protected,
        };
        let session = connection.exchange(&request)?.session;
        Ok(Self {
            connection,
            session,
        })
    }

    /// Builds a licence request for one key.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn request(&mut self, kid: [u8; 16]) -> Result<Vec<u8>, CallError> {
        let capabilities = no_capabilities();
        let request = acquisition(self.session, &[kid], &capabilities);
        Ok(self.connection.exchange(&request)?.bytes.0.to_vec())
    }

    /// Loads an answer and gives the number of keys that came with it.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn load(&mut self, answer: &[u8]) -> Result<usize, CallError> {
        let request = body::LoadAnswer {
            session: self.session,
            answer: Blob(answer),
        };
        let loaded = self.connection.exchange(&request)?;
        Ok(loaded.license.map_or(0, |license| license.keys.0.len()))
    }

    /// Obtains a licence for one key and loads it.
    ///
    /// # Errors
    /// Those of the trusted side.
    ///
    /// # Panics
    /// When the service gives no licence.
    pub fn acquire(&mut self, url: &str, kid: [u8; 16]) -> Result<(), CallError> {
        let request = self.request(kid)?;
        let answer = post::license(url, &request).expect("the service gives a licence");
        assert_eq!(self.load(&answer)?, 1, "one key was asked for");
        Ok(())
    }

    /// Decrypts `data` in place as one wholly protected sample of the first track of `sample`,
    /// which is a `cenc` file with 16-byte IVs.
    ///
    /// # Errors
    /// Those of the trusted side.
    ///
    /// # Panics
    /// When `data` exceeds what a sample's size can say.
    pub fn decrypt(&mut self, sample: &Sample, data: &mut [u8]) -> Result<u64, CallError> {
        self.decrypt_batch(sample, data, data.len())
    }

    /// As [`Self::decrypt`], with `data` as a batch of samples of `size` bytes; the last one may be
    /// shorter.
    ///
    /// # Errors
    /// Those of the trusted side.
    ///
    /// # Panics
    /// When `size` exceeds what a sample's size can say, or a call has no room for so many samples.
    pub fn decrypt_batch(
        &mut self,
        sample: &Sample,
        data: &mut [u8],
        size: usize,
    ) -> Result<u64, CallError> {
        let table = table(&[0x5a; 16], data.chunks(size.max(1)).map(<[u8]>::len));
        let request = decryption(self.session, sample.tracks[0].kid, 1000, &table);
        let done = self.connection.decrypt(&request, Media::InPlace(data))?;
        Ok(done.bytes)
    }

    /// Closes the session and keeps the connection.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn close(&mut self) -> Result<(), CallError> {
        let session = self.session;
        self.connection.exchange(&body::CloseSession { session })?;
        Ok(())
    }
}

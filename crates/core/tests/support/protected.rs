//! The other side of a protected session: tickets and a decoder.

use keybearer_core::{Buffers, Caller, ClientId, Media, MediaError, NoMedia};
use keybearer_wire::Status;
use keybearer_wire::body::{self, DecryptUnit, UnitDecrypted};
use keybearer_wire::field::Blob;

use super::device::{Device, Sample, records};
use super::service::Service;

/// Media in memory of which the platform says whose it is: true where the normal world cannot read it.
pub struct Placed<M> {
    pub media: M,
    pub input: bool,
    pub output: bool,
    pub response: bool,
}

impl<M> Placed<M> {
    /// A decoder's call: all of it but the protected units is its own memory.
    pub fn at_a_decoder(media: M) -> Self {
        Self {
            media,
            input: true,
            output: true,
            response: true,
        }
    }

    /// A host's call that names a protected buffer to write to.
    pub fn to_a_buffer(media: M) -> Self {
        Self {
            media,
            input: false,
            output: true,
            response: false,
        }
    }
}

impl<M: Media> Media for Placed<M> {
    fn input_len(&self) -> usize {
        self.media.input_len()
    }
    fn output_len(&self) -> usize {
        self.media.output_len()
    }
    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        self.media.read(offset, into)
    }
    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        self.media.write(offset, from)
    }
    fn input_is_protected(&self) -> bool {
        self.input
    }
    fn output_is_protected(&self) -> bool {
        self.output
    }
    fn response_is_protected(&self) -> bool {
        self.response
    }
}

impl Device {
    /// Does something as another client.
    pub fn as_client<T>(&mut self, client: ClientId, act: impl FnOnce(&mut Self) -> T) -> T {
        let own = std::mem::replace(&mut self.client, client);
        let result = act(self);
        self.client = own;
        result
    }

    /// Another decoder.
    pub fn decoder(&mut self) -> ClientId {
        self.core.connect(Caller::Decoder).unwrap()
    }

    pub fn open_kind(&mut self, service: &mut Service, protected: bool) -> Result<u64, Status> {
        let info = service.info();
        let request = body::OpenSession {
            anchor: service.anchor().0,
            service_info: Blob(&info),
            protected,
        };
        self.call(&request, &mut NoMedia, |a| a.session)
    }

    pub fn ticket(&mut self, session: u64, track_type: u8) -> Result<[u8; 16], Status> {
        let request = body::IssueTicket {
            session,
            track_type,
        };
        self.call(&request, &mut NoMedia, |a| a.ticket)
    }

    /// Handle and track type.
    pub fn redeem(&mut self, decoder: ClientId, ticket: [u8; 16]) -> Result<(u64, u8), Status> {
        let request = body::RedeemTicket {
            ticket,
            debug: false,
        };
        self.as_client(decoder, |it| {
            it.call(&request, &mut NoMedia, |a| (a.channel, a.track_type))
        })
    }

    pub fn hang_up(
        &mut self,
        decoder: ClientId,
        channel: u64,
        (rejected, decoded): (u32, u32),
    ) -> Result<(), Status> {
        let request = body::CloseChannel {
            channel,
            rejected,
            decoded,
        };
        self.as_client(decoder, |it| it.call(&request, &mut NoMedia, |_| ()))
    }

    /// Decrypts units into `output`.
    pub fn units(
        &mut self,
        decoder: ClientId,
        channel: u64,
        samples: &[Sample],
        (input, output): (&[u8], &mut [u8]),
        edit: impl FnOnce(&mut DecryptUnit<'_>),
    ) -> Result<UnitDecrypted, Status> {
        let (samples, subsamples) = records(samples);
        let mut request = unit(channel, &samples, &subsamples);
        edit(&mut request);
        let mut media = Placed::at_a_decoder(Buffers { input, output });
        self.as_client(decoder, |it| it.call(&request, &mut media, |a| a))
    }
}

/// A request to decrypt units under key 7, of which the decoder rejected none.
pub fn unit<'a>(channel: u64, samples: &'a [u8], subsamples: &'a [u8]) -> DecryptUnit<'a> {
    DecryptUnit {
        channel,
        key_id: [7; 16],
        license: None,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms: 40,
        samples: Blob(samples),
        subsamples: Blob(subsamples),
        rejected: 0,
        decoded: 0,
    }
}

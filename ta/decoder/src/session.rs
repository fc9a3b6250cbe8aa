//! One High session: a channel to its keys, a decoder, and the order in which they are used.
//!
//! A command is checked in the order of what it costs to be wrong: the request's form, the session's
//! state, then the key TA, which refuses by licence, level, time and outputs before a byte is
//! decrypted, and only then the content. What the content was is told in one way only, accepted or
//! [`Status::ContentRejected`]; the key TA is told the same with the next call, and closes the key when
//! too many units in a row were no content.
//!
//! Pictures wait here until those before them have been decoded, and others are predicted from them. What
//! one key's units left is never shown by what the key TA says of another key, nor by what it said long ago.

use alloc::{borrow::Cow, vec::Vec};
use keybearer_ta_entry::params::SharedInput;
use keybearer_video::{
    Budget, Codec, DecodeError, Decoder, Presented, Refusal as Rejection, SinkFailed,
};
use keybearer_wire::{
    Body, Status, body as key,
    decoder::{Command, MAX_UNIT, body},
    encode_answer, encode_status, fallback_response,
    field::List,
    limits::{MAX_MEDIA_DURATION_MS, MAX_REQUEST},
};

use crate::{
    clock::Clock,
    config::{DEBUG, PICTURES, TEST_OUTPUT},
    key_ta::{Connect, Refusal, exchange},
    output::Output,
};

/// A session and everything it owns.
pub struct Session<C: Connect, O> {
    connect: C,
    /// The session of the key TA, once there was reason to open one.
    keys: Option<C::Connection>,
    channel: Option<Channel>,
    output: Option<O>,
    decoder: Decoder,
    configured: bool,
    /// One access unit, clear for as long as it takes to decode it.
    unit: Vec<u8>,
    /// The largest picture that the key TA allowed last, in pixels.
    largest: Option<u64>,
    /// Whose pictures may wait here, or have others predicted from them; `None` where no unit was
    /// protected.
    held: Option<Held>,
    clock: Clock,
}

/// The key whose units came last.
struct Held {
    key_id: [u8; 16],
    /// When the key TA allowed the last of them.
    at: u64,
}

/// What a redeemed ticket gave, and what came of the last unit that it decrypted.
struct Channel {
    handle: u64,
    rejected: u32,
    decoded: u32,
}

/// An encoded response.
pub type Response = Cow<'static, [u8]>;

impl<C: Connect, O: Output> Session<C, O> {
    /// A session that reaches its keys by `connect` and shows its pictures on `output`; without one
    /// it refuses every command.
    #[must_use]
    pub fn new(connect: C, output: Option<O>, clock: Clock) -> Self {
        Self {
            connect,
            keys: None,
            channel: None,
            output,
            decoder: Decoder::new(Budget::of_heap(PICTURES)),
            configured: false,
            unit: Vec::new(),
            largest: None,
            held: None,
            clock,
        }
    }

    /// Runs one command. `request` is private memory; `media` is the host's, and is named to the key
    /// TA or copied once.
    ///
    /// # Panics
    /// On [`Command::Die`], in test builds only.
    pub fn call(&mut self, command: u32, request: &[u8], media: &SharedInput<'_>) -> Response {
        let encoded = match self.dispatch(command, request, media) {
            Ok(bytes) => Ok(bytes),
            Err(status) => encode_status(status),
        };
        encoded.map_or(Cow::Borrowed(fallback_response()), Cow::Owned)
    }

    fn dispatch(
        &mut self,
        command: u32,
        request: &[u8],
        media: &SharedInput<'_>,
    ) -> Result<Vec<u8>, Status> {
        let command = Command::from_code(command).ok_or(Status::UnknownCommand)?;
        match command {
            Command::Attach => answer(&self.attach(&decoded(request)?)?),
            Command::Configure => answer(&self.configure(&decoded(request)?)?),
            Command::Decode => answer(&self.decode(&decoded(request)?, media)?),
            Command::Flush => {
                let body::Flush {} = decoded(request)?;
                answer(&self.flush()?)
            }
            Command::Skip => {
                let body::Skip {} = decoded(request)?;
                self.output()?;
                self.skip();
                answer(&body::Empty {})
            }
            Command::Die => {
                let body::Die {} = decoded(request)?;
                if TEST_OUTPUT {
                    panic!("a test asked for it");
                }
                Err(Status::NotSupported)
            }
        }
    }

    /// Gives up the channel there is and redeems a ticket for another.
    fn attach(&mut self, request: &body::Attach) -> Result<body::Empty, Status> {
        self.output()?;
        self.detach();
        let keys = match &mut self.keys {
            Some(keys) => keys,
            none => none.insert(self.connect.connect().map_err(|_| Status::Platform)?),
        };
        let redeem = key::RedeemTicket {
            ticket: request.ticket,
            debug: TEST_OUTPUT || DEBUG,
        };
        let opened: Result<(key::ChannelOpened, _), _> = exchange(keys, &redeem, None, &mut []);
        let (opened, _) = opened.map_err(|refusal| self.status_of(refusal))?;
        self.channel = Some(Channel {
            handle: opened.channel,
            rejected: 0,
            decoded: 0,
        });
        self.largest = None;
        Ok(body::Empty {})
    }

    fn configure(&mut self, request: &body::Configure<'_>) -> Result<body::Configured, Status> {
        self.output()?;
        // Once for all: no unit is larger.
        let room = MAX_UNIT.saturating_sub(self.unit.len());
        self.unit
            .try_reserve_exact(room)
            .map_err(|_| Status::NoDecoderMemory)?;
        let codec = Codec::from_sample_entry(request.codec).map_err(|why| status_of(&why))?;
        let configured = self.decoder.configure(codec, request.record.0);
        let format = configured.map_err(|why| status_of(&why))?.format;
        self.configured = true;
        Ok(body::Configured {
            width: format.map(|format| format.width),
            height: format.map(|format| format.height),
        })
    }

    /// Decrypts one access unit and decodes it.
    fn decode(
        &mut self,
        request: &body::Decode<'_>,
        media: &SharedInput<'_>,
    ) -> Result<body::Presented, Status> {
        self.output()?;
        if self.channel.is_none() {
            return Err(Status::NotAttached);
        }
        if !self.configured {
            return Err(Status::NotConfigured);
        }
        if media.len() > MAX_UNIT {
            return Err(Status::MediaTooLarge);
        }
        self.unit.clear();
        self.unit.resize(media.len(), 0);
        let sequence = match &request.protection {
            Some(protection) => Some(self.decrypt(request, protection, media)?),
            None => {
                self.take_clear(media)?;
                None
            }
        };

        let output = self.output.as_mut().ok_or(Status::NotSupported)?;
        let result = self
            .decoder
            .decode(&self.unit, request.time, self.largest, output);
        // The unit was content for a moment and is none now, whatever came of it.
        self.unit.fill(0);
        if sequence.is_some()
            && let Some(channel) = &mut self.channel
        {
            channel.rejected = u32::from(matches!(result, Err(DecodeError::Rejected(_))));
            channel.decoded = u32::from(result.as_ref().is_ok_and(|accepted| accepted.decoded));
        }
        match result {
            Ok(accepted) => {
                let digests = output.digests();
                self.presented(&accepted.presented, sequence, digests)
            }
            Err(DecodeError::Rejected(_)) => Err(Status::ContentRejected),
            Err(DecodeError::Sink(_)) => Err(Status::Platform),
        }
    }

    /// Has the key TA decrypt the unit into this instance's memory; gives the statuses' sequence
    /// number.
    fn decrypt(
        &mut self,
        request: &body::Decode<'_>,
        protection: &body::Protection<'_>,
        media: &SharedInput<'_>,
    ) -> Result<u64, Status> {
        let (Some(keys), Some(channel)) = (&mut self.keys, &mut self.channel) else {
            return Err(Status::NotAttached);
        };
        let decrypt = key::DecryptUnit {
            channel: channel.handle,
            key_id: protection.key_id,
            license: protection.license,
            scheme: protection.scheme,
            iv_size: protection.iv_size,
            constant_iv: protection.constant_iv,
            crypt_blocks: protection.crypt_blocks,
            skip_blocks: protection.skip_blocks,
            duration_ms: request.duration_ms,
            samples: keybearer_wire::field::Blob(&protection.sample),
            subsamples: protection.subsamples,
            rejected: channel.rejected,
            decoded: channel.decoded,
        };
        let decrypted: Result<(key::UnitDecrypted, _), _> =
            exchange(keys, &decrypt, Some(media), &mut self.unit);
        let (decrypted, written) = match decrypted {
            Ok(decrypted) => decrypted,
            Err(refusal) => {
                // The key TA takes note of the report in most calls that it refuses, but not where it has
                // no room even to read them, and its answer does not tell. So what speaks against the
                // key is said again: a second report on the same units is nothing to it. What speaks
                // for the key is said once.
                channel.decoded = 0;
                return Err(self.status_of(refusal));
            }
        };
        (channel.rejected, channel.decoded) = (0, 0);
        // A unit that is not whole is none.
        if written != self.unit.len() {
            return Err(Status::Platform);
        }
        self.hold(protection.key_id, decrypted.largest_picture.map(u64::from))
            .map_err(|SinkFailed| {
                self.unit.fill(0);
                Status::Platform
            })?;
        Ok(decrypted.sequence)
    }

    /// Takes note of whose unit has just been decrypted. Another key's pictures go before it, and it
    /// begins anew: its units could say "as the picture before".
    fn hold(&mut self, key_id: [u8; 16], largest: Option<u64>) -> Result<(), SinkFailed> {
        let another = self.held.as_ref().is_some_and(|it| it.key_id != key_id);
        let finished = if another { self.finish() } else { Ok(()) };
        self.largest = largest;
        let at = (self.clock)();
        self.held = Some(Held { key_id, at });
        finished
    }

    /// Shows what waits, as the key TA allowed it, if that was just now, and drops it otherwise: nobody
    /// has asked since then whether it may still be shown. Decoding goes on at the next IDR picture.
    fn finish(&mut self) -> Result<(), SinkFailed> {
        let now = (self.clock)();
        let recent = self.held.take().is_none_or(|held| {
            // A clock that goes back tells nothing.
            let since = now.checked_sub(held.at);
            since.is_some_and(|since| since <= MAX_MEDIA_DURATION_MS.into())
        });
        match &mut self.output {
            Some(output) if recent => self.decoder.finish(self.largest, output),
            _ => {
                self.decoder.lost();
                Ok(())
            }
        }
    }

    /// Copies a unit that was never protected. Clear units are the host's to choose, so that none may
    /// show again what protected ones left here: they begin anew, at an IDR picture.
    fn take_clear(&mut self, media: &SharedInput<'_>) -> Result<(), Status> {
        if self.held.is_some() {
            self.skip();
        }
        media.read(0, &mut self.unit).map_err(|_| Status::Platform)
    }

    fn flush(&mut self) -> Result<body::Presented, Status> {
        self.output()?;
        let finished = self.finish();
        let output = self.output()?;
        let digests = output.digests();
        let presented = self.decoder.presented();
        finished.map_err(|SinkFailed| Status::Platform)?;
        self.presented(&presented, None, digests)
    }

    fn presented(
        &self,
        presented: &[Presented],
        sequence: Option<u64>,
        digests: Option<Vec<[u8; 32]>>,
    ) -> Result<body::Presented, Status> {
        let mut times = Vec::new();
        times
            .try_reserve_exact(presented.len())
            .map_err(|_| Status::OutOfMemory)?;
        times.extend(presented.iter().map(|picture| picture.time));
        Ok(body::Presented {
            times: List(times),
            largest: self.largest,
            sequence,
            digests: digests.map(List),
        })
    }

    fn output(&mut self) -> Result<&mut O, Status> {
        self.output.as_mut().ok_or(Status::NotSupported)
    }

    /// What the host is told of the key TA's refusal. Without the key TA there is no session left.
    fn status_of(&mut self, refusal: Refusal) -> Status {
        match refusal {
            Refusal::Status(status) => {
                if status == Status::UnknownChannel {
                    self.channel = None;
                }
                status
            }
            Refusal::Failure => {
                self.channel = None;
                self.keys = None;
                Status::Platform
            }
            Refusal::Unasked => Status::OutOfMemory,
        }
    }
}

impl<C: Connect, O> Session<C, O> {
    /// Gives the channel up in order, so that its last unit counts as what it was.
    fn detach(&mut self) {
        if let (Some(keys), Some(channel)) = (&mut self.keys, self.channel.take()) {
            let close = key::CloseChannel {
                channel: channel.handle,
                rejected: channel.rejected,
                decoded: channel.decoded,
            };
            let closed: Result<(key::Empty, _), _> = exchange(keys, &close, None, &mut []);
            match closed {
                // A key TA that does not know it any more has closed it.
                Ok(_) | Err(Refusal::Status(Status::UnknownChannel)) => {}
                // It would stay open beside the next one. With its session it ends, and what nobody has
                // reported on counts as rejected there.
                Err(_) => self.keys = None,
            }
        }
        self.skip();
    }

    /// Drops what waits; decoding goes on at the next IDR picture.
    fn skip(&mut self) {
        self.decoder.lost();
        self.held = None;
    }
}

impl<C: Connect, O> Drop for Session<C, O> {
    fn drop(&mut self) {
        self.detach();
    }
}

fn decoded<'a, B: Body<'a>>(request: &'a [u8]) -> Result<B, Status> {
    B::decode(request, MAX_REQUEST).map_err(|_| Status::Malformed)
}

fn answer<'a>(answer: &impl Body<'a>) -> Result<Vec<u8>, Status> {
    encode_answer(answer).map_err(|_| Status::OutOfMemory)
}

fn status_of(rejection: &Rejection) -> Status {
    match rejection {
        Rejection::UnsupportedCodec(_) => Status::UnsupportedCodec,
        Rejection::NoDecoderMemory => Status::NoDecoderMemory,
        Rejection::ContentRejected => Status::ContentRejected,
    }
}

#[cfg(test)]
mod tests;

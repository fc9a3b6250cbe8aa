//! One client's connection to a worker.

use std::sync::Arc;

use keybearer_tee::{Media, SharedMemory, TeeError, TeeSession};
use keybearer_wire::body::Decrypted;
use keybearer_wire::limits::{MAX_MEDIA, MAX_REQUEST, MAX_RESPONSE};
use keybearer_wire::{Command, decode_response};

use crate::channel::{Answer, Call, MAX_REGION, Place, RESPONSE_AT};
use crate::lookout::Lookout;
use crate::memory::{Handle, Regions};
use crate::socket::Socket;
use crate::sys::Mapping;
use crate::worker::{Worker, failed};

/// Media that lies in no shared memory is copied through memory of multiples of this size in bytes.
const BOUNCE_STEP: usize = 1 << 20;
/// Such memory is kept for the next call up to this size in bytes.
const BOUNCE_KEPT: usize = 8 << 20;

/// A connection. Dropping it frees what the core holds for it.
pub(crate) struct WorkerSession {
    /// First, so that the worker notices the end while it still lives.
    socket: Socket,
    arena: Mapping,
    /// For media that the caller holds elsewhere.
    bounce: Option<Handle>,
    sequence: u64,
    lookout: Lookout,
    regions: Arc<Regions>,
    worker: Arc<Worker>,
}

impl WorkerSession {
    pub(crate) fn new(
        socket: Socket,
        arena: Mapping,
        regions: Arc<Regions>,
        worker: Arc<Worker>,
    ) -> Self {
        Self {
            socket,
            arena,
            bounce: None,
            sequence: 0,
            lookout: Lookout::new(),
            regions,
            worker,
        }
    }

    /// Where `slice` lies in memory that the worker knows; `None` when it lies elsewhere.
    fn place(&self, slice: &[u8]) -> Result<Option<Place>, TeeError> {
        let Some((region, offset)) = self.regions.find(slice) else {
            return Ok(None);
        };
        self.worker.share(&region)?;
        Ok(Some(place(region.name, offset, slice.len())))
    }

    /// The beginning of the bounce memory, which has at least `len` bytes afterwards.
    fn bounce(&mut self, len: usize) -> Result<Place, TeeError> {
        let enough = |handle: &Handle| handle.bytes().len() >= len;
        if !self.bounce.as_ref().is_some_and(enough) {
            // The old one goes first: both at once would be needless.
            self.bounce = None;
            let size = len.next_multiple_of(BOUNCE_STEP);
            self.bounce = Some(self.make(size)?);
        }
        let handle = self.bounce.as_ref().ok_or(TeeError::Dead)?;
        self.worker.share(&handle.region)?;
        Ok(place(handle.region.name, 0, len))
    }

    fn make(&self, len: usize) -> Result<Handle, TeeError> {
        let made = self.regions.make(len);
        made.map_err(failed("make shared memory"))?
            .ok_or_else(|| TeeError::Unavailable("too many pieces of shared memory".into()))
    }

    /// Names the media to the worker. What the worker cannot reach is copied to where it can.
    fn lay_out(&mut self, media: &Media<'_>) -> Result<Option<(Place, Place)>, TeeError> {
        let (input, output_len) = match media {
            Media::None => return Ok(None),
            Media::Input(input) => (*input, 0),
            Media::InPlace(data) => (&**data, data.len()),
            // More room than input is of no use.
            Media::Into { input, output } => (*input, output.len().min(input.len())),
        };
        let from = self.place(input)?;
        let to = match media {
            Media::Into { output, .. } => self.place(output)?,
            _ => from,
        };
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (from, to) => {
                let bounce = self.bounce(input.len())?;
                if from.is_none()
                    && let Some(handle) = &mut self.bounce
                {
                    handle.bytes_mut()[..input.len()].copy_from_slice(input);
                }
                (from.unwrap_or(bounce), to.unwrap_or(bounce))
            }
        };
        let to = Place {
            len: output_len as u64,
            ..to
        };
        Ok(Some((from, to)))
    }
}

const fn place(region: u64, offset: usize, len: usize) -> Place {
    // Offsets and lengths of this machine's memory.
    Place {
        region,
        offset: offset as u64,
        len: len as u64,
    }
}

impl TeeSession for WorkerSession {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        response.clear();
        check("request", request.len(), MAX_REQUEST)?;
        check("media", media.len(), MAX_MEDIA)?;
        self.regions.release(&self.worker);
        let places = self.lay_out(&media)?;
        self.arena.bytes_mut()[..request.len()].copy_from_slice(request);
        self.sequence += 1;
        let call = Call {
            sequence: self.sequence,
            command,
            // Checked above.
            request: u32::try_from(request.len()).unwrap_or(u32::MAX),
            media: places,
        };
        if self.socket.send(&call.encode()).is_err() {
            return Err(self.worker.condemn());
        }
        // One byte more than an answer has, so that a longer one is seen.
        let mut room = [0; Answer::SIZE + 1];
        let begin = self.lookout.look(|| self.socket.is_ready());
        let answer = self.worker.receive(&self.socket, &mut room)?;
        self.lookout.came(begin);
        let Ok(answer) = Answer::decode(answer) else {
            return Err(self.worker.distrust("no answer in form"));
        };
        if answer.sequence != self.sequence {
            return Err(self.worker.distrust("the answer to another call"));
        }
        let len = usize::try_from(answer.response).unwrap_or(usize::MAX);
        if len > MAX_RESPONSE {
            return Err(self.worker.distrust("longer than the room it was given"));
        }
        response.extend_from_slice(&self.arena.bytes()[RESPONSE_AT..][..len]);
        if command == Command::Decrypt.code() {
            self.fetch(response, places, media)?;
        }
        let large = |handle: &Handle| handle.bytes().len() > BOUNCE_KEPT;
        if self.bounce.as_ref().is_some_and(large) {
            self.bounce = None;
        }
        Ok(())
    }

    fn shared_memory(&mut self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, TeeError> {
        check("shared memory", len, MAX_REGION)?;
        let handle = self.make(len)?;
        self.worker.share(&handle.region)?;
        Ok(Some(Box::new(handle)))
    }
}

impl WorkerSession {
    /// Copies what was decrypted in the bounce memory to where the caller wants it. A refused call
    /// gives no media back: what the caller holds stays as it is.
    fn fetch(
        &self,
        response: &[u8],
        places: Option<(Place, Place)>,
        media: Media<'_>,
    ) -> Result<(), TeeError> {
        let Ok(Ok(Decrypted { bytes, .. })) = decode_response(response) else {
            return Ok(());
        };
        let (Some((_, to)), Some(handle)) = (places, &self.bounce) else {
            return Ok(());
        };
        if to.region != handle.region.name {
            return Ok(());
        }
        let data = match media {
            Media::None | Media::Input(_) => return Ok(()),
            Media::InPlace(data) => data,
            Media::Into { output, .. } => output,
        };
        let written = usize::try_from(bytes).unwrap_or(usize::MAX);
        match (data.get_mut(..written), handle.bytes().get(..written)) {
            (Some(data), Some(decrypted)) => data.copy_from_slice(decrypted),
            _ => return Err(self.worker.distrust("more media than it was given")),
        }
        Ok(())
    }
}

impl Drop for WorkerSession {
    /// Waits until the worker has freed the connection: what is done next, on another connection,
    /// finds its room.
    fn drop(&mut self) {
        self.worker.disconnect(&self.socket);
    }
}

fn check(what: &'static str, found: usize, limit: usize) -> Result<(), TeeError> {
    if found > limit {
        Err(TeeError::TooLarge { what, found, limit })
    } else {
        Ok(())
    }
}

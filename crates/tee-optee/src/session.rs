//! One connection: a session of a trusted application with an arena of registered shared memory.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use keybearer_tee::{
    BufferRange, CancelCall, Media, ProtectedBuffer, SharedMemory, TeeError, TeeSession,
};
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE, OPTEE_MAX_MEDIA};

use crate::application::{Application, Effect};
use crate::error;
use crate::owner::{Kept, Owner};
use crate::sys::{Device, Memory, Place, Range, SharedBytes, Slots, UnderWay, Written};

/// Offset of the response in the arena; the request begins at 0. Both are multiples of a page.
const RESPONSE_AT: usize = MAX_REQUEST;
/// Offset of the media in the arena.
pub(crate) const MEDIA_AT: usize = RESPONSE_AT + MAX_RESPONSE;

/// One connection to a trusted application; see the crate's head.
pub(crate) struct OpteeSession {
    application: &'static Application,
    owner: Owner,
    under_way: Arc<UnderWay>,
    arena: Kept<Arc<Memory>>,
    shared: Vec<Weak<Memory>>,
    /// Protected buffers by their numbers.
    buffers: BTreeMap<u64, Kept<Arc<Memory>>>,
    life: Life,
}

impl std::fmt::Debug for OpteeSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpteeSession")
            .field("application", &self.application.name)
            .finish_non_exhaustive()
    }
}

/// What the connection means to its user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Nothing depends on the instance of the trusted application that it leads to.
    Fresh,
    /// It leads to one instance: where that has died, a connection to another would seem to hold what
    /// is gone, and old handles could mean new things.
    Bound,
    /// The instance has died, and every further call would fail the same way.
    Dead,
}

impl OpteeSession {
    pub(crate) fn open(application: &'static Application) -> Result<Self, TeeError> {
        let failed = |failure| error::of(application, failure);
        let mut device = Device::open(&application.uuid()?).map_err(failed)?;
        let arena = device.allocate(MEDIA_AT).map_err(failed)?;
        let owner = Owner::of(device).map_err(failed)?;
        Ok(Self {
            application,
            under_way: Arc::default(),
            arena: Kept::new(arena, &owner),
            owner,
            shared: Vec::new(),
            buffers: BTreeMap::new(),
            life: Life::Fresh,
        })
    }

    fn alive(&self) -> Result<(), TeeError> {
        match self.life {
            Life::Dead => Err(TeeError::Dead),
            Life::Fresh | Life::Bound => Ok(()),
        }
    }

    /// What is checked before anything is done.
    fn begin(&self, request: &[u8], media: usize) -> Result<(), TeeError> {
        self.alive()?;
        check("request", request.len(), MAX_REQUEST)?;
        check("media", media, OPTEE_MAX_MEDIA)
    }

    /// Has the owner do something.
    fn run<T: Send + 'static>(
        &mut self,
        what: impl FnOnce(&mut Device) -> T + Send + 'static,
    ) -> Result<T, TeeError> {
        self.owner.run(what).map_err(|_| {
            self.life = Life::Dead;
            TeeError::Dead
        })
    }

    /// Makes room for `media` bytes. The arena only ever grows, in powers of two: a stream's
    /// batches are of like size, so this happens a few times in the life of a connection.
    fn reserve(&mut self, media: usize) -> Result<(), TeeError> {
        if self.arena.size() < MEDIA_AT + media {
            let size = MEDIA_AT + media.next_power_of_two();
            let arena = self.run(move |device| device.allocate(size))?;
            let arena = arena.map_err(|failure| error::of(self.application, failure))?;
            self.arena = Kept::new(arena, &self.owner);
        }
        Ok(())
    }

    /// Where `slice` lies in memory that this connection has shared; `None` when it lies elsewhere.
    fn find(&self, slice: &[u8]) -> Option<Place> {
        let len = slice.len();
        let lent = self.shared.iter().filter_map(Weak::upgrade);
        lent.into_iter().find_map(|memory| {
            let offset = memory.offset_of(slice)?;
            let range = Range { offset, len };
            Some(Place { memory, range })
        })
    }

    /// A range of the arena.
    fn own(&self, offset: usize, len: usize) -> Place {
        Place {
            memory: Arc::clone(&self.arena),
            range: Range { offset, len },
        }
    }

    /// Names the protected bytes to the trusted application: where they lie, or copied into the arena.
    fn input(&mut self, input: &[u8]) -> Result<Place, TeeError> {
        if let Some(place) = self.find(input) {
            return Ok(place);
        }
        self.reserve(input.len())?;
        self.arena.write(MEDIA_AT, input);
        Ok(self.own(MEDIA_AT, input.len()))
    }

    /// Names the media of a call to the trusted application. What lies elsewhere than in memory of
    /// this connection's goes through the arena: copied in here, and back by who finds no place of
    /// its own for the output (`false`).
    fn lay_out(&mut self, media: &Media<'_>) -> Result<(Place, Place, bool), TeeError> {
        let len = media.len();
        let (input, output): (&[u8], &[u8]) = match media {
            Media::None => (&[], &[]),
            Media::InPlace(data) => (data, data),
            Media::Input(input) => (input, &[]),
            Media::Into { input, output } => (input, &output[..len]),
        };
        let to = self.find(output);
        if to.is_none() {
            self.reserve(len)?;
        }
        let from = self.input(input)?;
        let in_place = to.is_some();
        let to = to.unwrap_or_else(|| self.own(MEDIA_AT, output.len()));
        Ok((from, to, in_place))
    }

    /// Runs a command whose media are in place, and takes the response.
    fn exchange(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media_in: Place,
        media_out: Place,
    ) -> Result<Written, TeeError> {
        let room = media_out.range.len;
        self.arena.write(0, request);
        let slots = Slots {
            request: self.own(0, request.len()),
            response: self.own(RESPONSE_AT, MAX_RESPONSE),
            media_in,
            media_out,
        };
        let effect = (self.application.effect)(command);
        let repeat = self.life == Life::Fresh && effect != Effect::Lasting;
        let uuid = if repeat {
            Some(self.application.uuid()?)
        } else {
            None
        };
        let under_way = Arc::clone(&self.under_way);
        under_way.begin();
        let result = self.run(move |device| {
            let first = device.invoke(command, &slots, &under_way);
            match (first, uuid) {
                // Another client may have been the death of the one instance there was.
                (Err(failure), Some(uuid)) if error::is_death(failure) => device
                    .reopen(&uuid)
                    .and_then(|()| device.invoke(command, &slots, &under_way)),
                (result, _) => result,
            }
        });
        self.under_way.end();
        let written = result?.map_err(|failure| {
            if error::is_death(failure) {
                self.life = Life::Dead;
            }
            error::of(self.application, failure)
        })?;
        if effect != Effect::None {
            self.life = Life::Bound;
        }
        if written.response > MAX_RESPONSE || written.media > room {
            return Err(TeeError::BadAnswer("longer than the room it was given"));
        }
        response.resize(written.response, 0);
        self.arena.read(RESPONSE_AT, response);
        Ok(written)
    }
}

impl Drop for OpteeSession {
    fn drop(&mut self) {
        // Waited for, so that who drops a connection can count on the room being free.
        let _ = self.owner.run(Device::close);
    }
}

impl TeeSession for OpteeSession {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        response.clear();
        self.begin(request, media.len())?;
        if let Media::Into { input, output } = &media {
            check("media", input.len(), output.len())?;
        }
        let (media_in, media_out, in_place) = self.lay_out(&media)?;
        let written = self.exchange(command, request, response, media_in, media_out)?;
        // A refused command gives no media back: what the caller holds stays as it is.
        match media {
            Media::InPlace(output) | Media::Into { output, .. } if !in_place => {
                self.arena.read(MEDIA_AT, &mut output[..written.media]);
            }
            _ => {}
        }
        Ok(())
    }

    fn shared_memory(&mut self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, TeeError> {
        self.alive()?;
        // What is registered takes room of OP-TEE's own, which all clients share; and more than this
        // no call carries.
        check("shared memory", len, OPTEE_MAX_MEDIA)?;
        // A memory of no bytes cannot be registered.
        let shared = self.run(move |device| device.share(len.max(1)))?;
        let shared = shared.map_err(|failure| error::of(self.application, failure))?;
        self.shared.retain(|memory| memory.strong_count() > 0);
        self.shared.push(Arc::downgrade(shared.memory()));
        Ok(Some(Box::new(Lent {
            shared: Kept::new(shared, &self.owner),
            len,
        })))
    }

    fn register_buffer<'a>(&mut self, fd: BorrowedFd<'a>) -> Result<ProtectedBuffer, TeeError> {
        self.alive()?;
        let fd = fd.try_clone_to_owned().map_err(|error| TeeError::Io {
            what: "duplicating the descriptor of a protected buffer",
            code: error.raw_os_error().unwrap_or(0).unsigned_abs(),
        })?;
        let registered = self.run(move |device| device.register(fd.as_fd()))?;
        let memory = registered.map_err(|failure| error::of(self.application, failure))?;
        // No other connection has the same one, so that none takes another's buffer for its own.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let buffer = ProtectedBuffer::new(number, memory.size());
        self.buffers.insert(number, Kept::new(memory, &self.owner));
        Ok(buffer)
    }

    fn release_buffer(&mut self, buffer: ProtectedBuffer) {
        self.buffers.remove(&buffer.number());
    }

    fn call_into(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        input: &[u8],
        output: BufferRange,
    ) -> Result<(), TeeError> {
        response.clear();
        self.begin(request, input.len())?;
        let BufferRange {
            buffer,
            offset,
            capacity: len,
        } = output;
        let memory = self.buffers.get(&buffer.number());
        let memory = memory.ok_or_else(|| {
            TeeError::NoProtectedBuffer("this connection has not registered it".into())
        })?;
        let room = memory.size().saturating_sub(offset);
        check("protected output", len, room.min(OPTEE_MAX_MEDIA))?;
        let place = Place {
            memory: Arc::clone(memory),
            range: Range { offset, len },
        };
        let from = self.input(input)?;
        self.exchange(command, request, response, from, place)?;
        Ok(())
    }

    fn canceller(&self) -> Option<Arc<dyn CancelCall>> {
        Some(Arc::new(Canceller(Arc::clone(&self.under_way))))
    }
}

/// Cancels the calls of a connection.
struct Canceller(Arc<UnderWay>);

impl CancelCall for Canceller {
    fn cancel(&self) {
        self.0.cancel();
    }
}

/// Shared memory in the hands of a caller.
struct Lent {
    shared: Kept<SharedBytes>,
    len: usize,
}

impl SharedMemory for Lent {
    fn bytes(&self) -> &[u8] {
        &self.shared.bytes()[..self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.shared.bytes_mut()[..self.len]
    }
}

fn check(what: &'static str, found: usize, limit: usize) -> Result<(), TeeError> {
    if found > limit {
        Err(TeeError::TooLarge { what, found, limit })
    } else {
        Ok(())
    }
}

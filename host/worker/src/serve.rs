//! The worker's one loop: waits for messages of the host, has the core answer them.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use keybearer_core::{Caller, ClientId, Core, NoMedia};
use keybearer_tee_soft::channel::{
    ARENA, Answer, Call, FromHost, FromWorker, MAX_MESSAGE, MAX_REGION, MAX_REGIONS, Place,
    RESPONSE_AT,
};
use keybearer_tee_soft::lookout::Lookout;
use keybearer_tee_soft::platform::SoftPlatform;
use keybearer_tee_soft::socket::Socket;
use keybearer_wire::limits::{MAX_CLIENTS, MAX_REQUEST, MAX_RESPONSE};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::SealFlags;

use crate::media::{Piece, SharedMedia};
use crate::sys::Mapping;

/// Everything a worker holds once it serves.
pub(crate) struct Server<'c> {
    control: &'c Socket,
    core: Core<SoftPlatform>,
    connections: Vec<Connection>,
    regions: BTreeMap<u64, Mapping>,
    /// The request of the call under way, out of the host's reach.
    request: Vec<u8>,
    /// For the next message of any of them.
    lookout: Lookout,
}

/// One client's.
struct Connection {
    socket: Socket,
    client: ClientId,
    arena: Mapping,
    /// Of the last call.
    sequence: u64,
}

/// A host that does not keep to the channel; nothing it says is worth anything any more.
fn out_of_form() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl<'c> Server<'c> {
    pub(crate) fn new(control: &'c Socket, core: Core<SoftPlatform>) -> Self {
        Self {
            control,
            core,
            connections: Vec::with_capacity(MAX_CLIENTS),
            regions: BTreeMap::new(),
            request: Vec::with_capacity(MAX_REQUEST),
            lookout: Lookout::new(),
        }
    }

    /// Serves until the host closes the control socket.
    ///
    /// # Errors
    /// At the first message that is out of form.
    pub(crate) fn run(mut self) -> io::Result<()> {
        loop {
            let (control, mut ready) = self.wait()?;
            // Ends before calls and calls before the control socket: what the host did first is done
            // first, so a new connection finds the room of one that was closed before it was asked for.
            ready.sort_by_key(|(_, ended)| !*ended);
            let mut closed = Vec::new();
            for (index, _) in ready {
                if !self.answer(index)? {
                    closed.push(index);
                }
            }
            closed.sort_unstable();
            for index in closed.into_iter().rev() {
                self.connections.swap_remove(index);
            }
            if control && !self.command()? {
                return Ok(());
            }
        }
    }

    /// Waits for messages: whether there is one on the control socket, and on which connections, and
    /// whether that is their end.
    fn wait(&mut self) -> io::Result<(bool, Vec<(usize, bool)>)> {
        let mut sockets: Vec<PollFd<'_>> = Vec::with_capacity(1 + self.connections.len());
        sockets.push(PollFd::new(self.control, PollFlags::IN));
        for connection in &self.connections {
            sockets.push(PollFd::new(
                &connection.socket,
                PollFlags::IN | PollFlags::RDHUP,
            ));
        }
        let at_once = Timespec::default();
        let begin = self
            .lookout
            .look(|| rustix::event::poll(&mut sockets, Some(&at_once)) != Ok(0));
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut sockets, None))?;
        self.lookout.came(begin);
        let ready = |socket: &PollFd<'_>| !socket.revents().is_empty();
        let ended = |socket: &PollFd<'_>| {
            socket
                .revents()
                .intersects(PollFlags::RDHUP | PollFlags::HUP)
        };
        let connections = sockets[1..]
            .iter()
            .enumerate()
            .filter(|(_, socket)| ready(socket))
            .map(|(index, socket)| (index, ended(socket)));
        Ok((ready(&sockets[0]), connections.collect()))
    }

    /// Answers one call of a connection; `false` at its end, which frees what the core holds for it.
    fn answer(&mut self, index: usize) -> io::Result<bool> {
        let connection = &mut self.connections[index];
        // One byte more than a call has, so that a longer one is seen.
        let mut room = [0; Call::SIZE + 1];
        let Some(message) = connection.socket.receive(&mut room)? else {
            self.core.disconnect(connection.client);
            return Ok(false);
        };
        let call = Call::decode(message).map_err(|_| out_of_form())?;
        let request = usize::try_from(call.request).map_err(|_| out_of_form())?;
        if request > MAX_REQUEST || Some(call.sequence) != connection.sequence.checked_add(1) {
            return Err(out_of_form());
        }
        connection.sequence = call.sequence;
        // Copied once, before anything of it is read; its room was reserved at the start.
        self.request.resize(request, 0);
        let copied = connection.arena.read(0, &mut self.request);
        copied.ok_or_else(out_of_form)?;

        let (client, core) = (connection.client, &mut self.core);
        let response = match call.media {
            None => core.call(client, call.command, &self.request, &mut NoMedia),
            Some((input, output)) => {
                let piece = |place: Place| {
                    let memory = self.regions.get(&place.region)?;
                    Piece::new(memory, place.offset, place.len)
                };
                let (Some(input), Some(output)) = (piece(input), piece(output)) else {
                    return Err(out_of_form());
                };
                let mut media = SharedMedia { input, output };
                core.call(client, call.command, &self.request, &mut media)
            }
        };
        let len = response.len();
        if len > MAX_RESPONSE {
            return Err(out_of_form());
        }
        let written = connection.arena.write(RESPONSE_AT, &response);
        written.ok_or_else(out_of_form)?;
        let answer = Answer {
            sequence: call.sequence,
            response: u32::try_from(len).map_err(|_| out_of_form())?,
        };
        match connection.socket.send(&answer.encode()) {
            // The client left while it was being answered; its end is the next thing to be read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            other => other.map(|()| true),
        }
    }

    /// Obeys one message on the control socket; `false` at its end.
    fn command(&mut self) -> io::Result<bool> {
        let mut room = [0; MAX_MESSAGE];
        let Some((message, mut descriptors)) = self.control.receive_with(&mut room)? else {
            return Ok(false);
        };
        let message = FromHost::decode(message).map_err(|_| out_of_form())?;
        let done = match (message, descriptors.pop(), descriptors.pop()) {
            (FromHost::Connect, Some(arena), Some(socket)) => self.connect(socket, &arena)?,
            (FromHost::Share { region, len }, Some(memory), None) => {
                self.share(region, len, &memory)?
            }
            (FromHost::Release { region }, None, None) => {
                self.regions.remove(&region);
                return Ok(true);
            }
            _ => return Err(out_of_form()),
        };
        let answer = if done {
            FromWorker::Done
        } else {
            FromWorker::Refused
        };
        self.control.send(&answer.encode())?;
        Ok(true)
    }

    fn connect(&mut self, socket: OwnedFd, arena: &OwnedFd) -> io::Result<bool> {
        let socket = Socket::from_descriptor(socket)?;
        if !can_be_mapped(arena, ARENA)? {
            return Err(out_of_form());
        }
        let Ok(arena) = Mapping::new(arena.as_fd(), ARENA) else {
            return Ok(false);
        };
        let Some(client) = self.core.connect(Caller::Host) else {
            return Ok(false);
        };
        self.connections.push(Connection {
            socket,
            client,
            arena,
            sequence: 0,
        });
        Ok(true)
    }

    fn share(&mut self, region: u64, len: u64, memory: &OwnedFd) -> io::Result<bool> {
        let len = usize::try_from(len).map_err(|_| out_of_form())?;
        if len > MAX_REGION || self.regions.contains_key(&region) || !can_be_mapped(memory, len)? {
            return Err(out_of_form());
        }
        if self.regions.len() >= MAX_REGIONS {
            return Ok(false);
        }
        // Nothing of size zero can be mapped, and there is always one byte.
        let Ok(mapping) = Mapping::new(memory.as_fd(), len.max(1)) else {
            return Ok(false);
        };
        self.regions.insert(region, mapping);
        Ok(true)
    }
}

/// True for memory of at least `len` bytes, and at least one, that nobody can take away again.
fn can_be_mapped(memory: &OwnedFd, len: usize) -> io::Result<bool> {
    let size = rustix::fs::fstat(memory)?.st_size;
    let enough = usize::try_from(size).is_ok_and(|size| size >= len.max(1));
    // Refused for anything but a memory file, which has no seals.
    let sealed =
        rustix::fs::fcntl_get_seals(memory).is_ok_and(|seals| seals.contains(SealFlags::SHRINK));
    Ok(enough && sealed)
}

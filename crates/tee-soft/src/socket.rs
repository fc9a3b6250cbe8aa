//! One end of a packet socket between host and worker.
//!
//! Packets are whole or not at all, so a peer that dies in the middle of a message leaves none, and a
//! packet longer than its reader expects is an error, never cut short unseen.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
    sockopt,
};

/// Most descriptors that go along with one message.
const MAX_DESCRIPTORS: usize = 2;

/// A peer that is gone without having read everything; an end like any other.
const LEFT_UNREAD: rustix::io::Errno = rustix::io::Errno::CONNRESET;

/// One end.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Both ends of a new connection, closed when another program is executed.
    ///
    /// # Errors
    /// The system's, when there are no descriptors left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(one), Self(other)))
    }

    /// Takes a descriptor that must be such a socket.
    ///
    /// # Errors
    /// `InvalidInput` when it is something else.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        if sockopt::socket_type(&descriptor)? == SocketType::SEQPACKET
            && sockopt::socket_domain(&descriptor)? == AddressFamily::UNIX
        {
            Ok(Self(descriptor))
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// Gives up waiting for a message, or for room to send one, after this time, with `WouldBlock`;
    /// `None` waits for ever.
    ///
    /// # Errors
    /// The system's.
    pub fn set_deadline(&self, deadline: Option<Duration>) -> io::Result<()> {
        for direction in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
            sockopt::set_socket_timeout(&self.0, direction, deadline)?;
        }
        Ok(())
    }

    /// Sends one message.
    ///
    /// # Errors
    /// `BrokenPipe` when the peer is gone.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        self.sent(message, |flags| rustix::net::send(&self.0, message, flags))
    }

    /// Sends one message with at most two descriptors.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_with(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        // The room may hold more than it was made for, for the sake of alignment.
        if descriptors.len() > MAX_DESCRIPTORS
            || !control.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let parts = [IoSlice::new(message)];
        self.sent(message, |flags| {
            rustix::net::sendmsg(&self.0, &parts, &mut control, flags)
        })
    }

    fn sent(
        &self,
        message: &[u8],
        mut send: impl FnMut(SendFlags) -> rustix::io::Result<usize>,
    ) -> io::Result<()> {
        // The peer's death is an error here, not a signal to the whole program.
        let sent = rustix::io::retry_on_intr(|| send(SendFlags::NOSIGNAL))?;
        if sent == message.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    /// Whether [`Self::receive`] would return at once: there is a message, or the peer is gone.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let mut sockets = [PollFd::new(&self.0, PollFlags::IN)];
        // What is wrong with it is what receiving from it says.
        rustix::event::poll(&mut sockets, Some(&Timespec::default())) != Ok(0)
    }

    /// Receives one message; `None` when the peer is gone. Descriptors sent along are closed.
    ///
    /// # Errors
    /// `WouldBlock` at the deadline; `InvalidData` for a message longer than `room`.
    pub fn receive<'r>(&self, room: &'r mut [u8]) -> io::Result<Option<&'r [u8]>> {
        let len = match rustix::io::retry_on_intr(|| {
            rustix::net::recv(&self.0, &mut *room, RecvFlags::TRUNC).map(|(_, len)| len)
        }) {
            Ok(0) | Err(LEFT_UNREAD) => return Ok(None),
            other => other?,
        };
        room.get(..len)
            .map(Some)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Receives one message and the descriptors sent along.
    ///
    /// # Errors
    /// As [`Self::receive`]; `InvalidData` also for more than two descriptors.
    pub fn receive_with<'r>(
        &self,
        room: &'r mut [u8],
    ) -> io::Result<Option<(&'r [u8], Vec<OwnedFd>)>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = match rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(
                &self.0,
                &mut [IoSliceMut::new(room)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        }) {
            Err(LEFT_UNREAD) => return Ok(None),
            other => other?,
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(sent) = message {
                descriptors.extend(sent);
            }
        }
        if received
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
            || descriptors.len() > MAX_DESCRIPTORS
        {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if received.bytes == 0 {
            return Ok(None);
        }
        room.get(..received.bytes)
            .map(|message| Some((message, descriptors)))
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Says that nothing more will be sent from this end.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.0, Shutdown::Write)?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.0
    }
}

#[cfg(test)]
mod tests;

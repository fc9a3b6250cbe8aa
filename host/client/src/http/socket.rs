//! TCP connections for `ureq` whose every wait ends with the exchange.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use super::interrupt::wait;

/// Opens TCP connections, unless something before it in the chain, such as a proxy, has.
#[derive(Debug)]
pub(super) struct TcpConnector;

impl<In: Transport> Connector<In> for TcpConnector {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let stream = first_that_answers(&details.addrs, details.timeout)?;
        if details.config.no_delay() {
            stream.set_nodelay(true)?;
        }
        let input = details.config.input_buffer_size();
        let output = details.config.output_buffer_size();
        Ok(Some(Either::B(Socket {
            stream,
            buffers: LazyBuffers::new(input, output),
        })))
    }
}

/// Tries the addresses in turn. One that does not answer has half of the time that is left, and the
/// last one all of it.
fn first_that_answers(addrs: &[SocketAddr], timeout: NextTimeout) -> Result<TcpStream, Error> {
    let start = Instant::now();
    let mut last = Error::HostNotFound;
    for (at, addr) in addrs.iter().enumerate() {
        let left = after(timeout).map(|after| after.saturating_sub(start.elapsed()));
        let others = addrs.len() - at > 1;
        let time = left.map(|left| if others { left / 2 } else { left });
        last = match opened(*addr, deadline(time)) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
            // The exchange shall end: no other address is tried.
            Err(error) if error.kind() == io::ErrorKind::Other => return Err(error.into()),
            Err(error) => error.into(),
        };
    }
    Err(last)
}

fn opened(addr: SocketAddr, deadline: Option<Instant>) -> io::Result<TcpStream> {
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let stream = TcpStream::from(socket_with(family, SocketType::STREAM, flags, None)?);
    match connect(&stream, &addr) {
        Err(rustix::io::Errno::INPROGRESS) => {
            wait(stream.as_fd(), PollFlags::OUT, deadline)?;
            sockopt::socket_error(&stream)??;
        }
        done => done?,
    }
    Ok(stream)
}

/// The time until a timeout; `None`: for ever.
fn after(timeout: NextTimeout) -> Option<Duration> {
    (!timeout.after.is_not_happening()).then_some(*timeout.after)
}

fn deadline(left: Option<Duration>) -> Option<Instant> {
    left.and_then(|left| Instant::now().checked_add(left))
}

/// An open connection, never blocking but in [`wait`].
pub(super) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket")
            .field(&self.stream.peer_addr().ok())
            .finish()
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let deadline = deadline(after(timeout));
        let mut stream = &self.stream;
        let mut rest = self.buffers.output().get(..amount).unwrap_or_default();
        while !rest.is_empty() {
            let written = ready(stream, PollFlags::OUT, deadline, || stream.write(rest));
            let written = written.map_err(|error| of_io(error, timeout.reason))?;
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let deadline = deadline(after(timeout));
        let mut stream = &self.stream;
        let room = self.buffers.input_append_buf();
        let read = ready(stream, PollFlags::IN, deadline, || stream.read(room));
        let read = read.map_err(|error| of_io(error, timeout.reason))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// A connection that lies idle has nothing to read: bytes that nobody asked for, or its end, make it
    /// useless.
    fn is_open(&mut self) -> bool {
        let idle = self.stream.peek(&mut [0]);
        matches!(idle, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Does `io` as soon as the socket lets it. Waits first: an exchange that shall end does nothing more.
fn ready(
    stream: &TcpStream,
    wanted: PollFlags,
    deadline: Option<Instant>,
    mut io: impl FnMut() -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        wait(stream.as_fd(), wanted, deadline)?;
        match io() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn of_io(error: io::Error, reason: Timeout) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Timeout(reason),
        _ => error.into(),
    }
}

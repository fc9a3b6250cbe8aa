//! A loopback HTTP proxy that does to messages what a hostile or broken network does.
//!
//! It takes one request a connection, forwards it over a connection of its own, records both
//! messages and then delivers, cuts, doubles or replaces them as the armed [`Fault`] says.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What happens to the next exchanges.
#[derive(Clone, Debug, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Only the first bytes of the request reach the server; the client sees the connection end.
    CutRequest(usize),
    /// The server answers; only the first bytes of its response reach the client.
    CutResponse(usize),
    /// The server gets the request twice; the client gets the second response.
    Duplicate,
    /// The server never sees the request; the client gets these bytes.
    Replace(Vec<u8>),
    /// The response comes a byte at a time with this pause between two.
    Trickle(Duration),
    /// Nothing ever comes back, and the connection stays open this long.
    Silence(Duration),
}

/// One request and what the server answered, whole, as they were on the wire.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Method and path.
    pub target: String,
    /// Head and body of the request.
    pub request: Vec<u8>,
    /// Head and body of the response; empty when the server was not asked or said nothing.
    pub response: Vec<u8>,
}

#[derive(Default)]
struct State {
    fault: Fault,
    recorded: Vec<Recorded>,
}

/// The running proxy; it ends with the process.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Starts a proxy on a free loopback port in front of `upstream`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A failed exchange is what the client under test is meant to see.
                thread::spawn(move || drop(serve(client, upstream, &shared)));
            }
        });
        Ok(Self { address, state })
    }

    /// `http://` address to give to the client.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Arms a fault for all exchanges from now on.
    pub fn arm(&self, fault: Fault) {
        lock(&self.state).fault = fault;
    }

    /// Everything recorded so far, oldest first.
    #[must_use]
    pub fn recorded(&self) -> Vec<Recorded> {
        lock(&self.state).recorded.clone()
    }

    /// Forgets what was recorded.
    pub fn forget(&self) {
        lock(&self.state).recorded.clear();
    }
}

/// A panic in another exchange leaves the record usable.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut client: TcpStream, upstream: SocketAddr, state: &Mutex<State>) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = read_request(&mut client)?;
    let target = String::from_utf8_lossy(&request)
        .lines()
        .next()
        .unwrap_or("")
        .to_owned();
    let fault = lock(state).fault.clone();
    let (response, delivered) = match &fault {
        Fault::Replace(bytes) => (Vec::new(), bytes.clone()),
        Fault::CutRequest(length) => {
            let sent = request.get(..*length).unwrap_or(&request);
            let response = forward(sent, upstream, true)?;
            (response, Vec::new())
        }
        Fault::Duplicate => {
            forward(&request, upstream, false)?;
            let second = forward(&request, upstream, false)?;
            (second.clone(), second)
        }
        Fault::CutResponse(length) => {
            let response = forward(&request, upstream, false)?;
            let cut = response.get(..*length).unwrap_or(&response).to_vec();
            (response, cut)
        }
        Fault::None | Fault::Trickle(_) | Fault::Silence(_) => {
            let response = forward(&request, upstream, false)?;
            (response.clone(), response)
        }
    };
    lock(state).recorded.push(Recorded {
        target,
        request,
        response,
    });
    match fault {
        Fault::Silence(time) => thread::sleep(time),
        Fault::Trickle(pause) => {
            for byte in delivered {
                client.write_all(&[byte])?;
                thread::sleep(pause);
            }
        }
        _ => client.write_all(&delivered)?,
    }
    client.shutdown(Shutdown::Both)
}

/// Sends `request` and reads until the server closes. One that is `cut` short is followed by the
/// end of the stream, as when a client dies; a whole one is not, since a server may take that for
/// a client that has lost its interest.
fn forward(request: &[u8], upstream: SocketAddr, cut: bool) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream)?;
    server.set_read_timeout(Some(Duration::from_secs(10)))?;
    server.write_all(request)?;
    if cut {
        server.shutdown(Shutdown::Write)?;
    }
    let mut response = Vec::new();
    server.read_to_end(&mut response)?;
    Ok(response)
}

/// Reads one request and asks the server to close after it, so that a response ends where the
/// stream does.
fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match client.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    };
    let length: usize = String::from_utf8_lossy(&bytes[..head])
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    while bytes.len() < head + 4 + length {
        match client.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    bytes.splice(head..head, *b"\r\nconnection: close");
    Ok(bytes)
}

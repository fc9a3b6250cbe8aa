//! Services that never come to an end, and callers that do not wait for it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use super::*;

/// Time for an exchange that never comes to an end by itself.
const SHORT: Duration = Duration::from_millis(300);
/// Most that such an exchange may take in all, on a busy machine.
const BOUND: Duration = Duration::from_millis(1500);

/// A service that writes `head` and then `more` for as long as somebody listens. Counts the bytes.
fn endless(head: &'static [u8], more: &'static [u8], pause: Duration) -> (String, Arc<AtomicU64>) {
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let (url, _sent) = service(move |stream| {
        stream.write_all(head)?;
        loop {
            stream.write_all(more)?;
            count.fetch_add(more.len().try_into().unwrap(), Ordering::Relaxed);
            thread::sleep(pause);
        }
    });
    (url, written)
}

/// Exchanges within [`SHORT`] and says what came of it, and that it did not take longer.
fn bounded(url: &str) -> TransportError {
    let start = Instant::now();
    let error = attempt(url, Method::Get, &[], SHORT).unwrap_err();
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    error
}

fn is_timeout(error: &TransportError) -> bool {
    matches!(error, TransportError::Timeout { .. })
}

#[test]
fn a_body_that_trickles_ends_with_the_time() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n";
    let (url, _) = endless(head, b"x", Duration::from_millis(10));
    let error = bounded(&url);
    assert!(is_timeout(&error), "{error:?}");
}

#[test]
fn headers_that_trickle_end_with_the_time() {
    let (url, _) = endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", Duration::from_millis(10));
    let error = bounded(&url);
    assert!(is_timeout(&error), "{error:?}");
}

/// Each is a whole answer to the parser, and none is the last.
#[test]
fn endless_interim_answers_end_with_the_time() {
    let (url, _) = endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n", Duration::ZERO);
    let error = bounded(&url);
    assert!(
        is_timeout(&error) || matches!(error, TransportError::Protocol { .. }),
        "{error:?}"
    );
}

#[test]
fn an_endless_line_of_a_chunk_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;";
    let (url, written) = endless(head, &[b'x'; 4096], Duration::ZERO);
    bounded(&url);
    assert!(written.load(Ordering::Relaxed) < 64 << 20);
}

#[test]
fn endless_trailers_are_given_up() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
    let (url, _) = endless(head, b"X-Trailer: 0123456789012345678\r\n", Duration::ZERO);
    let start = Instant::now();
    // The body was whole by then: whether it counts is the parser's business, its end is ours.
    let _ = attempt(&url, Method::Get, &[], SHORT);
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
}

/// A few bytes that would be megabytes: refused by the name of their encoding, which was not asked for.
#[test]
fn a_compressed_body_is_refused_unread() {
    for encoding in ["gzip", "br", "deflate, gzip", "identity, gzip"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Encoding: {encoding}\r\n\
             Content-Length: 900\r\n\r\n"
        );
        let (url, sent) = service(move |stream| {
            stream.write_all(head.as_bytes())?;
            thread::sleep(BOUND);
            Ok(())
        });
        let error = bounded(&url);
        assert!(
            matches!(&error, TransportError::Protocol { reason, .. } if reason.contains("encoded")),
            "{error:?}"
        );
        let sent = String::from_utf8(sent.recv().unwrap()).unwrap();
        assert!(
            sent.to_lowercase().contains("accept-encoding: identity"),
            "{sent}"
        );
    }
    let plain = "HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(exchange(&answers(plain).0).unwrap().body, b"ok");
}

/// What a hotel's network puts in the place of an answer.
#[test]
fn a_page_in_the_place_of_an_answer_is_said_to_be_one() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n<html>";
    let error = exchange(&answers(page).0).unwrap_err();
    assert!(
        error.to_string().contains("text/html") && error.to_string().contains("application/cose"),
        "{error}"
    );
    assert!(!error.is_transient());
    for right in [
        "application/cose",
        "Application/COSE; cose-type=\"cose-encrypt0\"",
        "application/cbor-seq",
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {right}\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(exchange(&answers(head).0).unwrap().body, b"ok", "{right}");
    }
    // An error status comes with what words it likes.
    let busy = "HTTP/1.1 503 No\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(exchange(&answers(busy).0).unwrap().status, 503);
}

/// An address that takes no connection and refuses none: its queue is full.
struct Mute {
    _listener: std::os::fd::OwnedFd,
    _filling: Vec<TcpStream>,
    url: String,
}

fn mute() -> Mute {
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    let any: SocketAddr = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into();
    bind(&listener, &any).unwrap();
    listen(&listener, 0).unwrap();
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    // Whoever comes in time fills the queue; the first who does not shows that it is full.
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
        filling.push(stream);
        assert!(filling.len() < 64, "the queue has no end");
    }
    Mute {
        _listener: listener.into(),
        _filling: filling,
        url: format!("http://{address}/v1/license"),
    }
}

#[test]
fn a_connection_that_does_not_come_about_ends_with_the_time() {
    let mute = mute();
    let error = bounded(&mute.url);
    assert!(is_timeout(&error), "{error:?}");
    assert!(error.is_transient());
}

/// Has an exchange of a minute cancelled when `begun` says that it has got as far as it will.
fn cancelled(url: &str, body: &[u8], begun: impl FnOnce()) {
    let cancel = Cancel::new();
    thread::scope(|scope| {
        let exchanging = scope.spawn(|| {
            HttpTransport::new().exchange(&HttpRequest {
                method: Method::Post,
                url,
                body,
                limit: LIMIT,
                timeout: Duration::from_secs(60),
                cancel: &cancel,
            })
        });
        begun();
        thread::sleep(Duration::from_millis(20));
        assert!(!exchanging.is_finished());
        let start = Instant::now();
        cancel.cancel();
        let ended = exchanging.join().unwrap().unwrap_err();
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{:?}",
            start.elapsed()
        );
        let url = url.to_owned();
        assert_eq!(ended, TransportError::Cancelled { url });
        assert!(!ended.is_transient());
    });
}

#[test]
fn an_attempt_to_connect_ends_at_the_trigger() {
    let mute = mute();
    cancelled(&mute.url, b"request", || ());
}

#[test]
fn a_wait_for_the_answer_ends_at_the_trigger() {
    let (url, sent) = service(|stream| stream.read(&mut [0]).map(drop));
    cancelled(&url, b"request", || drop(sent.recv().unwrap()));
}

#[test]
fn a_body_in_the_middle_ends_at_the_trigger() {
    let (begun, middle) = mpsc::channel();
    let (url, _sent) = service(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nbegin")?;
        begun.send(()).unwrap();
        stream.read(&mut [0]).map(drop)
    });
    cancelled(&url, b"request", || middle.recv().unwrap());
}

#[test]
fn a_request_that_nobody_reads_ends_at_the_trigger() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/license", listener.local_addr().unwrap());
    let (accepted, taken) = mpsc::channel();
    thread::spawn(move || accepted.send(listener.accept().unwrap()));
    // More than the kernel keeps for a reader that does not read.
    let body = vec![7; 32 << 20];
    let mut kept = None;
    cancelled(&url, &body, || kept = Some(taken.recv().unwrap()));
    drop(kept);
}

#[test]
fn a_handshake_that_nobody_answers_ends_at_the_trigger() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/v1/license", listener.local_addr().unwrap());
    let (accepted, taken) = mpsc::channel();
    thread::spawn(move || accepted.send(listener.accept().unwrap()));
    let mut kept = None;
    cancelled(&url, b"request", || kept = Some(taken.recv().unwrap()));
    drop(kept);
}

#[test]
fn what_is_cancelled_already_does_not_begin() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let request = HttpRequest {
        method: Method::Get,
        url: &url,
        body: &[],
        limit: LIMIT,
        timeout: Duration::from_secs(60),
        cancel: &cancel,
    };
    let error = HttpTransport::new().exchange(&request).unwrap_err();
    assert!(
        matches!(error, TransportError::Cancelled { .. }),
        "{error:?}"
    );
    listener.set_nonblocking(true).unwrap();
    // A connection may have been begun; no byte of the request came over it.
    if let Ok((mut stream, _)) = listener.accept() {
        assert_eq!(stream.read(&mut [0; 64]).unwrap_or(0), 0);
    }
}

/// A service that answers every request of a connection, and counts connections.
fn lasting(answers: usize) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/license", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            for _ in 0..answers {
                if read_request(&mut stream).is_empty() {
                    break;
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        }
    });
    (url, connections)
}

#[test]
fn a_connection_serves_one_exchange_after_another() {
    for (answers, expected) in [(5, 1), (1, 5)] {
        let (url, connections) = lasting(answers);
        let transport = HttpTransport::new();
        for _ in 0..5 {
            let request = HttpRequest {
                method: Method::Get,
                url: &url,
                body: &[],
                limit: LIMIT,
                timeout: Duration::from_secs(5),
                cancel: &Cancel::new(),
            };
            assert_eq!(transport.exchange(&request).unwrap().body, b"ok");
            // A connection that the service has closed by now is not used again.
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(connections.load(Ordering::Relaxed), expected);
    }
}

#[test]
fn a_host_that_nobody_knows_is_said_to_be_unknown() {
    // RFC 6761 section 6.4: never the name of a host.
    let error = bounded("http://nobody.invalid/v1/time");
    // A machine without a resolver to ask may still be asking.
    assert!(
        matches!(&error, TransportError::Connect { reason, .. } if reason.contains("lookup"))
            || is_timeout(&error),
        "{error:?}"
    );
}

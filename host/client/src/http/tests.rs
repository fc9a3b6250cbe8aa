#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod hostile;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::*;
use crate::Cancel;

/// Largest answer in these tests.
const LIMIT: usize = 1000;

/// A service that treats its one connection as told. Gives its address and what it was sent.
fn service(
    answer: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static,
) -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/license", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = sender.send(read_request(&mut stream));
        // The client may be gone before the answer is: that is what some tests are about.
        let _ = answer(&mut stream);
    });
    (url, receiver)
}

fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return request;
            }
        }
        match stream.read(&mut piece).unwrap() {
            0 => return request,
            read => request.extend_from_slice(&piece[..read]),
        }
    }
}

fn answers(bytes: impl Into<Vec<u8>>) -> (String, mpsc::Receiver<Vec<u8>>) {
    let bytes = bytes.into();
    service(move |stream| stream.write_all(&bytes))
}

fn exchange(url: &str) -> Result<HttpResponse, TransportError> {
    attempt(url, Method::Get, &[], Duration::from_secs(5))
}

fn attempt(
    url: &str,
    method: Method,
    body: &[u8],
    timeout: Duration,
) -> Result<HttpResponse, TransportError> {
    HttpTransport::new().exchange(&HttpRequest {
        method,
        url,
        body,
        limit: LIMIT,
        timeout,
        cancel: &Cancel::new(),
    })
}

#[test]
fn a_message_goes_out_and_its_answer_comes_back() {
    let (url, sent) = answers("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsealed");
    let response = attempt(&url, Method::Post, b"request", Duration::from_secs(5)).unwrap();
    assert_eq!((response.status, &response.body[..]), (200, &b"sealed"[..]));
    let sent = String::from_utf8(sent.recv().unwrap())
        .unwrap()
        .to_lowercase();
    assert!(sent.starts_with("post /v1/license http/1.1\r\n"), "{sent}");
    assert!(sent.contains("content-type: application/cose"), "{sent}");
    assert!(sent.ends_with("\r\n\r\nrequest"), "{sent}");
}

#[test]
fn an_error_status_is_an_answer() {
    let (url, _sent) =
        answers("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno");
    let response = exchange(&url).unwrap();
    assert_eq!((response.status, &response.body[..]), (503, &b"no"[..]));
    assert_eq!(response.retry_after, Some(Duration::from_secs(7)));
}

/// A redirect would send what is sealed to one service to another, in clear view of a third.
#[test]
fn a_redirect_is_not_followed() {
    let (url, _sent) = answers(
        "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    );
    let response = attempt(&url, Method::Post, b"request", Duration::from_secs(5));
    assert_eq!(response.unwrap().status, 307);
}

#[test]
fn an_announced_length_beyond_the_limit_is_refused_unread() {
    let (url, _sent) = service(|stream| {
        // No byte of the body ever comes: whoever waited for one would run into the timeout.
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")?;
        thread::sleep(Duration::from_secs(3));
        Ok(())
    });
    let start = Instant::now();
    let refused = exchange(&url).unwrap_err();
    assert_eq!(refused, TransportError::TooLarge { url, limit: LIMIT });
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn an_endless_body_is_given_up_at_the_limit() {
    let (count, written) = mpsc::channel();
    let (url, _sent) = service(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let chunk = [b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat();
        let mut chunks = 0_u32;
        while chunks < 100_000 && stream.write_all(&chunk).is_ok() {
            chunks += 1;
        }
        count.send(chunks).unwrap();
        Ok(())
    });
    assert_eq!(
        exchange(&url).unwrap_err(),
        TransportError::TooLarge { url, limit: LIMIT }
    );
    // What the kernel had buffered, not the 100 MB that were on offer.
    assert!(written.recv().unwrap() < 20_000);
}

#[test]
fn a_body_of_exactly_the_limit_is_taken() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec();
    bytes.extend([7; LIMIT]);
    let (url, _sent) = answers(bytes);
    assert_eq!(exchange(&url).unwrap().body.len(), LIMIT);
}

#[test]
fn an_answer_cut_anywhere_is_an_error_that_passes() {
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
    for end in 0..whole.len() {
        let (url, _sent) = answers(&whole[..end]);
        let error = exchange(&url).unwrap_err();
        assert!(error.is_transient(), "cut at {end}: {error:?}");
    }
}

#[test]
fn a_chunked_body_cut_anywhere_is_an_error() {
    let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n0\r\n\r\n";
    let body = whole.len() - 15;
    // The closing line break alone may be missing without harm: the last chunk has been announced.
    for end in body..whole.len() - 4 {
        let (url, _sent) = answers(&whole[..end]);
        let error = exchange(&url).unwrap_err();
        assert!(
            matches!(error, TransportError::Cut { .. }),
            "cut at {end}: {error:?}"
        );
    }
}

#[test]
fn silence_ends_with_the_time() {
    let (url, _sent) = service(|_| {
        thread::sleep(Duration::from_secs(3));
        Ok(())
    });
    let error = attempt(&url, Method::Get, &[], Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, TransportError::Timeout { .. }), "{error:?}");
}

#[test]
fn nobody_there_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = exchange(&url).unwrap_err();
    assert!(matches!(error, TransportError::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains("check the address"), "{error}");
}

#[test]
fn what_is_not_http_is_said_and_not_tried_again() {
    let (url, _sent) = answers("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    let error = exchange(&url).unwrap_err();
    assert!(
        matches!(error, TransportError::Protocol { .. }),
        "{error:?}"
    );
}

#[test]
fn endless_headers_are_given_up() {
    let (url, _sent) = service(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        for _ in 0..100_000 {
            stream.write_all(b"X-Padding: 0123456789012345678901234567890123456789\r\n")?;
        }
        Ok(())
    });
    let error = exchange(&url).unwrap_err();
    assert!(
        !matches!(error, TransportError::Timeout { .. }),
        "{error:?}"
    );
}

#[test]
fn a_plain_service_behind_https_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        // Until the client has seen it: a closed socket would be another error.
        let _ = stream.read(&mut [0; 4096]);
        thread::sleep(Duration::from_millis(200));
    });
    let error = exchange(&url).unwrap_err();
    assert!(matches!(error, TransportError::Tls { .. }), "{error:?}");
    assert!(!error.is_transient());
}

#[test]
fn no_proxy_stands_between_this_machine_and_itself() {
    let (url, _) = answers("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsealed");
    // Nothing listens on the discard port: a request that went there would fail.
    let transport = HttpTransport::through(Some(Proxy::new("http://127.0.0.1:9").unwrap()));
    let request = HttpRequest {
        method: Method::Get,
        url: &url,
        body: &[],
        limit: LIMIT,
        timeout: Duration::from_secs(5),
        cancel: &Cancel::new(),
    };
    assert_eq!(transport.exchange(&request).unwrap().body, b"sealed");
    for host in [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.9.9.9",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        assert!(is_loopback(host), "{host}");
    }
    for host in [
        "example.com",
        "localhost.example.com",
        "10.0.0.1",
        "[::2]",
        "127.example",
    ] {
        assert!(!is_loopback(host), "{host}");
    }
}

#[test]
fn an_error_on_the_way_through_a_proxy_names_it_without_its_password() {
    let proxy = Proxy::new("http://name:5ec7e7@127.0.0.1:9").unwrap();
    let transport = HttpTransport::through(Some(proxy));
    let request = HttpRequest {
        method: Method::Get,
        url: "http://service.example/v1/time",
        body: &[],
        limit: LIMIT,
        timeout: Duration::from_secs(5),
        cancel: &Cancel::new(),
    };
    let error = transport.exchange(&request).unwrap_err().to_string();
    assert!(error.contains("through proxy 127.0.0.1:9"), "{error}");
    assert!(!error.contains("5ec7e7"), "{error}");
}

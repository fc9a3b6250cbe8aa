//! HTTP/1.1 over `ureq`, on sockets whose every wait ends when the exchange is cancelled.

mod interrupt;
mod resolve;
mod socket;

use std::io::{self, Read};
use std::net::IpAddr;
use std::time::Duration;

use ureq::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{HeaderMap, Response, Uri};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector};
use ureq::{Agent, Proxy};

use self::interrupt::interruptible;
use self::resolve::Resolver;
use self::socket::TcpConnector;

use crate::{HttpRequest, HttpResponse, Method, Transport, TransportError};

/// Media type of COSE messages (RFC 9052 section 11).
const COSE: &str = "application/cose";
/// Media types of an answer: COSE, or several of its messages one behind the other (RFC 8742).
const ANSWERS: [&str; 2] = [COSE, "application/cbor-seq"];
/// The encoding of a body that has none (RFC 9110 section 8.4.1).
const IDENTITY: &str = "identity";
/// Longest wait for a connection; a service that is down shall not use up the whole time.
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes of response headers.
const MAX_HEADERS: usize = 16 * 1024;

/// HTTP as applications without a stack of their own use it. Follows no redirects: what is sealed to
/// one service is of no use to another.
///
/// Whatever it waits for ends at the request's [`crate::Cancel`] or timeout. The system's lookup of a host
/// name can be neither cancelled nor timed: it is left to a thread that ends when the system answers.
///
/// Goes through the proxy that the environment names (`https_proxy`, `http_proxy`, `all_proxy`, and
/// `no_proxy` against it), but never to this machine's own loopback addresses.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    agent: Agent,
    proxied: Option<Proxied>,
}

/// The way through a proxy.
#[derive(Clone, Debug)]
struct Proxied {
    agent: Agent,
    proxy: Proxy,
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpTransport {
    /// A transport with a pool of connections of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::through(Proxy::try_from_env())
    }

    fn through(proxy: Option<Proxy>) -> Self {
        Self {
            agent: agent(None),
            proxied: proxy.map(|proxy| Proxied {
                agent: agent(Some(proxy.clone())),
                proxy,
            }),
        }
    }

    /// The proxy on the way to an address, if any.
    fn proxied(&self, url: &str) -> Option<&Proxied> {
        let uri = url.parse::<Uri>().ok()?;
        let proxied = self.proxied.as_ref()?;
        (!is_loopback(uri.host()?) && !proxied.proxy.is_no_proxy(&uri)).then_some(proxied)
    }

    fn send(&self, request: &HttpRequest<'_>) -> Result<Response<ureq::Body>, ureq::Error> {
        let agent = self
            .proxied(request.url)
            .map_or(&self.agent, |proxied| &proxied.agent);
        match request.method {
            Method::Get => agent
                .get(request.url)
                .header(ACCEPT, COSE)
                .header(ACCEPT_ENCODING, IDENTITY)
                .config()
                .timeout_global(Some(request.timeout))
                .build()
                .call(),
            Method::Post => agent
                .post(request.url)
                .header(ACCEPT, COSE)
                .header(ACCEPT_ENCODING, IDENTITY)
                .header(CONTENT_TYPE, COSE)
                .config()
                .timeout_global(Some(request.timeout))
                .build()
                .send(request.body),
        }
    }
}

fn agent(proxy: Option<Proxy>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_response_header_size(MAX_HEADERS)
        .timeout_connect(Some(CONNECT))
        .user_agent(concat!("keybearer/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .build();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector)
            .chain(RustlsConnector::default());
    Agent::with_parts(config, connector, Resolver)
}

/// Whether a host is this machine by definition: a proxy elsewhere would reach itself.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // RFC 6761 section 6.3: names under `localhost` are loopback too.
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

impl Transport for HttpTransport {
    fn exchange<'a>(&self, request: &HttpRequest<'a>) -> Result<HttpResponse, TransportError> {
        let attempt = interruptible(request.cancel, || self.attempt(request));
        let attempt = attempt.unwrap_or_else(|error| Err(of_io(request.url.to_owned(), &error)));
        attempt.map_err(|mut error| {
            // Whatever it broke on when its waits were ended.
            if request.cancel.is_cancelled() {
                let url = request.url.to_owned();
                return TransportError::Cancelled { url };
            }
            if let Some(Proxied { proxy, .. }) = self.proxied(request.url)
                && let Some(reason) = error.reason_mut()
            {
                // Not its whole address, which may hold a password.
                *reason += &format!(" (through proxy {}:{})", proxy.host(), proxy.port());
            }
            error
        })
    }
}

impl HttpTransport {
    fn attempt(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        let url = request.url;
        let response = self.send(request).map_err(|error| of_ureq(url, error))?;
        let too_large = || TransportError::TooLarge {
            url: url.to_owned(),
            limit: request.limit,
        };

        let limit = u64::try_from(request.limit).unwrap_or(u64::MAX);
        if response
            .body()
            .content_length()
            .is_some_and(|length| length > limit)
        {
            return Err(too_large());
        }
        let status = response.status().as_u16();
        check_headers(status, response.headers()).map_err(|reason| {
            let url = url.to_owned();
            TransportError::Protocol { url, reason }
        })?;
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        let mut reader = response
            .into_body()
            .into_reader()
            .take(limit.saturating_add(1));
        reader
            .read_to_end(&mut body)
            .map_err(|error| of_read(url, error))?;
        if body.len() > request.limit {
            return Err(too_large());
        }
        Ok(HttpResponse {
            status,
            retry_after,
            body,
        })
    }
}

/// Refuses a body in a form that was not asked for, before a byte of it is read: a compressed one could
/// grow without end, and a page that something on the way put in the answer's place is none.
fn check_headers(status: u16, headers: &HeaderMap) -> Result<(), String> {
    for encoding in headers.get_all(CONTENT_ENCODING) {
        if !encoding
            .as_bytes()
            .eq_ignore_ascii_case(IDENTITY.as_bytes())
        {
            return Err(format!(
                "its body is encoded as {encoding:?}; expected none"
            ));
        }
    }
    let Some(found) = headers.get(CONTENT_TYPE).filter(|_| status == 200) else {
        return Ok(());
    };
    let name = found.to_str().unwrap_or_default();
    // Parameters do not matter.
    let name = name.split(';').next().unwrap_or_default().trim();
    if ANSWERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        Ok(())
    } else {
        Err(format!("its answer is {found:?}; expected {COSE}"))
    }
}

/// What an error before the body means.
fn of_ureq(url: &str, error: ureq::Error) -> TransportError {
    let url = url.to_owned();
    match error {
        ureq::Error::Timeout(what) => TransportError::Timeout {
            url,
            what: what.to_string(),
        },
        ureq::Error::Io(error) => of_io(url, &error),
        ureq::Error::HostNotFound => TransportError::Connect {
            url,
            reason: "the host's name is not known".into(),
        },
        ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => {
            TransportError::Connect {
                url,
                reason: error.to_string(),
            }
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => TransportError::Tls {
            url,
            reason: error.to_string(),
        },
        other => TransportError::Protocol {
            url,
            reason: other.to_string(),
        },
    }
}

/// What a failed read of the body means; `ureq` wraps its own errors in I/O errors there.
fn of_read(url: &str, error: io::Error) -> TransportError {
    match ureq::Error::from(error) {
        ureq::Error::Io(error) => of_io(url.to_owned(), &error),
        // A body that ends inside its own framing was cut or altered on the way.
        error @ (ureq::Error::Protocol(_) | ureq::Error::BodyStalled) => TransportError::Cut {
            url: url.to_owned(),
            reason: error.to_string(),
        },
        other => of_ureq(url, other),
    }
}

fn of_io(url: String, error: &io::Error) -> TransportError {
    let reason = error.to_string();
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            TransportError::Timeout { url, what: reason }
        }
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => TransportError::Cut { url, reason },
        // How a TLS alert or a bad certificate comes out of the TLS stream.
        io::ErrorKind::InvalidData => TransportError::Tls { url, reason },
        _ => TransportError::Connect { url, reason },
    }
}

#[cfg(test)]
mod tests;

//! Single HTTP exchanges with a service, once and without retries.

use std::time::Duration;

use keybearer_client::{Cancel, HttpRequest, HttpTransport, Method, Transport, TransportError};

/// Largest answer read, in bytes.
const LIMIT: usize = 65_536;
/// Longest time for an exchange.
const TIMEOUT: Duration = Duration::from_secs(5);

fn exchange(method: Method, url: &str, body: &[u8]) -> Result<Vec<u8>, TransportError> {
    let request = HttpRequest {
        method,
        url,
        body,
        limit: LIMIT,
        timeout: TIMEOUT,
        cancel: &Cancel::new(),
    };
    let response = HttpTransport::new().exchange(&request)?;
    if response.status == 200 {
        return Ok(response.body);
    }
    Err(TransportError::Answer {
        url: url.to_owned(),
        status: response.status,
        code: None,
        message: String::from_utf8_lossy(&response.body).into_owned(),
        retry_after: response.retry_after,
    })
}

/// Service info of the service at `url`.
///
/// # Errors
/// Those of the transport; another status than 200.
pub fn service_info(url: &str) -> Result<Vec<u8>, TransportError> {
    exchange(Method::Get, &format!("{url}/v1/service-info"), &[])
}

/// Sends a licence request to the service at `url`.
///
/// # Errors
/// Those of the transport; another status than 200.
pub fn license(url: &str, request: &[u8]) -> Result<Vec<u8>, TransportError> {
    exchange(Method::Post, &format!("{url}/v1/license"), request)
}

/// Sends a provision request to the service at `url`.
///
/// # Errors
/// Those of the transport; another status than 200.
pub fn provision(url: &str, request: &[u8]) -> Result<Vec<u8>, TransportError> {
    exchange(Method::Post, &format!("{url}/v1/provision"), request)
}

/// Sends a time request to the service at `url`.
///
/// # Errors
/// Those of the transport; another status than 200.
pub fn time(url: &str, request: &[u8]) -> Result<Vec<u8>, TransportError> {
    exchange(Method::Post, &format!("{url}/v1/time"), request)
}

//! What an application uses: provisioning, licences, playback of protected files.
//!
//! Layers, each usable without the one above it:
//!
//! * [`Device`] and [`Session`] do no I/O towards a network: requests come out as bytes and answers
//!   go in as bytes, for firmware with an HTTP stack of its own.
//! * [`Client`] carries those bytes over a [`Transport`], HTTP by default, and repeats only what a
//!   service answers the same way each time.
//! * [`Session::watch`] waits for keys and follows the changes of their statuses, and
//!   [`Client::keep_alive`] renews licences in time.
//! * [`Session::follow_outputs`] has the trusted side told which outputs are active, as long as the host
//!   sees to it.
//! * [`decrypt_file`] walks a protected file and writes a clear one, with keys from a licence
//!   ([`Licensed`]) or from whatever else implements [`SampleDecryptor`].
//! * [`play_protected`] plays a file whose pictures are decoded in the trusted side, in a
//!   [`ProtectedSession`], and its other tracks in a clear one beside it.
//!
//! Threads may share a client and its sessions. Whoever waits does so on the calling thread; another
//! thread ends the wait at once with a [`Cancel`], by closing the session or by shutting the client
//! down. The only threads of this crate are [`KeepAlive`]'s, and those that look up host names.
//!
//! Nothing here can read a key, and nothing here is trusted with a decision: requests are sealed and
//! answers verified behind [`keybearer_tee::Tee`]. This crate distrusts the network (sizes, times,
//! cut bodies) and takes what the trusted side reports for text and numbers only.
//!
//! ```no_run
//! use keybearer_client::{Client, Enrollment, Licensed, decrypt_file};
//! use std::{path::Path, sync::Arc};
//!
//! # fn run(tee: Arc<dyn keybearer_tee::Tee>) -> Result<(), Box<dyn std::error::Error>> {
//! let enrollment = Enrollment::read(Path::new("enrollment.json"))?;
//! let client = Client::new(tee, enrollment.url, enrollment.anchor);
//! if let Some(token) = &enrollment.token {
//!     client.provision(token, "Example TV 1")?;
//! }
//! let session = client.open_session()?;
//! let mut decryptor = Licensed::new(&client, &session, None)?;
//! decrypt_file(Path::new("in.mp4"), Path::new("out.mp4"), &mut decryptor, &mut |_| ())?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod cancel;
mod client;
mod device;
mod enrollment;
mod error;
mod events;
pub mod explain;
#[cfg(test)]
mod fake;
mod http;
mod keep_alive;
mod licensed;
mod output;
mod playback;
mod protected;
mod reports;
mod retry;
mod session;
mod transport;
mod url;
mod values;

pub use cancel::Cancel;
pub use client::Client;
pub use device::Device;
pub use enrollment::{Enrollment, EnrollmentError};
pub use error::{ClientError, Ended};
pub use events::{KeyChange, StatusEvents};
pub use http::HttpTransport;
pub use keep_alive::{Due, KeepAlive, Renewal};
pub use keybearer_license::{Capabilities, DenialReason, TrackType};
pub use keybearer_rules::{Level, Output};
pub use keybearer_tee::TeeError;
pub use keybearer_wire::Status;
pub use keybearer_wire::body::{Isolation, KeyStatus, Reason, ReasonField};
pub use licensed::Licensed;
pub use output::remove_unfinished;
pub use playback::{
    PlaybackError, Progress, SampleDecryptor, Summary, TrackBatch, decrypt_file, decrypt_stream,
};
pub use protected::{
    DecoderProblem, DecoderTrack, Presented, ProtectedPlayer, ProtectedSession, ProtectedSummary,
    ProtectedUnit, Route, UnitReport, Viewer, play_protected,
};
pub use reports::{ActiveOutputs, OutputsSource};
pub use retry::RetryPolicy;
pub use session::{DecryptCall, Session, Watch};
#[cfg(any(test, feature = "mock"))]
pub use transport::MockTransport;
pub use transport::{HttpRequest, HttpResponse, Method, Transport, TransportError};
pub use url::{ServerUrl, UrlError};
pub use values::{
    AnchorDigest, Certified, Denial, Description, DeviceKey, InitData, Key, KeyId, License,
    LicenseId, LicenseWanted, ProvisionToken, Statuses,
};

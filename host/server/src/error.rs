//! Why a server does not start or stops.

use std::io;
use std::net::SocketAddr;

use crate::config::ConfigError;
use crate::keys::KeyError;
use crate::store::StoreError;

/// Why a server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The configuration contradicts itself or names an unusable file.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The keys are not as they must be.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// The store cannot be used.
    #[error("{what}")]
    Store {
        /// What is wrong with it.
        what: String,
    },
    /// A content of the configuration file and one of the store have a key id or name in common.
    #[error("content {content:?} of the configuration file: {what}")]
    Conflict {
        /// The content in the configuration file.
        content: String,
        /// What it has in common with what in the store.
        what: String,
    },
    /// Usage rules of the configuration file and of the store are not sound together.
    #[error("usage rules of the configuration file and of the store: {0}")]
    UsageRules(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The runtime could not be started, or a listener failed for good.
    #[error("server: {0}")]
    Runtime(#[from] io::Error),
    /// The server's thread ended by a panic, which is a defect.
    #[error("the server's thread ended by a panic")]
    Panicked,
}

impl From<StoreError> for ServerError {
    fn from(error: StoreError) -> Self {
        Self::Store {
            what: error.to_string(),
        }
    }
}

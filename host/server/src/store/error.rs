//! What can go wrong with the store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::keys::KeyError;

/// Why the store could not be opened, read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The file is not its owner's alone.
    #[error(transparent)]
    File(KeyError),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process holds the file.
    #[error(
        "{} is in use: another server uses this store, and one store has one server. Stop that one, or \
         ask it over its admin listener", path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened as a store.
    #[error("{} cannot be used as a store: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The database's words.
        source: Box<redb::Error>,
    },
    /// The database reports a failure.
    #[error("store: {0}")]
    Database(Box<redb::Error>),
    /// The commit failed that would have made this change durable together with others.
    #[error(transparent)]
    Group(Arc<StoreError>),
    /// A record does not read back.
    #[error("store: a record of the table {table} is damaged")]
    Damaged {
        /// The table.
        table: &'static str,
    },
    /// The file was written by another version of the server.
    #[error("store: its form is {found}, this build knows {known}")]
    Form {
        /// The number found.
        found: u64,
        /// The number known.
        known: u64,
    },
    /// A sealed content key does not open: the store and `store.key` are not of one server.
    #[error("store: a content key does not open with this key directory's store.key")]
    Sealed,
    /// The random number generator failed while sealing a key.
    #[error("store: no random numbers")]
    Random,
}

macro_rules! database_errors {
    ($($error:ty),+) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )+};
}

database_errors!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

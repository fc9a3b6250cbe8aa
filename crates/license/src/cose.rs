//! The three COSE structures the protocol uses, and nothing else of COSE.
//!
//! Distrusts every byte. Only the one suite is read; any header parameter, algorithm or shape
//! beyond it is refused, so that two readers can never understand a message differently.

pub(crate) mod encrypt;
pub(crate) mod key;
pub(crate) mod sign;

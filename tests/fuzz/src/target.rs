//! One module a target: the claim about one kind of hostile bytes.

pub(crate) mod answer;
pub(crate) mod cbor;
pub(crate) mod request;
pub(crate) mod samples;

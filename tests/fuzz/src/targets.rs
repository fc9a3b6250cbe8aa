//! One module a target: the claim about one kind of hostile bytes.

pub(crate) mod answer;
pub(crate) mod bodies;
pub(crate) mod boxes;
pub(crate) mod cbor;
pub(crate) mod core;
pub(crate) mod request;
pub(crate) mod samples;
pub(crate) mod texts;

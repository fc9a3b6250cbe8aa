//! Every refusal by name: wrong ends, wrong messages, wrong contents.

mod answers;
mod bodies;
mod others;
mod requests;

//! Usage rules from the server's profile to the device's output: every built-in profile of every rule
//! family in ten situations of the outputs, and what happens when they change while a picture plays.
//!
//! What is expected comes from the design's data by a way of its own ([`expected`]): nothing of
//! `keybearer-rules` decides there.

pub mod expected;
pub mod film;
pub mod matrix;
pub mod monitored;
pub mod player;
pub mod situations;
pub mod timelines;

//! What the benchmarks share: the material, the clocks, the tables.
//!
//! Every figure is a ratio against a peer, taken in the same run: the contenders take turns, round by
//! round, so that whatever else the machine does meets all of them. What is compared is CPU time (of
//! the thread, or of a whole process with its kernel part), which a busy machine disturbs least. No
//! figure is asserted: a benchmark tells, a test judges.

#![forbid(unsafe_code)]

pub mod material;
pub mod process;
pub mod report;
pub mod rounds;

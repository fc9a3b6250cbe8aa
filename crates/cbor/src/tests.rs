//! Golden examples, one test for each refusal, and ciborium as a second opinion.

mod appendix_a;
mod oracle;
mod refused;
mod schema;
mod writer;

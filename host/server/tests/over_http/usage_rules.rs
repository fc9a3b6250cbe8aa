//! The decision rules UR-01 to UR-29 over HTTP, one test each, against a running server: a real
//! client over the software backend asks, and where it matters what stands in the licence, a device
//! built from the licence room reads it.
//!
//! | rules | what the server does, tested here | what is left to others |
//! |---|---|---|
//! | UR-01 to UR-05 | tokens: profile, rules, neither, both | |
//! | UR-06 to UR-09 | channels and their tracks | |
//! | UR-10 | the operator's service | |
//! | UR-11, UR-12 | overrides for a device model | |
//! | UR-13 to UR-16 | HDCP exceptions, levels | the core compares the level again |
//! | UR-17 to UR-23, UR-25, UR-27 | what the request says is compared before a licence is made | the core enforces outputs while playing |
//! | UR-24, UR-26 | refused or warned about when it is defined | |
//! | UR-28, UR-29 | tenants, profiles without the family | |
//!
//! That the rules' values, conversion and canonical meaning are those of the tables is tested in
//! the rules room; what outputs may show is tested in the core.

mod channels;
mod definitions;
mod levels;
mod outputs;
mod setting;
mod tokens;

//! The CDDL beside the crate describes what the code makes and no more.

extern crate std;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use cddl::validate_cbor_from_slice;

use super::vectors::all;

const CDDL: &str = include_str!("../../keybearer.cddl");

/// Validates against one rule: the first rule of a document is where a validator starts.
fn judge(rule: &str, bytes: &[u8]) -> Result<(), String> {
    let document = format!("start = {rule}\n{CDDL}");
    validate_cbor_from_slice(&document, bytes, None).map_err(|error| error.to_string())
}

#[test]
fn every_message_matches_its_rule() {
    for vector in all() {
        if let Err(error) = judge(vector.rule, &vector.bytes) {
            panic!("{} is no {}: {error}", vector.name, vector.rule);
        }
    }
}

//! The server over HTTP on loopback, with a device side built from the licence room: what a
//! device, an operator and an attacker on the network each get.

// A test that cannot go on says where by panicking.
#![allow(clippy::unwrap_used)]

mod admin;
mod attestation;
mod bad_http;
mod conditions;
mod console;
mod contents;
mod devices;
mod levels;
mod license;
mod openapi;
mod provision;
mod renewal;
mod repeats;
mod startup;
mod strangers;
mod support;
mod usage_rules;

//! OP-TEE backend over the GlobalPlatform client API.

#![forbid(unsafe_code)]

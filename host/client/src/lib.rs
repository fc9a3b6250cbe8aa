//! What applications use: provisioning, licences, playback.

#![forbid(unsafe_code)]

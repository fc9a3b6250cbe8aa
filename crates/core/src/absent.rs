//! Types for what a platform does not have.

use keybearer_crypto::Digest;
use keybearer_license::Attestation;

use crate::platform::{
    Attester, Clock, Counter, CounterKind, Moment, OutputSource, Outputs, PlatformError,
};

/// The clock of a platform without one. It has no values: [`crate::Parts::clock`] can only be
/// `None`.
#[derive(Clone, Copy, Debug)]
pub enum NoClock {}

impl Clock for NoClock {
    fn now(&mut self) -> Result<Moment, PlatformError> {
        match *self {}
    }
}

/// The counter of a platform without one. It has no values: [`crate::Parts::counter`] can only be
/// `None`.
#[derive(Clone, Copy, Debug)]
pub enum NoCounter {}

impl Counter for NoCounter {
    fn strength(&self) -> CounterKind {
        match *self {}
    }
    fn read(&mut self) -> Result<u64, PlatformError> {
        match *self {}
    }
    fn increment(&mut self) -> Result<u64, PlatformError> {
        match *self {}
    }
}

/// The attester of a platform without one. It has no values: [`crate::Parts::attester`] can only be
/// `None`.
#[derive(Clone, Copy, Debug)]
pub enum NoAttester {}

impl Attester for NoAttester {
    fn attest(&mut self, _: &Digest) -> Result<Attestation, PlatformError> {
        match *self {}
    }
}

/// Outputs of a device that declares no internal panel: keys that demand anything of outputs are
/// not usable on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPanel;

impl Outputs for NoPanel {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        None
    }
}

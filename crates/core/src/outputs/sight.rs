//! The outputs as they are known during one call.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use keybearer_rules::{CgmsA, Hdcp, HdcpVersion, Output, OutputKind, Report, SoundForm, Source};
use keybearer_wire::Status;
use keybearer_wire::body::{OutputReport, ReportOutputs};
use keybearer_wire::limits::MAX_OUTPUTS;

use crate::core::ClientId;
use crate::platform::{Moment, Outputs};

/// The active outputs, at most [`MAX_OUTPUTS`], without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct OutputList {
    outputs: [Output; MAX_OUTPUTS],
    count: usize,
}

impl OutputList {
    /// No output.
    pub const EMPTY: Self = Self {
        outputs: [Output::of(OutputKind::Unknown); MAX_OUTPUTS],
        count: 0,
    };

    /// Adds an output. One for which there is no room makes the last one an unknown output, which
    /// closes whatever demands anything: nothing is left out to the key's advantage.
    pub fn push(&mut self, output: Output) {
        if let Some(place) = self.outputs.get_mut(self.count) {
            *place = output;
            self.count = self.count.saturating_add(1);
        } else if let Some(last) = self.outputs.last_mut() {
            *last = Output::of(OutputKind::Unknown);
        }
    }

    /// Takes all of them out.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds an output as the wire states it. What it does not state, or states in numbers that mean
    /// nothing here, is the weaker value.
    pub fn push_stated(&mut self, stated: &OutputReport) {
        self.push(output(stated));
    }

    /// The outputs.
    #[must_use]
    pub fn as_slice(&self) -> &[Output] {
        self.outputs.get(..self.count).unwrap_or_default()
    }
}

/// A host's report, and when it came.
struct HostReport {
    client: ClientId,
    sequence: u64,
    at: Option<Moment>,
    outputs: OutputList,
}

/// All that is known of the outputs during one call.
pub(crate) struct Sight {
    panel: Option<Source>,
    /// Whether the platform has a monitor, and if so whether it answered at this call.
    monitor: Option<bool>,
    seen: OutputList,
    reports: Vec<HostReport>,
}

impl Sight {
    /// Nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self {
            panel: None,
            monitor: None,
            seen: OutputList::EMPTY,
            reports: Vec::new(),
        }
    }

    /// Asks the platform, once at the beginning of a call.
    pub(crate) fn look<O: Outputs>(&mut self, outputs: &mut O) {
        self.panel = outputs.internal_panel();
        self.seen.clear();
        self.monitor = outputs
            .has_monitor()
            .then(|| outputs.monitor(&mut self.seen).is_ok());
    }

    /// What is known for the sessions of a client.
    pub(crate) fn of(&self, owner: ClientId, now: Option<Moment>) -> keybearer_rules::Outputs<'_> {
        let report = match self.monitor {
            Some(answered) => answered.then(|| Report {
                source: Source::Platform,
                age_ms: 0,
                outputs: self.seen.as_slice(),
            }),
            None => self.host_report(owner, now),
        };
        keybearer_rules::Outputs {
            panel: self.panel,
            report,
        }
    }

    fn host_report(&self, owner: ClientId, now: Option<Moment>) -> Option<Report<'_>> {
        let held = self.reports.iter().find(|held| held.client == owner)?;
        let (at, now) = (held.at?, now?);
        // After a restart of the clock nothing tells how old it is.
        let age_ms = match at.boot == now.boot {
            true => now.millis.checked_sub(at.millis)?,
            false => return None,
        };
        Some(Report {
            source: Source::Host,
            age_ms,
            outputs: held.outputs.as_slice(),
        })
    }

    /// Takes a client's report.
    ///
    /// # Errors
    /// [`Status::NotSupported`] where the platform has a monitor, whose word is the only one;
    /// [`Status::StaleReport`] for one that is not newer than the client's last; then that one stands.
    /// [`Status::OutOfMemory`].
    pub(crate) fn take(
        &mut self,
        client: ClientId,
        report: &ReportOutputs,
        at: Option<Moment>,
    ) -> Result<(), Status> {
        if self.monitor.is_some() {
            return Err(Status::NotSupported);
        }
        let mut outputs = OutputList::EMPTY;
        for stated in &report.outputs.0 {
            outputs.push_stated(stated);
        }
        let taken = HostReport {
            client,
            sequence: report.sequence,
            at,
            outputs,
        };
        if let Some(held) = self.reports.iter_mut().find(|held| held.client == client) {
            if taken.sequence <= held.sequence {
                return Err(Status::StaleReport);
            }
            *held = taken;
            return Ok(());
        }
        self.reports
            .try_reserve(1)
            .map_err(|_| Status::OutOfMemory)?;
        self.reports.push(taken);
        Ok(())
    }

    /// Forgets what a client reported.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.reports.retain(|held| held.client != client);
    }
}

fn output(stated: &OutputReport) -> Output {
    let hdcp = HdcpVersion::from_code(stated.hdcp_version).map(|version| {
        Hdcp::from_parts(version, stated.hdcp_stream_type).unwrap_or(Hdcp::Type0(version))
    });
    Output {
        kind: OutputKind::from_code(stated.kind).unwrap_or(OutputKind::Unknown),
        hdcp,
        cgms_a: CgmsA::from_code(stated.cgms_a),
        agc: stated.agc,
        color_stripe: stated.color_stripe,
        scms: stated.scms,
        sound: SoundForm::from_code(stated.sound).unwrap_or(SoundForm::Unknown),
        picture: stated.picture.and_then(NonZeroU32::new),
    }
}

//! `keybearer explain --policy UHD --outputs hdmi:2.2,analog`: what a key under a profile's rules would
//! do with these outputs, before any licence is asked for. The decision is the very one that the
//! trusted side makes; what the outputs are is taken from the command line.

use std::num::NonZeroU32;

use clap::Args;
use keybearer_rules::{
    Allowance, Column, Content, Decision, Demand, Device, Drm, Level, Output, OutputKind,
    OutputPolicy, Outputs, Readings, Report, Rules, Source, Term, decide,
};
use serde_json::json;

use crate::failure::Failure;
use crate::outputs::{Stated, active, output, outputs_help, size};
use crate::rules::{column, drm, named};
use crate::terminal::{Terminal, bold, dim};

/// What a policy would allow with these outputs.
#[derive(Debug, Args)]
pub(crate) struct Preflight {
    /// Decide as under this profile: Test, SD, HD, UHD or default
    #[arg(long, value_parser = column, requires = "outputs")]
    policy: Option<Column>,
    /// The rules of this DRM
    #[arg(long, value_parser = drm, default_value = "Generic", requires = "policy")]
    drm: Drm,
    /// The active outputs, such as internal,hdmi:2.2,analog; none for none
    #[arg(long, value_delimiter = ',', value_parser = output, requires = "policy", long_help = outputs_help())]
    outputs: Option<Vec<Stated>>,
    /// The level of the trusted side
    #[arg(long, value_parser = level, default_value = "high", requires = "policy")]
    level: Level,
    /// The picture's size, WIDTHxHEIGHT; left out, any size
    #[arg(long, value_parser = size, requires = "policy")]
    picture: Option<NonZeroU32>,
    /// Decide for a key of sound
    #[arg(long, requires = "policy", conflicts_with = "picture")]
    sound: bool,
}

impl Preflight {
    /// The profile to decide under, if one was named.
    pub(super) const fn policy(&self) -> Option<Column> {
        self.policy
    }

    pub(super) fn run(&self, column: Column, terminal: Terminal) -> Result<(), Failure> {
        let policy = Rules::column(self.drm, column).policy(&Readings::default());
        let outputs = active(self.outputs.as_deref().unwrap_or_default());
        let decision = self.decision(&policy, &outputs);
        if terminal.json {
            return terminal.print_json(&json!({
                "drm": self.drm.name(),
                "policy": column.name(),
                "level": self.level.name(),
                "status": decision.status.name(),
                "largest": match decision.largest {
                    Allowance::Nothing => json!(0),
                    Allowance::UpTo(pixels) => json!(pixels),
                    Allowance::Any => json!(null),
                },
                "reasons": decision.reasons.iter().map(|reason| json!({
                    "field": reason.field.name(),
                    "output": reason.output.map(OutputKind::name),
                    "wanted": reason.wanted.map(|it| reason.field.words(it).to_string()),
                    "found": reason.found.map(|it| reason.field.words(it).to_string()),
                })).collect::<Vec<_>>(),
            }));
        }
        let what = format!("{} {} at level {}", self.drm, column, self.level);
        let mut text = format!("{}  {}\n", bold(decision.status.name()), dim(&what));
        if let Allowance::UpTo(pixels) = decision.largest {
            text += &format!("  a picture of at most {pixels} pixels is allowed\n");
        }
        for reason in decision.reasons.iter() {
            text += &format!("  {reason}\n");
        }
        terminal.print(&text)
    }

    fn decision(&self, policy: &OutputPolicy, outputs: &[Output]) -> Decision {
        let content = match self.sound {
            true => Content::Sound,
            false => Content::Picture(self.picture),
        };
        // Whoever asks here is believed: what a host's word is worth is told by the level.
        let known = Outputs {
            panel: None,
            report: Some(Report {
                source: Source::Platform,
                age_ms: 0,
                outputs,
            }),
        };
        let demand = Demand { policy, content };
        decide(&demand, Device::of(self.level), Term::Running, &known)
    }
}

fn level(typed: &str) -> Result<Level, String> {
    named(Level::ALL, Level::name, typed)
}

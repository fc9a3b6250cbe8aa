//! `keybearer explain --policy UHD --outputs hdmi:2.2,analog`: what a key under a profile's rules would
//! do with these outputs, before any licence is asked for. The decision is the very one that the
//! trusted side makes; what the outputs are is taken from the command line.

use std::num::NonZeroU32;

use clap::Args;
use keybearer_rules::{
    Allowance, CgmsA, Column, Content, Decision, Demand, Device, Drm, Hdcp, HdcpVersion, Level,
    Output, OutputKind, OutputPolicy, Outputs, Readings, Report, Rules, SoundForm, Source, Term,
    Type1Version, decide,
};
use serde_json::json;

use crate::failure::Failure;
use crate::rules::{column, drm, named};
use crate::terminal::{Terminal, bold, dim};

/// The words that an output may be followed by.
const PROTECTION: &str = "hdmi, displayport, adapter, wireless, export and recording take an HDCP \
    version (1.4, 2.2 and so on; 2.2-type0 where a link carries no type 1) and scms; analog, composite \
    and component take copy-free, copy-once, copy-never, agc and stripe; all take WIDTHxHEIGHT and pcm \
    or bitstream; several words are joined by colons";

/// Help of `--outputs`.
fn outputs_help() -> String {
    let kinds: Vec<_> = OutputKind::ALL.iter().map(|kind| kind.name()).collect();
    format!(
        "The active outputs, separated by commas: {}, analog (composite); none for none. {PROTECTION}: \
         composite:copy-never:720x576",
        kinds.join(", ")
    )
}

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

/// An output as it was typed; nothing for "none".
#[derive(Clone, Copy, Debug)]
struct Stated(Option<Output>);

impl Preflight {
    /// The profile to decide under, if one was named.
    pub(super) const fn policy(&self) -> Option<Column> {
        self.policy
    }

    pub(super) fn run(&self, column: Column, terminal: Terminal) -> Result<(), Failure> {
        let policy = Rules::column(self.drm, column).policy(&Readings::default());
        let stated = self.outputs.iter().flatten();
        let outputs: Vec<Output> = stated.filter_map(|stated| stated.0).collect();
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

fn size(typed: &str) -> Result<NonZeroU32, String> {
    let sides = typed.split_once(['x', 'X']);
    sides
        .and_then(|(width, height)| {
            let (width, height) = (width.parse::<u32>().ok()?, height.parse::<u32>().ok()?);
            NonZeroU32::new(width.checked_mul(height)?)
        })
        .ok_or_else(|| "expected WIDTHxHEIGHT, such as 1920x1080".to_owned())
}

fn output(typed: &str) -> Result<Stated, String> {
    let mut words = typed.split(':');
    let kind = match words.next().unwrap_or_default() {
        "none" if !typed.contains(':') => return Ok(Stated(None)),
        "analog" => OutputKind::AnalogComposite,
        name => named(OutputKind::ALL, OutputKind::name, name)
            .map_err(|known| format!("{known}, analog or none"))?,
    };
    let mut output = Output::of(kind);
    for word in words {
        protect(&mut output, word)?;
    }
    Ok(Stated(Some(output)))
}

/// One word of protection.
fn protect(output: &mut Output, word: &str) -> Result<(), String> {
    match word {
        "agc" => output.agc = true,
        "stripe" => output.color_stripe = true,
        "scms" => output.scms = true,
        "pcm" => output.sound = SoundForm::Uncompressed,
        "bitstream" => output.sound = SoundForm::Compressed,
        "copy-free" => output.cgms_a = Some(CgmsA::CopyFree),
        "copy-once" => output.cgms_a = Some(CgmsA::CopyOnce),
        "copy-never" => output.cgms_a = Some(CgmsA::CopyNever),
        _ => match (hdcp(word), size(word)) {
            (Some(hdcp), _) => output.hdcp = Some(hdcp),
            (None, Ok(picture)) => output.picture = Some(picture),
            (None, Err(_)) => return Err(format!("{word:?} is no protection: {PROTECTION}")),
        },
    }
    Ok(())
}

/// A version as people write it. A link of version 2.2 or later carries type 1 unless it is said not
/// to.
fn hdcp(word: &str) -> Option<Hdcp> {
    Some(match word {
        "1.0" | "1.1" | "1.2" | "1.3" | "1.4" | "1.x" => Hdcp::Type0(HdcpVersion::V1),
        "2.0" => Hdcp::Type0(HdcpVersion::V2_0),
        "2.1" => Hdcp::Type0(HdcpVersion::V2_1),
        "2.2" => Hdcp::Type1(Type1Version::V2_2),
        "2.3" => Hdcp::Type1(Type1Version::V2_3),
        "2.2-type0" => Hdcp::Type0(HdcpVersion::V2_2),
        "2.3-type0" => Hdcp::Type0(HdcpVersion::V2_3),
        _ => return None,
    })
}

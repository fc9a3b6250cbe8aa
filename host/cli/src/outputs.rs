//! Outputs as they are typed, and a simulator of outputs for machines that have none to look at: constant
//! ones, or a timeline over the film.
//!
//! What is simulated is the host's word and nothing more: it counts where the trusted side lets a host's
//! word count, and every reason says that it was the host's.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use keybearer_client::{ActiveOutputs, Session};
use keybearer_rules::{CgmsA, Hdcp, HdcpVersion, Output, OutputKind, SoundForm, Type1Version};

use crate::failure::Failure;
use crate::rules::named;

/// The words that an output may be followed by.
const PROTECTION: &str = "hdmi, displayport, adapter, wireless, export and recording take an HDCP \
    version (1.4, 2.2 and so on; 2.2-type0 where a link carries no type 1; none) and scms; analog, \
    composite and component take copy-free, copy-once, copy-never, agc and stripe; all take WIDTHxHEIGHT \
    and pcm or bitstream; several words are joined by colons";

/// Help of `--outputs`.
pub(crate) fn outputs_help() -> String {
    let kinds: Vec<_> = OutputKind::ALL.iter().map(|kind| kind.name()).collect();
    format!(
        "The active outputs, separated by commas: {}, analog (composite); none for none. {PROTECTION}: \
         composite:copy-never:720x576",
        kinds.join(", ")
    )
}

/// Help of `--outputs-timeline`.
const TIMELINE_HELP: &str = "A TOML file of outputs over the time of the film: each line is a time and what \
    is active from then on, as --outputs takes it:\n\n    \
    \"0s\"    = \"internal,hdmi:2.2\"\n    \
    \"12.5s\" = \"hdmi:none\"\n    \
    \"20s\"   = \"none\"\n\nTimes are seconds or milliseconds (500ms) of the media. Before the first one \
    nothing is reported. A change is known to the next call, which is at most two seconds of media later";

/// The outputs to play to.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputsArguments {
    /// The active outputs, such as internal,hdmi:2.2; none for none [default: none are reported]
    #[arg(long, value_delimiter = ',', value_parser = output, long_help = outputs_help())]
    outputs: Option<Vec<Stated>>,
    /// A TOML file of outputs over the time of the film, for trying out what a key does then
    #[arg(long, value_name = "FILE", conflicts_with = "outputs", long_help = TIMELINE_HELP)]
    outputs_timeline: Option<PathBuf>,
}

impl OutputsArguments {
    /// What is to be simulated, if anything is.
    pub(crate) fn simulator(&self) -> Result<Option<Simulator>, Failure> {
        let timeline = match (&self.outputs, &self.outputs_timeline) {
            (Some(outputs), _) => Timeline::constant(active(outputs)),
            (None, Some(path)) => Timeline::read(path)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Simulator {
            timeline,
            active: ActiveOutputs::default(),
        }))
    }

    /// The file that is read, if one is.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.outputs_timeline.as_deref()
    }
}

/// Tells sessions what a timeline says is active.
#[derive(Clone, Debug)]
pub(crate) struct Simulator {
    timeline: Timeline,
    active: ActiveOutputs,
}

impl Simulator {
    /// Has a session report what is simulated.
    pub(crate) fn attach(&self, session: &Session) {
        session.follow_outputs(self.active.clone());
    }

    /// The film is at this place.
    pub(crate) fn is_at(&self, time: Duration) {
        self.active.set(self.timeline.at(time));
    }
}

/// What is active from when on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Timeline(BTreeMap<Duration, Vec<Output>>);

impl Timeline {
    fn constant(outputs: Vec<Output>) -> Self {
        Self(BTreeMap::from([(Duration::ZERO, outputs)]))
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::input(format!("cannot read {name}")).cause(&error))?;
        Self::parse(&text).map_err(|what| {
            Failure::input(format!("{name} is no timeline of outputs: {what}"))
                .hint("a line of it: \"12.5s\" = \"internal,hdmi:2.2\"")
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| error.to_string())?;
        let mut timeline = BTreeMap::new();
        for (key, value) in &table {
            let from = time(key)?;
            let list = value
                .as_str()
                .ok_or_else(|| format!("{key}: expected a text such as \"internal,hdmi:2.2\""))?;
            let stated: Result<Vec<Stated>, String> = list
                .split(',')
                .map(|typed| output(typed.trim()).map_err(|what| format!("{key}: {what}")))
                .collect();
            if timeline.insert(from, active(&stated?)).is_some() {
                return Err(format!("{key}: this time stands there twice"));
            }
        }
        if timeline.is_empty() {
            return Err("it has no line".to_owned());
        }
        Ok(Self(timeline))
    }

    /// What is active at a time; `None` before the first one.
    fn at(&self, time: Duration) -> Option<Vec<Output>> {
        let (_, outputs) = self.0.range(..=time).next_back()?;
        Some(outputs.clone())
    }
}

/// A time as people write it: seconds, with or without their unit, or milliseconds.
fn time(typed: &str) -> Result<Duration, String> {
    let wrong = || format!("{typed:?} is no time; expected one such as 12.5s or 500ms");
    let typed_number = typed.trim();
    let (number, unit) = match typed_number.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (typed_number.strip_suffix('s').unwrap_or(typed_number), 1.0),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

/// An output as it was typed; nothing for "none".
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated(Option<Output>);

/// The outputs that were typed.
pub(crate) fn active(stated: &[Stated]) -> Vec<Output> {
    stated.iter().filter_map(|stated| stated.0).collect()
}

/// A picture's size as it is typed, in pixels.
pub(crate) fn size(typed: &str) -> Result<NonZeroU32, String> {
    let sides = typed.split_once(['x', 'X']);
    sides
        .and_then(|(width, height)| {
            let (width, height) = (width.parse::<u32>().ok()?, height.parse::<u32>().ok()?);
            NonZeroU32::new(width.checked_mul(height)?)
        })
        .ok_or_else(|| "expected WIDTHxHEIGHT, such as 1920x1080".to_owned())
}

/// One output as it is typed.
pub(crate) fn output(typed: &str) -> Result<Stated, String> {
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
        "none" => output.hdcp = None,
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

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a failed expectation is how a test reports"
    )]

    use std::time::Duration;

    use keybearer_rules::{Hdcp, OutputKind, Type1Version};

    use super::{Timeline, output, time};

    #[test]
    fn a_timeline_says_what_is_active_from_when_on() {
        let text =
            "\"12.5s\" = \"hdmi:none\"\n\"0.5\" = \"internal, hdmi:2.2\"\n\"20000ms\" = \"none\"";
        let timeline = Timeline::parse(text).unwrap();
        let kinds = |millis| {
            let outputs = timeline.at(Duration::from_millis(millis))?;
            let kinds = outputs.iter().map(|output| (output.kind, output.hdcp));
            Some(kinds.collect::<Vec<_>>())
        };
        let type_1 = Some(Hdcp::Type1(Type1Version::V2_2));
        let both = vec![(OutputKind::Internal, None), (OutputKind::Hdmi, type_1)];
        assert_eq!(kinds(499), None);
        assert_eq!(kinds(500), Some(both.clone()));
        assert_eq!(kinds(12_499), Some(both));
        assert_eq!(kinds(12_500), Some(vec![(OutputKind::Hdmi, None)]));
        assert_eq!(kinds(u64::MAX), Some(vec![]));
    }

    #[test]
    fn what_is_no_timeline_is_refused_with_the_line() {
        for (text, said) in [
            ("", "no line"),
            ("\"soon\" = \"hdmi\"", "\"soon\" is no time"),
            ("\"-1s\" = \"hdmi\"", "\"-1s\" is no time"),
            ("\"1s\" = \"hdmi\"\n\"1000ms\" = \"none\"", "twice"),
            ("\"1s\" = \"hdmi\"\n\"1s\" = \"none\"", "duplicate key"),
            ("\"1s\" = \"hdmi:2.9\"", "1s: \"2.9\" is no protection"),
            ("\"1s\" = \"\"", "1s: "),
            ("\"1s\" = 5", "1s: expected a text"),
            ("1s = ", "1 | 1s ="),
        ] {
            let error = Timeline::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert_eq!(time(" 1.5 s ").unwrap(), Duration::from_millis(1500));
        assert!(time("1e30s").is_err() && time("nans").is_err());
    }

    #[test]
    fn an_output_without_hdcp_can_be_said() {
        let stated = output("hdmi:2.2:none").unwrap();
        assert_eq!(stated.0.unwrap().hdcp, None);
        assert!(output("none").unwrap().0.is_none());
        assert!(output("none:2.2").is_err());
    }
}

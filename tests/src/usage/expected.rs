//! What each cell of the matrix should come to, from the design's data and nothing that runs.
//!
//! `usage-rules.json` states the canonical meaning of every profile as text (`_canonical_by_profile`),
//! and every rule's value. Here that text is read against a situation, as the prose beside it has it;
//! no type, table or function of `keybearer-rules` takes part.

use std::sync::OnceLock;

use keybearer_wire::body::ReasonField;
use serde_json::Value;

use super::situations::{Connected, Hdcp, Kind, Sound};

/// The rule families, as the data names them.
pub const FAMILIES: [&str; 7] = [
    "PRM",
    "PlayReady",
    "FairPlay",
    "Widevine",
    "TVKeyCloud",
    "WisePlay",
    "Generic",
];
/// The built-in profiles.
pub const PROFILES: [&str; 5] = ["Test", "SD", "HD", "UHD", "default"];
/// The levels, from weak to strong.
pub const LEVELS: [&str; 4] = ["none", "low", "medium", "high"];

/// Field, wanted, found, number of the output's kind.
pub type Because = (ReasonField, Option<i64>, Option<i64>, Option<u8>);

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// There is no licence; the rule that the denial begins with.
    Denied(String),
    /// There is one.
    Held {
        /// It plays: the whole picture of the size it is for, or sound.
        plays: bool,
        /// Why not, or on whose word.
        reasons: Vec<Because>,
    },
}

/// Who says what is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The host.
    Host,
    /// The trusted side's monitor.
    Monitor,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

fn data() -> &'static Value {
    static DATA: OnceLock<Value> = OnceLock::new();
    let text = include_str!("../../../crates/rules/tests/data/usage-rules.json");
    DATA.get_or_init(|| serde_json::from_str(text).expect("the data is JSON"))
}

/// A profile of a family, in the canonical terms.
struct Canonical(&'static Value);

impl Canonical {
    fn of(family: &str, profile: &str) -> Self {
        let policy = &data()["_canonical_by_profile"][family][profile];
        assert!(policy.is_object(), "{family} {profile}");
        // What no built-in profile has, nothing here knows how to expect.
        for limit in [
            "max_res_analog",
            "max_res_uncompressed_digital",
            "max_res_compressed_digital",
            "max_res_device",
        ] {
            assert!(["none", "unspecified"].contains(&text(&policy[limit])));
        }
        for code in ["agc", "color_stripe"] {
            assert_ne!(policy[code], true, "{family} {profile}");
        }
        Self(policy)
    }

    fn says(&self, field: &str) -> &'static str {
        text(&self.0[field])
    }

    /// The HDCP that is demanded: `None` where the family names none.
    fn hdcp(&self) -> Option<Hdcp> {
        let version = match self.says("hdcp_min") {
            "1.x" => 10,
            "2.0" => 20,
            "2.1" => 21,
            "2.2" => 22,
            "2.3" => 23,
            _ => return None,
        };
        let stream_type = self.0["hdcp_stream_type"].as_u64() == Some(1);
        Some((version, u8::from(stream_type)))
    }

    fn needs_secure_path(&self) -> bool {
        self.says("secure_media_path") == "required"
    }

    /// Whether anything is demanded that a report of the outputs could decide.
    fn demands_something(&self) -> bool {
        let free = ["unspecified", "none", "allow_any", "allow", "unrestricted"];
        let fields = [
            "digital_video",
            "compressed_digital_video",
            "digital_audio_uncompressed",
            "digital_audio_compressed",
            "analog_video",
            "airplay",
            "av_adapter",
            "export_dtcp",
            "recording",
        ];
        self.needs_secure_path() || fields.iter().any(|field| !free.contains(&self.says(field)))
    }
}

fn text(value: &'static Value) -> &'static str {
    value.as_str().unwrap_or("none")
}

/// Whether a rule of a profile is true.
fn is_true(family: &str, rule: &str, profile: &str) -> bool {
    match text(&data()[family][rule]["profiles"][profile]) {
        "TRUE" => true,
        "FALSE" => false,
        other => panic!("{family}.{rule} {profile}: {other}"),
    }
}

fn position(level: &str) -> usize {
    let found = LEVELS.iter().position(|one| *one == level);
    found.unwrap_or_else(|| panic!("level {level}"))
}

/// Why the service gives no licence at this level, if it gives none (UR-15 to UR-23).
fn denied(family: &str, profile: &str, level: &str) -> Option<String> {
    let canonical = Canonical::of(family, profile);
    let least = match canonical.says("min_security") {
        "unspecified" => 0,
        least => position(least),
    };
    if position(level) < least {
        let rule = match family {
            "PRM" => "UR-15 PRM.minLevel",
            "PlayReady" => "UR-15 PlayReady.minimumSecurityLevel",
            "Widevine" => "UR-16 Widevine.minimumSecurityLevel",
            "WisePlay" => "UR-15 WisePlay.securityLevel",
            "Generic" => "UR-15 Generic.minLevel",
            other => panic!("{other} has no least level"),
        };
        return Some(rule.into());
    }
    if canonical.needs_secure_path() && level != "high" {
        // Such a path is what High is; the service says so of the key's level, by no numbered rule.
        return Some("level".into());
    }
    // At High nobody believes the host's word on what the device can do, and these trusted sides say
    // nothing of it themselves.
    let unsaid = match (level, family) {
        ("high", "Widevine") => "UR-18 Widevine.disableAnalogOutput",
        ("high", "FairPlay") => "UR-23 FairPlay.hdcpStrictEnforcement",
        _ => return None,
    };
    let (_, rule) = unsaid.split_once('.')?;
    is_true(family, rule, profile).then(|| unsaid.into())
}

/// A version and type as reasons number them: tenths, any 1.x being 10, and 100 more for type 1.
fn number((version, stream_type): Hdcp) -> i64 {
    let version = if (10..20).contains(&version) {
        10
    } else {
        version
    };
    i64::from(version) + 100 * i64::from(stream_type)
}

/// What one output does not give, in the order of the rules.
fn lacks(policy: &Canonical, track: Track, output: &Connected) -> Vec<Because> {
    let mut lacks = Vec::new();
    let mut add = |field, wanted, found| {
        lacks.push((field, wanted, found, Some(output.kind.number())));
    };
    match output.kind {
        Kind::Wireless if policy.says("airplay") == "block" => {
            add(ReasonField::Airplay, None, None);
        }
        Kind::Recording if policy.says("recording") == "restricted" => {
            add(ReasonField::Recording, None, None);
        }
        _ => {}
    }
    let reached = Some(number(output.hdcp));
    let met = |wanted: Hdcp| output.hdcp.0 >= wanted.0 && output.hdcp.1 >= wanted.1;
    // A demand for HDCP that names no version is one for any.
    let wanted = policy.hdcp().unwrap_or((10, 0));
    let mut digital = |field, demand: &str| match demand {
        "unspecified" | "none" | "allow_any" => {}
        "hdcp_required" if met(wanted) => {}
        "hdcp_required" => add(field, Some(number(wanted)), reached),
        "block" => add(field, None, reached),
        other => panic!("{field:?} {other}"),
    };
    let video = policy.says("digital_video");
    match (track, output.kind) {
        (Track::Video, Kind::Hdmi | Kind::Wireless) => digital(ReasonField::DigitalVideo, video),
        (Track::Video, Kind::Recording) => {
            digital(ReasonField::DigitalVideo, video);
            let compressed = policy.says("compressed_digital_video");
            digital(ReasonField::CompressedVideo, compressed);
        }
        (Track::Video, Kind::Composite) => {
            let asserted = Some(if output.copy_never { 3 } else { 0 });
            match policy.says("analog_video") {
                "unspecified" | "allow_any" => {}
                "cgms_required" => {
                    assert_eq!(policy.says("cgms_a"), "copy_never");
                    if !output.copy_never {
                        add(ReasonField::AnalogVideo, Some(3), asserted);
                    }
                }
                "block" => add(ReasonField::AnalogVideo, None, asserted),
                other => panic!("analog_video {other}"),
            }
        }
        (Track::Audio, Kind::Hdmi | Kind::Wireless | Kind::Recording) => {
            let (field, stated) = match output.sound {
                Sound::None => return lacks,
                Sound::Uncompressed => (
                    ReasonField::UncompressedAudio,
                    policy.says("digital_audio_uncompressed"),
                ),
                Sound::Compressed => (
                    ReasonField::CompressedAudio,
                    policy.says("digital_audio_compressed"),
                ),
            };
            // Sound of which nothing is said goes where the picture that it belongs to may go.
            digital(
                field,
                if stated == "unspecified" {
                    video
                } else {
                    stated
                },
            );
        }
        (_, Kind::Panel) | (Track::Audio, Kind::Composite) => {}
    }
    lacks
}

/// What becomes of a key under a profile of a family, at a level, on somebody's word of what is
/// connected (`None`: nobody says).
///
/// # Panics
/// When the data has something that is not foreseen here.
#[must_use]
pub fn cell(
    (family, profile): (&str, &str),
    level: &str,
    track: Track,
    word: Word,
    outputs: Option<&[Connected]>,
) -> Cell {
    if let Some(rule) = denied(family, profile, level) {
        return Cell::Denied(rule);
    }
    let policy = Canonical::of(family, profile);
    let held = |plays, reasons| Cell::Held { plays, reasons };
    if !policy.demands_something() {
        return held(true, Vec::new());
    }
    // The host's word is none at High, nor where a secure media path is required.
    let counts = word == Word::Monitor || (level != "high" && !policy.needs_secure_path());
    let Some(outputs) = outputs.filter(|_| counts) else {
        return held(false, vec![(ReasonField::Outputs, None, None, None)]);
    };
    let mut reasons: Vec<Because> = outputs
        .iter()
        .flat_map(|output| lacks(&policy, track, output))
        .collect();
    let plays = reasons.is_empty();
    if word == Word::Host {
        reasons.push((ReasonField::HostReported, None, None, None));
    }
    held(plays, reasons)
}

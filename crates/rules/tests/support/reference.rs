//! A second implementation of the decision, written from the prose and as tables: a row says which
//! outputs it is about, for picture or sound, and how many pixels it leaves. It shares the types
//! with the first one and nothing else.

use keybearer_rules::{
    Content, Demand, Device, Hdcp, KeyStatus, Level, MinSecurity, Output, OutputKind, OutputPolicy,
    Outputs, PictureLimit, SecureMediaPath, SoundForm, Source, Term, TrustedOutputs,
};

const ALL: u64 = u64::MAX;
const NONE: u64 = 0;

/// A link or a demand as version in tenths (10 for any 1.x, 0 for none) and stream type.
type Link = (u8, u8);

fn link(hdcp: Option<Hdcp>) -> Link {
    hdcp.map_or((0, 0), |hdcp| {
        let version = match hdcp.version().name() {
            "1.x" => 10,
            "2.0" => 20,
            "2.1" => 21,
            "2.2" => 22,
            "2.3" => 23,
            other => panic!("HDCP {other}"),
        };
        (version, hdcp.stream_type())
    })
}

fn reaches(output: &Output, wanted: Link) -> bool {
    let (version, kind) = link(output.hdcp);
    version != 0 && version >= wanted.0 && kind >= wanted.1
}

/// What a limit of the policy leaves on an output that itself shows so many pixels.
fn limit(limit: PictureLimit, output: &Output) -> u64 {
    let PictureLimit::Pixels(limit) = limit else {
        return ALL;
    };
    match output.picture {
        Some(shown) if shown <= limit => ALL,
        _ => u64::from(limit.get()),
    }
}

/// The row of `digital_video` for a demand and what the link gives.
fn digital(policy: &OutputPolicy, output: &Output) -> u64 {
    const CONSTRAINED: u64 = 520_000;
    let wanted = link(policy.digital_video.hdcp());
    let type_1 = link(output.hdcp).1 == 1;
    let cap = limit(policy.max_res_uncompressed_digital, output);
    let capped = match type_1 {
        true => ALL,
        false => cap,
    };
    let unprotected = match policy.digital_video.kind().name() {
        "unspecified" | "allow_any" | "hdcp_best_effort" => return capped,
        "hdcp_or_constrain" => match output.picture {
            Some(shown) if u64::from(shown.get()) <= CONSTRAINED => ALL,
            _ => CONSTRAINED,
        },
        "hdcp_required" if wanted.1 == 1 && output.hdcp.is_some() => {
            match policy.max_res_uncompressed_digital {
                PictureLimit::Pixels(_) => cap,
                _ => NONE,
            }
        }
        "hdcp_required" | "block" => NONE,
        other => panic!("digital_video {other}"),
    };
    match policy.digital_video.kind().name() != "block" && reaches(output, wanted) {
        true => capped,
        false => unprotected.min(capped),
    }
}

/// Either anything or nothing.
fn if_so(allowed: bool) -> u64 {
    match allowed {
        true => ALL,
        false => NONE,
    }
}

fn any_hdcp_or_the_one_named(policy: &OutputPolicy, output: &Output) -> bool {
    reaches(output, link(policy.digital_video.hdcp()).max((10, 0)))
}

fn compressed(policy: &OutputPolicy, output: &Output) -> u64 {
    let allowed = match policy.compressed_digital_video.name() {
        "unspecified" | "allow_any" => true,
        "hdcp_required" => any_hdcp_or_the_one_named(policy, output),
        "block" => false,
        other => panic!("compressed_digital_video {other}"),
    };
    if_so(allowed).min(limit(policy.max_res_compressed_digital, output))
}

fn analog(policy: &OutputPolicy, output: &Output) -> u64 {
    let cgms = match policy.analog_video.kind().name() {
        "unspecified" | "allow_any" | "cgms_best_effort" => true,
        "cgms_required" => output.cgms_a >= policy.analog_video.cgms_a(),
        "block" => false,
        other => panic!("analog_video {other}"),
    };
    let coded = (output.agc || !policy.agc) && (output.color_stripe || !policy.color_stripe);
    if_so(cgms && coded).min(limit(policy.max_res_analog, output))
}

fn audio(stated: &str, policy: &OutputPolicy, output: &Output) -> bool {
    let video = policy.digital_video.kind().name();
    let demand = match (stated, video) {
        ("unspecified", "hdcp_or_constrain" | "hdcp_required") => "hdcp_required",
        ("unspecified", "block") => "block",
        _ => stated,
    };
    match demand {
        "unspecified" | "allow_any" => true,
        "hdcp_or_scms" => output.scms || any_hdcp_or_the_one_named(policy, output),
        "hdcp_required" => any_hdcp_or_the_one_named(policy, output),
        "block" => false,
        other => panic!("digital audio {other}"),
    }
}

fn uncompressed_audio(policy: &OutputPolicy, output: &Output) -> u64 {
    let leaves = [SoundForm::Unknown, SoundForm::Uncompressed].contains(&output.sound);
    let stated = policy.digital_audio_uncompressed.name();
    if_so(!leaves || audio(stated, policy, output))
}

fn compressed_audio(policy: &OutputPolicy, output: &Output) -> u64 {
    let leaves = [SoundForm::Unknown, SoundForm::Compressed].contains(&output.sound);
    let stated = policy.digital_audio_compressed.name();
    if_so(!leaves || audio(stated, policy, output))
}

/// Outputs by letter: internal, hdmi, displayport, composite, component, wireless, export,
/// recording, adapter, unknown.
fn letter(kind: OutputKind) -> char {
    match kind.name() {
        "internal" => 'i',
        "hdmi" => 'h',
        "displayport" => 'd',
        "composite" => 'c',
        "component" => 'y',
        "wireless" => 'w',
        "export" => 'e',
        "recording" => 'r',
        "adapter" => 'a',
        "unknown" => '?',
        other => panic!("output {other}"),
    }
}

struct Row {
    outputs: &'static str,
    picture: bool,
    sound: bool,
    leaves: fn(&OutputPolicy, &Output) -> u64,
}

const fn row(
    outputs: &'static str,
    content: (bool, bool),
    leaves: fn(&OutputPolicy, &Output) -> u64,
) -> Row {
    Row {
        outputs,
        picture: content.0,
        sound: content.1,
        leaves,
    }
}

const PICTURE: (bool, bool) = (true, false);
const SOUND: (bool, bool) = (false, true);
const BOTH: (bool, bool) = (true, true);

const ROWS: &[Row] = &[
    row("?", BOTH, |_, _| NONE),
    row("w", BOTH, |policy, _| {
        if_so(policy.airplay.name() != "block")
    }),
    row("a", BOTH, |policy, _| {
        if_so(policy.av_adapter.name() != "block")
    }),
    row("e", BOTH, |policy, _| {
        if_so(policy.export_dtcp.name() != "block")
    }),
    row("r", BOTH, |policy, _| {
        if_so(policy.recording.name() != "restricted")
    }),
    row("hdwaer", PICTURE, digital),
    row("er", PICTURE, compressed),
    row("cy", PICTURE, analog),
    row("hdwaer", SOUND, uncompressed_audio),
    row("hdwaer", SOUND, compressed_audio),
];

/// Status, and the pixels allowed.
pub(crate) fn decide(
    demand: &Demand<'_>,
    device: Device,
    term: Term,
    outputs: &Outputs<'_>,
) -> (KeyStatus, u64) {
    let policy = demand.policy;
    let level = device.level.code();
    let secure = policy.secure_media_path == SecureMediaPath::Required;
    let enough = match policy.min_security {
        MinSecurity::Unspecified => true,
        MinSecurity::AtLeast(least) => level >= least.code(),
        MinSecurity::Deny => false,
    };
    if !enough || (secure && level != 3) {
        return (KeyStatus::OutputRestricted, NONE);
    }
    match term {
        Term::Over => return (KeyStatus::Expired, NONE),
        Term::Future => return (KeyStatus::UsableInFuture, NONE),
        Term::Pending => return (KeyStatus::StatusPending, NONE),
        Term::Running => {}
    }
    let sound = demand.content == Content::Sound;
    let mut pixels = match policy.max_res_device {
        PictureLimit::Pixels(most) if !sound => u64::from(most.get()),
        _ => ALL,
    };
    if !policy.demands_nothing() {
        let trusted_only = device.level == Level::High
            || secure
            || policy.trusted_outputs == TrustedOutputs::Required;
        let counts = |source: Source| source == Source::Platform || !trusted_only;
        let report = outputs
            .report
            .filter(|report| report.age_ms <= 2000)
            .filter(|report| counts(report.source));
        let shown = match (report, outputs.panel) {
            (Some(report), _) => report.outputs,
            (None, Some(panel)) if counts(panel) => &[],
            (None, _) => return (KeyStatus::OutputRestricted, NONE),
        };
        for output in shown {
            for row in ROWS {
                let concerns = match sound {
                    true => row.sound,
                    false => row.picture,
                };
                if concerns && row.outputs.contains(letter(output.kind)) {
                    pixels = pixels.min((row.leaves)(policy, output));
                }
            }
        }
    }
    let size = match demand.content {
        Content::Sound => 1,
        Content::Picture(size) => size.map_or(ALL, |size| u64::from(size.get())),
    };
    let status = if pixels == NONE {
        KeyStatus::OutputRestricted
    } else if size <= pixels {
        KeyStatus::Usable
    } else if device.scales {
        KeyStatus::OutputDownscaled
    } else {
        KeyStatus::OutputRestricted
    };
    (status, pixels)
}

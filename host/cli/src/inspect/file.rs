//! A media file: its tracks, how they are protected, and what its fragments hold.

use std::fs::File;
use std::io::{Cursor, Read, Seek};

use keybearer_client::{KeyId, explain::kid};
use keybearer_media::{
    BoxNode, BoxTree, Detail, IvSource, MediaError, MediaReader, Part, Pattern, Protection, Pssh,
    Track, TrackEncryption, TrackFragment, TrackKind,
};
use serde::Serialize;

use super::pssh::PsshReport;
use super::source::Source;
use super::tree::Tree;
use crate::failure::Failure;
use crate::sizes::{counted, grouped};

/// What a media file says.
#[derive(Debug, Serialize)]
pub(super) struct MediaReport {
    bytes: u64,
    fragments: u64,
    tracks: Vec<TrackReport>,
    pssh: Vec<PsshReport>,
    /// What cannot be done with this file here, though nothing is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsupported: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) broken: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    boxes: Vec<BoxReport>,
}

#[derive(Debug, Serialize)]
struct TrackReport {
    id: u32,
    kind: &'static str,
    entries: Vec<EntryReport>,
    /// Key ids that sample groups give to samples, beside those of the entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    group_key_ids: Vec<String>,
    /// Absent where nothing is protected: then no sample was looked at.
    #[serde(flatten)]
    counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subsamples: Option<SubsampleReport>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    samples: u64,
    protected_samples: u64,
    bytes: u64,
    milliseconds: u64,
}

#[derive(Debug, Serialize)]
struct EntryReport {
    codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protection: Option<ProtectionReport>,
}

#[derive(Debug, Serialize)]
struct ProtectionReport {
    scheme: String,
    key_id: String,
    iv: String,
    pattern: Option<String>,
    protected: bool,
}

/// Over all protected samples that have a subsample table.
#[derive(Debug, Serialize)]
struct SubsampleReport {
    samples: u64,
    least: usize,
    most: usize,
    clear_bytes: u64,
    protected_bytes: u64,
}

#[derive(Debug, Serialize)]
struct BoxReport {
    kind: String,
    offset: u64,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<BoxReport>,
}

impl MediaReport {
    pub(super) fn of(source: &Source, boxes: bool) -> Result<Self, Failure> {
        let mut report = Self {
            bytes: source.size().unwrap_or_default(),
            fragments: 0,
            tracks: Vec::new(),
            pssh: Vec::new(),
            unsupported: None,
            broken: None,
            boxes: Vec::new(),
        };
        let walked = report.walk_source(source);
        match &walked {
            Ok(()) => {}
            Err(error @ MediaError::Unsupported { .. }) => {
                report.unsupported = Some(error.to_string())
            }
            Err(error) => report.broken = Some(error.to_string()),
        }
        // A file that the reader does not take can still be looked at.
        if boxes || (walked.is_err() && report.tracks.is_empty()) {
            for node in BoxTree::new(source.open()?) {
                match node {
                    Ok(node) => report.boxes.push(BoxReport::of(&node)),
                    Err(error) => {
                        report.broken.get_or_insert_with(|| error.to_string());
                    }
                }
            }
        }
        Ok(report)
    }

    fn walk_source(&mut self, source: &Source) -> Result<(), MediaError> {
        match source {
            Source::File(path) => self.walk(File::open(path)?),
            Source::Bytes(bytes) => self.walk(Cursor::new(bytes)),
        }
    }

    fn walk(&mut self, input: impl Read + Seek) -> Result<(), MediaError> {
        let mut reader = MediaReader::open_seekable(input)?;
        let presentation = reader.presentation();
        self.tracks
            .extend(presentation.tracks.iter().map(TrackReport::of));
        self.pssh.extend(
            presentation
                .pssh
                .iter()
                .map(|found| PsshReport::of(found, None)),
        );
        while let Some(part) = reader.next_part()? {
            if let Part::Fragment(fragment) = part {
                // A piece of a progressive file is none, and has no number.
                self.fragments += u64::from(fragment.sequence_number() > 0);
                let place = format!("in fragment {}", fragment.sequence_number());
                self.add_pssh(fragment.pssh(), &place);
                for of_track in fragment.tracks() {
                    if let Some(track) = self.tracks.get_mut(of_track.track) {
                        track.add(of_track);
                    }
                }
            }
        }
        Ok(())
    }

    fn add_pssh(&mut self, found: &[Pssh], place: &str) {
        self.pssh.extend(
            found
                .iter()
                .map(|found| PsshReport::of(found, Some(place.to_owned()))),
        );
    }

    pub(super) fn tree(&self, name: &str) -> Tree {
        let protected = self.tracks.iter().any(|track| {
            let counts = track.counts.as_ref();
            counts.is_some_and(|counts| counts.protected_samples > 0)
        });
        let mut title = format!("{name}  {}", counted(self.bytes, "byte"));
        if self.fragments > 0 {
            title += &format!(", {}", counted(self.fragments, "fragment"));
        }
        if self.broken.is_none() && self.unsupported.is_none() {
            title += if protected {
                ", protected"
            } else {
                ", nothing is protected"
            };
        }
        Tree::new(title)
            .with(self.tracks.iter().map(TrackReport::tree))
            .with(self.pssh.iter().map(PsshReport::tree))
            .with(
                (!self.boxes.is_empty())
                    .then(|| Tree::new("boxes").with(self.boxes.iter().map(BoxReport::tree))),
            )
            .with(
                self.unsupported
                    .iter()
                    .map(|what| Tree::field("not handled", what)),
            )
            .with(self.broken.iter().map(|what| Tree::field("BROKEN", what)))
    }
}

impl TrackReport {
    fn of(track: &Track) -> Self {
        let entries = track.entries.iter().map(|entry| EntryReport {
            codec: entry.codec.to_string(),
            picture: entry
                .picture
                .map(|size| format!("{}x{}", size.width, size.height)),
            protection: entry.protection.as_ref().map(ProtectionReport::of),
        });
        Self {
            id: track.id,
            kind: match track.kind {
                TrackKind::Video => "video",
                TrackKind::Audio => "audio",
                TrackKind::Other => "other",
            },
            entries: entries.collect(),
            group_key_ids: Vec::new(),
            counts: None,
            subsamples: None,
        }
    }

    fn add(&mut self, fragment: &TrackFragment) {
        for batch in fragment.batches(keybearer_media::BatchLimit {
            duration_ms: u64::MAX,
            ..Default::default()
        }) {
            let samples = batch.samples();
            let counts = self.counts.get_or_insert_default();
            counts.samples += samples.len() as u64;
            counts.bytes += batch.size();
            counts.milliseconds += batch.duration_ms();
            if batch.protection().is_none() {
                continue;
            }
            counts.protected_samples += samples.len() as u64;
            self.add_key(batch.key_id());
            for table in samples
                .iter()
                .map(|sample| batch.subsamples(sample))
                .filter(|table| !table.is_empty())
            {
                let stats = self.subsamples.get_or_insert(SubsampleReport {
                    samples: 0,
                    least: usize::MAX,
                    most: 0,
                    clear_bytes: 0,
                    protected_bytes: 0,
                });
                stats.samples += 1;
                stats.least = stats.least.min(table.len());
                stats.most = stats.most.max(table.len());
                stats.clear_bytes += table.iter().map(|part| u64::from(part.clear)).sum::<u64>();
                stats.protected_bytes += table
                    .iter()
                    .map(|part| u64::from(part.protected))
                    .sum::<u64>();
            }
        }
    }

    fn add_key(&mut self, id: Option<KeyId>) {
        let Some(id) = id.as_ref().map(kid) else {
            return;
        };
        let mut own = self.entries.iter().filter_map(|e| e.protection.as_ref());
        if !own.any(|own| own.key_id == id) && !self.group_key_ids.contains(&id) {
            self.group_key_ids.push(id);
        }
    }

    fn tree(&self) -> Tree {
        let entries = self.entries.iter().flat_map(EntryReport::trees);
        let groups = self.group_key_ids.iter();
        let groups = groups.map(|id| Tree::field("key id", format!("{id}, by sample group")));
        let samples = self.counts.as_ref().map(|counts| {
            Tree::field(
                "samples",
                format!(
                    "{} of {} bytes, {}.{:02} s; {} protected",
                    grouped(counts.samples),
                    grouped(counts.bytes),
                    counts.milliseconds / 1000,
                    counts.milliseconds % 1000 / 10,
                    grouped(counts.protected_samples),
                ),
            )
        });
        let protected = self
            .counts
            .as_ref()
            .map_or(0, |counts| counts.protected_samples);
        let in_parts = self.subsamples.as_ref().map_or(0, |stats| stats.samples);
        let whole = protected - in_parts;
        let whole = (whole > 0).then(|| {
            Tree::field(
                "subsamples",
                format!("none in {}: protected as a whole", grouped(whole)),
            )
        });
        let parts = self.subsamples.as_ref().map(|stats| {
            let count = if stats.least == stats.most {
                stats.most.to_string()
            } else {
                format!("{} to {}", stats.least, stats.most)
            };
            let (clear, protected) = (grouped(stats.clear_bytes), grouped(stats.protected_bytes));
            Tree::field(
                "subsamples",
                format!("{count} a sample; {clear} bytes clear, {protected} protected"),
            )
        });
        Tree::new(format!("track {}     {}", self.id, self.kind))
            .with(entries)
            .with(groups)
            .with(samples)
            .with(parts)
            .with(whole)
    }
}

impl EntryReport {
    fn trees(&self) -> Vec<Tree> {
        let picture = self
            .picture
            .as_ref()
            .map(|size| format!(" {size}"))
            .unwrap_or_default();
        let mut trees = vec![Tree::field("codec", format!("{}{picture}", self.codec))];
        match &self.protection {
            None => trees.push(Tree::field("scheme", "none: its samples are clear")),
            Some(protection) => {
                let pattern = protection
                    .pattern
                    .as_ref()
                    .map(|pattern| format!(", pattern {pattern}"));
                let clear = if protection.protected {
                    ""
                } else {
                    ", but not protected"
                };
                trees.push(Tree::field(
                    "scheme",
                    format!(
                        "{}{}, {}{clear}",
                        protection.scheme,
                        pattern.unwrap_or_default(),
                        protection.iv
                    ),
                ));
                trees.push(Tree::field("key id", &protection.key_id));
            }
        }
        trees
    }
}

impl ProtectionReport {
    fn of(protection: &Protection) -> Self {
        Self {
            scheme: protection.scheme.to_string(),
            key_id: kid(&protection.kid),
            iv: iv(protection.iv),
            pattern: pattern(protection.pattern),
            protected: protection.is_protected,
        }
    }
}

fn iv(source: IvSource) -> String {
    match source {
        IvSource::None => "no IV".into(),
        IvSource::PerSample { size } => format!("{size}-byte IV per sample"),
        IvSource::Constant(iv) => format!("constant {}-byte IV", iv.as_slice().len()),
    }
}

fn pattern(pattern: Pattern) -> Option<String> {
    (pattern != Pattern::default()).then(|| format!("{}:{}", pattern.crypt, pattern.skip))
}

impl BoxReport {
    fn of(node: &BoxNode) -> Self {
        Self {
            kind: node.kind.to_string(),
            offset: node.offset,
            size: node.size,
            says: says(&node.detail),
            children: node.children.iter().map(Self::of).collect(),
        }
    }

    fn tree(&self) -> Tree {
        let says = self
            .says
            .as_ref()
            .map(|says| format!("  {says}"))
            .unwrap_or_default();
        Tree::new(format!(
            "{} {} +{}{says}",
            self.kind, self.offset, self.size
        ))
        .with(self.children.iter().map(Self::tree))
    }
}

/// What a box says, in words.
fn says(detail: &Detail) -> Option<String> {
    Some(match detail {
        Detail::Malformed(why) => format!("MALFORMED: {why}"),
        Detail::Track { id } => format!("track {id}"),
        Detail::Timescale(units) => format!("{units} units a second"),
        Detail::Handler(kind) | Detail::OriginalFormat(kind) | Detail::Grouping(kind) => {
            kind.to_string()
        }
        Detail::Scheme { scheme, version } => {
            format!("{} {}.{}", scheme, version >> 16, version & 0xffff)
        }
        Detail::TrackEncryption(TrackEncryption {
            is_protected,
            default_kid,
            iv: source,
            pattern: blocks,
        }) => {
            let protected = if *is_protected {
                "protected"
            } else {
                "not protected"
            };
            let blocks = pattern(*blocks)
                .map(|blocks| format!(", pattern {blocks}"))
                .unwrap_or_default();
            format!(
                "{protected}, key id {}, {}{blocks}",
                kid(default_kid),
                iv(*source)
            )
        }
        Detail::Pssh(found) => super::systems::name(&found.system_id)
            .map_or_else(|| super::systems::uuid(&found.system_id), str::to_owned),
        Detail::Sequence(number) => format!("fragment {number}"),
        Detail::TrackFragment { track_id, .. } => format!("track {track_id}"),
        Detail::Run { samples, .. } => counted((*samples).into(), "sample"),
        Detail::SampleEncryption {
            samples,
            subsamples,
        } => {
            let tables = if *subsamples { ", subsamples" } else { "" };
            format!("{}{tables}", counted((*samples).into(), "sample"))
        }
        _ => return None,
    })
}

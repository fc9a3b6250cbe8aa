//! The movie header (`moov`): tracks, their protection, and the defaults of their fragments.

use std::collections::HashSet;

use crate::boxes::{Boxes, Mp4Box};
use crate::cursor::{Cursor, to_u64};
use crate::groups::{GroupBoxes, KeyGroups};
use crate::limits::{self, MAX_ENTRIES, MAX_GROUPS};
use crate::{Expected, FourCc, KeyId, MediaError, Protection, Pssh, SampleEntry};

/// What kind of samples a track has, from its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Pictures (`vide`, `auxv`, `pict`).
    Video,
    /// Sound (`soun`).
    Audio,
    /// Anything else: text, metadata, hints.
    Other,
}

/// `trex`, ISO/IEC 14496-12 section 8.8.3: what fragments leave out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentDefaults {
    pub(crate) description: u32,
    pub(crate) duration: u32,
    pub(crate) size: u32,
}

/// One track.
#[derive(Clone, Debug)]
pub struct Track {
    /// `track_ID`.
    pub id: u32,
    /// What it holds.
    pub kind: TrackKind,
    /// Units of its durations in one second; never zero.
    pub timescale: u32,
    /// Its sample entries; at least one. Usually there is one, a clear lead makes a second.
    pub entries: Vec<SampleEntry>,
    pub(crate) defaults: Option<FragmentDefaults>,
    /// Protections that sample groups give, by number; in fragments as well.
    pub(crate) groups: KeyGroups,
}

impl Track {
    /// Protection of the first protected sample entry: what key the track needs.
    #[must_use]
    pub fn protection(&self) -> Option<&Protection> {
        self.entries
            .iter()
            .find_map(|entry| entry.protection.as_ref())
    }

    /// Whether `moov` describes sample groups that give some of its samples another protection than
    /// [`Self::protection`]. Fragments may describe more.
    #[must_use]
    pub fn has_key_groups(&self) -> bool {
        self.groups.len() > 0
    }

    fn parse(trak: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let id = track_id(&trak.required(FourCc::TKHD)?)?;
        let mdia = trak.required(FourCc::MDIA)?;
        let timescale = timescale(&mdia.required(FourCc::MDHD)?)?;
        let kind = match handler(&mdia.required(FourCc::HDLR)?)? {
            FourCc::VIDE | FourCc::AUXV | FourCc::PICT => TrackKind::Video,
            FourCc::SOUN => TrackKind::Audio,
            _ => TrackKind::Other,
        };
        let stbl = mdia.required(FourCc::MINF)?.required(FourCc::STBL)?;
        let entries = sample_entries(&stbl.required(FourCc::STSD)?, kind)?;
        let mut track = Self {
            id,
            kind,
            timescale,
            entries,
            defaults: None,
            groups: KeyGroups::default(),
        };
        if track.protection().is_some() {
            let mut groups = GroupBoxes::default();
            for child in stbl.children() {
                groups.take(child?)?;
            }
            track.groups = groups.groups()?;
        }
        Ok(track)
    }
}

/// What the movie header says: enough to ask for a licence.
#[derive(Clone, Debug)]
pub struct Presentation {
    /// The tracks, in file order.
    pub tracks: Vec<Track>,
    /// The `pssh` boxes of `moov`, in file order.
    pub pssh: Vec<Pssh>,
}

impl Presentation {
    /// Reads an initialisation segment in memory: boxes up to and including `moov`.
    ///
    /// # Errors
    /// No `moov`, or anything that is wrong in it.
    pub fn parse(init: &[u8]) -> Result<Self, MediaError> {
        for found in Boxes::top_level(init, 0) {
            let found = found?;
            if found.kind == FourCc::MOOV {
                return Self::from_moov(&found);
            }
        }
        Err(MediaError::Missing {
            kind: FourCc::MOOV,
            parent: FourCc::FILE,
            offset: 0,
        })
    }

    pub(crate) fn from_moov(moov: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let mvex = moov.child(FourCc::MVEX)?;
        let mut tracks: Vec<Track> = Vec::new();
        let mut pssh = Vec::new();
        for child in moov.children() {
            let child = child?;
            match child.kind {
                FourCc::TRAK => {
                    let track = Track::parse(&child)?;
                    if tracks.iter().any(|other| other.id == track.id) {
                        let expected = Expected::Words("one of its own");
                        return Err(child.invalid("track_ID", track.id.into(), expected));
                    }
                    tracks.push(track);
                    let entries = tracks.iter().map(|track| track.entries.len()).sum();
                    let field = "number of sample entries in all tracks";
                    limits::within(entries, MAX_ENTRIES, field, child.kind, child.offset)?;
                    let groups = tracks.iter().map(|track| track.groups.len()).sum();
                    let field = "number of key groups in all tracks";
                    limits::within(groups, MAX_GROUPS, field, child.kind, child.offset)?;
                }
                FourCc::PSSH => Pssh::parse_into(&mut pssh, &child)?,
                _ => {}
            }
        }
        for child in mvex.iter().flat_map(Mp4Box::children) {
            let child = child?;
            if child.kind == FourCc::TREX {
                let (id, defaults) = fragment_defaults(&child)?;
                let track = tracks
                    .iter_mut()
                    .find(|track| track.id == id)
                    .ok_or_else(|| {
                        child.invalid("track_ID", id.into(), Expected::Words("that of a track"))
                    })?;
                if track.defaults.replace(defaults).is_some() {
                    return Err(MediaError::Repeated {
                        kind: child.kind,
                        offset: child.offset,
                    });
                }
            }
        }
        Ok(Self { tracks, pssh })
    }

    /// Whether any track is protected. If none is, the file passes through as it is.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.tracks.iter().any(|track| track.protection().is_some())
    }

    /// The key ids that the tracks need, each once, in track order; also those of sample groups that are
    /// described here. All-zero ids, which stand for keys given by sample groups, are left out.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        let mut ids = Vec::new();
        let mut seen = HashSet::new();
        for track in &self.tracks {
            let entries = track.entries.iter();
            let protected = entries
                .filter_map(|entry| entry.protection)
                .filter(|protection| protection.is_protected)
                .map(|protection| protection.kid);
            for id in protected.chain(track.groups.key_ids()) {
                if id != [0; 16] && seen.insert(id) {
                    ids.push(id);
                }
            }
        }
        ids
    }
}

/// `tkhd`, ISO/IEC 14496-12 section 8.3.2: the track's number, never zero.
pub(crate) fn track_id(tkhd: &Mp4Box<'_>) -> Result<u32, MediaError> {
    let mut cursor = Cursor::new(tkhd);
    let (version, _) = cursor.known_version(1)?;
    cursor.versioned(version)?;
    cursor.versioned(version)?;
    let id = cursor.u32()?;
    if id == 0 {
        return Err(cursor.invalid("track_ID", 0, Expected::AtLeast(1)));
    }
    Ok(id)
}

/// `mdhd`, ISO/IEC 14496-12 section 8.4.2.
pub(crate) fn timescale(mdhd: &Mp4Box<'_>) -> Result<u32, MediaError> {
    let mut cursor = Cursor::new(mdhd);
    let (version, _) = cursor.known_version(1)?;
    cursor.versioned(version)?;
    cursor.versioned(version)?;
    let timescale = cursor.u32()?;
    if timescale == 0 {
        return Err(cursor.invalid("timescale", 0, Expected::AtLeast(1)));
    }
    Ok(timescale)
}

/// `hdlr`, ISO/IEC 14496-12 section 8.4.3.
pub(crate) fn handler(hdlr: &Mp4Box<'_>) -> Result<FourCc, MediaError> {
    let mut cursor = Cursor::new(hdlr);
    cursor.known_version(0)?;
    cursor.skip(4)?;
    cursor.fourcc()
}

/// The entries of `stsd`, raw.
pub(crate) fn description_boxes<'a>(stsd: &Mp4Box<'a>) -> Result<(u32, Boxes<'a>), MediaError> {
    let mut cursor = Cursor::new(stsd);
    cursor.known_version(1)?;
    let count = cursor.u32()?;
    let entries = cursor.bytes(cursor.remaining())?;
    let before = stsd.bytes.len().saturating_sub(entries.len());
    Ok((
        count,
        Boxes::new(entries, stsd.offset.saturating_add(to_u64(before))),
    ))
}

fn sample_entries(stsd: &Mp4Box<'_>, kind: TrackKind) -> Result<Vec<SampleEntry>, MediaError> {
    let (count, boxes) = description_boxes(stsd)?;
    let stated = usize::try_from(count).unwrap_or(usize::MAX);
    limits::within(stated, MAX_ENTRIES, "entry_count", stsd.kind, stsd.offset)?;
    // One more than stated is enough to see that there are too many.
    let boxes = boxes.take(stated.saturating_add(1));
    let entries = boxes
        .map(|entry| SampleEntry::parse(&entry?, kind))
        .collect::<Result<Vec<_>, _>>()?;
    if to_u64(entries.len()) != u64::from(count) || count == 0 {
        let expected = Expected::Words("the number of entries, at least 1");
        return Err(stsd.invalid("entry_count", count.into(), expected));
    }
    Ok(entries)
}

fn fragment_defaults(trex: &Mp4Box<'_>) -> Result<(u32, FragmentDefaults), MediaError> {
    let mut cursor = Cursor::new(trex);
    cursor.known_version(0)?;
    let id = cursor.u32()?;
    let defaults = FragmentDefaults {
        description: cursor.u32()?,
        duration: cursor.u32()?,
        size: cursor.u32()?,
    };
    cursor.skip(4)?;
    cursor.finish()?;
    Ok((id, defaults))
}

#[cfg(test)]
mod tests;

//! The shipped sample files and what `samples.json` says of them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One protected sample file.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// File name in the sample folder.
    pub file: String,
    /// `cenc`, `cens`, `cbc1` or `cbcs`.
    pub scheme: String,
    /// File name of the clear counterpart.
    pub clear: String,
    /// True when its keys change by sample groups.
    pub rotation: bool,
    /// Its protected tracks.
    pub tracks: Vec<SampleTrack>,
}

/// A protected track of a sample file.
#[derive(Clone, Debug, Deserialize)]
pub struct SampleTrack {
    /// `video` or `audio`.
    pub kind: String,
    /// Key id, 32 hex digits.
    #[serde(deserialize_with = "hex16")]
    pub kid: [u8; 16],
    /// Test key, 32 hex digits.
    #[serde(deserialize_with = "hex16")]
    pub key: [u8; 16],
}

#[derive(Deserialize)]
struct List {
    files: Vec<Sample>,
}

fn hex16<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(&text, &mut bytes).map_err(serde::de::Error::custom)?;
    Ok(bytes)
}

/// Folder of the sample files. `KEYBEARER_SAMPLES` moves it, for a machine without the checkout.
#[must_use]
pub fn folder() -> PathBuf {
    std::env::var_os("KEYBEARER_SAMPLES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("samples"),
        PathBuf::from,
    )
}

/// Every protected sample file.
///
/// # Panics
/// When the list is missing or not what this reads: a test cannot go on without it.
#[must_use]
pub fn all() -> Vec<Sample> {
    let text = std::fs::read_to_string(folder().join("samples.json")).expect("the list is there");
    let list: List = serde_json::from_str(&text).expect("the list is what make.sh writes");
    list.files
}

/// Every protected sample file, in groups that one service can hold: within a group a key id has one
/// kind of initialisation vector, as a licence binds it.
///
/// # Panics
/// As [`all`].
#[must_use]
pub fn groups() -> [Vec<Sample>; 2] {
    let (short, long): (Vec<_>, Vec<_>) = all().into_iter().partition(Sample::has_short_ivs);
    assert!(
        long.len() >= 20 && short.len() >= 5,
        "the list is not the one that make.sh writes"
    );
    [long, short]
}

/// The first of the [`groups`], but for files whose keys change: every scheme and codec with IVs of 16
/// bytes.
///
/// # Panics
/// As [`groups`].
#[must_use]
pub fn standard() -> Vec<Sample> {
    let [mut standard, _] = groups();
    standard.retain(|sample| !sample.rotation);
    standard
}

impl Sample {
    /// True when its IVs, per sample or constant, have 8 bytes.
    #[must_use]
    pub fn has_short_ivs(&self) -> bool {
        // As `make.sh` makes them; the list does not say it.
        let others = ["cenc-lead-video.mp4", "cenc-rotation-video.mp4"];
        self.file.contains("-iv8-") || others.contains(&self.file.as_str())
    }
}

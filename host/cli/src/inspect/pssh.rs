//! `pssh` boxes.

use keybearer_client::explain::kid;
use keybearer_license::{ContentInit, SYSTEM_ID};
use keybearer_media::Pssh;
use serde::Serialize;

use super::systems::{name, uuid};
use super::tree::Tree;
use crate::failure::Failure;
use crate::sizes::counted;

/// One `pssh` box.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct PsshReport {
    system: Option<&'static str>,
    system_id: String,
    version: u8,
    /// Key ids: those of a version 1 box, or those in our own data.
    key_ids: Vec<String>,
    data_bytes: usize,
    /// Sealed leaf keys in our own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// The boxes of init data.
pub(super) fn of_boxes(bytes: &[u8], from: &str) -> Result<Vec<PsshReport>, Failure> {
    let boxes = Pssh::parse_all(bytes)
        .map_err(|error| Failure::input(format!("{from}: no usable pssh")).cause(&error))?;
    Ok(boxes
        .iter()
        .map(|found| PsshReport::of(found, None))
        .collect())
}

impl PsshReport {
    pub(super) fn of(found: &Pssh, place: Option<String>) -> Self {
        let mut report = Self {
            system: name(&found.system_id),
            system_id: uuid(&found.system_id),
            version: u8::from(found.key_ids.is_some()),
            key_ids: found.key_ids.iter().flatten().map(kid).collect(),
            data_bytes: found.data.len(),
            leaves: None,
            problem: None,
            place,
        };
        if found.system_id == SYSTEM_ID {
            match ContentInit::from_bytes(&found.data) {
                Ok(own) => {
                    let keys = own.keys.iter().map(|id| id.to_string());
                    let new: Vec<String> = keys.filter(|id| !report.key_ids.contains(id)).collect();
                    report.key_ids.extend(new);
                    report.leaves = Some(own.leaves.len());
                }
                Err(error) => report.problem = Some(format!("its data cannot be read: {error}")),
            }
        }
        report
    }

    pub(super) fn tree(&self) -> Tree {
        let system = self.system.unwrap_or("unknown system");
        let data = counted(self.data_bytes as u64, "byte");
        let place = self
            .place
            .as_ref()
            .map(|place| format!(", {place}"))
            .unwrap_or_default();
        let title = format!(
            "pssh        {system}, version {}, {data} of data{place}",
            self.version
        );
        Tree::new(title)
            .with([Tree::field("system id", &self.system_id)])
            .with(self.key_ids.iter().map(|id| Tree::field("key id", id)))
            .with(
                self.leaves
                    .filter(|leaves| *leaves > 0)
                    .map(|leaves| Tree::field("leaf keys", leaves)),
            )
            .with(
                self.problem
                    .iter()
                    .map(|problem| Tree::field("problem", problem)),
            )
    }
}

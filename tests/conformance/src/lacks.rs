//! Which cases a backend has not the means for, as somebody has decided it beforehand: a case that
//! falls out unnoticed proves nothing, and a run without it must not look like one with it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::{Outcome, Report, all};

/// The cases that must not apply to a backend: these, no more and no fewer.
///
/// As text their ids, parted by commas; nothing where every case must apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacks(BTreeSet<&'static str>);

/// A list names what is no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no case {0:?}")]
pub struct NoSuchCase(pub String);

impl Lacks {
    /// These cases, in any order.
    ///
    /// # Errors
    /// [`NoSuchCase`]: such a name would never be missed.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, NoSuchCase> {
        let known = |id: &str| {
            let case = all().find(|case| case.id == id);
            case.map_or_else(|| Err(NoSuchCase(id.to_owned())), |case| Ok(case.id))
        };
        ids.into_iter()
            .map(known)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Compares with what came of a run, in which every named case must have taken part.
    ///
    /// # Errors
    /// How the two differ.
    pub fn compare(&self, reports: &[Report]) -> Result<(), Difference> {
        let lacking = |report: &&Report| matches!(report.outcome, Outcome::NotApplicable(_));
        let found: BTreeSet<_> = reports.iter().filter(lacking).map(|r| r.id).collect();
        let took_part: BTreeSet<_> = reports.iter().map(|report| report.id).collect();
        let (absent, applied) = self
            .0
            .difference(&found)
            .partition(|id| !took_part.contains(*id));
        let difference = Difference {
            unnamed: found.difference(&self.0).copied().collect(),
            applied,
            absent,
        };
        if difference == Difference::default() {
            Ok(())
        } else {
            Err(difference)
        }
    }
}

impl FromStr for Lacks {
    type Err = NoSuchCase;

    fn from_str(list: &str) -> Result<Self, NoSuchCase> {
        match list {
            "" => Self::new([]),
            _ => Self::new(list.split(',')),
        }
    }
}

/// Where a run and the list differ. As text one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Difference {
    /// Did not apply, and are not named.
    pub unnamed: Vec<&'static str>,
    /// Are named, and applied.
    pub applied: Vec<&'static str>,
    /// Are named, and were not among the cases of the run.
    pub absent: Vec<&'static str>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("not applicable without being named", &self.unnamed),
            ("named as not applicable, but run", &self.applied),
            ("named, but not among these cases", &self.absent),
        ];
        let parts = parts.into_iter().filter(|(_, ids)| !ids.is_empty());
        let parts: Vec<_> = parts
            .map(|(what, ids)| format!("{what}: {}", ids.join(" ")))
            .collect();
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests;

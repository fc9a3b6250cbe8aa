//! What is to be said of definitions: what keeps them from being taken over, and what does not.

use std::fmt;

use serde::Serialize;

/// Most flaws that are told at once.
const MAX_FLAWS: usize = 64;

/// Something that was taken over and will most likely not do what was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is about: `profiles/HD/PlayReady`, `drm-groups/sport`.
    pub about: String,
    /// The rule that says so, where one does: `UR-26`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// What is to be expected.
    pub what: String,
}

/// Something that keeps definitions from being taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// What it is about, down to the rule where one is at fault: `profiles/HD/PRM/minLevel`.
    pub about: String,
    /// What was found and what is expected.
    pub what: String,
}

/// Why definitions are not taken over: at least one flaw, in the order of the definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsound(Vec<Flaw>);

impl Unsound {
    /// Notes a flaw; what is beyond the most that are told is still refused.
    pub(super) fn note(&mut self, about: impl Into<String>, what: impl Into<String>) {
        if self.0.len() < MAX_FLAWS {
            self.0.push(Flaw {
                about: about.into(),
                what: what.into(),
            });
        }
    }

    /// Nothing, or what was noted.
    pub(super) fn found(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// What is wrong, one by one.
    #[must_use]
    pub fn flaws(&self) -> &[Flaw] {
        &self.0
    }
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, flaw) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "; " };
            write!(f, "{comma}{}", flaw.what)?;
        }
        Ok(())
    }
}

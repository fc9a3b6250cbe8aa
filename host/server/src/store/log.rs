//! The operator's log: what was granted and what was refused, once each.

use keybearer_license::UnixTime;
use redb::{ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{Change, StoreError, View, read, written};

/// By number, from 1: what certified devices got and were refused.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// By number, from the same numbers: what those without a certificate were refused. A table of its
/// own, since they can be refused as often as they like and must not wash out what counts.
const STRANGERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("stranger_log");

/// Entries dropped with one change, once the log is full.
const DROPPED_AT_ONCE: usize = 4;

const NEXT: &str = "log_next";
const LICENSES: &str = "licenses_total";
const DENIALS: &str = "denials_total";
const PROVISIONS: &str = "provisions_total";

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum LogEvent {
    /// A device was certified.
    Provision {
        /// Its certificate's serial.
        device: String,
        /// Its model.
        model: String,
        /// The level it was certified for.
        level: String,
        /// The tenant whose token it brought.
        tenant: String,
    },
    /// A licence was issued or renewed.
    License {
        /// The device's certificate's serial.
        device: String,
        /// The licence.
        license: String,
        /// Its sequence number: 1 when it was issued, more when it was renewed.
        sequence: u64,
        /// The content.
        content: String,
        /// The keys it holds.
        keys: Vec<String>,
        /// The keys that were asked for and left out, with the reason for each; `other-content`
        /// is none of the device's: it gets such a key by asking again.
        refused: Vec<(String, String)>,
        /// The level it was issued at.
        level: String,
        /// The usage rules that decided, of each key that is under any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rules: Vec<KeyRules>,
    },
    /// A request was refused.
    Denial {
        /// The device's certificate's serial, where it has one.
        device: Option<String>,
        /// Why.
        reason: String,
        /// The rule, where it says more.
        rule: Option<String>,
        /// What the rule wants.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wanted: Option<String>,
        /// What was found instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<String>,
        /// The key in question.
        key: Option<String>,
    },
}

/// Which usage rules a key was licensed under.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct KeyRules {
    /// The key's id.
    pub key: String,
    /// The rule family.
    pub family: String,
    /// Where they are from: `token-profile`, `token-rules`, `track-profile`, `channel-profile` or
    /// `default`.
    pub origin: String,
    /// The profile, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LogEntry {
    /// Its number, from 1, rising; older entries make room, and those about devices without a
    /// certificate only for each other.
    #[serde(default)]
    pub number: u64,
    /// When, Unix time.
    pub time: u64,
    /// What.
    #[serde(flatten)]
    pub event: LogEvent,
}

/// How often what happened since the store was made, also what the log no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Totals {
    /// Licences issued and renewed.
    pub licenses: u64,
    /// Denials.
    pub denials: u64,
    /// Devices certified.
    pub provisions: u64,
}

impl Change {
    /// Writes to the log and counts. `most` entries are kept of certified devices, and as many of
    /// strangers.
    pub(crate) fn log(&self, now: UnixTime, event: LogEvent, most: u64) -> Result<(), StoreError> {
        let total = match &event {
            LogEvent::Provision { .. } => PROVISIONS,
            LogEvent::License { .. } => LICENSES,
            LogEvent::Denial { .. } => DENIALS,
        };
        self.set_number(total, self.number(total)?.saturating_add(1))?;
        let number = self.number(NEXT)?.max(1);
        self.set_number(NEXT, number.saturating_add(1))?;
        let entry = LogEntry {
            number,
            time: now.0,
            event,
        };
        let stranger = matches!(entry.event, LogEvent::Denial { device: None, .. });
        let table = if stranger { STRANGERS } else { LOG };
        let mut log = self.transaction.open_table(table)?;
        log.insert(number, written("log", &entry)?.as_slice())?;
        for _ in 0..DROPPED_AT_ONCE {
            if log.len()? <= most {
                break;
            }
            log.pop_first()?;
        }
        Ok(())
    }
}

impl View {
    /// At most `limit` entries with a number above `after`, oldest first.
    pub(crate) fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let mut entries: Vec<LogEntry> = Vec::new();
        for table in [LOG, STRANGERS] {
            let Some(table) = self.table(table)? else {
                continue;
            };
            for entry in table.range(after.saturating_add(1)..)?.take(limit) {
                entries.push(read("log", entry?.1.value())?);
            }
        }
        entries.sort_unstable_by_key(|entry| entry.number);
        entries.truncate(limit);
        Ok(entries)
    }

    /// At most `limit` entries with a number below `before`, newest first.
    pub(crate) fn newest(&self, before: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let mut entries: Vec<LogEntry> = Vec::new();
        for table in [LOG, STRANGERS] {
            let Some(table) = self.table(table)? else {
                continue;
            };
            for entry in table.range(..before)?.rev().take(limit) {
                entries.push(read("log", entry?.1.value())?);
            }
        }
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.number));
        entries.truncate(limit);
        Ok(entries)
    }

    /// How often what happened.
    pub(crate) fn totals(&self) -> Result<Totals, StoreError> {
        Ok(Totals {
            licenses: self.number(LICENSES)?,
            denials: self.number(DENIALS)?,
            provisions: self.number(PROVISIONS)?,
        })
    }
}

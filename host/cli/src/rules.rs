//! `keybearer rules`: the tables of usage rules, what the generic rules become with each DRM, and
//! where two profiles differ. Everything comes from the typed tables; nothing is asked of a server.
//!
//! The document of `--json` is DRM, then rule, then profile, then value, whatever the command.

mod text;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use keybearer_rules::family::generic::GenericRules;
use keybearer_rules::{Column, Drm, Form, RuleError, Rules};
use serde::Serialize;

use crate::failure::Failure;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  keybearer rules table                       every table
  keybearer rules table Widevine              one of them
  keybearer rules convert                     the generic ones with each DRM
  keybearer rules convert --profile UHD --set minLevel=2 --drm PlayReady
  keybearer rules diff HD UHD                 what UHD asks that HD does not

DRMs: PRM, PlayReady, FairPlay, Widevine, TVKeyCloud, WisePlay, Generic.
Profiles: Test, SD, HD, UHD, default.";

/// Show, convert and compare usage rules
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RulesCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The values of every rule in the built-in profiles
    Table(Table),
    /// What generic rules become with each DRM
    Convert(Convert),
    /// The rules in which two profiles differ
    Diff(Diff),
}

#[derive(Debug, Args)]
struct Table {
    /// Only this DRM
    #[arg(value_parser = drm)]
    drm: Option<Drm>,
    /// Only this profile
    #[arg(long, value_parser = column)]
    profile: Option<Column>,
}

#[derive(Debug, Args)]
struct Convert {
    /// Only this DRM
    #[arg(long, value_parser = drm)]
    drm: Option<Drm>,
    /// Only this profile
    #[arg(long, value_parser = column)]
    profile: Option<Column>,
    /// Set a generic rule before converting
    #[arg(long, value_name = "RULE=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct Diff {
    /// The first profile
    #[arg(value_parser = column)]
    one: Column,
    /// The second profile
    #[arg(value_parser = column)]
    other: Column,
    /// Only this DRM
    #[arg(long, value_parser = drm)]
    drm: Option<Drm>,
}

/// Value by profile, by rule, by DRM.
pub(super) type Cells =
    BTreeMap<&'static str, BTreeMap<&'static str, BTreeMap<&'static str, Value>>>;

/// A value as the tables write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Value(String);

impl RulesCommand {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        let cells = match &self.what {
            What::Table(table) => cells(table.drm, table.profile, |drm, column| {
                Ok(Rules::column(drm, column))
            })?,
            What::Convert(convert) => convert.cells()?,
            What::Diff(diff) => diff.cells()?,
        };
        if terminal.json {
            return terminal.print_json(&cells);
        }
        if cells.is_empty() {
            return terminal.print("no difference\n");
        }
        let converted = matches!(self.what, What::Convert(_));
        terminal.print(&text::tables(&cells, converted))
    }
}

impl Convert {
    fn cells(&self) -> Result<Cells, Failure> {
        let converted = |drm, column| {
            let mut generic = GenericRules::column(column);
            for (rule, value) in &self.set {
                generic
                    .amend(rule, Form::from_text(value))
                    .map_err(|error| not_set(rule, value, error))?;
            }
            Ok(generic.convert(drm))
        };
        let mut cells = cells(self.drm, self.profile, converted)?;
        if self.drm.is_none() {
            // The generic rules are what is converted, not what becomes of them.
            cells.remove(Drm::Generic.name());
        }
        Ok(cells)
    }
}

/// Why a rule was not set, with what could be.
fn not_set(rule: &str, value: &str, error: RuleError) -> Failure {
    match error {
        RuleError::UnknownRule => Failure::usage(format!("there is no generic rule {rule:?}"))
            .hint(format!("the rules are {}", GenericRules::RULES.join(", "))),
        RuleError::Value { rule, expected } => {
            Failure::usage(format!("{rule}: found {value:?}, expected {expected}"))
        }
    }
}

impl Diff {
    fn cells(&self) -> Result<Cells, Failure> {
        let mut cells = cells(self.drm, None, |drm, column| Ok(Rules::column(drm, column)))?;
        let (one, other) = (self.one.name(), self.other.name());
        for rules in cells.values_mut() {
            rules.retain(|_, profiles| profiles.get(one) != profiles.get(other));
            for profiles in rules.values_mut() {
                profiles.retain(|profile, _| *profile == one || *profile == other);
            }
        }
        cells.retain(|_, rules| !rules.is_empty());
        Ok(cells)
    }
}

/// The cells of the tables that are asked for.
fn cells(
    drm: Option<Drm>,
    column: Option<Column>,
    rules: impl Fn(Drm, Column) -> Result<Rules, Failure>,
) -> Result<Cells, Failure> {
    let mut cells = Cells::new();
    for drm in one_or_all(drm, Drm::ALL) {
        let table = cells.entry(drm.name()).or_default();
        for column in one_or_all(column, Column::ALL) {
            let rules = rules(drm, column)?;
            for rule in Rules::names(drm) {
                let value = rules.value(rule).unwrap_or(Form::Unset).to_string();
                let profiles = table.entry(rule).or_default();
                profiles.insert(column.name(), Value(value));
            }
        }
    }
    Ok(cells)
}

fn one_or_all<T: Clone>(one: Option<T>, all: &[T]) -> Vec<T> {
    one.map_or_else(|| all.to_vec(), |one| vec![one])
}

/// A name as it is typed: case does not matter.
pub(crate) fn named<T: Copy>(
    all: &[T],
    name: fn(T) -> &'static str,
    typed: &str,
) -> Result<T, String> {
    let found = all.iter().find(|it| name(**it).eq_ignore_ascii_case(typed));
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|it| name(*it)).collect();
        format!("expected one of {}", names.join(", "))
    })
}

pub(crate) fn drm(typed: &str) -> Result<Drm, String> {
    named(Drm::ALL, Drm::name, typed)
}

pub(crate) fn column(typed: &str) -> Result<Column, String> {
    named(Column::ALL, Column::name, typed)
}

fn setting(typed: &str) -> Result<(String, String), String> {
    let (rule, value) = typed.split_once('=').ok_or("expected RULE=VALUE")?;
    Ok((rule.to_owned(), value.to_owned()))
}

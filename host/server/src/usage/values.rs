//! Rule values in JSON: `null` for a rule that is not set, `true` and `false`, numbers, and words;
//! the tables' own text (`"TRUE"`, `"0x40791AC78BD5C571"`) is understood as well.

use std::collections::BTreeMap;

use keybearer_rules::{Drm, Form, Rules};
use serde_json::{Value, json};

/// Values by the rules' names, as far as they are stated.
pub type RuleValues = BTreeMap<String, Value>;

/// A value as a rule reads it; none for a list, a map, a negative number or a fraction.
fn form(value: &Value) -> Option<Form<'_>> {
    match value {
        Value::Null => Some(Form::Unset),
        Value::Bool(value) => Some(Form::Bool(*value)),
        Value::Number(number) => number.as_u64().map(Form::Int),
        Value::String(text) => Some(Form::from_text(text)),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// A rule's value as JSON. A constant of 64 bits stays text: not every reader of JSON keeps it as a
/// number.
fn value(form: Form<'_>) -> Value {
    match form {
        Form::Unset => Value::Null,
        Form::Bool(value) => json!(value),
        Form::Int(number) => json!(number),
        Form::Hex(_) => json!(form.to_string()),
        Form::Word(word) => json!(word),
    }
}

/// A stated value that is none of its rule, or a rule that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadValue {
    /// The rule as it was named.
    pub(crate) rule: String,
    /// Which rule, what it may be and what was found.
    pub(crate) what: String,
}

/// The rules with the stated values in place of their own; the others stay.
///
/// # Errors
/// Every value that is at fault. Nothing is applied then.
pub(crate) fn amended<'a>(
    rules: Rules,
    values: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Result<Rules, Vec<BadValue>> {
    let mut amended = rules;
    let mut bad = Vec::new();
    for (rule, found) in values {
        if let Err(what) = amend(&mut amended, rule, found) {
            let rule = rule.clone();
            bad.push(BadValue { rule, what });
        }
    }
    if bad.is_empty() {
        Ok(amended)
    } else {
        Err(bad)
    }
}

fn amend(rules: &mut Rules, rule: &str, found: &Value) -> Result<(), String> {
    let drm = rules.drm();
    let Some(expected) = Rules::expected(drm, rule) else {
        return Err(format!(
            "{drm} has no rule {rule:?}, expected one of {}",
            Rules::names(drm).join(", ")
        ));
    };
    let refused = || format!("{drm}.{rule} = {found}, expected {expected}");
    let form = form(found).ok_or_else(refused)?;
    rules.amend(rule, form).map_err(|_| refused())
}

/// Every rule of a set with its value, in the order of the tables.
pub(crate) fn listed(rules: &Rules) -> serde_json::Map<String, Value> {
    Rules::names(rules.drm())
        .iter()
        .filter_map(|rule| Some(((*rule).to_owned(), value(rules.value(rule)?))))
        .collect()
}

/// A DRM by its name.
///
/// # Errors
/// What names there are.
pub(super) fn drm(name: &str) -> Result<Drm, String> {
    Drm::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Drm::ALL.iter().map(|drm| drm.name()).collect();
        format!(
            "{name:?} is no rule family, expected one of {}",
            names.join(", ")
        )
    })
}

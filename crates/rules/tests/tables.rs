//! The typed tables against the design's data: every cell, every canonical result, every conversion.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

#[path = "support/data.rs"]
mod data;

use std::collections::BTreeMap;

use data::{data, entries, text};
use keybearer_rules::family::generic::GenericRules;
use keybearer_rules::{Column, Drm, Form, Profile, Readings, RuleError, Rules};

const NO_FORM: [Form<'static>; 6] = [
    Form::Unset,
    Form::Bool(true),
    Form::Int(77),
    Form::Int(u64::MAX),
    Form::Hex(0x1000),
    Form::Word("no such word"),
];

#[test]
fn every_cell_is_that_of_the_tables() {
    let mut cells = 0;
    for drm in Drm::ALL {
        let rules = entries(&data()[drm.name()]);
        assert_eq!(Rules::names(*drm).len(), rules.len(), "{drm}");
        for (rule, entry) in rules {
            assert!(Rules::names(*drm).contains(&rule.as_str()));
            for column in Column::ALL {
                let wanted = text(&entry["profiles"][column.name()]);
                let value = Rules::column(*drm, *column).value(rule).unwrap();
                assert_eq!(value.to_string(), wanted, "{drm} {rule} {column}");
                assert_eq!(
                    Profile::built_in(*column).rules(*drm).unwrap().value(rule),
                    Some(value)
                );
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 295);
}

/// Whatever a table lists as a value is taken and comes back; what it does not list is refused,
/// unless the list is known to be incomplete.
#[test]
fn value_sets_are_those_of_the_tables() {
    for drm in Drm::ALL {
        for (rule, entry) in entries(&data()[drm.name()]) {
            let complete = entry["values_complete"].as_bool().unwrap();
            let listed: Vec<String> = entry["values"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|value| spelled(&text(&value["value"])))
                .collect();
            for value in &listed {
                let mut rules = Rules::column(*drm, Column::Default);
                rules.amend(rule, Form::from_text(value)).unwrap();
                assert_eq!(
                    rules.value(rule).unwrap().to_string(),
                    *value,
                    "{drm} {rule}"
                );
            }
            for form in NO_FORM {
                let before = Rules::column(*drm, Column::Default);
                let mut rules = before;
                let known = listed.contains(&form.to_string())
                    || (form == Form::Unset && before.value(rule) == Some(Form::Unset));
                let open = !complete && matches!(form, Form::Word(_) | Form::Int(77));
                match rules.amend(rule, form) {
                    Ok(()) => assert!(known || open, "{drm} {rule} took {form}"),
                    Err(error) => {
                        assert!(!known, "{drm} {rule} refused {form}");
                        assert!(matches!(error, RuleError::Value { rule: named, expected }
                            if named == rule && Rules::expected(*drm, rule) == Some(expected)));
                        assert_eq!(rules, before);
                    }
                }
            }
        }
    }
}

/// The values behind what the tables write for several at once.
fn spelled(value: &str) -> Vec<String> {
    let words: &[&str] = match value {
        "(unset)" => &["-"],
        "TRUE / on" => &["TRUE"],
        "FALSE / off" => &["FALSE"],
        "<other tokens>" => &["1", "921600", "4294967295"],
        "<ordered levels>" => &["none", "low", "medium", "high", "critical"],
        "201.." => &["201", "300"],
        "6..10" => &["6", "7", "8", "9", "10"],
        "0..14" => &["0", "1", "7", "13", "14"],
        other => return vec![other.to_owned()],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn an_unknown_rule_is_refused() {
    for drm in Drm::ALL {
        let mut rules = Rules::column(*drm, Column::Hd);
        for rule in ["", "minlevel", "hdcp ", "HDCP"] {
            assert_eq!(
                rules.amend(rule, Form::Bool(true)),
                Err(RuleError::UnknownRule)
            );
            assert_eq!(rules.value(rule), None);
            assert_eq!(Rules::expected(*drm, rule), None);
        }
        assert_eq!(rules, Rules::column(*drm, Column::Hd));
    }
}

#[test]
fn every_canonical_result() {
    let mut results = 0;
    for (drm, columns) in entries(&data()["_canonical_by_profile"]) {
        for (column, wanted) in entries(columns) {
            let drm = Drm::from_name(drm).unwrap();
            let column = Column::from_name(column).unwrap();
            let policy = Rules::column(drm, column).policy(&Readings::default());
            let mut found = BTreeMap::new();
            let shown: Result<(), ()> = policy.fields(|name, value| {
                found.insert(name.to_owned(), value.to_string());
                Ok(())
            });
            shown.unwrap();
            assert_eq!(found.remove("trusted_outputs").as_deref(), Some("optional"));
            let wanted: BTreeMap<_, _> = entries(wanted)
                .iter()
                .map(|(name, value)| ((*name).clone(), text(value)))
                .collect();
            assert_eq!(found, wanted, "{drm} {column}");
            results += 1;
        }
    }
    assert_eq!(results, 7 * 5);
}

#[test]
fn the_conversion_equals_the_tables_but_for_the_listed_exceptions() {
    let conversion = &data()["_generic_conversion"];
    let mut pairs = 0;
    let mut exceptions = Vec::new();
    for column in Column::ALL {
        let generic = GenericRules::column(*column);
        for (drm, rules) in entries(&conversion["converted"][column.name()]) {
            let drm = Drm::from_name(drm).unwrap();
            let converted = generic.convert(drm);
            let table = Rules::column(drm, *column);
            assert_eq!(Rules::names(drm).len(), entries(rules).len());
            for (rule, wanted) in entries(rules) {
                let value = converted.value(rule).unwrap().to_string();
                assert_eq!(value, text(wanted), "{drm} {rule} {column}");
                let seed = table.value(rule).unwrap().to_string();
                if value != seed {
                    exceptions.push([
                        drm.name().into(),
                        column.name().into(),
                        rule.clone(),
                        value,
                        seed,
                    ]);
                }
                pairs += 1;
            }
        }
        assert_eq!(generic.convert(Drm::Generic), Rules::Generic(generic));
    }
    assert_eq!(pairs, conversion["pairs_checked"].as_u64().unwrap());
    let mut listed: Vec<[String; 5]> = conversion["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            ["drm", "profile", "rule", "converted", "seed"].map(|field| text(&entry[field]))
        })
        .collect();
    listed.sort();
    exceptions.sort();
    assert_eq!(exceptions.len(), 5);
    assert_eq!(exceptions, listed);
}

#[test]
fn the_conversion_keeps_closed_outputs_closed() {
    let mut generic = GenericRules::column(Column::Uhd);
    generic.hdcp = false;
    for (drm, rule, wanted) in [
        (Drm::Prm, "hdcp", "FALSE"),
        (
            Drm::PlayReady,
            "uncompressedDigitalVideoOutputProtection",
            "301",
        ),
        (Drm::FairPlay, "digitalAvAdapter", "FALSE"),
        (Drm::Widevine, "hdcp", "255"),
        (Drm::TvKeyCloud, "hdcpUncompressedToken", "FALSE"),
        (Drm::WisePlay, "outputControl", "3"),
    ] {
        let rules = generic.convert(drm);
        assert_eq!(rules.drm(), drm);
        assert_eq!(rules.value(rule).unwrap().to_string(), wanted, "{drm}");
    }
    // Analogue video that may leave, but not unprotected.
    generic.digital_only = false;
    let playready = generic.playready();
    let widevine = generic.widevine();
    assert_eq!(playready.minimum_analog_television.number(), 200);
    assert_eq!(widevine.cgms_flag.name(), "COPY_NEVER");
}

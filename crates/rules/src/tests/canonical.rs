//! The canonical policies of every built-in column, and how they travel.

use alloc::vec::Vec;

use keybearer_cbor::{decode, encode};

use super::shown;
use crate::{Column, Drm, OutputPolicy, Readings, Rules};

fn policies() -> impl Iterator<Item = (Drm, Column, OutputPolicy)> {
    Drm::ALL.iter().flat_map(|drm| {
        Column::ALL.iter().map(|column| {
            let rules = Rules::column(*drm, *column);
            (*drm, *column, rules.policy(&Readings::default()))
        })
    })
}

#[test]
fn every_column_travels() {
    for (drm, column, policy) in policies() {
        let bytes = encode(OutputPolicy::MAX_ENCODED, |e| policy.encode(e)).expect("fits");
        assert_eq!(
            decode(&bytes, OutputPolicy::MAX_ENCODED, OutputPolicy::decode),
            Ok(policy),
            "{drm} {column}"
        );
        // The field that no table has is the server's, and comes last.
        let fields = shown(&policy);
        assert_eq!(fields.len(), 23);
        assert_eq!(fields[22], ("trusted_outputs", "optional".into()));
    }
}

#[test]
fn columns_that_demand_nothing_of_outputs() {
    let nothing: Vec<_> = policies()
        .filter(|(_, _, policy)| policy.demands_nothing())
        .map(|(drm, column, _)| (drm.name(), column.name()))
        .collect();
    assert_eq!(
        nothing,
        [
            ("PRM", "Test"),
            ("PRM", "SD"),
            ("FairPlay", "Test"),
            ("FairPlay", "SD"),
            ("Widevine", "Test"),
            ("TVKeyCloud", "Test"),
            ("TVKeyCloud", "SD"),
            ("TVKeyCloud", "default"),
            ("WisePlay", "Test"),
            ("WisePlay", "SD"),
            ("Generic", "Test"),
            ("Generic", "SD"),
        ]
    );
}

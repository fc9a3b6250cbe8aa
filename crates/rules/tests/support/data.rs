//! The design's data as the tests read it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

/// The whole of it.
pub(crate) fn data() -> &'static Value {
    static DATA: OnceLock<Value> = OnceLock::new();
    DATA.get_or_init(|| {
        serde_json::from_str(include_str!("../data/usage-rules.json")).expect("the data is JSON")
    })
}

/// The entries of an object, but for those that are about it.
pub(crate) fn entries(object: &Value) -> BTreeMap<&String, &Value> {
    let object = object.as_object().expect("an object");
    object
        .iter()
        .filter(|(name, _)| !name.starts_with('_'))
        .collect()
}

/// A value as the tables write it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

//! The promises as a document shows them.

use std::fmt::Write;

use crate::{Need, all};

/// The line before the generated part of a document.
pub const BEGIN: &str =
    "<!-- promises: written by `cargo run -p keybearer-conformance -- promises` -->";
/// The line after it.
pub const END: &str = "<!-- end of promises -->";

/// A table of all promises.
#[must_use]
pub fn promises() -> String {
    let mut out =
        String::from("| case | what every trusted side promises | where |\n|---|---|---|\n");
    for case in all() {
        // Written to a string, which does not fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            case.id,
            case.promise,
            place(case.needs)
        );
    }
    out
}

/// Where a promise holds, as far as the backend decides it and not the test's means.
fn place(needs: &[Need]) -> String {
    let places = needs.iter().filter_map(|need| match need {
        Need::Clock => Some("with a clock".to_owned()),
        Need::OwnAnchors => Some("below level medium".to_owned()),
        Need::BuiltInAnchors => Some("level medium and above".to_owned()),
        Need::SharedMemory => Some("where memory is shared".to_owned()),
        Need::Decoder => Some("with a decoder".to_owned()),
        Need::Level(level) => Some(format!("level {} and above", level.name())),
        _ => None,
    });
    let places: Vec<_> = places.collect();
    if places.is_empty() {
        "everywhere".to_owned()
    } else {
        places.join(", ")
    }
}

/// `document` with everything between [`BEGIN`] and [`END`] replaced; `None` where they are missing.
#[must_use]
pub fn replaced(document: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n{END}{after}", promises()))
}

use std::time::Duration;

use keybearer_license::DenialReason;

use super::{Endpoint, Metrics, Rejection, Replay};

#[test]
fn everything_counted_is_shown() {
    let metrics = Metrics::new();
    metrics.request(Endpoint::License);
    metrics.rejected(Rejection::BodyCut);
    metrics.denied(DenialReason::KeyUnknown);
    metrics.replayed(Replay::Conflict);
    metrics.licensed();
    metrics.licensed();
    metrics.provisioned();
    let text = metrics.text();
    for line in [
        "keybearer_requests_total{endpoint=\"license\"} 1",
        "keybearer_requests_total{endpoint=\"time\"} 0",
        "keybearer_rejected_total{code=\"body-cut\"} 1",
        "keybearer_denials_total{reason=\"key-unknown\"} 1",
        "keybearer_replays_total{kind=\"conflict\"} 1",
        "keybearer_licenses_total 2",
        "keybearer_provisions_total 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} in:\n{text}"
        );
    }
}

#[test]
fn buckets_hold_everything_up_to_their_bound() {
    let metrics = Metrics::new();
    for milliseconds in [1, 4, 30, 9000] {
        metrics.took(Duration::from_millis(milliseconds));
    }
    let text = metrics.text();
    for (bound, count) in [
        ("0.001", 1),
        ("0.005", 2),
        ("0.05", 3),
        ("5", 3),
        ("+Inf", 4),
    ] {
        let line = format!("keybearer_request_seconds_bucket{{le=\"{bound}\"}} {count}");
        assert!(
            text.lines().any(|found| found == line),
            "{line} in:\n{text}"
        );
    }
    assert!(text.contains("keybearer_request_seconds_sum 9.035"));
}

#[test]
fn every_line_is_in_the_text_format() {
    for line in Metrics::new().text().lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            assert!(
                comment.starts_with("HELP keybearer_") || comment.starts_with("TYPE keybearer_")
            );
            continue;
        }
        let value = line
            .rsplit(' ')
            .next()
            .and_then(|value| value.parse::<f64>().ok());
        assert!(line.starts_with("keybearer_") && value.is_some(), "{line}");
    }
}

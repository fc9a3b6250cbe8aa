//! Numbers and names as people read them.

use std::path::Path;

use keybearer_client::Summary;

/// A number with its digits in groups of three: 12,345.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 sample`, `2 samples`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// What was done to a file: `48 of 50 samples decrypted, 22,000 bytes`.
pub(crate) fn done_with(summary: &Summary) -> String {
    let bytes = counted(summary.bytes, "byte");
    if summary.protected_samples == 0 {
        return format!("copied as it is, {bytes}");
    }
    format!(
        "{} of {} decrypted, {bytes}",
        grouped(summary.protected_samples),
        counted(summary.samples, "sample"),
    )
}

/// The last part of a path, for a heading.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Summary, counted, done_with, grouped};

    #[test]
    fn what_was_done_is_counted_in_good_english() {
        let mut summary = Summary {
            bytes: 1,
            ..Summary::default()
        };
        assert_eq!(done_with(&summary), "copied as it is, 1 byte");
        (summary.protected_samples, summary.samples) = (1, 1);
        assert_eq!(done_with(&summary), "1 of 1 sample decrypted, 1 byte");
        (summary.protected_samples, summary.samples) = (48, 1050);
        assert_eq!(done_with(&summary), "48 of 1,050 samples decrypted, 1 byte");
    }

    #[test]
    fn digits_come_in_threes() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(
            (counted(1, "key"), counted(2000, "key")),
            ("1 key".into(), "2,000 keys".into())
        );
    }
}

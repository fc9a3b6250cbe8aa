//! What is drawn where a person looks: on terminals of any width, and on those that know none.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the command on a pseudo-terminal of so many columns; 0 is a terminal that knows no size.
/// `script` is util-linux's, `stty` coreutils'.
fn on_terminal(columns: u16, arguments: &str) -> String {
    let keybearer = env!("CARGO_BIN_EXE_keybearer");
    let size = format!("stty cols {columns} rows {}", columns.min(24));
    let output = Command::new("script")
        .args(["-qec", &format!("{size}; {keybearer} {arguments}")])
        .arg(Path::new("/dev/null"))
        .env("NO_COLOR", "1")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    assert!(output.status.success(), "{text}");
    text
}

fn rows(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(".mp4")).collect()
}

#[test]
fn a_terminal_of_unknown_size_shows_whole_rows() {
    let text = on_terminal(0, "-q demo --tee worker");
    let rows = rows(&text);
    assert_eq!(rows.len(), 8, "{text}");
    for row in rows {
        assert_eq!(row.split_whitespace().count(), 8, "{row}");
        assert!(row.ends_with("verified"), "{row}");
    }
    let text = on_terminal(0, "explain denial 9");
    assert!(text.contains("the device's level is too low\n"), "{text}");
}

#[test]
fn a_narrow_terminal_spares_columns_and_breaks_no_word() {
    for (columns, cells) in [(80, 8), (60, 6), (40, 3)] {
        let text = on_terminal(columns, "-q demo --tee worker");
        let rows = rows(&text);
        assert_eq!(rows.len(), 8, "{columns}: {text}");
        for row in rows {
            assert!(row.chars().count() <= columns.into(), "{columns}: {row}");
            assert_eq!(row.split_whitespace().count(), cells, "{columns}: {row}");
            assert!(row.ends_with("verified"), "{columns}: {row}");
        }
    }
}

#[test]
fn explanations_break_between_words() {
    let words = |text: &str| -> Vec<String> {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    for topic in ["", "denial 9", "RevocationListNeeded"] {
        let (narrow, wide) = (
            on_terminal(60, &format!("explain {topic}")),
            on_terminal(0, &format!("explain {topic}")),
        );
        assert_eq!(words(&narrow), words(&wide), "{topic}");
        for line in narrow
            .lines()
            .filter(|line| !line.contains("  what a licence"))
        {
            // Headings are one line each.
            let heading = !line.starts_with(' ');
            assert!(heading || line.chars().count() <= 60, "{topic}: {line}");
        }
    }
}

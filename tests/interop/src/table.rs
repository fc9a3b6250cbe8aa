//! The table: each file, the product, the peers.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::files::ProtectedFile;
use crate::judge::{Judge, Outcome, Verdict};
use crate::peers::Peer;
use crate::product::{decrypt_with_key_file, play_licensed};
use crate::tools::Tools;

/// One file and what everybody makes of it.
pub struct Row {
    /// The file's name.
    pub name: String,
    /// Who made it.
    pub maker: &'static str,
    /// Samples in all its tracks.
    pub samples: usize,
    /// The product under a licence, in the trusted core.
    pub licensed: Verdict,
    /// The product's command with a key file.
    pub key_file: Verdict,
    /// What the product said, where it refused.
    pub said: String,
    /// The peers, in the order of [`Peer::ALL`].
    pub peers: [Verdict; Peer::ALL.len()],
}

/// The product's two verdicts of one file, and what it said of refusals.
///
/// # Panics
/// When there is an output in spite of an error.
#[must_use]
pub fn product(judge: &Judge<'_>, file: &ProtectedFile, folder: &Path) -> ([Verdict; 2], String) {
    let mut said = String::new();
    let output = folder.join("licensed.mp4");
    let licensed = match play_licensed(file, &output) {
        Ok(_) => Outcome::Files(vec![output.clone()]),
        Err(error) => {
            assert!(!output.exists(), "{}: {error}, and an output", file.name);
            let _ = write!(said, "licence: {error}. ");
            Outcome::Refused
        }
    };
    let output = folder.join("key-file.mp4");
    let ran = decrypt_with_key_file(&file.path, &file.keys, &output);
    let by_key_file = if ran.status.success() {
        Outcome::Files(vec![output])
    } else {
        assert!(!output.exists(), "{}: {ran:?}, and an output", file.name);
        let _ = write!(
            said,
            "key file: {}",
            String::from_utf8_lossy(&ran.stderr).trim()
        );
        Outcome::Refused
    };
    let verdicts =
        [licensed, by_key_file].map(|outcome| judge.judge(&file.path, &file.clear, outcome));
    (verdicts, said)
}

/// Makes the table, on all processors.
///
/// # Panics
/// When a program is missing or a file cannot be read.
#[must_use]
pub fn rows(tools: &Tools, files: &[ProtectedFile]) -> Vec<Row> {
    let judge = Judge::new(tools);
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut rows: Vec<(usize, Row)> = thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(file) = files.get(number) else {
                    return done;
                };
                done.push((number, row(tools, &judge, file)));
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no worker panics"))
            .collect()
    });
    rows.sort_by_key(|(number, _)| *number);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(tools: &Tools, judge: &Judge<'_>, file: &ProtectedFile) -> Row {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ([licensed, key_file], said) = product(judge, file, folder.path());
    let peers = Peer::ALL.map(|peer| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let outcome = peer.decrypt(tools, file, folder.path());
        judge.judge(&file.path, &file.clear, outcome)
    });
    Row {
        name: file.name.clone(),
        maker: file.maker,
        samples: judge.samples(&file.clear),
        licensed,
        key_file,
        said,
        peers,
    }
}

/// The table as Markdown, aligned so that it can be read as it is.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let head: Vec<String> = ["file", "made by", "samples", "by licence", "by key file"]
        .into_iter()
        .chain(Peer::ALL.map(Peer::title))
        .map(str::to_owned)
        .collect();
    let body = rows.iter().map(|row| {
        let verdicts = [&row.licensed, &row.key_file].into_iter().chain(&row.peers);
        [
            row.name.clone(),
            row.maker.to_owned(),
            row.samples.to_string(),
        ]
        .into_iter()
        .chain(verdicts.map(Verdict::to_string))
        .collect()
    });
    let mut lines: Vec<Vec<String>> = vec![head];
    lines.extend(body);
    let sixteen: Vec<&Row> = rows.iter().filter(|row| is_of_sixteen(&row.name)).collect();
    lines.push(summary("4 codecs in 4 schemes", &sixteen));
    lines.push(summary("all files", &rows.iter().collect::<Vec<_>>()));
    let columns = lines[0].len();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let widths: Vec<usize> = (0..columns).map(|n| width(n).unwrap_or(0)).collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(1, rule);
    let mut text = String::new();
    for line in lines {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
    }
    text
}

/// Shaka Packager's H.264, AAC, HEVC and AV1 in the four schemes, with nothing else about them.
#[must_use]
pub fn is_of_sixteen(name: &str) -> bool {
    let Some((scheme, codec)) = name.split_once('-') else {
        return false;
    };
    ["cenc", "cens", "cbc1", "cbcs"].contains(&scheme)
        && ["video", "audio", "hevc", "av1"].contains(&codec)
}

/// How many of these files each column has right.
fn summary(name: &str, rows: &[&Row]) -> Vec<String> {
    let samples: usize = rows.iter().map(|row| row.samples).sum();
    let right = |of: &dyn Fn(&Row) -> &Verdict| {
        let right = rows
            .iter()
            .filter(|row| matches!(of(row), Verdict::Ok { .. }));
        format!("{} of {}", right.count(), rows.len())
    };
    let mut line = vec![
        name.to_owned(),
        String::new(),
        samples.to_string(),
        right(&|row| &row.licensed),
        right(&|row| &row.key_file),
    ];
    line.extend((0..Peer::ALL.len()).map(|peer| right(&|row| &row.peers[peer])));
    line
}

/// Cells of the table of files in a Markdown text, without head and rule.
#[must_use]
pub fn cells(markdown: &str) -> Vec<Vec<String>> {
    let lines = markdown
        .lines()
        .skip_while(|line| !line.starts_with("| file "))
        .take_while(|line| line.starts_with('|'));
    lines
        .skip(2)
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

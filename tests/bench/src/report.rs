//! Tables to look at, and the same as lines for machines.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};

/// A table under construction.
pub struct Report {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Report {
    /// An empty table. The first column names the row, the others hold figures.
    #[must_use]
    pub fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints the table; with `--json` among the program's arguments, one line of JSON instead.
    ///
    /// # Panics
    /// When nobody reads standard output any more.
    pub fn print(&self) {
        let text = if std::env::args().any(|argument| argument == "--json") {
            let rows: Vec<_> = self.rows.iter().map(|row| self.object(row)).collect();
            serde_json::json!({ "title": self.title, "rows": rows }).to_string()
        } else {
            format!("{}\n{}\n", self.title, self.table())
        };
        writeln!(std::io::stdout(), "{text}").expect("somebody reads the figures");
    }

    fn object(&self, row: &[String]) -> serde_json::Value {
        let cells = self.columns.iter().zip(row);
        let cells = cells.map(|(name, cell)| ((*name).to_owned(), cell.as_str().into()));
        serde_json::Value::Object(cells.collect())
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

/// Says on standard error what takes long, where a person looks.
pub fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("... {what}");
    }
}

/// Where material and results of this build are kept: `bench` in cargo's target folder.
///
/// # Panics
/// When the program does not know where it is, or the folder cannot be made.
#[must_use]
pub fn folder() -> PathBuf {
    // A benchmark is in `<target>/<profile>/deps`.
    let program = std::env::current_exe().expect("a program knows where it is");
    let target = program
        .ancestors()
        .nth(3)
        .expect("it is three folders deep");
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}
